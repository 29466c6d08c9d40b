import { fireEvent, screen, within } from '@testing-library/svelte'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { failing } from '../backend/fake'
import { readySnapshot, sampleTurn } from '../backend/samples'
import type { TurnRecord } from '../generated/TurnRecord'
import { accessible, open, settle } from '../test/harness'
import { t } from '../lib/messages'
import { setPreferences } from '../lib/preferences.svelte'
import { exported } from './export'

const turn = (id: string, more: Partial<TurnRecord> = {}) => sampleTurn(id, { transcript: `Question ${id}`, ...more })
const many = (count: number) => Array.from({ length: count }, (_, i) => turn(String(999 - i)))
const heads = () => screen.queryAllByRole('button').filter((button) => button.classList.contains('head'))
const search = (words: string) => fireEvent.input(screen.getByRole('searchbox'), { target: { value: words } })
/** Waits until the pause after typing is over. */
const paused = async () => {
  await new Promise((resolve) => setTimeout(resolve, 300))
  await settle()
}

describe('the history', () => {
  it('shows what is found in the background', async () => {
    const { backend } = await open('history', { history: [sampleTurn('a', { transcript: 'Known' })] })
    backend.history = [sampleTurn('b', { transcript: 'Recovered' }), ...backend.history]
    backend.emit({ type: 'history' })
    await settle()
    expect(screen.getByText('Recovered')).toBeTruthy()
  })

  it('explains what will appear when it is empty', async () => {
    const { backend } = await open('history')
    expect(screen.getByText(/^No history yet/)).toBeTruthy()
    expect(screen.getByRole('link', { name: 'Ask something' }).getAttribute('href')).toBe('#talk')
    expect(backend.requests('history')).toContainEqual({ limit: 30 })
    await accessible()
  })

  it('says what is wrong with it, and that it is well again', async () => {
    const { backend } = await open('history', {
      snapshot: readySnapshot({ history_problem: 'The disk is full. Free some space.' }),
    })
    expect(screen.getByRole('alert').textContent).toContain('The disk is full. Free some space.')
    await accessible()
    backend.emit({ type: 'changed', snapshot: readySnapshot() })
    await settle()
    expect(screen.queryByRole('alert')).toBeNull()
  })

  it('shows that it is loading', async () => {
    await open('history', { handlers: { history: () => new Promise(() => undefined) } })
    expect(screen.getByText('Loading…')).toBeTruthy()
  })

  it('shows why loading failed and retries', async () => {
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

  it('expands a turn into its answer, provenance and actions', async () => {
    await open('history', { history: [turn('a')] })
    const [head] = heads()
    expect(head?.getAttribute('aria-expanded')).toBe('false')
    if (head) await fireEvent.click(head)
    expect(screen.getByText('uvicorn')).toBeTruthy()
    expect(screen.getByRole('button', { name: /^Gemini 3.5-flash-lite/ })).toBeTruthy()
    await accessible()
  })

  it('deletes the questions of a time, or all, after a choice and a named button', async () => {
    const today = new Date().toISOString()
    const { backend } = await open('history', { history: [turn('b', { started_at: today }), turn('a')] })
    await fireEvent.click(screen.getByRole('button', { name: 'Delete several…' }))
    await settle()
    const form = screen.getByRole('form', { name: 'Delete several…' })
    expect(document.activeElement).toBe(within(form).getByRole('radio', { name: 'Of the last hour' }))
    await accessible()
    await fireEvent.click(within(form).getByRole('button', { name: 'Delete' }))
    await settle()
    expect(backend.requests('delete_turns')).toHaveLength(1)
    expect(heads()).toHaveLength(1)
    expect(screen.getByText('Deleted 1 question, with answers and recordings.')).toBeTruthy()
    expect(document.activeElement?.textContent).toBe('Delete several…')

    await fireEvent.click(screen.getByRole('button', { name: 'Delete several…' }))
    await fireEvent.click(screen.getByRole('radio', { name: 'All of them' }))
    await fireEvent.click(screen.getByRole('button', { name: 'Delete' }))
    await settle()
    expect(backend.requests('delete_turns')[1]).toEqual({ all: true })
    expect(heads()).toHaveLength(0)
    expect(screen.getByText(/^No history yet/)).toBeTruthy()
  })

  it('deletes by age, and nothing when the choice is closed', async () => {
    const { backend } = await open('history', { history: [turn('a', { started_at: '2020-01-01T00:00:00Z' })] })
    await fireEvent.click(screen.getByRole('button', { name: 'Delete several…' }))
    await fireEvent.click(screen.getByRole('button', { name: 'Cancel' }))
    await settle()
    expect(screen.queryByRole('form')).toBeNull()
    expect(backend.requests('delete_turns')).toHaveLength(0)
    await fireEvent.click(screen.getByRole('button', { name: 'Delete several…' }))
    const age = screen.getByRole('spinbutton', { name: 'Age in days' })
    await fireEvent.focus(age)
    await fireEvent.input(age, { target: { value: '7' } })
    await fireEvent.click(screen.getByRole('button', { name: 'Delete' }))
    await settle()
    const [asked] = backend.requests('delete_turns') as { before: string }[]
    expect(Math.round((Date.now() - Date.parse(asked?.before ?? '')) / 86_400_000)).toBe(7)
    expect(heads()).toHaveLength(0)
  })

  it('labels failed and stopped turns', async () => {
    const failed = turn('b', { answer: '', error: { code: 'all_routes_failed', message: 'No provider could answer.' } })
    await open('history', { history: [failed, turn('a', { transcript: '', interrupted: true })] })
    expect(heads()[0]?.textContent).toMatch(/Question b\s*No provider could answer\.\s*failed/)
    expect(heads()[1]?.textContent).toMatch(/Not understood.*stopped/s)
    await accessible()
  })

  it('groups turns by day', async () => {
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

  it('loads many turns page by page', async () => {
    const { backend } = await open('history', { history: many(65) })
    expect(heads()).toHaveLength(30)
    await fireEvent.click(screen.getByRole('button', { name: 'Load earlier' }))
    await settle()
    expect(heads()).toHaveLength(60)
    expect(backend.requests('history').at(-1)).toEqual({ limit: 30, before: '970' })
    await fireEvent.click(screen.getByRole('button', { name: 'Load earlier' }))
    await settle()
    expect(heads()).toHaveLength(65)
    expect(screen.queryByRole('button', { name: 'Load earlier' })).toBeNull()
  })

  it('searches after a pause in typing and announces the number of results', async () => {
    const { backend } = await open('history', { history: [turn('port', { answer: 'A free port' }), turn('tea')] })
    await search('fr')
    await search('free port')
    await paused()
    expect(backend.requests('history').filter((query) => 'search' in (query as object))).toEqual([
      { limit: 30, search: 'free port' },
    ])
    expect(heads()).toHaveLength(1)
    expect(screen.getAllByRole('status').some((one) => one.textContent === '1 question')).toBe(true)
    await search('coffee')
    await paused()
    expect(screen.getByText('No results for “coffee”.')).toBeTruthy()
  })

  it('adds turns that end while it is open', async () => {
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

  it('is retried with the same or another route', async () => {
    const { backend } = await opened(turn('a'))
    await fireEvent.click(screen.getByRole('button', { name: 'Retry' }))
    await settle()
    await fireEvent.click(screen.getByRole('button', { name: 'Retry with…' }))
    await settle()
    await fireEvent.click(screen.getByRole('button', { name: 'Ask again' }))
    await settle()
    expect(backend.requests('retry')).toEqual([{ id: 'a' }, { id: 'a', overrides: { vlm: 'groq/qwen/qwen3.8-27b' } }])
    expect(screen.getByText(/^Asked again/)).toBeTruthy()
  })

  it('with stored speech is played and stopped', async () => {
    const { backend } = await opened(turn('a', { answer_audio: '/data/a.opus' }), {
      handlers: { replay: () => new Promise(() => undefined) },
    })
    await fireEvent.click(screen.getByRole('button', { name: 'Play' }))
    expect(backend.requests('replay')).toEqual([{ id: 'a' }])
    await fireEvent.click(screen.getByRole('button', { name: 'Stop' }))
    expect(backend.cancelled).toBe(1)
    expect(screen.getByRole('button', { name: 'Play' })).toBeTruthy()
  })

  it.each([
    [{ reason: 'age', days: 30 }, 'The recording was deleted after 30 days.'],
    [{ reason: 'space', gigabytes: 5 }, 'The recording was deleted because all recordings together had reached 5 GB.'],
    [{ reason: 'unknown' }, 'The recording was deleted.'],
  ] as const)('whose recording was deleted says why and is not played', async (recordings_deleted, message) => {
    await opened(turn('a', { recordings_deleted }))
    expect(screen.getByText(message)).toBeTruthy()
    expect(screen.queryByRole('button', { name: 'Play' })).toBeNull()
    await accessible()
  })

  it('that cannot be retried shows why', async () => {
    const gone = failing({ code: 'not_found', message: 'Nothing of this question was kept.' })
    await opened(turn('a'), { handlers: { retry: gone } })
    await fireEvent.click(screen.getByRole('button', { name: 'Retry' }))
    await settle()
    expect(screen.getByText('Nothing of this question was kept.')).toBeTruthy()
  })

  it('is deleted when the toast goes without an undo', async () => {
    const { backend } = await opened(turn('a'))
    await fireEvent.click(screen.getByRole('button', { name: 'Delete “Question a”' }))
    await settle()
    expect(heads()).toHaveLength(0)
    expect(backend.requests('delete_turn')).toEqual([])
    await fireEvent.click(screen.getByRole('button', { name: 'Dismiss' }))
    await settle()
    expect(backend.requests('delete_turn')).toEqual([{ id: 'a' }])
    expect(backend.history).toEqual([])
  })

  it('that is deleted passes the focus to the one in its place, at last to the search', async () => {
    await open('history', { history: many(2) })
    for (const next of ['Question 998', '']) {
      const [head] = heads()
      if (head) await fireEvent.click(head)
      const bin = screen.getByRole('button', { name: /^Delete “/ })
      bin.focus()
      await fireEvent.click(bin)
      await settle()
      if (next === '') expect(document.activeElement).toBe(screen.getByRole('searchbox'))
      else expect(document.activeElement?.textContent).toContain(next)
    }
  })

  it('comes back with Undo', async () => {
    const { backend } = await opened(turn('a'))
    await fireEvent.click(screen.getByRole('button', { name: 'Delete “Question a”' }))
    await settle()
    await fireEvent.click(screen.getByRole('button', { name: 'Undo' }))
    await settle()
    expect(heads()).toHaveLength(1)
    await fireEvent.click(screen.getByRole('button', { name: 'Dismiss' }))
    expect(backend.requests('delete_turn')).toEqual([])
  })

  it('is deleted when the window closes', async () => {
    const { backend } = await opened(turn('a'))
    await fireEvent.click(screen.getByRole('button', { name: 'Delete “Question a”' }))
    await fireEvent(window, new Event('pagehide'))
    expect(backend.requests('delete_turn')).toEqual([{ id: 'a' }])
  })

  it('reappears when it could not be deleted', async () => {
    await opened(turn('a'), { handlers: { delete_turn: failing({ code: 'storage', message: 'The disk is read-only.' }) } })
    await fireEvent.click(screen.getByRole('button', { name: 'Delete “Question a”' }))
    await settle()
    await fireEvent.click(screen.getByRole('button', { name: 'Dismiss' }))
    await settle()
    expect(heads()).toHaveLength(1)
    expect(screen.getByText('Couldn’t delete it. The disk is read-only.')).toBeTruthy()
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

  it('writes the whole history to a file and shows its path', async () => {
    const { backend } = await open('history', { history: many(65) })
    await copyAs('Markdown')
    await settle()
    expect(backend.requests('export')).toEqual([{ format: 'markdown' }])
    expect(screen.getByText('Saved 65 questions to /home/me/aura-history.md.')).toBeTruthy()
    expect(write).not.toHaveBeenCalled()
  })

  it('that cannot be written shows why', async () => {
    const full = failing({ code: 'storage', message: 'The disk is full.' })
    await open('history', { history: [turn('a')], handlers: { export: full } })
    await copyAs('JSON')
    await settle()
    expect(screen.getByText('The disk is full.')).toBeTruthy()
  })

  it('of a search contains all results, not only the loaded pages', async () => {
    const { backend } = await open('history', { history: many(65) })
    await search('Question')
    await paused()
    await copyAs('JSON')
    await settle()
    expect(backend.requests('history').at(-1)).toEqual({ limit: 1000, search: 'Question' })
    const kept = JSON.parse(write.mock.calls[0]?.[0] ?? '') as TurnRecord[]
    expect(kept).toHaveLength(65)
    expect(kept[0]?.id).toBe('935')
    expect(screen.getByText('Copied 65 questions to the clipboard.')).toBeTruthy()
  })

  it('of a search contains only the results', async () => {
    await open('history', { history: [turn('port'), turn('tea')] })
    await search('tea')
    await paused()
    expect(screen.getByRole('group', { name: 'Copy results as' })).toBeTruthy()
    await copyAs('Markdown')
    await settle()
    expect(write.mock.calls[0]?.[0]).toContain('> Question tea')
    expect(write.mock.calls[0]?.[0]).not.toContain('Question port')
  })

  it('reports a missing clipboard', async () => {
    write.mockRejectedValue(new Error('denied'))
    await open('history', { history: [turn('a')] })
    await search('Question')
    await paused()
    await copyAs('Markdown')
    await settle()
    expect(screen.getByText('Couldn’t copy to the clipboard.')).toBeTruthy()
  })

  it.each([
    ['en', 1, 'Saved 1 question to /x.'],
    ['en', 2, 'Saved 2 questions to /x.'],
    ['de', 1, '1 Frage gespeichert in /x.'],
    ['de', 0, '0 Fragen gespeichert in /x.'],
  ] as const)('counts in %s: %d', (language, turns, said) => {
    setPreferences({ language })
    expect(t.history.saved(turns, '/x')).toBe(said)
  })

  it('as Markdown lists the turns, oldest first', () => {
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
