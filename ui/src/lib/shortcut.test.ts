import { expect, it } from 'vitest'
import { isCommon, keysOf, record } from './shortcut'

const press = (code: string, modifiers: KeyboardEventInit = {}) => record(new KeyboardEvent('keydown', { code, ...modifiers }))

it('records modifiers and the position of the key', () => {
  expect(press('Space', { ctrlKey: true, shiftKey: true })).toEqual({ kind: 'shortcut', text: 'Ctrl+Shift+Space' })
  expect(press('KeyA', { altKey: true })).toEqual({ kind: 'shortcut', text: 'Alt+A' })
  expect(press('Digit1', { metaKey: true })).toEqual({ kind: 'shortcut', text: 'Super+1' })
  expect(press('F9')).toEqual({ kind: 'shortcut', text: 'F9' })
})

it('waits for a key, and rejects one without a modifier', () => {
  expect(press('ControlLeft', { ctrlKey: true })).toEqual({ kind: 'partial', keys: ['Ctrl'] })
  expect(press('KeyA')).toEqual({ kind: 'bare' })
  expect(press('KeyA', { shiftKey: true })).toEqual({ kind: 'bare' })
})

it('knows the shortcuts that other apps use', () => {
  expect(['Ctrl+C', 'Alt+F4', 'F5'].every(isCommon)).toBe(true)
  expect(['Ctrl+Shift+Space', 'Ctrl+Alt+K', 'F9', 'Pause'].some(isCommon)).toBe(false)
})

it('splits a shortcut into its keys', () => expect(keysOf('Ctrl+Shift+Space')).toEqual(['Ctrl', 'Shift', 'Space']))
