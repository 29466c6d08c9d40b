/** Der Verlauf. */
import type { history as english } from '../en/history'
import { pluralOf } from '../plural'

const plural = pluralOf('de')
const questions = (count: number, shown: string) => `${shown} ${plural(count, { one: 'Frage', other: 'Fragen' })}`

export const history: typeof english = {
  title: 'Verlauf',
  subtitle: 'Nur auf diesem Rechner gespeichert.',
  search: 'Fragen und Antworten durchsuchen',
  loading: 'Lädt …',
  searching: 'Sucht …',
  failed: 'Der Verlauf konnte nicht geladen werden.',
  empty: 'Noch kein Verlauf. Deine Fragen und Antworten erscheinen hier.',
  ask: 'Etwas fragen',
  nothingFound: (words: string) => `Keine Treffer für „${words}“.`,
  found: questions,
  foundMore: (count: string) => `Mehr als ${count} Fragen`,
  earlier: 'Frühere laden',
  today: 'Heute',
  yesterday: 'Gestern',
  notUnderstood: 'Nicht verstanden',
  noAnswer: 'keine Antwort',
  failedState: 'fehlgeschlagen',
  stopped: 'gestoppt',
  retried: 'Noch einmal gefragt. Die neue Antwort steht oben.',
  remove: 'Löschen',
  removeTurn: (question: string) => `„${question}“ löschen`,
  removed: 'Gelöscht, mit den Aufnahmen.',
  removeFailed: 'Löschen fehlgeschlagen.',
  exportAs: 'Alles exportieren als',
  exportFound: 'Treffer kopieren als',
  markdown: 'Markdown',
  json: 'JSON',
  exporting: 'Exportiert …',
  exported: (count: number, shown: string) => `${questions(count, shown)} in die Zwischenablage kopiert.`,
  saved: (count: number, shown: string, path: string) => `${questions(count, shown)} gespeichert in ${path}.`,
  exportFailed: 'Kopieren in die Zwischenablage fehlgeschlagen.',
  heading: 'Verlauf von AURA',
  error: 'Fehler',
}
