import { fireEvent, render, screen, within } from '@testing-library/svelte'
import { describe, expect, it } from 'vitest'
import { failing, FakeBackend, type Script } from '../backend/fake'
import {
  freshSnapshot,
  readySnapshot,
  sampleLocalModel,
  sampleLocalModels,
  sampleModels,
  sampleProvider,
  sampleServers,
  sampleTurn,
  withModels,
} from '../backend/samples'
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

/** The way without an account and without a download, to the sound check. */
const withoutAccount = async () => {
  await press('Choose models')
  await press('Continue without a download')
}

describe('onboarding', () => {
  it('offers three ways to start, and a question can be asked at once', async () => {
    await fresh()
    expect(screen.getAllByRole('heading', { level: 3 }).map((one) => one.textContent)).toEqual([
      'I have an API key',
      'I run models locally',
      'Without an account',
    ])
    expect(screen.getByText('Found on this computer: LM Studio.')).toBeTruthy()
    expect(screen.getByRole('textbox', { name: 'Your question' })).toBeTruthy()
    expect(screen.queryByText(/^AURA can’t answer questions yet/)).toBeNull()
    await accessible()
  })

  it('is skipped with an API key, after a first run, or with a history', async () => {
    const ways = () => screen.queryByRole('heading', { name: 'Without an account' })
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
    await withoutAccount()
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
    await withoutAccount()
    const error = { code: 'nothing_heard' as const, message: 'Nothing was heard.' }
    backend.emit({ type: 'stage', turn: 'a', stage: 'transcribing' }, { type: 'done', record: sampleTurn('a', { error }) })
    await settle()
    expect(screen.getByText(/^The sound check didn’t work/)).toBeTruthy()
  })

  it('can be skipped, and Esc goes back one step', async () => {
    const { backend } = await fresh()
    await withoutAccount()
    await fireEvent.keyDown(screen.getByRole('button', { name: 'Back' }), { key: 'Escape' })
    expect(heading()).toBe('Hold a shortcut, and talk')
    expect(backend.cancelled).toBe(0)
    await withoutAccount()
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
    await withoutAccount()
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

describe('without an account', () => {
  const downloads = (backend: FakeBackend) => backend.requests('download_model')
  const loading = (done_bytes: number) => ({
    state: { state: 'downloading' as const, done_bytes, total_bytes: 77_000_000, bytes_per_second: 2_000_000 },
  })

  it('speech comes first, with its size, and nothing is downloaded without a yes', async () => {
    const { backend } = await fresh()
    expect(screen.getByText(/^AURA hears and speaks English on this computer.*175 MB/)).toBeTruthy()
    await press('Choose models')
    expect(heading()).toBe('AURA on this computer')
    expect(screen.getAllByRole('heading', { level: 3 }).map((one) => one.textContent)).toEqual([
      'Hear and speak',
      'Answer questions',
    ])
    expect(downloads(backend)).toEqual([])
    expect(document.activeElement).toBe(screen.getByRole('heading', { level: 2 }))
    await accessible()
    await press('Get speech · 175 MB')
    await settle()
    expect(downloads(backend)).toEqual([{ id: 'moonshine-base' }, { id: 'piper-joe' }])
    expect(screen.queryByRole('button', { name: /^Get speech/ })).toBeNull()
    expect(document.activeElement).toBe(screen.getByRole('button', { name: 'Continue' }))
    await accessible()
  })

  it('language models of several sizes say what each is good for here', async () => {
    const larger = { services: ['llm' as const], languages: [], size_bytes: 2_500_000_000, memory_bytes: 4_060_000_000 }
    const view = sampleLocalModels()
    view.models.push(
      sampleLocalModel('english', 'English 1B', { services: ['llm'], size_bytes: 300_000_000 }),
      sampleLocalModel('qwen3-4b', 'Qwen3 4B', { ...larger, fits: 'tight' }),
    )
    // Neither the one that only knows another language, nor the one that sees, nor the one that is too large.
    const snapshot = freshSnapshot()
    snapshot.settings.listening.language = 'de'
    const { backend } = await fresh({ snapshot, local: view })
    await press('Choose models')
    const answers = within(screen.getByRole('region', { name: 'Answer questions' }))
    expect(answers.getAllByRole('heading', { level: 4 }).map((one) => one.textContent.trim())).toEqual([
      'Qwen3 0.6B',
      'Qwen3 1.7B',
      'Qwen3 4B',
    ])
    expect(answers.getByText(/^A tight fit: it needs 4.1 GB/)).toBeTruthy()
    await press('Get · 1.3 GB: Qwen3 1.7B')
    await settle()
    expect(downloads(backend)).toEqual([{ id: 'qwen3-1.7b' }])
    // What is offered does not change under the pointer.
    expect(answers.getAllByRole('heading', { level: 4 })).toHaveLength(3)
  })

  it('AURA can be used while downloads go on, and the progress stays in sight', async () => {
    const { backend } = await fresh()
    await press('Choose models')
    await press('Get speech · 175 MB')
    await settle()
    await press('Continue')
    backend.setModel('moonshine-base', loading(38_500_000))
    await settle()
    expect(heading()).toBe('Now say something')
    expect(screen.getByText('Still downloading: Moonshine Base. You can already type.')).toBeTruthy()
    expect(screen.getByRole('region', { name: 'Downloads' }).textContent).toContain('Downloading 2 models')
    await accessible()
    await press('Skip the sound check')
    expect(screen.getByRole('region', { name: 'Downloads' })).toBeTruthy()
    expect(screen.getByRole('textbox', { name: 'Your question' })).toBeTruthy()
  })

  it('models that are here already need no download', async () => {
    const here = { state: { state: 'installed' as const } }
    await fresh({ local: withModels({ 'moonshine-base': here, 'piper-joe': here }) })
    expect(screen.getByText(/Its speech models are here\.$/)).toBeTruthy()
    await press('Choose models')
    expect(screen.queryByRole('button', { name: /^Get speech/ })).toBeNull()
    expect(screen.getByRole('button', { name: 'Continue' })).toBeTruthy()
  })

  it('another language is named only if the models know it', async () => {
    const snapshot = freshSnapshot()
    snapshot.settings.listening.language = 'fr'
    await fresh({ snapshot })
    expect(screen.getByText(/^AURA hears and speaks on this computer/)).toBeTruthy()
  })

  it('can be left by keyboard, and the focus returns', async () => {
    await fresh()
    for (const leave of [
      () => press('Back'),
      () => fireEvent.keyDown(document.activeElement ?? document.body, { key: 'Escape' }),
    ]) {
      await press('Choose models')
      await leave()
      await settle()
      expect(document.activeElement).toBe(screen.getByRole('button', { name: 'Choose models' }))
    }
  })

  it('where models cannot be listed, the tools of the computer are used', async () => {
    await fresh({ handlers: { local_models: failing({ code: 'storage', message: 'No.' }) } })
    expect(screen.getByText('No account, no internet: AURA uses the speech tools on this computer.')).toBeTruthy()
    await press('Start offline')
    expect(heading()).toBe('Now say something')
  })

  it('without room on the disk says so', async () => {
    await fresh({ local: sampleLocalModels({ disk_free: 50_000_000 }) })
    await press('Choose models')
    expect(screen.getByRole<HTMLButtonElement>('button', { name: 'Get speech · 175 MB' }).disabled).toBe(true)
    expect(screen.getAllByText(/^Not enough disk space/).length).toBeGreaterThan(0)
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
