import { fireEvent, screen, within } from '@testing-library/svelte'
import { describe, expect, it } from 'vitest'
import { failing } from '../backend/fake'
import { freshSnapshot, readySnapshot, sampleTurn } from '../backend/samples'
import { accessible, open, settle } from '../test/stage'

const status = (text: string) => screen.getAllByRole('status').some((element) => element.textContent === text)

describe('the conversation', () => {
  it('when empty says what will happen and how', async () => {
    await open('talk')
    expect(screen.getByRole('heading', { name: 'Hold a key and speak' })).toBeTruthy()
    expect(screen.getAllByText('Shift').length).toBeGreaterThan(0)
    await fireEvent.click(screen.getByRole('button', { name: 'Summarise what I am looking at.' }))
    expect(screen.getByRole<HTMLTextAreaElement>('textbox').value).toBe('Summarise what I am looking at.')
    await accessible()
  })

  it('names no shortcut that does not work', async () => {
    await open('talk', { snapshot: readySnapshot({ shortcut_problem: 'Another program holds it.' }) })
    expect(screen.queryByText('Ctrl')).toBeNull()
  })

  it('while it loads says so', async () => {
    await open('talk', { handlers: { history: () => new Promise(() => undefined) } })
    expect(screen.getByText('Loading the conversation')).toBeTruthy()
  })

  it('shows a turn from the history with one quiet line that opens into its trace', async () => {
    await open('talk', { history: [sampleTurn('a')] })
    const line = screen.getByRole('button', { name: /Gemini 3.5-flash-lite · first sound 0.94 s · saw your screen/ })
    expect(screen.queryByRole('table')).toBeNull()
    await fireEvent.click(line)
    const rows = within(screen.getByRole('table')).getAllByRole('row')
    expect(rows.map((row) => row.textContent?.replace(/\s+/g, ' ').trim()).join('|')).toContain(
      'Groq timed out → Gemini · 3.5-flash-lite',
    )
    await accessible()
  })

  it('shows many in order, and asks only for this session', async () => {
    const { backend } = await open('talk', {
      history: ['c', 'b', 'a'].map((id) => sampleTurn(id, { transcript: `Question ${id}` })),
    })
    expect(screen.getAllByText(/^Question/).map((element) => element.textContent)).toEqual([
      'You: Question a',
      'You: Question b',
      'You: Question c',
    ])
    expect(backend.asked('history')).toEqual([{ session: 'session-1', limit: 50 }])
  })

  it('when the history fails offers to try again', async () => {
    let broken = true
    const { view } = await open('talk', {
      handlers: {
        history: () => {
          if (broken) throw { code: 'storage', message: 'No.' }
          return [sampleTurn('a')]
        },
      },
    })
    expect(screen.getByText('Earlier questions could not be loaded.')).toBeTruthy()
    broken = false
    await fireEvent.click(screen.getByRole('button', { name: 'Try again' }))
    await settle()
    expect(view.container.querySelectorAll('article')).toHaveLength(1)
  })
})

describe('a turn', () => {
  it('started elsewhere streams in, with the sentence that is heard marked', async () => {
    const { backend, view } = await open('talk')
    backend.emit(
      { type: 'stage', turn: 'a', stage: 'thinking' },
      { type: 'transcript', turn: 'a', text: 'Why?' },
      { type: 'text', turn: 'a', delta: 'Because it **is**. And so on.' },
      { type: 'stage', turn: 'a', stage: 'speaking' },
      { type: 'speaking', turn: 'a', sentence: 'Because it is.' },
    )
    await settle()
    expect(screen.getByText(/Why\?/)).toBeTruthy()
    expect([...view.container.querySelectorAll('.spoken')].map((part) => part.textContent).join('')).toBe('Because it is.')
    expect(status('Speaking · press again to interrupt')).toBe(true)
    await accessible()
  })

  it('says its state in words', async () => {
    const { backend } = await open('talk')
    backend.emit({ type: 'stage', turn: 'a', stage: 'listening' })
    await settle()
    expect(status('Getting ready')).toBe(true)
    backend.emit({ type: 'recording', turn: 'a' }, { type: 'level', level: 1, elapsed_ms: 3100 })
    await settle()
    expect(screen.getByText(/Listening 0:03/)).toBeTruthy()
    expect(screen.getByRole('button', { name: 'Talk' }).getAttribute('aria-pressed')).toBe('true')
    backend.emit({ type: 'stage', turn: 'a', stage: 'transcribing' })
    await settle()
    expect(status('Transcribing')).toBe(true)
  })

  it('that failed says what to do, and is tried again', async () => {
    const error = { code: 'all_routes_failed' as const, message: 'Nobody could answer. Check the network, then retry.' }
    const { backend } = await open('talk', { history: [sampleTurn('a', { answer: '', error })] })
    expect(screen.getByText(error.message)).toBeTruthy()
    await accessible()
    await fireEvent.click(screen.getByRole('button', { name: 'Retry' }))
    await settle()
    expect(backend.asked('retry')).toEqual([{ id: 'a' }])
    expect(screen.queryByText(error.message)).toBeNull()
  })

  it('that the person stopped is no failure', async () => {
    const error = { code: 'cancelled' as const, message: 'Stopped.' }
    await open('talk', { history: [sampleTurn('a', { error, interrupted: true })] })
    expect(screen.queryByRole('button', { name: 'Retry' })).toBeNull()
    expect(screen.getByRole('button', { name: /you cut it short/ })).toBeTruthy()
  })

  it('that was not heard aloud is read out at its end', async () => {
    const { backend } = await open('talk')
    backend.emit({ type: 'done', record: sampleTurn('a', { answer: 'Forty-two.', spoken: '' }) })
    await settle()
    expect(status('Forty-two.')).toBe(true)
  })
})

describe('the text field', () => {
  it('sends with Enter, not with Shift and Enter, and clears', async () => {
    const { backend } = await open('talk')
    const field = screen.getByRole<HTMLTextAreaElement>('textbox')
    await fireEvent.input(field, { target: { value: '  Why? ' } })
    await fireEvent.keyDown(field, { key: 'Enter', shiftKey: true })
    expect(backend.asked('ask')).toEqual([])
    await fireEvent.keyDown(field, { key: 'Enter' })
    await settle()
    expect(backend.asked('ask')).toMatchObject([{ text: 'Why?', speech: 'aloud' }])
    expect(field.value).toBe('')
    expect(screen.getAllByText(/Why\?/)).toHaveLength(1)
  })

  it('gives the text back when the question could not begin', async () => {
    await open('talk', { handlers: { ask: failing({ code: 'no_route', message: 'Add a key first.' }) } })
    const field = screen.getByRole<HTMLTextAreaElement>('textbox')
    await fireEvent.input(field, { target: { value: 'Why?' } })
    await fireEvent.keyDown(field, { key: 'Enter' })
    await settle()
    expect(field.value).toBe('Why?')
    expect(screen.getByRole('alert').textContent).toContain('Add a key first.')
  })
})

describe('the screen', () => {
  it('is attached as the list says', async () => {
    const { backend } = await open('talk')
    await fireEvent.change(screen.getByRole('combobox', { name: 'Screen with your questions' }), { target: { value: 'always' } })
    expect(backend.asked('change_settings')).toEqual([{ changes: { screen: { share: 'always' } } }])
  })
})

describe('help', () => {
  it('is shown until a key or a server is there', async () => {
    const { aura } = await open('talk', { snapshot: freshSnapshot() })
    expect(screen.getByRole('link', { name: 'Add a key for real answers' }).getAttribute('href')).toBe('#providers')
    await accessible()
    await aura.change('save_key', { provider: 'groq', key: 'gsk_0123456789', session_only: false })
    await settle()
    expect(screen.queryByText(/programs on this computer\./)).toBeNull()
  })
})

describe('the window', () => {
  it('that opens in the middle of a turn knows where it is', async () => {
    const { backend } = await open('talk', { snapshot: readySnapshot({ stage: 'listening' }) })
    backend.emit({ type: 'level', level: 0.5, elapsed_ms: 2000 })
    await settle()
    expect(screen.getByText(/Listening 0:02/)).toBeTruthy()
    backend.emit({ type: 'stage', turn: 'a', stage: 'idle' })
    await settle()
    expect(screen.queryByText(/Listening/)).toBeNull()
  })

  it('that cannot reach its engine says so and tries again', async () => {
    const { backend } = await open('talk', { handlers: { snapshot: failing({ code: 'internal', message: 'Broken.' }) } })
    expect(screen.getByRole('alert').textContent).toContain('Broken.')
    await accessible()
    await fireEvent.click(screen.getByRole('button', { name: 'Try again' }))
    expect(backend.asked('snapshot')).toHaveLength(2)
  })

  it('starts a new conversation', async () => {
    const { view } = await open('talk', { history: [sampleTurn('a')] })
    await fireEvent.click(screen.getByRole('button', { name: 'New conversation' }))
    await settle()
    expect(view.container.querySelectorAll('article')).toHaveLength(0)
  })

  it('says when the sandbox answers', async () => {
    await open('talk', { snapshot: readySnapshot({ sandbox: true }) })
    expect(screen.getByText(/^Sandbox/)).toBeTruthy()
  })
})
