/** Provider health and usage, kept up to date while a panel shows them. */
import { asFailure, type AuraEvent, type Backend, type Failure } from '../backend'
import type { HealthReport } from '../generated/HealthReport'
import type { TrendRange } from '../generated/TrendRange'
import type { Trends } from '../generated/Trends'
import type { UsageReport } from '../generated/UsageReport'

/** Delay after an event before loading, milliseconds: one load per burst of events. */
const burst = 300
/** Reload interval without events, milliseconds: the last hour moves on. */
const rest = 60_000
const second = 1000

export class HealthStore {
  report = $state.raw<HealthReport | null>(null)
  usage = $state.raw<UsageReport | null>(null)
  /** The calls of the range and the costs of the last days, also of earlier starts; null without a ledger that can be read. */
  trends = $state.raw<Trends | null>(null)
  /** How far back the response times reach. */
  range = $state<TrendRange>('hour')
  /** Why the last load failed. */
  failure = $state.raw<Failure | null>(null)
  /** The current time for countdowns, milliseconds since the epoch. */
  now = $state(Date.now())

  #backend: Backend
  #watchers = 0
  #timer: ReturnType<typeof setTimeout> | undefined
  #loading = false
  #again = false

  constructor(backend: Backend) {
    this.#backend = backend
  }

  /** Keeps the store up to date until the returned function is called. */
  watch(): () => void {
    if (this.#watchers++ === 0) document.addEventListener('visibilitychange', this.#seen)
    void this.load()
    return () => {
      if (--this.#watchers > 0) return
      document.removeEventListener('visibilitychange', this.#seen)
      clearTimeout(this.#timer)
    }
  }

  /** Shows another range; its figures follow. */
  setRange(range: TrendRange): void {
    this.range = range
    this.trends = null
    void this.load()
  }

  /** Schedules a load after an event that may change health or usage. */
  onEvent(event: AuraEvent): void {
    if (event.type === 'attempt' || event.type === 'availability' || event.type === 'changed' || event.type === 'done') {
      this.#after(burst, () => void this.load())
    }
  }

  async load(): Promise<void> {
    if (!this.#awake) return
    // One load at a time; another follows if it was requested meanwhile.
    if (this.#loading) {
      this.#again = true
      return
    }
    this.#loading = true
    try {
      const { range } = this
      const [report, usage, trends] = await Promise.all([
        this.#backend.call('health', {}),
        this.#backend.call('usage', {}),
        this.#backend.call('trends', { range }).catch(() => null),
      ])
      if (range === this.range) this.trends = trends
      this.report = report
      this.usage = usage
      this.failure = null
    } catch (thrown) {
      this.failure = asFailure(thrown)
    }
    this.#loading = false
    this.now = Date.now()
    if (this.#again) {
      this.#again = false
      return this.load()
    }
    this.#wait()
  }

  get #awake(): boolean {
    return this.#watchers > 0 && document.visibilityState !== 'hidden'
  }

  /** Whether a countdown is running. */
  get #counting(): boolean {
    const pauses = this.report?.providers.flatMap((provider) => provider.services.map((of) => of.cooldown_until)) ?? []
    return pauses.some((until) => until !== undefined && Date.parse(until) > this.now)
  }

  #wait(): void {
    if (!this.#counting) return this.#after(rest, () => void this.load())
    this.#after(second, () => {
      this.now = Date.now()
      // A pause has ended: load the new state.
      if (this.#counting) this.#wait()
      else void this.load()
    })
  }

  #after(ms: number, act: () => void): void {
    clearTimeout(this.#timer)
    if (this.#awake) this.#timer = setTimeout(act, ms)
  }

  #seen = (): void => {
    clearTimeout(this.#timer)
    void this.load()
  }
}
