/** The main window's state and actions. One per window; the panels get it as a property. */
import { asFailure, type AuraEvent, type Backend, type Failure, type OperationName, type Request } from '../backend'
import type { Playback } from '../generated/Playback'
import type { PlaybackAction } from '../generated/PlaybackAction'
import type { Service } from '../generated/Service'
import type { Snapshot } from '../generated/Snapshot'
import type { Settings } from '../generated/Settings'
import type { McpServerView } from '../generated/McpServerView'
import type { UpdatesView } from '../generated/UpdatesView'
import type { TurnRecord } from '../generated/TurnRecord'
import type { RouteOverrides } from '../generated/RouteOverrides'
import { emptyConversation, mostTurns, reduce, resumed, withHistory, type Conversation } from './conversation'
import { describeState } from './format'
import { t } from './messages'
import { setLanguage } from './preferences.svelte'
import type { Picture } from './picture'
import { sayThrown } from './say'
import { HealthStore } from './health-store.svelte'
import { LocalModels } from './local-models.svelte'

/** A partial change of the settings at any depth; `null` resets a value to its default. */
export type Changes<T = Settings> = { [Key in keyof T]?: Change<T[Key]> | null }
type Change<Value> = Value extends readonly unknown[] ? Value : Value extends object ? Changes<Value> : Value

export interface Toast {
  id: number
  text: string
  undo?: () => void
  /** Called when the toast goes away without an undo. */
  onExpire?: () => void
}

/** The operations that return a snapshot. */
type Changing = 'new_session' | 'continue_session' | 'switch' | 'save_key' | 'forget_key' | 'change_settings'

export class Aura {
  snapshot = $state.raw<Snapshot | null>(null)
  conversation = $state.raw<Conversation>(emptyConversation)
  /** Why the backend could not be reached at start. */
  unreachable = $state.raw<Failure | null>(null)
  /** Whether events arrive. */
  connected = $state(true)
  history = $state<'loading' | 'ready' | 'failed'>('loading')
  /** Why the last question could not start. */
  problem = $state.raw<Failure | null>(null)
  toast = $state.raw<Toast | null>(null)
  /** Whether the screen is attached to the next question in this window, whatever the settings say. */
  attachScreen = $state(false)
  /** The picture of the next typed question. */
  picture = $state.raw<Picture | null>(null)
  /** Number of changes of the history by something else than a turn of this window. */
  historyChanges = $state(0)
  /** Conversations to be deleted unless the user undoes it. */
  leaving = $state.raw<string[]>([])
  /** The turn that has just ended, until the next one starts; null for turns that ended before the window opened. */
  finished = $state.raw<TurnRecord | null>(null)
  /** Microphone level during the microphone test, 0 to 1. */
  meter = $state(0)
  /** Unhealthy provider and service pairs, latest first. */
  paused = $state.raw<{ provider: string; service: Service }[]>([])
  /**
   * Whether the key or pointer that started the recording is still down; null if it was not one of this window: the shortcut's release
   * is no event.
   */
  held = $state<boolean | null>(null)
  /** The routes that a retry in progress asked for. */
  #overrides = $state.raw<RouteOverrides | undefined>()
  /** Whether an answer is being played. */
  playback = $state<Playback>('idle')
  /** What is known about a newer version; null before it is asked for. */
  updates = $state.raw<UpdatesView | null>(null)
  /** The MCP servers of the settings. */
  mcp = $state.raw<McpServerView[]>([])
  /** Provider health and usage. */
  readonly health: HealthStore
  /** The models on this computer. */
  readonly local: LocalModels

  #leave: (() => void) | null = null
  #toasts = 0
  #session = ''
  /** Events were missed: the turn shown as active may have ended. */
  #missed = false

  constructor(readonly backend: Backend) {
    this.health = new HealthStore(backend)
    this.local = new LocalModels(backend)
  }

  /** Subscribes before it loads, so that no event is lost in between. */
  async start(): Promise<void> {
    this.unreachable = null
    try {
      this.#leave ??= await this.backend.subscribe(
        (event) => this.onEvent(event),
        (connected) => this.#onConnection(connected),
      )
      this.connected = true
      this.#applySnapshot(await this.backend.call('snapshot', {}))
      void this.local.load()
      void this.#loadUpdates()
      void this.#loadMcp()
    } catch (thrown) {
      this.unreachable = asFailure(thrown)
    }
  }

  /** What is known of updates is of use to the settings alone, so that a failure is no failure to start. */
  async #loadUpdates(): Promise<void> {
    this.updates = await this.backend.call('updates', {}).catch(() => null)
  }

  /** Like updates. What changes later comes as an event. */
  async #loadMcp(): Promise<void> {
    this.mcp = await this.backend.call('mcp_servers', {}).catch(() => [])
  }

  #applyUpdates(view: UpdatesView): void {
    const version = view.release?.version
    if (this.updates !== null && version !== undefined && version !== this.updates.release?.version)
      this.notify(t.settings.updateAvailable(version))
    this.updates = view
  }

  stop(): void {
    this.dismiss()
    this.#leave?.()
    this.#leave = null
  }

  onEvent(event: AuraEvent): void {
    this.health.onEvent(event)
    this.local.onEvent(event)
    if (event.type === 'history') this.historyChanges += 1
    if (event.type === 'mcp_servers') this.mcp = event.servers
    if (event.type === 'updates') this.#applyUpdates(event.view)
    if (event.type === 'playback') this.playback = event.playback
    // It ends with its turn.
    else if (event.type === 'done' || (event.type === 'stage' && event.stage !== 'speaking')) this.playback = 'idle'
    if (event.type === 'changed') this.#applySnapshot(event.snapshot)
    else if (event.type === 'availability') {
      const { provider, service, status } = event
      const others = this.paused.filter((one) => one.provider !== provider || one.service !== service)
      this.paused = status === 'unhealthy' ? [{ provider, service }, ...others] : others
      void this.#refreshSnapshot()
    } else {
      // A level without a recording comes from the microphone test.
      if (event.type === 'level' && this.conversation.stage !== 'listening') this.meter = event.level
      const wasListening = this.conversation.stage === 'listening'
      this.conversation = reduce(this.conversation, event)
      if (wasListening && this.conversation.stage !== 'listening') this.held = null
      if (event.type === 'done') this.finished = event.record
      if (event.type === 'stage' && event.stage !== 'idle') {
        this.problem = null
        this.finished = null
      }
    }
  }

  async loadHistory(): Promise<void> {
    const session = this.#session
    this.history = 'loading'
    try {
      const records = await this.backend.call('history', { session, limit: mostTurns })
      if (session !== this.#session) return
      this.conversation = withHistory(this.conversation, records)
      this.history = 'ready'
    } catch {
      this.history = 'failed'
    }
  }

  press = () => this.#call('press', this.#screen())
  release = () => this.#call('release', {})
  /** Ends the recording and answers it, whatever the mode of the key. */
  finish = () => this.#call('finish', {})

  /** Pauses the answer that is read aloud, goes on with it, or goes to another sentence. */
  playAnswer = (action: PlaybackAction) =>
    this.backend.call('playback', { action }).catch((thrown: unknown) => this.notifyError(thrown))

  /** Begins or ends hands-free use: AURA listens again after each answer. */
  toggleHandsFree = () => this.#call('hands_free', {})

  cancel = () => {
    this.problem = null
    this.backend.cancel().catch((thrown: unknown) => (this.problem = asFailure(thrown)))
  }

  /** Sends a typed question. False when it could not start, so that the text can be restored. */
  async ask(text: string): Promise<boolean> {
    this.problem = null
    this.conversation = { ...this.conversation, pending: text }
    const { picture } = this
    this.picture = null
    const screen = this.#screen()
    const shown = picture ? { picture: picture.base64 } : screen
    try {
      const record = await this.backend.call('ask', { text, speech: this.#speech(), overrides: { fallback: false }, ...shown })
      this.onEvent({ type: 'done', record })
      return true
    } catch (thrown) {
      const began = this.conversation.pending === null
      this.conversation = { ...this.conversation, pending: null }
      // A turn that has started shows its own error.
      if (!began) {
        this.problem = asFailure(thrown)
        this.attachScreen = screen.screen ?? false
        this.picture = picture
      }
      return began
    }
  }

  /** Retries a question with the routes of the settings or with overrides. True when it could start. */
  async retry(id: string, overrides?: RouteOverrides): Promise<boolean> {
    this.problem = null
    this.#overrides = overrides
    try {
      const record = await this.backend.call('retry', overrides === undefined ? { id } : { id, overrides })
      this.onEvent({ type: 'done', record })
      return true
    } catch (thrown) {
      this.problem = asFailure(thrown)
      return false
    } finally {
      this.#overrides = undefined
    }
  }

  /** The current stage in words, with who thinks; empty when idle. */
  get doing(): string {
    const [named] = (this.#overrides?.vlm ?? this.#overrides?.llm)?.split('/') ?? []
    return describeState(this.conversation, this.snapshot, named)
  }

  /** Removes a deleted turn from the conversation. */
  removeTurn(id: string): void {
    this.conversation = { ...this.conversation, turns: this.conversation.turns.filter((turn) => turn.id !== id) }
  }

  /** Removes the turns that are no longer in the history from the conversation. */
  async forgetDeleted(): Promise<void> {
    const session = this.snapshot?.session
    const kept = await this.backend.call('history', { limit: mostTurns, ...(session === undefined ? {} : { session }) })
    const turns = this.conversation.turns.filter(({ id }) => kept.some((turn) => turn.id === id))
    this.conversation = { ...this.conversation, turns }
  }

  /** Calls an operation that returns a snapshot and applies it. Rejects with a `Failure`. */
  async change<Name extends Changing>(operation: Name, request: Request<Name>): Promise<Snapshot> {
    const snapshot: Snapshot = await this.backend.call(operation, request)
    this.#applySnapshot(snapshot)
    return snapshot
  }

  set(changes: Changes): Promise<Snapshot> {
    return this.change('change_settings', { changes })
  }

  /** Whether an environment variable decides a setting now. */
  isFromEnvironment(name: string): boolean {
    return this.snapshot?.from_environment.includes(name) ?? false
  }

  /** Changes settings and shows a toast with an undo. */
  async setWithUndo(changes: Changes, text: string, back: Changes): Promise<void> {
    await this.set(changes)
    this.notify(text, () => this.set(back))
  }

  /** Shows a toast. It replaces the previous one, which expires. */
  notify(text: string, undo?: () => Promise<unknown>, onExpire?: () => void): void {
    this.dismiss()
    const id = ++this.#toasts
    const takeBack = () => {
      if (this.toast?.id === id) this.toast = null
      undo?.().then(
        () => this.notify(t.app.undone),
        (thrown: unknown) => this.notifyError(thrown),
      )
    }
    this.toast = { id, text, undo: undo && takeBack, onExpire }
  }

  /** Closes the toast without an undo. */
  dismiss(): void {
    const onExpire = this.toast?.onExpire
    this.toast = null
    onExpire?.()
  }

  /** Shows an error as a toast, where there is no better place for it. */
  notifyError(thrown: unknown): void {
    this.notify(sayThrown(thrown, this.snapshot))
  }

  /** The attachment of the next question, which is used once. */
  #screen() {
    const screen = this.attachScreen ? { screen: true } : {}
    this.attachScreen = false
    return screen
  }

  #speech() {
    return this.snapshot?.settings.speaking.muted ? ('none' as const) : ('aloud' as const)
  }

  #call<Name extends Extract<OperationName, 'press' | 'release' | 'finish' | 'hands_free'>>(
    operation: Name,
    request: Request<Name>,
  ): void {
    this.backend.call(operation, request).catch((thrown: unknown) => (this.problem = asFailure(thrown)))
  }

  /** Reloads the snapshot after routes changed without a change of the settings. */
  async #refreshSnapshot(): Promise<void> {
    try {
      this.#applySnapshot(await this.backend.call('snapshot', {}))
    } catch {
      // The next event carries a snapshot.
    }
  }

  #onConnection(connected: boolean): void {
    this.connected = connected
    if (connected) this.notify(t.signIn.back)
    else this.#missed = true
  }

  #applySnapshot(snapshot: Snapshot): void {
    this.snapshot = snapshot
    this.playback = snapshot.playback
    // A snapshot from just before a question must not take it away. Only events that were missed can have ended it.
    const consent = snapshot.consent ?? (this.#missed ? null : this.conversation.consent)
    this.conversation = { ...this.conversation, consent }
    setLanguage(snapshot.settings.appearance.language)
    if (this.#missed && this.connected) {
      this.#missed = false
      this.conversation = resumed(this.conversation, snapshot.stage)
      void this.health.load()
      void this.local.load()
      if (snapshot.session === this.#session) void this.loadHistory()
    }
    // A provider that was removed or needs a key is no longer reported as paused.
    const ready = snapshot.providers.filter((known) => known.problem === undefined).map((known) => known.name)
    this.paused = this.paused.filter((one) => ready.includes(one.provider))
    if (snapshot.session === this.#session) return
    const first = this.#session === ''
    // The window opened during a turn: the stage is known before the next event.
    if (first && this.conversation.active === null) this.conversation = { ...this.conversation, stage: snapshot.stage }
    this.#session = snapshot.session
    // A new conversation hides the turns of the previous one. At start, events may have added turns already.
    if (!first)
      this.conversation = {
        ...emptyConversation,
        stage: this.conversation.stage,
        active: this.conversation.active,
        consent: this.conversation.consent,
      }
    void this.loadHistory()
  }
}
