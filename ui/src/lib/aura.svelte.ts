/** What the main window knows, and what it can do. One of it per window; the panels get it as a property. */
import { asFailure, type AuraEvent, type Backend, type Failure, type OperationName, type Request } from '../backend'
import type { Service } from '../generated/Service'
import type { Snapshot } from '../generated/Snapshot'
import type { Settings } from '../generated/Settings'
import type { TurnRecord } from '../generated/TurnRecord'
import type { Wishes } from '../generated/Wishes'
import { emptyConversation, mostTurns, reduce, resumed, withHistory, type Conversation } from './conversation'
import { t } from './messages'
import { speak } from './preferences.svelte'
import { Pulse } from './pulse.svelte'

/** A part of the settings, however deep; `null` takes a value back to its default. */
export type Changes<T = Settings> = { [Key in keyof T]?: Change<T[Key]> | null }
type Change<Value> = Value extends readonly unknown[] ? Value : Value extends object ? Changes<Value> : Value

export interface Toast {
  id: number
  text: string
  undo?: () => void
  /** What happens when it goes away and nobody took it back. */
  settle?: () => void
}

/** The operations that answer with a snapshot. */
type Changing = 'new_session' | 'switch' | 'save_key' | 'forget_key' | 'change_settings'

export class Aura {
  snapshot = $state.raw<Snapshot | null>(null)
  conversation = $state.raw<Conversation>(emptyConversation)
  /** Why the engine could not be reached at start. */
  unreachable = $state.raw<Failure | null>(null)
  /** Whether what happens still arrives here. */
  connected = $state(true)
  history = $state<'loading' | 'ready' | 'failed'>('loading')
  /** Why the last question could not even begin. */
  problem = $state.raw<Failure | null>(null)
  toast = $state.raw<Toast | null>(null)
  /** The screen goes with the next question that is asked in this window, whatever the settings say. */
  attached = $state(false)
  /** The turn that has just ended, until the next one begins; not one that was over when this window opened. */
  finished = $state.raw<TurnRecord | null>(null)
  /** What the microphone hears while it is tried, 0 to 1. */
  meter = $state(0)
  /** Who was left alone for what, the latest first, until it works again. */
  paused = $state.raw<{ provider: string; service: Service }[]>([])
  /** How the providers are and what they cost. */
  readonly pulse: Pulse

  #leave: (() => void) | null = null
  #toasts = 0
  #session = ''
  /** Events were missed: what is shown as going on may be over. */
  #missed = false

  constructor(readonly backend: Backend) {
    this.pulse = new Pulse(backend)
  }

  /** Listens, then loads: an event that comes in between is not lost. */
  async start(): Promise<void> {
    this.unreachable = null
    try {
      this.#leave ??= await this.backend.subscribe(
        (event) => this.hear(event),
        (held) => this.#link(held),
      )
      this.connected = true
      this.#take(await this.backend.call('snapshot', {}))
    } catch (thrown) {
      this.unreachable = asFailure(thrown)
    }
  }

  stop(): void {
    this.dismiss()
    this.#leave?.()
    this.#leave = null
  }

  hear(event: AuraEvent): void {
    this.pulse.stir(event)
    if (event.type === 'changed') this.#take(event.snapshot)
    else if (event.type === 'availability') {
      const { provider, service, status } = event
      const others = this.paused.filter((one) => one.provider !== provider || one.service !== service)
      this.paused = status === 'unhealthy' ? [{ provider, service }, ...others] : others
      void this.#look()
    } else {
      // A level without a recording is that of the microphone's test.
      if (event.type === 'level' && this.conversation.stage !== 'listening') this.meter = event.level
      this.conversation = reduce(this.conversation, event)
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

  press = () => this.#say('press', this.#screen())
  release = () => this.#say('release', {})

  cancel = () => {
    this.problem = null
    this.backend.cancel().catch((thrown: unknown) => (this.problem = asFailure(thrown)))
  }

  /** Sends a typed question. False when it could not begin, so that the text can be given back. */
  async ask(text: string): Promise<boolean> {
    this.problem = null
    this.conversation = { ...this.conversation, pending: text }
    const screen = this.#screen()
    try {
      const record = await this.backend.call('ask', { text, speech: this.#speech(), wishes: { fallback: false }, ...screen })
      this.hear({ type: 'done', record })
      return true
    } catch (thrown) {
      const began = this.conversation.pending === null
      this.conversation = { ...this.conversation, pending: null }
      // A turn that began shows its own error, in its place.
      if (!began) {
        this.problem = asFailure(thrown)
        this.attached = screen.screen ?? false
      }
      return began
    }
  }

  /** Asks a question again, by the routes of the settings or by others. True when it could begin. */
  async retry(id: string, wishes?: Wishes): Promise<boolean> {
    this.problem = null
    try {
      const record = await this.backend.call('retry', wishes === undefined ? { id } : { id, wishes })
      this.hear({ type: 'done', record })
      return true
    } catch (thrown) {
      this.problem = asFailure(thrown)
      return false
    }
  }

  /** A turn was deleted: it goes from the conversation too. */
  forget(id: string): void {
    this.conversation = { ...this.conversation, turns: this.conversation.turns.filter((turn) => turn.id !== id) }
  }

  /** Does something that answers with a snapshot, and shows what changed. Rejects with a `Failure`. */
  async change<Name extends Changing>(operation: Name, request: Request<Name>): Promise<Snapshot> {
    const snapshot: Snapshot = await this.backend.call(operation, request)
    this.#take(snapshot)
    return snapshot
  }

  set(changes: Changes): Promise<Snapshot> {
    return this.change('change_settings', { changes })
  }

  /** Whether the environment holds a setting, so that it cannot be changed here. */
  held(name: string): boolean {
    return this.snapshot?.from_environment.includes(name) ?? false
  }

  /** Changes settings, says so, and offers the way back. */
  async setWithUndo(changes: Changes, text: string, back: Changes): Promise<void> {
    await this.set(changes)
    this.say(text, () => this.set(back))
  }

  /** Says something in passing. What was said before is settled by it. */
  say(text: string, undo?: () => Promise<unknown>, settle?: () => void): void {
    this.dismiss()
    const id = ++this.#toasts
    const takeBack = () => {
      if (this.toast?.id === id) this.toast = null
      undo?.().then(
        () => this.say(t.app.undone),
        (thrown: unknown) => this.fail(thrown),
      )
    }
    this.toast = { id, text, undo: undo && takeBack, settle }
  }

  /** Nobody wants it back. */
  dismiss(): void {
    const settle = this.toast?.settle
    this.toast = null
    settle?.()
  }

  /** Shows why something did not work, where there is no better place for it. */
  fail(thrown: unknown): void {
    this.say(asFailure(thrown).message)
  }

  /** What was attached goes once. */
  #screen() {
    const screen = this.attached ? { screen: true } : {}
    this.attached = false
    return screen
  }

  #speech() {
    return this.snapshot?.settings.speaking.muted ? ('none' as const) : ('aloud' as const)
  }

  #say<Name extends Extract<OperationName, 'press' | 'release'>>(operation: Name, request: Request<Name>): void {
    this.backend.call(operation, request).catch((thrown: unknown) => (this.problem = asFailure(thrown)))
  }

  /** Who is next has changed without a setting having changed. */
  async #look(): Promise<void> {
    try {
      this.#take(await this.backend.call('snapshot', {}))
    } catch {
      // The next event brings it.
    }
  }

  #link(held: boolean): void {
    this.connected = held
    if (held) this.say(t.door.back)
    else this.#missed = true
  }

  #take(snapshot: Snapshot): void {
    this.snapshot = snapshot
    speak(snapshot.settings.appearance.language)
    if (this.#missed && this.connected) {
      this.#missed = false
      this.conversation = resumed(this.conversation, snapshot.stage)
      void this.pulse.load()
      if (snapshot.session === this.#session) void this.loadHistory()
    }
    // Who was taken away, or got another key, is no trouble any more.
    const ready = snapshot.providers.filter((known) => known.problem === undefined).map((known) => known.name)
    this.paused = this.paused.filter((one) => ready.includes(one.provider))
    if (snapshot.session === this.#session) return
    const first = this.#session === ''
    // The window opened in the middle of a turn: its stage is known before its next event.
    if (first && this.conversation.active === null) this.conversation = { ...this.conversation, stage: snapshot.stage }
    this.#session = snapshot.session
    // Another conversation: what was shown belongs to the one before. At start, events may have brought turns already.
    if (!first) this.conversation = { ...emptyConversation, stage: this.conversation.stage, active: this.conversation.active }
    void this.loadHistory()
  }
}
