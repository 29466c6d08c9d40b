import { fireEvent, screen, within } from '@testing-library/svelte'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { failing } from '../backend/fake'
import { quietService, sampleHealth, sampleTurn, sampleUsage } from '../backend/samples'
import type { HealthReport } from '../generated/HealthReport'
import { accessible, open, settle } from '../test/stage'
import { times } from './stages'
import { fallbackWords, nextWords, quotaWords, serviceStanding, sumWords } from './words'

const card = (name: string) => screen.getByRole('article', { name })

describe('health', () => {
  it('shows first what needs a look: the state in words, what took how long, and what happens next', async () => {
    await open('health')
    expect(screen.getAllByRole('article').map((one) => one.querySelector('h2')?.textContent)).toEqual([
      'Groq',
      'Gemini',
      'Offline',
      'Ollama',
    ])
    const groq = card('Groq')
    expect(within(groq).getByText(/^paused 0:2[34]$/)).toBeTruthy()
    // The others work: whose pause it is belongs to it.
    expect(within(groq).getByText(/^hear: paused 0:2[34]$/)).toBeTruthy()
    const hear = within(groq).getByRole('row', { name: /^hear/ })
    expect([...hear.querySelectorAll('td.number')].map((cell) => cell.textContent)).toEqual(['228 ms', '1.9 s', '18 %'])
    expect(groq.textContent).toMatch(/Speech to text: No content within 15 s\. Tried again in 0:2[34]\./)
    expect(groq.textContent).toContain('Left to hear: 1,812 of 2,000 requests, 6,540 of 7,200 seconds of audio')
    expect(groq.textContent).toContain('Today $0.012, this month about $0.41')
    expect(within(groq).getByRole('row', { name: /^speak/ }).textContent).toContain('no calls yet')
    await accessible()
  })

  it('says the hour of each service in words too', async () => {
    await open('health')
    const spark = within(card('Groq')).getAllByRole('img')[0]
    expect(spark?.getAttribute('aria-label')).toBe(
      '23 calls answered and 5 failed in the last hour; the last failure within 5 minutes',
    )
  })

  it('is short where nothing happened, and says how to set up what is not', async () => {
    await open('health')
    expect(within(card('Offline')).queryByRole('table')).toBeNull()
    expect(card('Ollama').textContent).toContain('Start Ollama, then try again.')
    expect(within(card('Ollama')).getByRole('link', { name: 'Set it up' }).getAttribute('href')).toBe('#providers')
  })

  it('says who stepped in for whom, and why', async () => {
    await open('health')
    expect(screen.getByText('Groq timed out while transcribing. Gemini took over.')).toBeTruthy()
    expect(screen.getByText('Groq was busy with too many requests while answering. Nobody could take over.')).toBeTruthy()
    expect(screen.getByText('Rate limit reached for tokens per minute.')).toBeTruthy()
  })

  it('when nothing happened yet says what will appear', async () => {
    const report: HealthReport = {
      status: 'healthy',
      fallbacks: [],
      providers: [{ name: 'offline', label: 'Offline', status: 'healthy', services: [quietService('llm')] }],
    }
    const usage = { ...sampleUsage(), lines: [] }
    await open('health', { handlers: { health: () => report, usage: () => usage } })
    expect(screen.getByText('Everything works.')).toBeTruthy()
    expect(screen.getByText('Nobody had to step in yet.')).toBeTruthy()
    expect(screen.getByText(/^No questions yet/)).toBeTruthy()
    await accessible()
  })

  it('does not say that all is well while others stand in for one who has trouble', async () => {
    const report = sampleHealth()
    await open('health', { handlers: { health: () => ({ ...report, status: 'healthy' as const }) } })
    expect(report.providers.some((of) => of.status === 'unhealthy' || of.status === 'degraded')).toBe(true)
    expect(screen.queryByText('Everything works.')).toBeNull()
    expect(screen.getByText('Something needs a look; questions are answered.')).toBeTruthy()
  })

  it('while it loads says so', async () => {
    const never = () => new Promise<never>(() => undefined)
    await open('health', { handlers: { health: never, history: never } })
    expect(screen.getAllByText('Looking')).toHaveLength(2)
  })

  it('when it cannot be asked says so, and asks again', async () => {
    let broken = true
    const health = () => {
      if (broken) throw { code: 'internal', message: 'The engine did not answer.' }
      return sampleHealth()
    }
    await open('health', { handlers: { health } })
    expect(screen.getByRole('alert').textContent).toContain('The engine did not answer.')
    await accessible()
    broken = false
    await fireEvent.click(screen.getByRole('button', { name: 'Try again' }))
    await settle()
    expect(screen.queryByRole('alert')).toBeNull()
    expect(card('Groq')).toBeTruthy()
  })

  it('when the questions cannot be loaded still shows the rest', async () => {
    await open('health', { handlers: { history: failing({ code: 'storage', message: 'No.' }) } })
    expect(screen.getByText('The last questions could not be loaded.')).toBeTruthy()
    expect(card('Groq')).toBeTruthy()
  })

  it('shows many fallbacks a few at a time', async () => {
    const report = sampleHealth()
    const one = report.fallbacks[0]
    if (one) report.fallbacks = Array.from({ length: 30 }, () => one)
    const { view } = await open('health', { handlers: { health: () => report } })
    const rows = () => view.container.querySelectorAll('ol > li')
    expect(rows()).toHaveLength(8)
    await fireEvent.click(screen.getByRole('button', { name: 'Show more' }))
    expect(rows()).toHaveLength(30)
  })
})

describe('where the time goes', () => {
  it('is shown per question, in words too', async () => {
    await open('health', { history: [sampleTurn('a'), sampleTurn('b', { transcript: '', first_sound_ms: 2000 })] })
    const table = screen.getByRole('table', { name: 'Where the time goes' })
    const [, first, second] = within(table).getAllByRole('row')
    expect(first?.textContent).toContain('Transcribe 212 ms, Think 728 ms')
    expect(second?.textContent).toContain('not understood')
    expect(second?.textContent).toContain('Transcribe 212 ms, Think 1.4 s, Speak 1.1 s')
  })

  it('grows when a question was answered', async () => {
    const { backend } = await open('health')
    backend.history = [sampleTurn('a')]
    backend.emit({ type: 'done', record: sampleTurn('a') })
    await settle()
    expect(screen.getByRole('table', { name: 'Where the time goes' })).toBeTruthy()
  })

  it('is counted from the end of the question to the first sound', () => {
    expect(times(sampleTurn('a'))).toEqual({
      id: 'a',
      question: 'What does the error on my screen mean?',
      total: 940,
      spans: [
        { stage: 'transcribing', start: 0, ms: 212 },
        { stage: 'thinking', start: 212, ms: 728 },
      ],
    })
    expect(times(sampleTurn('b', { stages: [], first_sound_ms: undefined })).total).toBe(0)
  })
})

describe('the picture', () => {
  afterEach(() => {
    vi.useRealTimers()
    vi.restoreAllMocks()
  })

  const availability = { type: 'availability', provider: 'groq', service: 'llm', status: 'unhealthy' } as const

  it('follows what happens, once per burst', async () => {
    const { backend } = await open('health')
    vi.useFakeTimers()
    backend.emit(availability, availability, { ...availability, service: 'stt' })
    await vi.advanceTimersByTimeAsync(1000)
    expect(backend.asked('health')).toHaveLength(2)
  })

  it('counts a pause down and looks again when it is over', async () => {
    let report = sampleHealth()
    const { backend } = await open('health', { handlers: { health: () => report } })
    report = { ...report, providers: report.providers.slice(1) }
    vi.useFakeTimers({ now: Date.now() })
    // The timer that runs was set on the real clock: this one takes its place.
    backend.emit(availability)
    await vi.advanceTimersByTimeAsync(400)
    expect(screen.queryByText(/^paused/)).toBeNull()
  })

  it('costs nothing while nobody looks', async () => {
    const { backend, view } = await open('health')
    vi.useFakeTimers()
    const visibility = vi.spyOn(document, 'visibilityState', 'get').mockReturnValue('hidden')
    document.dispatchEvent(new Event('visibilitychange'))
    const questions = backend.asked('history').length
    backend.emit(availability, { type: 'done', record: sampleTurn('z') })
    await vi.advanceTimersByTimeAsync(600_000)
    expect(backend.asked('health')).toHaveLength(1)
    expect(backend.asked('history')).toHaveLength(questions)
    expect(vi.getTimerCount()).toBe(0)

    visibility.mockReturnValue('visible')
    document.dispatchEvent(new Event('visibilitychange'))
    await vi.advanceTimersByTimeAsync(1)
    expect(backend.asked('health')).toHaveLength(2)
    expect(backend.asked('history')).toHaveLength(questions + 1)
    expect(vi.getTimerCount()).toBe(1)
    view.unmount()
    expect(vi.getTimerCount()).toBe(0)
  })
})

describe('words', () => {
  const now = Date.parse('2026-11-22T14:31:02Z')

  it('tell a pause from a trial and from a failure', () => {
    const until = new Date(now + 24_000).toISOString()
    const open = quietService('llm', { status: 'unhealthy', circuit: 'open', requests: 3, cooldown_until: until })
    expect(serviceStanding(open, now)).toEqual({ tone: 'bad', word: 'paused 0:24' })
    expect(nextWords(open, now)).toBe('Tried again in 0:24.')
    expect(serviceStanding(open, now + 30_000)).toEqual({ tone: 'bad', word: 'failing' })
    expect(nextWords(open, now + 30_000)).toBe('The next request tries it again.')
    const trial = quietService('llm', { status: 'degraded', circuit: 'half_open', requests: 3 })
    expect(serviceStanding(trial, now)).toEqual({ tone: 'warn', word: 'on trial' })
    expect(nextWords(quietService('llm'), now)).toBe('')
  })

  it('say of an allowance only what is known', () => {
    expect(quotaWords(undefined)).toEqual([])
    const limit = sampleHealth().providers[0]?.services[1]?.rate_limit
    expect(quotaWords(limit && { ...limit, requests: null })).toEqual(['812 requests', '7,420 of 8,000 tokens'])
  })

  it('say how sure a sum is', () => {
    const { today, month } = sampleUsage()
    expect(sumWords(today)).toBe('at least $0.016')
    expect(sumWords({ ...month, unknown: 0 })).toBe('about $0.53')
    expect(sumWords({ ...today, usd: 0 })).toBe('cost unknown')
    expect(sumWords({ ...today, usd: 0, unknown: 0 })).toBe('free')
  })

  it('name the model where a provider stood in for itself', () => {
    const from = { provider: 'groq', model: 'a' }
    const fallback = {
      at: '',
      service: 'llm',
      from,
      to: { provider: 'groq', model: 'b' },
      class: 'model_gone',
      message: '',
    } as const
    expect(fallbackWords(null, fallback)).toBe('groq no longer offers the model while answering. groq b took over.')
  })
})
