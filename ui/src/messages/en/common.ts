/** Words that every panel uses. */
import type { FailureKind } from '../../generated/FailureKind'
import type { Service } from '../../generated/Service'

/** A service: its name, what it does, and that after "Groq will" and after "Groq is". */
export const services: Record<Service, { name: string; does: string; willDo: string; isDoing: string }> = {
  stt: { name: 'Speech to text', does: 'transcribes what you say', willDo: 'transcribe', isDoing: 'transcribing' },
  llm: { name: 'Answers', does: 'writes the reply', willDo: 'answer', isDoing: 'answering' },
  vlm: { name: 'Vision', does: 'reads your screen', willDo: 'read your screen', isDoing: 'reading your screen' },
  tts: { name: 'Voice', does: 'speaks the reply', willDo: 'speak', isDoing: 'speaking' },
}

/** Why one attempt failed, after the provider's name: "Groq timed out". */
export const classes: Record<FailureKind, string> = {
  auth: 'rejected the API key',
  forbidden: 'denied access',
  rate_limited: 'hit its rate limit',
  quota: 'is out of quota',
  model_gone: 'no longer offers the model',
  overloaded: 'was overloaded',
  unreachable: 'could not be reached',
  timeout: 'timed out',
  interrupted: 'stopped partway',
  empty: 'sent an empty reply',
  unsupported: 'doesn’t support this request',
  blocked: 'blocked the request',
  invalid_request: 'rejected the request as invalid',
  cancelled: 'was stopped',
}

export const app = {
  name: 'AURA',
  navigation: 'Main',
  starting: 'Starting…',
  cannotStart: 'AURA isn’t responding.',
  tryAgain: 'Try again',
  sandbox: 'Sandbox: answers come from test providers.',
  undo: 'Undo',
  undone: 'Change undone.',
  copied: 'Copied',
  dismiss: 'Dismiss',
  cancel: 'Cancel',
  showMore: 'Show more',
  quoted: (text: string) => `“${text}”`,
  free: 'free',
  about: (amount: string) => `about ${amount}`,
  atLeast: (amount: string) => `at least ${amount}`,
  under: (amount: string) => `under ${amount}`,
  costUnknown: 'cost unknown',
}

export const rail = {
  talk: 'Talk',
  providers: 'Providers',
  health: 'Health',
  history: 'History',
  settings: 'Settings',
  answering: (provider: string) => `Answering with ${provider}`,
  failing: (provider: string) => `${provider} is having problems`,
  covering: (provider: string, other: string, isDoing: string) =>
    `${provider} is having problems. ${other} is ${isDoing} instead.`,
  offline: 'Answering offline',
  noAnswers: 'Add an API key or a server to get answers.',
  noTranscription: 'Speech recognition isn’t set up. You can still type.',
  shortcutUnavailable: 'Shortcut unavailable',
  historyProblem: 'The history needs attention',
  unreachable: 'Not connected',
}

/** Keys whose name differs from how a shortcut writes them. */
export const keys: Record<string, string> = {}

/** Spoken languages, by ISO 639-1 code. */
export const languages: Record<string, string> = {
  ar: 'Arabic',
  zh: 'Chinese',
  cs: 'Czech',
  da: 'Danish',
  nl: 'Dutch',
  en: 'English',
  fi: 'Finnish',
  fr: 'French',
  de: 'German',
  el: 'Greek',
  hi: 'Hindi',
  it: 'Italian',
  ja: 'Japanese',
  ko: 'Korean',
  no: 'Norwegian',
  pl: 'Polish',
  pt: 'Portuguese',
  ro: 'Romanian',
  ru: 'Russian',
  es: 'Spanish',
  sv: 'Swedish',
  tr: 'Turkish',
  uk: 'Ukrainian',
  vi: 'Vietnamese',
}
