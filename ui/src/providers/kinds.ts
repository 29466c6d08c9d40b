/** The kinds of providers that can be added. Pure. */
import type { ServerView } from '../generated/ServerView'
import type { Snapshot } from '../generated/Snapshot'
import { t } from '../lib/messages'
import { keyLinks } from './key-links'

export const custom = 'custom'

export interface Kind {
  /** The provider's name, or the preset of a server. */
  name: string
  label: string
  /** Whether AURA knows the provider, so that only its key is missing. */
  known: boolean
  base_url: string
  local: boolean
  needs_key: boolean
  found: boolean
}

/** Known providers without a key, then servers: the detected ones first, and one of any other kind last. */
export function kindsOf(snapshot: Snapshot, servers: ServerView[]): Kind[] {
  const known = snapshot.providers
    .filter((provider) => provider.needs_key && !provider.key && !servers.some((server) => server.preset === provider.name))
    .map(({ name, label }): Kind => ({ name, label, known: true, base_url: '', local: false, needs_key: true, found: false }))
  const kinds = servers
    .filter((server) => server.preset !== custom)
    .map(({ preset, label, base_url, local, needs_key, found }): Kind => ({
      name: preset,
      label,
      known: false,
      base_url: base_url ?? '',
      local,
      needs_key,
      found,
    }))
  return [...known, ...kinds, customKind()]
}

/** A server of any other kind. */
export const customKind = (): Kind => ({
  name: custom,
  label: t.providers.customServer,
  known: false,
  base_url: '',
  local: false,
  needs_key: false,
  found: false,
})

/** A line below the name of a kind. */
export function remarkOf(kind: Kind): string {
  if (kind.found) return t.providers.remark.found
  if (kind.name === custom) return t.providers.remark.custom
  if (kind.local) return t.providers.remark.local
  return keyLinks[kind.name]?.free ? t.providers.remark.free : t.providers.remark.cloud
}

/** A name for a further provider of a kind: "ollama", then "ollama-2". */
export function freeName(kind: Kind, taken: Set<string>): string {
  if (kind.name === custom) return ''
  if (kind.known || !taken.has(kind.name)) return kind.name
  for (let i = 2; ; i++) if (!taken.has(`${kind.name}-${i}`)) return `${kind.name}-${i}`
}
