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
  overall: {
    healthy: 'Alles funktioniert.',
    degraded: 'Ein Anbieter hat Probleme. Deine Fragen werden trotzdem beantwortet.',
    unhealthy: 'Ein Dienst fällt aus. Andere Anbieter springen ein, wo sie können.',
    unavailable: 'Die Einrichtung ist noch nicht abgeschlossen. Füge einen API-Schlüssel oder einen Server hinzu.',
  },
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
  service: 'Dienst',
  state: 'Zustand',
  lastHour: 'Letzte Stunde',
  p50: 'p50',
  p50Hint: 'Die Hälfte der Aufrufe war schneller.',
  p95: 'p95',
  p95Hint: 'Einer von zwanzig Aufrufen war langsamer.',
  errors: 'Fehler',
  noCalls: 'noch keine Aufrufe',
  calls: (ok: number, failed: string) =>
    `${count(ok, 'Aufruf', 'Aufrufe')} beantwortet und ${failed} fehlgeschlagen in der letzten Stunde`,
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
  fallbacks: 'Ausweichen auf andere Anbieter',
  noFallbacks: 'Bisher war kein Ausweichen nötig.',
  failedAt: (failed: string, doing: string) => `${doing}: ${failed}.`,
  tookOver: (provider: string) => `${provider} ist eingesprungen.`,
  noneTookOver: 'Kein anderer Anbieter war verfügbar.',
  stages: 'Wo die Zeit bleibt',
  stagesHint: 'Deine letzten Fragen, vom Ende der Frage bis zum ersten Ton der Antwort.',
  noTurns: 'Noch keine Fragen. Frag etwas, dann siehst du hier, wo die Zeit bleibt.',
  turnsFailed: 'Die letzten Fragen konnten nicht geladen werden.',
  question: 'Frage',
  total: 'Zeit bis zum ersten Ton',
  noQuestion: 'nicht verstanden',
}
