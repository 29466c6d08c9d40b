import { describe, expect, it } from 'vitest'
import { sampleTurn } from '../backend/samples'
import type { AuraEvent } from '../backend/types'
import { emptyConversation, ended, mostTurns, noticesByTurn, reduce, withHistory, type Conversation } from './conversation'

const after = (events: AuraEvent[], from: Conversation = emptyConversation) => events.reduce(reduce, from)
const stage = (turn: string, stage: 'idle' | 'listening' | 'transcribing' | 'looking' | 'thinking' | 'speaking'): AuraEvent => ({
  type: 'stage',
  turn,
  stage,
})

describe('a turn', () => {
  it('goes from the key press to its record', () => {
    const record = sampleTurn('a', { transcript: 'Why?', answer: 'Because. So.' })
    const events: AuraEvent[] = [
      stage('a', 'listening'),
      { type: 'recording', turn: 'a' },
      { type: 'level', level: 0.4, elapsed_ms: 900 },
    ]
    const listening = after(events)
    expect(listening).toMatchObject({ active: 'a', stage: 'listening', recording: true, level: 0.4, elapsedMs: 900 })

    const answering = after(
      [
        stage('a', 'transcribing'),
        { type: 'transcript', turn: 'a', text: 'Why?' },
        stage('a', 'thinking'),
        { type: 'text', turn: 'a', delta: 'Because. ' },
        { type: 'text', turn: 'a', delta: 'So.' },
        stage('a', 'speaking'),
        { type: 'speaking', turn: 'a', sentence: 'Because.' },
      ],
      listening,
    )
    expect(answering.turns[0]).toMatchObject({ question: 'Why?', answer: 'Because. So.', sentence: 'Because.', record: null })
    expect(answering).toMatchObject({ level: 0, elapsedMs: 0 })

    const done = after([{ type: 'done', record }, stage('a', 'idle')], answering)
    expect(done).toMatchObject({ active: null, stage: 'idle' })
    expect(done.turns).toEqual([ended(record)])
  })

  it('is not ready before the first sample', () => {
    expect(after([stage('a', 'listening')]).recording).toBe(false)
  })

  it('keeps attempts, notices and the image', () => {
    const notice = { kind: 'fallback' as const, message: 'Groq timed out. Gemini took over.' }
    const attempt = {
      service: 'llm' as const,
      route: { provider: 'groq', model: 'm' },
      ms: 9,
      usage: {},
      cost: { basis: 'unknown' as const },
    }
    const seen = { width: 4, height: 3, bytes: 2 }
    const { turns } = after([
      stage('a', 'thinking'),
      { type: 'attempt', turn: 'a', attempt },
      { type: 'notice', turn: 'a', notice },
      { type: 'seen', turn: 'a', seen },
    ])
    expect(turns[0]).toMatchObject({ attempts: [attempt], notices: [notice], seen })
  })

  it('disappears when the key was only tapped', () => {
    expect(after([stage('a', 'listening'), stage('a', 'idle')]).turns).toEqual([])
  })

  it('disappears when it was cancelled before anything was understood', () => {
    const record = sampleTurn('a', { transcript: '', answer: '', error: { code: 'cancelled', message: 'Stopped.' } })
    expect(after([stage('a', 'listening'), { type: 'done', record }]).turns).toEqual([])
  })

  it('stays when nothing was heard, to show the error', () => {
    const record = sampleTurn('a', {
      transcript: '',
      answer: '',
      error: { code: 'nothing_heard', message: 'Nothing was heard.' },
    })
    expect(after([stage('a', 'listening'), { type: 'done', record }]).turns).toHaveLength(1)
  })

  it('is not ended by the late end of its predecessor', () => {
    const state = after([stage('a', 'speaking'), stage('b', 'listening'), stage('a', 'idle')])
    expect(state).toMatchObject({ active: 'b', stage: 'listening' })
    const record = sampleTurn('a', { interrupted: true })
    expect(after([{ type: 'done', record }], state)).toMatchObject({ active: 'b', stage: 'listening' })
  })

  it('ignores events after its record', () => {
    const record = sampleTurn('a', { answer: 'Done.' })
    expect(
      after([
        { type: 'done', record },
        { type: 'text', turn: 'a', delta: ' More.' },
      ]).turns[0]?.answer,
    ).toBe('Done.')
  })

  it('starts clean when it is retried with the same id', () => {
    const record = sampleTurn('a', { transcript: 'Why?', answer: '', error: { code: 'all_routes_failed', message: 'No.' } })
    const again = after([{ type: 'done', record }, stage('a', 'thinking'), { type: 'text', turn: 'a', delta: 'Now.' }])
    expect(again.turns[0]).toMatchObject({ question: 'Why?', answer: 'Now.', record: null })
  })
})

describe('a typed question', () => {
  const asked = { ...emptyConversation, pending: 'Why?' }

  it('becomes the question of the thinking turn', () => {
    const state = after([stage('a', 'thinking')], asked)
    expect(state.pending).toBeNull()
    expect(state.turns[0]?.question).toBe('Why?')
  })

  it('is not assigned to a listening turn', () => {
    expect(after([stage('a', 'listening')], asked).pending).toBe('Why?')
  })

  it('is cleared by its transcript or its record', () => {
    expect(after([{ type: 'transcript', turn: 'a', text: 'Why?' }], asked).pending).toBeNull()
    expect(after([{ type: 'done', record: sampleTurn('a', { transcript: 'Why?' }) }], asked).pending).toBeNull()
  })
})

describe('the history', () => {
  it('is merged before live turns, in order and without duplicates', () => {
    const live = after([stage('c', 'thinking')])
    const state = withHistory(live, [sampleTurn('b'), sampleTurn('a'), sampleTurn('c')])
    expect(state.turns.map((turn) => turn.id)).toEqual(['a', 'b', 'c'])
    expect(state.turns[2]?.record).toBeNull()
  })
})

describe('a long conversation', () => {
  const name = (i: number) => `t${String(i).padStart(4, '0')}`
  const done = (i: number): AuraEvent => ({ type: 'done', record: sampleTurn(name(i)) })

  it('keeps only its last turns', () => {
    const state = after(Array.from({ length: 500 }, (_, i) => done(i)))
    expect(state.turns).toHaveLength(mostTurns)
    expect(state.turns.at(-1)?.id).toBe(name(499))
    const loaded = withHistory(state, [sampleTurn(name(1)), sampleTurn(name(2))])
    expect(loaded.turns.map((turn) => turn.id)).toEqual(state.turns.map((turn) => turn.id))
  })

  it('still shows an old turn that is retried', () => {
    const state = after([...Array.from({ length: 80 }, (_, i) => done(i + 1)), stage(name(0), 'thinking')])
    expect(state.turns.map((turn) => turn.id)).toContain(name(0))
    expect(state.turns).toHaveLength(mostTurns + 1)
  })
})

describe('notices', () => {
  const retired = { kind: 'model_replaced' as const, message: 'It was retired.' }
  const took = { kind: 'fallback' as const, message: 'Gemini took over.' }

  it('that persist are shown once; others with each turn', () => {
    const turns = ['a', 'b'].map((id) => ended(sampleTurn(id, { notices: [retired, took, took] })))
    const shown = noticesByTurn(turns)
    expect(shown.get('a')).toEqual([retired, took])
    expect(shown.get('b')).toEqual([took])
  })
})
