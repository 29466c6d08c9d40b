/** What AURA does outside itself, in words. Pure: the overlay, which has messages of its own, uses it too. */
import type { Action } from '../generated/Action'
import type { Acting } from '../messages/acting'

/** What an action does, such as "Open example.org". */
export function describeAction(action: Action, words: Acting): string {
  const say = words.phrases
  switch (action.kind) {
    case 'open':
      return say.open(
        'name' in action.target ? action.target.name : 'path' in action.target ? action.target.path : action.target.url,
      )
    case 'type_text':
      return say.typeText(action.window.title)
    case 'press_shortcut':
      return say.press(action.keys, action.window.title)
    case 'read_window':
      return say.readWindow(action.window.title)
    case 'use_control': {
      const { name, is_field } = action.control
      return is_field ? say.focusField(name, action.window.title) : say.pressControl(name, action.window.title)
    }
    case 'media':
      return action.media.command === 'volume' ? say.volume(action.media.percent) : say[action.media.command]
    case 'set_timer':
      return say.setTimer(clock(action.seconds), action.label)
    case 'cancel_timer':
      return say.cancelTimer(action.timer, action.label)
    case 'read_clipboard':
      return say.readClipboard
    case 'read_selection':
      return say.readSelection
    case 'set_clipboard':
      return say.setClipboard
    case 'call_mcp_tool':
      return say.callMcpTool(action.tool, action.server)
    case 'plan':
      return say.plan
    case 'unknown':
      return say.unknown
  }
}

/** The exact text that an action writes or sends; empty for one that does neither. */
export function textOfAction(action: Action): string {
  if (action.kind === 'type_text' || action.kind === 'set_clipboard') return action.text
  if (action.kind !== 'call_mcp_tool' || Object.keys(action.arguments).length === 0) return ''
  return JSON.stringify(action.arguments, null, 2)
}

/** A duration as hours, minutes and seconds. */
function clock(seconds: number): string {
  const two = (value: number) => String(Math.floor(value)).padStart(2, '0')
  return `${Math.floor(seconds / 3600)}:${two((seconds / 60) % 60)}:${two(seconds % 60)}`
}

/** Whether a key press means yes: Enter alone, not held down, and not in a control or a draft that uses it. */
export function saysYes(event: KeyboardEvent): boolean {
  if (event.key !== 'Enter' || event.repeat || event.isComposing || event.defaultPrevented) return false
  if (event.ctrlKey || event.altKey || event.metaKey || event.shiftKey) return false
  if (!(event.target instanceof Element)) return true
  if (event.target instanceof HTMLTextAreaElement) return event.target.value === ''
  return event.target.closest('input, select, textarea, button, a[href], summary, [contenteditable="true"]') === null
}
