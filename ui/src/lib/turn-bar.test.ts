/** A recording is seen and can be stopped wherever the user is, and the window says what ends it. */
import { fireEvent, screen, within } from '@testing-library/svelte'
import { describe, expect, it } from 'vitest'
import { readySnapshot } from '../backend/samples'
import type { TalkKeyMode } from '../generated/TalkKeyMode'
import { accessible, open, settle } from '../test/harness'
import { sendHint } from './send-hint'

const space = { code: 'Space', key: ' ' }
const begin = [
  { type: 'stage', turn: 'a', stage: 'listening' },
  { type: 'recording', turn: 'a' },
  { type: 'level', level: 0.6, elapsed_ms: 3100 },
] as const
const bar = () => screen.getByRole('region', { name: 'In progress' })

describe.each(['providers', 'health', 'history', 'settings'])('in %s, a recording', (panel) => {
  it('is shown with its level, its time and what ends it, and can be sent or cancelled', async () => {
    const { backend, view } = await open(panel)
    expect(screen.queryByRole('region', { name: 'In progress' })).toBeNull()
    backend.emit(...begin)
    await settle()
    expect(bar().textContent).toContain('Listening 0:03')
    expect(bar().textContent).toContain('Release to send')
    expect(
      Number.parseFloat(view.container.querySelector<HTMLElement>('.wave i:last-child')?.style.height ?? ''),
    ).toBeGreaterThan(50)
    // Screen readers hear it in every panel too.
    expect(screen.getAllByRole('status').some((one) => one.textContent === 'Listening')).toBe(true)
    await accessible()
    await fireEvent.click(within(bar()).getByRole('button', { name: 'Send' }))
    expect(backend.requests('finish')).toEqual([{}])
    await fireEvent.click(within(bar()).getByRole('button', { name: /^Cancel/ }))
    expect(backend.cancelled).toBe(1)
    backend.emit({ type: 'stage', turn: 'a', stage: 'idle' })
    await settle()
    expect(screen.queryByRole('region', { name: 'In progress' })).toBeNull()
  })
})

it('an answer that is being spoken can be stopped in every panel', async () => {
  const { backend } = await open('settings')
  backend.emit({ type: 'stage', turn: 'a', stage: 'speaking' })
  await settle()
  expect(within(bar()).getByRole('link', { name: 'Show conversation' }).getAttribute('href')).toBe('#talk')
  await fireEvent.click(within(bar()).getByRole('button', { name: /^Stop/ }))
  expect(backend.cancelled).toBe(1)
  await accessible()
})

describe('what ends the recording', () => {
  const at = (mode: TalkKeyMode) => {
    const snapshot = readySnapshot()
    snapshot.settings.listening.mode = mode
    return { snapshot }
  }

  it('is the release while Space is down, and a tap once it is up', async () => {
    const { backend } = await open('talk', at('auto'))
    await fireEvent.keyDown(document.body, space)
    backend.emit(...begin)
    await settle()
    expect(screen.getByText('Release to send')).toBeTruthy()
    // A short tap: the recording goes on.
    await fireEvent.keyUp(document.body, space)
    await settle()
    expect(screen.getByText('Tap again to send')).toBeTruthy()
    expect(screen.queryByText('Release to send')).toBeNull()
    // The next recording comes from the shortcut.
    backend.emit({ type: 'stage', turn: 'a', stage: 'idle' }, ...begin)
    await settle()
    expect(screen.getByText('Release to send')).toBeTruthy()
  })

  it('is a tap after Enter on the talk button', async () => {
    const { backend } = await open('talk', at('hold'))
    await fireEvent.click(screen.getByRole('button', { name: 'Talk' }), { detail: 0 })
    backend.emit(...begin)
    await settle()
    expect(screen.getByText('Tap again to send')).toBeTruthy()
  })

  it('is a tap once a tap has left the recording running', async () => {
    const { backend } = await open('talk', at('auto'))
    backend.emit(...begin)
    await settle()
    expect(screen.getByText('Release to send')).toBeTruthy()
    backend.emit({ type: 'latched', turn: 'other' })
    await settle()
    expect(screen.getByText('Release to send')).toBeTruthy()
    backend.emit({ type: 'latched', turn: 'a' })
    await settle()
    expect(screen.getByText('Tap again to send')).toBeTruthy()
  })

  it.each<[TalkKeyMode, boolean, string]>([
    ['auto', false, 'release'],
    ['auto', true, 'tap'],
    ['hold', false, 'release'],
    ['hold', true, 'tap'],
    ['toggle', false, 'tap'],
    ['toggle', true, 'tap'],
  ])('in the mode %s, latched: %s, is %s', (mode, latched, expected) => {
    expect(sendHint(mode, latched, false)).toBe(expected)
    expect(sendHint(mode, latched, true)).toBe('pause')
  })
})
