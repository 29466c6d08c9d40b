/** The models on this computer: the list, downloads, uses, removal, and what other panels say about them. */
import { fireEvent, screen, within } from '@testing-library/svelte'
import { describe, expect, it } from 'vitest'
import { failing } from '../backend/fake'
import {
  freshSnapshot,
  readySnapshot,
  busyLocalModels,
  localRoutes,
  sampleLocalModel,
  sampleLocalModels,
  withModels,
} from '../backend/samples'
import { setPreferences } from '../lib/preferences.svelte'
import { accessible, open, settle } from '../test/harness'
import { usedModel } from './use'

const press = async (name: string | RegExp) => {
  await fireEvent.click(screen.getByRole('button', { name }))
  await settle()
}
const card = (label: string) => {
  const found = screen.getByRole('heading', { name: new RegExp(`^${label}`) }).closest('.model')
  if (!(found instanceof HTMLElement)) throw new Error(`No card for ${label}.`)
  return found
}
const names = (region: HTMLElement) =>
  within(region)
    .getAllByRole('heading', { level: 4 })
    .map((one) => one.textContent.trim())
const group = (name: string) => screen.getByRole('region', { name })
const installed = { state: { state: 'installed' as const } }
const local = (script: Parameters<typeof open>[1] = {}) => open('providers/local', script)

describe('the list', () => {
  it('shows by service what each model is for, knows, takes and costs', async () => {
    await local()
    expect(names(group('Speech to text'))).toEqual(['Moonshine Base suggested', 'Whisper Base'])
    const text = card('Moonshine Base').textContent.replace(/\s+/g, ' ')
    expect(text).toContain('Small and quick; clear speech in a quiet room.')
    expect(text).toContain('English · 77 MB · 300 MB of memory · MIT · huggingface.co/example/moonshine-base')
    expect(card('Whisper Base').textContent).toContain('English and 13 more languages')
    expect(screen.getByText('0 MB used, 48.2 GB free')).toBeTruthy()
    expect(screen.getByText('/home/me/.local/share/aura/models')).toBeTruthy()
    expect(screen.getByText(/^ONNX Runtime 1.32.0 \(35 MB, MIT\)/)).toBeTruthy()
    await accessible()
  })

  it('begins with the suggested ones, and names a model under one service only', async () => {
    await local()
    expect(names(group('Answers')).slice(0, 2)).toEqual(['Qwen3 1.7B suggested', 'Qwen3 0.6B'])
    expect(within(group('Answers')).getByText('Listed under another service: Gemma 3 4B')).toBeTruthy()
    expect(names(group('Vision'))).toEqual(['Gemma 3 4B'])
  })

  it('says whether a model fits, and folds away what is too large', async () => {
    await local()
    expect(card('Gemma 3 4B').textContent).toContain('it needs 5.2 GB of this computer’s 8.2 GB of memory')
    const fold = screen.getByText('1 model is too large for this computer').closest('details')
    expect(fold?.open).toBe(false)
    expect(fold?.textContent).toContain('it needs 9.4 GB of memory, and there are 8.2 GB.')
    expect(fold?.textContent).toContain('Get anyway · 5 GB')
  })

  it('offers no download that the disk has no room for', async () => {
    await local({ local: sampleLocalModels({ disk_free: 100_000_000 }) })
    expect(card('Whisper Base').textContent).toContain('Not enough disk space: it needs 148 MB, and 100 MB are free.')
    expect(within(card('Whisper Base')).queryByRole('button')).toBeNull()
    expect(within(card('Moonshine Base')).getByRole('button', { name: 'Get · 77 MB: Moonshine Base' })).toBeTruthy()
  })

  it('says where a model is checked against its server, and knows models without a size', async () => {
    await local({ local: withModels({ 'whisper-base': { size_bytes: 0, checksum: 'server' } }) })
    expect(card('Whisper Base').textContent).toContain('checked against the checksum of its server')
    expect(within(card('Whisper Base')).getByRole('button', { name: 'Get: Whisper Base' })).toBeTruthy()
    expect(card('Whisper Base').textContent).not.toContain('· 0 MB')
  })

  it('is searched and filtered by language and by what is here, when it is long', async () => {
    const view = busyLocalModels()
    view.models.push(sampleLocalModel('extra', 'Extra'))
    await local({ local: view })
    const pick = (name: string, value: string) => fireEvent.change(screen.getByRole('combobox', { name }), { target: { value } })
    expect(screen.getByText('9 models')).toBeTruthy()
    await pick('Language', 'de')
    expect(screen.queryByRole('heading', { name: /^Piper Joe/ })).toBeNull()
    expect(card('Piper Thorsten')).toBeTruthy()
    await fireEvent.input(screen.getByRole('searchbox', { name: 'Search models' }), { target: { value: 'voice' } })
    expect(screen.getByText('1 model')).toBeTruthy()
    await pick('Show', 'other')
    expect(screen.getByText(/^No matching models/)).toBeTruthy()
    await accessible()
  })

  it('needs no search when it is short', async () => {
    await local()
    expect(screen.queryByRole('search')).toBeNull()
  })

  it('that cannot be loaded says why, and is tried again', async () => {
    let fails = true
    await local({
      handlers: {
        local_models: () => {
          if (fails) throw { code: 'storage', message: 'The folder cannot be read.' }
          return sampleLocalModels()
        },
      },
    })
    expect(screen.getByRole('alert').textContent).toContain('Couldn’t load the list of models. The folder cannot be read.')
    await accessible()
    fails = false
    await press('Try again')
    expect(card('Moonshine Base')).toBeTruthy()
    expect(screen.queryByRole('alert')).toBeNull()
  })

  it('that is empty says so', async () => {
    await local({ local: sampleLocalModels({ models: [] }) })
    expect(screen.getByText(/^There are no models/)).toBeTruthy()
    await accessible()
  })

  it('says why speech models cannot run here', async () => {
    const runtime = {
      ...sampleLocalModels().runtime,
      state: { state: 'failed' as const, error: { code: 'not_found' as const, message: 'There is none for this processor.' } },
    }
    await local({ local: sampleLocalModels({ runtime }) })
    expect(screen.getByText('Speech models can’t run on this computer. There is none for this processor.')).toBeTruthy()
  })

  it('without any download offers what hears and speaks, with its size and library', async () => {
    const { backend } = await local()
    expect(screen.getByText('Start with speech: 175 MB, and AURA hears and speaks English without an account.')).toBeTruthy()
    await press('Get speech models · 175 MB')
    expect(backend.requests('download_model')).toEqual([{ id: 'moonshine-base' }, { id: 'piper-joe' }])
    expect(screen.queryByText('Nothing downloaded yet')).toBeNull()
  })
})

describe('a download', () => {
  it('is started, paused, resumed and cancelled by keyboard, and the focus stays with it', async () => {
    const { backend } = await local()
    const go = async (name: string) => {
      const button = screen.getByRole('button', { name })
      button.focus()
      await fireEvent.click(button)
      await settle()
    }
    await go('Get · 77 MB: Moonshine Base')
    expect(document.activeElement).toBe(screen.getByRole('button', { name: 'Pause: Moonshine Base' }))
    backend.setModel('moonshine-base', {
      state: { state: 'downloading', done_bytes: 34_600_000, total_bytes: 77_000_000, bytes_per_second: 2_100_000 },
    })
    await settle()
    const bar = screen.getByRole('progressbar', { name: 'Download of Moonshine Base' })
    expect(bar.getAttribute('aria-valuenow')).toBe('44')
    expect(bar.getAttribute('aria-valuetext')).toBe('34 of 77 MB, 2.1 MB/s, 30 secs left')
    expect(screen.getByText('34 of 77 MB · 2.1 MB/s · 30 secs left')).toBeTruthy()
    await accessible()
    await go('Pause: Moonshine Base')
    expect(document.activeElement).toBe(screen.getByRole('button', { name: 'Resume: Moonshine Base' }))
    await go('Resume: Moonshine Base')
    await go('Cancel: Moonshine Base')
    expect(document.activeElement).toBe(screen.getByRole('button', { name: 'Get · 77 MB: Moonshine Base' }))
    expect(screen.getByText('Download of Moonshine Base cancelled.')).toBeTruthy()
    expect(backend.calls.map((call) => call.operation).filter((name) => name.endsWith('_model'))).toEqual([
      'download_model',
      'pause_model',
      'resume_model',
      'cancel_model',
    ])
  })

  it('that waits has no rate, and one of unknown size no share', async () => {
    const { backend } = await local()
    backend.setModel('whisper-base', { state: { state: 'downloading', done_bytes: 0, total_bytes: 0, bytes_per_second: 0 } })
    await settle()
    const bar = screen.getByRole('progressbar')
    expect(bar.hasAttribute('aria-valuenow')).toBe(false)
    expect(bar.getAttribute('aria-valuetext')).toBe('0 MB, waiting')
  })

  it('that broke off says why and what to do, in its place and on other panels', async () => {
    const { backend } = await local({ local: busyLocalModels() })
    const place = card('Gemma 3 4B')
    expect(place.textContent).toContain('Paused at 1.4 of 3.3 GB')
    expect(place.textContent).toContain('The connection broke. Check the network, then resume.')
    await accessible()
    await fireEvent.click(within(place).getByRole('button', { name: 'Resume: Gemma 3 4B' }))
    expect(backend.requests('resume_model')).toEqual([{ id: 'gemma3-4b' }])
  })

  it('that failed is tried again', async () => {
    const { backend } = await local({ local: busyLocalModels() })
    expect(card('Piper Thorsten').textContent).toContain('The file is damaged')
    await press('Try again: Piper Thorsten')
    expect(backend.requests('download_model')).toEqual([{ id: 'piper-thorsten' }])
  })

  it('that failed is put aside', async () => {
    const { backend } = await local({ local: busyLocalModels() })
    await press('Dismiss: Piper Thorsten')
    expect(backend.requests('cancel_model')).toEqual([{ id: 'piper-thorsten' }])
    expect(screen.getByRole('button', { name: 'Get · 64 MB: Piper Thorsten' })).toBeTruthy()
  })

  it('that cannot start says why', async () => {
    await local({
      handlers: { download_model: failing({ code: 'storage', message: 'The disk is full. Make room, then try again.' }) },
    })
    await press('Get · 148 MB: Whisper Base')
    expect(screen.getByText('The disk is full. Make room, then try again.')).toBeTruthy()
    expect(screen.getByRole<HTMLButtonElement>('button', { name: 'Get · 148 MB: Whisper Base' }).disabled).toBe(false)
  })
})

describe('a model that is here', () => {
  const here = () => withModels({ 'moonshine-base': installed, 'whisper-base': installed, 'gemma3-4b': installed })

  it('is removed after a question, and the focus stays', async () => {
    const { backend } = await local({ local: here() })
    await press('Remove: Whisper Base')
    expect(screen.getByText('Remove Whisper Base? To use it again, you’ll have to download 148 MB.')).toBeTruthy()
    expect(document.activeElement?.textContent).toBe('Keep it')
    await accessible()
    await fireEvent.keyDown(document.activeElement ?? document.body, { key: 'Escape' })
    await settle()
    expect(document.activeElement).toBe(screen.getByRole('button', { name: 'Remove: Whisper Base' }))
    expect(backend.requests('delete_model')).toEqual([])
    await press('Remove: Whisper Base')
    await press('Remove')
    expect(backend.requests('delete_model')).toEqual([{ id: 'whisper-base' }])
    expect(screen.getByText('Whisper Base removed. 148 MB freed.')).toBeTruthy()
    expect(screen.getByRole('button', { name: 'Get · 148 MB: Whisper Base' })).toBeTruthy()
  })

  it('is used for a service in place of another provider, and undone', async () => {
    const { backend } = await local({ local: here() })
    const pill = () => screen.getByRole('button', { name: 'Use Gemma 3 4B for Answers' })
    expect(pill().getAttribute('aria-pressed')).toBe('false')
    await press('Use Gemma 3 4B for Answers')
    expect(backend.requests('use_model')).toEqual([{ id: 'gemma3-4b', service: 'llm' }])
    expect(backend.requests('switch')).toEqual([{ service: 'llm', provider: 'offline' }])
    expect(screen.getByText('Answers: Gemma 3 4B from your next question.')).toBeTruthy()
    await press('Undo')
    expect(backend.requests('stop_using_model')).toEqual([{ service: 'llm' }])
    expect(backend.snapshot.settings.routes.llm).toMatchObject({ provider: 'groq', model: 'openai/gpt-oss-120b' })
  })

  it('shows that it is in use when the next question goes to it', async () => {
    const snapshot = freshSnapshot({ routes: localRoutes() })
    snapshot.settings.listening.language = 'en'
    const { backend } = await local({ local: here(), snapshot })
    expect(names(group('Speech to text'))).toEqual(['Moonshine Base in use', 'Whisper Base'])
    expect(screen.getByRole('button', { name: 'Use Moonshine Base for Speech to text', pressed: true })).toBeTruthy()
    await press('Use Whisper Base for Speech to text')
    // No other provider goes before it: the route stays.
    expect(backend.requests('switch')).toEqual([])
  })

  it('that was chosen can be left to AURA again', async () => {
    const { backend } = await local({ local: withModels({ 'whisper-base': { ...installed, used_for: ['stt'] } }) })
    await press('Choose automatically: Speech to text')
    expect(backend.requests('stop_using_model')).toEqual([{ service: 'stt' }])
    expect(screen.getByText('Speech to text: AURA chooses the model.')).toBeTruthy()
    await press('Undo')
    expect(backend.requests('use_model')).toEqual([{ id: 'whisper-base', service: 'stt' }])
  })
})

describe('the model in use', () => {
  it('is the one that AURA says, whatever is smaller or preferred', () => {
    const view = withModels({ 'moonshine-base': installed, 'whisper-base': { ...installed, used_for: ['stt'] } })
    const snapshot = freshSnapshot()
    snapshot.routes = [
      { service: 'stt', routes: [{ provider: 'offline', model: 'built-in' }], local_model: 'moonshine-base' },
      { service: 'llm', routes: [{ provider: 'groq', model: 'gpt-oss-120b' }] },
    ]
    expect(usedModel(snapshot, view, 'stt')?.id).toBe('moonshine-base')
    expect(usedModel(snapshot, view, 'llm')).toBeUndefined()
    expect(usedModel(readySnapshot(), view, 'stt')).toBeUndefined()
  })
})

describe('other panels', () => {
  const part = (done_bytes: number) => ({
    state: { state: 'downloading' as const, done_bytes, total_bytes: 77_000_000, bytes_per_second: 1_000_000 },
  })

  it('show downloads in a bar, and what has arrived until it is dismissed', async () => {
    const { backend } = await open('health')
    const bar = () => screen.queryByRole('region', { name: 'Downloads' })
    expect(bar()).toBeNull()
    backend.setModel('moonshine-base', part(38_500_000))
    await settle()
    expect(bar()?.textContent).toContain('Downloading Moonshine Base')
    expect(bar()?.textContent).toContain('38 of 77 MB · 1 MB/s · 40 secs left')
    expect(
      within(bar() ?? document.body)
        .getByRole('link', { name: 'Show models' })
        .getAttribute('href'),
    ).toBe('#providers/local')
    await accessible()
    backend.setModel('moonshine-base', { state: { state: 'checking' } })
    await settle()
    expect(bar()?.textContent).toContain('Checking the download…')
    backend.setModel('moonshine-base', installed)
    await settle()
    expect(bar()?.textContent).toContain('Moonshine Base is ready.')
    await fireEvent.click(within(bar() ?? document.body).getByRole('button', { name: 'Dismiss' }))
    expect(bar()).toBeNull()
  })

  it('show a break once, with its way on', async () => {
    const { backend } = await open('settings', { local: busyLocalModels() })
    expect(screen.getByText('Download of Gemma 3 4B paused. The connection broke. Check the network, then resume.')).toBeTruthy()
    await accessible()
    await press('Resume: Gemma 3 4B')
    expect(backend.requests('resume_model')).toEqual([{ id: 'gemma3-4b' }])
    expect(screen.getByText(/^Download of Piper Thorsten failed\. The file is damaged/)).toBeTruthy()
    await press('Dismiss')
    expect(screen.queryByText(/^Download of Piper Thorsten failed/)).toBeNull()
  })

  it('tell a screen reader of starts, quarters and ends, not of every step', async () => {
    const { backend, view } = await open('talk')
    const said: string[] = []
    const region = view.container.querySelector('[data-news="downloads"]')
    if (!region) throw new Error('Nothing announces downloads.')
    const watcher = new MutationObserver(() => said.push(region.textContent))
    watcher.observe(region, { childList: true, characterData: true, subtree: true })
    for (const done of [0, 1_000_000, 18_000_000, 20_000_000, 21_000_000, 40_000_000, 70_000_000, 77_000_000]) {
      backend.setModel('moonshine-base', part(done))
      await settle()
    }
    backend.setModel('moonshine-base', { state: { state: 'checking' } })
    await settle()
    backend.setModel('moonshine-base', installed)
    await settle()
    watcher.disconnect()
    expect(said).toEqual([
      'Downloading Moonshine Base, 77 MB.',
      'Moonshine Base: 25%',
      'Moonshine Base: 50%',
      'Moonshine Base: 75%',
      'Moonshine Base is ready.',
    ])
  })

  it('keep a newer state when a slow response comes after it', async () => {
    let answer: (view: ReturnType<typeof sampleLocalModels>) => void = () => undefined
    const { backend } = await local({ handlers: { download_model: () => new Promise((resolve) => (answer = resolve)) } })
    await press('Get · 77 MB: Moonshine Base')
    backend.setModel('moonshine-base', part(40_000_000))
    answer(sampleLocalModels())
    await settle()
    expect(screen.getByRole('progressbar')).toBeTruthy()
  })

  it('have a summary in the settings, which their search finds', async () => {
    await open('settings', { local: busyLocalModels() })
    await fireEvent.input(screen.getByRole('searchbox', { name: 'Search settings' }), { target: { value: 'download' } })
    expect(screen.getByRole('region', { name: 'Models on this computer' })).toBeTruthy()
    expect(screen.queryByRole('region', { name: 'Startup' })).toBeNull()
    expect(screen.getByText('3 models downloaded, 2.5 GB')).toBeTruthy()
    expect(screen.getByRole('link', { name: 'Download or remove models' }).getAttribute('href')).toBe('#providers/local')
  })
})

describe('the hint above the conversation', () => {
  const talk = (script: Parameters<typeof open>[1] = {}) => {
    setPreferences({ welcomed: true })
    return open('talk', { snapshot: freshSnapshot(), ...script })
  }
  const answering = { 'qwen3-0.6b': installed }

  it('says that nothing answers, and where to get it', async () => {
    await talk()
    expect(screen.getByText(/^AURA can’t answer questions yet/)).toBeTruthy()
    expect(screen.getByRole('link', { name: 'Get a language model' }).getAttribute('href')).toBe('#providers/local')
    expect(screen.getByRole('link', { name: 'Add an API key' }).getAttribute('href')).toBe('#providers/accounts')
    await accessible()
  })

  it('says what is on its way', async () => {
    const { backend } = await talk()
    const loading = { state: 'downloading' as const, done_bytes: 1, total_bytes: 2, bytes_per_second: 1 }
    backend.setModel('qwen3-0.6b', { state: loading })
    await settle()
    expect(screen.getByText('AURA can answer when this download is finished: Qwen3 0.6B.')).toBeTruthy()
    backend.setModel('moonshine-base', { state: loading })
    await settle()
    expect(screen.getByText('Still downloading: Moonshine Base. You can already type.')).toBeTruthy()
  })

  it('says that speech is understood poorly without a model', async () => {
    const { backend } = await talk({ local: withModels(answering) })
    expect(screen.getByText('AURA understands speech poorly without a speech model.')).toBeTruthy()
    backend.setModel('moonshine-base', installed)
    await settle()
    expect(screen.queryByText(/understands speech poorly/)).toBeNull()
  })

  it('waits for what the servers on this computer offer', async () => {
    const llama = { name: 'llama3.2', provider: 'offline', services: ['llm' as const], voices: [], source: 'live' as const }
    const { backend } = await talk({ local: withModels({ 'moonshine-base': installed }), handlers: { models: () => [llama] } })
    expect(backend.requests('models')).toContainEqual({ provider: 'offline', service: 'llm' })
    expect(screen.queryByText(/^AURA can’t answer questions yet/)).toBeNull()
  })

  it('is gone when other providers answer', async () => {
    await talk({ snapshot: readySnapshot() })
    expect(screen.queryByText(/^AURA can’t|understands speech poorly/)).toBeNull()
  })
})

describe('the command palette', () => {
  const run = async (words: string) => {
    await fireEvent.keyDown(document.body, { key: 'k', code: 'KeyK', ctrlKey: true })
    const field = within(screen.getByRole('dialog')).getByRole('combobox')
    await fireEvent.input(field, { target: { value: words } })
    await fireEvent.keyDown(field, { key: 'Enter' })
    await settle()
  }

  it('opens the models to download one, or only those here to remove one', async () => {
    await open('talk', { local: busyLocalModels() })
    await run('download a model')
    expect(document.activeElement).toBe(screen.getByRole('tab', { name: 'On this computer', selected: true }))
    expect(card('Piper Thorsten')).toBeTruthy()
    await run('remove a model')
    expect(screen.getByRole<HTMLSelectElement>('combobox', { name: 'Show' }).value).toBe('here')
    expect(screen.queryByText('Qwen3 8B')).toBeNull()
  })

  it('uses a model, and pauses and resumes a download', async () => {
    const { backend } = await open('talk', { local: busyLocalModels() })
    await run('use piper joe')
    expect(backend.requests('use_model')).toEqual([{ id: 'piper-joe', service: 'tts' }])
    expect(backend.requests('switch')).toEqual([{ service: 'tts', provider: 'offline' }])
    await run('pause the download')
    expect(backend.requests('pause_model')).toEqual([{ id: 'qwen3-1.7b' }])
    await run('resume the download of gemma')
    expect(backend.requests('resume_model')).toEqual([{ id: 'gemma3-4b' }])
  })
})

describe('a list with many languages', () => {
  it('folds away what does not know the person’s language', async () => {
    const snapshot = freshSnapshot()
    snapshot.settings.listening.language = 'de'
    await local({ snapshot, local: sampleLocalModels({ suggested: ['whisper-base', 'piper-thorsten'] }) })
    expect(screen.getByText('Start with speech: 246 MB, and AURA hears and speaks German without an account.')).toBeTruthy()
    expect(card('Whisper Base').textContent).toContain('German and 13 more languages')
    const voices = within(group('Voice'))
    const fold = voices.getByText('1 model for another language').closest('details')
    expect(fold?.open).toBe(false)
    expect(fold?.textContent).toContain('Piper Joe')
    expect(voices.getByRole('heading', { name: /^Piper Thorsten/ }).closest('details')).toBeNull()
  })

  it('describes the models of the catalog in German', async () => {
    setPreferences({ language: 'de' })
    const models = [
      sampleLocalModel('whisper-base', 'Whisper Base', { license: 'See the model card', languages: [] }),
      sampleLocalModel('new', 'Neu', { languages: [] }),
    ]
    await local({ local: sampleLocalModels({ models, suggested: [] }) })
    expect(card('Whisper Base').textContent).toContain('99 Sprachen, schnell')
    expect(card('Whisper Base').textContent).toContain('siehe Modellseite')
    expect(card('Neu').textContent).toContain('Small and quick; clear speech in a quiet room.')
  })
})
