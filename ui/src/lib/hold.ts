/**
 * Hold to talk, from pointer and keyboard. It only says press, release and cancel: what a short tap means is decided in one place,
 * by the turn, for every door alike.
 */
import type { Mode } from '../generated/Mode'

export interface Talking {
  press(): void
  release(): void
  cancel(): void
  /** Whether something is being recorded now, whoever began it. */
  listening(): boolean
  mode(): Mode
}

/** Where Space and Enter already mean something. */
const controls = 'input, textarea, select, button, a[href], summary, [contenteditable="true"], [role="button"], [role="radio"]'

export class Hold {
  /** What holds the key down; only the same one lets go. */
  #held: 'pointer' | 'space' | null = null
  /** Begun by Enter or a click: it goes on until the next one. */
  #latched = false
  /** When a pointer last touched the button, on the clock of events. */
  #pointed = -Infinity

  constructor(private readonly talking: Talking) {}

  get held(): boolean {
    return this.#held !== null
  }

  pointerDown(event: PointerEvent): void {
    // The other mouse buttons have their own meaning.
    if (event.button !== 0 || this.#held !== null) return
    this.#pointed = event.timeStamp
    const target = event.currentTarget
    // Keeps the pointer although it leaves the button, so that its end is never missed. jsdom has no pointer capture.
    if (target instanceof Element && 'setPointerCapture' in target) {
      try {
        target.setPointerCapture(event.pointerId)
      } catch {
        // The pointer is gone already; its end arrives as pointercancel or blur.
      }
    }
    this.#begin('pointer')
  }

  pointerEnd(event: PointerEvent): void {
    if (this.#held === 'pointer') this.#pointed = event.timeStamp
    this.#end('pointer')
  }

  /** A click that no pointer made comes from Enter or from a screen reader: it toggles. */
  click(event: MouseEvent): void {
    // The browser makes a click of every press and release of a pointer too; from the keyboard its count is 0.
    if (event.detail > 0 && event.timeStamp - this.#pointed < 500) return
    this.toggle()
  }

  toggle(): void {
    const mode = this.talking.mode()
    if (this.#latched && this.talking.listening() && mode !== 'toggle') {
      this.#latched = false
      this.talking.release()
      return
    }
    this.#latched = false
    this.talking.press()
    // A tap is a press and a release. Where a hold talks, the release is kept back until the next toggle,
    // unless something else began the recording: then this tap ends it.
    if (mode === 'toggle' || this.talking.listening()) this.talking.release()
    else this.#latched = true
  }

  keyDown(event: KeyboardEvent): void {
    if (event.defaultPrevented) return
    if (event.key === 'Escape') {
      this.#held = null
      this.#latched = false
      this.talking.cancel()
      return
    }
    if (event.code !== 'Space' || event.ctrlKey || event.altKey || event.metaKey || event.shiftKey) return
    if (this.#held === 'space') {
      // Repeats must neither press again nor scroll the page.
      event.preventDefault()
      return
    }
    if (!this.#ours(event.target) || event.repeat || this.#held !== null) return
    event.preventDefault()
    this.#begin('space')
  }

  keyUp(event: KeyboardEvent): void {
    if (event.code !== 'Space' || this.#held !== 'space') return
    // On the talk button the browser would make a click of it.
    event.preventDefault()
    this.#end('space')
  }

  /** The window lost the focus: the key's or pointer's end will not be seen. */
  blur(): void {
    if (this.#held !== null) this.#end(this.#held)
  }

  #ours(target: EventTarget | null): boolean {
    if (!(target instanceof Element)) return true
    return target.closest('[data-talk]') !== null || target.closest(controls) === null
  }

  #begin(how: 'pointer' | 'space'): void {
    this.#held = how
    // A press that ends a latched recording must not leave the latch behind.
    this.#latched = false
    this.talking.press()
  }

  #end(how: 'pointer' | 'space'): void {
    if (this.#held !== how) return
    this.#held = null
    this.talking.release()
  }
}
