/** Time per stage, from the end of the question to the first sound of the answer. Pure. */
import type { Stage } from '../generated/Stage'
import type { TurnRecord } from '../generated/TurnRecord'

export interface Span {
  stage: Stage
  /** Start after the end of the question, milliseconds. */
  start: number
  ms: number
}

export interface Times {
  id: string
  question: string
  spans: Span[]
  /** Time to the first sound or, if nothing was spoken, to the end of the text, milliseconds. */
  total: number
}

/** The stages in the chart, in order. */
export const shownStages: Stage[] = ['transcribing', 'looking', 'thinking', 'speaking']

export function times(record: TurnRecord): Times {
  const listening = record.stages.find((stage) => stage.stage === 'listening')
  const asked = listening ? listening.start_ms + listening.ms : 0
  const after = record.stages.filter((stage) => shownStages.includes(stage.stage))
  const ends = after.map((stage) => stage.start_ms + stage.ms - asked)
  const total = record.first_sound_ms ?? Math.max(0, ...ends)
  const spans = after.flatMap((stage) => {
    // The screen may be captured during the question, and speech continues after its first sound.
    const start = Math.max(0, stage.start_ms - asked)
    const end = Math.min(total, stage.start_ms + stage.ms - asked)
    return end <= start ? [] : [{ stage: stage.stage, start, ms: end - start }]
  })
  return { id: record.id, question: record.transcript, spans, total }
}
