import type { ErrorCode } from '../generated/ErrorCode'
import type { Error as AuraError } from '../generated/Error'

/** The error of a rejected operation. Branch on the code; show the message. */
export type Failure = AuraError

/** Converts anything thrown to a failure: a broken connection may throw something other than `{code, message}`. */
export function asFailure(thrown: unknown): Failure {
  if (typeof thrown === 'object' && thrown !== null && 'code' in thrown && 'message' in thrown) {
    return thrown as Failure
  }
  const internal: ErrorCode = 'internal'
  return { code: internal, message: thrown instanceof Error ? thrown.message : String(thrown) }
}
