import { fireEvent, screen } from '@testing-library/svelte'
import { describe, expect, it, vi } from 'vitest'
import { failing } from '../backend/fake'
import { readySnapshot, sampleTurn } from '../backend/samples'
import type { ConsentRequest } from '../generated/ConsentRequest'
import { setPreferences } from '../lib/preferences.svelte'
import { accessible, open, settle } from '../test/harness'

const request = (more: Partial<ConsentRequest> = {}): ConsentRequest => ({
  id: 'q1',
  turn: 'a',
  tool: 'type_text',
  action: { kind: 'type_text', text: 'Dear Ana,\n<b>hello</b>', window: { id: 7, title: 'Letter' } },
  sentence: 'Shall I type it?',
  may_remember: true,
  expires_at: '2026-11-29T12:00:00Z',
  ...more,
})

async function asked(more: Partial<ConsentRequest> = {}, panel = 'talk') {
  const opened = await open(panel)
  opened.backend.emit({ type: 'stage', turn: 'a', stage: 'thinking' }, { type: 'consent', turn: 'a', consent: request(more) })
  await settle()
  return opened
}

/** As if the question had been there for a while. */
const later = () => vi.spyOn(performance, 'now').mockReturnValue(performance.now() + 5000)

describe('the question before AURA acts', () => {
  it('shows exactly what would be done, and is answered by a click', async () => {
    const { backend } = await asked()
    expect(screen.getByRole('alert').textContent).toBe('Type this text into “Letter”?')
    expect(screen.getByText(/Dear Ana,/).textContent).toBe('Dear Ana,\n<b>hello</b>')
    await accessible()
    await fireEvent.click(screen.getByRole('button', { name: /^Yes Enter$|^Yes$/ }))
    expect(backend.requests('answer_consent')).toEqual([{ id: 'q1', answer: 'yes', by: 'window' }])
    backend.emit({ type: 'consent', turn: 'a' })
    await settle()
    expect(screen.queryByText('Type this text into “Letter”?')).toBeNull()
  })

  it('is answered by Enter, but not by one that was meant for something else', async () => {
    const { backend } = await asked()
    await fireEvent.keyDown(document.body, { key: 'Enter' })
    expect(backend.requests('answer_consent')).toEqual([])
    const time = later()
    const field = screen.getByRole<HTMLTextAreaElement>('textbox')
    await fireEvent.input(field, { target: { value: 'A draft' } })
    await fireEvent.keyDown(field, { key: 'Enter', shiftKey: true })
    await fireEvent.keyDown(document.body, { key: 'Enter', repeat: true })
    expect(backend.requests('answer_consent')).toEqual([])
    await fireEvent.keyDown(field, { key: 'Enter' })
    expect(backend.requests('ask')).toHaveLength(1)
    expect(backend.requests('answer_consent')).toEqual([])
    // The field is empty now: it has no use for Enter.
    await fireEvent.keyDown(field, { key: 'Enter' })
    expect(backend.requests('answer_consent')).toEqual([{ id: 'q1', answer: 'yes', by: 'window' }])
    expect(backend.requests('ask')).toHaveLength(1)
    time.mockRestore()
  })

  it('is stopped by Escape', async () => {
    const { backend } = await asked()
    await fireEvent.keyDown(document.body, { key: 'Escape' })
    expect(backend.cancelled).toBe(1)
    expect(backend.requests('answer_consent')).toEqual([])
  })

  it('warns of foreign text, and then remembers nothing', async () => {
    await asked({ may_remember: false })
    expect(screen.getByText(/AURA has read text that is not yours/)).toBeTruthy()
    expect(screen.queryByRole('button', { name: 'Always' })).toBeNull()
    await accessible()
  })

  it('remembers a choice', async () => {
    const { backend } = await asked()
    await fireEvent.click(screen.getByRole('button', { name: 'Yes, in this conversation' }))
    expect(backend.requests('answer_consent')).toEqual([{ id: 'q1', answer: 'conversation', by: 'window' }])
  })

  it('is seen in every panel, and when the window opens during it', async () => {
    await asked({}, 'health')
    expect(screen.getByText('Type this text into “Letter”?')).toBeTruthy()
    document.body.innerHTML = ''
    await open('talk', { snapshot: readySnapshot({ consent: request({ id: 'q2' }) }) })
    expect(screen.getByText('Type this text into “Letter”?')).toBeTruthy()
  })

  it('says when an answer comes too late', async () => {
    const { backend } = await open('talk', {
      handlers: { answer_consent: failing({ code: 'not_found', message: 'This question was answered already.' }) },
    })
    backend.emit({ type: 'consent', turn: 'a', consent: request() })
    await settle()
    await fireEvent.click(screen.getByRole('button', { name: 'Not now' }))
    await settle()
    expect(screen.getByText('This question was answered already.')).toBeTruthy()
  })

  it('speaks German and Spanish', async () => {
    for (const [language, words] of [
      ['de', 'Diesen Text in „Letter“ tippen?'],
      ['es', '¿Escribir este texto en «Letter»?'],
    ] as const) {
      setPreferences({ language })
      const { view } = await asked()
      expect(screen.getByText(words)).toBeTruthy()
      view.unmount()
    }
    setPreferences({ language: 'en' })
  })
})

describe('what AURA did', () => {
  const record = sampleTurn('a', {
    tools: [
      {
        name: 'show_plan',
        arguments: '{}',
        start_ms: 0,
        ms: 5,
        outcome: 'done',
        action: {
          kind: 'plan',
          steps: [{ text: 'Open WhatsApp', problem: 'There is no application named WhatsApp.' }, { text: 'Copy the text' }],
        },
      },
      {
        name: 'set_clipboard',
        arguments: '{}',
        start_ms: 10,
        ms: 5,
        outcome: 'done',
        action: { kind: 'set_clipboard', text: 'Hello' },
        consent: { allowed: true, by: 'voice' },
        undone: false,
      },
      { name: 'look_at_screen', arguments: '{}', start_ms: 20, ms: 5, outcome: 'done', foreign: true },
    ],
  })

  it('is listed with consent and outcome, and undone', async () => {
    const { backend } = await open('talk', { history: [record] })
    await fireEvent.click(screen.getByRole('button', { name: /first sound/ }))
    const list = screen.getByRole('list', { name: 'What AURA did' })
    const text = list.textContent?.replace(/\s+/g, ' ') ?? ''
    expect(text).toContain('Open WhatsApp: There is no application named WhatsApp.')
    expect(text).toContain('Put this text on the clipboard done · by your voice')
    expect(text).toContain('Looked at the screen')
    await accessible()
    await fireEvent.click(screen.getByRole('button', { name: /^Undo/ }))
    await settle()
    expect(backend.requests('undo')).toEqual([{ turn: 'a', index: 1 }])
    expect(screen.queryByRole('button', { name: /^Undo/ })).toBeNull()
    expect(list.textContent).toContain('undone')
  })

  it('is seen while it happens', async () => {
    const { backend } = await open('talk')
    const [, copy] = record.tools ?? []
    if (!copy) throw new Error('the sample has two tools')
    backend.emit(
      { type: 'stage', turn: 'b', stage: 'thinking' },
      { type: 'tool', turn: 'b', index: 0, tool: { ...copy, outcome: 'running' } },
    )
    await settle()
    expect(screen.getByRole('list', { name: 'What AURA did' }).textContent).toContain('begun')
  })
})

describe('the permissions', () => {
  it('are listed, changed and taken back', async () => {
    const snapshot = readySnapshot({ acting_tools: ['open', 'type_text'] })
    snapshot.settings.actions.permissions = { open: 'always' }
    const { backend } = await open('settings', { snapshot })
    const row = screen.getByLabelText<HTMLSelectElement>('Open applications, files and pages')
    expect(row.value).toBe('always')
    await fireEvent.change(row, { target: { value: 'ask' } })
    await fireEvent.change(screen.getByLabelText('Type text'), { target: { value: 'never' } })
    expect(backend.requests('change_settings')).toEqual([
      { changes: { actions: { permissions: { open: null } } } },
      { changes: { actions: { permissions: { type_text: 'never' } } } },
    ])
  })
})
