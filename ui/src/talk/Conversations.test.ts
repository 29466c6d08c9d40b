import { fireEvent, screen, within } from '@testing-library/svelte'
import { describe, expect, it } from 'vitest'
import { failing } from '../backend/fake'
import { sampleTurn } from '../backend/samples'
import { accessible, open, settle } from '../test/harness'

const history = [
  sampleTurn('c', { session: 'session-1', transcript: 'And tomorrow?' }),
  sampleTurn('b', { session: 'session-1', transcript: 'Is it raining?' }),
  sampleTurn('a', { session: 'older', transcript: 'How do I find a free port?' }),
]

const show = async (script = {}) => {
  const window = await open('talk', { history: [...history], ...script })
  await fireEvent.click(screen.getByRole('button', { name: 'Conversations' }))
  await settle()
  return window
}
const dialog = () => within(screen.getByRole('dialog', { name: 'Conversations' }))

describe('the conversations', () => {
  it('are listed by their first question, the latest first', async () => {
    await show()
    const names = dialog()
      .getAllByRole('listitem')
      .map((item) => item.textContent?.replace(/\s+/g, ' ').trim())
    expect(names[0]).toMatch(/^Is it raining\?.* · 2 questions · open now$/)
    expect(names[1]).toMatch(/^How do I find a free port\?.* · 1 question$/)
    expect(document.activeElement).toBe(dialog().getByRole('searchbox'))
    await accessible()
  })

  it('open with Ctrl+O, and Esc gives the focus back', async () => {
    await open('talk', { history })
    const field = screen.getByRole('textbox', { name: 'Your question' })
    field.focus()
    await fireEvent.keyDown(field, { key: 'o', ctrlKey: true })
    await settle()
    await fireEvent.keyDown(dialog().getByRole('searchbox'), { key: 'ArrowDown' })
    expect(document.activeElement?.textContent).toContain('Is it raining?')
    await fireEvent.keyDown(document.activeElement ?? field, { key: 'Escape' })
    await settle()
    expect(screen.queryByRole('dialog')).toBeNull()
    expect(document.activeElement).toBe(field)
  })

  it('are continued: their questions are shown, and the field has the focus', async () => {
    const { backend } = await show()
    await fireEvent.click(dialog().getByRole('button', { name: /^How do I find a free port/ }))
    await settle()
    expect(backend.requests('continue_session')).toEqual([{ id: 'older' }])
    expect(screen.queryByRole('dialog')).toBeNull()
    expect(screen.getByText('How do I find a free port?')).toBeTruthy()
    expect(screen.queryByText('Is it raining?')).toBeNull()
    expect(document.activeElement).toBe(screen.getByRole('textbox', { name: 'Your question' }))
  })

  it('are renamed in place; an empty title shows the first question again', async () => {
    const { backend } = await show()
    await fireEvent.click(dialog().getByRole('button', { name: 'Rename “How do I find a free port?”' }))
    const title = dialog().getByRole<HTMLInputElement>('textbox')
    expect(title.value).toBe('How do I find a free port?')
    await fireEvent.input(title, { target: { value: 'Ports' } })
    await fireEvent.submit(title.closest('form') as HTMLFormElement)
    await settle()
    expect(backend.requests('rename_session')).toEqual([{ id: 'older', title: 'Ports' }])
    expect(dialog().getByRole('button', { name: /^Ports/ })).toBe(document.activeElement)
    await accessible()
    // Esc leaves the title as it is, and the list open.
    await fireEvent.click(dialog().getByRole('button', { name: 'Rename “Ports”' }))
    await fireEvent.keyDown(dialog().getByRole('textbox'), { key: 'Escape' })
    await settle()
    expect(backend.requests('rename_session')).toHaveLength(1)
    expect(dialog().getByRole('button', { name: /^Ports/ })).toBeTruthy()
  })

  it('are deleted after the time for an undo, and the focus goes to the next one', async () => {
    const { backend, aura } = await show()
    await fireEvent.click(dialog().getByRole('button', { name: 'Delete “Is it raining?”' }))
    await settle()
    expect(document.activeElement?.textContent).toContain('How do I find a free port?')
    expect(backend.requests('delete_session')).toEqual([])
    aura.toast?.undo?.()
    await settle()
    expect(dialog().getByRole('button', { name: /^Is it raining/ })).toBeTruthy()
    await fireEvent.click(dialog().getByRole('button', { name: 'Delete “Is it raining?”' }))
    aura.dismiss()
    await settle()
    expect(backend.requests('delete_session')).toEqual([{ id: 'session-1' }])
    // It was the current one: a new conversation begins.
    expect(screen.queryByText('And tomorrow?')).toBeNull()
  })

  it('say when there are none, and why they could not be loaded', async () => {
    await show({ history: [] })
    expect(dialog().getByText(/^No conversations yet/)).toBeTruthy()
    await accessible()
  })

  it('can be loaded again', async () => {
    await show({ handlers: { sessions: failing({ code: 'storage', message: 'The disk is full.' }) } })
    expect(dialog().getByRole('alert').textContent).toContain('The disk is full.')
    expect(dialog().getByRole('button', { name: 'Try again' })).toBeTruthy()
  })

  it('are continued from a question of the history', async () => {
    const { backend } = await open('history', { history })
    await fireEvent.click(screen.getByRole('button', { name: /How do I find a free port/ }))
    await fireEvent.click(screen.getByRole('button', { name: 'Continue this conversation' }))
    await settle()
    expect(backend.requests('continue_session')).toEqual([{ id: 'older' }])
    expect(location.hash).toBe('#talk')
  })
})

describe('a question', () => {
  it('is edited and asked again; a draft comes back with Undo', async () => {
    const { backend, aura } = await open('talk', { history })
    const field = screen.getByRole<HTMLTextAreaElement>('textbox', { name: 'Your question' })
    await fireEvent.input(field, { target: { value: 'half a thought' } })
    const [edit] = screen.getAllByRole('button', { name: 'Edit and ask again' })
    await fireEvent.click(edit as HTMLElement)
    await settle()
    expect([field.value, document.activeElement]).toEqual(['Is it raining?', field])
    aura.toast?.undo?.()
    await settle()
    expect(field.value).toBe('half a thought')
    await fireEvent.click(edit as HTMLElement)
    await fireEvent.input(field, { target: { value: 'Is it raining in Rome?' } })
    await fireEvent.keyDown(field, { key: 'Enter' })
    await settle()
    expect(backend.requests('ask')).toMatchObject([{ text: 'Is it raining in Rome?' }])
  })

  const png = new File([new Uint8Array([137, 80, 78, 71])], 'error.png', { type: 'image/png' })
  const settled = async () => {
    await new Promise((resolve) => setTimeout(resolve, 20))
    await settle()
  }

  it('takes along a picture that is pasted, instead of the screen', async () => {
    const { backend, aura } = await open('talk')
    aura.attachScreen = true
    const field = screen.getByRole('textbox', { name: 'Your question' })
    await fireEvent.paste(field, { clipboardData: { files: [png] } })
    await settled()
    expect(screen.getByText('Picture: error.png')).toBeTruthy()
    await accessible()
    await fireEvent.input(field, { target: { value: 'What is this?' } })
    await fireEvent.keyDown(field, { key: 'Enter' })
    await settle()
    const [asked] = backend.requests('ask')
    expect(asked).toMatchObject({ text: 'What is this?', picture: 'iVBORw==' })
    expect(asked).not.toHaveProperty('screen')
    // It is used once.
    expect(screen.queryByText('Picture: error.png')).toBeNull()
  })

  it('takes along a picture that is dropped, until it is removed', async () => {
    await open('talk')
    const dataTransfer = { types: ['Files'], files: [png] }
    await fireEvent.dragOver(window, { dataTransfer })
    expect(screen.getByPlaceholderText('Drop a picture to attach it')).toBeTruthy()
    await fireEvent.drop(window, { dataTransfer })
    await settled()
    await fireEvent.click(screen.getByRole('button', { name: 'Remove the picture' }))
    await settle()
    expect(screen.queryByText('Picture: error.png')).toBeNull()
    expect(document.activeElement).toBe(screen.getByRole('textbox', { name: 'Your question' }))
  })

  it('keeps its picture when it could not be asked', async () => {
    const { aura } = await open('talk', { handlers: { ask: failing({ code: 'internal', message: 'No.' }) } })
    const field = screen.getByRole('textbox', { name: 'Your question' })
    await fireEvent.paste(field, { clipboardData: { files: [png] } })
    await settled()
    await fireEvent.input(field, { target: { value: 'What is this?' } })
    await fireEvent.keyDown(field, { key: 'Enter' })
    await settle()
    expect(aura.picture?.name).toBe('error.png')
  })

  it('refuses a file that is no picture', async () => {
    const { aura } = await open('talk')
    const text = new File(['x'], 'x.txt', { type: 'text/plain' })
    await fireEvent.drop(window, { dataTransfer: { types: ['Files'], files: [text] } })
    expect(aura.toast?.text).toBe('Attach a picture: JPEG, PNG, WebP or GIF.')
  })
})
