import type { TalkKeyMode } from '../generated/TalkKeyMode'

/**
 * What ends the recording: a pause in hands-free use, else releasing the key, or tapping it again once a tap has left the recording
 * running.
 */
export const sendHint = (mode: TalkKeyMode, latched: boolean, handsFree: boolean): 'release' | 'tap' | 'pause' =>
  handsFree ? 'pause' : mode === 'toggle' || latched ? 'tap' : 'release'
