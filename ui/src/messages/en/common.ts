/** Words that every panel uses. */
import type { Class } from '../../generated/Class'
import type { Service } from '../../generated/Service'

export const services: Record<Service, { name: string; does: string; verb: string }> = {
  stt: { name: 'Speech to text', does: 'hears you', verb: 'hears you' },
  llm: { name: 'Answers', does: 'answers you', verb: 'answers' },
  vlm: { name: 'Vision', does: 'sees your screen', verb: 'looks at your screen' },
  tts: { name: 'Voice', does: 'speaks to you', verb: 'speaks' },
}

/** What went wrong with one attempt, said after the provider's name: "Groq timed out". */
export const classes: Record<Class, string> = {
  auth: 'refused the key',
  rate_limited: 'was busy with too many requests',
  quota: 'has used up its allowance',
  model_gone: 'no longer offers the model',
  overloaded: 'was overloaded',
  unreachable: 'could not be reached',
  timeout: 'timed out',
  interrupted: 'broke off',
  empty: 'sent nothing',
  unsupported: 'cannot take this request',
  blocked: 'blocked it',
  invalid_request: 'did not understand the request',
  cancelled: 'was stopped',
}

export const app = {
  name: 'AURA',
  navigation: 'Main',
  starting: 'Starting',
  cannotStart: 'AURA’s window cannot reach its engine.',
  tryAgain: 'Try again',
  sandbox: 'Sandbox: practice providers answer, not real ones.',
  undo: 'Undo',
  undone: 'As it was before.',
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
  answers: (provider: string) => `${provider} answers`,
  fails: (provider: string) => `${provider} has trouble`,
  standsIn: (provider: string, other: string, does: string) => `${provider} has trouble. ${other} ${does}.`,
  offlineAnswers: 'The programs on this computer answer',
  nobodyAnswers: 'Nobody can answer yet. Add a key or a server.',
  nobodyHears: 'Nobody can hear you yet. You can type.',
  shortcutBroken: 'The shortcut does not work',
  unreachable: 'Not connected',
}

/** Keys that are called otherwise than they are written in a shortcut. */
export const keys: Record<string, string> = {}

/** Languages that are spoken, by ISO 639-1 code. */
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
