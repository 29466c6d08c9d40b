/** Fallbacks and outages as one list. Pure. */
import type { Fallback } from '../generated/Fallback'
import type { HealthReport } from '../generated/HealthReport'
import type { Service } from '../generated/Service'
import type { ServiceHealth } from '../generated/ServiceHealth'
import type { Snapshot } from '../generated/Snapshot'
import { timeOfDay } from '../lib/format'
import { t } from '../lib/messages'
import { describeFallback, pauseLeft } from './format'
import { describeCause } from './trouble'

export interface HealthEvent {
  at: string
  service: Service
  text: string
  /** The provider's own words. */
  details: string
}

/** How far apart a fallback and the failure that caused it may be, milliseconds. */
const same = 2000

/** The outages that last, unless a fallback tells of the same failure, and the fallbacks: the newest first. */
export function eventsOf(report: HealthReport, snapshot: Snapshot | null, now: number): HealthEvent[] {
  const told = (name: string, service: Service, at: string) =>
    report.fallbacks.some(
      (of) => of.from.provider === name && of.service === service && Math.abs(Date.parse(of.at) - Date.parse(at)) < same,
    )
  const outages = report.providers
    .filter((provider) => provider.status !== 'unavailable')
    .flatMap((provider) =>
      provider.services
        .filter((of) => of.status === 'unhealthy' && of.last_error && !told(provider.name, of.service, of.last_error.at))
        .map((of): HealthEvent => {
          const until =
            of.cooldown_until !== undefined && pauseLeft(of, now) > 0
              ? t.health.pausedUntil(t.services[of.service].name, timeOfDay(of.cooldown_until))
              : ''
          return {
            at: of.last_error?.at ?? '',
            service: of.service,
            text: `${describeCause(provider, of)} ${until}`.trim(),
            details: of.last_error?.message ?? '',
          }
        }),
    )
  const fallbacks = report.fallbacks.map((fallback): HealthEvent => ({
    at: fallback.at,
    service: fallback.service,
    text: describeFallback(snapshot, fallback),
    details: fallback.message,
  }))
  return [...outages, ...fallbacks].toSorted((a, b) => Date.parse(b.at) - Date.parse(a.at))
}

export interface Lane {
  provider: string
  label: string
  of: ServiceHealth
  /** Fallbacks from it in the last hour, as shares of the hour. */
  marks: { at: number; fallback: Fallback }[]
}

const hour = 3_600_000

/** The services that failed in the last hour. */
export function lanesOf(report: HealthReport, now: number): Lane[] {
  return report.providers.flatMap((provider) =>
    provider.services.flatMap((of): Lane[] => {
      const marks = report.fallbacks
        .filter((fallback) => fallback.from.provider === provider.name && fallback.service === of.service)
        .map((fallback) => ({ fallback, at: 1 - (now - Date.parse(fallback.at)) / hour }))
        .filter((mark) => mark.at >= 0 && mark.at <= 1)
      if (marks.length === 0 && !of.hour.some((part) => part.failed > 0)) return []
      return [{ provider: provider.name, label: provider.label, of, marks }]
    }),
  )
}
