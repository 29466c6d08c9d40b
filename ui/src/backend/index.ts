import type { Backend } from './types'
import { connectWindow } from './window'

export { asFailure, type Failure } from './failure'
export type { Access, AuraEvent, Backend, OperationName, Request, Response, TokenState } from './types'

/** The backend for the environment that this page runs in. */
export async function connect(): Promise<Backend> {
  const own = await connectWindow()
  if (own) return own
  // Loaded only in a browser, so that the window starts without it.
  const { HttpBackend } = await import('./http')
  return new HttpBackend()
}
