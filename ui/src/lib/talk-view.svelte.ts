/** What the conversation keeps while another panel is open. One per window. */
export class TalkView {
  /** The question being written. */
  draft = $state('')
  /** Whether the list of who can answer is open. */
  picking = $state(false)
  /** Where the conversation is scrolled to; null at its end, which it then follows. Read when it is shown again. */
  offset: number | null = null
}
