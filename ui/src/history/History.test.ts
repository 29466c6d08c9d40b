import { fireEvent, screen, within } from '@testing-library/svelte'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { failing } from '../backend/fake'
import { readySnapshot, sampleTurn } from '../backend/samples'
import type { TurnRecord } from '../generated/TurnRecord'
import { accessible, open, settle } from '../test/stage'
import { exported } from './export'

const turn = (id: string, more: Partial<TurnRecord> = {}) => sampleTurn(id, { transcript: `Question ${id}`, ...more })
const many = (count: number) => Array.from({ length: count }, (_, i) => turn(String(999 - i)))
const heads = () => screen.queryAllByRole('button').filter((button) => button.classList.contains('head'))
const search = (words: string) => fireEvent.input(screen.getByRole('searchbox'), { target: { value: words } })
/** The pause after typing is over. */
const paused = async () => {
  await new Promise((resolve) => setTimeout(resolve, 300))
  await settle()
}

describe('the history', () => {
  it('when empty says what will be there', async () => {
    const { backend } = await open('history')
    expect(screen.getByText(/^Nothing yet/)).toBeTruthy()
    expect(screen.getByRole('link', { name: 'Ask something' }).getAttribute('href')).toBe('#talk')
    expect(backend.asked('history')).toContainEqual({ limit: 30 })
    await accessible()
  })

  it('while it loads says so', async () => {
    await open('history', { handlers: { history: () => new Promise(() => undefined) } })
    expect(screen.getByText('Loading')).toBeTruthy()
  })

  it('when it fails says why and tries again', async () => {
    let broken = true
    await open('history', {
      handlers: {
        history: () => {
          if (broken) throw { code: 'storage', message: 'The disk is gone.' }
          return [turn('a')]
        },
      },
    })
    expect(screen.getByRole('alert').textContent).toContain('The disk is gone.')
    await accessible()
    broken = false
    await fireEvent.click(screen.getByRole('button', { name: 'Try again' }))
    await settle()
    expect(heads()).toHaveLength(1)
  })

  it('opens a turn into its answer, how it came about, and what can be done', async () => {
    await open('history', { history: [turn('a')] })
    const [head] = heads()
    expect(head?.getAttribute('aria-expanded')).toBe('false')
    if (head) await fireEvent.click(head)
    expect(screen.getByText('uvicorn')).toBeTruthy()
    expect(screen.getByRole('button', { name: /^Gemini 3.5-flash-lite/ })).toBeTruthy()
    await accessible()
  })

  it('shows what failed and what was stopped, in words', async () => {
    const failed = turn('b', { answer: '', error: { code: 'all_routes_failed', message: 'Nobody could answer.' } })
    await open('history', { history: [failed, turn('a', { transcript: '', interrupted: true })] })
    expect(heads()[0]?.textContent).toMatch(/Question b\s*Nobody could answer\.\s*failed/)
    expect(heads()[1]?.textContent).toMatch(/Not understood.*stopped/s)
    await accessible()
  })

  it('puts turns under their days', async () => {
    const yesterday = new Date(Date.now() - 86_400_000).toISOString()
    await open('history', {
      history: [
        turn('c', { started_at: new Date().toISOString() }),
        turn('b', { started_at: yesterday }),
        turn('a', { started_at: '2026-01-02T12:00:00Z' }),
      ],
    })
    expect(screen.getAllByRole('heading', { level: 2 }).map((one) => one.textContent)).toEqual([
      'Today',
      'Yesterday',
      expect.stringMatching(/^Friday,? 2 January 2026$/),
    ])
  })

  it('gives many a page at a time', async () => {
    const { backend } = await open('history', { history: many(65) })
    expect(heads()).toHaveLength(30)
    await fireEvent.click(screen.getByRole('button', { name: 'Earlier ones' }))
    await settle()
    expect(heads()).toHaveLength(60)
    expect(backend.asked('history').at(-1)).toEqual({ limit: 30, before: '970' })
    await fireEvent.click(screen.getByRole('button', { name: 'Earlier ones' }))
    await settle()
    expect(heads()).toHaveLength(65)
    expect(screen.queryByRole('button', { name: 'Earlier ones' })).toBeNull()
  })

  it('is searched once the typing pauses, and says what was found', async () => {
    const { backend } = await open('history', { history: [turn('port', { answer: 'A free port' }), turn('tea')] })
    await search('fr')
    await search('free port')
    await paused()
    expect(backend.asked('history').filter((query) => 'search' in (query as object))).toEqual([
      { limit: 30, search: 'free port' },
    ])
    expect(heads()).toHaveLength(1)
    expect(screen.getAllByRole('status').some((one) => one.textContent === '1 question')).toBe(true)
    await search('coffee')
    await paused()
    expect(screen.getByText('Nothing holds “coffee”.')).toBeTruthy()
  })

  it('takes in what is asked meanwhile', async () => {
    const { backend } = await open('history')
    backend.history = [turn('a')]
    backend.emit({ type: 'done', record: turn('a') })
    await settle()
    expect(heads()).toHaveLength(1)
  })
})

describe('a turn', () => {
  const opened = async (record: TurnRecord, script = {}) => {
    const view = await open('history', { history: [record], ...script })
    const [head] = heads()
    if (head) await fireEvent.click(head)
    return view
  }

  it('is asked again, by the same or by somebody else', async () => {
    const { backend } = await opened(turn('a'))
    await fireEvent.click(screen.getByRole('button', { name: 'Retry' }))
    await settle()
    await fireEvent.click(screen.getByRole('button', { name: 'Retry with…' }))
    await settle()
    await fireEvent.click(screen.getByRole('button', { name: 'Ask again' }))
    await settle()
    expect(backend.asked('retry')).toEqual([{ id: 'a' }, { id: 'a', wishes: { vlm: 'groq/qwen/qwen3.8-27b' } }])
    expect(screen.getByText(/^Asked again/)).toBeTruthy()
  })

  it('is heard again where its speech was kept, and stopped', async () => {
    const { backend } = await opened(turn('a', { answer_audio: '/data/a.opus' }), {
      handlers: { replay: () => new Promise(() => undefined) },
    })
    await fireEvent.click(screen.getByRole('button', { name: 'Play' }))
    expect(backend.asked('replay')).toEqual([{ id: 'a' }])
    await fireEvent.click(screen.getByRole('button', { name: 'Stop' }))
    expect(backend.cancelled).toBe(1)
    expect(screen.getByRole('button', { name: 'Play' })).toBeTruthy()
  })

  it('that cannot be asked again says why', async () => {
    const gone = failing({ code: 'not_found', message: 'Nothing of this question was kept.' })
    await opened(turn('a'), { handlers: { retry: gone } })
    await fireEvent.click(screen.getByRole('button', { name: 'Retry' }))
    await settle()
    expect(screen.getByText('Nothing of this question was kept.')).toBeTruthy()
  })

  it('is deleted when nobody takes it back', async () => {
    const { backend } = await opened(turn('a'))
    await fireEvent.click(screen.getByRole('button', { name: 'Delete “Question a”' }))
    await settle()
    expect(heads()).toHaveLength(0)
    expect(backend.asked('delete_turn')).toEqual([])
    await fireEvent.click(screen.getByRole('button', { name: 'Dismiss' }))
    await settle()
    expect(backend.asked('delete_turn')).toEqual([{ id: 'a' }])
    expect(backend.history).toEqual([])
  })

  it('comes back with Undo', async () => {
    const { backend } = await opened(turn('a'))
    await fireEvent.click(screen.getByRole('button', { name: 'Delete “Question a”' }))
    await settle()
    await fireEvent.click(screen.getByRole('button', { name: 'Undo' }))
    await settle()
    expect(heads()).toHaveLength(1)
    await fireEvent.click(screen.getByRole('button', { name: 'Dismiss' }))
    expect(backend.asked('delete_turn')).toEqual([])
  })

  it('is deleted when the window goes', async () => {
    const { backend } = await opened(turn('a'))
    await fireEvent.click(screen.getByRole('button', { name: 'Delete “Question a”' }))
    await fireEvent(window, new Event('pagehide'))
    expect(backend.asked('delete_turn')).toEqual([{ id: 'a' }])
  })

  it('that could not be deleted is there again', async () => {
    await opened(turn('a'), { handlers: { delete_turn: failing({ code: 'storage', message: 'The disk is read-only.' }) } })
    await fireEvent.click(screen.getByRole('button', { name: 'Delete “Question a”' }))
    await settle()
    await fireEvent.click(screen.getByRole('button', { name: 'Dismiss' }))
    await settle()
    expect(heads()).toHaveLength(1)
    expect(screen.getByText('It could not be deleted. The disk is read-only.')).toBeTruthy()
  })
})

describe('the export', () => {
  const write = vi.fn<(text: string) => Promise<void>>()
  beforeEach(() => {
    write.mockReset().mockResolvedValue()
    Object.defineProperty(navigator, 'clipboard', { configurable: true, value: { writeText: write } })
  })
  afterEach(() => {
    Reflect.deleteProperty(navigator, 'clipboard')
  })
  const copyAs = (name: string) => fireEvent.click(within(screen.getByRole('group')).getByRole('button', { name }))

  it('puts everything into a file, and says where it is', async () => {
    const { backend } = await open('history', { history: many(65) })
    await copyAs('Markdown')
    await settle()
    expect(backend.asked('export')).toEqual([{ format: 'markdown' }])
    expect(screen.getByText('65 questions are in /home/me/aura-history.md.')).toBeTruthy()
    expect(write).not.toHaveBeenCalled()
  })

  it('that cannot be written says why', async () => {
    const full = failing({ code: 'storage', message: 'The disk is full.' })
    await open('history', { history: [turn('a')], handlers: { export: full } })
    await copyAs('JSON')
    await settle()
    expect(screen.getByText('The disk is full.')).toBeTruthy()
  })

  it('of a search takes all that was found, not only what is shown', async () => {
    const { backend } = await open('history', { history: many(65) })
    await search('Question')
    await paused()
    await copyAs('JSON')
    await settle()
    expect(backend.asked('history').at(-1)).toEqual({ limit: 1000, search: 'Question' })
    const kept = JSON.parse(write.mock.calls[0]?.[0] ?? '') as TurnRecord[]
    expect(kept).toHaveLength(65)
    expect(kept[0]?.id).toBe('935')
    expect(screen.getByText('65 questions are on the clipboard.')).toBeTruthy()
  })

  it('of a search is what was found', async () => {
    await open('history', { history: [turn('port'), turn('tea')] })
    await search('tea')
    await paused()
    expect(screen.getByRole('group', { name: 'Copy what was found as' })).toBeTruthy()
    await copyAs('Markdown')
    await settle()
    expect(write.mock.calls[0]?.[0]).toContain('> Question tea')
    expect(write.mock.calls[0]?.[0]).not.toContain('Question port')
  })

  it('without a clipboard says so', async () => {
    write.mockRejectedValue(new Error('denied'))
    await open('history', { history: [turn('a')] })
    await search('Question')
    await paused()
    await copyAs('Markdown')
    await settle()
    expect(screen.getByText('The clipboard could not be used.')).toBeTruthy()
  })

  it('as Markdown reads like a conversation, the oldest first', () => {
    const failed = turn('b', { transcript: 'One\n# Two', answer: '', stages: [], error: { code: 'no_route', message: 'No.' } })
    expect(exported('markdown', readySnapshot(), [failed, turn('a', { answer: 'Yes.' })])).toBe(
      [
        '# AURA history',
        '## 2026-11-22T14:31:02Z · Gemini · 3.5-flash-lite · $0.0006',
        '> Question a',
        'Yes.',
        '## 2026-11-22T14:31:02Z',
        '> One\n> # Two',
        '*Error: No.*\n',
      ].join('\n\n'),
    )
  })
})
