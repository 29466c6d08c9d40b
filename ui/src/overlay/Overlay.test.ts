import { render, screen } from '@testing-library/svelte'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { FakeBackend } from '../backend/fake'
import { readySnapshot, sampleTurn } from '../backend/samples'
import { accessible, settle } from '../test/harness'
import Overlay from './Overlay.svelte'
import { idleOverlay, reduceOverlay } from './state'

async function overlay() {
  const backend = new FakeBackend()
  const view = render(Overlay, { backend })
  await settle()
  return { backend, view }
}

// Fakes only the timers that the overlay uses.
beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'], shouldAdvanceTime: true }))
afterEach(() => void vi.useRealTimers())

describe('the overlay', () => {
  it('is empty when idle', async () => {
    const { view } = await overlay()
    expect(view.container.querySelector('.card')).toBeNull()
  })

  it('shows state, level, time and a hint, and calls no operation', async () => {
    const { backend, view } = await overlay()
    backend.emit({ type: 'stage', turn: 'a', stage: 'listening' })
    await settle()
    expect(screen.getByRole('status').textContent).toBe('Getting ready')
    backend.emit({ type: 'recording', turn: 'a' }, { type: 'level', level: 1, elapsed_ms: 3100 })
    await settle()
    expect(screen.getByRole('status').textContent).toBe('Listening')
    expect(view.container.textContent).toContain('3.1 s')
    expect(view.container.textContent).toContain('Release to send')
    backend.emit({ type: 'latched', turn: 'a' })
    await settle()
    expect(view.container.textContent).toContain('Tap again to send')
    expect(view.container.textContent).toContain('Esc to cancel')
    expect(view.container.querySelector<HTMLElement>('.wave i:last-child')?.style.height).toBe('100%')
    await accessible()
    expect(backend.calls).toEqual([])
  })

  it('shows words while they are spoken, and which of them may still change', async () => {
    const { backend, view } = await overlay()
    backend.emit({ type: 'stage', turn: 'a', stage: 'listening' }, { type: 'recording', turn: 'a' })
    backend.emit({ type: 'partial', turn: 'a', committed: `${'word '.repeat(60)}last`, tentative: ' wor' })
    await settle()
    const line = view.container.querySelector('p')
    expect(line?.textContent?.startsWith('… word')).toBe(true)
    expect(line?.textContent?.endsWith('last wor')).toBe(true)
    expect(line?.querySelector('.tentative')?.textContent).toBe(' wor')
    expect(line?.closest('[role=status], [aria-live]')).toBeNull()
    backend.emit(
      { type: 'transcript', turn: 'a', text: 'Why?' },
      { type: 'partial', turn: 'a', committed: 'Late', tentative: '' },
    )
    await settle()
    expect(view.container.querySelector('p')?.textContent).toBe('Why?')
    await accessible()
  })

  it('shows the question, then the spoken sentence, then disappears', async () => {
    const { backend, view } = await overlay()
    backend.emit({ type: 'stage', turn: 'a', stage: 'thinking' }, { type: 'transcript', turn: 'a', text: 'Why?' })
    await settle()
    expect(view.container.textContent).toContain('Why?')
    backend.emit({ type: 'stage', turn: 'a', stage: 'speaking' }, { type: 'speaking', turn: 'a', sentence: 'Because.' })
    await settle()
    expect(view.container.textContent).toContain('Because.')
    backend.emit({ type: 'done', record: sampleTurn('a') }, { type: 'stage', turn: 'a', stage: 'idle' })
    await settle()
    // The last sentence stays while the window is visible, without animation.
    expect(screen.getByRole('status').textContent).toBe('Done')
    expect(view.container.textContent).toContain('Because.')
    expect(view.container.querySelector('.busy')).toBeNull()
    vi.advanceTimersByTime(9000)
    await settle()
    expect(view.container.querySelector('.card')).toBeNull()
  })

  it('shows the written answer when answers are not spoken, and keeps it at the end', async () => {
    const { backend, view } = await overlay()
    const card = () => view.container.querySelector('.card')?.textContent ?? ''
    backend.emit(
      { type: 'stage', turn: 'a', stage: 'thinking' },
      { type: 'transcript', turn: 'a', text: 'How do I find a free port?' },
      { type: 'text', turn: 'a', delta: 'Run `ss -ltn` and **pick** ' },
      { type: 'text', turn: 'a', delta: 'one of 2*3*4.' },
    )
    await settle()
    expect(card()).toContain('Run ss -ltn and pick one of 2*3*4.')
    const answer = 'Run `ss -ltn` and **pick** one of 2*3*4.'
    backend.emit({ type: 'done', record: sampleTurn('a', { answer, spoken: '' }) }, { type: 'stage', turn: 'a', stage: 'idle' })
    await settle()
    expect(card()).toContain('Done')
    expect(card()).toContain('Run ss -ltn and pick one of 2*3*4.')
    expect(card()).not.toContain('How do I find')
  })

  it('shows the end of a long answer', async () => {
    const { backend, view } = await overlay()
    const long = Array.from({ length: 400 }, (_, i) => `word${i}`).join(' ')
    backend.emit({ type: 'stage', turn: 'a', stage: 'thinking' }, { type: 'text', turn: 'a', delta: long })
    await settle()
    const text = view.container.querySelector('p')?.textContent ?? ''
    expect(text).toMatch(/^… word\d+ .* word399$/)
    expect(text.length).toBeLessThan(160)
  })

  it('says who thinks, and who after a failure', async () => {
    const { backend } = await overlay()
    backend.emit({ type: 'changed', snapshot: readySnapshot() }, { type: 'stage', turn: 'a', stage: 'thinking' })
    await settle()
    expect(screen.getByRole('status').textContent).toBe('Thinking · Groq')
    const failed = sampleTurn('a').stages[2]?.attempts[0]
    if (failed) backend.emit({ type: 'attempt', turn: 'a', attempt: { ...failed, service: 'llm' } })
    await settle()
    expect(screen.getByRole('status').textContent).toBe('Thinking · Gemini')
  })

  it('says that the model looks at the screen, and who answers from the picture', async () => {
    const { backend, view } = await overlay()
    backend.emit({ type: 'changed', snapshot: readySnapshot() }, { type: 'stage', turn: 'a', stage: 'thinking' })
    await settle()
    expect(view.container.textContent).not.toContain('Screen attached')
    backend.emit(
      { type: 'stage', turn: 'a', stage: 'looking' },
      { type: 'seen', turn: 'a', seen: { width: 1568, height: 882, bytes: 182_000 } },
    )
    await settle()
    expect(screen.getByRole('status').textContent).toBe('Looking at your screen')
    backend.emit({ type: 'stage', turn: 'a', stage: 'thinking' })
    await settle()
    const sees = readySnapshot().routes.find((view) => view.service === 'vlm')?.routes[0]?.provider
    const label = readySnapshot().providers.find((provider) => provider.name === sees)?.label
    expect(screen.getByRole('status').textContent).toBe(`Thinking · ${label}`)
    expect(view.container.textContent).toContain('Screen attached')
  })

  it('follows the theme of the settings', async () => {
    const { backend } = await overlay()
    for (const theme of ['dark', 'light'] as const) {
      const snapshot = readySnapshot()
      snapshot.settings.appearance.theme = theme
      backend.emit({ type: 'changed', snapshot })
      await settle()
      expect(document.documentElement.dataset.theme).toBe(theme)
    }
  })

  it('shows the error and that the question can be retried', async () => {
    const { backend, view } = await overlay()
    const error = { code: 'all_routes_failed' as const, message: 'No provider could answer. Check the network, then retry.' }
    backend.emit(
      { type: 'stage', turn: 'a', stage: 'thinking' },
      { type: 'stage', turn: 'a', stage: 'idle' },
      { type: 'done', record: sampleTurn('a', { error }) },
    )
    await settle()
    expect(screen.getByRole('status').textContent).toBe('Something went wrong')
    expect(view.container.textContent).toContain(error.message)
    expect(view.container.textContent).toContain('Open AURA to retry.')
    await accessible()
    // The next turn starts clean: the window opens with a snapshot, then a stage.
    backend.emit({ type: 'changed', snapshot: { ...backend.snapshot, stage: 'listening' } })
    await settle()
    expect(view.container.querySelector('.card')).toBeNull()
    backend.emit({ type: 'stage', turn: 'b', stage: 'listening' })
    await settle()
    expect(view.container.textContent).not.toContain(error.message)
  })

  it('shows only "Stopped" after a stop', async () => {
    const { backend, view } = await overlay()
    backend.emit(
      { type: 'stage', turn: 'a', stage: 'speaking' },
      { type: 'speaking', turn: 'a', sentence: 'Because.' },
      { type: 'done', record: sampleTurn('a', { interrupted: true }) },
    )
    await settle()
    expect(view.container.querySelector('.card')?.textContent?.trim()).toBe('Stopped')
  })

  it('stays with the successor of an interrupted turn and follows the mode', () => {
    const snapshot = readySnapshot()
    snapshot.settings.listening.mode = 'toggle'
    const state = [
      { type: 'changed', snapshot } as const,
      { type: 'stage', turn: 'a', stage: 'speaking' } as const,
      { type: 'stage', turn: 'b', stage: 'listening' } as const,
      { type: 'stage', turn: 'a', stage: 'idle' } as const,
    ].reduce(reduceOverlay, idleOverlay)
    expect(state).toMatchObject({ turn: 'b', stage: 'listening', snapshot: { settings: { listening: { mode: 'toggle' } } } })
  })

  it('shows what AURA asks, exactly, and how to answer', async () => {
    const { backend, view } = await overlay()
    const consent = {
      id: 'q1',
      turn: 'a',
      tool: 'set_clipboard',
      action: { kind: 'set_clipboard' as const, text: 'Dear Ana' },
      sentence: '',
      may_remember: false,
      expires_at: '2026-11-29T12:00:00Z',
    }
    backend.emit({ type: 'stage', turn: 'a', stage: 'thinking' }, { type: 'consent', turn: 'a', consent })
    await settle()
    expect(screen.getByRole('status').textContent).toBe('Put this text on the clipboard?')
    expect(view.container.textContent).toContain('AURA has read text that is not yours. It may be behind this. Dear Ana')
    expect(view.container.textContent).toContain('say yes or no')
    backend.emit({ type: 'consent', turn: 'a' })
    await settle()
    expect(view.container.textContent).not.toContain('Dear Ana')
  })
})
