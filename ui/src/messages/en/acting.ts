/** Acting in other programs. */
import type { Acting } from '../acting'

const labelled = (text: string, label: string) => (label === '' ? text : `${text}: ${label}`)

/** A window by its title; one without, by where it is. */
const named = (title: string) => (title === '' ? 'the window in front' : `“${title}”`)

export const acting: Acting = {
  phrases: {
    open: (what) => `Open ${what}`,
    readClipboard: 'Read the clipboard',
    readSelection: 'Read the selected text',
    setClipboard: 'Put this text on the clipboard',
    typeText: (window) => `Type this text into ${named(window)}`,
    press: (keys, window) => `Press ${keys} in ${named(window)}`,
    readWindow: (window) => `Read what is in ${named(window)}`,
    pressControl: (control, window) => `Press “${control}” in ${named(window)}`,
    focusField: (field, window) => `Put the cursor into “${field}” in ${named(window)}`,
    play: 'Go on playing',
    pause: 'Pause the playback',
    next: 'Play the next title',
    previous: 'Play the previous title',
    volume: (percent) => `Set the volume to ${percent}%`,
    setTimer: (time, label) => labelled(`Set a timer for ${time}`, label),
    cancelTimer: (number, label) => labelled(`Cancel timer ${number}`, label),
    callMcpTool: (tool, server) => `Use “${tool}” of ${server}`,
    plan: 'Plan',
    unknown: 'An action of a newer AURA',
  },
  title: 'AURA asks before it acts',
  ask: (what) => `${what}?`,
  foreign: 'AURA has read text that is not yours. It may be behind this.',
  yes: 'Yes',
  no: 'Not now',
  speak: 'Press the shortcut and say yes or no.',
  remember: { conversation: 'Yes, in this conversation', always: 'Always', never: 'Never' },
}
