/** Who answers is chosen where one talks: by mouse in two clicks, or by key. */
import { fireEvent, screen, within } from '@testing-library/svelte'
import { describe, expect, it } from 'vitest'
import { readySnapshot } from '../backend/samples'
import { accessible, open, settle } from '../test/harness'

const opener = () => screen.getByRole('button', { name: /^Model: / })
const list = () => within(screen.getByRole('dialog', { name: 'Who answers' }))
const names = () =>
  list()
    .getAllByRole('option')
    .map((option) => option.textContent.replace(/\s+/g, ' ').trim())
const ctrlM = { key: 'm', code: 'KeyM', ctrlKey: true }

describe('who answers', () => {
  it('is shown in the composer, and changed with two clicks and back', async () => {
    const { backend } = await open('talk')
    await fireEvent.input(screen.getByRole('textbox'), { target: { value: 'Half' } })
    expect(opener().textContent).toContain('Groq · gpt-oss-120b')
    await fireEvent.click(opener())
    await settle()
    expect(backend.requests('models')).toEqual([{ service: 'llm' }])
    // Automatic first; models that are gone and providers that are not ready are left out.
    expect(names()[0]).toMatch(/^Automatic/)
    expect(names().join('|')).toContain('gpt-oss-120b $0.15 / $0.60 per 1M tokens')
    expect(names().join('|')).not.toMatch(/llama/)
    const inEffect = list().getAllByRole('option', { selected: true })
    expect(inEffect.map((option) => option.textContent).join()).toMatch(/^.*gpt-oss-120b.*Kore/s)
    await accessible()
    await fireEvent.click(list().getByRole('option', { name: /^3.5-flash-lite/ }))
    await settle()
    expect(backend.requests('switch')).toEqual([{ service: 'llm', provider: 'gemini', model: 'gemini-3.5-flash-lite' }])
    expect(opener().textContent).toContain('Gemini · 3.5-flash-lite')
    expect(screen.getByText('Gemini will answer from your next question.')).toBeTruthy()
    // The draft stays, and the question has the focus.
    const field = screen.getByRole<HTMLTextAreaElement>('textbox')
    expect(field.value).toBe('Half')
    expect(document.activeElement).toBe(field)
    await fireEvent.click(screen.getByRole('button', { name: 'Undo' }))
    await settle()
    expect(backend.requests('change_settings').at(-1)).toEqual({
      changes: { routes: { llm: { provider: 'groq', model: 'openai/gpt-oss-120b', voice: null } } },
    })
  })

  it('is searched and chosen with the keyboard, from any panel', async () => {
    const { backend } = await open('health')
    await fireEvent.keyDown(document.body, ctrlM)
    await settle()
    const search = screen.getByRole('combobox', { name: 'Find a provider, model or voice' })
    expect(document.activeElement).toBe(search)
    await fireEvent.input(search, { target: { value: 'gem pro' } })
    expect(names()).toEqual(['3.5-pro'])
    await fireEvent.keyDown(search, { key: 'Enter' })
    await settle()
    expect(backend.requests('switch')).toEqual([{ service: 'llm', provider: 'gemini', model: 'gemini-3.5-pro' }])
  })

  it('moves with the arrow keys, and Esc closes it without cancelling the turn', async () => {
    const { backend } = await open('talk')
    const field = screen.getByRole('textbox')
    field.focus()
    await fireEvent.keyDown(field, ctrlM)
    await settle()
    const search = screen.getByRole('combobox', { name: 'Find a provider, model or voice' })
    const active = () => document.getElementById(search.getAttribute('aria-activedescendant') ?? '')?.textContent ?? ''
    expect(active()).toContain('gpt-oss-120b')
    await fireEvent.keyDown(search, { key: 'ArrowUp' })
    expect(active()).toContain('Automatic')
    await fireEvent.keyDown(search, { key: 'Escape' })
    await settle()
    expect(screen.queryByRole('dialog')).toBeNull()
    expect(document.activeElement).toBe(field)
    expect(backend.cancelled).toBe(0)
    expect(backend.requests('switch')).toEqual([])
  })

  it('may be left to AURA', async () => {
    const { backend } = await open('talk')
    await fireEvent.click(opener())
    await settle()
    await fireEvent.click(list().getByRole('option', { name: /^Automatic/ }))
    await settle()
    expect(backend.requests('change_settings')).toEqual([
      { changes: { routes: { llm: { provider: null, model: null, voice: null } } } },
    ])
    expect(opener().textContent).toContain('Automatic · Groq')
  })

  it('says what is wrong with a provider, and when the environment decides', async () => {
    const snapshot = readySnapshot({ from_environment: ['routes.llm.provider'] })
    const { backend, aura } = await open('talk', { snapshot })
    await fireEvent.click(opener())
    await settle()
    const failing = aura.health.report?.providers.find((one) =>
      one.services.some((of) => of.service === 'llm' && of.status !== 'healthy'),
    )
    if (failing) expect(within(screen.getByRole('group', { name: failing.label })).getAllByText(/^, /).length).toBeGreaterThan(0)
    expect(screen.getByText(/^Set by an environment variable/)).toBeTruthy()
    await fireEvent.click(list().getByRole('option', { name: /^3.5-pro/ }))
    expect(backend.requests('switch')).toEqual([])
    await accessible()
  })

  it('closes on a press elsewhere', async () => {
    await open('talk')
    await fireEvent.click(opener())
    await settle()
    await fireEvent.pointerDown(document.body)
    await settle()
    expect(screen.queryByRole('dialog')).toBeNull()
  })

  it('speaks with another voice, found by its name', async () => {
    const { backend } = await open('talk')
    await fireEvent.click(opener())
    await settle()
    expect(list().getByRole('group', { name: 'Voice · Gemini' })).toBeTruthy()
    const search = list().getByRole('combobox')
    await fireEvent.input(search, { target: { value: 'kore' } })
    await fireEvent.keyDown(search, { key: 'Enter' })
    await settle()
    const [asked] = backend.requests('switch')
    expect(asked).toMatchObject({ service: 'tts', provider: 'gemini', voice: 'Kore' })
    expect(screen.getByText('Kore will speak from your next question.')).toBeTruthy()
    await fireEvent.click(screen.getByRole('button', { name: 'Undo' }))
    await settle()
    expect(backend.requests('change_settings').at(-1)).toMatchObject({ changes: { routes: { tts: {} } } })
  })

  it('leaves a voice alone that the environment sets, and the model free', async () => {
    const { backend } = await open('talk', { snapshot: readySnapshot({ from_environment: ['routes.tts.voice'] }) })
    await fireEvent.click(opener())
    await settle()
    await fireEvent.click(list().getByRole('option', { name: /^Kore/ }))
    await settle()
    expect(backend.requests('switch')).toEqual([])
    await fireEvent.click(list().getByRole('option', { name: /^3.5-flash-lite/ }))
    await settle()
    expect(backend.requests('switch')).toHaveLength(1)
  })
})
