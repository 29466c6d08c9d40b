/** What is missing before a person can talk to AURA and get answers. Pure. */
import type { LocalModelsView } from '../generated/LocalModelsView'
import type { LocalModelView } from '../generated/LocalModelView'
import type { Service } from '../generated/Service'
import type { Snapshot } from '../generated/Snapshot'
import { isRunning } from './list'
import { firstRoute, installedFor, localProvider } from './use'

export type Hint =
  /** No language model: AURA would only repeat what it heard. */
  | { kind: 'no-answers' }
  /** Nothing recognises speech. */
  | { kind: 'no-ears' }
  /** Only a simple program recognises speech. */
  | { kind: 'poor-ears' }
  /** What is missing is being downloaded. */
  | { kind: 'answers-arriving' | 'ears-arriving'; models: LocalModelView[] }

/** Whether answers come from this computer although no model of AURA's is there: then only a local server can write them. */
export function needsServer(snapshot: Snapshot | null, view: LocalModelsView | null): boolean {
  if (!snapshot || !view) return false
  const route = firstRoute(snapshot, 'llm')
  const { provider, model } = snapshot.settings.routes.llm
  // Whoever names a model of a server has one.
  const named = provider === localProvider(snapshot) && model !== undefined
  return route?.provider === localProvider(snapshot) && !named && installedFor(view, 'llm').length === 0
}

/** The most important thing that is missing. `served`: whether a local server can write answers; null while that is not known. */
export function talkHint(snapshot: Snapshot | null, view: LocalModelsView | null, served: boolean | null): Hint | null {
  if (!snapshot) return null
  const coming = (service: Service) =>
    (view?.models ?? []).filter((model) => isRunning(model) && model.services.includes(service))
  const ears = firstRoute(snapshot, 'stt')
  // Without a model, a simple program of this computer listens.
  const poor =
    ears?.provider === localProvider(snapshot) &&
    (view?.models.some((model) => model.services.includes('stt')) ?? false) &&
    installedFor(view, 'stt').length === 0
  if ((!ears || poor) && coming('stt').length > 0) return { kind: 'ears-arriving', models: coming('stt') }
  const answers = firstRoute(snapshot, 'llm')
  if (!answers || (needsServer(snapshot, view) && served === false)) {
    const models = coming('llm')
    return models.length > 0 ? { kind: 'answers-arriving', models } : { kind: 'no-answers' }
  }
  if (!ears) return { kind: 'no-ears' }
  return poor ? { kind: 'poor-ears' } : null
}
