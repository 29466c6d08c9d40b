/** Formats turns for other programs. Pure. */
import type { Snapshot } from '../generated/Snapshot'
import type { TurnRecord } from '../generated/TurnRecord'
import { t } from '../lib/messages'
import { sayError } from '../lib/say'
import { costOf, formatRoute } from '../lib/format'

export type Format = 'markdown' | 'json'

/** Quotes every line: a line break would end the quotation, a number sign would start a heading. */
const quoted = (text: string) => text.trim().replace(/^/gm, '> ')

function asMarkdown(snapshot: Snapshot | null, turn: TurnRecord): string {
  const route = turn.stages.find((stage) => stage.stage === 'thinking')?.route
  const cost = costOf(turn.stages.flatMap((stage) => stage.attempts))
  const facts = [turn.started_at, ...(route ? [formatRoute(snapshot, route)] : []), ...(cost === '' ? [] : [cost])]
  return [
    `## ${facts.join(' · ')}`,
    quoted(turn.transcript === '' ? t.history.notUnderstood : turn.transcript),
    ...(turn.answer === '' ? [] : [turn.answer.trim()]),
    ...(turn.error ? [`*${t.history.error}: ${sayError(turn.error, snapshot)}*`] : []),
  ].join('\n\n')
}

/** Formats turns, oldest first. */
export function exported(format: Format, snapshot: Snapshot | null, newestFirst: TurnRecord[]): string {
  const turns = newestFirst.toReversed()
  if (format === 'json') return `${JSON.stringify(turns, null, 2)}\n`
  return [`# ${t.history.heading}`, ...turns.map((turn) => asMarkdown(snapshot, turn))].join('\n\n') + '\n'
}
