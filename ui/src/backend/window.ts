/** The backend of a page inside the desktop app. In a file of its own, because the overlay needs no more. */
import { tauri } from './tauri'
import type { Backend } from './types'

export { dragOverlay, openLink } from './tauri'

/** Whether this page is in an ordinary browser, which opens links by itself. The app's windows open no other page. */
export const isBrowser = () => !('__TAURI_INTERNALS__' in window)

/** The backend, or null in an ordinary browser. */
export async function connectWindow(): Promise<Backend | null> {
  if (!isBrowser()) return tauri
  // `vite dev` in an ordinary browser: the scripted backend. The condition is false at build time, so it is never bundled.
  if (import.meta.env.DEV) {
    const { FakeBackend } = await import('./fake')
    return new FakeBackend({ pace: 1 })
  }
  return null
}
