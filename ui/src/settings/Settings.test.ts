import { fireEvent, screen } from '@testing-library/svelte'
import { describe, expect, it } from 'vitest'
import { failing } from '../backend/fake'
import { readySnapshot } from '../backend/samples'
import { accessible, open, settle } from '../test/stage'
import { targetChoices } from './targets'

const list = (name: string) => screen.getByRole<HTMLSelectElement>('combobox', { name })
const shortcut = () => screen.getByLabelText('Shortcut')

describe('settings', () => {
  it('are all named, in light and dark', async () => {
    await open('settings')
    await accessible()
  })

  it.each([
    ['The key works as', 'toggle', { listening: { mode: 'toggle' } }],
    ['Microphone', 'built-in', { listening: { microphone: 'built-in' } }],
    ['Microphone', '', { listening: { microphone: null } }],
    ['Speaker', 'headset', { speaking: { speaker: 'headset' } }],
    ['Language you speak', 'de', { listening: { language: 'de' } }],
    ['Your screen goes with a question', 'never', { screen: { share: 'never' } }],
    ['What is shown', 'window:Terminal', { screen: { target: { kind: 'window', title: 'Terminal' } } }],
    ['Colours', 'dark', { appearance: { theme: 'dark' } }],
  ])('%s applies at once', async (name, value, changes) => {
    const { backend } = await open('settings')
    await fireEvent.change(list(name), { target: { value } })
    await settle()
    expect(backend.asked('change_settings')).toEqual([{ changes }])
  })

  it.each([
    ['Ask two when one is slow', { hedge: true }],
    ['Ask another when one refuses', { fallback_when_blocked: true }],
    ['Let programs on this computer ask', { door: { open: true } }],
  ])('%s is ticked', async (name, changes) => {
    const { backend } = await open('settings')
    await fireEvent.click(screen.getByRole('checkbox', { name }))
    await settle()
    expect(backend.asked('change_settings')).toEqual([{ changes }])
  })

  it('take times in seconds, within bounds', async () => {
    const { backend } = await open('settings')
    const field = screen.getByRole<HTMLInputElement>('spinbutton', { name: 'For the first word or sound', hidden: true })
    expect(field.value).toBe('8')
    await fireEvent.change(field, { target: { value: '2.5' } })
    await fireEvent.change(field, { target: { value: '601' } })
    await settle()
    expect(backend.asked('change_settings')).toEqual([{ changes: { clocks: { first_content_ms: 2500 } } }])
    expect(screen.getByText('Between 0.1 and 600 seconds.')).toBeTruthy()
  })

  it('show the address of the door when it is open, and take no port that is none', async () => {
    const { backend } = await open('settings')
    expect(screen.queryByText('http://127.0.0.1:8000')).toBeNull()
    await fireEvent.change(screen.getByRole('spinbutton', { name: 'Port' }), { target: { value: '80' } })
    expect(screen.getByText('Between 1024 and 65535.')).toBeTruthy()
    await fireEvent.change(screen.getByRole('spinbutton', { name: 'Port' }), { target: { value: '8123' } })
    await fireEvent.click(screen.getByRole('checkbox', { name: /^Let programs/ }))
    await settle()
    expect(backend.snapshot.settings.door).toEqual({ open: true, port: 8123 })
    expect(screen.getByText('http://127.0.0.1:8123')).toBeTruthy()
    await accessible()
  })

  it('raise the contrast and keep it', async () => {
    await open('settings')
    expect(document.documentElement.dataset.contrast).toBe('usual')
    await fireEvent.change(list('Contrast'), { target: { value: 'more' } })
    await settle()
    expect(document.documentElement.dataset.contrast).toBe('more')
    expect(localStorage.getItem('aura.preferences')).toContain('"contrast":"more"')
  })

  it('puts the colours on the page', async () => {
    await open('settings')
    await fireEvent.change(list('Colours'), { target: { value: 'dark' } })
    await settle()
    expect(document.documentElement.dataset.theme).toBe('dark')
  })

  it('tick and text apply too', async () => {
    const { backend } = await open('settings')
    await fireEvent.click(screen.getByRole('checkbox', { name: /without speaking/ }))
    await fireEvent.click(screen.getByRole('checkbox', { name: /overlay/ }))
    await fireEvent.change(screen.getByRole('textbox', { name: 'Extra instructions' }), { target: { value: 'Be short.' } })
    await fireEvent.change(screen.getByRole('spinbutton', { name: 'Longest recording' }), { target: { value: '60' } })
    expect(backend.asked('change_settings')).toEqual(
      [
        { speaking: { muted: true } },
        { appearance: { overlay: false } },
        { instructions: 'Be short.' },
        { listening: { longest_seconds: 60 } },
      ].map((changes) => ({ changes })),
    )
  })

  it('say when AURA runs', async () => {
    const { backend } = await open('settings')
    await fireEvent.click(screen.getByRole('checkbox', { name: 'Start when you log in' }))
    await settle()
    await fireEvent.click(screen.getByRole('checkbox', { name: 'Go on when the window is closed' }))
    await settle()
    expect(backend.asked('change_settings')).toEqual([
      { changes: { startup: { at_login: true } } },
      { changes: { startup: { background: false } } },
    ])
  })

  it('refuse a recording of no length', async () => {
    const { backend } = await open('settings')
    await fireEvent.change(screen.getByRole('spinbutton', { name: 'Longest recording' }), { target: { value: '2' } })
    expect(screen.getByRole('alert').textContent).toBe('Between 5 and 600 seconds.')
    expect(backend.asked('change_settings')).toEqual([])
  })

  it('go back, and say why, when they could not be changed', async () => {
    await open('settings', { handlers: { change_settings: failing({ code: 'storage', message: 'The disk is full.' }) } })
    await fireEvent.change(list('The key works as'), { target: { value: 'hold' } })
    await settle()
    expect(list('The key works as').value).toBe('auto')
    expect(screen.getByRole('alert').textContent).toBe('The disk is full.')
  })

  it('that the environment holds are disabled and say why', async () => {
    await open('settings', { snapshot: readySnapshot({ from_environment: ['listening.microphone'] }) })
    expect(list('Microphone').disabled).toBe(true)
    expect(screen.getByText(/^Held by the environment/)).toBeTruthy()
  })

  it('say what was wrong with the file', async () => {
    await open('settings', {
      snapshot: readySnapshot({ settings_problems: ['listening.mode: “sometimes” is none of auto, hold, toggle'] }),
    })
    expect(screen.getByText(/“sometimes”/)).toBeTruthy()
  })

  it('keep a device that is away', async () => {
    const snapshot = readySnapshot()
    snapshot.settings.listening.microphone = 'away'
    await open('settings', { snapshot })
    expect(list('Microphone').selectedOptions[0]?.textContent).toBe('away (not connected)')
  })

  it('say when the devices do not load', async () => {
    const { backend } = await open('settings', { handlers: { devices: failing({ code: 'internal', message: 'No.' }) } })
    await fireEvent.click(screen.getByRole('button', { name: 'Try again' }))
    expect(backend.asked('devices')).toHaveLength(2)
  })
})

describe('the shortcut', () => {
  it('is recorded from the keys, which do nothing else', async () => {
    const { backend } = await open('settings')
    await fireEvent.click(shortcut())
    await fireEvent.keyDown(shortcut(), { code: 'AltLeft', altKey: true })
    await fireEvent.keyDown(shortcut(), { code: 'Space', key: ' ', altKey: true })
    await settle()
    expect(backend.asked('change_settings')).toEqual([{ changes: { shortcut: 'Alt+Space' } }])
    expect(backend.asked('press')).toEqual([])
  })

  it('that other programs would miss is taken only when the person says so', async () => {
    const { backend } = await open('settings')
    const press = async () => {
      await fireEvent.click(shortcut())
      await fireEvent.keyDown(shortcut(), { code: 'KeyC', key: 'c', ctrlKey: true })
      await settle()
    }
    await press()
    expect(screen.getByRole('alert').textContent).toContain('Many programs use Ctrl+C themselves.')
    expect(backend.asked('change_settings')).toEqual([])
    await accessible()
    await fireEvent.click(screen.getByRole('button', { name: 'Cancel' }))
    await settle()
    expect(screen.queryByRole('alert')).toBeNull()
    await press()
    await fireEvent.click(screen.getByRole('button', { name: 'Use it all the same' }))
    await settle()
    expect(backend.asked('change_settings')).toEqual([{ changes: { shortcut: 'Ctrl+C' } }])
  })

  it('asks for a modifier, and Esc keeps the old one', async () => {
    const { backend } = await open('settings')
    await fireEvent.click(shortcut())
    await fireEvent.keyDown(shortcut(), { code: 'KeyA', key: 'a' })
    await settle()
    expect(screen.getByText(/^Add Ctrl/)).toBeTruthy()
    await fireEvent.keyDown(shortcut(), { code: 'Escape', key: 'Escape' })
    await settle()
    expect(backend.cancelled).toBe(0)
    expect(backend.asked('change_settings')).toEqual([])
    expect(shortcut().textContent).toContain('Change')
  })

  it('that this desktop does not tell of says what to do, once', async () => {
    const problem = 'AURA cannot listen for its shortcut here. Bind a key to `aura ptt press` in the desktop’s settings.'
    const { view } = await open('settings', { snapshot: readySnapshot({ shortcut_problem: problem }) })
    expect(view.container.textContent.split('aura ptt press')).toHaveLength(2)
  })

  it('that does not work says what to do', async () => {
    await open('settings', { snapshot: readySnapshot({ shortcut_problem: 'Another program holds it.' }) })
    expect(screen.getByText(/Another program holds it\..*aura ptt press/)).toBeTruthy()
    await accessible()
  })
})

describe('the microphone', () => {
  it('is tried: its level shows, and no question is asked', async () => {
    const { backend } = await open('settings')
    await fireEvent.click(screen.getByRole('button', { name: 'Try it' }))
    expect(backend.asked('meter')).toEqual([{ seconds: 20 }])
    expect(screen.getByText('Say something.')).toBeTruthy()
    backend.emit({ type: 'level', level: 0.25, elapsed_ms: 300 })
    await settle()
    expect(screen.getByRole('meter', { name: 'Level of the microphone' }).getAttribute('aria-valuenow')).toBe('50')
    expect(screen.getByText('It hears you.')).toBeTruthy()
    await accessible()
    await fireEvent.click(screen.getByRole('button', { name: 'Stop' }))
    await settle()
    expect(backend.cancelled).toBe(1)
    expect(backend.asked('press')).toEqual([])
    expect(screen.getByText('It heard you.')).toBeTruthy()
  })

  it('that is not there says so', async () => {
    await open('settings', { handlers: { meter: failing({ code: 'no_microphone', message: 'No microphone. Plug one in.' }) } })
    await fireEvent.click(screen.getByRole('button', { name: 'Try it' }))
    await settle()
    expect(screen.getByText('No microphone. Plug one in.')).toBeTruthy()
    expect(screen.getByRole('button', { name: 'Try it' })).toBeTruthy()
  })

  it('that is picked while another one is tried is tried in its place', async () => {
    const over: (() => void)[] = []
    const { backend } = await open('settings', {
      handlers: { meter: () => new Promise((resolve) => over.push(() => resolve({}))) },
    })
    await fireEvent.click(screen.getByRole('button', { name: 'Try it' }))
    await settle()
    await fireEvent.change(screen.getByRole('combobox', { name: 'Microphone' }), { target: { value: 'built-in' } })
    await settle()
    expect(backend.cancelled).toBe(1)
    expect(backend.asked('meter')).toHaveLength(2)
    // The first one's end is not that of the second.
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

  it('stops when the panel is left, and when a question is asked', async () => {
    const { backend, view } = await open('settings')
    await fireEvent.click(screen.getByRole('button', { name: 'Try it' }))
    backend.emit({ type: 'stage', turn: 'a', stage: 'listening' })
    await settle()
    expect(screen.getByRole<HTMLButtonElement>('button', { name: 'Try it' }).disabled).toBe(true)
    backend.emit({ type: 'stage', turn: 'a', stage: 'idle' })
    await settle()
    await fireEvent.click(screen.getByRole('button', { name: 'Try it' }))
    view.unmount()
    expect(backend.cancelled).toBe(1)
  })
})

describe('what works on this computer', () => {
  it('is said beside the setting that it concerns, with the remedy', async () => {
    const message = 'The desktop allows no pictures of the screen.'
    const remedy = 'Install xdg-desktop-portal and log in again.'
    await open('settings', { handlers: { doctor: () => [{ area: 'screen', ok: false, message, remedy }] } })
    const list = screen.getByRole('combobox', { name: 'What is shown' })
    const about = document.getElementById(list.getAttribute('aria-describedby') ?? '')
    expect(about?.textContent).toContain(`${message} ${remedy}`)
    await accessible()
  })

  it('shows first what needs a look, with its remedy, and checks again', async () => {
    const { backend, view } = await open('settings')
    const rows = [...view.container.querySelectorAll('li')]
    expect(rows[0]?.textContent).toContain('needs a look')
    expect(rows[0]?.textContent).toContain('Install and unlock')
    await fireEvent.click(screen.getByRole('button', { name: 'Check again' }))
    expect(backend.asked('doctor')).toHaveLength(2)
  })

  it('says while it checks, and when that fails', async () => {
    await open('settings', { handlers: { doctor: failing({ code: 'internal', message: 'No.' }) } })
    expect(screen.getByText(/The check did not finish\. No\./)).toBeTruthy()
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
