/** What is wrong now, who covers it, and when it is tried again. Pure. */
import type { HealthReport } from '../generated/HealthReport'
import type { ProviderHealth } from '../generated/ProviderHealth'
import type { Service } from '../generated/Service'
import type { ServiceHealth } from '../generated/ServiceHealth'
import type { Snapshot } from '../generated/Snapshot'
import { labelOf } from '../lib/format'
import { t } from '../lib/messages'
import { pauseLeft } from './format'

export interface Trouble {
  provider: ProviderHealth
  of: ServiceHealth
  state: 'paused' | 'failing' | 'recovering' | 'degraded'
  /** The name of the provider that covers it; absent when none can. */
  covering?: string
}

function stateOf(of: ServiceHealth, now: number): Trouble['state'] {
  if (of.circuit === 'open' && pauseLeft(of, now) > 0) return 'paused'
  if (of.circuit === 'half_open') return 'recovering'
  return of.status === 'degraded' ? 'degraded' : 'failing'
}

/** The first provider of a service's routes that works, other than the one in trouble. */
function coverOf(report: HealthReport, snapshot: Snapshot | null, name: string, service: Service): string | undefined {
  const routes = snapshot?.routes.find((view) => view.service === service)?.routes ?? []
  // Without fallback only the first route is used.
  const used = snapshot?.settings.fallback === false ? routes.slice(0, 1) : routes
  const works = (provider: string) => {
    const health = report.providers.find((known) => known.name === provider)?.services.find((of) => of.service === service)
    return health !== undefined && health.status !== 'unhealthy' && health.status !== 'unavailable'
  }
  return used.find((route) => route.provider !== name && works(route.provider))?.provider
}

/** All troubles: those that nobody covers first, then the worst. */
export function troubles(report: HealthReport, snapshot: Snapshot | null, now: number): Trouble[] {
  const found = report.providers
    .filter((provider) => provider.status !== 'unavailable')
    .flatMap((provider) =>
      provider.services
        .filter((of) => of.status === 'unhealthy' || of.status === 'degraded')
        .map((of): Trouble => {
          const covering = coverOf(report, snapshot, provider.name, of.service)
          return { provider, of, state: stateOf(of, now), ...(covering === undefined ? {} : { covering }) }
        }),
    )
  const rank = ({ of, covering }: Trouble) =>
    (of.status === 'unhealthy' ? 0 : 2) + (covering === undefined && of.status === 'unhealthy' ? -1 : 0)
  return found.toSorted((a, b) => rank(a) - rank(b))
}

/** "Groq speech to text is paused; Gemini is covering." */
export function describeTrouble(snapshot: Snapshot | null, { provider, of, state, covering }: Trouble): string {
  const what = t.health.trouble[state](provider.label, t.health.noun[of.service])
  if (covering !== undefined && state !== 'degraded') return t.health.covered(what, labelOf(snapshot, covering))
  return covering === undefined && state !== 'degraded' && state !== 'recovering'
    ? t.health.uncovered(what)
    : t.health.alone(what)
}

/** Why, in AURA's words: "Groq timed out."; the provider's own words are the details. */
export function describeCause(provider: ProviderHealth, of: ServiceHealth): string {
  return of.last_error ? t.health.alone(t.turn.failed(provider.label, t.classes[of.last_error.class])) : ''
}
