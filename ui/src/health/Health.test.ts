import { fireEvent, screen, within } from '@testing-library/svelte'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { failing } from '../backend/fake'
import { quietService, sampleHealth, sampleTurn, sampleUsage } from '../backend/samples'
import type { HealthReport } from '../generated/HealthReport'
import { accessible, open, settle } from '../test/harness'
import { times } from './stages'
import { describeFallback, describeNext, describeQuota, serviceStatus, formatSum } from './format'

const card = (name: string) => screen.getByRole('article', { name })

describe('health', () => {
  it('lists problems first, with state, latency and the next retry', async () => {
    await open('health')
    expect(screen.getAllByRole('article').map((one) => one.querySelector('h2')?.textContent)).toEqual([
      'Groq',
      'Gemini',
      'Offline',
      'Ollama',
    ])
    const groq = card('Groq')
    expect(within(groq).getByText(/^paused 0:2[34]$/)).toBeTruthy()
    // The other services work, so the pause names its service.
    expect(within(groq).getByText(/^Speech: paused 0:2[34]$/)).toBeTruthy()
    const speech = within(groq).getByRole('row', { name: /^Speech/ })
    expect([...speech.querySelectorAll('td.number')].map((cell) => cell.textContent)).toEqual(['228 ms', '1.9 s', '18%'])
    expect(groq.textContent).toMatch(/Speech to text: No reply within 15 s\. Retrying in 0:2[34]\./)
    expect(groq.textContent).toContain('Speech quota: 1,812 of 2,000 requests left, 6,540 of 7,200 seconds of audio left')
    expect(groq.textContent).toContain('Today $0.012, this month about $0.41')
    expect(within(groq).getByRole('row', { name: /^Voice/ }).textContent).toContain('no calls yet')
    await accessible()
  })

  it('describes the last hour of each service in words', async () => {
    await open('health')
    const spark = within(card('Groq')).getAllByRole('img')[0]
    expect(spark?.getAttribute('aria-label')).toBe(
      '23 calls answered and 5 failed in the last hour; the last failure within 5 minutes',
    )
  })

  it('is short for unused providers and links to the setup of unavailable ones', async () => {
    await open('health')
    expect(within(card('Offline')).queryByRole('table')).toBeNull()
    expect(card('Ollama').textContent).toContain('Start Ollama, then try again.')
    expect(within(card('Ollama')).getByRole('link', { name: 'Fix in Providers' }).getAttribute('href')).toBe('#providers')
  })

  it('lists fallbacks with their reasons', async () => {
    await open('health')
    expect(screen.getByText('Groq timed out while transcribing. Gemini took over.')).toBeTruthy()
    expect(screen.getByText('Groq hit its rate limit while answering. No other provider was available.')).toBeTruthy()
    expect(screen.getByText('Rate limit reached for tokens per minute.')).toBeTruthy()
  })

  it('explains what will appear before any use', async () => {
    const report: HealthReport = {
      status: 'healthy',
      fallbacks: [],
      providers: [{ name: 'offline', label: 'Offline', status: 'healthy', services: [quietService('llm')] }],
    }
    const usage = { ...sampleUsage(), lines: [] }
    await open('health', { handlers: { health: () => report, usage: () => usage } })
    expect(screen.getByText('Everything works.')).toBeTruthy()
    expect(screen.getByText('No fallbacks yet.')).toBeTruthy()
    expect(screen.getByText(/^No questions yet/)).toBeTruthy()
    await accessible()
  })

  it('is degraded while fallbacks cover a failing provider', async () => {
    const report = sampleHealth()
    await open('health', { handlers: { health: () => ({ ...report, status: 'healthy' as const }) } })
    expect(report.providers.some((of) => of.status === 'unhealthy' || of.status === 'degraded')).toBe(true)
    expect(screen.queryByText('Everything works.')).toBeNull()
    expect(screen.getByText('A provider needs attention. Your questions are still answered.')).toBeTruthy()
  })

  it('shows that it is loading', async () => {
    const never = () => new Promise<never>(() => undefined)
    await open('health', { handlers: { health: never, history: never } })
    expect(screen.getAllByText('Loading…')).toHaveLength(2)
  })

  it('shows why loading failed and retries', async () => {
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

  it('still shows the rest when the questions do not load', async () => {
    await open('health', { handlers: { history: failing({ code: 'storage', message: 'No.' }) } })
    expect(screen.getByText('Couldn’t load the latest questions.')).toBeTruthy()
    expect(card('Groq')).toBeTruthy()
  })

  it('shows only a few of many fallbacks at first', async () => {
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
  it('is shown per question, with a text equivalent', async () => {
    await open('health', { history: [sampleTurn('a'), sampleTurn('b', { transcript: '', first_sound_ms: 2000 })] })
    const table = screen.getByRole('table', { name: 'Where the time goes' })
    const [, first, second] = within(table).getAllByRole('row')
    expect(first?.textContent).toContain('Transcribe 212 ms, Think 728 ms')
    expect(second?.textContent).toContain('not understood')
    expect(second?.textContent).toContain('Transcribe 212 ms, Think 1.4 s, Speak 1.1 s')
  })

  it('is updated when a turn ends', async () => {
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

describe('the health store', () => {
  afterEach(() => {
    vi.useRealTimers()
    vi.restoreAllMocks()
  })

  const availability = { type: 'availability', provider: 'groq', service: 'llm', status: 'unhealthy' } as const

  it('loads once per burst of events', async () => {
    const { backend } = await open('health')
    vi.useFakeTimers()
    backend.emit(availability, availability, { ...availability, service: 'stt' })
    await vi.advanceTimersByTimeAsync(1000)
    expect(backend.requests('health')).toHaveLength(2)
  })

  it('counts a pause down and loads again when it ends', async () => {
    let report = sampleHealth()
    const { backend } = await open('health', { handlers: { health: () => report } })
    report = { ...report, providers: report.providers.slice(1) }
    vi.useFakeTimers({ now: Date.now() })
    // The running timer uses the real clock; this event replaces it.
    backend.emit(availability)
    await vi.advanceTimersByTimeAsync(400)
    expect(screen.queryByText(/^paused/)).toBeNull()
  })

  it('is idle while the page is hidden', async () => {
    const { backend, view } = await open('health')
    vi.useFakeTimers()
    const visibility = vi.spyOn(document, 'visibilityState', 'get').mockReturnValue('hidden')
    document.dispatchEvent(new Event('visibilitychange'))
    const questions = backend.requests('history').length
    backend.emit(availability, { type: 'done', record: sampleTurn('z') })
    await vi.advanceTimersByTimeAsync(600_000)
    expect(backend.requests('health')).toHaveLength(1)
    expect(backend.requests('history')).toHaveLength(questions)
    expect(vi.getTimerCount()).toBe(0)

    visibility.mockReturnValue('visible')
    document.dispatchEvent(new Event('visibilitychange'))
    await vi.advanceTimersByTimeAsync(1)
    expect(backend.requests('health')).toHaveLength(2)
    expect(backend.requests('history')).toHaveLength(questions + 1)
    expect(vi.getTimerCount()).toBe(1)
    view.unmount()
    expect(vi.getTimerCount()).toBe(0)
  })
})

describe('texts', () => {
  const now = Date.parse('2026-11-22T14:31:02Z')

  it('distinguish a pause, a trial and a failure', () => {
    const until = new Date(now + 24_000).toISOString()
    const open = quietService('llm', { status: 'unhealthy', circuit: 'open', requests: 3, cooldown_until: until })
    expect(serviceStatus(open, now)).toEqual({ tone: 'bad', word: 'paused 0:24' })
    expect(describeNext(open, now)).toBe('Retrying in 0:24.')
    expect(serviceStatus(open, now + 30_000)).toEqual({ tone: 'bad', word: 'failing' })
    expect(describeNext(open, now + 30_000)).toBe('Will retry on your next question.')
    const trial = quietService('llm', { status: 'degraded', circuit: 'half_open', requests: 3 })
    expect(serviceStatus(trial, now)).toEqual({ tone: 'warn', word: 'recovering' })
    expect(describeNext(quietService('llm'), now)).toBe('')
  })

  it('show only the quotas that are known', () => {
    expect(describeQuota(undefined)).toEqual([])
    const limit = sampleHealth().providers[0]?.services[1]?.rate_limit
    expect(describeQuota(limit && { ...limit, requests: null })).toEqual(['812 requests left', '7,420 of 8,000 tokens left'])
  })

  it('show how exact a sum is', () => {
    const { today, month } = sampleUsage()
    expect(formatSum(today)).toBe('at least $0.016')
    expect(formatSum({ ...month, unknown: 0 })).toBe('about $0.53')
    expect(formatSum({ ...today, usd: 0 })).toBe('cost unknown')
    expect(formatSum({ ...today, usd: 0, unknown: 0 })).toBe('free')
  })

  it('name the model when the fallback has the same provider', () => {
    const from = { provider: 'groq', model: 'a' }
    const fallback = {
      at: '',
      service: 'llm',
      from,
      to: { provider: 'groq', model: 'b' },
      class: 'model_gone',
      message: '',
    } as const
    expect(describeFallback(null, fallback)).toBe('groq no longer offers the model while answering. groq b took over.')
  })
})
