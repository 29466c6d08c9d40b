/** Der Zustand der Anbieter. */
import type { Service } from '../../generated/Service'
import type { health as english } from '../en/health'
import { counter } from '../plural'

/** Wobei ein Anbieter ausgefallen ist. */
const at: Record<Service, string> = {
  stt: 'Beim Transkribieren',
  llm: 'Beim Antworten',
  vlm: 'Beim Lesen des Bildschirms',
  tts: 'Beim Sprechen',
}

/** Die Dienste in Tabellen, wo wenig Platz ist. */
const short: Record<Service, string> = { stt: 'Sprache', llm: 'Antworten', vlm: 'Bild', tts: 'Stimme' }

const counted = counter('de')
const count = (number: number, one: string, other: string) => counted(number, { one, other })

export const health: typeof english = {
  title: 'Zustand',
  subtitle: 'Aus deiner letzten Stunde. Prüfen kostet nichts.',
  allWell: 'Alles funktioniert.',
  unfinished: (services: string) => `Die Einrichtung ist noch nicht abgeschlossen. Kein Anbieter für: ${services}.`,
  noun: {
    stt: 'die Spracherkennung',
    llm: 'die Texterzeugung',
    vlm: 'das Bildverständnis',
    tts: 'die Sprachausgabe',
  } as Record<Service, string>,
  trouble: {
    paused: (provider: string, service: string) => `${provider}: ${service} pausiert`,
    failing: (provider: string, service: string) => `${provider}: ${service} fällt aus`,
    recovering: (provider: string, service: string) => `${provider}: ${service} wird erneut versucht`,
    degraded: (provider: string, service: string) => `${provider}: ${service} scheitert oft, läuft aber noch`,
  },
  covered: (trouble: string, provider: string) => `${trouble}; ${provider} springt ein.`,
  uncovered: (trouble: string) => `${trouble}, und kein anderer Anbieter kann einspringen.`,
  alone: (trouble: string) => `${trouble}.`,
  tryNow: 'Jetzt versuchen',
  tryNowWith: (provider: string, service: string) => `Jetzt versuchen: ${provider}, ${service}`,
  details: 'Einzelheiten',
  failed: 'Der Zustand der Anbieter konnte nicht geladen werden.',
  loading: 'Lädt …',
  states: {
    healthy: 'in Ordnung',
    degraded: 'eingeschränkt',
    unhealthy: 'fällt aus',
    unavailable: 'nicht verfügbar',
    probing: 'wird erneut versucht',
    unused: 'noch unbenutzt',
  },
  pausedFor: (time: string) => `Pause ${time}`,
  partly: (service: string, state: string) => `${service}: ${state}`,
  retryIn: (time: string) => `Nächster Versuch in ${time}.`,
  retryNext: 'Nächster Versuch bei deiner nächsten Frage.',
  at,
  short,
  provider: 'Anbieter',
  providers: 'Anbieter und Kontingente',
  noProviders: 'Noch keine Anbieter. Hier erscheint jeder mit Zustand, Kontingenten und Kosten.',
  latency: 'Antwortzeiten',
  latencyHint: 'Letzte Stunde. „Typisch“: Die Hälfte der Aufrufe war schneller. „Langsam“: Einer von zwanzig war langsamer.',
  noLatency: 'Keine Aufrufe in der letzten Stunde. Hier erscheinen Antwortzeit, Aufrufe und Fehler jedes Anbieters.',
  typical: 'Typisch',
  slow: 'Langsam',
  answered: 'beantwortet',
  failedCalls: 'fehlgeschlagen',
  partlyFailed: 'teils fehlgeschlagen',
  fallbackMark: 'ausgewichen',
  callsColumn: 'Aufrufe und Fehler',
  ago: (minutes: number) => `vor ${minutes} min`,
  now: 'jetzt',
  noCalls: 'noch keine Aufrufe',
  calls: (number: number) => count(number, 'Aufruf', 'Aufrufe'),
  callsFailed: (calls: string, failed: string, share: string) => `${calls}, ${failed} fehlgeschlagen (${share})`,
  lastFailures: (ago: string) => `der letzte Fehler innerhalb von ${ago}`,
  minutes: (number: number) => count(number, 'Minute', 'Minuten'),
  quota: (service: string) => `Kontingent ${service}`,
  left: {
    requests: (left: number) => `${count(left, 'Anfrage', 'Anfragen')} übrig`,
    tokens: (left: number) => `${count(left, 'Token', 'Token')} übrig`,
    audio: (left: number) => `${count(left, 'Sekunde', 'Sekunden')} Ton übrig`,
  },
  leftOf: {
    requests: (left: string, all: string) => `${left} von ${all} Anfragen übrig`,
    tokens: (left: string, all: string) => `${left} von ${all} Token übrig`,
    audio: (left: string, all: string) => `${left} von ${all} Sekunden Ton übrig`,
  },
  cost: (today: string, month: string) => `Heute ${today}, in diesem Monat ${month}`,
  costToday: 'Heute',
  costMonth: 'In diesem Monat',
  pricesOf: (day: string) => `Preise vom ${day}. Geschätzt; es gilt die Rechnung deines Anbieters.`,
  setUp: 'Unter Anbieter beheben',
  fallbacks: 'Ausfälle und Ausweichen',
  pausedUntil: (service: string, time: string) => `${service} pausiert bis ${time}.`,
  noFallbacks: 'Bisher war kein Ausweichen nötig. Fällt ein Anbieter aus und ein anderer springt ein, erscheint es hier.',
  failedAt: (failed: string, doing: string) => `${doing}: ${failed}.`,
  tookOver: (provider: string) => `${provider} ist eingesprungen.`,
  noneTookOver: 'Kein anderer Anbieter war verfügbar.',
  stages: 'Wo die Zeit bleibt',
  stagesHint: 'Deine letzten Fragen, vom Ende der Frage bis zum ersten Ton der Antwort. Ein Klick öffnet sie im Verlauf.',
  noTurns: 'Noch keine Fragen. Frag etwas, dann siehst du hier, wo die Zeit bleibt.',
  turnsFailed: 'Die letzten Fragen konnten nicht geladen werden.',
  question: 'Frage',
  median: (time: string) => `Median ${time}`,
  total: 'Zeit bis zum ersten Ton',
  noQuestion: 'nicht verstanden',
}
