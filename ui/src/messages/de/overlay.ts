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
    thinkingWith: (provider: string) => `Denkt nach · ${provider}`,
    speaking: 'Spricht',
    speakingHint: 'Spricht · noch einmal drücken zum Unterbrechen',
  },
  title: 'Overlay von AURA',
  waiting: 'Auf den Signalton warten, dann sprechen',
  send: {
    release: 'Zum Senden loslassen',
    tap: 'Zum Senden noch einmal tippen',
    pause: 'Eine Pause sendet. „Stopp“ beendet.',
  },
  cancel: 'Esc bricht ab',
  interrupt: 'Noch einmal drücken zum Unterbrechen',
  speakToInterrupt: 'Sprich, um zu unterbrechen',
  outcomes: { done: 'Fertig', stopped: 'Gestoppt', failed: 'Das hat nicht geklappt' },
  kept: 'Öffne AURA für einen neuen Versuch.',
  withScreen: 'Mit Bildschirm',
}
