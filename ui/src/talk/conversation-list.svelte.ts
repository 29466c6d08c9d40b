/** The conversations of the history or of a search. */
import type { SessionView } from '../generated/SessionView'
import type { Aura } from '../lib/aura.svelte'
import { t } from '../lib/messages'
import { sayThrown } from '../lib/say'
import { PagedList } from '../lib/paged-list.svelte'

/** Conversations per page. */
const page = 50

export class ConversationList extends PagedList<SessionView> {
  constructor(readonly aura: Aura) {
    super(page, (query) => aura.backend.call('sessions', query))
  }

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
            this.aura.notify(`${t.history.removeFailed} ${sayThrown(thrown)}`)
          },
        )
      },
    )
  }
}
