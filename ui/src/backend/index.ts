import type { Backend } from './types'
import { connectWindow } from './window'

export { asFailure, type Failure } from './failure'
export type { AuraEvent, Backend, Entry, Need, OperationName, Request, Response } from './types'

/** The backend that fits where this page runs. */
export async function connect(): Promise<Backend> {
  const own = await connectWindow()
  if (own) return own
  // Loaded where it is needed only: the window starts without it.
  const { HttpBackend } = await import('./http')
  return new HttpBackend()
}
