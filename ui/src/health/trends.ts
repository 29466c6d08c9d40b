/** The figures of a longer time in place of those since the last start. Pure. */
import type { ProviderHealth } from '../generated/ProviderHealth'
import type { ServiceHealth } from '../generated/ServiceHealth'
import type { TrendLine } from '../generated/TrendLine'
import type { TrendRange } from '../generated/TrendRange'
import type { Trends } from '../generated/Trends'

function over(of: ServiceHealth, line: TrendLine | undefined): ServiceHealth {
  const kept: ServiceHealth = { ...of, requests: line?.requests ?? 0, hour: line?.parts ?? [] }
  delete kept.success_rate
  delete kept.p50_ms
  delete kept.p95_ms
  if (!line) return kept
  return {
    ...kept,
    success_rate: line.success_rate,
    ...(line.p50_ms === undefined ? {} : { p50_ms: line.p50_ms }),
    ...(line.p95_ms === undefined ? {} : { p95_ms: line.p95_ms }),
  }
}

/** The providers with the figures of a range. Those of the last hour since the start stand in until the others are known. */
export function withTrends(providers: ProviderHealth[], trends: Trends | null, range: TrendRange): ProviderHealth[] {
  return providers.map((provider) => ({
    ...provider,
    services: provider.services.map((of) => {
      const line = trends?.lines.find((one) => one.provider === provider.name && one.service === of.service)
      // The sandbox keeps no ledger.
      if (range === 'hour' && (line?.requests ?? 0) < of.requests) return of
      return over(of, line)
    }),
  }))
}
