/** A scripted backend for component tests, and for `vite dev` in an ordinary browser. */
import type { RouteChoice } from '../generated/RouteChoice'
import type { Settings } from '../generated/Settings'
import type { Snapshot } from '../generated/Snapshot'
import type { TurnRecord } from '../generated/TurnRecord'
import type { Failure } from './failure'
import {
  readySnapshot,
  sampleDevices,
  sampleFindings,
  sampleHealth,
  sampleModels,
  samplePreview,
  sampleServers,
  sampleTest,
  sampleTurn,
  sampleUsage,
  sampleVoices,
} from './samples'
import type { Access, AuraEvent, Backend, OperationName, Request, Response, TokenState } from './types'

type Handlers = { [Name in OperationName]: (request: Request<Name>) => Response<Name> | Promise<Response<Name>> }

export interface Script {
  snapshot?: Snapshot
  history?: TurnRecord[]
  /** Operations with another result than the default. */
  handlers?: Partial<Handlers>
  /** Duration factor of a simulated turn, 1 = real time; absent: no simulation, tests emit the events. */
  pace?: number
  /** The token that is required to sign in; absent: none is. */
  token?: string
}

/** Access to a page that has no token yet. */
function accessWith(token: string): Access {
  const watchers = new Set<Parameters<Access['watch']>[0]>()
  let state: TokenState = 'missing'
  const become = (now: TokenState) => {
    state = now
    for (const watcher of watchers) watcher(now)
  }
  return {
    state: () => state,
    watch: (listener) => {
      watchers.add(listener)
      return () => watchers.delete(listener)
    },
    signIn: async (given) => {
      become(given === token ? 'accepted' : 'rejected')
      if (given !== token) throw { code: 'invalid_request', message: 'Refused.' }
      return Promise.resolve()
    },
    signOut: () => become('missing'),
  }
}

/** Merges a change into a value: `null` removes a field, and a value with a `kind` is replaced as a whole. */
function merge(value: unknown, change: unknown): unknown {
  if (typeof change !== 'object' || change === null || Array.isArray(change) || 'kind' in change) return change
  const merged = new Map(Object.entries(typeof value === 'object' && value !== null ? value : {}))
  for (const [name, part] of Object.entries(change)) {
    if (part === null) merged.delete(name)
    else merged.set(name, merge(merged.get(name), part))
  }
  return Object.fromEntries(merged)
}

export class FakeBackend implements Backend {
  snapshot: Snapshot
  history: TurnRecord[]
  /** All calls, in order. */
  readonly calls: { operation: OperationName; request: unknown }[] = []
  cancelled = 0
  access?: Access

  #links = new Set<(connected: boolean) => void>()
  #listeners = new Set<(event: AuraEvent) => void>()
  #handlers: Handlers
  #pace: number | undefined
  #turns = 0
  #playing: string | null = null

  constructor(script: Script = {}) {
    this.snapshot = script.snapshot ?? readySnapshot()
    this.history = script.history ?? []
    this.#pace = script.pace
    if (script.token !== undefined) this.access = accessWith(script.token)
    this.#handlers = { ...this.#defaults(), ...script.handlers }
  }

  async call<Name extends OperationName>(operation: Name, request: Request<Name>): Promise<Response<Name>> {
    this.calls.push({ operation, request })
    return await this.#handlers[operation](request)
  }

  subscribe(listener: (event: AuraEvent) => void, link?: (connected: boolean) => void): Promise<() => void> {
    this.#listeners.add(listener)
    if (link) this.#links.add(link)
    return Promise.resolve(() => {
      this.#listeners.delete(listener)
      if (link) this.#links.delete(link)
    })
  }

  /** Simulates a lost connection, or a restored one that sends the current snapshot. */
  setConnected(connected: boolean): void {
    for (const link of this.#links) link(connected)
    if (connected) this.emit({ type: 'changed', snapshot: this.snapshot })
  }

  cancel(): Promise<void> {
    this.cancelled += 1
    if (this.#playing) this.emit({ type: 'stage', turn: this.#playing, stage: 'idle' })
    this.#playing = null
    return Promise.resolve()
  }

  emit(...events: AuraEvent[]): void {
    for (const event of events) for (const listener of this.#listeners) listener(event)
  }

  /** The requests to one operation, in order. */
  requests(operation: OperationName): unknown[] {
    return this.calls.filter((call) => call.operation === operation).map((call) => call.request)
  }

  #change(change: Partial<Snapshot>): Snapshot {
    this.snapshot = { ...this.snapshot, ...change }
    this.emit({ type: 'changed', snapshot: this.snapshot })
    return this.snapshot
  }

  #settings(changes: unknown): Snapshot {
    return this.#change({ settings: merge(this.snapshot.settings, changes) as Settings })
  }

  #defaults(): Handlers {
    const provider = (name: string, key: { ends_with: string; place: 'keyring' | 'session' } | undefined) =>
      this.#change({
        providers: this.snapshot.providers.map((known) => {
          if (known.name !== name) return known
          const rest = { ...known }
          delete rest.key
          delete rest.problem
          return key ? { ...rest, key } : { ...rest, problem: `${known.label} needs an API key.` }
        }),
      })
    return {
      snapshot: () => this.snapshot,
      press: () => {
        this.#listen()
        return {}
      },
      release: () => {
        void this.#answer('How do I find a free port?')
        return {}
      },
      finish: () => {
        void this.#answer('How do I find a free port?')
        return {}
      },
      cancel: () => ({}),
      ask: ({ text }) => this.#answer(text),
      listen: () => this.#answer('A spoken question'),
      history: ({ session, search, before, limit }) =>
        this.history
          .filter((turn) => session === undefined || turn.session === session)
          .filter((turn) => (search ?? '').split(/\s+/).every((word) => `${turn.transcript} ${turn.answer}`.includes(word)))
          .filter((turn) => before === undefined || turn.id < before)
          .slice(0, limit ?? 50),
      delete_turn: ({ id }) => {
        this.history = this.history.filter((turn) => turn.id !== id)
        return {}
      },
      delete_turns: ({ from, before, all }) => {
        const isSelected = ({ started_at: at }: TurnRecord) =>
          all === true || ((from === undefined || at >= from) && (before === undefined || at < before))
        const turns = this.history.filter(isSelected).length
        this.history = this.history.filter((turn) => !isSelected(turn))
        return { turns, recordings: 0, recordings_left: 0 }
      },
      retry: ({ id }) => sampleTurn(id),
      new_session: () => this.#change({ session: `session-${++this.#turns}-new` }),
      switch: ({ service, provider, model, voice }) => {
        const choice: RouteChoice = { ...this.snapshot.settings.routes[service], provider }
        delete choice.model
        delete choice.voice
        if (model !== undefined) choice.model = model
        if (voice !== undefined) choice.voice = voice
        const settings = { ...this.snapshot.settings, routes: { ...this.snapshot.settings.routes, [service]: choice } }
        const routes = this.snapshot.routes.map((view) => {
          if (view.service !== service) return view
          const known = view.routes.find((route) => route.provider === provider)
          const first = { ...(known ?? { provider, model: provider }), ...(model ? { model } : {}), ...(voice ? { voice } : {}) }
          return { service, routes: [first, ...view.routes.filter((route) => route.provider !== provider)] }
        })
        return this.#change({ settings, routes })
      },
      save_key: ({ provider: name, key, session_only }) =>
        provider(name, { ends_with: key.slice(-4), place: session_only ? 'session' : 'keyring' }),
      forget_key: ({ provider: name }) => provider(name, undefined),
      change_settings: ({ changes }) => this.#settings(changes),
      models: ({ provider: of, service }) =>
        sampleModels().filter(
          (model) => (of === undefined || model.provider === of) && (service === undefined || model.services.includes(service)),
        ),
      voices: () => sampleVoices(),
      servers: () => sampleServers(),
      health: () => sampleHealth(),
      usage: () => sampleUsage(),
      test: ({ service, provider, model, voice }) => sampleTest(service, provider, model, voice),
      devices: () => sampleDevices(),
      look: ({ target }) => samplePreview(target ?? this.snapshot.settings.screen.target),
      meter: () => new Promise(() => undefined),
      replay: () => ({}),
      export: ({ format }) => ({
        path: `/home/me/aura-history.${format === 'markdown' ? 'md' : 'json'}`,
        turns: this.history.length,
      }),
      doctor: () => sampleFindings(),
    }
  }

  #wait(ms: number): Promise<void> {
    return new Promise((resolve) => setTimeout(resolve, ms * (this.#pace ?? 0)))
  }

  #listen(): void {
    if (this.#pace === undefined) return
    const turn = `turn-${String(++this.#turns).padStart(4, '0')}`
    this.#playing = turn
    this.emit({ type: 'stage', turn, stage: 'listening' })
    let elapsed = 0
    const timer = setInterval(() => {
      if (this.#playing !== turn || elapsed < 0) return clearInterval(timer)
      if (elapsed === 200) this.emit({ type: 'recording', turn })
      elapsed += 50
      this.emit({ type: 'level', level: Math.abs(Math.sin(elapsed / 170)) * 0.6, elapsed_ms: elapsed })
    }, 50 * this.#pace)
  }

  async #answer(question: string): Promise<TurnRecord> {
    const turn = this.#playing ?? `turn-${String(++this.#turns).padStart(4, '0')}`
    const record = sampleTurn(turn, { transcript: question })
    if (this.#pace === undefined) return record
    this.#playing = turn
    this.emit({ type: 'stage', turn, stage: 'transcribing' })
    await this.#wait(300)
    this.emit({ type: 'transcript', turn, text: question }, { type: 'stage', turn, stage: 'thinking' })
    for (const sentence of record.answer.split(/(?<=\. )/)) {
      for (const word of sentence.split(/(?<= )/)) {
        await this.#wait(60)
        if (this.#playing !== turn) return { ...record, interrupted: true }
        this.emit({ type: 'text', turn, delta: word })
      }
      this.emit(
        { type: 'stage', turn, stage: 'speaking' },
        { type: 'speaking', turn, sentence: sentence.replaceAll('**', '').trim() },
      )
    }
    await this.#wait(1500)
    this.emit({ type: 'done', record }, { type: 'stage', turn, stage: 'idle' })
    this.#playing = null
    return record
  }
}

/** A handler that rejects with a failure. */
export const failing = (failure: Failure) => (): never => {
  throw failure
}
