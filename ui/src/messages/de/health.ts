/** Der Zustand der Anbieter. */
import type { Service } from '../../generated/Service'
import type { health as english } from '../en/health'

const at: Record<Service, string> = {
  stt: 'Beim Mitschreiben',
  llm: 'Beim Antworten',
  vlm: 'Beim Ansehen des Bildschirms',
  tts: 'Beim Sprechen',
}

const short: Record<Service, string> = { stt: 'zuhören', llm: 'antworten', vlm: 'sehen', tts: 'sprechen' }

export const health: typeof english = {
  title: 'Zustand',
  subtitle: 'Aus dem echten Gebrauch der letzten Stunde. Nachsehen kostet nichts.',
  overall: {
    healthy: 'Alles geht.',
    degraded: 'Etwas braucht einen Blick; Fragen werden beantwortet.',
    unhealthy: 'Etwas fällt aus; andere springen ein, wo sie können.',
    unavailable: 'Noch ist nicht alles besetzt. Füge einen Schlüssel oder einen Server hinzu.',
  },
  failed: 'Der Zustand der Anbieter konnte nicht erfragt werden.',
  loading: 'Wird nachgesehen',
  states: {
    healthy: 'gesund',
    degraded: 'beeinträchtigt',
    unhealthy: 'fällt aus',
    unavailable: 'nicht bereit',
    probing: 'auf Probe',
    unused: 'noch unbenutzt',
  },
  pausedFor: (time: string) => `Pause ${time}`,
  partly: (service: string, state: string) => `${service}: ${state}`,
  triedAgainIn: (time: string) => `Nächster Versuch in ${time}.`,
  triedNext: 'Die nächste Anfrage versucht es wieder.',
  at,
  short,
  service: 'Dienst',
  state: 'Zustand',
  lastHour: 'Letzte Stunde',
  p50: 'p50',
  p50Hint: 'Die Hälfte der Aufrufe brauchte weniger.',
  p95: 'p95',
  p95Hint: 'Einer von zwanzig Aufrufen brauchte länger.',
  errors: 'Fehler',
  noCalls: 'noch keine Aufrufe',
  calls: (ok: string, failed: string) => `${ok} Aufrufe beantwortet und ${failed} fehlgeschlagen in der letzten Stunde`,
  lastFailures: (ago: string) => `der letzte Fehler innerhalb von ${ago}`,
  minutes: (count: string) => `${count} Minuten`,
  allowance: (service: string) => `Übrig zum ${service.charAt(0).toUpperCase()}${service.slice(1)}`,
  left: {
    requests: (left: string) => `${left} Anfragen`,
    tokens: (left: string) => `${left} Token`,
    audio: (left: string) => `${left} Sekunden Ton`,
  },
  leftOf: {
    requests: (left: string, all: string) => `${left} von ${all} Anfragen`,
    tokens: (left: string, all: string) => `${left} von ${all} Token`,
    audio: (left: string, all: string) => `${left} von ${all} Sekunden Ton`,
  },
  cost: (today: string, month: string) => `Heute ${today}, in diesem Monat ${month}`,
  costToday: 'Heute',
  costMonth: 'In diesem Monat',
  pricesOf: (day: string) => `Preise vom ${day}. Es gilt, was die Anbieter berechnen.`,
  setUp: 'Einrichten',
  fallbacks: 'Wann ein anderer eingesprungen ist',
  noFallbacks: 'Noch musste niemand einspringen.',
  failedAt: (failed: string, doing: string) => `${doing}: ${failed}.`,
  tookOver: (provider: string) => `${provider} ist eingesprungen.`,
  nobodyTookOver: 'Niemand konnte einspringen.',
  stages: 'Wohin die Zeit geht',
  stagesHint: 'Die letzten Fragen, vom Ende deiner Frage bis zum ersten Ton der Antwort.',
  noTurns: 'Noch keine Fragen. Stelle eine, dann steht hier, was wie lange dauerte.',
  turnsFailed: 'Die letzten Fragen konnten nicht geladen werden.',
  question: 'Frage',
  total: 'Bis zum ersten Ton',
  noQuestion: 'nicht verstanden',
}
