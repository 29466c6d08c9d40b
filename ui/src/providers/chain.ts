/** Changes of a service's chain of providers. Pure. */
import type { Changes } from '../lib/aura.svelte'
import type { Service } from '../generated/Service'
import type { Snapshot } from '../generated/Snapshot'
import { entries, names } from './order'

/** The providers of a service in the order in which they are used, once each. */
export const chainOf = (snapshot: Snapshot, service: Service) => [
  ...new Set((snapshot.routes.find((view) => view.service === service)?.routes ?? []).map((route) => route.provider)),
]

/** The order with one provider at another place. */
export function placed(chain: string[], name: string, place: number): string[] {
  const rest = chain.filter((other) => other !== name)
  return [...rest.slice(0, place), name, ...rest.slice(place)]
}

/**
 * The change of the settings for a new chain, and the one that takes it back. Providers that are part of the order but not ready
 * stay at its end. Another first provider starts with its default model and voice.
 */
export function chainChange(snapshot: Snapshot, service: Service, chain: string[]): { change: Changes; back: Changes } {
  const choice = snapshot.settings.routes[service]
  const current = chainOf(snapshot, service)
  const tried = names(entries(snapshot.providers, service, current[0], choice.then))
  const waiting = tried.filter((name) => !current.includes(name))
  const then = [...chain.slice(1), ...waiting]
  const first = chain[0] === current[0] ? {} : { provider: chain[0] ?? null, model: null, voice: null }
  const before = {
    provider: choice.provider ?? null,
    model: choice.model ?? null,
    voice: choice.voice ?? null,
    then: choice.then ?? null,
  }
  return { change: { routes: { [service]: { ...first, then } } }, back: { routes: { [service]: before } } }
}
