/** A shortcut as it is written in the settings: "Ctrl+Shift+Space". */

const named: Record<string, string> = {
  ArrowUp: 'Up',
  ArrowDown: 'Down',
  ArrowLeft: 'Left',
  ArrowRight: 'Right',
}

const modifierCodes = /^(Control|Shift|Alt|Meta|OS)(Left|Right)?$/

/** What the keys that are down make: a shortcut, not yet one, or one that would take an ordinary key from every program. */
export type Recorded = { kind: 'partial'; keys: string[] } | { kind: 'bare' } | { kind: 'shortcut'; text: string }

export function record(event: KeyboardEvent): Recorded {
  const keys = [
    ...(event.ctrlKey ? ['Ctrl'] : []),
    ...(event.altKey ? ['Alt'] : []),
    ...(event.shiftKey ? ['Shift'] : []),
    ...(event.metaKey ? ['Super'] : []),
  ]
  if (event.code === '' || modifierCodes.test(event.code)) return { kind: 'partial', keys }
  // The place on the keyboard, not the letter: with Shift or another layout the letter changes, the place does not.
  const key = named[event.code] ?? event.code.replace(/^(Key|Digit)/, '')
  const standsAlone = /^F\d+$/.test(key) || key === 'Pause' || key === 'ScrollLock'
  if (!standsAlone && (keys.length === 0 || (keys.length === 1 && keys[0] === 'Shift'))) return { kind: 'bare' }
  return { kind: 'shortcut', text: [...keys, key].join('+') }
}

/** What nearly every program or desktop uses itself: held by AURA, they would be gone everywhere else. */
const common = new Set([
  ...'ACFNOPQSTVWXYZ'.split('').map((key) => `Ctrl+${key}`),
  ...['Ctrl+Shift+Z', 'Ctrl+Shift+T', 'Ctrl+Shift+V', 'Ctrl+Tab', 'Ctrl+Backspace', 'Ctrl+Enter'],
  ...['Alt+Tab', 'Alt+Shift+Tab', 'Alt+F4', 'Alt+F2', 'Alt+Left', 'Alt+Right', 'Ctrl+Alt+Delete'],
  ...['Super+L', 'Super+D', 'Super+E', 'Super+Tab', 'F1', 'F5', 'F11'],
])

/** Whether other programs would miss a shortcut. */
export const isCommon = (shortcut: string) => common.has(shortcut)

/** The keys of a shortcut, to be drawn. */
export const keysOf = (shortcut: string) => shortcut.split('+').filter((key) => key !== '')
