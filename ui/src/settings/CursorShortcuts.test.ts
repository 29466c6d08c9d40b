import { fireEvent, screen, within } from '@testing-library/svelte'
import { describe, expect, it } from 'vitest'
import { readySnapshot } from '../backend/samples'
import { accessible, open, settle } from '../test/harness'

/** The row of a setting. */
const row = (label: string) => within(screen.getByText(label).closest('.setting') as HTMLElement)

describe('shortcuts at the cursor', () => {
  it('are off until they are set', async () => {
    const { backend } = await open('settings')
    await settle()
    const dictate = row('Dictate')
    expect(dictate.getByText('Types what you say.')).toBeTruthy()
    const button = dictate.getByRole('button')
    expect(button.textContent).toContain('off')
    expect(dictate.queryByRole('button', { name: 'Turn off' })).toBeNull()
    await fireEvent.click(button)
    await fireEvent.keyDown(button, { key: 'F8', code: 'F8', ctrlKey: true, altKey: true })
    await settle()
    expect(backend.requests('change_settings')).toEqual([{ changes: { cursor_shortcuts: { dictate: 'Ctrl+Alt+F8' } } }])
    expect(dictate.getByText('F8')).toBeTruthy()
    await accessible()
  })

  it('are turned off again', async () => {
    const snapshot = readySnapshot()
    snapshot.settings.cursor_shortcuts.edit_selection = 'Ctrl+Alt+F9'
    const { backend } = await open('settings', { snapshot })
    await settle()
    await fireEvent.click(row('Edit the selection').getByRole('button', { name: 'Turn off' }))
    await settle()
    expect(backend.requests('change_settings')).toEqual([{ changes: { cursor_shortcuts: { edit_selection: '' } } }])
    expect(row('Edit the selection').queryByRole('button', { name: 'Turn off' })).toBeNull()
  })
})
