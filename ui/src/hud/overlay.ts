/** What the overlay shows, made from events alone: it asks for nothing. Pure. */
import type { AuraEvent } from '../backend/types'
import type { Mode } from '../generated/Mode'
import type { Stage } from '../generated/Stage'

/** Bars of the meter, oldest first. */
const bars = 24

export interface Overlay {
  turn: string | null
  stage: Stage
  recording: boolean
  levels: number[]
  elapsedMs: number
  /** The question, then the sentence that is being heard. */
  line: string
  seen: boolean
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
  mode: 'auto',
}

export function reduceOverlay(state: Overlay, event: AuraEvent): Overlay {
  switch (event.type) {
    case 'stage': {
      if (event.stage === 'idle') return state.turn === null || state.turn === event.turn ? { ...quiet, mode: state.mode } : state
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
      return state.turn === event.record.id ? { ...quiet, mode: state.mode } : state
    case 'changed':
      return { ...state, mode: event.snapshot.settings.listening.mode }
    // One line has room for what is heard, not for what is written; attempts and notices are for the main window.
    case 'text':
    case 'attempt':
    case 'notice':
    case 'availability':
      return state
  }
}
