/** The panel History. */
import { pluralOf } from '../plural'

const plural = pluralOf('en')
const questions = (count: number, shown: string) => `${shown} ${plural(count, { one: 'question', other: 'questions' })}`

export const history = {
  title: 'History',
  subtitle: 'Kept on this computer only.',
  search: 'Search questions and answers',
  loading: 'Loading…',
  searching: 'Searching…',
  failed: 'Couldn’t load the history.',
  empty: 'No history yet. Your questions and answers will appear here.',
  ask: 'Ask something',
  nothingFound: (words: string) => `No results for “${words}”.`,
  found: questions,
  foundMore: (count: string) => `${count}+ questions`,
  earlier: 'Load earlier',
  today: 'Today',
  yesterday: 'Yesterday',
  notUnderstood: 'Not understood',
  noAnswer: 'no answer',
  failedState: 'failed',
  stopped: 'stopped',
  retried: 'Asked again. The new answer is at the top.',
  remove: 'Delete',
  removeTurn: (question: string) => `Delete “${question}”`,
  removed: 'Deleted, with its recordings.',
  removeFailed: 'Couldn’t delete it.',
  exportAs: 'Export all as',
  exportFound: 'Copy results as',
  markdown: 'Markdown',
  json: 'JSON',
  exporting: 'Exporting…',
  exported: (count: number, shown: string) => `Copied ${questions(count, shown)} to the clipboard.`,
  saved: (count: number, shown: string, path: string) => `Saved ${questions(count, shown)} to ${path}.`,
  exportFailed: 'Couldn’t copy to the clipboard.',
  heading: 'AURA history',
  error: 'Error',
}
