/** An answer that is read aloud can be paused and gone through sentence by sentence, by mouse and by key. */
import { fireEvent, screen, within } from '@testing-library/svelte'
import { expect, it, vi } from 'vitest'
import { accessible, open, settle } from '../test/harness'

const speaking = [
  { type: 'stage', turn: 'a', stage: 'speaking' },
  { type: 'playback', playback: 'playing' },
] as const

it.each(['talk', 'settings'])('in %s, it is paused, resumed and moved', async (panel) => {
  const { backend } = await open(panel)
  expect(screen.queryByRole('group', { name: 'Reading aloud' })).toBeNull()
  backend.emit(...speaking)
  await settle()
  const buttons = within(screen.getByRole('group', { name: 'Reading aloud' }))
  await fireEvent.click(buttons.getByRole('button', { name: 'Pause' }))
  backend.emit({ type: 'playback', playback: 'paused' })
  await settle()
  await accessible()
  await fireEvent.click(buttons.getByRole('button', { name: 'Resume' }))
  await fireEvent.click(buttons.getByRole('button', { name: 'Previous sentence' }))
  await fireEvent.click(buttons.getByRole('button', { name: 'Next sentence' }))
  const actions = ['toggle', 'toggle', 'previous', 'next']
  expect(backend.requests('playback')).toEqual(actions.map((action) => ({ action })))
  backend.emit({ type: 'stage', turn: 'a', stage: 'idle' })
  await settle()
  expect(screen.queryByRole('group', { name: 'Reading aloud' })).toBeNull()
})

it('the keys work while one types', async () => {
  const { backend } = await open('talk')
  backend.emit(...speaking)
  await settle()
  const field = screen.getByRole('textbox', { name: 'Your question' })
  await fireEvent.keyDown(field, { key: 'p', ctrlKey: true })
  await fireEvent.keyDown(field, { key: 'ArrowLeft', altKey: true })
  await fireEvent.keyDown(field, { key: 'ArrowRight', altKey: true })
  const actions = ['toggle', 'previous', 'next']
  expect(backend.requests('playback')).toEqual(actions.map((action) => ({ action })))
})

it('on a Mac, Option with an arrow moves by words in a draft', async () => {
  const platform = vi.spyOn(navigator, 'platform', 'get').mockReturnValue('MacIntel')
  const { backend } = await open('talk')
  backend.emit(...speaking)
  await settle()
  const field = screen.getByRole('textbox', { name: 'Your question' })
  await fireEvent.keyDown(field, { key: 'ArrowLeft', altKey: true })
  await fireEvent.input(field, { target: { value: 'How do I' } })
  await fireEvent.keyDown(field, { key: 'ArrowLeft', altKey: true })
  platform.mockRestore()
  expect(backend.requests('playback')).toEqual([{ action: 'previous' }])
})

it('a sentence that is said again after the end has the same buttons, and Stop', async () => {
  const { backend } = await open('talk')
  backend.emit({ type: 'playback', playback: 'playing' })
  await settle()
  const buttons = within(screen.getByRole('group', { name: 'Reading aloud' }))
  await fireEvent.click(buttons.getByRole('button', { name: 'Pause' }))
  expect(backend.requests('playback')).toEqual([{ action: 'toggle' }])
  await fireEvent.click(screen.getByRole('button', { name: 'Stop' }))
  expect(backend.cancelled).toBe(1)
  backend.emit({ type: 'playback', playback: 'idle' })
  await settle()
  expect(screen.queryByRole('group', { name: 'Reading aloud' })).toBeNull()
})
