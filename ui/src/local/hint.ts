/** What is missing before a person can talk to AURA and get answers. Pure. */
import type { LocalModelsView } from '../generated/LocalModelsView'
import type { LocalModelView } from '../generated/LocalModelView'
import type { Service } from '../generated/Service'
import type { Snapshot } from '../generated/Snapshot'
import { isRunning } from './list'

export type Hint =
  /** No language model: AURA would only repeat what it heard. */
  | { kind: 'no-answers' }
  /** Nothing recognises speech. */
  | { kind: 'no-ears' }
  /** Only a simple program recognises speech. */
  | { kind: 'poor-ears' }
  /** What is missing is being downloaded. */
  | { kind: 'answers-arriving' | 'ears-arriving'; models: LocalModelView[] }

/** The model of the sound check, which repeats what it heard. */
const soundCheck = 'sound-check'

export function talkHint(snapshot: Snapshot | null, view: LocalModelsView | null): Hint | null {
  if (!snapshot) return null
  const first = (service: Service) => snapshot.routes.find((one) => one.service === service)?.routes[0]
  const coming = (service: Service) =>
    (view?.models ?? []).filter((model) => isRunning(model) && model.services.includes(service))
  const [ears, answers] = [first('stt'), first('llm')]
  const models = view?.models.filter((model) => model.services.includes('stt')) ?? []
  // The last provider is this computer. Without a model, a simple program listens.
  const poor =
    ears?.provider === snapshot.providers.at(-1)?.name &&
    models.length > 0 &&
    !models.some((model) => model.state.state === 'installed')
  if ((!ears || poor) && coming('stt').length > 0) return { kind: 'ears-arriving', models: coming('stt') }
  if (!answers || answers.model === soundCheck) {
    const models = coming('llm')
    return models.length > 0 ? { kind: 'answers-arriving', models } : { kind: 'no-answers' }
  }
  if (!ears) return { kind: 'no-ears' }
  return poor ? { kind: 'poor-ears' } : null
}
