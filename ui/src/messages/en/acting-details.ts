/** Acting in other programs: what only the main window says. */
import type { ActingDetails } from '../acting'

export const actingDetails: ActingDetails = {
  settings: 'Actions',
  enabled: 'Act in other programs',
  enabledHint: 'AURA opens, types and copies when you ask for it. It shows exactly what it would do, and asks first.',
  list: 'What AURA did',
  tools: {
    open: 'Open applications, files and pages',
    read_clipboard: 'Read the clipboard',
    set_clipboard: 'Set the clipboard',
    read_selection: 'Read the selected text',
    type_text: 'Type text',
    press_shortcut: 'Press keys',
    media: 'Control media and volume',
  },
  permissions: { ask: 'Ask each time', conversation: 'Ask once per conversation', always: 'Allow', never: 'Never' },
  outcomes: {
    running: 'begun',
    done: 'done',
    failed: 'failed',
    refused: 'not possible',
    declined: 'declined',
    stopped: 'stopped',
    unknown: 'unknown',
  },
  by: {
    window: 'by you',
    voice: 'by your voice',
    command_line: 'on the command line',
    api: 'by a program',
    shortcut: 'by your shortcut',
    remembered: 'by an earlier choice',
    nobody: 'no answer in time',
    unknown: 'by an unknown way',
  },
  looked: 'Looked at the screen',
  foreign: 'read text that is not yours',
  undo: 'Undo',
  undone: 'undone',
  characters: (count) => `${count} characters`,
}
