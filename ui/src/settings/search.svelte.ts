/** Finds settings by their words. Each section and each row knows whether it is found. */
import { getContext, setContext, untrack } from 'svelte'
import { SvelteSet } from 'svelte/reactivity'

interface Entry {
  section: string
  text: () => string
}

export class Search {
  words = $state('')
  #terms = $derived(this.words.toLowerCase().split(/\s+/).filter(Boolean))
  #entries = new SvelteSet<Entry>()

  get active(): boolean {
    return this.#terms.length > 0
  }

  /** Whether a text has all the words. */
  matches(text: string): boolean {
    const lower = text.toLowerCase()
    return this.#terms.every((term) => lower.includes(term))
  }

  /** Adds a row or a text of a section until the returned function is called. */
  register(section: string, text: () => string): () => void {
    const entry = { section, text }
    untrack(() => this.#entries.add(entry))
    return () => untrack(() => this.#entries.delete(entry))
  }

  /** Whether anything in a section is found; without a section, anything at all. */
  finds(section?: string): boolean {
    return (
      !this.active ||
      [...this.#entries].some((entry) => (section === undefined || entry.section === section) && this.matches(entry.text()))
    )
  }
}

const searchKey = Symbol('search')
const sectionKey = Symbol('section')

export const setSearch = (search: Search) => setContext(searchKey, search)
/** The search of the panel; none where a row stands elsewhere. */
export const useSearch = () => getContext<Search | undefined>(searchKey)
export const setSection = (section: { id: string; title: () => string }) => setContext(sectionKey, section)
export const useSection = () => getContext<{ id: string; title: () => string } | undefined>(sectionKey)
