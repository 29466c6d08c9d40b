/** Push-to-talk in the complete window: keyboard, pointer, and interruptions. */
import { fireEvent, screen } from '@testing-library/svelte'
import { describe, expect, it } from 'vitest'
import { readySnapshot } from '../backend/samples'
import type { TalkKeyMode } from '../generated/TalkKeyMode'
import { open, settle } from '../test/harness'

const space = { code: 'Space', key: ' ' }
const said = (backend: { calls: { operation: string }[] }) =>
  backend.calls.map((call) => call.operation).filter((name) => name === 'press' || name === 'release')
const talkButton = () => screen.getByRole('button', { name: 'Talk' })

function withMode(mode: TalkKeyMode) {
  const snapshot = readySnapshot()
  return { snapshot: { ...snapshot, settings: { ...snapshot.settings, listening: { ...snapshot.settings.listening, mode } } } }
}

describe('Space', () => {
  it('presses once despite key repeats, and releases', async () => {
    const { backend } = await open('talk')
    await fireEvent.keyDown(document.body, space)
    await fireEvent.keyDown(document.body, { ...space, repeat: true })
    await fireEvent.keyDown(document.body, { ...space, repeat: true })
    expect(said(backend)).toEqual(['press'])
    await fireEvent.keyUp(document.body, space)
    expect(said(backend)).toEqual(['press', 'release'])
  })

  it.each(['providers', 'health', 'history', 'settings'])(
    'talks in the conversation only: not in %s, where it scrolls',
    async (panel) => {
      const { backend, view } = await open(panel)
      for (const target of [document.body, view.container.querySelector('section.panel') ?? document.body]) {
        expect(await fireEvent.keyDown(target, space)).toBe(true)
        await fireEvent.keyUp(target, space)
      }
      expect(said(backend)).toEqual([])
    },
  )

  it('scrolls a conversation that is longer than the window, and talks when it is not', async () => {
    const { backend } = await open('talk')
    const log = screen.getByRole('log')
    log.style.overflowY = 'auto'
    Object.defineProperty(log, 'clientHeight', { value: 400, configurable: true })
    Object.defineProperty(log, 'scrollHeight', { value: 4000, configurable: true })
    expect(await fireEvent.keyDown(log, space)).toBe(true)
    expect(said(backend)).toEqual([])
    Object.defineProperty(log, 'scrollHeight', { value: 400 })
    expect(await fireEvent.keyDown(log, space)).toBe(false)
    expect(said(backend)).toEqual(['press'])
  })

  it('talks on the talk button itself', async () => {
    const { backend } = await open('talk')
    const unhandled = await fireEvent.keyDown(talkButton(), space)
    expect(unhandled).toBe(false)
    await fireEvent.keyUp(talkButton(), space)
    expect(said(backend)).toEqual(['press', 'release'])
  })

  it('keeps its meaning in a text field and on other controls', async () => {
    const { backend } = await open('talk')
    await fireEvent.keyDown(screen.getByRole('textbox'), space)
    await fireEvent.keyDown(screen.getByRole('combobox', { name: 'Share the screen with your questions' }), space)
    await fireEvent.keyDown(screen.getByRole('link', { name: 'Settings' }), space)
    expect(said(backend)).toEqual([])
  })

  it('releases when the window loses the focus, and not again when the key comes up', async () => {
    const { backend } = await open('talk')
    await fireEvent.keyDown(document.body, space)
    await fireEvent.blur(window)
    await fireEvent.keyUp(document.body, space)
    expect(said(backend)).toEqual(['press', 'release'])
  })

  it('with Ctrl or Shift does nothing', async () => {
    const { backend } = await open('talk')
    await fireEvent.keyDown(document.body, { ...space, ctrlKey: true, shiftKey: true })
    expect(said(backend)).toEqual([])
  })
})

describe('the pointer', () => {
  it('holds to talk, and the click that follows changes nothing', async () => {
    const { backend } = await open('talk')
    await fireEvent.pointerDown(talkButton(), { button: 0, pointerId: 1 })
    await fireEvent.pointerUp(talkButton(), { button: 0, pointerId: 1 })
    await fireEvent.click(talkButton(), { detail: 1 })
    expect(said(backend)).toEqual(['press', 'release'])
  })

  it('releases once when the pointer is cancelled', async () => {
    const { backend } = await open('talk')
    await fireEvent.pointerDown(talkButton(), { button: 0 })
    await fireEvent.pointerCancel(talkButton())
    await fireEvent.lostPointerCapture(talkButton())
    expect(said(backend)).toEqual(['press', 'release'])
  })

  it('does nothing with its other buttons', async () => {
    const { backend } = await open('talk')
    await fireEvent.pointerDown(talkButton(), { button: 2 })
    expect(said(backend)).toEqual([])
  })
})

describe('Enter or a click by a screen reader', () => {
  it.each<[TalkKeyMode, string[]]>([
    ['auto', ['press', 'release']],
    ['hold', ['press', 'release']],
    ['toggle', ['press', 'release', 'press', 'release']],
  ])('starts and ends in the mode %s', async (mode, expected) => {
    const { backend } = await open('talk', withMode(mode))
    await fireEvent.click(talkButton(), { detail: 0 })
    backend.emit({ type: 'stage', turn: 'a', stage: 'listening' })
    await settle()
    await fireEvent.click(talkButton(), { detail: 0 })
    expect(said(backend)).toEqual(expected)
  })

  it('ends a recording that the shortcut started', async () => {
    const { backend } = await open('talk')
    backend.emit({ type: 'stage', turn: 'a', stage: 'listening' })
    await settle()
    await fireEvent.click(talkButton(), { detail: 0 })
    expect(said(backend)).toEqual(['press', 'release'])
  })

  it('interrupts an answer', async () => {
    const { backend } = await open('talk')
    backend.emit({ type: 'stage', turn: 'a', stage: 'speaking' })
    await settle()
    await fireEvent.click(talkButton(), { detail: 0 })
    expect(said(backend)).toEqual(['press'])
  })
})

describe('Esc', () => {
  it('cancels from anywhere, a text field included', async () => {
    const { backend } = await open('talk')
    await fireEvent.keyDown(screen.getByRole('textbox'), { key: 'Escape' })
    expect(backend.cancelled).toBe(1)
  })

  it('while Space is held cancels, and the key coming up does not send', async () => {
    const { backend } = await open('talk')
    await fireEvent.keyDown(document.body, space)
    await fireEvent.keyDown(document.body, { key: 'Escape' })
    await fireEvent.keyUp(document.body, space)
    expect(said(backend)).toEqual(['press'])
    expect(backend.cancelled).toBe(1)
  })
})
