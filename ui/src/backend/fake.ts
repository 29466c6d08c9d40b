/** A scripted backend for component tests, and for `vite dev` in an ordinary browser. */
import type { ImportedMcpServers } from '../generated/ImportedMcpServers'
import type { LocalModelsView } from '../generated/LocalModelsView'
import type { McpServerView } from '../generated/McpServerView'
import type { LocalModelView } from '../generated/LocalModelView'
import type { RouteChoice } from '../generated/RouteChoice'
import type { Service } from '../generated/Service'
import type { SessionView } from '../generated/SessionView'
import type { Settings } from '../generated/Settings'
import type { Snapshot } from '../generated/Snapshot'
import type { TurnRecord } from '../generated/TurnRecord'
import type { Failure } from './failure'
import {
  readySnapshot,
  sampleDevices,
  sampleFindings,
  sampleHealth,
  sampleLocalModels,
  sampleModels,
  samplePreview,
  sampleServers,
  sampleTest,
  sampleTrends,
  sampleTurn,
  sampleUsage,
  sampleVoices,
  withModelsInUse,
} from './samples'
import { sampleServer } from './samples-mcp'
import { accessWith, merge } from './scripted'
import type { Access, AuraEvent, Backend, OperationName, Request, Response } from './types'

type Handlers = { [Name in OperationName]: (request: Request<Name>) => Response<Name> | Promise<Response<Name>> }

export interface Script {
  snapshot?: Snapshot
  history?: TurnRecord[]
  /** The models on this computer. */
  local?: LocalModelsView
  /** The MCP servers of the settings. */
  mcp?: McpServerView[]
  /** Operations with another result than the default. */
  handlers?: Partial<Handlers>
  /** Duration factor of a simulated turn, 1 = real time; absent: no simulation, tests emit the events. */
  pace?: number
  /** The token that is required to sign in; absent: none is. */
  token?: string
}

export class FakeBackend implements Backend {
  snapshot: Snapshot
  history: TurnRecord[]
  local: LocalModelsView
  mcp: McpServerView[]
  /** All calls, in order. */
  readonly calls: { operation: OperationName; request: unknown }[] = []
  cancelled = 0
  /** The titles that conversations were given. */
  readonly titles = new Map<string, string>()
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
    this.local = script.local ?? sampleLocalModels()
    this.mcp = script.mcp ?? []
    this.snapshot = withModelsInUse(this.snapshot, this.local)
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
    this.snapshot = withModelsInUse({ ...this.snapshot, ...change }, this.local)
    this.emit({ type: 'changed', snapshot: this.snapshot })
    return this.snapshot
  }

  /** Replaces the models on this computer, and says so. */
  setLocal(view: LocalModelsView): LocalModelsView {
    this.local = view
    this.emit({ type: 'local_models', view })
    this.#change({})
    return view
  }

  /** Replaces the MCP servers, and says so. */
  setServers(servers: McpServerView[]): McpServerView[] {
    this.mcp = servers
    this.emit({ type: 'mcp_servers', servers })
    return servers
  }

  #importServers(json: string): ImportedMcpServers {
    const names = Object.keys((JSON.parse(json) as { mcpServers: object }).mcpServers)
    this.setServers([...this.mcp, ...names.map((name) => sampleServer(name))])
    return { servers: names, problems: [], values_are_kept: true }
  }

  /** Changes one model. */
  setModel(id: string, change: Partial<LocalModelView>): LocalModelsView {
    return this.setLocal({
      ...this.local,
      models: this.local.models.map((model) => (model.id === id ? { ...model, ...change } : model)),
    })
  }

  #use(id: string | null, service: Service): LocalModelsView {
    const models = this.local.models.map((model) => {
      const others = model.used_for.filter((one) => one !== service)
      return { ...model, used_for: model.id === id ? [...others, service] : others }
    })
    return this.setLocal({ ...this.local, models })
  }

  /** Begins a download, or goes on with it. It ends by itself only at a pace. */
  #download(id: string): LocalModelsView {
    const model = this.local.models.find((one) => one.id === id)
    const total = model?.size_bytes ?? 0
    const done = model?.state.state === 'paused' ? model.state.done_bytes : 0
    if (this.#pace !== undefined) void this.#load(id, done, total)
    return this.setModel(id, {
      state: { state: 'downloading', done_bytes: done, total_bytes: total, bytes_per_second: 0 },
    })
  }

  async #load(id: string, from: number, total: number): Promise<void> {
    const step = 6_000_000
    for (let done = from + step; done < total; done += step) {
      await this.#wait(250)
      if (this.local.models.find((one) => one.id === id)?.state.state !== 'downloading') return
      this.setModel(id, {
        state: { state: 'downloading', done_bytes: done, total_bytes: total, bytes_per_second: step * 4 },
      })
    }
    this.setModel(id, { state: { state: 'checking' } })
    await this.#wait(1000)
    this.setLocal({ ...this.local, disk_used: this.local.disk_used + total })
    this.setModel(id, { state: { state: 'installed' } })
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
      sessions: ({ search, before, limit }) => {
        const sessions = [...new Set(this.history.map((turn) => turn.session))].map((id): SessionView => {
          const turns = this.history.filter((turn) => turn.session === id)
          const [latest, first] = [turns[0] as TurnRecord, turns.at(-1) as TurnRecord]
          const title = this.titles.get(id)
          return {
            id,
            title: title ?? first.transcript,
            renamed: title !== undefined,
            started_at: first.started_at,
            latest_at: latest.started_at,
            turns: turns.length,
          }
        })
        const after = before === undefined ? 0 : sessions.findIndex((session) => session.id === before) + 1
        return sessions
          .slice(after)
          .filter((session) => session.title.includes(search ?? ''))
          .slice(0, limit ?? 50)
      },
      continue_session: ({ id }) => this.#change({ session: id }),
      rename_session: ({ id, title }) => {
        if (title === '') this.titles.delete(id)
        else this.titles.set(id, title)
        return {}
      },
      delete_session: ({ id }) => {
        const turns = this.history.filter((turn) => turn.session === id).length
        this.history = this.history.filter((turn) => turn.session !== id)
        if (id === this.snapshot.session) this.#change({ session: `session-${++this.#turns}-new` })
        return { turns, recordings: 0, recordings_left: 0 }
      },
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
      trends: ({ range }) => sampleTrends(range),
      test: ({ service, provider, model, voice }) => sampleTest(service, provider, model, voice),
      devices: () => sampleDevices(),
      look: ({ target }) => samplePreview(target ?? this.snapshot.settings.screen.target),
      meter: () => new Promise(() => undefined),
      replay: () => ({}),
      repeat: () => ({}),
      playback: () => ({}),
      hear: () => ({ text: 'What is this?' }),
      say: () => ({}),
      hands_free: () => ({}),
      answer_consent: () => ({}),
      undo: () => ({}),
      export: ({ format }) => ({
        path: `/home/me/aura-history.${format === 'markdown' ? 'md' : 'json'}`,
        turns: this.history.length,
      }),
      local_models: () => this.local,
      download_model: ({ id }) => this.#download(id),
      resume_model: ({ id }) => this.#download(id),
      pause_model: ({ id }) => {
        const state = this.local.models.find((model) => model.id === id)?.state
        if (state?.state !== 'downloading') return this.local
        const { done_bytes, total_bytes } = state
        return this.setModel(id, { state: { state: 'paused', done_bytes, total_bytes } })
      },
      cancel_model: ({ id }) => this.setModel(id, { state: { state: 'available' } }),
      delete_model: ({ id }) => this.setModel(id, { state: { state: 'available' }, used_for: [] }),
      use_model: ({ id, service }) => this.#use(id, service),
      stop_using_model: ({ service }) => this.#use(null, service),
      mcp_servers: () => this.mcp,
      import_mcp_servers: ({ json }) => this.#importServers(json),
      save_mcp_value: ({ server, name }) =>
        this.setServers(
          this.mcp.map((one) =>
            one.name === server
              ? { ...one, values: one.values.map((value) => (value.name === name ? { ...value, is_set: true } : value)) }
              : one,
          ),
        ),
      restart_mcp_server: () => this.mcp,
      remove_mcp_server: ({ server }) => {
        this.setServers(this.mcp.filter((one) => one.name !== server))
        return {}
      },
      updates: () => ({ state: { state: 'idle' } }),
      check_for_updates: () => ({ state: { state: 'idle' } }),
      download_update: () => ({ state: { state: 'idle' } }),
      stop_update: () => ({ state: { state: 'idle' } }),
      install_update: () => ({ state: { state: 'idle' } }),
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
      const words = 'What is the highest mountain in Europe'.split(' ').slice(0, Math.floor(elapsed / 400))
      if (elapsed % 400 === 0 && words.length > 0)
        this.emit({ type: 'partial', turn, committed: words.slice(0, -1).join(' '), tentative: ` ${words.at(-1) ?? ''}` })
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
