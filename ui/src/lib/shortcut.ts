/** Shortcuts as the settings write them: "Ctrl+Shift+Space". */

const named: Record<string, string> = {
  ArrowUp: 'Up',
  ArrowDown: 'Down',
  ArrowLeft: 'Left',
  ArrowRight: 'Right',
}

const modifierCodes = /^(Control|Shift|Alt|Meta|OS)(Left|Right)?$/

/** A recorded key press: a shortcut, only modifiers so far, or a key without a modifier, which every app would lose. */
export type Recorded = { kind: 'partial'; keys: string[] } | { kind: 'bare' } | { kind: 'shortcut'; text: string }

export function record(event: KeyboardEvent): Recorded {
  const keys = [
    ...(event.ctrlKey ? ['Ctrl'] : []),
    ...(event.altKey ? ['Alt'] : []),
    ...(event.shiftKey ? ['Shift'] : []),
    ...(event.metaKey ? ['Super'] : []),
  ]
  if (event.code === '' || modifierCodes.test(event.code)) return { kind: 'partial', keys }
  // The position on the keyboard, not the letter: Shift and layouts change the letter only.
  const key = named[event.code] ?? event.code.replace(/^(Key|Digit)/, '')
  const standsAlone = /^F\d+$/.test(key) || key === 'Pause' || key === 'ScrollLock'
  if (!standsAlone && (keys.length === 0 || (keys.length === 1 && keys[0] === 'Shift'))) return { kind: 'bare' }
  return { kind: 'shortcut', text: [...keys, key].join('+') }
}

/** Shortcuts that most apps or desktops use; a global shortcut takes them from all of them. */
const common = new Set([
  ...'ACFNOPQSTVWXYZ'.split('').map((key) => `Ctrl+${key}`),
  ...['Ctrl+Shift+Z', 'Ctrl+Shift+T', 'Ctrl+Shift+V', 'Ctrl+Tab', 'Ctrl+Backspace', 'Ctrl+Enter'],
  ...['Alt+Tab', 'Alt+Shift+Tab', 'Alt+F4', 'Alt+F2', 'Alt+Left', 'Alt+Right', 'Ctrl+Alt+Delete'],
  ...['Super+L', 'Super+D', 'Super+E', 'Super+Tab', 'F1', 'F5', 'F11'],
])

/** Whether other apps commonly use a shortcut. */
export const isCommon = (shortcut: string) => common.has(shortcut)

/** The keys of a shortcut, in order. */
export const keysOf = (shortcut: string) => shortcut.split('+').filter((key) => key !== '')
