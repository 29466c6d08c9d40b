import { fireEvent, screen } from '@testing-library/svelte'
import { describe, expect, it } from 'vitest'
import type { UpdatesView } from '../generated/UpdatesView'
import { accessible, open, settle } from '../test/harness'

const known: UpdatesView = { server: 'updates.example.org', checked_at: '2026-11-29T08:00:00Z', state: { state: 'idle' } }
const newer: UpdatesView = {
  ...known,
  release: {
    version: '0.2.0',
    published: '2026-11-28',
    notes: 'Answers **faster**.',
    package: { name: 'aura_0.2.0.deb', size_bytes: 61_000_000 },
  },
}
const button = (name: string | RegExp) => screen.getByRole('button', { name })

describe('updates', () => {
  it('are not mentioned in a build that knows no server', async () => {
    await open('settings')
    await settle()
    expect(screen.queryByText('Updates')).toBeNull()
  })

  it('are looked for on request, and once a day only if the user says so', async () => {
    const { backend } = await open('settings', {
      handlers: { updates: () => ({ ...known, checked_at: undefined }), check_for_updates: () => known },
    })
    await settle()
    expect(screen.getByText('AURA has not looked for updates yet.')).toBeTruthy()
    const daily = screen.getByRole<HTMLInputElement>('switch', { name: 'Check for updates once a day' })
    expect(daily.checked).toBe(false)
    expect(screen.getByText(/^AURA asks updates\.example\.org for/)).toBeTruthy()
    await fireEvent.click(button('Check now'))
    await settle()
    expect(screen.getByText(/is up to date\./)).toBeTruthy()
    await fireEvent.click(daily)
    await settle()
    expect(backend.requests('change_settings')).toEqual([{ changes: { updates: { check: true } } }])
  })

  it('are downloaded with progress, and opened when they are there', async () => {
    const { backend } = await open('settings', { handlers: { updates: () => known } })
    await settle()
    backend.emit({ type: 'updates', view: newer })
    await settle()
    expect(screen.getAllByText('AURA 0.2.0 is available').length).toBe(2)
    expect(screen.getByText('faster').tagName).toBe('STRONG')
    await accessible()
    await fireEvent.click(button('Download (61 MB)'))
    expect(backend.requests('download_update')).toHaveLength(1)
    const loading = { state: 'downloading', done_bytes: 20_000_000, total_bytes: 61_000_000 } as const
    backend.emit({ type: 'updates', view: { ...newer, state: loading } })
    await settle()
    expect(screen.getByRole('progressbar').getAttribute('aria-valuenow')).toBe('32')
    await fireEvent.click(button('Stop'))
    expect(backend.requests('stop_update')).toHaveLength(1)
    const command = 'sudo apt install /a/aura_0.2.0.deb'
    backend.emit({ type: 'updates', view: { ...newer, state: { state: 'ready', file: '/a/aura_0.2.0.deb', command } } })
    await settle()
    expect(screen.getByText(command)).toBeTruthy()
    await fireEvent.click(button('Open the installer'))
    expect(backend.requests('install_update')).toHaveLength(1)
  })

  it('that failed say why', async () => {
    const error = { code: 'disk_full' as const, message: 'The disk is too full for the update.' }
    await open('settings', { handlers: { updates: () => ({ ...newer, state: { state: 'failed', error } }) } })
    await settle()
    expect(screen.getByText('The disk is too full for the update.')).toBeTruthy()
  })
})
