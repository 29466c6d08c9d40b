/** What the overlay shows, made from events alone: it asks for nothing. Pure. */
import type { AuraEvent } from '../backend/types'
import type { Mode } from '../generated/Mode'
import type { Stage } from '../generated/Stage'
import type { TurnRecord } from '../generated/TurnRecord'

/** Bars of the meter, oldest first. */
const bars = 24

/** How the last turn ended. */
export type Outcome = 'done' | 'stopped' | 'failed'

export interface Overlay {
  turn: string | null
  stage: Stage
  recording: boolean
  levels: number[]
  elapsedMs: number
  /** The question, then the sentence that is being heard. */
  line: string
  seen: boolean
  /** While nothing is going on: how it ended, until the window hides. */
  outcome: Outcome | null
  mode: Mode
}

export const quiet: Overlay = {
  turn: null,
  stage: 'idle',
  recording: false,
  levels: Array<number>(bars).fill(0),
  elapsedMs: 0,
  line: '',
  seen: false,
  outcome: null,
  mode: 'auto',
}

/** The turn is over: what came of it stays in sight for the moment that the window does. */
function over(state: Overlay, record: TurnRecord): Overlay {
  const stopped = record.interrupted || record.error?.code === 'cancelled'
  const outcome = stopped ? 'stopped' : record.error ? 'failed' : 'done'
  const line = stopped ? '' : (record.error?.message ?? state.line)
  return { ...quiet, mode: state.mode, outcome, line }
}

export function reduceOverlay(state: Overlay, event: AuraEvent): Overlay {
  switch (event.type) {
    case 'stage': {
      if (event.stage === 'idle') {
        const ends = state.stage !== 'idle' && (state.turn === null || state.turn === event.turn)
        return ends ? { ...quiet, mode: state.mode, line: state.line } : state
      }
      const same = state.turn === event.turn
      return same ? { ...state, stage: event.stage } : { ...quiet, mode: state.mode, turn: event.turn, stage: event.stage }
    }
    case 'recording':
      return state.turn === event.turn ? { ...state, recording: true } : state
    case 'level':
      return state.stage === 'listening'
        ? { ...state, recording: true, elapsedMs: event.elapsed_ms, levels: [...state.levels.slice(1), event.level] }
        : state
    case 'transcript':
      return state.turn === event.turn ? { ...state, line: event.text } : state
    case 'seen':
      return state.turn === event.turn ? { ...state, seen: true } : state
    case 'speaking':
      return state.turn === event.turn ? { ...state, line: event.sentence } : state
    case 'done':
      return state.turn === null || state.turn === event.record.id ? over(state, event.record) : state
    case 'changed':
      // The window comes up with it: how the turn before ended is over.
      return {
        ...(state.stage === 'idle' && event.snapshot.stage !== 'idle' ? quiet : state),
        mode: event.snapshot.settings.listening.mode,
      }
    // One line has room for what is heard, not for what is written; attempts and notices are for the main window.
    case 'text':
    case 'attempt':
    case 'notice':
    case 'availability':
      return state
  }
}
