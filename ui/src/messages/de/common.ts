/** Wörter, die in allen Bereichen vorkommen. */
import type { FailureKind } from '../../generated/FailureKind'
import type * as english from '../en/common'

/** Ein Dienst: sein Name, was er tut, und dasselbe nach dem Namen eines Anbieters („Groq antwortet“). */
export const services: typeof english.services = {
  stt: { name: 'Spracherkennung', does: 'schreibt mit, was du sagst', willDo: 'transkribiert', isDoing: 'transkribiert' },
  llm: { name: 'Antworten', does: 'schreibt die Antwort', willDo: 'antwortet', isDoing: 'antwortet' },
  vlm: {
    name: 'Bildverständnis',
    does: 'liest deinen Bildschirm',
    willDo: 'liest deinen Bildschirm',
    isDoing: 'liest deinen Bildschirm',
  },
  tts: { name: 'Sprachausgabe', does: 'spricht die Antwort', willDo: 'spricht', isDoing: 'spricht' },
}

/** Warum ein Versuch fehlschlug, nach dem Namen des Anbieters: „Groq hat zu lange gebraucht“. */
export const classes: Record<FailureKind, string> = {
  auth: 'hat den API-Schlüssel abgelehnt',
  forbidden: 'hat den Zugriff verweigert',
  rate_limited: 'hat sein Anfragelimit erreicht',
  quota: 'hat kein Kontingent mehr',
  model_gone: 'bietet das Modell nicht mehr an',
  overloaded: 'war überlastet',
  unreachable: 'war nicht erreichbar',
  timeout: 'hat zu lange gebraucht',
  interrupted: 'hat mittendrin abgebrochen',
  empty: 'hat eine leere Antwort geschickt',
  unsupported: 'unterstützt diese Anfrage nicht',
  blocked: 'hat die Anfrage blockiert',
  invalid_request: 'hat die Anfrage als ungültig abgelehnt',
  cancelled: 'wurde gestoppt',
}

export const app: typeof english.app = {
  name: 'AURA',
  navigation: 'Hauptmenü',
  starting: 'Startet …',
  cannotStart: 'AURA reagiert nicht.',
  tryAgain: 'Noch einmal',
  sandbox: 'Sandbox: Die Antworten kommen von Testanbietern.',
  undo: 'Rückgängig',
  undone: 'Änderung rückgängig gemacht.',
  copied: 'Kopiert',
  dismiss: 'Schließen',
  cancel: 'Abbrechen',
  showMore: 'Mehr anzeigen',
  quoted: (text: string) => `„${text}“`,
  free: 'kostenlos',
  about: (amount: string) => `etwa ${amount}`,
  atLeast: (amount: string) => `mindestens ${amount}`,
  under: (amount: string) => `unter ${amount}`,
  costUnknown: 'Kosten unbekannt',
}

export const rail: typeof english.rail = {
  talk: 'Gespräch',
  providers: 'Anbieter',
  health: 'Zustand',
  history: 'Verlauf',
  settings: 'Einstellungen',
  answering: (provider: string) => `Antworten von ${provider}`,
  failing: (provider: string) => `${provider} hat Probleme`,
  covering: (provider: string, other: string, isDoing: string) => `${provider} hat Probleme. ${other} ${isDoing} stattdessen.`,
  offline: 'Antworten ohne Netz',
  noAnswers: 'Füge einen API-Schlüssel oder einen Server hinzu, um Antworten zu bekommen.',
  noTranscription: 'Die Spracherkennung ist nicht eingerichtet. Tippen geht trotzdem.',
  shortcutUnavailable: 'Tastenkürzel nicht verfügbar',
  historyProblem: 'Problem mit dem Verlauf',
  unreachable: 'Nicht verbunden',
}

/** Die deutschen Namen der Tasten. */
export const keys: Record<string, string> = {
  Ctrl: 'Strg',
  Shift: 'Umschalt',
  Space: 'Leertaste',
  Enter: 'Eingabe',
  Backspace: 'Rücktaste',
  Delete: 'Entf',
  Insert: 'Einfg',
  Home: 'Pos1',
  End: 'Ende',
  PageUp: 'Bild auf',
  PageDown: 'Bild ab',
  Up: 'Pfeil auf',
  Down: 'Pfeil ab',
  Left: 'Pfeil links',
  Right: 'Pfeil rechts',
}

/** Gesprochene Sprachen nach ISO 639-1. */
export const languages: Record<string, string> = {
  ar: 'Arabisch',
  zh: 'Chinesisch',
  cs: 'Tschechisch',
  da: 'Dänisch',
  nl: 'Niederländisch',
  en: 'Englisch',
  fi: 'Finnisch',
  fr: 'Französisch',
  de: 'Deutsch',
  el: 'Griechisch',
  hi: 'Hindi',
  it: 'Italienisch',
  ja: 'Japanisch',
  ko: 'Koreanisch',
  no: 'Norwegisch',
  pl: 'Polnisch',
  pt: 'Portugiesisch',
  ro: 'Rumänisch',
  ru: 'Russisch',
  es: 'Spanisch',
  sv: 'Schwedisch',
  tr: 'Türkisch',
  uk: 'Ukrainisch',
  vi: 'Vietnamesisch',
}
