/** The models on this computer and those that can be downloaded. One per window. */
import { asFailure, type AuraEvent, type Backend, type Failure, type OperationName, type Request } from '../backend'
import type { LocalModelsView } from '../generated/LocalModelsView'
import type { Service } from '../generated/Service'

/** What can be done with one model. */
type Action = Extract<OperationName, `${string}_model`>

const statesOf = (view: LocalModelsView | null): Partial<Record<string, string>> =>
  Object.fromEntries((view?.models ?? []).map((model) => [model.id, model.state.state]))

export class LocalModels {
  view = $state.raw<LocalModelsView | null>(null)
  /** Why the last load failed. */
  failure = $state.raw<Failure | null>(null)
  /** Models that have just been installed, until that was seen. */
  arrived = $state.raw<string[]>([])
  /** Models whose trouble was dismissed, until something else happens to them. */
  dismissed = $state.raw<string[]>([])

  #backend: Backend
  /** Counts the views that arrived, so that a slow response does not replace a newer one. */
  #views = 0

  constructor(backend: Backend) {
    this.#backend = backend
  }

  onEvent(event: AuraEvent): void {
    if (event.type === 'local_models') this.#apply(event.view)
    // A question has begun: what arrived before it is no longer news.
    else if (event.type === 'stage' && event.stage !== 'idle') this.arrived = []
  }

  async load(): Promise<void> {
    this.failure = null
    const views = this.#views
    try {
      const view = await this.#backend.call('local_models', {})
      if (views === this.#views) this.#apply(view)
    } catch (thrown) {
      this.failure = asFailure(thrown)
    }
  }

  /** Rejects with a `Failure`. */
  async act<Name extends Action>(operation: Name, request: Request<Name>): Promise<void> {
    const views = this.#views
    const view = await this.#backend.call(operation, request)
    if (views === this.#views) this.#apply(view)
  }

  /** Prefers a model for a service, or none: then AURA chooses. Resolves with what takes it back. */
  async prefer(id: string | null, service: Service): Promise<() => Promise<void>> {
    const before = this.view?.models.find((model) => model.used_for.includes(service))?.id ?? null
    await this.#prefer(id, service)
    return () => this.#prefer(before, service)
  }

  #prefer(id: string | null, service: Service): Promise<void> {
    return id === null ? this.act('stop_using_model', { service }) : this.act('use_model', { id, service })
  }

  #apply(view: LocalModelsView): void {
    const before = statesOf(this.view)
    const states = statesOf(view)
    this.#views += 1
    this.view = view
    this.failure = null
    this.dismissed = this.dismissed.filter((id) => states[id] === before[id])
    const installed = view.models.filter((model) => {
      const was = before[model.id]
      return model.state.state === 'installed' && was !== undefined && was !== 'installed'
    })
    this.arrived = [...this.arrived.filter((id) => states[id] === 'installed'), ...installed.map((model) => model.id)]
  }
}
