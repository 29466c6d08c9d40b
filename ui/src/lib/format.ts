import type { TurnRecord } from '../generated/TurnRecord'
/** Formatting of numbers, names and states. */
import type { RecordingsDeleted } from '../generated/RecordingsDeleted'
import type { Attempt } from '../generated/Attempt'
import type { Cost } from '../generated/Cost'
import type { Route } from '../generated/Route'
import type { Seen } from '../generated/Seen'
import type { Snapshot } from '../generated/Snapshot'
import type { StageTrace } from '../generated/StageTrace'
import type { Service } from '../generated/Service'
import type { VoiceView } from '../generated/VoiceView'
import type { Conversation, Turn } from './conversation'
import { t } from './messages'
import { locale } from './region'
import { whoThinks } from './who'

/** A number with a fixed number of decimals, in the user's locale. */
export const number = (value: number, decimals = 0) =>
  value.toLocaleString(locale(), { minimumFractionDigits: decimals, maximumFractionDigits: decimals })

/** 940 → "0.94 s", 3100 → "3.1 s". */
export const seconds = (ms: number) => `${number(ms / 1000, ms < 1000 ? 2 : 1)} s`

/** 212 → "212 ms", 3100 → "3.1 s". */
export const duration = (ms: number) => (ms < 1000 ? `${Math.round(ms)} ms` : seconds(ms))

/** 0.18 → "18%"; "18 %" in German. */
export const percent = (part: number) => part.toLocaleString(locale(), { style: 'percent' })

/** 131072 → "131K", 1048576 → "1M": rounded token counts. */
export const tokens = (count: number) => count.toLocaleString(locale(), { notation: 'compact', maximumFractionDigits: 0 })

/** 0.0006 → "$0.0006", 12.5 → "$12.50": as many decimals as are significant. */
export function money(usd: number): string {
  if (usd === 0) return t.app.free
  if (usd < 0.00005) return t.app.under(money(0.0001))
  const decimals = usd < 0.01 ? 4 : usd < 1 ? 3 : 2
  return usd.toLocaleString(locale(), {
    style: 'currency',
    currency: 'USD',
    currencyDisplay: 'narrowSymbol',
    minimumFractionDigits: 2,
    maximumFractionDigits: decimals,
  })
}

/** The cost of one call, and whether it is estimated. */
export function formatCost(cost: Cost): string {
  if (cost.usd === undefined) return t.app.costUnknown
  return cost.basis === 'estimated' && cost.usd > 0 ? t.app.about(money(cost.usd)) : money(cost.usd)
}

/** The cost of several calls: "$0.0006", "about $0.01", "at least $0.01"; empty without calls. */
export function costOf(attempts: Attempt[]): string {
  // A failed call of unknown cost is left out; it would only make the sum look uncertain.
  const costs = attempts
    .filter((attempt) => attempt.class === undefined || attempt.cost.usd !== undefined)
    .map((attempt) => attempt.cost)
  if (costs.length === 0) return ''
  const usd = costs.reduce((sum, cost) => sum + (cost.usd ?? 0), 0)
  if (costs.some((cost) => cost.usd === undefined)) return usd === 0 ? t.app.costUnknown : t.app.atLeast(money(usd))
  return formatCost({ usd, basis: costs.some((cost) => cost.basis === 'estimated') ? 'estimated' : 'priced' })
}

/** "2027-01-31" → "31 January 2027". */
export const day = (date: string) =>
  new Date(`${date}T12:00:00`).toLocaleDateString(locale(), { day: 'numeric', month: 'long', year: 'numeric' })

/** The time of day: "14:31", or "2:31 PM" where people write so. */
export const timeOfDay = (at: string) => new Date(at).toLocaleTimeString(locale(), { hour: 'numeric', minute: '2-digit' })

/** The day of a time: "Today", "Yesterday" or the date. */
export function dayOf(at: string, now = new Date()): string {
  const then = new Date(at)
  const yesterday = new Date(now)
  yesterday.setDate(now.getDate() - 1)
  if (then.toDateString() === now.toDateString()) return t.history.today
  if (then.toDateString() === yesterday.toDateString()) return t.history.yesterday
  return then.toLocaleDateString(locale(), { weekday: 'long', day: 'numeric', month: 'long', year: 'numeric' })
}

/** "14:31:02", with the day unless it is today. */
export function moment(at: string, now = Date.now()): string {
  const time = new Date(at)
  const clock = time.toLocaleTimeString(locale(), { hour: 'numeric', minute: '2-digit', second: '2-digit' })
  if (time.toDateString() === new Date(now).toDateString()) return clock
  return `${time.toLocaleDateString(locale(), { day: 'numeric', month: 'short' })} ${clock}`
}

/** 63000 → "1:03". */
export const clock = (ms: number) => `${Math.floor(ms / 60000)}:${String(Math.floor(ms / 1000) % 60).padStart(2, '0')}`

/** A provider's display name. */
export const labelOf = (snapshot: Snapshot | null, provider: string) =>
  snapshot?.providers.find((known) => known.name === provider)?.label ?? provider

/** A model's name without the provider's name, which is shown beside it: "Gemini 3.5-flash-lite", "Groq gpt-oss-120b". */
export function shortModelName(route: Pick<Route, 'provider' | 'model'>): string {
  const name = route.model.slice(route.model.lastIndexOf('/') + 1)
  if (name === route.provider) return ''
  return name.startsWith(`${route.provider}-`) ? name.slice(route.provider.length + 1) : name
}

/** What is known of a voice: "female · English"; empty when nothing is. */
export function describeVoice(voice: VoiceView): string {
  const gender = voice.gender === 'female' || voice.gender === 'male' ? [t.providers.genders[voice.gender]] : []
  const language = voice.language === undefined ? [] : [t.languages[voice.language] ?? voice.language]
  return [...gender, ...language].join(' · ')
}

/** "Gemini · Kore", "Groq · whisper-large-v3-turbo". */
export function formatRoute(snapshot: Snapshot | null, route: Route): string {
  const detail = route.voice ?? shortModelName(route)
  const label = labelOf(snapshot, route.provider)
  return detail === '' ? label : `${label} · ${detail}`
}

/** The failed attempts of a stage and the route that completed it: "Groq timed out → Gemini · 3.5-flash-lite". */
export function describeStage(snapshot: Snapshot | null, trace: StageTrace, turn: Turn): string {
  const failed = trace.attempts
    .filter((attempt) => attempt.class !== undefined)
    .map((attempt) => t.turn.failed(labelOf(snapshot, attempt.route.provider), t.classes[attempt.class ?? 'timeout']))
  const done = trace.route ? [formatRoute(snapshot, trace.route)] : []
  if (failed.length + done.length > 0) return [...failed, ...done].join(` ${t.turn.then} `)
  if (trace.stage === 'listening') return t.turn.trace.ofSpeech(seconds(trace.ms))
  if (trace.stage === 'looking' && turn.seen && ofTheScreen(turn.seen))
    return t.turn.trace.ofScreen(turn.seen.width, turn.seen.height)
  return ''
}

/** Whether an image is of the screen: an attached file has no size. */
export const ofTheScreen = (seen: Seen) => seen.width > 0

/** The usage of a stage's calls, as far as the providers report it, and the time to the first output. */
export function describeUsage(attempts: Attempt[]): string {
  const sum = (of: (usage: Attempt['usage']) => number | undefined) =>
    attempts.reduce<number | undefined>((all, { usage }) => {
      const one = of(usage)
      return one === undefined ? all : (all ?? 0) + one
    }, undefined)
  const [read, written] = [sum((usage) => usage.input_tokens), sum((usage) => usage.output_tokens)]
  const cached = sum((usage) => usage.cached_tokens) ?? 0
  const [audio, characters] = [sum((usage) => usage.audio_seconds), sum((usage) => usage.characters)]
  const first = attempts.findLast((attempt) => attempt.class === undefined)?.first_ms
  return [
    ...(first === undefined ? [] : [t.turn.trace.first(duration(first))]),
    ...(read === undefined && written === undefined ? [] : [t.turn.trace.tokens(number(read ?? 0), number(written ?? 0))]),
    ...(cached === 0 ? [] : [t.turn.trace.cached(number(cached))]),
    ...(audio === undefined ? [] : [t.turn.trace.audio(seconds(audio * 1000))]),
    ...(characters === undefined ? [] : [t.turn.trace.characters(number(characters))]),
  ].join(' · ')
}

/** The current stage in words; empty when idle. */
export function describeState(conversation: Conversation, snapshot: Snapshot | null = null, named?: string): string {
  switch (conversation.stage) {
    case 'idle':
      return ''
    case 'listening':
      return conversation.recording ? t.stages.listeningFor(clock(conversation.elapsedMs)) : t.stages.ready
    case 'thinking': {
      const turn = conversation.turns.find((one) => one.id === conversation.active)
      const who = whoThinks(snapshot, turn?.attempts ?? [], turn?.seen != null, named)
      return who === '' ? t.stages.thinking : t.stages.thinkingWith(who)
    }
    case 'speaking':
      return t.stages.speakingHint
    default:
      return t.stages[conversation.stage]
  }
}

export type Tone = 'ok' | 'warn' | 'bad' | 'quiet'

/** The status line of the rail: the provider that answers, or a problem, and the panel where it can be changed. */
export function railStatus(
  snapshot: Snapshot,
  paused: { provider: string; service: Service }[] = [],
): { tone: Tone; text: string; panel: 'providers' | 'settings' | 'health' | 'history' } {
  const first = (service: Service) => snapshot.routes.find((view) => view.service === service)?.routes[0]
  const answers = first('llm')
  if (!answers) return { tone: 'bad', text: t.rail.noAnswers, panel: 'providers' }
  if (!first('stt')) return { tone: 'warn', text: t.rail.noTranscription, panel: 'providers' }
  if (snapshot.shortcut_problem !== undefined) return { tone: 'warn', text: t.rail.shortcutUnavailable, panel: 'settings' }
  if (snapshot.history_problem !== undefined) return { tone: 'warn', text: t.rail.historyProblem, panel: 'history' }
  const trouble = paused[0]
  if (trouble) {
    const instead = first(trouble.service)?.provider
    const who = labelOf(snapshot, trouble.provider)
    const text =
      instead === undefined || instead === trouble.provider
        ? t.rail.failing(who)
        : t.rail.covering(who, labelOf(snapshot, instead), t.services[trouble.service].isDoing)
    return { tone: 'warn', text, panel: 'health' }
  }
  if (!hasAccount(snapshot) && answers.provider === snapshot.providers.at(-1)?.name) {
    return { tone: 'quiet', text: t.rail.offline, panel: 'providers' }
  }
  return { tone: 'ok', text: t.rail.answering(labelOf(snapshot, answers.provider)), panel: 'providers' }
}

/** Whether an API key or a server is set up. */
export const hasAccount = (snapshot: Snapshot) =>
  snapshot.providers.some((provider) => provider.key !== undefined || isServer(snapshot, provider.name))

/** Whether a provider is a server that the user added. */
export const isServer = (snapshot: Snapshot, name: string) => {
  const entry = snapshot.settings.providers[name]
  return entry !== undefined && entry !== null && entry.preset !== undefined
}

/** Why AURA deleted recordings of a turn, in a sentence. */
export function deletedReason(deleted: RecordingsDeleted): string {
  switch (deleted.reason) {
    case 'age':
      return t.turn.recordingDeleted.age(deleted.days)
    case 'space':
      return t.turn.recordingDeleted.space(deleted.gigabytes)
    default:
      return t.turn.recordingDeleted.unknown
  }
}

/** Whether a turn has a question. A reminder has none: AURA only spoke. */
export const isQuestion = (record: TurnRecord) =>
  record.transcript !== '' || record.answer === '' || record.stages.some((stage) => stage.stage !== 'speaking')
