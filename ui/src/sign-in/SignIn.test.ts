import { fireEvent, screen } from '@testing-library/svelte'
import { describe, expect, it } from 'vitest'
import { sampleTurn } from '../backend/samples'
import { setPreferences } from '../lib/preferences.svelte'
import { accessible, open, settle } from '../test/harness'

const field = () => screen.getByLabelText<HTMLInputElement>('Token')

async function show(token: string) {
  await fireEvent.input(field(), { target: { value: token } })
  await fireEvent.click(screen.getByRole('button', { name: 'Sign in' }))
  await settle()
}

describe('the page in a browser', () => {
  it('requires the token first and shows where it is', async () => {
    const { backend } = await open('providers', { token: 'right' })
    expect(screen.getByRole('heading', { level: 1, name: 'Sign in to AURA' })).toBeTruthy()
    expect(field().type).toBe('password')
    expect(document.activeElement).toBe(field())
    expect(screen.getByText('api-token')).toBeTruthy()
    expect(screen.getByText('aura serve')).toBeTruthy()
    expect(screen.queryByRole('navigation')).toBeNull()
    expect(screen.getByRole<HTMLButtonElement>('button', { name: 'Sign in' }).disabled).toBe(true)
    expect(backend.calls).toEqual([])
    await accessible()
  })

  it('rejects a wrong token and accepts the right one', async () => {
    await open('providers', { token: 'right' })
    await show('wrong')
    expect(screen.getByRole('alert').textContent).toContain('That token isn’t valid')
    expect(field().value).toBe('')
    await accessible()
    await show(' right ')
    expect(screen.getByRole('heading', { level: 1, name: 'Providers' })).toBeTruthy()
    expect(screen.queryByRole('alert')).toBeNull()
  })

  it('reports that AURA is unreachable', async () => {
    const { backend } = await open('talk', { token: 'right' })
    if (backend.access) backend.access.signIn = () => Promise.reject({ code: 'not_running', message: 'AURA does not answer.' })
    await show('right')
    expect(screen.getByRole('alert').textContent).toContain('AURA does not answer.')
    expect(field().value).toBe('right')
  })

  it('signs out in the settings', async () => {
    await open('settings', { token: 'right' })
    await show('right')
    await fireEvent.click(screen.getByRole('button', { name: 'Sign out of this page' }))
    await settle()
    expect(field()).toBeTruthy()
  })

  it('is in German', async () => {
    setPreferences({ language: 'de' })
    await open('talk', { token: 'right' })
    expect(screen.getByRole('heading', { name: 'Bei AURA anmelden' })).toBeTruthy()
    await accessible()
  })
})

describe('the connection', () => {
  it('is reported on every panel when it is lost and when it is back', async () => {
    const { backend } = await open('history')
    backend.setConnected(false)
    await settle()
    expect(screen.getByText(/^Connection lost/)).toBeTruthy()
    expect(screen.getByRole('link', { name: 'Not connected' })).toBeTruthy()
    await accessible()
    backend.setConnected(true)
    await settle()
    expect(screen.queryByText(/^Connection lost/)).toBeNull()
    expect(screen.getByText('Connected again.')).toBeTruthy()
  })

  it('loads what was missed: a turn that ended meanwhile has its answer', async () => {
    const { backend, aura } = await open('talk')
    backend.emit({ type: 'stage', turn: 'a', stage: 'thinking' }, { type: 'transcript', turn: 'a', text: 'Why?' })
    await settle()
    backend.setConnected(false)
    backend.history = [sampleTurn('a', { transcript: 'Why?', answer: 'Because.' })]
    backend.setConnected(true)
    await settle()
    expect(screen.getByText(/Because\./)).toBeTruthy()
    expect(aura.conversation).toMatchObject({ stage: 'idle', active: null })
    expect(aura.conversation.turns).toHaveLength(1)
  })

  it('continues with the current turn when it returns', async () => {
    const { backend, aura } = await open('talk')
    backend.emit({ type: 'stage', turn: 'a', stage: 'thinking' }, { type: 'transcript', turn: 'a', text: 'Why?' })
    backend.setConnected(false)
    backend.snapshot = { ...backend.snapshot, stage: 'speaking' }
    backend.setConnected(true)
    backend.emit({ type: 'text', turn: 'a', delta: 'Because.' })
    await settle()
    expect(aura.conversation).toMatchObject({ stage: 'speaking', active: 'a' })
    expect(screen.getByText(/Because\./)).toBeTruthy()
  })
})
