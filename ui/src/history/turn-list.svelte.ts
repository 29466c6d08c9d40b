/** The turns in the history or in a search. */
import type { TurnRecord } from '../generated/TurnRecord'
import type { Aura } from '../lib/aura.svelte'
import { pageQuery, PagedList } from '../lib/paged-list.svelte'
import { sayThrown } from '../lib/say'

/** Turns per page. */
const page = 30
/** Turns per request for an export: the most that one `history` call returns. */
const bulk = 1000

export class TurnList extends PagedList<TurnRecord> {
  /** Turns to be deleted unless the user undoes it. */
  #leaving: string[] = []

  constructor(readonly aura: Aura) {
    super(page, (query) => aura.backend.call('history', query))
  }

  protected override keeps = (turn: TurnRecord): boolean => !this.#leaving.includes(turn.id)

  /** All turns that match the search, not only the pages loaded so far. */
  async all(): Promise<TurnRecord[]> {
    const turns: TurnRecord[] = []
    for (;;) {
      const next = await this.aura.backend.call('history', pageQuery(this.searched, turns.at(-1)?.id, bulk))
      turns.push(...next)
      if (next.length < bulk) return turns.filter((turn) => this.keeps(turn))
    }
  }

  /** Hides a turn at once and deletes it when the toast expires without an undo. */
  remove(id: string, said: string, problem: string): void {
    this.#leaving = [...this.#leaving, id]
    this.shown = this.shown.filter((turn) => turn.id !== id)
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
            this.aura.notify(`${problem} ${sayThrown(thrown)}`)
            void this.load(this.searched)
          },
        )
      },
    )
  }
}
