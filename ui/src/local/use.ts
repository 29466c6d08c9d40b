/** Which model of this computer does what, and choosing another. */
import type { LocalModelsView } from '../generated/LocalModelsView'
import type { LocalModelView } from '../generated/LocalModelView'
import type { Route } from '../generated/Route'
import type { Service } from '../generated/Service'
import type { Snapshot } from '../generated/Snapshot'
import type { Aura } from '../lib/aura.svelte'
import { spokenLanguage } from './language'
import { speaks } from './list'

/** The provider that runs the models of this computer: always there, and the last. */
export const localProvider = (snapshot: Snapshot | null) => snapshot?.providers.at(-1)?.name

export const firstRoute = (snapshot: Snapshot | null, service: Service): Route | undefined =>
  snapshot?.routes.find((one) => one.service === service)?.routes[0]

/** The installed models for a service. */
export const installedFor = (view: LocalModelsView | null, service: Service) =>
  (view?.models ?? []).filter((model) => model.state.state === 'installed' && model.services.includes(service))

/**
 * The model of this computer that the next question uses for a service. Unless the route names one, AURA takes the preferred one, then
 * the smallest, that knows the language; to recognise any language, one that knows several.
 */
export function usedModel(snapshot: Snapshot | null, view: LocalModelsView | null, service: Service): LocalModelView | undefined {
  const route = firstRoute(snapshot, service)
  if (!snapshot || route?.provider !== localProvider(snapshot)) return undefined
  const preferred = (model: LocalModelView) => model.used_for.includes(service)
  const installed = installedFor(view, service).toSorted(
    (a, b) => Number(preferred(b)) - Number(preferred(a)) || a.size_bytes - b.size_bytes,
  )
  const named = installed.find((model) => model.id === route?.model)
  if (named) return named
  if (service === 'stt' && snapshot.settings.listening.language === undefined)
    return installed.find((model) => model.languages.length !== 1) ?? installed[0]
  const fitting = installed.find((model) => speaks(model, spokenLanguage(snapshot)))
  // A language model may still answer in a language that it does not list; a voice cannot.
  return fitting ?? (service === 'llm' || service === 'vlm' ? installed[0] : undefined)
}

/** Uses a model for a service from the next question on, whoever did it before. Resolves with what takes it back. */
export async function use(aura: Aura, model: LocalModelView, service: Service): Promise<() => Promise<unknown>> {
  const back = await aura.local.prefer(model.id, service)
  const provider = localProvider(aura.snapshot)
  const choice = aura.snapshot?.settings.routes[service]
  // A route of another provider, or one that names another model, would go before it.
  const other =
    firstRoute(aura.snapshot, service)?.provider !== provider || (choice?.model !== undefined && choice.model !== model.id)
  if (provider === undefined || !other) return back
  const before = { provider: choice?.provider ?? null, model: choice?.model ?? null, voice: choice?.voice ?? null }
  await aura.change('switch', { service, provider })
  return async () => {
    await back()
    await aura.set({ routes: { [service]: before } })
  }
}
