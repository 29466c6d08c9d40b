/** Checks an API key by the provider's free model list: no call is billed. */
import type { Backend } from '../backend'
import { sayProviderProblem } from '../lib/say'

export type Verdict = { kind: 'works'; models: number } | { kind: 'refused'; message: string } | { kind: 'unsure' }

/** Polling of the result, milliseconds: AURA loads the model list in the background. */
export interface Polling {
  interval: number
  timeout: number
}

export const defaultPolling: Polling = { interval: 700, timeout: 12_000 }

export async function checkKey(backend: Backend, provider: string, polling = defaultPolling): Promise<Verdict> {
  const until = Date.now() + polling.timeout
  for (;;) {
    const [snapshot, models] = await Promise.all([backend.call('snapshot', {}), backend.call('models', { provider })])
    const known = snapshot.providers.find((one) => one.name === provider)
    if (known?.problem !== undefined) return { kind: 'refused', message: sayProviderProblem(known) }
    const live = models.filter((model) => model.source === 'live').length
    if (live > 0) return { kind: 'works', models: live }
    if (Date.now() >= until) return { kind: 'unsure' }
    await new Promise((resolve) => setTimeout(resolve, polling.interval))
  }
}

/** Prefixes of some providers' API keys. */
const beginnings: [string, string][] = [
  ['gsk_', 'groq'],
  ['AIza', 'gemini'],
  ['AQ.', 'gemini'],
  ['sk-or-', 'openrouter'],
  ['sk-', 'openai'],
]

/** The provider of an API key, guessed from its prefix. */
export const providerOfKey = (key: string) => beginnings.find(([beginning]) => key.trim().startsWith(beginning))?.[1]
