import { fireEvent, render, screen } from '@testing-library/svelte'
import { describe, expect, it } from 'vitest'
import { failing, FakeBackend, type Script } from '../backend/fake'
import { freshSnapshot, readySnapshot, sampleModels, sampleProvider, sampleServers, sampleTurn } from '../backend/samples'
import type { ModelView } from '../generated/ModelView'
import { Aura } from '../lib/aura.svelte'
import { setPreferences } from '../lib/preferences.svelte'
import { accessible, open, settle } from '../test/harness'
import Onboarding from './Onboarding.svelte'
import { checkKey, providerOfKey } from './key-check'

const fresh = (script: Script = {}) => open('talk', { snapshot: freshSnapshot(), ...script })
const press = (name: string | RegExp) => fireEvent.click(screen.getByRole('button', { name }))
const paste = (key: string) => fireEvent.input(screen.getByLabelText('Your API key'), { target: { value: key } })
const heading = () => screen.getByRole('heading', { level: 2 }).textContent

describe('onboarding', () => {
  it('offers three ways to start, and a question can be asked at once', async () => {
    await fresh()
    expect(screen.getAllByRole('heading', { level: 3 }).map((one) => one.textContent)).toEqual([
      'I have an API key',
      'I run models locally',
      'Just try it',
    ])
    expect(screen.getByText('Found on this computer: LM Studio.')).toBeTruthy()
    expect(screen.getByRole('textbox', { name: 'Your question' })).toBeTruthy()
    expect(screen.queryByText(/^You’re using offline tools/)).toBeNull()
    await accessible()
  })

  it('is skipped with an API key, after a first run, or with a history', async () => {
    const ways = () => screen.queryByRole('heading', { name: 'Just try it' })
    const first = await open('talk')
    expect(ways()).toBeNull()
    first.view.unmount()
    const second = await fresh({ history: [sampleTurn('a')] })
    expect(ways()).toBeNull()
    second.view.unmount()
    setPreferences({ welcomed: true })
    await fresh()
    expect(ways()).toBeNull()
  })

  it('leads without an account to the sound check and ends with the first question', async () => {
    const { backend } = await fresh()
    await press('Start offline')
    expect(heading()).toBe('Now say something')
    expect(screen.getByText('Offline · pocketsphinx')).toBeTruthy()
    await accessible()
    backend.emit({ type: 'stage', turn: 'a', stage: 'transcribing' }, { type: 'transcript', turn: 'a', text: 'Hello?' })
    backend.emit({ type: 'done', record: sampleTurn('a') })
    await settle()
    expect(screen.getByText('The sound check worked: first sound after 0.94 s.')).toBeTruthy()
    expect(screen.queryByText('Now say something')).toBeNull()
    expect(localStorage.getItem('aura.preferences')).toContain('"welcomed":true')
  })

  it('points to the conversation when the sound check fails', async () => {
    const { backend } = await fresh()
    await press('Start offline')
    const error = { code: 'nothing_heard' as const, message: 'Nothing was heard.' }
    backend.emit({ type: 'stage', turn: 'a', stage: 'transcribing' }, { type: 'done', record: sampleTurn('a', { error }) })
    await settle()
    expect(screen.getByText(/^The sound check didn’t work/)).toBeTruthy()
  })

  it('can be skipped, and Esc goes back one step', async () => {
    const { backend } = await fresh()
    await press('Start offline')
    await fireEvent.keyDown(screen.getByRole('button', { name: 'Back' }), { key: 'Escape' })
    expect(heading()).toBe('Hold a shortcut, and talk')
    expect(backend.cancelled).toBe(0)
    await press('Start offline')
    await press('Skip the sound check')
    expect(screen.getByText(/^For example/)).toBeTruthy()
  })

  it('adds a server detected on this computer', async () => {
    const { backend } = await fresh()
    await press('Use LM Studio')
    await settle()
    expect(backend.requests('change_settings')).toEqual([
      { changes: { providers: { lmstudio: { preset: 'lmstudio', base_url: 'http://127.0.0.1:1234/v1/' } } } },
    ])
    expect(heading()).toBe('Now say something')
  })

  it('takes the address of a server in place, checks it, and Esc goes back to where it came from', async () => {
    const { backend } = await fresh({
      handlers: { models: () => sampleModels().map((model) => ({ ...model, provider: 'mine' })) },
    })
    await press('Enter an address')
    expect(location.hash).toBe('#talk')
    expect(document.activeElement).toBe(screen.getByLabelText('Name'))
    await accessible()
    await fireEvent.keyDown(screen.getByLabelText('Name'), { key: 'Escape' })
    await settle()
    expect(document.activeElement).toBe(screen.getByRole('button', { name: 'Enter an address' }))
    await press('Enter an address')
    await fireEvent.input(screen.getByLabelText('Name'), { target: { value: 'mine' } })
    await fireEvent.input(screen.getByLabelText('Address'), { target: { value: 'http://10.0.0.2:9000/v1' } })
    await press('Add and check')
    await settle()
    expect(backend.requests('change_settings')).toEqual([
      { changes: { providers: { mine: { preset: 'custom', base_url: 'http://10.0.0.2:9000/v1' } } } },
    ])
    expect(heading()).toBe('Now say something')
  })

  it('shows the microphone’s level before the sound check', async () => {
    const { backend } = await fresh()
    await press('Start offline')
    await press('Try it')
    backend.emit({ type: 'level', level: 0.25, elapsed_ms: 300 })
    await settle()
    expect(screen.getByText('Your voice is coming through.')).toBeTruthy()
  })

  it('reports that no server was found, and scans again', async () => {
    let found = false
    const { backend } = await fresh({ handlers: { servers: () => sampleServers().filter((server) => server.found === found) } })
    expect(screen.getByText(/^No local server found/)).toBeTruthy()
    found = true
    await press('Scan again')
    await settle()
    expect(backend.requests('servers')).toHaveLength(2)
    expect(screen.getByRole('button', { name: 'Use LM Studio' })).toBeTruthy()
  })

  it('reports that the scan failed', async () => {
    await fresh({ handlers: { servers: failing({ code: 'internal', message: 'No.' }) } })
    expect(screen.getByText('Couldn’t scan this computer.')).toBeTruthy()
    await accessible()
  })
})

describe('an API key', () => {
  it('is recognised by its prefix, saved, checked for free, and leads to the sound check', async () => {
    const { backend } = await fresh()
    await press('Paste an API key')
    expect(document.activeElement).toBe(screen.getByLabelText('Your API key'))
    await accessible()
    expect(screen.getByRole('link', { name: 'console.groq.com/keys' })).toBeTruthy()
    await paste(' AIzaSyA0123456789 ')
    expect(screen.getByText('Get a free API key from Gemini:')).toBeTruthy()
    expect(screen.getByRole<HTMLSelectElement>('combobox', { name: 'Provider' }).value).toBe('gemini')
    await press('Save and check')
    await settle()
    expect(backend.requests('save_key')).toEqual([{ provider: 'gemini', key: 'AIzaSyA0123456789', session_only: false }])
    expect(backend.requests('test')).toEqual([])
    expect(screen.getByText('Gemini accepted the key. 2 models available.')).toBeTruthy()
    expect(document.body.innerHTML).not.toContain('AIzaSy')
    await press('Continue')
    expect(heading()).toBe('Now say something')
  })

  it('for a server that is not set up adds the server first', async () => {
    const { backend } = await fresh()
    await press('Paste an API key')
    await paste('sk-0123456789abcdef')
    await press('Save and check')
    await settle()
    expect(backend.calls.map((call) => call.operation).filter((name) => ['change_settings', 'save_key'].includes(name))).toEqual([
      'change_settings',
      'save_key',
    ])
    expect(backend.requests('change_settings')).toEqual([
      { changes: { providers: { openai: { preset: 'openai', base_url: 'https://api.openai.com/v1/' } } } },
    ])
  })

  it('that is rejected is reported, and another can be pasted', async () => {
    const refused = freshSnapshot()
    refused.providers[0] = sampleProvider('groq', 'Groq', { problem: 'The API key was rejected. Save a new one.' })
    await fresh({ handlers: { save_key: () => refused, snapshot: () => refused } })
    await press('Paste an API key')
    await paste('gsk_0123456789abcdef')
    await press('Save and check')
    await settle()
    expect(screen.getByText('Groq: The API key was rejected. Save a new one.')).toBeTruthy()
    expect(screen.queryByRole('button', { name: 'Continue' })).toBeNull()
    await press('Use a different key')
    expect(screen.getByLabelText<HTMLInputElement>('Your API key').value).toBe('')
  })

  it('without a keyring is kept for this session if the user agrees', async () => {
    let tries = 0
    const { backend } = await fresh({
      handlers: {
        save_key: () => {
          if (tries++ === 0) throw { code: 'keyring', message: 'No keyring is available.' }
          return readySnapshot()
        },
      },
    })
    await press('Paste an API key')
    await paste('gsk_0123456789abcdef')
    await press('Save and check')
    await settle()
    expect(screen.getByRole('alert').textContent).toContain('No keyring is available.')
    await press('Keep it for this session only')
    await settle()
    expect(backend.requests('save_key')).toMatchObject([{ session_only: false }, { session_only: true }])
  })

  it('that cannot be checked yet can be tested or accepted', async () => {
    const catalog = (): ModelView[] => sampleModels().map((model) => ({ ...model, source: 'catalog' }))
    const backend = new FakeBackend({ snapshot: freshSnapshot(), handlers: { models: catalog } })
    const aura = new Aura(backend)
    await aura.start()
    render(Onboarding, { aura, snapshot: backend.snapshot, done: () => undefined, polling: { interval: 1, timeout: 5 } })
    await settle()
    await press('Paste an API key')
    await paste('gsk_0123456789abcdef')
    await press('Save and check')
    await new Promise((resolve) => setTimeout(resolve, 60))
    await settle()
    expect(screen.getByText(/^The key is saved, but Groq hasn’t responded yet/)).toBeTruthy()
    await press('Run a test')
    await settle()
    expect(backend.requests('test')).toEqual([{ service: 'llm', provider: 'groq' }])
    expect(screen.getByText('“I am ready.”')).toBeTruthy()
    expect(screen.getByRole('button', { name: 'Continue' })).toBeTruthy()
  })

  it('is matched to its provider by its prefix', () => {
    expect(['gsk_1', 'AIza1', 'sk-or-1', 'sk-1', 'abc'].map(providerOfKey)).toEqual([
      'groq',
      'gemini',
      'openrouter',
      'openai',
      undefined,
    ])
  })

  it('is polled until the provider responds', async () => {
    let looks = 0
    const backend = new FakeBackend({
      handlers: { models: () => sampleModels().map((model) => ({ ...model, source: ++looks > 30 ? 'live' : 'catalog' })) },
    })
    expect(await checkKey(backend, 'groq', { interval: 1, timeout: 30_000 })).toMatchObject({ kind: 'works' })
  })
})
