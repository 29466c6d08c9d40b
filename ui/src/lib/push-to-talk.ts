/**
 * Push-to-talk input from pointer and keyboard. It only sends press, release and cancel; the backend decides what a short tap
 * means, for every input alike.
 */
import type { TalkKeyMode } from '../generated/TalkKeyMode'

export interface TurnControl {
  press(): void
  release(): void
  cancel(): void
  /** Whether a recording is in progress, whatever started it. */
  listening(): boolean
  mode(): TalkKeyMode
  /** Whether Space talks now: only where the conversation is shown, and not while a dialog is open. */
  spaceTalks(): boolean
  /** The key or pointer went down, or came up while the recording goes on. */
  holds(down: boolean): void
}

/** Controls that use Space or Enter themselves. */
const controls = 'input, textarea, select, button, a[href], summary, [contenteditable="true"], [role="button"], [role="radio"]'

/** Whether Space scrolls at the focused element: it, or a region around it, has more content than fits. */
function scrolls(target: Element): boolean {
  for (let at: Element | null = target; at && at !== document.body; at = at.parentElement) {
    if (at.scrollHeight > at.clientHeight && /auto|scroll/.test(getComputedStyle(at).overflowY)) return true
  }
  return false
}

export class PushToTalk {
  /** The input that is held down; only its own end releases. */
  #held: 'pointer' | 'space' | null = null
  /** Started by Enter or a click: continues until the next one. */
  #latched = false
  /** Time of the last pointer event on the button (`event.timeStamp`, milliseconds). */
  #pointed = -Infinity

  constructor(private readonly turn: TurnControl) {}

  get held(): boolean {
    return this.#held !== null
  }

  pointerDown(event: PointerEvent): void {
    // Only the primary button talks.
    if (event.button !== 0 || this.#held !== null) return
    this.#pointed = event.timeStamp
    const target = event.currentTarget
    // Captures the pointer, so that its end is not missed outside the button. jsdom has no pointer capture.
    if (target instanceof Element && 'setPointerCapture' in target) {
      try {
        target.setPointerCapture(event.pointerId)
      } catch {
        // The pointer is gone already; pointercancel or blur follows.
      }
    }
    this.#begin('pointer')
  }

  pointerEnd(event: PointerEvent): void {
    if (this.#held === 'pointer') this.#pointed = event.timeStamp
    this.#end('pointer')
  }

  /** Toggles on a click without a pointer, which comes from Enter or a screen reader. */
  click(event: MouseEvent): void {
    // The browser also sends a click after each pointer press; from the keyboard `detail` is 0.
    if (event.detail > 0 && event.timeStamp - this.#pointed < 500) return
    this.toggle()
  }

  toggle(): void {
    const mode = this.turn.mode()
    if (this.#latched && this.turn.listening() && mode !== 'toggle') {
      this.#latched = false
      this.turn.release()
      return
    }
    this.#latched = false
    this.turn.holds(false)
    this.turn.press()
    // A tap is a press and a release. In the hold modes the release waits for the next toggle,
    // unless something else started the recording: then this tap ends it.
    if (mode === 'toggle' || this.turn.listening()) this.turn.release()
    else this.#latched = true
  }

  keyDown(event: KeyboardEvent): void {
    if (event.defaultPrevented) return
    if (event.key === 'Escape') {
      this.#held = null
      this.#latched = false
      this.turn.cancel()
      return
    }
    if (event.code !== 'Space' || event.ctrlKey || event.altKey || event.metaKey || event.shiftKey) return
    if (this.#held === 'space') {
      // Key repeats must neither press again nor scroll the page.
      event.preventDefault()
      return
    }
    if (!this.turn.spaceTalks() || !this.#ours(event.target) || event.repeat || this.#held !== null) return
    event.preventDefault()
    this.#begin('space')
  }

  keyUp(event: KeyboardEvent): void {
    if (event.code !== 'Space' || this.#held !== 'space') return
    // On the talk button the browser would send a click.
    event.preventDefault()
    this.#end('space')
  }

  /** Releases when the window loses the focus, because the end of the key or pointer will not arrive. */
  blur(): void {
    if (this.#held !== null) this.#end(this.#held)
  }

  #ours(target: EventTarget | null): boolean {
    if (!(target instanceof Element)) return true
    if (target.closest('[data-talk]') !== null) return true
    return target.closest(controls) === null && !scrolls(target)
  }

  #begin(how: 'pointer' | 'space'): void {
    this.#held = how
    // A press that ends a latched recording clears the latch.
    this.#latched = false
    this.turn.holds(true)
    this.turn.press()
  }

  #end(how: 'pointer' | 'space'): void {
    if (this.#held !== how) return
    this.#held = null
    this.turn.holds(false)
    this.turn.release()
  }
}
