import { fireEvent, screen } from '@testing-library/svelte'
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
  const rows = () => screen.getAllByRole('row').slice(1)

  it('list services, context, price and retirement', async () => {
    await open('providers')
    /** The cells are separated by CSS, not by spaces. */
    const cells = (name: string) =>
      [...(rows().find((row) => row.textContent?.includes(name))?.children ?? [])].map((cell) =>
        cell.textContent?.replace(/\s+/g, ' ').trim(),
      )
    expect(cells('gpt-oss-120b')).toEqual([
      'openai/gpt-oss-120b Groq',
      'Answers',
      '131K',
      '$0.15 in, $0.60 out / 1M tokens',
      'not announced',
    ])
    expect(cells('qwen/qwen3.8-27b')).toMatchObject({ 1: 'Answers, Vision', 4: 'January 31, 2027 then openai/gpt-oss-120b' })
    expect(cells('llama-3.3-70b')[0]).toContain('from the catalog no longer offered Groq no longer lists it.')
    expect(cells('llama-3.3-70b')[4]).toContain('since August 16, 2026')
    expect(cells('llama3.2')[3]).toBe('unknown')
    await accessible()
  })

  it('are searched and filtered', async () => {
    await open('providers')
    await fireEvent.input(screen.getByRole('searchbox', { name: 'Search models' }), { target: { value: 'GEMINI lite' } })
    expect(rows()).toHaveLength(2)
    await pick('Models by service', 'tts')
    expect(rows()).toHaveLength(1)
    expect(screen.getAllByRole('status').some((one) => one.textContent === '1 model')).toBe(true)
    await pick('Models by provider', 'groq')
    expect(screen.queryByRole('table')).toBeNull()
    expect(screen.getByText(/^No matching models/)).toBeTruthy()
  })

  it('are filtered from the account of a provider', async () => {
    await open('providers')
    await press('1 model from Ollama')
    expect(rows()).toHaveLength(1)
    expect(document.activeElement?.tagName).toBe('H2')
  })

  it('are shown page by page', async () => {
    const many = Array.from(
      { length: 100 },
      (_, i) => ({ ...sampleModels()[0], name: `m${i}` }) as ReturnType<typeof sampleModels>[0],
    )
    await open('providers', { handlers: { models: () => many } })
    expect(rows()).toHaveLength(40)
    await press('Show more')
    expect(rows()).toHaveLength(80)
  })

  it('show that there are none', async () => {
    await open('providers', { handlers: { models: () => [] } })
    expect(screen.getByText(/^No models yet/)).toBeTruthy()
  })

  it('are marked as retired in the picker', async () => {
    await open('providers')
    await press(/^Change provider for Answers/)
    expect(screen.getByRole('option', { name: 'qwen/qwen3.8-27b (until January 31, 2027)' })).toBeTruthy()
    expect(screen.getByRole('option', { name: 'llama-3.3-70b-versatile (no longer offered)' })).toBeTruthy()
  })
})
