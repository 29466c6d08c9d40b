/** Die Texte des Overlays. */
import type { overlay as english } from '../en/overlay'

export const overlay: typeof english = {
  stages: {
    ready: 'Wird vorbereitet',
    listening: 'Hört zu',
    listeningFor: (time: string) => `Hört zu ${time}`,
    transcribing: 'Transkribiert',
    looking: 'Liest den Bildschirm',
    thinking: 'Denkt nach',
    speaking: 'Spricht',
    speakingHint: 'Spricht · noch einmal drücken zum Unterbrechen',
  },
  title: 'Overlay von AURA',
  waiting: 'Auf den Signalton warten, dann sprechen',
  release: { auto: 'Loslassen zum Senden', hold: 'Loslassen zum Senden', toggle: 'Noch einmal drücken zum Senden' },
  cancel: 'Esc bricht ab',
  interrupt: 'Noch einmal drücken zum Unterbrechen',
  outcomes: { done: 'Fertig', stopped: 'Gestoppt', failed: 'Das hat nicht geklappt' },
  kept: 'Öffne AURA für einen neuen Versuch.',
  withScreen: 'Mit Bildschirm',
}
