/** Browser features that jsdom lacks. */
import { cleanup } from '@testing-library/svelte'
import { afterEach } from 'vitest'
import { loadMessages } from '../lib/messages'
import { languages } from '../lib/preferences.svelte'
import { loadMessages as loadOverlayMessages } from '../overlay/messages'

window.matchMedia ??= (query: string) =>
  ({
    matches: false,
    media: query,
    addEventListener: () => undefined,
    removeEventListener: () => undefined,
  }) as unknown as MediaQueryList

// Dates and numbers as in Britain, unless a test changes it.
Object.defineProperty(navigator, 'languages', { get: () => ['en-GB'], configurable: true })

afterEach(() => {
  cleanup()
  // Preferences must not leak into the next test.
  localStorage.clear()
  window.dispatchEvent(new StorageEvent('storage'))
  location.hash = ''
})

// axe uses a canvas to measure icon fonts; there are none here.
HTMLCanvasElement.prototype.getContext = () => null

// jsdom has no layout, and nothing to scroll.
Element.prototype.scrollIntoView ??= () => undefined

class Pointer extends MouseEvent {
  readonly pointerId: number
  constructor(type: string, init: PointerEventInit = {}) {
    super(type, init)
    this.pointerId = init.pointerId ?? 1
  }
}
window.PointerEvent ??= Pointer as unknown as typeof PointerEvent

// A window has its messages before it shows anything.
await Promise.all(languages.flatMap((one) => [loadMessages(one), loadOverlayMessages(one)]))
