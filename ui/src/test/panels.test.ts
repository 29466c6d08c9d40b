/** Every panel in every state: its message and its accessibility. */
import { screen } from '@testing-library/svelte'
import { describe, expect, it } from 'vitest'
import { failing, type Script } from '../backend/fake'
import {
  busyLocalModels,
  freshSnapshot,
  readySnapshot,
  sampleHealth,
  sampleLocalModels,
  sampleModels,
  sampleTurn,
} from '../backend/samples'
import type { Snapshot } from '../generated/Snapshot'
import { setPreferences } from '../lib/preferences.svelte'
import { accessible, open, settle } from './harness'

const waits = () => new Promise<never>(() => undefined)
const fails = failing({ code: 'storage', message: 'The disk is full.' })
const turns = (count: number) =>
  Array.from({ length: count }, (_, i) => sampleTurn(`t${String(count - i).padStart(3, '0')}`, { transcript: `Question ${i}` }))

/** A list repeated 90 times. */
const ninety = <T>(one: T[]): T[] => Array.from({ length: 90 }, () => one).flat()

/** A snapshot with many servers. */
function crowded(): Snapshot {
  const snapshot = readySnapshot()
  const [first] = snapshot.providers
  const more = Array.from({ length: 12 }, (_, i) => ({ ...first, name: `server-${i}`, label: `Server ${i}` }))
  return { ...snapshot, providers: [...snapshot.providers, ...(more as Snapshot['providers'])] }
}

interface State {
  script: Script
  /** A text that identifies the state. */
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
    error: { script: { handlers: { history: fails } }, says: /Couldn’t load earlier questions/ },
  },
  'providers/models': {
    empty: { script: { snapshot: freshSnapshot(none), handlers: { models: () => [] } }, says: /No models yet/ },
    loading: { script: { handlers: { models: waits, servers: waits } }, says: /Loading models/ },
    one: { script: { snapshot: freshSnapshot(), handlers: { models: () => sampleModels().slice(0, 1) } }, says: /^1 model$/ },
    many: {
      script: {
        snapshot: crowded(),
        handlers: { models: () => ninety(sampleModels().slice(0, 1)).map((model, i) => ({ ...model, name: `model-${i}` })) },
      },
      says: /^90 models$/,
    },
    error: { script: { handlers: { models: fails, servers: fails, health: fails } }, says: /Couldn’t load the model list/ },
  },
  health: {
    empty: { script: { handlers: { health: () => quiet } }, says: /No fallbacks yet/ },
    loading: { script: { handlers: { health: waits, history: waits } }, says: /^Loading…$/ },
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
    error: { script: { handlers: { health: fails, history: fails } }, says: /Couldn’t load provider health/ },
  },
  history: {
    empty: { script: {}, says: /No history yet/ },
    loading: { script: { handlers: { history: waits } }, says: /^Loading…$/ },
    one: { script: { history: turns(1) }, says: /^Question 0$/ },
    many: { script: { history: turns(90) }, says: /^Load earlier$/ },
    error: { script: { handlers: { history: fails } }, says: /Couldn’t load the history/ },
  },
  settings: {
    empty: {
      script: {
        handlers: { devices: () => ({ microphones: [], speakers: [], screens: [], can_lower_sound: true }), doctor: () => [] },
      },
      says: /^System check$/,
    },
    loading: { script: { handlers: { devices: waits, doctor: waits } }, says: /^Looking for devices…$/ },
    one: { script: {}, says: /System default \(Headset\)/ },
    many: {
      script: {
        handlers: {
          devices: () => ({
            microphones: Array.from({ length: 9 }, (_, i) => ({ id: `m${i}`, label: `Microphone ${i}`, default: i === 0 })),
            speakers: [],
            screens: Array.from({ length: 9 }, (_, i) => ({ kind: 'window' as const, title: `Window ${i}` })),
            can_lower_sound: true,
          }),
        },
      },
      says: /^Microphone 8$/,
    },
    error: { script: { handlers: { devices: fails, doctor: fails } }, says: /Couldn’t list the audio and screen devices/ },
  },
}
// Every tab of the providers has states of its own.
panels.providers = {
  empty: { script: { snapshot: freshSnapshot(none) }, says: /^Not set up/ },
  loading: { script: { handlers: { models: waits, servers: waits } }, says: /^Speech to text$/ },
  one: { script: { snapshot: freshSnapshot() }, says: /^sound-check$/ },
  many: { script: { snapshot: crowded() }, says: /^gpt-oss-120b$/ },
  error: { script: { handlers: { models: fails, servers: fails, health: fails } }, says: /Couldn’t load the model list/ },
}
panels['providers/accounts'] = {
  empty: { script: { snapshot: freshSnapshot(none) }, says: /^Add a provider$/ },
  loading: { script: { handlers: { models: waits, servers: waits } }, says: /^Another server$/ },
  one: { script: { snapshot: freshSnapshot() }, says: /^nothing leaves this computer$/ },
  many: { script: { snapshot: crowded() }, says: /^Server 11$/ },
  error: { script: { handlers: { models: fails, servers: fails, health: fails } }, says: /Couldn’t load the model list/ },
}
panels['providers/local'] = {
  empty: { script: { local: sampleLocalModels({ models: [] }) }, says: /^There are no models/ },
  loading: { script: { handlers: { local_models: waits } }, says: /^Loading models…$/ },
  one: { script: { local: sampleLocalModels({ models: sampleLocalModels().models.slice(0, 1) }) }, says: /^Moonshine Base/ },
  many: {
    script: {
      local: sampleLocalModels({
        models: busyLocalModels()
          .models.flatMap((model) => [model, model, model, model, model])
          .map((model, i) => ({ ...model, id: `m${i}`, label: `Model ${i}` })),
      }),
    },
    says: /^40 models$/,
  },
  error: { script: { handlers: { local_models: fails } }, says: /Couldn’t load the list of models/ },
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

  it.each(Object.keys(panels))('%s, without its backend', async (panel) => {
    await open(panel, { handlers: { snapshot: failing({ code: 'internal', message: 'The engine did not answer.' }) } })
    expect(screen.getByRole('alert').textContent).toContain('The engine did not answer.')
    expect(screen.getByRole('button', { name: 'Try again' })).toBeTruthy()
    await accessible()
  })

  it.each(Object.keys(panels))('%s, when the connection is lost', async (panel) => {
    const { backend } = await open(panel, { history: turns(1) })
    backend.setConnected(false)
    await settle()
    expect(screen.getByText(/^Connection lost/)).toBeTruthy()
    await accessible()
  })

  it.each(every)('%s, %s, in other languages', async (panel, _, { script }) => {
    const { view } = await open(panel, script)
    for (const language of ['de', 'es'] as const) {
      setPreferences({ language })
      await settle()
      expect(screen.getAllByRole('heading', { level: 1 })).toHaveLength(1)
      expect(view.container.textContent).not.toMatch(/undefined|NaN|\[object/)
    }
  })
})
