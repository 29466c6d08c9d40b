import { fireEvent, screen, within } from '@testing-library/svelte'
import { describe, expect, it, vi } from 'vitest'
import { failing } from '../backend/fake'
import { freshSnapshot, groq, offline, readySnapshot } from '../backend/samples'
import { accessible, open, settle } from '../test/harness'
import { entries, moved, names } from './order'

const pick = (name: string, value: string) => fireEvent.change(screen.getByRole('combobox', { name }), { target: { value } })
const press = (name: string | RegExp) => fireEvent.click(screen.getByRole('button', { name }))

describe('the routes of the services', () => {
  it('are shown as a chain of providers', async () => {
    const { view } = await open('providers')
    const row = view.container.querySelectorAll('.chain')[1]
    // The parts are separated by CSS gaps, not by spaces.
    const parts = [...(row?.querySelectorAll('li > span, b, .model') ?? [])].map((part) => part.textContent?.trim())
    expect(parts.join(' ')).toBe('Groq gpt-oss-120b then Gemini 3.5-flash-lite then Offline sound-check')
    await accessible()
  })

  it('take the focus into an editor, and back when it is closed', async () => {
    await open('providers')
    const route = screen.getByRole('button', { name: /^Change provider for Answers/ })
    route.focus()
    await fireEvent.click(route)
    const list = screen.getByRole('combobox', { name: 'Provider' })
    expect(document.activeElement).toBe(list)
    await fireEvent.keyDown(list, { key: 'Escape' })
    await settle()
    expect(screen.queryByRole('combobox', { name: 'Provider' })).toBeNull()
    expect(document.activeElement).toBe(route)

    const order = screen.getByRole('button', { name: /^Edit order for Answers/ })
    await fireEvent.click(order)
    expect(document.activeElement).toBe(screen.getByRole('checkbox', { name: 'Gemini' }))
    await fireEvent.keyDown(document.activeElement ?? document.body, { key: 'Escape' })
    await settle()
    expect(document.activeElement).toBe(order)
  })

  it('name the model that is the default', async () => {
    const snapshot = readySnapshot()
    snapshot.settings.routes.stt = { provider: 'groq' }
    await open('providers', { snapshot })
    await press(/^Change provider for Speech to text/)
    expect(screen.getByRole('option', { name: 'Default (whisper-large-v3-turbo)' })).toBeTruthy()
  })

  it('are switched in place, and undone', async () => {
    const { backend } = await open('providers')
    await press(/^Change provider for Answers/)
    await pick('Provider', 'gemini')
    await settle()
    expect(backend.requests('switch')).toEqual([{ service: 'llm', provider: 'gemini' }])
    expect(screen.getByText('Gemini will answer from your next question.')).toBeTruthy()
    await accessible()
    await press('Undo')
    await settle()
    expect(backend.requests('change_settings')).toEqual([
      { changes: { routes: { llm: { provider: 'groq', model: 'openai/gpt-oss-120b', voice: null } } } },
    ])
    expect(backend.snapshot.settings.routes.llm.provider).toBe('groq')
  })

  it('offer the models and voices of the provider', async () => {
    const { backend } = await open('providers')
    await press(/^Change provider for Voice/)
    await pick('Voice', 'Puck')
    await settle()
    await pick('Model', 'gemini-3.8-flash-lite-tts')
    await settle()
    expect(backend.requests('switch')).toEqual([
      { service: 'tts', provider: 'gemini', voice: 'Puck' },
      { service: 'tts', provider: 'gemini', model: 'gemini-3.8-flash-lite-tts' },
    ])
  })

  it('accept a model that is not listed', async () => {
    const { backend } = await open('providers')
    await press(/^Change provider for Answers/)
    await pick('Model', '\u0000other')
    await fireEvent.input(screen.getByRole('textbox', { name: 'Model name' }), { target: { value: ' new-model ' } })
    await press('Use')
    expect(backend.requests('switch')).toEqual([{ service: 'llm', provider: 'groq', model: 'new-model' }])
  })

  it('return to automatic', async () => {
    const { backend } = await open('providers')
    await press(/^Change provider for Answers/)
    await pick('Provider', '')
    expect(backend.requests('change_settings')).toEqual([
      { changes: { routes: { llm: { provider: null, model: null, voice: null } } } },
    ])
  })

  it('can be changed although an environment variable sets them, with a note', async () => {
    const { backend } = await open('providers', {
      snapshot: readySnapshot({ from_environment: ['routes.llm.provider', 'fallback'] }),
    })
    await press(/^Change provider for Answers/)
    expect(screen.getAllByText(/^Set by an environment variable/)).toHaveLength(2)
    await pick('Provider', '')
    expect(backend.requests('change_settings')).toHaveLength(1)
    expect(screen.getByRole<HTMLInputElement>('checkbox', { name: /^Fall back/ }).disabled).toBe(false)
  })

  it('show what an environment variable overrules', async () => {
    const overruled = { setting: 'routes.llm.provider', variable: 'DEFAULT_LLM_PROVIDER', value: 'groq', remembered: 'gemini' }
    await open('providers', {
      snapshot: readySnapshot({
        overruled: [
          { ...overruled, in_effect: true },
          { ...overruled, setting: 'routes.tts.voice', variable: 'DEFAULT_TTS_VOICE', in_effect: false },
        ],
      }),
    })
    expect(screen.getByText(/^DEFAULT_LLM_PROVIDER=groq overrules what you chose before, gemini/)).toBeTruthy()
    expect(screen.getByText(/^DEFAULT_TTS_VOICE=groq decides again when AURA starts/)).toBeTruthy()
  })

  it('show why the chosen provider is unavailable', async () => {
    const snapshot = readySnapshot()
    snapshot.settings.routes.stt = { provider: 'ollama' }
    await open('providers', { snapshot })
    expect(screen.getByText(/No server responds at localhost/)).toBeTruthy()
  })

  it('show that no provider is set up, and that the models do not load', async () => {
    const { backend } = await open('providers', {
      snapshot: freshSnapshot({ routes: [] }),
      handlers: { models: failing({ code: 'internal', message: 'No.' }) },
    })
    expect(screen.getAllByText('Not set up. Add a provider under Accounts.')).toHaveLength(4)
    await press('Try again')
    expect(backend.requests('models')).toHaveLength(2)
    await accessible()
  })

  it('end after the first provider without fallback', async () => {
    const { backend } = await open('providers')
    await fireEvent.click(screen.getByRole('checkbox', { name: /^Fall back/ }))
    await settle()
    expect(backend.requests('change_settings')).toEqual([{ changes: { fallback: false } }])
    expect(screen.getAllByText('fallback is off')).toHaveLength(4)
    expect(screen.queryByText('then')).toBeNull()
  })
})

describe('the order', () => {
  it('is changed by keyboard with the focus on the moved row, and undone', async () => {
    const { backend } = await open('providers')
    await press(/^Edit order for Answers/)
    await accessible()
    const up = screen.getByRole('button', { name: 'Move Ollama up' })
    up.focus()
    await fireEvent.click(up)
    await settle()
    expect(backend.requests('change_settings')).toEqual([
      { changes: { routes: { llm: { then: ['ollama', 'gemini', 'offline'] } } } },
    ])
    expect(document.activeElement?.getAttribute('aria-label')).toBe('Move Ollama down')
    await press('Undo')
    await settle()
    expect(backend.snapshot.settings.routes.llm.then).toBeUndefined()
  })

  it('omits a disabled provider', async () => {
    const { backend } = await open('providers')
    await press(/^Edit order for Answers/)
    await fireEvent.click(screen.getByRole('checkbox', { name: 'Gemini' }))
    await settle()
    expect(backend.snapshot.settings.routes.llm.then).toEqual(['ollama', 'offline'])
  })

  it('is changed by dragging, and Esc cancels a drag', async () => {
    const { backend, view } = await open('providers')
    await press(/^Edit order for Answers/)
    const rows = () => [...view.container.querySelectorAll<HTMLElement>('.editor ol > li')]
    // jsdom has no layout: rows of 40 pixels below each other.
    const layout = vi.spyOn(HTMLElement.prototype, 'getBoundingClientRect').mockImplementation(function (this: HTMLElement) {
      const place = rows().indexOf(this)
      return { top: place * 40, bottom: place * 40 + 40 } as DOMRect
    })
    const named = () => rows().map((row) => row.dataset.name)
    const grip = (name: string) =>
      view.container.querySelector<HTMLElement>(`.editor [data-name="${name}"] .grip`) ?? document.body
    expect(named()).toEqual(['gemini', 'ollama', 'offline'])

    await fireEvent.pointerDown(grip('gemini'), { button: 0 })
    await fireEvent.pointerMove(window, { clientY: 60 })
    expect(named()).toEqual(['ollama', 'gemini', 'offline'])
    await fireEvent.keyDown(window, { key: 'Escape' })
    expect(named()).toEqual(['gemini', 'ollama', 'offline'])
    expect(backend.cancelled).toBe(0)

    await fireEvent.pointerDown(grip('gemini'), { button: 0 })
    await fireEvent.pointerMove(window, { clientY: 500 })
    await fireEvent.pointerUp(window)
    await settle()
    layout.mockRestore()
    expect(backend.requests('change_settings')).toEqual([
      { changes: { routes: { llm: { then: ['ollama', 'offline', 'gemini'] } } } },
    ])
    expect(screen.getByText('Then Ollama, then Offline, then Gemini. Applies from your next question.')).toBeTruthy()
  })

  it('is computed from the saved order', () => {
    const list = entries([groq(), offline()], 'llm', undefined, ['offline'])
    expect(list.map((entry) => [entry.provider.name, entry.tried])).toEqual([
      ['offline', true],
      ['groq', false],
    ])
    expect(names(moved(entries([groq(), offline()], 'llm', undefined, undefined), 0, 1))).toEqual(['offline', 'groq'])
  })
})

describe('an account', () => {
  it('shows that its key is for another address, and takes it again', async () => {
    const snapshot = readySnapshot()
    const moved = {
      key: { ends_with: 'k3Qf', place: 'keyring' as const, only_for: 'https://api.groq.com' },
      problem: 'Its address is not the one that its API key is for.',
    }
    snapshot.providers = snapshot.providers.map((provider) => (provider.name === 'groq' ? { ...provider, ...moved } : provider))
    snapshot.settings.providers.groq = {
      base_url: 'https://proxy.example/v1',
      may_receive: { audio: true, screen: true, text: true },
    }
    await open('providers/accounts', { snapshot })
    expect(screen.getByText(/^Not sent: this key is for https:\/\/api.groq.com/)).toBeTruthy()
    await press('Replace the API key for Groq')
    expect(screen.getByText(/sent to https:\/\/proxy.example\/v1 only/)).toBeTruthy()
    await accessible()
  })

  it('shows its state and only the end of its key', async () => {
    await open('providers/accounts')
    expect(screen.getByText('An API key that ends in k3Qf')).toBeTruthy()
    expect(screen.getAllByText(/in the keyring/)).toHaveLength(2)
    expect(screen.getByText('unavailable')).toBeTruthy()
  })

  it('with a key from the environment cannot be changed', async () => {
    const snapshot = readySnapshot()
    snapshot.providers = [{ ...groq(), key: { ends_with: 'k3Qf', place: 'environment' } }, offline()]
    await open('providers/accounts', { snapshot })
    expect(screen.getByText(/from the environment/)).toBeTruthy()
    expect(screen.queryByRole('button', { name: /key for Groq/ })).toBeNull()
  })

  it('saves a key and never shows it again', async () => {
    const { backend } = await open('providers/accounts', { snapshot: freshSnapshot() })
    await press('Add an API key for Groq')
    const field = screen.getByLabelText<HTMLInputElement>('API key for Groq')
    expect(field.type).toBe('password')
    await accessible()
    await fireEvent.input(field, { target: { value: ' gsk_0123456789abcd ' } })
    await press('Save')
    await settle()
    expect(backend.requests('save_key')).toEqual([{ provider: 'groq', key: 'gsk_0123456789abcd', session_only: false }])
    expect(screen.queryByLabelText('API key for Groq')).toBeNull()
    expect(document.body.innerHTML).not.toContain('gsk_0123456789')
  })

  it('without a keyring keeps the key for this session if the user agrees', async () => {
    let tries = 0
    const { backend } = await open('providers/accounts', {
      snapshot: freshSnapshot(),
      handlers: {
        save_key: () => {
          if (tries++ === 0) throw { code: 'keyring', message: 'No keyring is available.' }
          return freshSnapshot()
        },
      },
    })
    await press('Add an API key for Groq')
    await fireEvent.input(screen.getByLabelText('API key for Groq'), { target: { value: 'gsk_0123456789abcd' } })
    await press('Save')
    await settle()
    expect(screen.getByRole('alert').textContent).toContain('No keyring is available.')
    await press('Keep it for this session only')
    await settle()
    expect(backend.requests('save_key')).toMatchObject([{ session_only: false }, { session_only: true }])
  })

  it('removes its key only after confirmation', async () => {
    const { backend } = await open('providers/accounts')
    await press('Remove key for Groq')
    await accessible()
    expect(document.activeElement?.textContent).toBe('Keep it')
    await press('Keep it')
    await settle()
    expect(backend.requests('forget_key')).toEqual([])
    expect(document.activeElement?.getAttribute('aria-label')).toBe('Replace the API key for Groq')
    await press('Remove key for Groq')
    await press('Remove it')
    await settle()
    expect(backend.requests('forget_key')).toEqual([{ provider: 'groq' }])
    expect(screen.getByText('needs an API key')).toBeTruthy()
  })

  it('receives only what the user allows', async () => {
    const { backend } = await open('providers/accounts')
    const group = screen.getByRole('group', { name: 'What Groq can receive' })
    await fireEvent.click(within(group).getByRole('checkbox', { name: 'screen' }))
    expect(backend.requests('change_settings')).toEqual([
      { changes: { providers: { groq: { may_receive: { screen: false } } } } },
    ])
  })

  it('of your own may transcribe live speech in a format that you name', async () => {
    const snapshot = readySnapshot()
    snapshot.providers.find(({ name }) => name === 'ollama')?.services.push('stt')
    const { backend } = await open('providers/accounts', { snapshot })
    const list = screen.getByRole<HTMLSelectElement>('combobox', { name: /^Live transcription by/ })
    expect(list.value).toBe('none')
    for (const value of ['vllm', 'none']) await fireEvent.change(list, { target: { value } })
    expect(backend.requests('change_settings')).toEqual(
      ['vllm', null].map((realtime) => ({ changes: { providers: { ollama: { realtime } } } })),
    )
  })

  it('resets the checkbox when the change fails', async () => {
    await open('providers/accounts', {
      handlers: { change_settings: failing({ code: 'storage', message: 'The disk is full.' }) },
    })
    const box = within(screen.getByRole('group', { name: 'What Groq can receive' })).getByRole<HTMLInputElement>('checkbox', {
      name: 'text',
    })
    await fireEvent.click(box)
    await settle()
    expect(box.checked).toBe(true)
    expect(screen.getByText('The disk is full.')).toBeTruthy()
  })

  it('of a server gets another address, and undo restores it', async () => {
    const { backend } = await open('providers/accounts')
    const address = () => backend.snapshot.settings.providers.ollama?.base_url
    await press('Change address of Ollama')
    const field = screen.getByLabelText<HTMLInputElement>('Address of Ollama')
    expect(field.value).toBe('http://localhost:11434/v1')
    expect(document.activeElement).toBe(field)
    await fireEvent.input(field, { target: { value: 'somewhere' } })
    await press('Save')
    await settle()
    expect(screen.getByRole('alert').textContent).toContain('Enter a URL starting with')
    await accessible()
    await fireEvent.input(field, { target: { value: ' http://10.0.0.7:11434/v1 ' } })
    await press('Save')
    await settle()
    expect(address()).toBe('http://10.0.0.7:11434/v1')
    expect(document.activeElement?.textContent).toBe('Change address')
    await press('Undo')
    await settle()
    expect(address()).toBe('http://localhost:11434/v1')
    await press('Change address of Ollama')
    await fireEvent.keyDown(screen.getByLabelText('Address of Ollama'), { key: 'Escape' })
    await settle()
    expect(screen.queryByLabelText('Address of Ollama')).toBeNull()
  })

  it('of a server is removed, and undo restores it', async () => {
    const { backend } = await open('providers/accounts')
    const before = backend.snapshot.settings.providers.ollama
    await press('Remove Ollama')
    await press('Remove')
    await settle()
    expect(backend.requests('change_settings')).toEqual([{ changes: { providers: { ollama: null } } }])
    await press('Undo')
    await settle()
    expect(backend.snapshot.settings.providers.ollama).toEqual(before)
  })

  it('shows its health, a countdown of its pause and the cost of today', async () => {
    const { view, aura } = await open('providers/accounts')
    const row = (name: string) => [...view.container.querySelectorAll('.account')].find((one) => one.textContent?.includes(name))
    expect(row('Groq')?.textContent).toMatch(/paused 0:2[34]/)
    expect(row('Groq')?.textContent).toContain('$0.012 today')
    expect(row('Gemini')?.textContent).toContain('at least $0.004 today')
    const now = Date.now()
    aura.health.now = now + 10_000
    await settle()
    expect(row('Groq')?.textContent).toMatch(/paused 0:1[34]/)
  })

  it('is tested per service and shows the result', async () => {
    const { backend } = await open('providers/accounts')
    await press('Test Groq')
    const group = screen.getByRole('group', { name: 'Test Groq' })
    expect(within(group).getByText(/It may cost a fraction of a cent/)).toBeTruthy()
    await accessible()
    await fireEvent.click(within(group).getByRole('button', { name: 'Speech to text' }))
    await settle()
    expect(backend.requests('test')).toEqual([{ service: 'stt', provider: 'groq' }])
    expect(screen.getByText('“It is going to be a good year.”')).toBeTruthy()
    expect(screen.getByText('took 640 ms, $0.0001')).toBeTruthy()
  })
})

describe('the automatic choice', () => {
  it('follows the preference, shows its reason, and is undone', async () => {
    const snapshot = readySnapshot()
    const llm = snapshot.routes[1]
    if (llm) llm.why = 'Groq is the fastest: median 310 ms over 24 calls.'
    const { backend } = await open('providers', { snapshot })
    expect(screen.getByText(/^Groq is the fastest/)).toBeTruthy()
    await pick('On Automatic, use', 'speed')
    await settle()
    expect(backend.requests('change_settings')).toEqual([{ changes: { choose: 'speed' } }])
    await press('Undo')
    await settle()
    expect(backend.snapshot.settings.choose).toBe('order')
  })
})

describe('the tabs', () => {
  const selected = () => screen.getByRole('tab', { selected: true })

  it('are chosen by arrow keys, and the address follows', async () => {
    await open('providers')
    expect(selected().textContent).toBe('Services')
    selected().focus()
    await fireEvent.keyDown(selected(), { key: 'ArrowLeft' })
    await settle()
    expect([selected().textContent, location.hash]).toEqual(['On this computer', '#providers/local'])
    expect(document.activeElement).toBe(selected())
    await fireEvent.keyDown(selected(), { key: 'Home' })
    await settle()
    expect([selected().textContent, location.hash]).toEqual(['Services', '#providers'])
    expect(screen.getAllByRole('tab').map((tab) => tab.tabIndex)).toEqual([0, -1, -1, -1])
  })

  it.each(['accounts', 'models'])('are opened by the address #providers/%s', async (part) => {
    await open(`providers/${part}`)
    expect(selected().textContent?.toLowerCase()).toBe(part)
    expect(screen.getByRole('tabpanel').getAttribute('aria-labelledby')).toBe(selected().id)
    await accessible()
  })
})
