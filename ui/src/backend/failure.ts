import type { Code } from '../generated/Code'
import type { Error as AuraError } from '../generated/Error'

/** What a rejected operation carries. Branch on the code; show the message. */
export type Failure = AuraError

/** Whatever was thrown, as a failure. A door that breaks may throw something else than `{code, message}`. */
export function asFailure(thrown: unknown): Failure {
  if (typeof thrown === 'object' && thrown !== null && 'code' in thrown && 'message' in thrown) {
    return thrown as Failure
  }
  const internal: Code = 'internal'
  return { code: internal, message: thrown instanceof Error ? thrown.message : String(thrown) }
}
