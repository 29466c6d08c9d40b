import { tauri } from './tauri'
import type { Backend } from './types'

export { asFailure, type Failure } from './failure'
export type { AuraEvent, Backend, OperationName, Request, Response } from './types'

/** The backend that fits where this page runs. */
export async function connect(): Promise<Backend> {
  // `vite dev` in an ordinary browser: the scripted backend. The condition is false at build time, so it is never bundled.
  if (import.meta.env.DEV && !('__TAURI_INTERNALS__' in window)) {
    const { FakeBackend } = await import('./fake')
    return new FakeBackend({ pace: 1 })
  }
  return tauri
}
