/** The overlay's state, reduced from events alone: the overlay calls no operation. Pure. */
import type { AuraEvent } from '../backend/types'
import type { Failure } from '../backend/failure'
import type { Attempt } from '../generated/Attempt'
import type { ConsentRequest } from '../generated/ConsentRequest'
import type { Snapshot } from '../generated/Snapshot'
import type { Stage } from '../generated/Stage'
import type { TurnRecord } from '../generated/TurnRecord'
import type { Words } from '../lib/conversation'

/** Bars in the level meter. */
const bars = 24

/** How the last turn ended. */
export type Outcome = 'done' | 'stopped' | 'failed'

export interface OverlayState {
  turn: string | null
  stage: Stage
  recording: boolean
  /** Whether a tap left the recording running: the next press ends it. */
  latched: boolean
  levels: number[]
  elapsedMs: number
  /** The words of a question that is still being spoken. */
  words: Words | null
  /** The question, once it is known. */
  question: string
  /** The answer as far as it is written. */
  answer: string
  /** The sentence being spoken. */
  sentence: string
  /** Why the turn failed. */
  problem: Failure | null
  seen: boolean
  /** How the last turn ended, shown from then until the window hides; null otherwise. */
  outcome: Outcome | null
  attempts: Attempt[]
  /** What the person is asked. */
  consent: ConsentRequest | null
  /** Settings, and who answers. */
  snapshot: Snapshot | null
}

export const idleOverlay: OverlayState = {
  turn: null,
  stage: 'idle',
  recording: false,
  latched: false,
  levels: Array<number>(bars).fill(0),
  elapsedMs: 0,
  words: null,
  question: '',
  answer: '',
  sentence: '',
  problem: null,
  seen: false,
  outcome: null,
  attempts: [],
  consent: null,
  snapshot: null,
}

/** The state after a turn has ended: its outcome stays visible until the window hides. */
function over(state: OverlayState, record: TurnRecord): OverlayState {
  const stopped = record.interrupted || record.error?.code === 'cancelled'
  const outcome = stopped ? 'stopped' : record.error ? 'failed' : 'done'
  const over = { ...idleOverlay, snapshot: state.snapshot, outcome } as const
  if (outcome === 'failed') return { ...over, problem: record.error ?? null }
  // The last sentence, or an answer that was not spoken, stays to be read.
  return outcome === 'done' ? { ...over, question: state.question, answer: record.answer, sentence: state.sentence } : over
}

export function reduceOverlay(state: OverlayState, event: AuraEvent): OverlayState {
  switch (event.type) {
    case 'stage': {
      if (event.stage === 'idle') {
        const ends = state.stage !== 'idle' && (state.turn === null || state.turn === event.turn)
        return ends ? { ...state, stage: 'idle', turn: null, recording: false, seen: false } : state
      }
      const same = state.turn === event.turn
      return same
        ? { ...state, stage: event.stage }
        : { ...idleOverlay, snapshot: state.snapshot, turn: event.turn, stage: event.stage }
    }
    case 'latched':
      return state.turn === event.turn ? { ...state, latched: true } : state
    case 'recording':
      return state.turn === event.turn ? { ...state, recording: true } : state
    case 'level':
      return state.stage === 'listening'
        ? { ...state, recording: true, elapsedMs: event.elapsed_ms, levels: [...state.levels.slice(1), event.level] }
        : state
    case 'partial': {
      const { committed, tentative } = event
      return state.turn === event.turn && state.question === '' ? { ...state, words: { committed, tentative } } : state
    }
    case 'transcript':
      return state.turn === event.turn ? { ...state, question: event.text, words: null } : state
    case 'seen':
      return state.turn === event.turn ? { ...state, seen: true } : state
    case 'speaking':
      return state.turn === event.turn ? { ...state, sentence: event.sentence } : state
    case 'consent':
      return state.turn === null || state.turn === event.turn
        ? { ...state, turn: event.turn, consent: event.consent ?? null }
        : state
    case 'done':
      return state.turn === null || state.turn === event.record.id ? over(state, event.record) : state
    case 'changed':
      // Sent when the window opens: the outcome of the previous turn no longer applies.
      return {
        ...(state.stage === 'idle' && event.snapshot.stage !== 'idle' ? idleOverlay : state),
        snapshot: event.snapshot,
      }
    case 'text':
      return state.turn === event.turn ? { ...state, answer: state.answer + event.delta } : state
    case 'attempt':
      return state.turn === event.turn ? { ...state, attempts: [...state.attempts, event.attempt] } : state
    // Notices and downloads belong to the main window.
    case 'notice':
    case 'tool':
    case 'availability':
    case 'history':
    case 'local_models':
    case 'mcp_servers':
    case 'updates':
    case 'playback':
      return state
  }
}

/** Letters that three lines hold. */
const most = 150

/** The text without the commonest marks of Markdown. The overlay is small: the whole answer is in the main window. */
const unmarked = (text: string) =>
  text
    .replace(/^```.*$/gm, '')
    .replace(/^\s*(?:#{1,6}|>|[-*+]|\|)\s+/gm, '')
    .replace(/\*\*([^*\n]+)\*\*|`([^`\n]+)`|\[([^\]\n]+)\]\([^)\s]+\)/g, (_, strong, code, label) => strong ?? code ?? label)
    .replace(/\s+/g, ' ')
    .trim()

/** The end of a text, from the beginning of a word. */
function endOf(text: string): string {
  if (text.length <= most) return text
  const end = text.slice(-most)
  return `… ${end.slice(end.indexOf(' ') + 1)}`
}

/** The end of the words that are being spoken, as much as is shown. */
export function wordsOf(state: OverlayState): Words | null {
  if (state.words === null) return null
  const tentative = state.words.tentative.slice(-most)
  const room = most - tentative.length
  const { committed } = state.words
  return { committed: committed.length <= room ? committed : `… ${committed.slice(-room).replace(/^\S*\s+/, '')}`, tentative }
}

/** What the overlay shows to read, unless there is an error: the sentence being spoken, the answer being written, or the question. */
export const textOf = (state: OverlayState): string =>
  state.sentence || endOf(unmarked(state.answer.slice(-2 * most))) || state.question
