/** The panel History. */
import { counter } from '../plural'

const counted = counter('en')
const questions = (count: number) => counted(count, { one: 'question', other: 'questions' })

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
  deleteMany: 'Delete several…',
  deleteWhich: 'Which questions do you want to delete?',
  spans: { hour: 'Of the last hour', today: 'Of today', older: 'Older than', all: 'All of them' },
  olderDays: 'Age in days',
  spanDays: 'days',
  deleteForGood: 'Answers and recordings go with them. This cannot be undone.',
  deletedMany: (count: number) =>
    count === 0 ? 'There was nothing to delete.' : `Deleted ${questions(count)}, with answers and recordings.`,
  recordingsLeft: (count: number) =>
    `${counted(count, { one: 'recording', other: 'recordings' })} could not be removed now. AURA tries again at its next start.`,
  removeFailed: 'Couldn’t delete it.',
  exportAs: 'Export all as',
  exportFound: 'Copy results as',
  markdown: 'Markdown',
  json: 'JSON',
  exporting: 'Exporting…',
  exported: (count: number) => `Copied ${questions(count)} to the clipboard.`,
  saved: (count: number, path: string) => `Saved ${questions(count)} to ${path}.`,
  exportFailed: 'Couldn’t copy to the clipboard.',
  heading: 'AURA history',
  error: 'Error',
}
