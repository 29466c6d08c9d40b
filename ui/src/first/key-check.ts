/** Whether a provider takes a key, by its free model list: no call is billed. */
import type { Backend } from '../backend'

export type Verdict = { kind: 'works'; models: number } | { kind: 'refused'; message: string } | { kind: 'unsure' }

/** How often and for how long the answer is looked for, milliseconds: the engine asks the provider in the background. */
export interface Patience {
  between: number
  longest: number
}

export const usualPatience: Patience = { between: 700, longest: 12_000 }

export async function checkKey(backend: Backend, provider: string, patience = usualPatience): Promise<Verdict> {
  const until = Date.now() + patience.longest
  for (;;) {
    const [snapshot, models] = await Promise.all([backend.call('snapshot', {}), backend.call('models', { provider })])
    const problem = snapshot.providers.find((known) => known.name === provider)?.problem
    if (problem !== undefined) return { kind: 'refused', message: problem }
    const live = models.filter((model) => model.source === 'live').length
    if (live > 0) return { kind: 'works', models: live }
    if (Date.now() >= until) return { kind: 'unsure' }
    await new Promise((resolve) => setTimeout(resolve, patience.between))
  }
}

/** How the keys of some providers begin. */
const beginnings: [string, string][] = [
  ['gsk_', 'groq'],
  ['AIza', 'gemini'],
  ['AQ.', 'gemini'],
  ['sk-or-', 'openrouter'],
  ['sk-', 'openai'],
]

/** Whose key this is, as far as its beginning tells. */
export const ownerOf = (key: string) => beginnings.find(([beginning]) => key.trim().startsWith(beginning))?.[1]
