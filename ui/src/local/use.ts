/** Which model of this computer does what, and choosing another. */
import type { LocalModelsView } from '../generated/LocalModelsView'
import type { LocalModelView } from '../generated/LocalModelView'
import type { Route } from '../generated/Route'
import type { Service } from '../generated/Service'
import type { Snapshot } from '../generated/Snapshot'
import type { Aura } from '../lib/aura.svelte'

/** The provider that runs the models of this computer: always there, and the last. */
export const localProvider = (snapshot: Snapshot | null) => snapshot?.providers.at(-1)?.name

export const firstRoute = (snapshot: Snapshot | null, service: Service): Route | undefined =>
  snapshot?.routes.find((one) => one.service === service)?.routes[0]

/** The installed models for a service. */
export const installedFor = (view: LocalModelsView | null, service: Service) =>
  (view?.models ?? []).filter((model) => model.state.state === 'installed' && model.services.includes(service))

/** The model of this computer that the next question uses for a service, as AURA says; none while another provider goes first. */
export function usedModel(snapshot: Snapshot | null, view: LocalModelsView | null, service: Service): LocalModelView | undefined {
  const id = snapshot?.routes.find((one) => one.service === service)?.local_model
  return id === undefined ? undefined : view?.models.find((model) => model.id === id)
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
