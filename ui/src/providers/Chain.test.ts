import { fireEvent, screen, within } from '@testing-library/svelte'
import { describe, expect, it, vi } from 'vitest'
import { readySnapshot } from '../backend/samples'
import { accessible, open, settle } from '../test/harness'

const press = (name: string | RegExp) => fireEvent.click(screen.getByRole('button', { name }))

describe('the chain', () => {
  const pill = (name: RegExp) => screen.getByRole('button', { name })
  const gemini = /^Gemini 3.5-flash-lite: fallback \d for Answers/

  it('opens at every provider, with what can be done there', async () => {
    const { backend } = await open('providers')
    await fireEvent.click(pill(gemini))
    const group = screen.getByRole('group', { name: 'Gemini: fallback 1 for Answers' })
    expect(document.activeElement).toBe(within(group).getByRole('button', { name: 'Use first' }))
    expect(group.textContent).toContain('Gemini · 3.5-flash-lite is used when Groq fails.')
    await accessible()
    await fireEvent.click(within(group).getByRole('button', { name: 'Test' }))
    await settle()
    expect(backend.requests('test')).toEqual([{ service: 'llm', provider: 'gemini', model: 'gemini-3.5-flash-lite' }])
    await fireEvent.click(within(group).getByRole('button', { name: 'Leave out' }))
    await settle()
    // Ollama is not ready; it keeps its place in the order.
    expect(backend.snapshot.settings.routes.llm.then).toEqual(['offline', 'ollama'])
    await press('Undo')
    await settle()
    expect(backend.snapshot.settings.routes.llm).toMatchObject({ provider: 'groq', model: 'openai/gpt-oss-120b' })
    expect(backend.snapshot.settings.routes.llm.then).toBeUndefined()
  })

  it('moves by keyboard, and a provider becomes the first with its default model', async () => {
    const { backend } = await open('providers')
    const moving = pill(gemini)
    moving.focus()
    await fireEvent.keyDown(moving, { key: 'ArrowRight', altKey: true })
    await settle()
    expect(backend.snapshot.settings.routes.llm.then).toEqual(['offline', 'gemini', 'ollama'])
    expect(screen.getByText('Groq, then Offline, then Gemini. Applies from your next question.')).toBeTruthy()
    expect(document.activeElement).toBe(moving)
    await fireEvent.keyDown(moving, { key: 'ArrowLeft', altKey: true })
    await settle()
    expect(backend.requests('change_settings').at(-1)).toEqual({
      changes: { routes: { llm: { provider: 'gemini', model: null, voice: null, then: ['groq', 'offline', 'ollama'] } } },
    })
  })

  it('moves by dragging, without opening', async () => {
    const { backend, view } = await open('providers')
    const pills = () => [...(view.container.querySelectorAll('.chain ol')[1]?.children ?? [])]
    // jsdom has no layout: pills of 100 pixels beside each other.
    const layout = vi.spyOn(HTMLElement.prototype, 'getBoundingClientRect').mockImplementation(function (this: HTMLElement) {
      const place = pills().indexOf(this)
      return { left: place * 100, right: place * 100 + 100, top: 0, bottom: 36 } as DOMRect
    })
    const button = pills()[1]?.querySelector('button') ?? document.body
    await fireEvent.pointerDown(button, { button: 0, clientX: 150, clientY: 18 })
    await fireEvent.pointerMove(window, { clientX: 260, clientY: 18 })
    await fireEvent.pointerUp(window)
    await fireEvent.click(button)
    await settle()
    layout.mockRestore()
    expect(backend.snapshot.settings.routes.llm.then).toEqual(['offline', 'gemini', 'ollama'])
    expect(screen.queryByRole('group', { name: /fallback \d for Answers/ })).toBeNull()
  })

  it('moves although an environment variable sets it', async () => {
    const { backend } = await open('providers', { snapshot: readySnapshot({ from_environment: ['routes.llm.then'] }) })
    await fireEvent.keyDown(pill(gemini), { key: 'ArrowRight', altKey: true })
    await settle()
    expect(backend.requests('change_settings')).toHaveLength(1)
  })
})
