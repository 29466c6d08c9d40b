import { fireEvent, screen, within } from '@testing-library/svelte'
import { describe, expect, it } from 'vitest'
import { readySnapshot } from '../backend/samples'
import type { LanguageVoice } from '../generated/LanguageVoice'
import type { VoiceView } from '../generated/VoiceView'
import { accessible, open, settle } from '../test/harness'

const known: VoiceView[] = [
  { name: 'Kore', provider: 'gemini', model: 'one', gender: 'female' },
  { name: 'Kore', provider: 'gemini', model: 'two', gender: 'female' },
  { name: 'Hannah', provider: 'groq', model: 'english', language: 'en' },
  { name: 'Karl', provider: 'groq', model: 'german', language: 'de' },
]

async function openWith(voices: Record<string, LanguageVoice>) {
  const snapshot = readySnapshot()
  snapshot.settings.speaking.voices = voices
  const { backend } = await open('settings', { snapshot, handlers: { voices: () => known } })
  return backend
}

const list = (name: string) => screen.getByRole<HTMLSelectElement>('combobox', { name })
const labels = (select: HTMLSelectElement) =>
  within(select)
    .getAllByRole<HTMLOptionElement>('option')
    .map((one) => one.text)
const choose = async (select: HTMLSelectElement, label: string) => {
  const option = [...select.options].find((one) => one.text === label)
  await fireEvent.change(select, { target: { value: option?.value } })
  await settle()
}

describe('the voices by language', () => {
  it('are listed only when they are needed', async () => {
    const backend = await openWith({})
    expect(backend.requests('voices')).toEqual([])
    await fireEvent.change(list('Voice by language'), { target: { value: 'de' } })
    await settle()
    expect(backend.requests('voices')).toHaveLength(1)
    expect(backend.requests('change_settings')).toEqual([])
    expect(document.activeElement).toBe(list('German'))
    await accessible()
  })

  it('are those that speak the language, and are saved with a model where only one has them', async () => {
    const backend = await openWith({})
    await fireEvent.change(list('Voice by language'), { target: { value: 'de' } })
    await settle()
    expect(labels(list('German')).filter((label) => /Kore|Hannah|Karl/.test(label))).toEqual(['Karl · German', 'Kore · female'])
    await choose(list('German'), 'Karl · German')
    expect(backend.requests('change_settings')).toEqual([
      { changes: { speaking: { voices: { de: { provider: 'groq', voice: 'Karl', model: 'german' } } } } },
    ])
  })

  it('change, and are taken back', async () => {
    const backend = await openWith({ de: { provider: 'groq', voice: 'Karl', model: 'german' } })
    await choose(list('German'), 'Kore · female')
    await fireEvent.click(screen.getByRole('button', { name: 'Remove German' }))
    await settle()
    expect(backend.requests('change_settings')).toEqual([
      { changes: { speaking: { voices: { de: { provider: 'gemini', voice: 'Kore', model: null } } } } },
      { changes: { speaking: { voices: { de: null } } } },
    ])
  })

  it('keep one that no provider lists', async () => {
    await openWith({ xx: { provider: 'mine', voice: 'Robot' } })
    expect(list('xx').selectedOptions[0]?.text).toBe('mine · Robot')
  })
})
