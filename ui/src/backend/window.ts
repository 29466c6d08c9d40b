/** The backend of a page that lies in a window of the desktop app: all that the overlay needs. */
import { tauri } from './tauri'
import type { Backend } from './types'

/** Null in an ordinary browser. */
export async function connectWindow(): Promise<Backend | null> {
  if ('__TAURI_INTERNALS__' in window) return tauri
  // `vite dev` in an ordinary browser: the scripted backend. The condition is false at build time, so it is never bundled.
  if (import.meta.env.DEV) {
    const { FakeBackend } = await import('./fake')
    return new FakeBackend({ pace: 1 })
  }
  return null
}
