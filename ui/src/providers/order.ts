/** Editing of the fallback order. Pure. */
import type { ProviderView } from '../generated/ProviderView'
import type { Service } from '../generated/Service'

export interface Entry {
  provider: ProviderView
  /** Whether the provider is part of the fallback order. */
  tried: boolean
}

/** All providers of a service except the first: those in the saved order, then those it omits. */
export function entries(
  providers: ProviderView[],
  service: Service,
  first: string | undefined,
  then: string[] | undefined,
): Entry[] {
  const able = providers.filter((provider) => provider.name !== first && provider.services.includes(service))
  if (then === undefined) return able.map((provider) => ({ provider, tried: true }))
  const named = then.flatMap((name) => able.filter((provider) => provider.name === name))
  const others = able.filter((provider) => !then.includes(provider.name))
  return [...named.map((provider) => ({ provider, tried: true })), ...others.map((provider) => ({ provider, tried: false }))]
}

/** The list with one entry moved up (-1) or down (1). */
export function moved(list: Entry[], index: number, by: -1 | 1): Entry[] {
  const next = [...list]
  const [entry] = next.splice(index, 1)
  if (entry) next.splice(index + by, 0, entry)
  return next
}

/** The provider names to save. */
export const names = (list: Entry[]) => list.filter((entry) => entry.tried).map((entry) => entry.provider.name)

/** The list with one entry moved to an index. */
export function movedTo(list: Entry[], name: string, place: number): Entry[] {
  const entry = list.find((candidate) => candidate.provider.name === name)
  if (!entry) return list
  const rest = list.filter((candidate) => candidate !== entry)
  return [...rest.slice(0, place), entry, ...rest.slice(place)]
}
