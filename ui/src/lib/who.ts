import type { Attempt } from '../generated/Attempt'
import type { Snapshot } from '../generated/Snapshot'

/**
 * The name of the provider that is being asked for the answer: the one that was `named`, else the first of the current routes that has
 * not failed in this turn.
 */
export function whoThinks(snapshot: Snapshot | null, attempts: Attempt[], seen: boolean, named?: string): string {
  const service = seen ? 'vlm' : 'llm'
  const failed = attempts.filter((one) => one.service === service && one.class !== undefined).map((one) => one.route.provider)
  const routes = snapshot?.routes.find((view) => view.service === service)?.routes ?? []
  const asked = named ?? routes.find((route) => !failed.includes(route.provider))?.provider
  return snapshot?.providers.find((known) => known.name === asked)?.label ?? ''
}
