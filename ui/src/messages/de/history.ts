/** Der Verlauf. */
import type { history as english } from '../en/history'
import { counter } from '../plural'

const counted = counter('de')
const questions = (count: number) => counted(count, { one: 'Frage', other: 'Fragen' })

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
  reminder: 'Erinnerung',
  noAnswer: 'keine Antwort',
  failedState: 'fehlgeschlagen',
  stopped: 'gestoppt',
  retried: 'Noch einmal gefragt. Die neue Antwort steht oben.',
  remove: 'Löschen',
  removeTurn: (question: string) => `„${question}“ löschen`,
  removed: 'Gelöscht, mit den Aufnahmen.',
  deleteMany: 'Mehrere löschen …',
  deleteWhich: 'Welche Fragen möchtest du löschen?',
  spans: { hour: 'Aus der letzten Stunde', today: 'Von heute', older: 'Älter als', all: 'Alle' },
  olderDays: 'Alter in Tagen',
  spanDays: 'Tage',
  deleteForGood: 'Antworten und Aufnahmen werden mit gelöscht. Das lässt sich nicht rückgängig machen.',
  deletedMany: (count: number) =>
    count === 0 ? 'Es gab nichts zu löschen.' : `${questions(count)} gelöscht, mit Antworten und Aufnahmen.`,
  recordingsLeft: (count: number) =>
    `${counted(count, { one: 'Aufnahme folgt', other: 'Aufnahmen folgen' })} beim nächsten Start.`,
  removeFailed: 'Löschen fehlgeschlagen.',
  exportAs: 'Alles exportieren als',
  exportFound: 'Treffer kopieren als',
  markdown: 'Markdown',
  json: 'JSON',
  exporting: 'Exportiert …',
  exported: (count: number) => `${questions(count)} in die Zwischenablage kopiert.`,
  saved: (count: number, path: string) => `${questions(count)} gespeichert in ${path}.`,
  exportFailed: 'Kopieren in die Zwischenablage fehlgeschlagen.',
  heading: 'Verlauf von AURA',
  error: 'Fehler',
}
