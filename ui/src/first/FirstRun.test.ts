import { fireEvent, render, screen } from '@testing-library/svelte'
import { describe, expect, it } from 'vitest'
import { failing, FakeBackend, type Script } from '../backend/fake'
import { freshSnapshot, readySnapshot, sampleModels, sampleProvider, sampleServers, sampleTurn } from '../backend/samples'
import type { ModelView } from '../generated/ModelView'
import { Aura } from '../lib/aura.svelte'
import { prefer } from '../lib/preferences.svelte'
import { accessible, open, settle } from '../test/stage'
import FirstRun from './FirstRun.svelte'
import { checkKey, ownerOf } from './key-check'

const fresh = (script: Script = {}) => open('talk', { snapshot: freshSnapshot(), ...script })
const press = (name: string | RegExp) => fireEvent.click(screen.getByRole('button', { name }))
const paste = (key: string) => fireEvent.input(screen.getByLabelText('Your key'), { target: { value: key } })
const heading = () => screen.getByRole('heading', { level: 2 }).textContent

describe('the first run', () => {
  it('offers three ways in, and the question can be asked at once all the same', async () => {
    await fresh()
    expect(screen.getAllByRole('heading', { level: 3 }).map((one) => one.textContent)).toEqual([
      'I have a key',
      'I run models here',
      'Just try it',
    ])
    expect(screen.getByText('Found on this computer: LM Studio.')).toBeTruthy()
    expect(screen.getByRole('textbox', { name: 'Your question' })).toBeTruthy()
    expect(screen.queryByText(/^Answers come from the programs/)).toBeNull()
    await accessible()
  })

  it('is not shown to whoever has a key, was here before, or asked something', async () => {
    const ways = () => screen.queryByRole('heading', { name: 'Just try it' })
    const first = await open('talk')
    expect(ways()).toBeNull()
    first.view.unmount()
    const second = await fresh({ history: [sampleTurn('a')] })
    expect(ways()).toBeNull()
    second.view.unmount()
    prefer({ welcomed: true })
    await fresh()
    expect(ways()).toBeNull()
  })

  it('goes without an account to the sound check, says who does what, and is over with the first question', async () => {
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

  it('whose sound check fails says where to look', async () => {
    const { backend } = await fresh()
    await press('Start offline')
    const error = { code: 'nothing_heard' as const, message: 'Nothing was heard.' }
    backend.emit({ type: 'stage', turn: 'a', stage: 'transcribing' }, { type: 'done', record: sampleTurn('a', { error }) })
    await settle()
    expect(screen.getByText(/^The sound check did not work yet/)).toBeTruthy()
  })

  it('can be skipped, and Esc goes back', async () => {
    const { backend } = await fresh()
    await press('Start offline')
    await fireEvent.keyDown(screen.getByRole('button', { name: 'Back' }), { key: 'Escape' })
    expect(heading()).toBe('Hold a key and speak')
    expect(backend.cancelled).toBe(0)
    await press('Start offline')
    await press('Skip the sound check')
    expect(screen.getByText(/^For example/)).toBeTruthy()
  })

  it('uses a server that runs here', async () => {
    const { backend } = await fresh()
    await press('Use LM Studio')
    await settle()
    expect(backend.asked('change_settings')).toEqual([
      { changes: { providers: { lmstudio: { preset: 'lmstudio', base_url: 'http://127.0.0.1:1234/v1/' } } } },
    ])
    expect(heading()).toBe('Now say something')
  })

  it('says when no server runs here, and looks again', async () => {
    let found = false
    const { backend } = await fresh({ handlers: { servers: () => sampleServers().filter((server) => server.found === found) } })
    expect(screen.getByText(/^No server answers/)).toBeTruthy()
    found = true
    await press('Look again')
    await settle()
    expect(backend.asked('servers')).toHaveLength(2)
    expect(screen.getByRole('button', { name: 'Use LM Studio' })).toBeTruthy()
  })

  it('says when it could not look', async () => {
    await fresh({ handlers: { servers: failing({ code: 'internal', message: 'No.' }) } })
    expect(screen.getByText('This computer could not be searched.')).toBeTruthy()
    await accessible()
  })
})

describe('a key', () => {
  it('is known by its beginning, saved, checked for free, and leads to the sound check', async () => {
    const { backend } = await fresh()
    await press('Paste a key')
    expect(document.activeElement).toBe(screen.getByLabelText('Your key'))
    await accessible()
    await paste(' AIzaSyA0123456789 ')
    expect(screen.getByRole<HTMLSelectElement>('combobox', { name: 'It is a key for' }).value).toBe('gemini')
    await press('Save and check')
    await settle()
    expect(backend.asked('save_key')).toEqual([{ provider: 'gemini', key: 'AIzaSyA0123456789', session_only: false }])
    expect(backend.asked('test')).toEqual([])
    expect(screen.getByText('Gemini takes the key. 2 models can be used.')).toBeTruthy()
    expect(document.body.innerHTML).not.toContain('AIzaSy')
    await press('Continue')
    expect(heading()).toBe('Now say something')
  })

  it('of a kind of server that is not set up sets it up first', async () => {
    const { backend } = await fresh()
    await press('Paste a key')
    await paste('sk-0123456789abcdef')
    await press('Save and check')
    await settle()
    expect(backend.calls.map((call) => call.operation).filter((name) => ['change_settings', 'save_key'].includes(name))).toEqual([
      'change_settings',
      'save_key',
    ])
    expect(backend.asked('change_settings')).toEqual([
      { changes: { providers: { openai: { preset: 'openai', base_url: 'https://api.openai.com/v1/' } } } },
    ])
  })

  it('that is refused says so, and another can be pasted', async () => {
    const refused = freshSnapshot()
    refused.providers[0] = sampleProvider('groq', 'Groq', { problem: 'Its key was refused. Save a new one.' })
    await fresh({ handlers: { save_key: () => refused, snapshot: () => refused } })
    await press('Paste a key')
    await paste('gsk_0123456789abcdef')
    await press('Save and check')
    await settle()
    expect(screen.getByText('Groq: Its key was refused. Save a new one.')).toBeTruthy()
    expect(screen.queryByRole('button', { name: 'Continue' })).toBeNull()
    await press('Another key')
    expect(screen.getByLabelText<HTMLInputElement>('Your key').value).toBe('')
  })

  it('without a keyring is kept for this session, if the person says so', async () => {
    let tries = 0
    const { backend } = await fresh({
      handlers: {
        save_key: () => {
          if (tries++ === 0) throw { code: 'keyring', message: 'No keyring answers.' }
          return readySnapshot()
        },
      },
    })
    await press('Paste a key')
    await paste('gsk_0123456789abcdef')
    await press('Save and check')
    await settle()
    expect(screen.getByRole('alert').textContent).toContain('No keyring answers.')
    await press('Keep it for this session only')
    await settle()
    expect(backend.asked('save_key')).toMatchObject([{ session_only: false }, { session_only: true }])
  })

  it('that nobody can check yet may be tested, and goes on all the same', async () => {
    const catalog = (): ModelView[] => sampleModels().map((model) => ({ ...model, source: 'catalog' }))
    const backend = new FakeBackend({ snapshot: freshSnapshot(), handlers: { models: catalog } })
    const aura = new Aura(backend)
    await aura.start()
    render(FirstRun, { aura, snapshot: backend.snapshot, done: () => undefined, patience: { between: 1, longest: 5 } })
    await settle()
    await press('Paste a key')
    await paste('gsk_0123456789abcdef')
    await press('Save and check')
    await new Promise((resolve) => setTimeout(resolve, 60))
    await settle()
    expect(screen.getByText(/^Groq has its key, but did not answer yet/)).toBeTruthy()
    await press('Test it')
    await settle()
    expect(backend.asked('test')).toEqual([{ service: 'llm', provider: 'groq' }])
    expect(screen.getByText('“I am ready.”')).toBeTruthy()
    expect(screen.getByRole('button', { name: 'Continue' })).toBeTruthy()
  })

  it('belongs to whom its beginning says', () => {
    expect(['gsk_1', 'AIza1', 'sk-or-1', 'sk-1', 'abc'].map(ownerOf)).toEqual([
      'groq',
      'gemini',
      'openrouter',
      'openai',
      undefined,
    ])
  })

  it('is looked after until the provider answers', async () => {
    let looks = 0
    const backend = new FakeBackend({
      handlers: { models: () => sampleModels().map((model) => ({ ...model, source: ++looks > 30 ? 'live' : 'catalog' })) },
    })
    expect(await checkKey(backend, 'groq', { between: 1, longest: 30_000 })).toMatchObject({ kind: 'works' })
  })
})
