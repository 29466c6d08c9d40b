import { fireEvent, screen, within } from '@testing-library/svelte'
import { describe, expect, it } from 'vitest'
import { sampleModels, sampleTest } from '../backend/samples'
import { accessible, open, settle } from '../test/harness'

const pick = (name: string, value: string) => fireEvent.change(screen.getByRole('combobox', { name }), { target: { value } })
const press = (name: string | RegExp) => fireEvent.click(screen.getByRole('button', { name }))

describe('a test', () => {
  it('shows route, result, latency and cost', async () => {
    const { backend } = await open('providers')
    await press('Test Answers')
    await settle()
    expect(backend.requests('test')).toEqual([{ service: 'llm', provider: 'groq', model: 'openai/gpt-oss-120b' }])
    expect(screen.getByText('took 640 ms, first output after 212 ms, $0.0001')).toBeTruthy()
    await accessible()
  })

  it('of the voice plays it', async () => {
    const { backend } = await open('providers')
    await press('Listen to the voice')
    await settle()
    expect(backend.requests('test')).toEqual([
      { service: 'tts', provider: 'gemini', model: 'gemini-3.8-flash-lite-tts', voice: 'Kore', aloud: true },
    ])
  })

  it('shows its error, and cannot start while another runs', async () => {
    let fail: (failure: unknown) => void = () => undefined
    await open('providers', { handlers: { test: () => new Promise((_, reject) => (fail = reject)) } })
    await press('Test Speech to text')
    expect(screen.getByText('Testing…')).toBeTruthy()
    expect(screen.getByRole<HTMLButtonElement>('button', { name: 'Test Speech to text' }).disabled).toBe(true)
    fail({ code: 'all_routes_failed', message: 'Groq rejected the API key. Save a new one under Providers.' })
    await settle()
    expect(screen.getByText('Groq rejected the API key. Save a new one under Providers.')).toBeTruthy()
    await accessible()
  })

  it('shows its notices', async () => {
    const notices = [{ kind: 'model_replaced' as const, message: 'It was retired. Another one answered.' }]
    await open('providers', { handlers: { test: () => ({ ...sampleTest('llm'), notices }) } })
    await press('Test Answers')
    await settle()
    expect(screen.getByText('It was retired. Another one answered.')).toBeTruthy()
  })
})

describe('the models', () => {
  const rows = () =>
    within(screen.getByRole('table', { name: 'Models' }))
      .getAllByRole('row')
      .slice(1)

  it('list services, context, price and retirement', async () => {
    await open('providers/models')
    /** The cells are separated by CSS, not by spaces. */
    const cells = (name: string) =>
      [...(rows().find((row) => row.textContent?.includes(name))?.children ?? [])].map((cell) =>
        cell.textContent?.replace(/\s+/g, ' ').trim(),
      )
    expect(cells('gpt-oss-120b')).toEqual([
      'openai/gpt-oss-120b Groq',
      'Answers',
      '131k',
      '$0.15 in, $0.60 out per 1M tokens',
      '—',
    ])
    expect(cells('qwen/qwen3.8-27b')).toMatchObject({ 1: 'AnswersVision', 4: '31 January 2027 then openai/gpt-oss-120b' })
    expect(cells('llama3.2').slice(3)).toEqual(['—', '—'])
    await accessible()
  })

  it('are searched and filtered', async () => {
    await open('providers/models')
    await fireEvent.input(screen.getByRole('searchbox', { name: 'Search models' }), { target: { value: 'GEMINI lite' } })
    expect(rows()).toHaveLength(2)
    await pick('Models by service', 'tts')
    expect(rows()).toHaveLength(1)
    expect(screen.getAllByRole('status').some((one) => one.textContent === '1 model')).toBe(true)
    await pick('Models by provider', 'groq')
    expect(screen.queryByRole('table')).toBeNull()
    expect(screen.getByText(/^No matching models/)).toBeTruthy()
  })

  it('that can no longer be used are folded away', async () => {
    await open('providers/models')
    const fold = screen.getByText('1 retired model').closest('details')
    expect(fold?.open).toBe(false)
    expect(fold?.textContent).toContain('no longer offered Groq no longer lists it.')
    expect(fold?.textContent).toContain('since 16 August 2026')
    expect(fold?.querySelector('button')).toBeNull()
  })

  it('are used for a service with one press, and undone', async () => {
    const { backend } = await open('providers/models')
    expect(screen.getByRole('button', { name: 'Use openai/gpt-oss-120b for Answers', pressed: true })).toBeTruthy()
    await press('Use openai/gpt-oss-20b for Answers')
    await settle()
    expect(backend.requests('switch')).toEqual([{ service: 'llm', provider: 'groq', model: 'openai/gpt-oss-20b' }])
    expect(screen.getByText('Answers: openai/gpt-oss-20b from your next question.')).toBeTruthy()
    expect(screen.getByRole('button', { name: 'Use openai/gpt-oss-20b for Answers', pressed: true })).toBeTruthy()
    await press('Undo')
    await settle()
    expect(backend.snapshot.settings.routes.llm).toMatchObject({ provider: 'groq', model: 'openai/gpt-oss-120b' })
  })

  it('are sorted by a column, both ways and not at all', async () => {
    await open('providers/models')
    await pick('Models by service', 'llm')
    const firstNames = () => rows().map((row) => row.querySelector('.name')?.textContent)
    const unsorted = firstNames()
    await press('Context')
    expect(firstNames()[0]).toBe('llama3.2')
    expect(screen.getAllByRole('columnheader', { name: /^Context/ })[0]?.getAttribute('aria-sort')).toBe('ascending')
    await press(/^Context/)
    expect(firstNames()[0]).toMatch(/^gemini-3\.5/)
    await press(/^Context/)
    expect(firstNames()).toEqual(unsorted)
    await press('Price')
    // Cheapest first; unknown prices last.
    expect(firstNames().slice(0, 2)).toEqual(['openai/gpt-oss-20b', 'gemini-3.5-flash-lite'])
    expect(firstNames().at(-1)).toBe('llama3.2')
    await accessible()
  })

  it('are filtered from the account of a provider', async () => {
    await open('providers/accounts')
    await press('1 model from Ollama')
    await settle()
    expect(rows()).toHaveLength(1)
    expect(document.activeElement).toBe(screen.getByRole('tab', { name: 'Models' }))
  })

  it('are shown page by page', async () => {
    const many = Array.from(
      { length: 100 },
      (_, i) => ({ ...sampleModels()[0], name: `m${i}` }) as ReturnType<typeof sampleModels>[0],
    )
    await open('providers/models', { handlers: { models: () => many } })
    expect(rows()).toHaveLength(40)
    await press('Show more')
    expect(rows()).toHaveLength(80)
  })

  it('show that there are none', async () => {
    await open('providers/models', { handlers: { models: () => [] } })
    expect(screen.getByText(/^No models yet/)).toBeTruthy()
  })

  it('are marked as retired in the picker', async () => {
    await open('providers')
    await press(/^Change provider for Answers/)
    expect(screen.getByRole('option', { name: 'qwen/qwen3.8-27b (until 31 January 2027)' })).toBeTruthy()
    expect(screen.getByRole('option', { name: 'llama-3.3-70b-versatile (no longer offered)' })).toBeTruthy()
  })
})
