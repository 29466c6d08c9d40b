/** The overlay's state, reduced from events alone: the overlay calls no operation. Pure. */
import type { AuraEvent } from '../backend/types'
import type { TalkKeyMode } from '../generated/TalkKeyMode'
import type { Stage } from '../generated/Stage'
import type { TurnRecord } from '../generated/TurnRecord'

/** Bars in the level meter. */
const bars = 24

/** How the last turn ended. */
export type Outcome = 'done' | 'stopped' | 'failed'

export interface OverlayState {
  turn: string | null
  stage: Stage
  recording: boolean
  levels: number[]
  elapsedMs: number
  /** The question, then the sentence being spoken. */
  line: string
  seen: boolean
  /** How the last turn ended, shown from then until the window hides; null otherwise. */
  outcome: Outcome | null
  mode: TalkKeyMode
}

export const idleOverlay: OverlayState = {
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

/** The state after a turn has ended: its outcome stays visible until the window hides. */
function over(state: OverlayState, record: TurnRecord): OverlayState {
  const stopped = record.interrupted || record.error?.code === 'cancelled'
  const outcome = stopped ? 'stopped' : record.error ? 'failed' : 'done'
  const line = stopped ? '' : (record.error?.message ?? state.line)
  return { ...idleOverlay, mode: state.mode, outcome, line }
}

export function reduceOverlay(state: OverlayState, event: AuraEvent): OverlayState {
  switch (event.type) {
    case 'stage': {
      if (event.stage === 'idle') {
        const ends = state.stage !== 'idle' && (state.turn === null || state.turn === event.turn)
        return ends ? { ...idleOverlay, mode: state.mode, line: state.line } : state
      }
      const same = state.turn === event.turn
      return same ? { ...state, stage: event.stage } : { ...idleOverlay, mode: state.mode, turn: event.turn, stage: event.stage }
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
      // Sent when the window opens: the outcome of the previous turn no longer applies.
      return {
        ...(state.stage === 'idle' && event.snapshot.stage !== 'idle' ? idleOverlay : state),
        mode: event.snapshot.settings.listening.mode,
      }
    // The single line shows the spoken sentence, not the text; attempts and notices belong to the main window.
    case 'text':
    case 'attempt':
    case 'notice':
    case 'availability':
      return state
  }
}
