import { fireEvent, screen } from '@testing-library/svelte'
import { describe, expect, it } from 'vitest'
import { sampleTurn } from '../backend/samples'
import { prefer } from '../lib/preferences.svelte'
import { accessible, open, settle } from '../test/stage'

const field = () => screen.getByLabelText<HTMLInputElement>('Token')

async function show(token: string) {
  await fireEvent.input(field(), { target: { value: token } })
  await fireEvent.click(screen.getByRole('button', { name: 'Sign in' }))
  await settle()
}

describe('the page in a browser', () => {
  it('asks for the token before anything else, and says where it is', async () => {
    const { backend } = await open('providers', { token: 'right' })
    expect(screen.getByRole('heading', { level: 1, name: 'Sign in to AURA' })).toBeTruthy()
    expect(field().type).toBe('password')
    expect(document.activeElement).toBe(field())
    expect(screen.getByText('door-token')).toBeTruthy()
    expect(screen.getByText('aura serve')).toBeTruthy()
    expect(screen.queryByRole('navigation')).toBeNull()
    expect(screen.getByRole<HTMLButtonElement>('button', { name: 'Sign in' }).disabled).toBe(true)
    expect(backend.calls).toEqual([])
    await accessible()
  })

  it('refuses a wrong one, and opens with the right one', async () => {
    await open('providers', { token: 'right' })
    await show('wrong')
    expect(screen.getByRole('alert').textContent).toContain('AURA does not take this token.')
    expect(field().value).toBe('')
    await accessible()
    await show(' right ')
    expect(screen.getByRole('heading', { level: 1, name: 'Providers' })).toBeTruthy()
    expect(screen.queryByRole('alert')).toBeNull()
  })

  it('says so when nobody answers', async () => {
    const { backend } = await open('talk', { token: 'right' })
    if (backend.entry) backend.entry.give = () => Promise.reject({ code: 'not_running', message: 'AURA does not answer.' })
    await show('right')
    expect(screen.getByRole('alert').textContent).toContain('AURA does not answer.')
    expect(field().value).toBe('right')
  })

  it('is left in the settings', async () => {
    await open('settings', { token: 'right' })
    await show('right')
    await fireEvent.click(screen.getByRole('button', { name: 'Sign out of this page' }))
    await settle()
    expect(field()).toBeTruthy()
  })

  it('speaks German', async () => {
    prefer({ language: 'de' })
    await open('talk', { token: 'right' })
    expect(screen.getByRole('heading', { name: 'Bei AURA anmelden' })).toBeTruthy()
    await accessible()
  })
})

describe('the connection', () => {
  it('that is lost is said on every panel, and so is that it is back', async () => {
    const { backend } = await open('history')
    backend.hold(false)
    await settle()
    expect(screen.getByText(/The connection to AURA is lost/)).toBeTruthy()
    expect(screen.getByRole('link', { name: 'Not connected' })).toBeTruthy()
    await accessible()
    backend.hold(true)
    await settle()
    expect(screen.queryByText(/The connection to AURA is lost/)).toBeNull()
    expect(screen.getByText('Connected again.')).toBeTruthy()
  })

  it('brings what was missed: a turn that ended meanwhile is over and has its answer', async () => {
    const { backend, aura } = await open('talk')
    backend.emit({ type: 'stage', turn: 'a', stage: 'thinking' }, { type: 'transcript', turn: 'a', text: 'Why?' })
    await settle()
    backend.hold(false)
    backend.history = [sampleTurn('a', { transcript: 'Why?', answer: 'Because.' })]
    backend.hold(true)
    await settle()
    expect(screen.getByText(/Because\./)).toBeTruthy()
    expect(aura.conversation).toMatchObject({ stage: 'idle', active: null })
    expect(aura.conversation.turns).toHaveLength(1)
  })

  it('that comes back in the middle of a turn goes on with it', async () => {
    const { backend, aura } = await open('talk')
    backend.emit({ type: 'stage', turn: 'a', stage: 'thinking' }, { type: 'transcript', turn: 'a', text: 'Why?' })
    backend.hold(false)
    backend.snapshot = { ...backend.snapshot, stage: 'speaking' }
    backend.hold(true)
    backend.emit({ type: 'text', turn: 'a', delta: 'Because.' })
    await settle()
    expect(aura.conversation).toMatchObject({ stage: 'speaking', active: 'a' })
    expect(screen.getByText(/Because\./)).toBeTruthy()
  })
})
