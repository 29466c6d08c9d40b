/** The keys of the main window, besides those that talk. Pure. */
import type { PlaybackAction } from '../generated/PlaybackAction'

export type WindowKey =
  'palette' | 'new' | 'conversations' | 'write' | 'model' | 'search' | 'settings' | 'help' | PlaybackAction | 1 | 2 | 3 | 4 | 5

const letters: Record<string, WindowKey> = {
  k: 'palette',
  n: 'new',
  o: 'conversations',
  l: 'write',
  m: 'model',
  f: 'search',
  ',': 'settings',
  p: 'toggle',
}

const sentences: Record<string, PlaybackAction> = { ArrowLeft: 'previous', ArrowRight: 'next' }

const writes = (target: EventTarget | null) =>
  target instanceof Element && target.closest('input, textarea, select, [contenteditable="true"]') !== null

const hasText = (target: EventTarget | null) =>
  (target instanceof HTMLTextAreaElement || target instanceof HTMLInputElement) && target.value !== ''

/** What a key asks of the window; null: nothing. */
export function windowKey(event: KeyboardEvent): WindowKey | null {
  if (event.defaultPrevented || event.isComposing) return null
  if (event.altKey) {
    // On a Mac, they move by words in a text.
    const moves = navigator.platform.startsWith('Mac') && hasText(event.target)
    return event.ctrlKey || event.metaKey || event.shiftKey || moves ? null : (sentences[event.key] ?? null)
  }
  if (event.key === '?' && !event.ctrlKey && !event.metaKey) return writes(event.target) ? null : 'help'
  if (event.ctrlKey === event.metaKey || event.shiftKey) return null
  const digit = /^(?:Digit|Numpad)([1-5])$/.exec(event.code)?.[1]
  return digit === undefined ? (letters[event.key.toLowerCase()] ?? null) : (Number(digit) as 1 | 2 | 3 | 4 | 5)
}
