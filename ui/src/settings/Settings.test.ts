import { fireEvent, screen } from '@testing-library/svelte'
import { describe, expect, it } from 'vitest'
import { failing } from '../backend/fake'
import { readySnapshot } from '../backend/samples'
import { setPreferences } from '../lib/preferences.svelte'
import { accessible, open, settle } from '../test/harness'
import { targetChoices } from './targets'

const list = (name: string) => screen.getByRole<HTMLSelectElement>('combobox', { name })
const shortcut = () => screen.getByLabelText('Shortcut')

describe('settings', () => {
  it('sets a limit for the costs of a day', async () => {
    const { backend } = await open('settings')
    const limit = screen.getByRole('spinbutton', { name: 'Daily limit' })
    await fireEvent.change(limit, { target: { value: '-1' } })
    expect(screen.getByText('Between 0 and 100,000 US dollars.')).toBeTruthy()
    await fireEvent.change(limit, { target: { value: '1.5' } })
    await fireEvent.click(screen.getByRole('switch', { name: 'Stop at the limit' }))
    await settle()
    expect(backend.requests('change_settings')).toEqual([
      { changes: { budget: { daily_usd: 1.5 } } },
      { changes: { budget: { stop: true } } },
    ])
  })

  it('set how fast and how loud answers are spoken', async () => {
    const { backend } = await open('settings')
    const speed = screen.getByRole('slider', { name: 'Speed' })
    expect(speed.getAttribute('aria-valuetext')).toBe('100%')
    await fireEvent.change(speed, { target: { value: '150' } })
    await fireEvent.change(screen.getByRole('slider', { name: 'Volume' }), { target: { value: '60' } })
    await settle()
    expect(backend.requests('change_settings')).toEqual([
      { changes: { speaking: { speed_percent: 150 } } },
      { changes: { speaking: { volume_percent: 60 } } },
    ])
  })

  it('are accessible in light and dark', async () => {
    await open('settings')
    await accessible()
  })

  it.each([
    ['Shortcut mode', 'toggle', { listening: { mode: 'toggle' } }],
    ['Microphone', 'built-in', { listening: { microphone: 'built-in' } }],
    ['Microphone', '', { listening: { microphone: null } }],
    ['Microphone between questions', 'always', { listening: { standby: 'always' } }],
    ['Speaker', 'headset', { speaking: { speaker: 'headset' } }],
    ['Spoken language', 'de', { listening: { language: 'de' } }],
    ['Share my screen', 'never', { screen: { share: 'never' } }],
    ['What to share', 'window:Terminal', { screen: { target: { kind: 'window', title: 'Terminal' } } }],
    ['Theme', 'dark', { appearance: { theme: 'dark' } }],
  ])('%s applies at once', async (name, value, changes) => {
    const { backend } = await open('settings')
    await fireEvent.change(list(name), { target: { value } })
    await settle()
    expect(backend.requests('change_settings')).toEqual([{ changes }])
  })

  it.each([
    ['Race a second provider when the first is slow', { hedge: true }],
    ['Try another provider after a refusal', { fallback_when_blocked: true }],
    ['Let apps on this computer use AURA', { local_api: { open: true } }],
  ])('%s is a switch under Advanced', async (name, changes) => {
    const { backend } = await open('settings/advanced')
    await fireEvent.click(screen.getByRole('switch', { name }))
    await settle()
    expect(backend.requests('change_settings')).toEqual([{ changes }])
  })

  it('take timeouts in seconds, within bounds', async () => {
    const { backend } = await open('settings/advanced')
    const field = screen.getByRole<HTMLInputElement>('spinbutton', { name: 'First word or sound' })
    expect(field.value).toBe('8')
    await fireEvent.change(field, { target: { value: '2.5' } })
    await fireEvent.change(field, { target: { value: '601' } })
    await settle()
    expect(backend.requests('change_settings')).toEqual([{ changes: { timeouts: { first_content_ms: 2500 } } }])
    expect(screen.getByText('Between 0.1 and 600 seconds.')).toBeTruthy()
  })

  it('show the address of the local API when it is open, and reject an invalid port', async () => {
    const { backend } = await open('settings/advanced')
    expect(screen.queryByText('http://127.0.0.1:8000')).toBeNull()
    await fireEvent.change(screen.getByRole('spinbutton', { name: 'Port' }), { target: { value: '80' } })
    expect(screen.getByText('Between 1024 and 65535.')).toBeTruthy()
    await fireEvent.change(screen.getByRole('spinbutton', { name: 'Port' }), { target: { value: '8123' } })
    await fireEvent.click(screen.getByRole('switch', { name: /^Let apps/ }))
    await settle()
    expect(backend.snapshot.settings.local_api).toEqual({ open: true, port: 8123 })
    expect(screen.getByText('http://127.0.0.1:8123')).toBeTruthy()
    await accessible()
  })

  it('apply and store high contrast', async () => {
    await open('settings')
    expect(document.documentElement.dataset.contrast).toBe('usual')
    await fireEvent.change(list('Contrast'), { target: { value: 'more' } })
    await settle()
    expect(document.documentElement.dataset.contrast).toBe('more')
    expect(localStorage.getItem('aura.preferences')).toContain('"contrast":"more"')
  })

  it('apply the theme to the page', async () => {
    await open('settings')
    await fireEvent.change(list('Theme'), { target: { value: 'dark' } })
    await settle()
    expect(document.documentElement.dataset.theme).toBe('dark')
  })

  it('apply switches and texts at once too', async () => {
    const { backend } = await open('settings')
    await fireEvent.click(screen.getByRole('switch', { name: 'Send while you speak' }))
    await fireEvent.click(screen.getByRole('switch', { name: 'Speak answers aloud' }))
    await fireEvent.click(screen.getByRole('switch', { name: /overlay/ }))
    await fireEvent.change(screen.getByRole('textbox', { name: 'Extra instructions' }), { target: { value: 'Be short.' } })
    await fireEvent.change(screen.getByRole('spinbutton', { name: 'Recording limit' }), { target: { value: '60' } })
    expect(backend.requests('change_settings')).toEqual(
      [
        { listening: { streaming: false } },
        { speaking: { muted: true } },
        { appearance: { overlay: false } },
        { instructions: 'Be short.' },
        { listening: { longest_seconds: 60 } },
      ].map((changes) => ({ changes })),
    )
  })

  it('take names and terms, one per line', async () => {
    const { backend } = await open('settings')
    const field = screen.getByRole<HTMLTextAreaElement>('textbox', { name: 'Names and terms' })
    await fireEvent.change(field, { target: { value: ' Tauri\n\nJürgen Groß \nTauri\n' } })
    await settle()
    expect(field.value).toBe('Tauri\nJürgen Groß')
    await fireEvent.change(field, { target: { value: 'x'.repeat(81) } })
    await settle()
    expect(screen.getByRole('alert').textContent).toContain('At most 200 lines of 80 characters')
    expect(backend.requests('change_settings')).toEqual([{ changes: { listening: { vocabulary: ['Tauri', 'Jürgen Groß'] } } }])
  })

  it('set when AURA runs', async () => {
    const { backend } = await open('settings')
    await fireEvent.click(screen.getByRole('switch', { name: 'Start when you log in' }))
    await settle()
    await fireEvent.click(screen.getByRole('switch', { name: 'Keep running when the window is closed' }))
    await settle()
    expect(backend.requests('change_settings')).toEqual([
      { changes: { startup: { at_login: true } } },
      { changes: { startup: { background: false } } },
    ])
  })

  it('set how long recordings and texts are kept', async () => {
    const { backend } = await open('settings')
    const set = async (name: string, value: string) => {
      await fireEvent.change(screen.getByRole('spinbutton', { name }), { target: { value } })
      await settle()
    }
    expect(screen.getByRole<HTMLInputElement>('spinbutton', { name: 'Keep recordings for' }).value).toBe('30')
    await set('Keep recordings for', '7')
    await set('Recordings together at most', '0')
    await set('Keep questions and answers for', '365')
    expect(backend.requests('change_settings')).toEqual([
      { changes: { history: { keep_recordings_days: 7 } } },
      { changes: { history: { max_gigabytes: 0 } } },
      { changes: { history: { keep_turns_days: 365 } } },
    ])
    await set('Keep recordings for', '1.5')
    expect(screen.getByRole('alert').textContent).toBe('A whole number from 0 to 36500.')
    expect(backend.requests('change_settings')).toHaveLength(3)
    await accessible()
  })

  it('reject a recording limit that is too short', async () => {
    const { backend } = await open('settings')
    await fireEvent.change(screen.getByRole('spinbutton', { name: 'Recording limit' }), { target: { value: '2' } })
    expect(screen.getByRole('alert').textContent).toBe('Between 5 and 600 seconds.')
    expect(backend.requests('change_settings')).toEqual([])
  })

  it('reset and show why when a change fails', async () => {
    await open('settings', { handlers: { change_settings: failing({ code: 'storage', message: 'The disk is full.' }) } })
    await fireEvent.change(list('Shortcut mode'), { target: { value: 'hold' } })
    await settle()
    expect(list('Shortcut mode').value).toBe('auto')
    expect(screen.getByRole('alert').textContent).toBe('The disk is full.')
  })

  it('set by an environment variable are disabled with a reason', async () => {
    await open('settings', { snapshot: readySnapshot({ from_environment: ['listening.microphone'] }) })
    expect(list('Microphone').disabled).toBe(true)
    expect(screen.getByText(/^Set by an environment variable/)).toBeTruthy()
  })

  it('list the problems of the settings file', async () => {
    await open('settings', {
      snapshot: readySnapshot({
        settings_problem_facts: [{ kind: 'value', setting: 'listening.mode', cause: 'unknown variant `sometimes`' }],
      }),
    })
    expect(screen.getByText('“listening.mode” in the settings file is not valid. AURA uses its default.')).toBeTruthy()
    expect(screen.getByText(/`sometimes`/).closest('details')?.open).toBe(false)
  })

  it('say where other sound cannot be lowered', async () => {
    const devices = (can_lower_sound: boolean) => ({
      handlers: { devices: () => ({ microphones: [], speakers: [], screens: [], can_lower_sound }) },
    })
    const lower = () => screen.getByRole<HTMLInputElement>('switch', { name: 'Lower other sound while AURA listens' })
    const first = await open('settings', devices(false))
    expect(lower().disabled).toBe(true)
    expect(screen.getByText(/^Not available on this computer/)).toBeTruthy()
    first.view.unmount()
    const { backend } = await open('settings', devices(true))
    await fireEvent.click(lower())
    await settle()
    expect(backend.requests('change_settings')).toEqual([{ changes: { listening: { lower_other_sound: true } } }])
  })

  it('keep a device that is not connected', async () => {
    const snapshot = readySnapshot()
    snapshot.settings.listening.microphone = 'away'
    await open('settings', { snapshot })
    expect(list('Microphone').selectedOptions[0]?.textContent).toBe('away (not connected)')
  })

  it('report that the devices do not load', async () => {
    const { backend } = await open('settings', { handlers: { devices: failing({ code: 'internal', message: 'No.' }) } })
    await fireEvent.click(screen.getByRole('button', { name: 'Try again' }))
    expect(backend.requests('devices')).toHaveLength(2)
  })
})

describe('the search', () => {
  const find = (words: string) =>
    fireEvent.input(screen.getByRole('searchbox', { name: 'Search settings' }), { target: { value: words } })
  const sections = () => screen.getAllByRole('region').map((one) => one.getAttribute('aria-label'))

  it('shows only the settings that have all the words, also those under Advanced', async () => {
    await open('settings')
    await find('SLOW race')
    expect(sections().filter(Boolean)).toEqual(['Requests'])
    expect(screen.getAllByRole('switch')).toHaveLength(1)
    expect(screen.getByRole('navigation', { name: 'Sections' }).textContent?.trim()).toContain('Advanced')
    await accessible()
    await find('')
    expect(screen.getByRole('combobox', { name: 'Theme' })).toBeTruthy()
    expect(document.getElementById('settings-advanced')?.hasAttribute('open')).toBe(false)
  })

  it('finds sections without rows, and says when it finds nothing', async () => {
    await open('settings')
    await find('keyring')
    expect(sections().filter(Boolean)).toEqual(['Privacy', 'System check'])
    await find('zebra')
    expect(screen.getByText('No settings match “zebra”.')).toBeTruthy()
    expect(sections().filter(Boolean)).toEqual([])
  })
})

describe('the index', () => {
  it('leads to a section', async () => {
    await open('settings')
    await fireEvent.click(screen.getByRole('link', { name: 'Startup' }))
    await settle()
    expect(document.activeElement).toBe(screen.getByRole('region', { name: 'Startup' }))
    expect(screen.getByRole('link', { name: 'Startup' }).getAttribute('href')).toBe('#settings/startup')
  })

  it('is not needed for an address, which opens Advanced where it must', async () => {
    await open('settings/local-api')
    expect(document.activeElement).toBe(screen.getByRole('region', { name: 'Local API' }))
    expect(screen.getByRole('switch', { name: /^Let apps/ })).toBeTruthy()
    await accessible()
  })
})

describe('the shortcut', () => {
  it('is recorded from key presses, which have no other effect', async () => {
    const { backend } = await open('settings')
    await fireEvent.click(shortcut())
    await fireEvent.keyDown(shortcut(), { code: 'AltLeft', altKey: true })
    await fireEvent.keyDown(shortcut(), { code: 'Space', key: ' ', altKey: true })
    await settle()
    expect(backend.requests('change_settings')).toEqual([{ changes: { shortcut: 'Alt+Space' } }])
    expect(backend.requests('press')).toEqual([])
  })

  it('that other apps use needs a confirmation', async () => {
    const { backend } = await open('settings')
    const press = async () => {
      await fireEvent.click(shortcut())
      await fireEvent.keyDown(shortcut(), { code: 'KeyC', key: 'c', ctrlKey: true })
      await settle()
    }
    await press()
    expect(screen.getByRole('alert').textContent).toContain('Many apps use Ctrl+C.')
    expect(backend.requests('change_settings')).toEqual([])
    await accessible()
    await fireEvent.click(screen.getByRole('button', { name: 'Cancel' }))
    await settle()
    expect(screen.queryByRole('alert')).toBeNull()
    expect(document.activeElement).toBe(shortcut())
    await press()
    await fireEvent.click(screen.getByRole('button', { name: 'Use it anyway' }))
    await settle()
    expect(backend.requests('change_settings')).toEqual([{ changes: { shortcut: 'Ctrl+C' } }])
  })

  it('requires a modifier, and Esc keeps the current one', async () => {
    const { backend } = await open('settings')
    await fireEvent.click(shortcut())
    await fireEvent.keyDown(shortcut(), { code: 'KeyA', key: 'a' })
    await settle()
    expect(screen.getByText(/^Add Ctrl/)).toBeTruthy()
    await fireEvent.keyDown(shortcut(), { code: 'Escape', key: 'Escape' })
    await settle()
    expect(backend.cancelled).toBe(0)
    expect(backend.requests('change_settings')).toEqual([])
    expect(shortcut().textContent).toContain('Change')
  })

  it('that the desktop does not support names the alternative once', async () => {
    const problem = 'AURA cannot listen for its shortcut here. Bind a key to `aura ptt press` in the desktop’s settings.'
    const { view } = await open('settings', { snapshot: readySnapshot({ shortcut_problem: problem }) })
    expect(view.container.textContent.split('aura ptt press')).toHaveLength(2)
  })

  it('that does not work names the alternative', async () => {
    await open('settings', { snapshot: readySnapshot({ shortcut_problem: 'Another app uses it.' }) })
    expect(screen.getByText(/Another app uses it\..*aura ptt press/)).toBeTruthy()
    await accessible()
  })
})

it('says in the language of the window why the shortcut and the local API do not work', async () => {
  const snapshot = readySnapshot({
    shortcut_problem: 'Another app uses it.',
    server_problem: 'Another program uses port 8000.',
    server_problem_code: 'port_taken',
  })
  setPreferences({ language: 'de' })
  const { view } = await open('settings', { snapshot })
  const shown = view.container.textContent
  setPreferences({ language: 'en' })
  expect(shown).toContain('Dieses Tastenkürzel lässt sich nicht verwenden.')
  expect(shown).toContain('Eine andere App verwendet diesen Port.')
  expect(shown).not.toContain('Another')
})

describe('the microphone', () => {
  it('test shows its level and asks no question', async () => {
    const { backend } = await open('settings')
    await fireEvent.click(screen.getByRole('button', { name: 'Try it' }))
    expect(backend.requests('meter')).toEqual([{ seconds: 20 }])
    expect(screen.getByText('Say something.')).toBeTruthy()
    backend.emit({ type: 'level', level: 0.25, elapsed_ms: 300 })
    await settle()
    expect(screen.getByRole('meter', { name: 'Microphone level' }).getAttribute('aria-valuenow')).toBe('50')
    expect(screen.getByText('Your voice is coming through.')).toBeTruthy()
    await accessible()
    await fireEvent.click(screen.getByRole('button', { name: 'Stop' }))
    await settle()
    expect(backend.cancelled).toBe(1)
    expect(backend.requests('press')).toEqual([])
    expect(screen.getByText('The microphone works.')).toBeTruthy()
  })

  it('that is missing is reported', async () => {
    await open('settings', { handlers: { meter: failing({ code: 'no_microphone', message: 'No microphone. Plug one in.' }) } })
    await fireEvent.click(screen.getByRole('button', { name: 'Try it' }))
    await settle()
    expect(screen.getByText('No microphone. Plug one in.')).toBeTruthy()
    expect(screen.getByRole('button', { name: 'Try it' })).toBeTruthy()
  })

  it('test restarts with a newly chosen microphone', async () => {
    const over: (() => void)[] = []
    const { backend } = await open('settings', {
      handlers: { meter: () => new Promise((resolve) => over.push(() => resolve({}))) },
    })
    await fireEvent.click(screen.getByRole('button', { name: 'Try it' }))
    await settle()
    await fireEvent.change(screen.getByRole('combobox', { name: 'Microphone' }), { target: { value: 'built-in' } })
    await settle()
    expect(backend.cancelled).toBe(1)
    expect(backend.requests('meter')).toHaveLength(2)
    // The end of the first test does not end the second.
    over[0]?.()
    await settle()
    backend.emit({ type: 'level', level: 0.5, elapsed_ms: 0 })
    await settle()
    expect(screen.getByRole('button', { name: 'Stop' })).toBeTruthy()
    expect(Number(screen.getByRole('meter').getAttribute('aria-valuenow'))).toBeGreaterThan(50)
    over[1]?.()
    await settle()
    expect(screen.getByRole('button', { name: 'Try it' })).toBeTruthy()
  })

  it('test stops when the panel is left and when a turn starts', async () => {
    const { backend, view } = await open('settings')
    await fireEvent.click(screen.getByRole('button', { name: 'Try it' }))
    backend.emit({ type: 'stage', turn: 'a', stage: 'listening' })
    await settle()
    const button = screen.getByRole<HTMLButtonElement>('button', { name: 'Try it' })
    expect(button.disabled).toBe(true)
    expect(document.getElementById(button.getAttribute('aria-describedby') ?? '')?.textContent).toContain(
      'Available again when AURA has finished answering.',
    )
    backend.emit({ type: 'stage', turn: 'a', stage: 'idle' })
    await settle()
    await fireEvent.click(screen.getByRole('button', { name: 'Try it' }))
    view.unmount()
    expect(backend.cancelled).toBe(1)
  })
})

describe('the system check', () => {
  it('shows a problem beside its setting, with the remedy', async () => {
    const message = 'The desktop allows no pictures of the screen.'
    const remedy = 'Install xdg-desktop-portal and log in again.'
    await open('settings', {
      handlers: { doctor: () => [{ area: 'screen', ok: false, finding: { kind: 'other' as const }, message, remedy }] },
    })
    const list = screen.getByRole('combobox', { name: 'What to share' })
    const about = document.getElementById(list.getAttribute('aria-describedby') ?? '')
    expect(about?.textContent).toContain(`${message} ${remedy}`)
    await accessible()
  })

  it('lists problems first, with their remedies, and runs again', async () => {
    const { backend, view } = await open('settings')
    const rows = [...view.container.querySelectorAll('#settings-check li')]
    expect(rows[0]?.textContent).toContain('needs attention')
    expect(rows[0]?.textContent).toContain('Install and unlock')
    await fireEvent.click(screen.getByRole('button', { name: 'Check again' }))
    expect(backend.requests('doctor')).toHaveLength(2)
  })

  it('reports that it failed', async () => {
    await open('settings', { handlers: { doctor: failing({ code: 'internal', message: 'No.' }) } })
    expect(screen.getByText(/The system check failed\. No\./)).toBeTruthy()
  })
})

it('targets are listed once each', () => {
  const kinds = targetChoices([{ kind: 'monitor', name: 'DP-1' }, { kind: 'monitor' }], {
    kind: 'region',
    x: 0,
    y: 0,
    width: 9,
    height: 9,
  })
  expect(kinds).toHaveLength(4)
})
