import { fireEvent, render, screen } from '@testing-library/svelte'
import { describe, expect, it, vi } from 'vitest'
import { failing, FakeBackend } from '../backend/fake'
import { freshSnapshot, groq, sampleModels, sampleProvider } from '../backend/samples'
import { Aura } from '../lib/aura.svelte'
import { accessible, open, settle } from '../test/harness'
import { customKind } from './kinds'
import ProviderForm from './ProviderForm.svelte'

const press = (name: string | RegExp) => fireEvent.click(screen.getByRole('button', { name }))

describe('a new provider', () => {
  const tile = (name: RegExp) => screen.getByRole('button', { name })
  const type = (label: string, value: string) => fireEvent.input(screen.getByLabelText(label), { target: { value } })

  it('is added by its tile with its key, and checked at once', async () => {
    const { backend } = await open('providers/accounts', {
      handlers: { models: () => [{ ...sampleModels()[2], provider: 'openai' } as ReturnType<typeof sampleModels>[0]] },
    })
    await fireEvent.click(tile(/^OpenAI With an API key/))
    expect(document.activeElement).toBe(screen.getByLabelText('Your API key'))
    expect(screen.getByRole('link', { name: 'platform.openai.com/api-keys' })).toBeTruthy()
    await accessible()
    await press('Add and check')
    expect(screen.getByText('Paste the API key.')).toBeTruthy()
    await type('Your API key', ' sk-0123456789abcdef ')
    await press('Add and check')
    await settle()
    expect(backend.requests('change_settings')).toEqual([
      { changes: { providers: { openai: { preset: 'openai', base_url: 'https://api.openai.com/v1/' } } } },
    ])
    expect(backend.requests('save_key')).toEqual([{ provider: 'openai', key: 'sk-0123456789abcdef', session_only: false }])
    expect(screen.getByText('OpenAI added. 1 model available.')).toBeTruthy()
    expect(document.body.innerHTML).not.toContain('sk-0123')
    expect(document.activeElement).toBe(tile(/^OpenAI/))
  })

  it('whose key is rejected stays in the form, and its key can be corrected', async () => {
    let rejects = true
    const refused = freshSnapshot()
    refused.providers[0] = sampleProvider('groq', 'Groq', { problem: 'The API key was rejected. Save a new one.' })
    const good = freshSnapshot()
    good.providers[0] = groq()
    const answer = () => (rejects ? refused : good)
    const { backend } = await open('providers/accounts', {
      snapshot: freshSnapshot(),
      handlers: { save_key: answer, snapshot: answer },
    })
    await fireEvent.click(tile(/^Groq Free API key available/))
    expect(screen.getByText('Get a free API key from Groq:')).toBeTruthy()
    await type('Your API key', 'gsk_wrong')
    await press('Add and check')
    await settle()
    expect(screen.getByText('Groq: The API key was rejected. Save a new one.')).toBeTruthy()
    rejects = false
    await type('Your API key', 'gsk_right')
    await press('Add and check')
    await settle()
    expect(backend.requests('save_key')).toHaveLength(2)
    expect(screen.queryByLabelText('Your API key')).toBeNull()
  })

  it('without a keyring keeps the key for this session if the user agrees', async () => {
    let tries = 0
    const good = freshSnapshot()
    good.providers[0] = groq()
    const { backend } = await open('providers/accounts', {
      snapshot: freshSnapshot(),
      handlers: {
        save_key: () => {
          if (tries++ === 0) throw { code: 'keyring', message: 'No keyring is available.' }
          return good
        },
        snapshot: () => (tries > 1 ? good : freshSnapshot()),
      },
    })
    await fireEvent.click(tile(/^Groq Free/))
    await type('Your API key', 'gsk_0123456789abcd')
    await press('Add and check')
    await settle()
    await press('Keep it for this session only')
    await settle()
    expect(backend.requests('save_key')).toMatchObject([{ session_only: false }, { session_only: true }])
  })

  it('of any other kind needs a unique name and an address, and Esc closes the form', async () => {
    const { backend } = await open('providers/accounts', {
      handlers: { servers: failing({ code: 'internal', message: 'No.' }) },
    })
    const other = tile(/^Another server/)
    await fireEvent.click(other)
    await press('Add and check')
    expect(screen.getByText(/^Use lowercase letters/)).toBeTruthy()
    expect(screen.getByText(/Enter a URL starting with/)).toBeTruthy()
    await accessible()
    await type('Name', 'ollama')
    expect(screen.getByText('That name is taken.')).toBeTruthy()
    expect(backend.requests('change_settings')).toEqual([])
    await type('Name', 'mine')
    await type('Address', 'http://10.0.0.2:9000/v1')
    await press('Add and check')
    await settle()
    expect(backend.requests('change_settings')).toEqual([
      { changes: { providers: { mine: { preset: 'custom', base_url: 'http://10.0.0.2:9000/v1' } } } },
    ])
    await fireEvent.keyDown(screen.getByLabelText('Address'), { key: 'Escape' })
    await settle()
    expect(screen.queryByLabelText('Address')).toBeNull()
    expect(document.activeElement).toBe(other)
  })

  it('that does not respond in time is added all the same, and a form that was left moves nothing', async () => {
    const backend = new FakeBackend({ handlers: { models: () => [] } })
    const aura = new Aura(backend)
    await aura.start()
    const done = vi.fn()
    const props = { aura, snapshot: backend.snapshot, kind: customKind(), close: () => undefined, done }
    const add = async (name: string, timeout: number) => {
      const form = render(ProviderForm, { ...props, polling: { interval: 1, timeout } })
      await type('Name', name)
      await type('Address', 'http://10.0.0.2:9000/v1')
      await press('Add and check')
      return form
    }
    const first = await add('mine', 5)
    await vi.waitFor(() => expect(done).toHaveBeenCalledTimes(1))
    expect(aura.toast?.text).toBe('mine added. It hasn’t responded yet; run a test to be sure.')
    first.unmount()
    const second = await add('yours', 50)
    second.unmount()
    await vi.waitFor(() => expect(aura.toast?.text).toMatch(/^yours added/))
    expect(done).toHaveBeenCalledTimes(1)
  })

  it('of a kind that is set up already gets another name', async () => {
    await open('providers/accounts')
    await fireEvent.click(tile(/^Ollama On this computer/))
    expect(screen.getByLabelText<HTMLInputElement>('Name').value).toBe('ollama-2')
    expect(screen.getByLabelText<HTMLInputElement>('Address').value).toBe('http://127.0.0.1:11434/v1/')
  })

  it('detected on this computer is added with one click', async () => {
    const { backend } = await open('providers/accounts')
    expect(screen.getByText('LM Studio was found on this computer.')).toBeTruthy()
    await press('Use LM Studio')
    await settle()
    expect(backend.requests('change_settings')).toEqual([
      { changes: { providers: { lmstudio: { preset: 'lmstudio', base_url: 'http://127.0.0.1:1234/v1/' } } } },
    ])
    await press('Undo')
    await settle()
    expect(backend.snapshot.settings.providers.lmstudio).toBeUndefined()
  })
})
