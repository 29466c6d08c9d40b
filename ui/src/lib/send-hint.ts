import type { TalkKeyMode } from '../generated/TalkKeyMode'

/** What ends the recording: releasing the key, or tapping it again once a tap has left the recording running. */
export const sendHint = (mode: TalkKeyMode, latched: boolean): 'release' | 'tap' =>
  mode === 'toggle' || latched ? 'tap' : 'release'
