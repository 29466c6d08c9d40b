import { fireEvent, screen, within } from '@testing-library/svelte'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { failing } from '../backend/fake'
import { quietService, readySnapshot, sampleHealth, sampleTurn, sampleUsage } from '../backend/samples'
import type { HealthReport } from '../generated/HealthReport'
import { accessible, open, settle } from '../test/harness'
import { linearScale, logScale, median } from './scale'
import { times } from './stages'
import { describeFallback, describeNext, quotasOf, serviceStatus, formatSum } from './format'

const card = (name: string) => screen.getByRole('article', { name })

describe('health', () => {
  it('shows response times of 24 hours and 30 days, which outlive a restart', async () => {
    const { backend } = await open('health')
    expect(backend.requests('trends')).toEqual([{ range: 'hour' }])
    // Without more in the ledger, the figures since the start.
    expect(screen.getByRole<HTMLInputElement>('radio', { name: '1 hour' }).checked).toBe(true)
    expect(screen.getAllByText(/^28 calls, 5 failed/).length).toBe(2)
    await fireEvent.click(screen.getByRole('radio', { name: '30 days' }))
    await settle()
    expect(backend.requests('trends').at(-1)).toEqual({ range: 'month' })
    const table = within(screen.getByRole('table', { name: 'Response times' }))
    expect(table.getByText('95 calls, 5 failed (5%)')).toBeTruthy()
    expect(table.getByText('220 ms')).toBeTruthy()
    expect(screen.getAllByText(/^28 calls, 5 failed/).length).toBe(1)
    await accessible()
  })

  it('shows what each day cost, and today beside the limit', async () => {
    const snapshot = readySnapshot()
    snapshot.settings.budget = { daily_usd: 0.02, stop: true }
    const { backend } = await open('health', { snapshot })
    expect(screen.getByRole('meter', { name: 'Daily limit' }).getAttribute('aria-valuetext')).toMatch(
      /^\$0\.\d+ of your daily limit/,
    )
    expect(screen.getAllByText(/: about \$0\.\d+$/).length).toBe(5)
    await accessible()
    const usage = { ...sampleUsage(), today: { ...sampleUsage().today, usd: 0.03 } }
    await open('health', { snapshot, handlers: { usage: () => usage } })
    expect(screen.getByText('Today’s limit is reached. Until tomorrow, only this computer answers.')).toBeTruthy()
    expect(backend.requests('trends').length).toBeGreaterThan(0)
  })

  it('says what will be there without costs, and shows the rest without a ledger', async () => {
    await open('health', { handlers: { trends: failing({ code: 'storage', message: 'Busy.' }) } })
    expect(screen.getByText(/^No costs in the last 30 days/)).toBeTruthy()
    expect(screen.getByRole('link', { name: 'Set a daily limit' })).toBeTruthy()
    expect(screen.getAllByText(/^28 calls, 5 failed/).length).toBe(2)
  })

  it('names the trouble, who covers it and when it is tried again', async () => {
    await open('health')
    const line = screen.getAllByText('Groq speech to text is paused; Gemini is covering.')[1]?.closest('li')
    // AURA’s own sentence and one time; the provider’s words are folded away.
    expect(line?.textContent).toMatch(/Groq timed out\.\s+Retrying in 0:[12]\d\./)
    expect(line?.textContent?.match(/0:[12]\d/g)).toHaveLength(1)
    const details = line?.querySelector('details')
    expect(details?.open).toBe(false)
    expect(details?.textContent).toContain('“No reply within 15 s.”')
    await accessible()
  })

  it('tries a service at once and shows the result', async () => {
    const { backend } = await open('health')
    await fireEvent.click(screen.getByRole('button', { name: 'Try now: Groq, Speech to text' }))
    await settle()
    expect(backend.requests('test')).toEqual([{ service: 'stt', provider: 'groq' }])
    expect(screen.getByText('“It is going to be a good year.”')).toBeTruthy()
    await accessible()
  })

  it('keeps showing the result of a try that ended the trouble', async () => {
    let report = sampleHealth()
    await open('health', { handlers: { health: () => report } })
    report = { ...report, status: 'healthy', providers: report.providers.slice(1) }
    await fireEvent.click(screen.getByRole('button', { name: /^Try now/ }))
    await settle()
    expect(screen.getAllByText('Everything works.').length).toBeGreaterThan(0)
    expect(screen.getByText('“It is going to be a good year.”')).toBeTruthy()
  })

  it('lists problems first, with quotas as bars and the cost', async () => {
    await open('health')
    expect(screen.getAllByRole('article').map((one) => one.querySelector('h2')?.textContent)).toEqual([
      'Groq',
      'Gemini',
      'Offline',
      'Ollama',
    ])
    const groq = card('Groq')
    // The other services work, so the pause names its service.
    expect(within(groq).getByText(/^Speech: paused 0:2[34]$/)).toBeTruthy()
    expect(within(groq).getByText('Speech quota: 1,812 of 2,000 requests left')).toBeTruthy()
    expect(within(groq).getByText(/^Speech quota: 6,540 of 7,200 seconds of audio left · full again at /)).toBeTruthy()
    const bars = within(groq).getAllByRole('meter')
    expect(bars.map((bar) => bar.getAttribute('aria-valuenow'))).toEqual(['91', '91', '81', '93'])
    expect(bars[0]?.getAttribute('aria-valuetext')).toBe('1,812 of 2,000 requests left')
    expect(groq.textContent).toContain('Today $0.012, this month about $0.41')
  })

  it('compares the response times of all services, with calls and errors', async () => {
    await open('health')
    const table = screen.getByRole('table', { name: 'Response times' })
    const cells = (name: RegExp) =>
      [...within(table).getByRole('row', { name }).querySelectorAll('td')].map((cell) =>
        cell.textContent?.replace(/\s+/g, ' ').trim(),
      )
    expect(cells(/^Groq ?, Speech to text/)).toEqual(['28 calls, 5 failed (18%)', '228 ms', '1.9 s'])
    expect(cells(/^Gemini ?, Voice/)).toEqual(['24 calls', '298 ms', '460 ms'])
    // Within a service the fastest provider is first; unused ones are left out.
    const names = within(table)
      .getAllByRole('rowheader')
      .map((head) => head.textContent)
    expect(names.slice(0, 4)).toEqual(['Speech to text', 'Groq, Speech to text', 'Gemini, Speech to text', 'Answers'])
    expect(within(table).queryByText('Offline')).toBeNull()
  })

  it('is short for unused providers and links to the setup of unavailable ones', async () => {
    await open('health')
    expect(within(card('Offline')).queryByRole('table')).toBeNull()
    expect(card('Ollama').textContent).toContain('Start Ollama, then try again.')
    expect(within(card('Ollama')).getByRole('link', { name: 'Fix in Providers' }).getAttribute('href')).toBe(
      '#providers/accounts',
    )
  })

  it('lists fallbacks with their reasons', async () => {
    await open('health')
    expect(screen.getByText('Groq timed out while transcribing. Gemini took over.')).toBeTruthy()
    expect(screen.getByText('Groq hit its rate limit while answering. No other provider was available.')).toBeTruthy()
    expect(screen.getByText('“Rate limit reached for tokens per minute.”').closest('details')?.open).toBe(false)
  })

  it('explains what will appear before any use', async () => {
    const report: HealthReport = {
      status: 'healthy',
      fallbacks: [],
      providers: [{ name: 'offline', label: 'Offline', status: 'healthy', services: [quietService('llm')] }],
    }
    const usage = { ...sampleUsage(), lines: [] }
    await open('health', { handlers: { health: () => report, usage: () => usage } })
    expect(screen.getAllByText('Everything works.').length).toBeGreaterThan(0)
    expect(screen.getByText(/^No fallbacks yet\./)).toBeTruthy()
    expect(screen.getByText(/^No calls in this time\./)).toBeTruthy()
    expect(screen.getByText(/^No questions yet/)).toBeTruthy()
    await accessible()
  })

  it('says that nobody covers a service, and tells of an outage without a fallback', async () => {
    const report = { ...sampleHealth(), fallbacks: [] }
    const snapshot = readySnapshot()
    snapshot.settings.fallback = false
    await open('health', { snapshot, handlers: { health: () => report } })
    expect(screen.getAllByText('Groq speech to text is paused, and no other provider can cover.')).toHaveLength(2)
    expect(screen.getByText(/^Groq timed out\. Speech to text is paused until \d/)).toBeTruthy()
  })

  it('names the services that have no provider', async () => {
    const snapshot = readySnapshot()
    snapshot.routes = snapshot.routes.filter((view) => view.service === 'llm')
    const report = { ...sampleHealth(), status: 'unavailable' as const, providers: [], fallbacks: [] }
    await open('health', { snapshot, handlers: { health: () => report } })
    const words = 'Setup isn’t finished. No provider for: Speech to text, Vision and Voice.'
    expect(screen.getAllByText(words)).toHaveLength(2)
    expect(screen.getByRole('link', { name: 'Fix in Providers' })).toBeTruthy()
    expect(screen.getByText(/^No providers yet\./)).toBeTruthy()
    await accessible()
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
    expect(screen.getAllByText('median 1.5 s').length).toBeGreaterThan(0)
    expect(first?.textContent).toContain('Transcribe 212 ms, Think 728 ms')
    expect(second?.textContent).toContain('not understood')
    expect(second?.textContent).toContain('Transcribe 212 ms, Think 1.4 s, Speak 1.1 s')
  })

  it('leads to the question in the history, which is opened there', async () => {
    await open('health', { history: [sampleTurn('b'), sampleTurn('a', { transcript: 'And the other one?' })] })
    const link = screen.getByRole('link', { name: 'And the other one?' })
    expect(link.getAttribute('href')).toBe('#history/a')
    location.hash = '#history/a'
    window.dispatchEvent(new HashChangeEvent('hashchange'))
    await settle()
    const entry = screen.getByRole('button', { expanded: true })
    expect(entry.textContent).toContain('And the other one?')
    expect(document.activeElement).toBe(entry)
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

describe('the scales', () => {
  it('show fast and slow calls beside each other', () => {
    const { at, ticks } = logScale([228, 1900, 15_000])
    expect(ticks).toEqual([200, 1000, 5000, 20_000])
    expect([at(200), at(20_000)]).toEqual([0, 1])
    expect(at(2000)).toBeCloseTo(0.5)
  })

  it('start at zero for the turns', () => {
    const { at, ticks } = linearScale(2000)
    expect(ticks).toEqual([0, 500, 1000, 1500, 2000])
    expect(at(500)).toBe(0.25)
    expect([median([3]), median([1, 9]), median([9, 1, 4])]).toEqual([3, 5, 4])
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
    expect(quotasOf(undefined)).toEqual([])
    const limit = sampleHealth().providers[0]?.services[1]?.rate_limit
    expect(quotasOf(limit && { ...limit, requests: null })).toEqual([
      { kind: 'requests', words: '812 requests left' },
      { kind: 'tokens', words: '7,420 of 8,000 tokens left', share: 0.9275 },
    ])
    // When it is full again, as long as that lies ahead.
    const [told, now] = ['2026-11-22T14:00:00Z', Date.parse('2026-11-22T14:05:00Z')]
    const soon = limit && { ...limit, requests_reset_s: 600, tokens_reset_s: 60 }
    expect(quotasOf(soon, told, now).map((quota) => quota.resets)).toEqual([Date.parse('2026-11-22T14:10:00Z'), undefined])
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
