import { fireEvent, screen, within } from '@testing-library/svelte'
import { describe, expect, it, vi } from 'vitest'
import { failing } from '../backend/fake'
import { freshSnapshot, groq, offline, readySnapshot } from '../backend/samples'
import { accessible, open, settle } from '../test/stage'
import { entries, moved, names } from './order'

const pick = (name: string, value: string) => fireEvent.change(screen.getByRole('combobox', { name }), { target: { value } })
const press = (name: string | RegExp) => fireEvent.click(screen.getByRole('button', { name }))

describe('who does what', () => {
  it('reads as a sentence', async () => {
    const { view } = await open('providers')
    const row = view.container.querySelectorAll('.chain')[1]
    // The parts stand apart by their gaps, not by blanks.
    const parts = [...(row?.querySelectorAll('.route, .next > *') ?? [])].map((part) =>
      part.textContent?.replace(/\s+/g, ' ').trim(),
    )
    expect(parts.join(' ')).toBe('Groq gpt-oss-120b then Gemini 3.5-flash-lite then Offline sound-check')
    await accessible()
  })

  it('is switched in place, and undone', async () => {
    const { backend } = await open('providers')
    await press(/^Change who answers/)
    await pick('Provider', 'gemini')
    await settle()
    expect(backend.asked('switch')).toEqual([{ service: 'llm', provider: 'gemini' }])
    expect(screen.getByText('Gemini answers. In effect with your next question.')).toBeTruthy()
    await accessible()
    await press('Undo')
    await settle()
    expect(backend.asked('change_settings')).toEqual([
      { changes: { routes: { llm: { provider: 'groq', model: 'openai/gpt-oss-120b', voice: null } } } },
    ])
    expect(backend.snapshot.settings.routes.llm.provider).toBe('groq')
  })

  it('offers the models and voices of the provider', async () => {
    const { backend } = await open('providers')
    await press(/^Change who speaks/)
    await pick('Voice', 'Puck')
    await settle()
    await pick('Model', 'gemini-3.8-flash-lite-tts')
    await settle()
    expect(backend.asked('switch')).toEqual([
      { service: 'tts', provider: 'gemini', voice: 'Puck' },
      { service: 'tts', provider: 'gemini', model: 'gemini-3.8-flash-lite-tts' },
    ])
  })

  it('takes the name of a model that is in no list', async () => {
    const { backend } = await open('providers')
    await press(/^Change who answers/)
    await pick('Model', '\u0000other')
    await fireEvent.input(screen.getByRole('textbox', { name: 'Model name' }), { target: { value: ' new-model ' } })
    await press('Use')
    expect(backend.asked('switch')).toEqual([{ service: 'llm', provider: 'groq', model: 'new-model' }])
  })

  it('goes back to automatic', async () => {
    const { backend } = await open('providers')
    await press(/^Change who answers/)
    await pick('Provider', '')
    expect(backend.asked('change_settings')).toEqual([
      { changes: { routes: { llm: { provider: null, model: null, voice: null } } } },
    ])
  })

  it('cannot be changed where the environment holds it, and says why', async () => {
    await open('providers', { snapshot: readySnapshot({ from_environment: ['routes.llm.provider', 'fallback'] }) })
    await press(/^Change who answers/)
    expect(screen.getByRole<HTMLSelectElement>('combobox', { name: 'Provider' }).disabled).toBe(true)
    expect(screen.getAllByText(/^Held by the environment/)).toHaveLength(2)
    expect(screen.getByRole<HTMLInputElement>('checkbox', { name: /take over/ }).disabled).toBe(true)
  })

  it('says when the one that was chosen is not ready', async () => {
    const snapshot = readySnapshot()
    snapshot.settings.routes.stt = { provider: 'ollama' }
    await open('providers', { snapshot })
    expect(screen.getAllByText(/Nothing answers at localhost/)).toHaveLength(2)
  })

  it('says when nobody can, and when the models do not load', async () => {
    const { backend } = await open('providers', {
      snapshot: freshSnapshot({ routes: [] }),
      handlers: { models: failing({ code: 'internal', message: 'No.' }) },
    })
    expect(screen.getAllByText('Nobody yet. Add a key or a server below.')).toHaveLength(4)
    await press('Try again')
    expect(backend.asked('models')).toHaveLength(2)
    await accessible()
  })

  it('stops at the first one without fallback', async () => {
    const { backend } = await open('providers')
    await fireEvent.click(screen.getByRole('checkbox', { name: /take over/ }))
    await settle()
    expect(backend.asked('change_settings')).toEqual([{ changes: { fallback: false } }])
    expect(screen.getAllByText('and nobody after it: fallback is off')).toHaveLength(4)
    expect(screen.queryByText('then')).toBeNull()
  })
})

describe('the order', () => {
  it('is changed by keyboard, the focus stays with what moved, and it is undone', async () => {
    const { backend } = await open('providers')
    await press(/^Edit the order of who answers/)
    await accessible()
    const up = screen.getByRole('button', { name: 'Move Ollama up' })
    up.focus()
    await fireEvent.click(up)
    await settle()
    expect(backend.asked('change_settings')).toEqual([
      { changes: { routes: { llm: { then: ['ollama', 'gemini', 'offline'] } } } },
    ])
    expect(document.activeElement?.getAttribute('aria-label')).toBe('Move Ollama down')
    await press('Undo')
    await settle()
    expect(backend.snapshot.settings.routes.llm.then).toBeUndefined()
  })

  it('leaves out whom the person leaves out', async () => {
    const { backend } = await open('providers')
    await press(/^Edit the order of who answers/)
    await fireEvent.click(screen.getByRole('checkbox', { name: 'Gemini' }))
    await settle()
    expect(backend.snapshot.settings.routes.llm.then).toEqual(['ollama', 'offline'])
  })

  it('is changed by dragging, and Esc puts it back', async () => {
    const { backend, view } = await open('providers')
    await press(/^Edit the order of who answers/)
    const rows = () => [...view.container.querySelectorAll<HTMLElement>('ol > li')]
    // jsdom lays nothing out: rows of 40 pixels, one under the other.
    const layout = vi.spyOn(HTMLElement.prototype, 'getBoundingClientRect').mockImplementation(function (this: HTMLElement) {
      const place = rows().indexOf(this)
      return { top: place * 40, bottom: place * 40 + 40 } as DOMRect
    })
    const named = () => rows().map((row) => row.dataset.name)
    const grip = (name: string) => view.container.querySelector<HTMLElement>(`[data-name="${name}"] .grip`) ?? document.body
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
    expect(backend.asked('change_settings')).toEqual([
      { changes: { routes: { llm: { then: ['ollama', 'offline', 'gemini'] } } } },
    ])
    expect(screen.getByText('Then Ollama, then Offline, then Gemini. In effect with your next question.')).toBeTruthy()
  })

  it('that the environment holds cannot be changed', async () => {
    await open('providers', { snapshot: readySnapshot({ from_environment: ['routes.llm.then'] }) })
    await press(/^Edit the order of who answers/)
    expect(screen.getByRole<HTMLButtonElement>('button', { name: 'Move Ollama up' }).disabled).toBe(true)
  })

  it('as data', () => {
    const list = entries([groq(), offline()], 'llm', undefined, ['offline'])
    expect(list.map((entry) => [entry.provider.name, entry.tried])).toEqual([
      ['offline', true],
      ['groq', false],
    ])
    expect(names(moved(entries([groq(), offline()], 'llm', undefined, undefined), 0, 1))).toEqual(['offline', 'groq'])
  })
})

describe('an account', () => {
  it('shows its state, and of its key the end only', async () => {
    await open('providers')
    expect(screen.getByText('A key that ends in k3Qf')).toBeTruthy()
    expect(screen.getAllByText(/in the keyring/)).toHaveLength(2)
    expect(screen.getByText('not ready')).toBeTruthy()
  })

  it('whose key the environment holds cannot be changed here', async () => {
    const snapshot = readySnapshot()
    snapshot.providers = [{ ...groq(), key: { ends_with: 'k3Qf', place: 'environment' } }, offline()]
    await open('providers', { snapshot })
    expect(screen.getByText(/from the environment/)).toBeTruthy()
    expect(screen.queryByRole('button', { name: /the key of Groq/ })).toBeNull()
  })

  it('takes a key that is never shown again', async () => {
    const { backend } = await open('providers', { snapshot: freshSnapshot() })
    await press('Add a key for Groq')
    const field = screen.getByLabelText<HTMLInputElement>('Key for Groq')
    expect(field.type).toBe('password')
    await accessible()
    await fireEvent.input(field, { target: { value: ' gsk_0123456789abcd ' } })
    await press('Save')
    await settle()
    expect(backend.asked('save_key')).toEqual([{ provider: 'groq', key: 'gsk_0123456789abcd', session_only: false }])
    expect(screen.queryByLabelText('Key for Groq')).toBeNull()
    expect(document.body.innerHTML).not.toContain('gsk_0123456789')
  })

  it('without a keyring keeps the key for this session only, if the person says so', async () => {
    let tries = 0
    const { backend } = await open('providers', {
      snapshot: freshSnapshot(),
      handlers: {
        save_key: () => {
          if (tries++ === 0) throw { code: 'keyring', message: 'No keyring answers.' }
          return freshSnapshot()
        },
      },
    })
    await press('Add a key for Groq')
    await fireEvent.input(screen.getByLabelText('Key for Groq'), { target: { value: 'gsk_0123456789abcd' } })
    await press('Save')
    await settle()
    expect(screen.getByRole('alert').textContent).toContain('No keyring answers.')
    await press('Keep it for this session only')
    await settle()
    expect(backend.asked('save_key')).toMatchObject([{ session_only: false }, { session_only: true }])
  })

  it('forgets its key only when asked twice', async () => {
    const { backend } = await open('providers')
    await press('Forget the key of Groq')
    await accessible()
    expect(document.activeElement?.textContent).toBe('Keep it')
    await press('Keep it')
    await settle()
    expect(backend.asked('forget_key')).toEqual([])
    expect(document.activeElement?.getAttribute('aria-label')).toBe('Replace the key of Groq')
    await press('Forget the key of Groq')
    await press('Forget it')
    await settle()
    expect(backend.asked('forget_key')).toEqual([{ provider: 'groq' }])
    expect(screen.getByText('needs a key')).toBeTruthy()
  })

  it('receives what the person allows', async () => {
    const { backend } = await open('providers')
    const group = screen.getByRole('group', { name: 'What Groq may receive' })
    await fireEvent.click(within(group).getByRole('checkbox', { name: 'screen' }))
    expect(backend.asked('change_settings')).toEqual([{ changes: { providers: { groq: { may_receive: { screen: false } } } } }])
  })

  it('puts the tick back when it could not be changed', async () => {
    await open('providers', { handlers: { change_settings: failing({ code: 'storage', message: 'The disk is full.' }) } })
    const box = within(screen.getByRole('group', { name: 'What Groq may receive' })).getByRole<HTMLInputElement>('checkbox', {
      name: 'text',
    })
    await fireEvent.click(box)
    await settle()
    expect(box.checked).toBe(true)
    expect(screen.getByText('The disk is full.')).toBeTruthy()
  })

  it('that is a server moves to another address, and back', async () => {
    const { backend } = await open('providers')
    const address = () => backend.snapshot.settings.providers.ollama?.base_url
    await press('Change address of Ollama')
    const field = screen.getByLabelText<HTMLInputElement>('Address of Ollama')
    expect(field.value).toBe('http://localhost:11434/v1')
    expect(document.activeElement).toBe(field)
    await fireEvent.input(field, { target: { value: 'somewhere' } })
    await press('Save')
    await settle()
    expect(screen.getByRole('alert').textContent).toContain('An address begins with')
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

  it('that is a server can be removed, and comes back', async () => {
    const { backend } = await open('providers')
    const before = backend.snapshot.settings.providers.ollama
    await press('Remove Ollama')
    await press('Remove')
    await settle()
    expect(backend.asked('change_settings')).toEqual([{ changes: { providers: { ollama: null } } }])
    await press('Undo')
    await settle()
    expect(backend.snapshot.settings.providers.ollama).toEqual(before)
  })

  it('shows what was seen of it, counts its pause down, and what it cost today', async () => {
    const { view, aura } = await open('providers')
    const row = (name: string) => [...view.container.querySelectorAll('.account')].find((one) => one.textContent?.includes(name))
    expect(row('Groq')?.textContent).toMatch(/paused 0:2[34]/)
    expect(row('Groq')?.textContent).toContain('$0.012 today')
    expect(row('Gemini')?.textContent).toContain('at least $0.004 today')
    const now = Date.now()
    aura.pulse.now = now + 10_000
    await settle()
    expect(row('Groq')?.textContent).toMatch(/paused 0:1[34]/)
  })

  it('is tested per service, and says what came of it', async () => {
    const { backend } = await open('providers')
    await press('Test Groq')
    const group = screen.getByRole('group', { name: 'Test Groq' })
    expect(within(group).getByText(/It may cost a fraction of a cent/)).toBeTruthy()
    await accessible()
    await fireEvent.click(within(group).getByRole('button', { name: 'Speech to text' }))
    await settle()
    expect(backend.asked('test')).toEqual([{ service: 'stt', provider: 'groq' }])
    expect(screen.getByText('“It is going to be a good year.”')).toBeTruthy()
    expect(screen.getByText('took 640 ms, $0.0001')).toBeTruthy()
  })
})

describe('the automatic choice', () => {
  it('is made by what the person cares about, says why, and is undone', async () => {
    const snapshot = readySnapshot()
    const llm = snapshot.routes[1]
    if (llm) llm.why = 'Groq is the fastest: 310 ms in the middle of 24 calls.'
    const { backend } = await open('providers', { snapshot })
    expect(screen.getByText(/^Groq is the fastest/)).toBeTruthy()
    await pick('Where you chose nobody, AURA picks', 'speed')
    await settle()
    expect(backend.asked('change_settings')).toEqual([{ changes: { choose: 'speed' } }])
    await press('Undo')
    await settle()
    expect(backend.snapshot.settings.choose).toBe('order')
  })
})

describe('a server', () => {
  it('is added by kind, name and address', async () => {
    const { backend } = await open('providers')
    await press('Add a server')
    await accessible()
    await pick('Kind', 'lmstudio')
    expect(screen.getByRole<HTMLInputElement>('textbox', { name: 'Address' }).value).toBe('http://127.0.0.1:1234/v1/')
    await press('Add')
    await settle()
    expect(backend.asked('change_settings')).toEqual([
      { changes: { providers: { lmstudio: { preset: 'lmstudio', base_url: 'http://127.0.0.1:1234/v1/' } } } },
    ])
  })

  it('that runs here is offered, and used with one click', async () => {
    const { backend } = await open('providers')
    expect(screen.getByText('LM Studio was found on this computer.')).toBeTruthy()
    await press('Use LM Studio')
    await settle()
    expect(backend.asked('change_settings')).toEqual([
      { changes: { providers: { lmstudio: { preset: 'lmstudio', base_url: 'http://127.0.0.1:1234/v1/' } } } },
    ])
    await press('Undo')
    await settle()
    expect(backend.snapshot.settings.providers.lmstudio).toBeUndefined()
  })

  it('can be added by address although nobody knows the kinds', async () => {
    const { backend } = await open('providers', { handlers: { servers: failing({ code: 'internal', message: 'No.' }) } })
    await press('Add a server')
    await fireEvent.input(screen.getByRole('textbox', { name: 'Name' }), { target: { value: 'mine' } })
    await fireEvent.input(screen.getByRole('textbox', { name: 'Address' }), { target: { value: 'http://10.0.0.2:9000/v1' } })
    await press('Add')
    expect(backend.asked('change_settings')).toEqual([
      { changes: { providers: { mine: { preset: 'custom', base_url: 'http://10.0.0.2:9000/v1' } } } },
    ])
  })

  it('needs a name of its own and an address', async () => {
    const { backend } = await open('providers')
    await press('Add a server')
    await pick('Kind', 'ollama')
    await press('Add')
    expect(screen.getByText('There is a provider of that name already.')).toBeTruthy()
    await pick('Kind', 'custom')
    await press('Add')
    expect(screen.getByText(/Use small letters/)).toBeTruthy()
    expect(screen.getByText(/An address begins with/)).toBeTruthy()
    expect(backend.asked('change_settings')).toEqual([])
  })
})
