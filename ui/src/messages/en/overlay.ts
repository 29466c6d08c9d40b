/** The overlay's sentences, apart from the others so that the small window stays small. */
export const overlay = {
  stages: {
    ready: 'Getting ready',
    listening: 'Listening',
    listeningFor: (time: string) => `Listening ${time}`,
    transcribing: 'Transcribing',
    looking: 'Looking at your screen',
    thinking: 'Thinking',
    speaking: 'Speaking',
    speakingHint: 'Speaking · press again to interrupt',
  },
  title: 'AURA overlay',
  waiting: 'Wait for the sound, then speak',
  release: { auto: 'Release to send', hold: 'Release to send', toggle: 'Press again to send' },
  cancel: 'Esc to cancel',
  interrupt: 'Press again to interrupt',
  outcomes: { done: 'Done', stopped: 'Stopped', failed: 'That did not work' },
  kept: 'Open AURA to retry.',
  withScreen: 'Screen attached',
}
