/** The turns in the history or in a search, loaded page by page. */
import { asFailure, type Failure } from '../backend'
import type { TurnRecord } from '../generated/TurnRecord'
import type { Aura } from '../lib/aura.svelte'

/** Turns per page. */
const page = 30
/** Turns per request for an export: the most that one `history` call returns. */
const bulk = 1000

export class TurnList {
  turns = $state.raw<TurnRecord[]>([])
  state = $state<'loading' | 'ready' | 'failed'>('loading')
  failure = $state.raw<Failure | null>(null)
  /** Whether there are earlier turns to load. */
  more = $state(false)
  /** The search whose results are shown; empty: no search. */
  searched = $state('')

  /** Turns to be deleted unless the user undoes it. */
  #leaving: string[] = []
  /** Number of the latest request; results of earlier ones are dropped. */
  #asked = 0

  constructor(readonly aura: Aura) {}

  async load(words: string): Promise<void> {
    await this.#ask(words, undefined)
  }

  async earlier(): Promise<void> {
    await this.#ask(this.searched, this.turns.at(-1)?.id)
  }

  /** All turns that match the search, not only the pages loaded so far. */
  async all(): Promise<TurnRecord[]> {
    const turns: TurnRecord[] = []
    for (;;) {
      const next = await this.aura.backend.call('history', this.#query(this.searched, turns.at(-1)?.id, bulk))
      turns.push(...next)
      if (next.length < bulk) return turns.filter((turn) => !this.#leaving.includes(turn.id))
    }
  }

  /** Hides a turn at once and deletes it when the toast expires without an undo. */
  remove(id: string, said: string, problem: string): void {
    const before = this.turns
    this.#leaving = [...this.#leaving, id]
    this.turns = before.filter((turn) => turn.id !== id)
    const stay = () => {
      this.#leaving = this.#leaving.filter((other) => other !== id)
    }
    this.aura.notify(
      said,
      () => {
        stay()
        return this.load(this.searched)
      },
      () => {
        this.aura.backend.call('delete_turn', { id }).then(
          () => {
            stay()
            this.aura.removeTurn(id)
          },
          (thrown: unknown) => {
            stay()
            this.aura.notify(`${problem} ${asFailure(thrown).message}`)
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
