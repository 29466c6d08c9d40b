/** Die Listen zum Suchen: wer antwortet, und die Befehle; dazu die Tasten des Hauptfensters. */
import type * as english from '../en/find'
import { counter } from '../plural'

const counted = counter('de')

export const find: typeof english.find = {
  nothing: 'Keine Treffer.',
  found: (count: number) => counted(count, { one: 'Treffer', other: 'Treffer' }),
}

export const picker: typeof english.picker = {
  title: 'Wer antwortet',
  open: (shown: string) => `Modell: ${shown}`,
  automatic: (provider: string) => `Automatisch · ${provider}`,
  none: 'Kein Anbieter',
  search: 'Anbieter, Modell oder Stimme suchen',
  price: (sums: string) => `${sums} je 1 Mio. Token`,
  voiceOf: (provider: string) => `Stimme · ${provider}`,
  voiceInEffect: (voice: string) => `${voice} spricht ab deiner nächsten Frage.`,
  more: 'Anbieter, Reihenfolge und Stimmen',
}

export const palette: typeof english.palette = {
  title: 'Befehle',
  search: 'Befehl oder Einstellung eingeben',
  panels: 'Gehe zu',
  talk: 'Gespräch',
  answers: 'Antworten',
  models: 'Modelle auf diesem Rechner',
  downloadModel: 'Modell herunterladen',
  removeModel: 'Modell entfernen',
  pauseDownload: (model: string) => `Download von ${model} anhalten`,
  resumeDownload: (model: string) => `Download von ${model} fortsetzen`,
  look: 'Darstellung',
  settings: 'Einstellungen',
  help: 'Hilfe',
  repeat: 'Letzte Antwort noch einmal vorlesen',
  handsFree: 'Freihändig sprechen',
  handsFreeEnd: 'Freihändiges Sprechen beenden',
  newConversation: 'Neues Gespräch',
  conversations: 'Gespräche',
  write: 'Frage schreiben',
  model: 'Wählen, wer antwortet',
  find: 'Verlauf durchsuchen',
  stop: 'Stoppen',
  mute: 'Antworten nicht mehr vorlesen',
  unmute: 'Antworten vorlesen',
  attachScreen: 'Bildschirm mit der nächsten Frage senden',
  answerWith: (provider: string) => `Mit ${provider} antworten`,
  answerAs: (persona: string) => `Persona: ${persona}`,
  theme: (theme: string) => `Design: ${theme}`,
  screen: (policy: string) => `Bildschirm teilen: ${policy}`,
  showOverlay: 'Overlay einblenden',
  hideOverlay: 'Overlay ausblenden',
  keys: 'Tastenkürzel',
  done: (command: string) => `${command}: erledigt.`,
}

export const keyboard: typeof english.keyboard = {
  title: 'Tastenkürzel',
  close: 'Schließen',
  anywhere: 'In jeder App',
  window: 'In diesem Fenster',
  talk: 'Sprechen',
  talkHere: 'Sprechen, im Gespräch',
  stop: 'Stoppen oder abbrechen',
  palette: 'Befehle',
  panels: 'Bereich öffnen',
  to: 'bis',
  settings: 'Einstellungen',
  newConversation: 'Neues Gespräch',
  conversations: 'Gespräche',
  write: 'Frage schreiben',
  model: 'Wählen, wer antwortet',
  find: 'Suchen',
  send: 'Frage senden',
  newLine: 'Neue Zeile',
  help: 'Diese Liste',
}

/** While an answer is read aloud. */
export const playback = {
  label: 'Vorlesen',
  pause: 'Anhalten',
  resume: 'Weiterlesen',
  pauseOrResume: 'Vorlesen anhalten oder fortsetzen',
  previous: 'Vorheriger Satz',
  next: 'Nächster Satz',
}
