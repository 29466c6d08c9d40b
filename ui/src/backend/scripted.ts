/** Parts of the scripted backend: access with a token, and changes of the settings. */
import type { Access, TokenState } from './types'

/** Access to a page that has no token yet. */
export function accessWith(token: string): Access {
  const watchers = new Set<Parameters<Access['watch']>[0]>()
  let state: TokenState = 'missing'
  const become = (now: TokenState) => {
    state = now
    for (const watcher of watchers) watcher(now)
  }
  return {
    state: () => state,
    watch: (listener) => {
      watchers.add(listener)
      return () => watchers.delete(listener)
    },
    signIn: async (given) => {
      become(given === token ? 'accepted' : 'rejected')
      if (given !== token) throw { code: 'invalid_request', message: 'Refused.' }
      return Promise.resolve()
    },
    signOut: () => become('missing'),
  }
}

/** Merges a change into a value: `null` removes a field, and a value with a `kind` is replaced as a whole. */
export function merge(value: unknown, change: unknown): unknown {
  if (typeof change !== 'object' || change === null || Array.isArray(change) || 'kind' in change) return change
  const merged = new Map(Object.entries(typeof value === 'object' && value !== null ? value : {}))
  for (const [name, part] of Object.entries(change)) {
    if (part === null) merged.delete(name)
    else merged.set(name, merge(merged.get(name), part))
  }
  return Object.fromEntries(merged)
}
