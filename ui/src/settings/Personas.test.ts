import { fireEvent, screen } from '@testing-library/svelte'
import { describe, expect, it } from 'vitest'
import { readySnapshot } from '../backend/samples'
import { accessible, open, settle } from '../test/harness'

const pirate = { name: 'Pirate', instructions: 'Talk like a pirate.' }
const teacher = { name: 'Teacher', instructions: 'Explain.', llm: 'gemini', voice: 'Kore' }

const withPersonas = (persona = '') => {
  const snapshot = readySnapshot()
  return open('settings', {
    snapshot: { ...snapshot, settings: { ...snapshot.settings, personas: [pirate, teacher], persona } },
  })
}
const field = (name: string) => screen.getByRole<HTMLInputElement>('textbox', { name })
const set = async (name: string, value: string) => {
  await fireEvent.change(field(name), { target: { value } })
  await settle()
}
const click = async (name: string) => {
  await fireEvent.click(screen.getByRole('button', { name }))
  await settle()
}

describe('personas', () => {
  it('are added with a name of their own, and filled in', async () => {
    const { backend } = await open('settings')
    expect(screen.getByRole<HTMLSelectElement>('combobox', { name: 'Persona' }).options).toHaveLength(1)
    await click('Add a persona')
    expect(document.activeElement).toBe(field('Name'))
    await set('Name', 'Pirate')
    await set('Instructions', 'Talk like a pirate.')
    await set('Model (optional)', 'groq/openai/gpt-oss-20b')
    expect(backend.snapshot.settings.personas).toEqual([{ ...pirate, llm: 'groq/openai/gpt-oss-20b' }])
    await set('Model (optional)', '')
    expect(backend.snapshot.settings.personas).toEqual([pirate])
    await click('Add a persona')
    await click('Add a persona')
    expect(backend.snapshot.settings.personas.map((one) => one.name)).toEqual(['Pirate', 'New persona', 'New persona 2'])
    await accessible()
  })

  it('are chosen from the list', async () => {
    const { backend } = await withPersonas()
    await fireEvent.change(screen.getByRole('combobox', { name: 'Persona' }), { target: { value: 'Teacher' } })
    await settle()
    expect(backend.requests('change_settings')).toEqual([{ changes: { persona: 'Teacher' } }])
  })

  it('keep different names, and stay chosen under a new one', async () => {
    const { backend } = await withPersonas('Teacher')
    await click('Edit “Teacher”')
    for (const bad of ['pirate ', ' ']) {
      await set('Name', bad)
      expect(screen.getByRole('alert').textContent).toBe('Each persona needs a name of its own.')
    }
    expect(backend.requests('change_settings')).toEqual([])
    await set('Name', 'Professor')
    expect(backend.requests('change_settings')).toEqual([
      { changes: { personas: [pirate, { ...teacher, name: 'Professor' }], persona: 'Professor' } },
    ])
  })

  it('are deleted, with an undo', async () => {
    const { backend } = await withPersonas('Pirate')
    await click('Edit “Pirate”')
    await click('Delete')
    expect(backend.requests('change_settings')).toEqual([{ changes: { personas: [teacher], persona: '' } }])
    expect(screen.getByText('“Pirate” deleted.')).toBeTruthy()
    await click('Undo')
    expect(backend.snapshot.settings).toMatchObject({ personas: [pirate, teacher], persona: 'Pirate' })
  })

  it('are switched by the command palette, with an undo', async () => {
    const { backend } = await withPersonas()
    await fireEvent.keyDown(document.body, { key: 'k', code: 'KeyK', ctrlKey: true })
    await settle()
    const search = screen.getByRole('combobox', { name: 'Type a command or setting' })
    await fireEvent.input(search, { target: { value: 'persona: pir' } })
    await fireEvent.keyDown(search, { key: 'Enter' })
    await settle()
    expect(backend.requests('change_settings')).toEqual([{ changes: { persona: 'Pirate' } }])
    expect(screen.getByRole('button', { name: 'Undo' })).toBeTruthy()
  })
})
