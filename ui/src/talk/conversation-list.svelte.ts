/** The conversations of the history or of a search, loaded page by page. */
import { asFailure, type Failure } from '../backend'
import type { SessionView } from '../generated/SessionView'
import type { Aura } from '../lib/aura.svelte'
import { t } from '../lib/messages'

/** Conversations per page. */
const page = 50

export class ConversationList {
  shown = $state.raw<SessionView[]>([])
  state = $state<'loading' | 'ready' | 'failed'>('loading')
  failure = $state.raw<Failure | null>(null)
  /** Whether there are earlier ones to load. */
  more = $state(false)
  /** The search whose results are shown; empty: no search. */
  searched = $state('')

  /** Number of the latest request; results of earlier ones are dropped. */
  #asked = 0

  constructor(readonly aura: Aura) {}

  load = (words: string) => this.#ask(words, undefined)
  earlier = () => this.#ask(this.searched, this.shown.at(-1)?.id)

  async rename(id: string, title: string): Promise<void> {
    try {
      await this.aura.backend.call('rename_session', { id, title })
      await this.load(this.searched)
    } catch (thrown) {
      this.aura.notifyError(thrown)
    }
  }

  /** Hides a conversation at once and deletes it when the toast expires without an undo. */
  remove(session: SessionView): void {
    const { id } = session
    this.aura.leaving = [...this.aura.leaving, id]
    const stay = () => (this.aura.leaving = this.aura.leaving.filter((other) => other !== id))
    this.aura.notify(
      t.conversations.removed(session.title || t.history.notUnderstood),
      () => Promise.resolve(stay()),
      () => {
        this.aura.backend.call('delete_session', { id }).then(
          () => {
            this.shown = this.shown.filter((one) => one.id !== id)
            stay()
          },
          (thrown: unknown) => {
            stay()
            this.aura.notify(`${t.history.removeFailed} ${asFailure(thrown).message}`)
          },
        )
      },
    )
  }

  async #ask(words: string, before: string | undefined): Promise<void> {
    const asked = ++this.#asked
    this.state = 'loading'
    try {
      const found = await this.aura.backend.call('sessions', {
        limit: page,
        ...(words === '' ? {} : { search: words }),
        ...(before === undefined ? {} : { before }),
      })
      if (asked !== this.#asked) return
      this.shown = before === undefined ? found : [...this.shown, ...found]
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
