/** The turns that were found, page by page. */
import { asFailure, type Failure } from '../backend'
import type { TurnRecord } from '../generated/TurnRecord'
import type { Aura } from '../lib/aura.svelte'

/** Turns on one page. */
const page = 30
/** At most as many as the engine gives at once. */
const bulk = 1000

export class Found {
  turns = $state.raw<TurnRecord[]>([])
  state = $state<'loading' | 'ready' | 'failed'>('loading')
  failure = $state.raw<Failure | null>(null)
  /** Whether there are earlier ones. */
  more = $state(false)
  /** What was searched for in what is shown. */
  searched = $state('')

  /** Turns that are going to be deleted unless the person takes it back. */
  #leaving: string[] = []
  /** Only the last of several searches counts. */
  #asked = 0

  constructor(readonly aura: Aura) {}

  async load(words: string): Promise<void> {
    await this.#ask(words, undefined)
  }

  async earlier(): Promise<void> {
    await this.#ask(this.searched, this.turns.at(-1)?.id)
  }

  /** Everything that fits the search, not only what is shown. */
  async all(): Promise<TurnRecord[]> {
    const turns: TurnRecord[] = []
    for (;;) {
      const next = await this.aura.backend.call('history', this.#query(this.searched, turns.at(-1)?.id, bulk))
      turns.push(...next)
      if (next.length < bulk) return turns.filter((turn) => !this.#leaving.includes(turn.id))
    }
  }

  /** Takes a turn out of sight at once, and out of the history when nobody wants it back. */
  remove(id: string, said: string, problem: string): void {
    const before = this.turns
    this.#leaving = [...this.#leaving, id]
    this.turns = before.filter((turn) => turn.id !== id)
    const stay = () => {
      this.#leaving = this.#leaving.filter((other) => other !== id)
    }
    this.aura.say(
      said,
      () => {
        stay()
        return this.load(this.searched)
      },
      () => {
        this.aura.backend.call('delete_turn', { id }).then(
          () => {
            stay()
            this.aura.forget(id)
          },
          (thrown: unknown) => {
            stay()
            this.aura.say(`${problem} ${asFailure(thrown).message}`)
            void this.load(this.searched)
          },
        )
      },
    )
  }

  #query(words: string, before: string | undefined, limit: number) {
    return { limit, ...(words === '' ? {} : { search: words }), ...(before === undefined ? {} : { before }) }
  }

  async #ask(words: string, before: string | undefined): Promise<void> {
    const asked = ++this.#asked
    this.state = 'loading'
    try {
      const found = await this.aura.backend.call('history', this.#query(words, before, page))
      if (asked !== this.#asked) return
      const fresh = found.filter((turn) => !this.#leaving.includes(turn.id))
      this.turns = before === undefined ? fresh : [...this.turns, ...fresh]
      this.more = found.length === page
      this.searched = words
      this.failure = null
      this.state = 'ready'
    } catch (thrown) {
      if (asked !== this.#asked) return
      this.failure = asFailure(thrown)
      this.state = 'failed'
    }
  }
}
