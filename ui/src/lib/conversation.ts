/** The conversation, reduced from events. Pure: the same events give the same conversation, whatever started the turns. */
import type { AuraEvent } from '../backend/types'
import type { Attempt } from '../generated/Attempt'
import type { ConsentRequest } from '../generated/ConsentRequest'
import type { Notice } from '../generated/Notice'
import type { Seen } from '../generated/Seen'
import type { Stage } from '../generated/Stage'
import type { ToolTrace } from '../generated/ToolTrace'
import type { TurnRecord } from '../generated/TurnRecord'

/** Words recognised so far: those that stay, and what follows them and may still change. */
export interface Words {
  committed: string
  tentative: string
}

/** One turn as shown, from its first event to its record. */
export interface Turn {
  id: string
  stage: Stage
  question: string
  /** The words of a question that is still being spoken; null once it is known. */
  words: Words | null
  answer: string
  /** The sentence being spoken. */
  sentence: string | null
  seen: Seen | null
  attempts: Attempt[]
  notices: Notice[]
  /** The tools that the model called, in order. */
  tools: ToolTrace[]
  /** The complete record, once the turn has ended. */
  record: TurnRecord | null
}

export interface Conversation {
  turns: Turn[]
  /** Id of the turn in progress. */
  active: string | null
  stage: Stage
  /** Whether the microphone delivers samples: words spoken earlier are lost. */
  recording: boolean
  /** Whether a tap left the recording running: the next press ends it. */
  latched: boolean
  level: number
  /** The last levels of the recording, oldest first. */
  levels: number[]
  elapsedMs: number
  /** A typed question that has been sent but has no turn yet. */
  pending: string | null
  /** What the person is asked now. */
  consent: ConsentRequest | null
}

export const emptyConversation: Conversation = {
  turns: [],
  active: null,
  stage: 'idle',
  recording: false,
  latched: false,
  level: 0,
  levels: [],
  elapsedMs: 0,
  pending: null,
  consent: null,
}

/** Levels kept for the waveform. */
export const mostLevels = 48

/** Without a recording. */
const silent = { recording: false, latched: false, level: 0, levels: [], elapsedMs: 0 }

const begun = (id: string): Turn => ({
  id,
  stage: 'idle',
  question: '',
  words: null,
  answer: '',
  sentence: null,
  seen: null,
  attempts: [],
  notices: [],
  tools: [],
  record: null,
})

/** A turn from the history, or one that has just ended. */
export const ended = (record: TurnRecord): Turn => ({
  id: record.id,
  stage: 'idle',
  question: record.transcript,
  words: null,
  answer: record.answer,
  sentence: null,
  seen: record.seen ?? null,
  attempts: record.stages.flatMap((stage) => stage.attempts),
  notices: record.notices,
  tools: record.tools ?? [],
  record,
})

/** Whether a turn was stopped before it had a question or an answer. */
const nothingToShow = (turn: Turn) =>
  turn.question === '' && turn.answer === '' && (turn.record === null || turn.record.error?.code === 'cancelled')

/** Sorted by id, which sorts by time: turns from the history and from events are merged. */
const inOrder = (turns: Turn[]) => turns.toSorted((a, b) => (a.id < b.id ? -1 : a.id > b.id ? 1 : 0))

/** Most turns kept, so that a window open for days does not grow. The others are in the history. */
export const mostTurns = 50

/** The last turns, and the one with `id`. */
const inSight = (turns: Turn[], id?: string) =>
  turns.length <= mostTurns ? turns : turns.filter((turn, i) => turn.id === id || i >= turns.length - mostTurns)

function withTurn(state: Conversation, id: string, change: (turn: Turn) => Turn): Conversation {
  const known = state.turns.some((turn) => turn.id === id)
  const turns = known ? state.turns : inSight(inOrder([...state.turns, begun(id)]), id)
  return { ...state, turns: turns.map((turn) => (turn.id === id ? change(turn) : turn)) }
}

function onStage(state: Conversation, id: string, stage: Stage): Conversation {
  if (stage === 'idle') {
    const turns = state.turns
      .map((turn) => (turn.id === id ? { ...turn, stage, sentence: null } : turn))
      .filter((turn) => turn.id !== id || !nothingToShow(turn))
    // A late "idle" of an interrupted turn must not end its successor.
    return state.active === null || state.active === id
      ? { ...state, ...silent, turns, active: null, stage: 'idle' }
      : { ...state, turns }
  }
  const moved = withTurn(state, id, (turn) => {
    // A retry reuses the id of a turn that has ended: the question stays, the result does not.
    const fresh = turn.record === null ? turn : { ...begun(id), question: turn.question }
    // A typed question is known before any event carries it.
    const typed = fresh.question === '' && state.pending !== null && (stage === 'thinking' || stage === 'looking')
    return { ...fresh, stage, question: typed ? (state.pending ?? '') : fresh.question }
  })
  const taken = state.pending !== null && moved.turns.some((turn) => turn.id === id && turn.question === state.pending)
  const listening = stage === 'listening'
  const same = listening && state.active === id
  return {
    ...moved,
    active: id,
    stage,
    pending: taken ? null : state.pending,
    ...(same ? {} : silent),
    level: 0,
  }
}

function onDone(state: Conversation, record: TurnRecord): Conversation {
  const done = withTurn(state, record.id, () => ended(record))
  const pending = state.pending === record.transcript ? null : state.pending
  const turns = done.turns.filter((turn) => turn.id !== record.id || !nothingToShow(turn))
  return state.active === null || state.active === record.id
    ? { ...done, ...silent, turns, pending, active: null, stage: 'idle' }
    : { ...done, turns, pending }
}

/** Applies an event to the conversation. */
export function reduce(state: Conversation, event: AuraEvent): Conversation {
  // Late events of a turn that has ended are already in its record.
  const unlessEnded = (id: string, change: (turn: Turn) => Turn) =>
    withTurn(state, id, (turn) => (turn.record === null ? change(turn) : turn))

  switch (event.type) {
    case 'stage':
      return onStage(state, event.turn, event.stage)
    case 'recording':
      return state.active === event.turn ? { ...state, recording: true } : state
    case 'latched':
      return state.active === event.turn ? { ...state, latched: true } : state
    case 'level':
      return state.stage === 'listening'
        ? {
            ...state,
            recording: true,
            level: event.level,
            levels: [...state.levels, event.level].slice(-mostLevels),
            elapsedMs: event.elapsed_ms,
          }
        : state
    case 'partial': {
      const { committed, tentative } = event
      return unlessEnded(event.turn, (turn) => (turn.question === '' ? { ...turn, words: { committed, tentative } } : turn))
    }
    case 'transcript': {
      const next = unlessEnded(event.turn, (turn) => ({ ...turn, question: event.text, words: null }))
      return state.pending === event.text ? { ...next, pending: null } : next
    }
    case 'seen':
      return unlessEnded(event.turn, (turn) => ({ ...turn, seen: event.seen }))
    case 'text':
      return unlessEnded(event.turn, (turn) => ({ ...turn, answer: turn.answer + event.delta }))
    case 'speaking':
      return unlessEnded(event.turn, (turn) => ({ ...turn, sentence: event.sentence }))
    case 'attempt':
      return unlessEnded(event.turn, (turn) => ({ ...turn, attempts: [...turn.attempts, event.attempt] }))
    case 'notice':
      return unlessEnded(event.turn, (turn) => ({ ...turn, notices: [...turn.notices, event.notice] }))
    case 'tool':
      return unlessEnded(event.turn, (turn) => ({ ...turn, tools: turn.tools.toSpliced(event.index, 1, event.tool) }))
    case 'consent':
      return { ...state, consent: event.consent ?? null }
    case 'done':
      return onDone(state, event.record)
    // Other panels show the history, provider health and the models on this computer.
    case 'availability':
    case 'history':
    case 'local_models':
    case 'mcp_servers':
    case 'updates':
    case 'playback':
    case 'changed':
      return state
  }
}

/** The conversation after events were missed: the active turn may have ended; the history has its result. */
export function resumed(state: Conversation, stage: Stage): Conversation {
  if (stage !== 'idle') return { ...state, stage }
  const turns = state.turns.map((turn) => ({ ...turn, stage, sentence: null })).filter((turn) => !nothingToShow(turn))
  return { ...emptyConversation, turns, pending: state.pending }
}

/** Adds turns from the history: those before this window subscribed, and those that ended while it was disconnected. */
export function withHistory(state: Conversation, records: TurnRecord[]): Conversation {
  const known = new Set(state.turns.filter((turn) => turn.record !== null || turn.stage !== 'idle').map((turn) => turn.id))
  const found = records.filter((record) => !known.has(record.id))
  const fresh = new Set(found.map((record) => record.id))
  const shown = found.map(ended).filter((turn) => !nothingToShow(turn))
  return { ...state, turns: inSight(inOrder([...shown, ...state.turns.filter((turn) => !fresh.has(turn.id))])) }
}

/** Notice kinds that persist from turn to turn: shown once per conversation. */
const lasting = new Set(['model_replaced', 'no_speaker', 'no_screen', 'other_microphone', 'other_speaker'])

/** The notices to show under each turn, by turn id. */
export function noticesByTurn(turns: Turn[]): Map<string, Notice[]> {
  const said = new Set<string>()
  return new Map(
    turns.map((turn) => {
      const here = new Set<string>()
      const fresh = turn.notices.filter((notice) => {
        const seen = here.has(notice.message) || (lasting.has(notice.kind) && said.has(notice.message))
        here.add(notice.message)
        said.add(notice.message)
        return !seen
      })
      return [turn.id, fresh]
    }),
  )
}
