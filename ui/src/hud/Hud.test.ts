import { render, screen } from '@testing-library/svelte'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { FakeBackend } from '../backend/fake'
import { readySnapshot, sampleTurn } from '../backend/samples'
import { accessible, settle } from '../test/stage'
import Hud from './Hud.svelte'
import { quiet, reduceOverlay } from './overlay'

async function overlay() {
  const backend = new FakeBackend()
  const view = render(Hud, { backend })
  await settle()
  return { backend, view }
}

// Only the timers that the overlay itself waits for.
beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'], shouldAdvanceTime: true }))
afterEach(() => void vi.useRealTimers())

describe('the overlay', () => {
  it('shows nothing when nothing is going on', async () => {
    const { view } = await overlay()
    expect(view.container.querySelector('.card')).toBeNull()
  })

  it('shows state, level, time and what to do, and asks for nothing', async () => {
    const { backend, view } = await overlay()
    backend.emit({ type: 'stage', turn: 'a', stage: 'listening' })
    await settle()
    expect(screen.getByRole('status').textContent).toBe('Getting ready')
    backend.emit({ type: 'recording', turn: 'a' }, { type: 'level', level: 1, elapsed_ms: 3100 })
    await settle()
    expect(screen.getByRole('status').textContent).toBe('Listening')
    expect(view.container.textContent).toContain('3.1 s')
    expect(view.container.textContent).toContain('Release to send')
    expect(view.container.textContent).toContain('Esc to cancel')
    expect(view.container.querySelector<HTMLElement>('.wave i:last-child')?.style.height).toBe('100%')
    await accessible()
    expect(backend.calls).toEqual([])
  })

  it('shows the question, then the sentence that is heard, then goes away', async () => {
    const { backend, view } = await overlay()
    backend.emit({ type: 'stage', turn: 'a', stage: 'thinking' }, { type: 'transcript', turn: 'a', text: 'Why?' })
    await settle()
    expect(view.container.textContent).toContain('Why?')
    backend.emit({ type: 'stage', turn: 'a', stage: 'speaking' }, { type: 'speaking', turn: 'a', sentence: 'Because.' })
    await settle()
    expect(view.container.textContent).toContain('Because.')
    backend.emit({ type: 'done', record: sampleTurn('a') }, { type: 'stage', turn: 'a', stage: 'idle' })
    await settle()
    // What was heard last stays for as long as the window does, and nothing moves any more.
    expect(screen.getByRole('status').textContent).toBe('Done')
    expect(view.container.textContent).toContain('Because.')
    expect(view.container.querySelector('.busy')).toBeNull()
    vi.advanceTimersByTime(9000)
    await settle()
    expect(view.container.querySelector('.card')).toBeNull()
  })

  it('says what went wrong, and that nothing is lost', async () => {
    const { backend, view } = await overlay()
    const error = { code: 'all_routes_failed' as const, message: 'Nobody could answer. Check the network, then retry.' }
    backend.emit(
      { type: 'stage', turn: 'a', stage: 'thinking' },
      { type: 'stage', turn: 'a', stage: 'idle' },
      { type: 'done', record: sampleTurn('a', { error }) },
    )
    await settle()
    expect(screen.getByRole('status').textContent).toBe('That did not work')
    expect(view.container.textContent).toContain(error.message)
    expect(view.container.textContent).toContain('Open AURA to retry.')
    await accessible()
    // The next one begins afresh: the window comes up with how things are, then with the stage.
    backend.emit({ type: 'changed', snapshot: { ...backend.snapshot, stage: 'listening' } })
    await settle()
    expect(view.container.querySelector('.card')).toBeNull()
    backend.emit({ type: 'stage', turn: 'b', stage: 'listening' })
    await settle()
    expect(view.container.textContent).not.toContain(error.message)
  })

  it('that was stopped says no more than that', async () => {
    const { backend, view } = await overlay()
    backend.emit(
      { type: 'stage', turn: 'a', stage: 'speaking' },
      { type: 'speaking', turn: 'a', sentence: 'Because.' },
      { type: 'done', record: sampleTurn('a', { interrupted: true }) },
    )
    await settle()
    expect(view.container.querySelector('.card')?.textContent?.trim()).toBe('Stopped')
  })

  it('stays with the turn that followed an interrupted one, and knows the mode', () => {
    const snapshot = readySnapshot()
    snapshot.settings.listening.mode = 'toggle'
    const state = [
      { type: 'changed', snapshot } as const,
      { type: 'stage', turn: 'a', stage: 'speaking' } as const,
      { type: 'stage', turn: 'b', stage: 'listening' } as const,
      { type: 'stage', turn: 'a', stage: 'idle' } as const,
    ].reduce(reduceOverlay, quiet)
    expect(state).toMatchObject({ turn: 'b', stage: 'listening', mode: 'toggle' })
  })
})
