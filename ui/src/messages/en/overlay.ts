/** The overlay's messages, in a file of their own so that the overlay's page stays small. */
export const overlay = {
  stages: {
    ready: 'Getting ready',
    listening: 'Listening',
    listeningFor: (time: string) => `Listening ${time}`,
    transcribing: 'Transcribing',
    looking: 'Looking at your screen',
    thinking: 'Thinking',
    thinkingWith: (provider: string) => `Thinking · ${provider}`,
    speaking: 'Speaking',
    speakingHint: 'Speaking · press again to interrupt',
  },
  title: 'AURA overlay',
  waiting: 'Wait for the chime, then speak',
  send: { release: 'Release to send', tap: 'Tap again to send', pause: 'Pause to send. Say “stop” to end.' },
  cancel: 'Esc to cancel',
  interrupt: 'Press again to interrupt',
  speakToInterrupt: 'Speak to interrupt',
  outcomes: { done: 'Done', stopped: 'Stopped', failed: 'Something went wrong' },
  kept: 'Open AURA to retry.',
  withScreen: 'Screen attached',
}
