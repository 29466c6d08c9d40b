/** Wörter, die überall vorkommen. */
import type { Class } from '../../generated/Class'
import type { Service } from '../../generated/Service'
import type * as english from '../en/common'

export const services: Record<Service, { name: string; does: string; verb: string }> = {
  stt: { name: 'Zuhören', does: 'hört dir zu', verb: 'hört dir zu' },
  llm: { name: 'Antworten', does: 'antwortet dir', verb: 'antwortet' },
  vlm: { name: 'Sehen', does: 'sieht deinen Bildschirm', verb: 'sieht auf deinen Bildschirm' },
  tts: { name: 'Stimme', does: 'spricht zu dir', verb: 'spricht' },
}

/** Was bei einem Versuch schiefging, nach dem Namen des Anbieters: „Groq hat zu lange gebraucht“. */
export const classes: Record<Class, string> = {
  auth: 'hat den Schlüssel abgelehnt',
  rate_limited: 'hatte zu viele Anfragen',
  quota: 'hat das Kontingent aufgebraucht',
  model_gone: 'bietet das Modell nicht mehr an',
  overloaded: 'war überlastet',
  unreachable: 'war nicht erreichbar',
  timeout: 'hat zu lange gebraucht',
  interrupted: 'hat mittendrin aufgehört',
  empty: 'hat nichts geschickt',
  unsupported: 'kann diese Anfrage nicht annehmen',
  blocked: 'hat sie gesperrt',
  invalid_request: 'hat die Anfrage nicht verstanden',
  cancelled: 'wurde angehalten',
}

export const app: typeof english.app = {
  name: 'AURA',
  navigation: 'Hauptmenü',
  starting: 'Startet',
  cannotStart: 'Das Fenster erreicht den Kern von AURA nicht.',
  tryAgain: 'Noch einmal',
  sandbox: 'Übungsmodus: Es antworten Übungsanbieter, keine echten.',
  undo: 'Rückgängig',
  undone: 'Wie vorher.',
  copied: 'Kopiert',
  dismiss: 'Schließen',
  cancel: 'Abbrechen',
  showMore: 'Mehr zeigen',
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
  answers: (provider: string) => `${provider} antwortet`,
  fails: (provider: string) => `${provider} hat Probleme`,
  standsIn: (provider: string, other: string, does: string) => `${provider} hat Probleme. ${other} ${does}.`,
  offlineAnswers: 'Die Programme auf diesem Rechner antworten',
  nobodyAnswers: 'Noch kann niemand antworten. Füge einen Schlüssel oder einen Server hinzu.',
  nobodyHears: 'Noch kann dich niemand hören. Du kannst tippen.',
  shortcutBroken: 'Das Tastenkürzel geht nicht',
  unreachable: 'Nicht verbunden',
}

/** Tasten, wie sie hier heißen. */
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
