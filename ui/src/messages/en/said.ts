/**
 * What AURA itself has to say: errors by their code, and notices by their kind and facts. In English the windows show its own sentence,
 * which may be more specific; these are the measure of the other languages.
 */
import type { ErrorCode } from '../../generated/ErrorCode'
import type { RouteNoticeReason } from '../../generated/RouteNoticeReason'

/** Errors. The codes that are missing say different things; their own sentence is shown. */
export const errors: Record<Exclude<ErrorCode, 'invalid_request' | 'not_found'>, string> = {
  no_microphone: 'AURA can’t use a microphone. Connect one, or choose another under Settings.',
  microphone_lost: 'The microphone was disconnected.',
  microphone_denied: 'The system doesn’t let AURA record. Allow it in the system’s privacy settings.',
  nothing_heard: 'No speech was heard. Speak while AURA listens, or check the microphone under Settings.',
  no_speaker: 'AURA can’t use a loudspeaker. Choose another one under Settings.',
  speaker_lost: 'The loudspeaker was disconnected.',
  capture_refused: 'The screen couldn’t be captured. Allow it in the system’s privacy settings.',
  no_route: 'No provider is set up for this. Add one under Providers.',
  all_routes_failed: 'No provider could do it. Your question is kept. Try again in a moment.',
  blocked: 'The provider blocked this for its content. Word it differently, or ask another provider.',
  keyring: 'The system keyring can’t be used. Unlock it, then try again.',
  storage: 'A file couldn’t be read or written. Check that the disk isn’t full and the folder is writable.',
  disk_full: 'The disk is full. Make room, then try again.',
  download_failed: 'The download failed. Check the connection, then resume it.',
  newer_version: 'A later version of AURA wrote this file. Update AURA to change it.',
  shortcut: 'This shortcut can’t be used. Choose another one.',
  not_running: 'AURA isn’t running. Start it, then try again.',
  port_taken: 'Another app uses this port. Choose another one under Settings.',
  cancelled: 'Stopped.',
  unfinished: 'AURA ended before this answer was complete. Retry it.',
  internal: 'Something went wrong inside AURA. Please report it with the log.',
}

export const notices = {
  allFailed: (failed: string) => `No provider could do it: ${failed}. Your question is kept. Try again in a moment.`,
  fallback: (failed: string, other: string) => `${failed}. ${other} took over.`,
  skipped: {
    not_offered: (provider: string) => `${provider} was skipped: it doesn’t offer this service.`,
    not_set_up: (provider: string) => `${provider} was skipped: it isn’t set up. Check it under Providers.`,
    no_consent: (provider: string) => `${provider} was skipped: it can’t receive this kind of data. Change that under Providers.`,
    no_model: (provider: string) => `${provider} was skipped: choose a model for it.`,
    key_rejected: (provider: string) => `${provider} was skipped: it rejected its API key.`,
    daily_limit: (provider: string) => `${provider} was skipped: today’s limit for costs is reached.`,
    paused: (provider: string) => `${provider} was skipped: it failed a moment ago and will be tried again shortly.`,
  } as Partial<Record<RouteNoticeReason, (provider: string) => string>>,
  replaced: {
    retired: (model: string, other: string) => `${model} was retired. ${other} answers instead.`,
    gone: (model: string, other: string) => `${model} is no longer offered. ${other} answers instead.`,
    not_entitled: (model: string, other: string) => `Your account can’t use ${model}. ${other} answers instead.`,
    overloaded: (model: string, other: string) => `${model} is overloaded. ${other} answers instead.`,
  } as Partial<Record<RouteNoticeReason, (model: string, other: string) => string>>,
  retiredOn: (model: string, other: string, day: string) => `${model} was retired on ${day}. ${other} answers instead.`,
  recordingLimit: (seconds: string) => `The recording reached its limit of ${seconds} s. AURA answers what it heard.`,
  microphoneLost: 'The microphone was disconnected. AURA answers what it heard.',
  noSpeaker: 'The answer couldn’t be played. Check the loudspeaker under Settings.',
  noScreen: 'The screen couldn’t be captured. The question was answered without it.',
  notSpoken: 'The answer couldn’t be spoken. You can read it.',
  recordingNotSaved: 'A recording couldn’t be saved. Check that the disk isn’t full.',
  notSaved: 'This question isn’t in the history yet. AURA keeps trying to save it.',
  dailyLimit: (limit: string) => `Today’s costs reached your limit of ${limit}.`,
  truncated: 'The answer reached its length limit and was cut off.',
  voiceLanguage: (language: string) => `No voice that AURA may use speaks ${language}. Choose another one under Providers.`,
}
