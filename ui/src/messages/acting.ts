/** What the windows say about acting in other programs, in every language. */
import type { AnsweredBy } from '../generated/AnsweredBy'
import type { Permission } from '../generated/Permission'
import type { ToolOutcome } from '../generated/ToolOutcome'

export interface Acting {
  /** What an action does, as it stands alone and in a question. */
  phrases: {
    open: (what: string) => string
    readClipboard: string
    readSelection: string
    setClipboard: string
    typeText: (window: string) => string
    press: (keys: string, window: string) => string
    readWindow: (window: string) => string
    pressControl: (control: string, window: string) => string
    focusField: (field: string, window: string) => string
    play: string
    pause: string
    next: string
    previous: string
    volume: (percent: number) => string
    setTimer: (time: string, label: string) => string
    cancelTimer: (number: number, label: string) => string
    callMcpTool: (tool: string, server: string) => string
    plan: string
    unknown: string
  }
  title: string
  ask: (what: string) => string
  foreign: string
  yes: string
  no: string
  /** How to answer without this window. */
  speak: string
  remember: { conversation: string; always: string; never: string }
}

/** What only the main window says. */
export interface ActingDetails {
  settings: string
  enabled: string
  enabledHint: string
  list: string
  tools: Record<string, string>
  permissions: Record<Permission, string>
  outcomes: Record<ToolOutcome, string>
  by: Record<AnsweredBy, string>
  looked: string
  foreign: string
  undo: string
  undone: string
  characters: (count: string) => string
}
