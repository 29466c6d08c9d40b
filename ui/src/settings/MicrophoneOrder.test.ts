import { fireEvent, screen, within } from '@testing-library/svelte'
import { describe, expect, it } from 'vitest'
import { readySnapshot } from '../backend/samples'
import { accessible, open, settle } from '../test/harness'

const three = ['usb', 'built-in', 'headset'].map((id) => ({ id, label: `The ${id}`, default: id === 'usb' }))

async function openWith(microphone: string | undefined, spare_microphones: string[]) {
  const snapshot = readySnapshot()
  if (microphone !== undefined) snapshot.settings.listening.microphone = microphone
  snapshot.settings.listening.spare_microphones = spare_microphones
  const opened = await open('settings', {
    snapshot,
    handlers: { devices: () => ({ microphones: three, speakers: [], screens: [], can_lower_sound: true }) },
  })
  return () => opened.backend.requests('change_settings').map((request) => (request as { changes: object }).changes)
}

const list = () => screen.getByRole('list', { name: 'If it is not connected' })
const button = (name: string) => screen.getByRole<HTMLButtonElement>('button', { name })

describe('the microphones that take over', () => {
  it('are not asked for without a chosen one', async () => {
    await openWith(undefined, [])
    expect(screen.queryByLabelText('If it is not connected')).toBeNull()
  })

  it('are added, and removed', async () => {
    const changes = await openWith('headset', ['usb'])
    await accessible()
    expect(within(list()).getAllByRole('listitem')).toHaveLength(1)
    const select = screen.getByRole<HTMLSelectElement>('combobox', { name: 'If it is not connected' })
    expect([...select.options].map((option) => option.value)).toEqual(['', 'built-in'])
    await fireEvent.change(select, { target: { value: 'built-in' } })
    await settle()
    await fireEvent.click(button('Remove The usb'))
    await settle()
    const [added, removed] = changes()
    expect(added).toEqual({ listening: { microphone: 'headset', spare_microphones: ['usb', 'built-in'] } })
    expect(removed).toMatchObject({ listening: { microphone: 'headset' } })
  })

  it('move by their buttons and by the keyboard, also to the first place', async () => {
    const changes = await openWith('gone', ['usb', 'headset'])
    await fireEvent.keyDown(button('Move The usb down'), { key: 'ArrowDown', altKey: true })
    await settle()
    await fireEvent.keyDown(button('Move The usb down'), { key: 'ArrowDown' })
    await fireEvent.click(button('Move The usb up'))
    await settle()
    const [moved] = changes()
    expect(moved).toEqual({ listening: { microphone: 'gone', spare_microphones: ['headset', 'usb'] } })
    expect(changes()).toHaveLength(2)
  })

  it('say which of them is not connected', async () => {
    await openWith('usb', ['away'])
    expect(within(list()).getByText('away (not connected)')).toBeTruthy()
    expect(button('Move away down').disabled).toBe(true)
  })

  it('do not hold the one that becomes the first choice', async () => {
    const changes = await openWith('headset', ['usb', 'built-in'])
    await fireEvent.change(screen.getByRole('combobox', { name: 'Microphone' }), { target: { value: 'usb' } })
    await settle()
    expect(changes()).toEqual([{ listening: { microphone: 'usb', spare_microphones: ['built-in'] } }])
  })
})
