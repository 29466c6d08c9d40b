/** The lists that are searched: who answers, and the command palette; and the keys of the main window. */
import { counter } from '../plural'

const counted = counter('en')

export const find = {
  nothing: 'No results.',
  found: (count: number) => counted(count, { one: 'result', other: 'results' }),
}

export const picker = {
  title: 'Who answers',
  open: (shown: string) => `Model: ${shown}`,
  automatic: (provider: string) => `Automatic · ${provider}`,
  none: 'No provider',
  search: 'Find a provider, model or voice',
  price: (sums: string) => `${sums} per 1M tokens`,
  voiceOf: (provider: string) => `Voice · ${provider}`,
  voiceInEffect: (voice: string) => `${voice} will speak from your next question.`,
  more: 'Providers, order and voices',
}

export const palette = {
  title: 'Command palette',
  search: 'Type a command or setting',
  panels: 'Go to',
  talk: 'Conversation',
  answers: 'Answers',
  models: 'Models on this computer',
  downloadModel: 'Download a model',
  removeModel: 'Remove a model',
  pauseDownload: (model: string) => `Pause the download of ${model}`,
  resumeDownload: (model: string) => `Resume the download of ${model}`,
  look: 'Appearance',
  settings: 'Settings',
  help: 'Help',
  repeat: 'Say the last answer again',
  handsFree: 'Hands-free talking',
  handsFreeEnd: 'End hands-free talking',
  newConversation: 'New conversation',
  conversations: 'Conversations',
  write: 'Write a question',
  model: 'Choose who answers',
  find: 'Search the history',
  stop: 'Stop',
  mute: 'Stop speaking answers',
  unmute: 'Speak answers aloud',
  attachScreen: 'Send the screen with the next question',
  answerWith: (provider: string) => `Answer with ${provider}`,
  answerAs: (persona: string) => `Persona: ${persona}`,
  theme: (theme: string) => `Theme: ${theme}`,
  screen: (policy: string) => `Share my screen: ${policy}`,
  showOverlay: 'Show the overlay',
  hideOverlay: 'Hide the overlay',
  keys: 'Keyboard shortcuts',
  done: (command: string) => `${command}: done.`,
}

export const keyboard = {
  title: 'Keyboard shortcuts',
  close: 'Close',
  anywhere: 'In any app',
  window: 'In this window',
  talk: 'Talk',
  talkHere: 'Talk, in the conversation',
  stop: 'Stop or cancel',
  palette: 'Command palette',
  panels: 'Open a panel',
  to: 'to',
  settings: 'Settings',
  newConversation: 'New conversation',
  conversations: 'Conversations',
  write: 'Write a question',
  model: 'Choose who answers',
  find: 'Search',
  send: 'Send the question',
  newLine: 'New line',
  help: 'This list',
}

/** While an answer is read aloud. */
export const playback = {
  label: 'Reading aloud',
  pause: 'Pause',
  resume: 'Resume',
  pauseOrResume: 'Pause or resume reading aloud',
  previous: 'Previous sentence',
  next: 'Next sentence',
}
