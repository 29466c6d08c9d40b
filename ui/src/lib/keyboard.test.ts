/** The keys of the window, the command palette and the list of keys. */
import { fireEvent, screen, within } from '@testing-library/svelte'
import { describe, expect, it } from 'vitest'
import { sampleTurn } from '../backend/samples'
import { accessible, open, settle } from '../test/harness'

const ctrl = (key: string, code = `Key${key.toUpperCase()}`) => ({ key, code, ctrlKey: true })
const press = async (keys: object, target: Element = document.activeElement ?? document.body) => {
  await fireEvent.keyDown(target, keys)
  await settle()
}
const title = () => screen.getByRole('heading', { level: 1 }).textContent
const palette = () => screen.getByRole('dialog', { name: 'Command palette' })
const find = async (words: string) => {
  await press(ctrl('k'))
  const field = within(palette()).getByRole('combobox')
  expect(document.activeElement).toBe(field)
  await fireEvent.input(field, { target: { value: words } })
  return field
}

describe('the keys', () => {
  it.each([
    ['1', 'Talk', 'TEXTAREA'],
    ['2', 'Providers', 'SECTION'],
    ['3', 'Health', 'SECTION'],
    ['4', 'History', 'SECTION'],
    ['5', 'Settings', 'SECTION'],
  ])('Ctrl+%s opens %s and gives it the focus', async (digit, name, focus) => {
    await open(name === 'Talk' ? 'health' : 'talk')
    await press(ctrl(digit, `Digit${digit}`))
    expect(title()).toBe(name)
    expect(document.activeElement?.tagName).toBe(focus)
  })

  it('Ctrl+comma opens the settings, Ctrl+F the search, Ctrl+L the question', async () => {
    await open('talk')
    await press(ctrl(',', 'Comma'))
    expect(title()).toBe('Settings')
    await press(ctrl('1', 'Digit1'))
    await press(ctrl('f'))
    expect(title()).toBe('History')
    expect(document.activeElement).toBe(screen.getByRole('searchbox'))
    await press(ctrl('l'))
    expect(document.activeElement).toBe(screen.getByRole('textbox', { name: 'Your question' }))
  })

  it('Ctrl+N starts a new conversation', async () => {
    const { backend, view } = await open('history', { history: [sampleTurn('a')] })
    await press(ctrl('n'))
    expect(backend.requests('new_session')).toEqual([{}])
    expect(title()).toBe('Talk')
    expect(view.container.querySelectorAll('article')).toHaveLength(0)
    expect(document.activeElement?.tagName).toBe('TEXTAREA')
  })

  it('a question mark is typed in a field, and lists the keys elsewhere', async () => {
    await open('talk')
    const field = screen.getByRole('textbox')
    field.focus()
    await press({ key: '?', code: 'Slash', shiftKey: true })
    expect(screen.queryByRole('dialog')).toBeNull()
    field.blur()
    const talk = screen.getByRole('link', { name: 'Talk' })
    talk.focus()
    await press({ key: '?', code: 'Slash', shiftKey: true })
    const list = screen.getByRole('dialog', { name: 'Keyboard shortcuts' })
    expect(within(list).getByRole('row', { name: /^Command palette/ }).textContent).toContain('K')
    await accessible()
    await press({ key: 'Escape' })
    expect(screen.queryByRole('dialog')).toBeNull()
    expect(document.activeElement).toBe(talk)
  })
})

describe('the command palette', () => {
  it('changes a setting with an undo, and returns the focus', async () => {
    const { backend } = await open('talk')
    const field = screen.getByRole('textbox')
    field.focus()
    const search = await find('stop speaking')
    await accessible()
    await press({ key: 'Enter' }, search)
    expect(backend.requests('change_settings')).toEqual([{ changes: { speaking: { muted: true } } }])
    expect(screen.getByRole('button', { name: 'Undo' })).toBeTruthy()
    expect(document.activeElement).toBe(field)
  })

  it('opens panels and switches who answers', async () => {
    const { backend } = await open('talk')
    await press({ key: 'Enter' }, await find('health'))
    expect(title()).toBe('Health')
    await press({ key: 'Enter' }, await find('answer with gem'))
    expect(backend.requests('switch')).toEqual([{ service: 'llm', provider: 'gemini' }])
    expect(screen.getByText('Gemini will answer from your next question.')).toBeTruthy()
  })

  it('finds a setting and gives it the focus', async () => {
    await open('talk')
    await press({ key: 'Enter' }, await find('recording limit'))
    expect(title()).toBe('Settings')
    expect(document.activeElement).toBe(screen.getByLabelText('Recording limit'))
  })

  it('says when nothing is found, closes with Esc and again with Ctrl+K', async () => {
    const { backend } = await open('talk')
    const search = await find('zebra')
    expect(within(palette()).getByText('No results.')).toBeTruthy()
    await press({ key: 'Escape' }, search)
    expect(screen.queryByRole('dialog')).toBeNull()
    await press(ctrl('k'))
    await press(ctrl('k'))
    expect(screen.queryByRole('dialog')).toBeNull()
    expect(backend.cancelled).toBe(0)
  })

  it('is a dialog before which nothing else can be used, and Space does not talk', async () => {
    const { backend, view } = await open('talk')
    await press(ctrl('k'))
    expect(view.container.querySelector<HTMLElement>('.app')?.inert).toBe(true)
    await press({ key: ' ', code: 'Space' }, document.body)
    expect(backend.requests('press')).toEqual([])
  })
})
