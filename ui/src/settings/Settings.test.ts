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

  it('that does not work says what to do', async () => {
    await open('settings', { snapshot: readySnapshot({ shortcut_problem: 'Another program holds it.' }) })
    expect(screen.getByText(/Another program holds it\..*aura ptt press/)).toBeTruthy()
    await accessible()
  })
})

describe('what works on this computer', () => {
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
