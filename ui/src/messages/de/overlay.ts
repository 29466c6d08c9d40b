/** Die Sätze der Einblendung. */
import type { overlay as english } from '../en/overlay'

export const overlay: typeof english = {
  stages: {
    ready: 'Gleich geht es los',
    listening: 'Hört zu',
    listeningFor: (time: string) => `Hört zu ${time}`,
    transcribing: 'Schreibt mit',
    looking: 'Sieht auf den Bildschirm',
    thinking: 'Denkt nach',
    speaking: 'Spricht',
    speakingHint: 'Spricht · noch einmal drücken zum Unterbrechen',
  },
  title: 'Einblendung von AURA',
  waiting: 'Auf den Ton warten, dann sprechen',
  release: { auto: 'Loslassen zum Senden', hold: 'Loslassen zum Senden', toggle: 'Noch einmal drücken zum Senden' },
  cancel: 'Esc bricht ab',
  interrupt: 'Noch einmal drücken zum Unterbrechen',
  outcomes: { done: 'Fertig', stopped: 'Angehalten', failed: 'Das ging nicht' },
  kept: 'Öffne AURA für einen neuen Versuch.',
  withScreen: 'Mit Bildschirm',
}
