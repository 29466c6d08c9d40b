/** Texts for the state of providers and services. */
import type { Fallback } from '../generated/Fallback'
import type { ProviderHealth } from '../generated/ProviderHealth'
import type { RateLimit } from '../generated/RateLimit'
import type { ServiceHealth } from '../generated/ServiceHealth'
import type { Snapshot } from '../generated/Snapshot'
import type { UsageTotals } from '../generated/UsageTotals'
import { t } from '../lib/messages'
import { clock, labelOf, money, number, percent, shortModelName, type Tone } from '../lib/format'

export interface Standing {
  tone: Tone
  word: string
}

/** The rest of a service's pause (open circuit) at a time, milliseconds; 0 when there is none. */
export const pauseLeft = (of: ServiceHealth, now: number) =>
  of.cooldown_until === undefined ? 0 : Math.max(0, Date.parse(of.cooldown_until) - now)

/** The status of a service in a word or two. */
export function serviceStatus(of: ServiceHealth, now: number): Standing {
  const left = pauseLeft(of, now)
  if (of.circuit === 'open' && left > 0) return { tone: 'bad', word: t.health.pausedFor(clock(left)) }
  switch (of.status) {
    case 'healthy':
      return of.requests === 0 ? { tone: 'quiet', word: t.health.states.unused } : { tone: 'ok', word: t.health.states.healthy }
    case 'degraded':
      return { tone: 'warn', word: of.circuit === 'half_open' ? t.health.states.probing : t.health.states.degraded }
    case 'unhealthy':
      return { tone: 'bad', word: t.health.states.unhealthy }
    case 'unavailable':
      return { tone: 'quiet', word: t.health.states.unavailable }
  }
}

/** The status of a provider: that of its worst service, with the service's name when the others work. */
export function providerStatus(of: ProviderHealth, now: number): Standing {
  if (of.status === 'unavailable') return { tone: 'quiet', word: t.health.states.unavailable }
  const worst = of.services.filter((service) => service.status === of.status)
  const [first] = worst
  if (of.status === 'healthy' || !first) return { tone: 'ok', word: t.health.states.healthy }
  const { tone, word } = serviceStatus(first, now)
  const rest = of.services.filter((service) => service.status === 'healthy' && service.requests > 0)
  if (rest.length === 0 || worst.length > 1) return { tone, word }
  return { tone: 'warn', word: t.health.partly(t.health.short[first.service], word) }
}

/** When a failing service is retried; empty when nothing is pending. */
export function describeNext(of: ServiceHealth, now: number): string {
  const left = pauseLeft(of, now)
  if (of.circuit === 'open' && left > 0) return t.health.retryIn(clock(left))
  return of.circuit === 'half_open' || of.circuit === 'open' ? t.health.retryNext : ''
}

export interface Quota {
  kind: 'requests' | 'tokens' | 'audio'
  /** "812 of 1,000 requests left". */
  words: string
  /** The share that is left, 0 to 1; absent when the limit is unknown. */
  share?: number
  /** When it is full again, milliseconds since the epoch; absent when the provider does not say, or that is over. */
  resets?: number
}

/** Each quota that the provider reported in a reply at the time `at`. */
export function quotasOf(limit: RateLimit | undefined, at?: string, now = Date.now()): Quota[] {
  if (!limit) return []
  const kinds = [
    ['requests', limit.requests_left, limit.requests, limit.requests_reset_s],
    ['tokens', limit.tokens_left, limit.tokens, limit.tokens_reset_s],
    ['audio', limit.audio_seconds_left, limit.audio_seconds, limit.audio_seconds_reset_s],
  ] as const
  return kinds.flatMap(([kind, left, all, seconds]): Quota[] => {
    if (left === null) return []
    const full = at === undefined || seconds === null ? 0 : Date.parse(at) + seconds * 1000
    const resets = full > now ? { resets: full } : {}
    if (all === null || all <= 0) return [{ kind, words: t.health.left[kind](left), ...resets }]
    return [
      { kind, words: t.health.leftOf[kind](number(left), number(all)), share: Math.min(1, Math.max(0, left / all)), ...resets },
    ]
  })
}

/** "28 calls, 5 failed (18%)" in the last hour. */
export function describeCalls(of: ServiceHealth): string {
  const failed = of.hour.reduce((sum, part) => sum + part.failed, 0)
  const calls = t.health.calls(of.requests)
  return failed === 0 ? calls : t.health.callsFailed(calls, number(failed), percent(1 - (of.success_rate ?? 0)))
}

/** "the last failure within 5 minutes". */
export function describeLastFailure(of: ServiceHealth): string {
  const since = of.hour.length - of.hour.findLastIndex((part) => part.failed > 0)
  return since > of.hour.length ? '' : t.health.lastFailures(t.health.minutes((since * 60) / of.hour.length))
}

/** "$0.016", "about $0.53", "at least $0.016": with how exact the sum is. */
export function formatSum(sum: UsageTotals): string {
  if (sum.unknown > 0) return sum.usd === 0 ? t.app.costUnknown : t.app.atLeast(money(sum.usd))
  return sum.estimated > 0 && sum.usd > 0 ? t.app.about(money(sum.usd)) : money(sum.usd)
}

/** The total of several sums. */
export const added = (sums: UsageTotals[]): UsageTotals =>
  sums.reduce(
    (all, one) => ({
      attempts: all.attempts + one.attempts,
      failed: all.failed + one.failed,
      input_tokens: all.input_tokens + one.input_tokens,
      output_tokens: all.output_tokens + one.output_tokens,
      audio_seconds: all.audio_seconds + one.audio_seconds,
      characters: all.characters + one.characters,
      usd: all.usd + one.usd,
      estimated: all.estimated + one.estimated,
      unknown: all.unknown + one.unknown,
    }),
    {
      attempts: 0,
      failed: 0,
      input_tokens: 0,
      output_tokens: 0,
      audio_seconds: 0,
      characters: 0,
      usd: 0,
      estimated: 0,
      unknown: 0,
    },
  )

/** "Groq timed out while transcribing. Gemini took over." */
export function describeFallback(snapshot: Snapshot | null, fallback: Fallback): string {
  const from = labelOf(snapshot, fallback.from.provider)
  const failed = t.health.failedAt(t.turn.failed(from, t.classes[fallback.class]), t.health.at[fallback.service])
  if (!fallback.to) return `${failed} ${t.health.noneTookOver}`
  const to = labelOf(snapshot, fallback.to.provider)
  return `${failed} ${t.health.tookOver(from === to ? `${to} ${shortModelName(fallback.to)}` : to)}`
}

/** The last days in the time zone of this computer, as "2026-11-28", up to today. */
export const lastDays = (count: number, now = new Date()): string[] =>
  Array.from({ length: count }, (_, i) => {
    const date = new Date(now.getFullYear(), now.getMonth(), now.getDate() - count + 1 + i)
    return [date.getFullYear(), date.getMonth() + 1, date.getDate()].map((part) => String(part).padStart(2, '0')).join('-')
  })
