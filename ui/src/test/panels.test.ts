/** Every panel in every state it can be in: it says what is the matter, and nobody is shut out. */
import { screen } from '@testing-library/svelte'
import { describe, expect, it } from 'vitest'
import { failing, type Script } from '../backend/fake'
import { freshSnapshot, readySnapshot, sampleHealth, sampleModels, sampleTurn } from '../backend/samples'
import type { Snapshot } from '../generated/Snapshot'
import { prefer } from '../lib/preferences.svelte'
import { accessible, open, settle } from './stage'

const waits = () => new Promise<never>(() => undefined)
const fails = failing({ code: 'storage', message: 'The disk is full.' })
const turns = (count: number) =>
  Array.from({ length: count }, (_, i) => sampleTurn(`t${String(count - i).padStart(3, '0')}`, { transcript: `Question ${i}` }))

/** The same over and over. */
const ninety = <T>(one: T[]): T[] => Array.from({ length: 90 }, () => one).flat()

/** As many servers as somebody may have set up. */
function crowded(): Snapshot {
  const snapshot = readySnapshot()
  const [first] = snapshot.providers
  const more = Array.from({ length: 12 }, (_, i) => ({ ...first, name: `server-${i}`, label: `Server ${i}` }))
  return { ...snapshot, providers: [...snapshot.providers, ...(more as Snapshot['providers'])] }
}

interface State {
  script: Script
  /** A sentence that tells the state from the others. */
  says: RegExp
}
type States = Record<'empty' | 'loading' | 'one' | 'many' | 'error', State>

const none = { providers: [], routes: [] }
const quiet = { ...sampleHealth(), status: 'unavailable' as const, fallbacks: [], providers: [] }
const panels: Record<string, States> = {
  talk: {
    empty: { script: {}, says: /For example/ },
    loading: { script: { handlers: { history: waits } }, says: /Loading the conversation/ },
    one: { script: { history: turns(1) }, says: /Question 0/ },
    many: { script: { history: turns(50) }, says: /Question 49/ },
    error: { script: { handlers: { history: fails } }, says: /Earlier questions could not be loaded/ },
  },
  providers: {
    empty: { script: { snapshot: freshSnapshot(none), handlers: { models: () => [] } }, says: /No models are known yet/ },
    loading: { script: { handlers: { models: waits, servers: waits } }, says: /Loading models/ },
    one: { script: { snapshot: freshSnapshot(), handlers: { models: () => sampleModels().slice(0, 1) } }, says: /^1 model$/ },
    many: {
      script: {
        snapshot: crowded(),
        handlers: { models: () => ninety(sampleModels().slice(0, 1)).map((model, i) => ({ ...model, name: `model-${i}` })) },
      },
      says: /^90 models$/,
    },
    error: { script: { handlers: { models: fails, servers: fails, health: fails } }, says: /model list could not be loaded/ },
  },
  health: {
    empty: { script: { handlers: { health: () => quiet } }, says: /Nobody had to step in yet/ },
    loading: { script: { handlers: { health: waits, history: waits } }, says: /^Looking$/ },
    one: { script: { history: turns(1), handlers: { health: () => sampleHealth() } }, says: /Groq timed out while transcribing/ },
    many: {
      script: {
        history: turns(12),
        handlers: {
          health: () => ({ ...sampleHealth(), fallbacks: ninety(sampleHealth().fallbacks.slice(0, 1)) }),
        },
      },
      says: /^Show more$/,
    },
    error: { script: { handlers: { health: fails, history: fails } }, says: /How the providers are could not be asked/ },
  },
  history: {
    empty: { script: {}, says: /Nothing yet/ },
    loading: { script: { handlers: { history: waits } }, says: /^Loading$/ },
    one: { script: { history: turns(1) }, says: /^Question 0$/ },
    many: { script: { history: turns(90) }, says: /^Earlier ones$/ },
    error: { script: { handlers: { history: fails } }, says: /The history could not be loaded/ },
  },
  settings: {
    empty: {
      script: { handlers: { devices: () => ({ microphones: [], speakers: [], screens: [] }), doctor: () => [] } },
      says: /^What works on this computer$/,
    },
    loading: { script: { handlers: { devices: waits, doctor: waits } }, says: /^Looking for devices$/ },
    one: { script: {}, says: /As the system \(Headset\)/ },
    many: {
      script: {
        handlers: {
          devices: () => ({
            microphones: Array.from({ length: 9 }, (_, i) => ({ id: `m${i}`, label: `Microphone ${i}`, default: i === 0 })),
            speakers: [],
            screens: Array.from({ length: 9 }, (_, i) => ({ kind: 'window' as const, title: `Window ${i}` })),
          }),
        },
      },
      says: /^Microphone 8$/,
    },
    error: { script: { handlers: { devices: fails, doctor: fails } }, says: /The devices could not be listed/ },
  },
}
const every = Object.entries(panels).flatMap(([panel, states]) =>
  Object.entries(states).map(([name, state]) => [panel, name, state] as const),
)

describe('the panel', () => {
  it.each(every)('%s, %s', async (panel, _, { script, says }) => {
    await open(panel, script)
    expect(screen.getAllByText(says).length).toBeGreaterThan(0)
    expect(screen.getAllByRole('heading', { level: 1 })).toHaveLength(1)
    await accessible()
  })

  it.each(Object.keys(panels))('%s, without its engine', async (panel) => {
    await open(panel, { handlers: { snapshot: failing({ code: 'internal', message: 'The engine did not answer.' }) } })
    expect(screen.getByRole('alert').textContent).toContain('The engine did not answer.')
    expect(screen.getByRole('button', { name: 'Try again' })).toBeTruthy()
    await accessible()
  })

  it.each(Object.keys(panels))('%s, when the connection is lost', async (panel) => {
    const { backend } = await open(panel, { history: turns(1) })
    backend.hold(false)
    await settle()
    expect(screen.getByText(/The connection to AURA is lost/)).toBeTruthy()
    await accessible()
  })

  it.each(every)('%s, %s, speaks German', async (panel, _, { script }) => {
    prefer({ language: 'de' })
    const { view } = await open(panel, script)
    expect(screen.getAllByRole('heading', { level: 1 })).toHaveLength(1)
    expect(view.container.textContent).not.toMatch(/undefined|NaN|\[object/)
  })
})
