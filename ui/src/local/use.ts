/** Which model of this computer does what, and choosing another. */
import type { LocalModelView } from '../generated/LocalModelView'
import type { Service } from '../generated/Service'
import type { Snapshot } from '../generated/Snapshot'
import type { Aura } from '../lib/aura.svelte'

/** The provider that runs the models of this computer: always there, and the last. */
export const localProvider = (snapshot: Snapshot | null) => snapshot?.providers.at(-1)?.name

/** Whether the next question uses a model for a service, as long as nothing fails. */
export function isUsed(snapshot: Snapshot | null, model: LocalModelView, service: Service): boolean {
  const route = snapshot?.routes.find((one) => one.service === service)?.routes[0]
  return model.state.state === 'installed' && route?.provider === localProvider(snapshot) && route?.model === model.id
}

/** Uses a model for a service from the next question on, whoever did it before. Resolves with what takes it back. */
export async function use(aura: Aura, model: LocalModelView, service: Service): Promise<() => Promise<unknown>> {
  const back = await aura.local.prefer(model.id, service)
  const provider = localProvider(aura.snapshot)
  const choice = aura.snapshot?.settings.routes[service]
  const first = aura.snapshot?.routes.find((one) => one.service === service)?.routes[0]
  // A route of another provider, or one that names another model, would go before it.
  const other = first?.provider !== provider || (choice?.model !== undefined && choice.model !== model.id)
  if (provider === undefined || !other) return back
  const before = { provider: choice?.provider ?? null, model: choice?.model ?? null, voice: choice?.voice ?? null }
  await aura.change('switch', { service, provider })
  return async () => {
    await back()
    await aura.set({ routes: { [service]: before } })
  }
}
