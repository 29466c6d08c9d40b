import { fireEvent, screen, within } from '@testing-library/svelte'
import { describe, expect, it, vi } from 'vitest'
import { failing } from '../backend/fake'
import { readySnapshot, sampleTurn } from '../backend/samples'
import { accessible, open, settle } from '../test/harness'

const status = (text: string) => screen.getAllByRole('status').some((element) => element.textContent === text)

describe('the conversation', () => {
  it('explains itself when it is empty', async () => {
    await open('talk')
    expect(screen.getByRole('heading', { name: 'Hold a shortcut, and talk' })).toBeTruthy()
    expect(screen.getAllByText('Shift').length).toBeGreaterThan(0)
    await fireEvent.click(screen.getByRole('button', { name: 'Summarise what I am looking at.' }))
    const field = screen.getByRole<HTMLTextAreaElement>('textbox')
    expect(field.value).toBe('Summarise what I am looking at.')
    // Ready to be sent with Enter.
    expect(document.activeElement).toBe(field)
    await accessible()
  })

  it('hides a shortcut that does not work', async () => {
    await open('talk', { snapshot: readySnapshot({ shortcut_problem: 'Another app uses it.' }) })
    expect(screen.queryByText('Ctrl')).toBeNull()
  })

  it('shows that it is loading', async () => {
    await open('talk', { handlers: { history: () => new Promise(() => undefined) } })
    expect(screen.getByText('Loading the conversation…')).toBeTruthy()
  })

  it('shows a past turn with one line that expands into its trace', async () => {
    await open('talk', { history: [sampleTurn('a')] })
    const line = screen.getByRole('button', { name: /Gemini 3.5-flash-lite · first sound 0.94 s · \$0.0006 · saw your screen/ })
    expect(screen.queryByRole('table')).toBeNull()
    await fireEvent.click(line)
    const rows = within(screen.getByRole('table')).getAllByRole('row')
    expect(rows.map((row) => row.textContent?.replace(/\s+/g, ' ').trim()).join('|')).toContain(
      'Groq timed out → Gemini · 3.5-flash-lite first output after 180 ms · 1,204 tokens in, 58 out1.4 s$0.0004',
    )
    expect(within(screen.getByRole('table')).getByText('Groq: No reply within 1 s.')).toBeTruthy()
    await accessible()
  })

  it('shows turns in order, and loads only this session', async () => {
    const { backend } = await open('talk', {
      history: ['c', 'b', 'a'].map((id) => sampleTurn(id, { transcript: `Question ${id}` })),
    })
    expect(screen.getAllByText(/^Question/).map((element) => element.textContent)).toEqual([
      'You: Question a',
      'You: Question b',
      'You: Question c',
    ])
    expect(backend.requests('history')).toEqual([{ session: 'session-1', limit: 50 }])
  })

  it('offers to retry when the history does not load', async () => {
    let broken = true
    const { view } = await open('talk', {
      handlers: {
        history: () => {
          if (broken) throw { code: 'storage', message: 'No.' }
          return [sampleTurn('a')]
        },
      },
    })
    expect(screen.getByText('Couldn’t load earlier questions.')).toBeTruthy()
    broken = false
    await fireEvent.click(screen.getByRole('button', { name: 'Try again' }))
    await settle()
    expect(view.container.querySelectorAll('article')).toHaveLength(1)
  })
})

describe('a turn', () => {
  it('started elsewhere streams in, with the spoken sentence marked', async () => {
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

  it('announces its state', async () => {
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

  it('shows the words of a question while it is spoken, and announces none of them', async () => {
    const { backend, view } = await open('talk')
    backend.emit({ type: 'stage', turn: 'a', stage: 'listening' }, { type: 'recording', turn: 'a' })
    backend.emit({ type: 'partial', turn: 'a', committed: 'Why is', tentative: ' the' })
    await settle()
    const question = view.container.querySelector('.question')
    expect(question?.textContent).toContain('Why is the')
    expect(question?.querySelector('.tentative')?.textContent).toBe(' the')
    expect(question?.closest('[aria-live]')?.getAttribute('aria-live')).toBe('off')
    backend.emit({ type: 'stage', turn: 'a', stage: 'transcribing' })
    await settle()
    expect(view.container.querySelector('.question')?.textContent).toContain('Why is the')
    backend.emit({ type: 'transcript', turn: 'a', text: 'Why is the sky blue?' })
    backend.emit({ type: 'partial', turn: 'a', committed: 'Late', tentative: '' })
    await settle()
    expect(view.container.querySelector('.question')?.textContent).toContain('Why is the sky blue?')
    expect(view.container.querySelector('.tentative')).toBeNull()
  })

  it('forgets the words of a question that is cancelled', async () => {
    const { backend, view } = await open('talk')
    backend.emit({ type: 'stage', turn: 'a', stage: 'listening' })
    backend.emit({ type: 'partial', turn: 'a', committed: 'Never', tentative: ' mind' })
    const error = { code: 'cancelled' as const, message: 'Stopped.' }
    backend.emit({ type: 'done', record: sampleTurn('a', { transcript: '', answer: '', error }) })
    await settle()
    expect(view.container.textContent).not.toContain('Never')
  })

  it('that failed shows its error and is retried', async () => {
    const error = { code: 'all_routes_failed' as const, message: 'No provider could answer. Check the network, then retry.' }
    const { backend } = await open('talk', { history: [sampleTurn('a', { answer: '', error })] })
    expect(screen.getByText(error.message)).toBeTruthy()
    await accessible()
    await fireEvent.click(screen.getByRole('button', { name: 'Retry' }))
    await settle()
    expect(backend.requests('retry')).toEqual([{ id: 'a' }])
    expect(screen.queryByText(error.message)).toBeNull()
  })

  it('is retried with another provider than the last one', async () => {
    const { backend } = await open('talk', { history: [sampleTurn('a')] })
    await fireEvent.click(screen.getByRole('button', { name: 'Retry with…' }))
    await settle()
    expect(backend.requests('models')).toEqual([{ service: 'vlm' }])
    const list = screen.getByRole<HTMLSelectElement>('combobox', { name: 'Provider for Vision' })
    expect(document.activeElement).toBe(list)
    // Gemini answered, so another provider is preselected.
    expect(list.value).toBe('groq/qwen/qwen3.8-27b')
    await accessible()
    await fireEvent.change(list, { target: { value: 'offline/tesseract' } })
    await fireEvent.click(screen.getByRole('button', { name: 'Ask again' }))
    await settle()
    expect(backend.requests('retry')).toEqual([{ id: 'a', overrides: { vlm: 'offline/tesseract' } }])
    expect(screen.queryByRole('button', { name: 'Ask again' })).toBeNull()
  })

  it('that was not understood can be transcribed again, and Esc changes nothing', async () => {
    const error = { code: 'all_routes_failed' as const, message: 'No provider could transcribe your question.' }
    const { backend } = await open('talk', { history: [sampleTurn('a', { transcript: '', answer: '', stages: [], error })] })
    const opener = screen.getByRole('button', { name: 'Retry with…' })
    await fireEvent.click(opener)
    await settle()
    const list = screen.getByRole('combobox', { name: 'Provider for Speech to text' })
    await fireEvent.keyDown(list, { key: 'Escape' })
    await settle()
    expect(document.activeElement).toBe(opener)
    expect(backend.requests('retry')).toEqual([])
    expect(backend.cancelled).toBe(0)
  })

  it('is copied', async () => {
    const written: string[] = []
    Object.defineProperty(navigator, 'clipboard', {
      configurable: true,
      value: { writeText: (text: string) => Promise.resolve(void written.push(text)) },
    })
    await open('talk', { history: [sampleTurn('a', { answer: 'Forty-two.' })] })
    await fireEvent.click(screen.getByRole('button', { name: 'Copy' }))
    await settle()
    expect(written).toEqual(['Forty-two.'])
    expect(screen.getByRole('button', { name: 'Copied' })).toBeTruthy()
  })

  it('is playable only if its speech was stored', async () => {
    const gone = failing({ code: 'not_found', message: 'The speech of this answer was not kept.' })
    const history = [sampleTurn('b', { answer_audio: '/data/b.opus' }), sampleTurn('a')]
    const { backend } = await open('talk', { history, handlers: { replay: gone } })
    const plays = screen.getAllByRole('button', { name: 'Play' })
    expect(plays).toHaveLength(1)
    if (plays[0]) await fireEvent.click(plays[0])
    await settle()
    expect(backend.requests('replay')).toEqual([{ id: 'b' }])
    expect(screen.getByText('The speech of this answer was not kept.')).toBeTruthy()
  })

  it('links to the providers when its model was replaced', async () => {
    const notices = [{ kind: 'model_replaced' as const, message: 'It was retired.' }]
    await open('talk', { history: [sampleTurn('a', { notices })] })
    expect(screen.getByRole('link', { name: 'Choose another model' }).getAttribute('href')).toBe('#providers')
  })

  it('with an attached file mentions the image, not the screen', async () => {
    await open('talk', {
      history: [sampleTurn('a', { seen: { width: 0, height: 0, bytes: 9000 }, picture: '/home/me/cat.jpg' })],
    })
    expect(screen.getByRole('button', { name: /saw your image/ })).toBeTruthy()
    expect(screen.queryByText(/saw your screen/)).toBeNull()
  })

  it('that the user stopped is not shown as a failure', async () => {
    const error = { code: 'cancelled' as const, message: 'Stopped.' }
    await open('talk', { history: [sampleTurn('a', { error, interrupted: true })] })
    expect(screen.queryByRole('button', { name: 'Retry' })).toBeNull()
    expect(screen.getByRole('button', { name: /interrupted/ })).toBeTruthy()
  })

  it('announces its notices at its end', async () => {
    const { backend } = await open('talk')
    const notice = { kind: 'fallback' as const, message: 'Groq did not answer. Gemini did.' }
    backend.emit(
      { type: 'stage', turn: 'a', stage: 'thinking' },
      { type: 'done', record: sampleTurn('a', { notices: [notice] }) },
    )
    await settle()
    expect(status('Answered. Groq did not answer. Gemini did.')).toBe(true)
  })

  it('without speech is read out at its end', async () => {
    const { backend } = await open('talk')
    backend.emit({ type: 'done', record: sampleTurn('a', { answer: 'Forty-two.', spoken: '' }) })
    await settle()
    expect(status('Forty-two.')).toBe(true)
  })

  it('without speech is read out without its marks, paragraph by paragraph', async () => {
    const snapshot = readySnapshot()
    snapshot.settings.speaking.muted = true
    const { backend, view } = await open('talk', { snapshot })
    const live = () => view.container.querySelector('[aria-live="polite"]')?.textContent
    backend.emit(
      { type: 'stage', turn: 'a', stage: 'thinking' },
      { type: 'text', turn: 'a', delta: 'Run `ss`, **now**.\n\n- on' },
    )
    await settle()
    expect(live()).toBe('Run ss, now.')
    backend.emit({ type: 'text', turn: 'a', delta: 'e\n- two' })
    const answer = 'Run `ss`, **now**.\n\n- one\n- two'
    backend.emit({ type: 'done', record: sampleTurn('a', { answer, spoken: '' }) })
    await settle()
    expect(live()).toBe('Run ss, now.')
    expect(status('one two')).toBe(true)
  })

  it('says who thinks, and who was asked by a retry', async () => {
    const { backend } = await open('talk', {
      history: [sampleTurn('a', { seen: undefined })],
      handlers: { retry: () => new Promise(() => undefined) },
    })
    backend.emit({ type: 'stage', turn: 'b', stage: 'thinking' })
    await settle()
    expect(status('Thinking · Groq')).toBe(true)
    backend.emit({ type: 'stage', turn: 'b', stage: 'idle' })
    await settle()
    await fireEvent.click(screen.getByRole('button', { name: 'Retry with…' }))
    await settle()
    await fireEvent.click(screen.getByRole('button', { name: 'Ask again' }))
    backend.emit({ type: 'stage', turn: 'a', stage: 'thinking' })
    await settle()
    expect(status('Thinking · Groq')).toBe(true)
  })
})

describe('the active turn', () => {
  it('is stopped with one press; when idle there is no Stop', async () => {
    const { backend } = await open('talk')
    expect(screen.queryByRole('button', { name: 'Stop' })).toBeNull()
    backend.emit({ type: 'stage', turn: 'a', stage: 'thinking' })
    await settle()
    await fireEvent.click(screen.getByRole('button', { name: 'Stop' }))
    expect(backend.cancelled).toBe(1)
    backend.emit({ type: 'stage', turn: 'b', stage: 'listening' })
    await settle()
    await fireEvent.click(screen.getByRole('button', { name: 'Cancel' }))
    expect(backend.cancelled).toBe(2)
  })
})

describe('the text field', () => {
  it('sends with Enter, not with Shift and Enter, and clears', async () => {
    const { backend } = await open('talk')
    const field = screen.getByRole<HTMLTextAreaElement>('textbox')
    await fireEvent.input(field, { target: { value: '  Why? ' } })
    await fireEvent.keyDown(field, { key: 'Enter', shiftKey: true })
    expect(backend.requests('ask')).toEqual([])
    await fireEvent.keyDown(field, { key: 'Enter' })
    await settle()
    expect(backend.requests('ask')).toMatchObject([{ text: 'Why?', speech: 'aloud' }])
    expect(field.value).toBe('')
    expect(screen.getAllByText(/Why\?/)).toHaveLength(1)
  })

  it('restores the text when the question could not start', async () => {
    await open('talk', { handlers: { ask: failing({ code: 'no_route', message: 'Add an API key first.' }) } })
    const field = screen.getByRole<HTMLTextAreaElement>('textbox')
    await fireEvent.input(field, { target: { value: 'Why?' } })
    await fireEvent.keyDown(field, { key: 'Enter' })
    await settle()
    expect(field.value).toBe('Why?')
    expect(screen.getByRole('alert').textContent).toContain('Add an API key first.')
  })
})

describe('another panel', () => {
  const go = async (panel: string) => {
    location.hash = panel
    window.dispatchEvent(new HashChangeEvent('hashchange'))
    await settle()
  }

  it('changes neither the draft nor what is scrolled to', async () => {
    await open('talk', { history: [sampleTurn('a')] })
    await fireEvent.input(screen.getByRole('textbox'), { target: { value: 'Half a quest' } })
    const tall = (log: HTMLElement) => {
      Object.defineProperty(log, 'scrollHeight', { value: 4000, configurable: true })
      Object.defineProperty(log, 'clientHeight', { value: 400, configurable: true })
    }
    const log = screen.getByRole('log')
    tall(log)
    log.scrollTop = 200
    await fireEvent.scroll(log)
    await go('providers')
    await go('talk')
    expect(screen.getByRole<HTMLTextAreaElement>('textbox').value).toBe('Half a quest')
    expect(screen.getByRole('log').scrollTop).toBe(200)
  })

  it('leaves a conversation at its end there', async () => {
    const height = vi.spyOn(Element.prototype, 'scrollHeight', 'get').mockReturnValue(4000)
    await open('talk', { history: [sampleTurn('a')] })
    await go('health')
    await go('talk')
    expect(screen.getByRole('log').scrollTop).toBe(4000)
    height.mockRestore()
  })
})

describe('the screen', () => {
  it('is shared as the list says', async () => {
    const { backend } = await open('talk')
    await fireEvent.change(screen.getByRole('combobox', { name: 'Share the screen with your questions' }), {
      target: { value: 'always' },
    })
    expect(backend.requests('change_settings')).toEqual([{ changes: { screen: { share: 'always' } } }])
  })
})

describe('the foot of the rail', () => {
  it('shows the failing provider and its fallback until it recovers', async () => {
    const { backend } = await open('talk')
    const snapshot = readySnapshot()
    const llm = snapshot.routes.find((view) => view.service === 'llm')
    llm?.routes.reverse()
    backend.snapshot = snapshot
    backend.emit({ type: 'availability', provider: 'groq', service: 'llm', status: 'unhealthy', reason: 'It timed out.' })
    await settle()
    expect(
      screen.getByRole('link', { name: 'Groq is having problems. Offline is answering instead.' }).getAttribute('href'),
    ).toBe('#health')
    backend.snapshot = readySnapshot()
    backend.emit({ type: 'availability', provider: 'groq', service: 'llm', status: 'healthy' })
    await settle()
    expect(screen.getByRole('link', { name: 'Answering with Groq' })).toBeTruthy()
  })
})

describe('the window', () => {
  it('that opens during a turn shows its stage', async () => {
    const { backend } = await open('talk', { snapshot: readySnapshot({ stage: 'listening' }) })
    backend.emit({ type: 'level', level: 0.5, elapsed_ms: 2000 })
    await settle()
    expect(screen.getByText(/Listening 0:02/)).toBeTruthy()
    backend.emit({ type: 'stage', turn: 'a', stage: 'idle' })
    await settle()
    expect(screen.queryByText(/Listening/)).toBeNull()
  })

  it('that cannot reach its backend shows why and retries', async () => {
    const { backend } = await open('talk', { handlers: { snapshot: failing({ code: 'internal', message: 'Broken.' }) } })
    expect(screen.getByRole('alert').textContent).toContain('Broken.')
    await accessible()
    await fireEvent.click(screen.getByRole('button', { name: 'Try again' }))
    expect(backend.requests('snapshot')).toHaveLength(2)
  })

  it('starts a new conversation', async () => {
    const { view } = await open('talk', { history: [sampleTurn('a')] })
    await fireEvent.click(screen.getByRole('button', { name: 'New conversation' }))
    await settle()
    expect(view.container.querySelectorAll('article')).toHaveLength(0)
  })

  it('shows when the sandbox is used', async () => {
    await open('talk', { snapshot: readySnapshot({ sandbox: true }) })
    expect(screen.getByText(/^Sandbox/)).toBeTruthy()
  })
})
