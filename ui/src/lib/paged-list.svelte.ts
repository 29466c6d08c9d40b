/** Entries of the history or of a search, loaded page by page. */
import { asFailure, type Failure } from '../backend'

/** What a page is asked for with. */
export interface PageQuery {
  limit: number
  search?: string
  before?: string
}

export const pageQuery = (words: string, before: string | undefined, limit: number): PageQuery => ({
  limit,
  ...(words === '' ? {} : { search: words }),
  ...(before === undefined ? {} : { before }),
})

/** Pause in typing after which a search starts, milliseconds. */
const pause = 250

export class PagedList<T extends { id: string }> {
  shown = $state.raw<T[]>([])
  state = $state<'loading' | 'ready' | 'failed'>('loading')
  failure = $state.raw<Failure | null>(null)
  /** Whether there are earlier entries to load. */
  more = $state(false)
  /** The search whose results are shown; empty: no search. */
  searched = $state('')

  /** Number of the latest request; results of earlier ones are dropped. */
  #asked = 0

  /** `size`: entries per page. */
  constructor(
    readonly size: number,
    readonly read: (query: PageQuery) => Promise<T[]>,
  ) {}

  load = (words: string): Promise<void> => this.#ask(words, undefined)
  earlier = (): Promise<void> => this.#ask(this.searched, this.shown.at(-1)?.id)

  /** Loads what a search finds once the typing pauses, and everything at once when it is empty. Returns what calls that off. */
  search(words: string): (() => void) | undefined {
    const wanted = words.trim()
    if (wanted === '') {
      void this.load('')
      return undefined
    }
    const timer = setTimeout(() => void this.load(wanted), pause)
    return () => clearTimeout(timer)
  }

  /** Whether an entry that was read is shown. */
  protected keeps: (entry: T) => boolean = () => true

  async #ask(words: string, before: string | undefined): Promise<void> {
    const asked = ++this.#asked
    this.state = 'loading'
    try {
      const found = await this.read(pageQuery(words, before, this.size))
      if (asked !== this.#asked) return
      const kept = found.filter((entry) => this.keeps(entry))
      this.shown = before === undefined ? kept : [...this.shown, ...kept]
      this.more = found.length === this.size
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
