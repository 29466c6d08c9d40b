/** Numbers and names as people read them. */
import type { Route } from '../generated/Route'
import type { Snapshot } from '../generated/Snapshot'
import type { StageTrace } from '../generated/StageTrace'
import type { Service } from '../generated/Service'
import type { Conversation, Turn } from './conversation'
import { t } from './messages'

/** 940 → "0.94 s", 3100 → "3.1 s". */
export function seconds(ms: number): string {
  const value = ms / 1000
  return `${value < 1 ? value.toFixed(2) : value.toFixed(1)} s`
}

/** 212 → "212 ms", 3100 → "3.1 s". */
export const duration = (ms: number) => (ms < 1000 ? `${ms} ms` : seconds(ms))

/** 63000 → "1:03". */
export const clock = (ms: number) => `${Math.floor(ms / 60000)}:${String(Math.floor(ms / 1000) % 60).padStart(2, '0')}`

/** A provider's name for the person. */
export const labelOf = (snapshot: Snapshot | null, provider: string) =>
  snapshot?.providers.find((known) => known.name === provider)?.label ?? provider

/** A model's name without what its provider's name beside it already says: "Gemini 3.5-flash-lite", "Groq gpt-oss-120b". */
export function shortModel(route: Pick<Route, 'provider' | 'model'>): string {
  const name = route.model.slice(route.model.lastIndexOf('/') + 1)
  if (name === route.provider) return ''
  return name.startsWith(`${route.provider}-`) ? name.slice(route.provider.length + 1) : name
}

/** "Gemini · Kore", "Groq · whisper-large-v3-turbo". */
export function routeWords(snapshot: Snapshot | null, route: Route): string {
  const detail = route.voice ?? shortModel(route)
  const label = labelOf(snapshot, route.provider)
  return detail === '' ? label : `${label} · ${detail}`
}

/** Who did a stage, and who failed before: "Groq timed out → Gemini · 3.5 Flash Lite". */
export function stageWords(snapshot: Snapshot | null, trace: StageTrace, turn: Turn): string {
  const failed = trace.attempts
    .filter((attempt) => attempt.class !== undefined)
    .map((attempt) => t.turn.failed(labelOf(snapshot, attempt.route.provider), t.classes[attempt.class ?? 'timeout']))
  const done = trace.route ? [routeWords(snapshot, trace.route)] : []
  if (failed.length + done.length > 0) return [...failed, ...done].join(` ${t.turn.then} `)
  if (trace.stage === 'listening') return t.turn.trace.ofSpeech(seconds(trace.ms))
  if (trace.stage === 'looking' && turn.seen) return t.turn.trace.ofScreen(turn.seen.width, turn.seen.height)
  return ''
}

/** What is going on, in words; empty when nothing is. */
export function stateWords(conversation: Conversation): string {
  switch (conversation.stage) {
    case 'idle':
      return ''
    case 'listening':
      return conversation.recording ? t.stages.listeningFor(clock(conversation.elapsedMs)) : t.stages.ready
    case 'speaking':
      return t.stages.speakingHint
    default:
      return t.stages[conversation.stage]
  }
}

export type Tone = 'ok' | 'warn' | 'bad' | 'quiet'

/** One line at the foot of the rail: who would answer now, or what is wrong; and where that can be changed. */
export function standing(snapshot: Snapshot): { tone: Tone; text: string; panel: 'providers' | 'settings' } {
  const first = (service: Service) => snapshot.routes.find((view) => view.service === service)?.routes[0]
  const answers = first('llm')
  if (!answers) return { tone: 'bad', text: t.rail.nobodyAnswers, panel: 'providers' }
  if (!first('stt')) return { tone: 'warn', text: t.rail.nobodyHears, panel: 'providers' }
  if (snapshot.shortcut_problem !== undefined) return { tone: 'warn', text: t.rail.shortcutBroken, panel: 'settings' }
  if (!hasAccount(snapshot) && answers.provider === snapshot.providers.at(-1)?.name) {
    return { tone: 'quiet', text: t.rail.offlineAnswers, panel: 'providers' }
  }
  return { tone: 'ok', text: t.rail.answers(labelOf(snapshot, answers.provider)), panel: 'providers' }
}

/** Whether the person has set up anything that gives real answers: a key, or a server of their own. */
export const hasAccount = (snapshot: Snapshot) =>
  snapshot.providers.some((provider) => provider.key !== undefined || isServer(snapshot, provider.name))

/** Whether a provider is a server that the person added. */
export const isServer = (snapshot: Snapshot, name: string) => {
  const entry = snapshot.settings.providers[name]
  return entry !== undefined && entry !== null && entry.preset !== undefined
}
