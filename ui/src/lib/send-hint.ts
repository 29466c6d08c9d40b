import type { TalkKeyMode } from '../generated/TalkKeyMode'

/**
 * What ends the recording: releasing the key, tapping it again, or either, when it is not known whether the key is still down. `held`
 * is null for the shortcut, whose release is no event.
 */
export function sendHint(mode: TalkKeyMode, held: boolean | null): 'release' | 'tap' | 'either' {
  if (mode === 'toggle' || held === false) return 'tap'
  return mode === 'hold' || held === true ? 'release' : 'either'
}
