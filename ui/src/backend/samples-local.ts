/** Sample models of this computer. */
import type { LocalModelsView } from '../generated/LocalModelsView'
import type { LocalModelView } from '../generated/LocalModelView'
import type { RouteView } from '../generated/RouteView'
import type { Snapshot } from '../generated/Snapshot'

export const sampleLocalModel = (id: string, label: string, more: Partial<LocalModelView> = {}): LocalModelView => ({
  id,
  label,
  services: ['stt'],
  languages: ['en'],
  description: 'Small and quick; clear speech in a quiet room.',
  size_bytes: 77_000_000,
  memory_bytes: 300_000_000,
  license: 'MIT',
  source_url: `https://huggingface.co/example/${id}`,
  checksum: 'catalog',
  fits: 'yes',
  state: { state: 'available' },
  used_for: [],
  ...more,
})

const most = ['en', 'de', 'fr', 'es', 'it', 'pt', 'nl', 'pl', 'uk', 'ja', 'zh', 'ko', 'hi', 'tr']

/** One model of each kind; nothing is downloaded. */
export const sampleLocalModels = (more: Partial<LocalModelsView> = {}): LocalModelsView => ({
  models: [
    sampleLocalModel('moonshine-base', 'Moonshine Base'),
    sampleLocalModel('whisper-base', 'Whisper Base', {
      languages: most,
      description: 'Recognises the language by itself; a little slower.',
      size_bytes: 148_000_000,
      memory_bytes: 500_000_000,
    }),
    sampleLocalModel('qwen3-0.6b', 'Qwen3 0.6B', {
      services: ['llm'],
      languages: most,
      description: 'Short answers and simple questions, also on an old computer.',
      size_bytes: 484_000_000,
      memory_bytes: 900_000_000,
      license: 'Apache-2.0',
    }),
    sampleLocalModel('qwen3-1.7b', 'Qwen3 1.7B', {
      services: ['llm'],
      languages: most,
      description: 'Everyday questions; a good balance of speed and knowledge.',
      size_bytes: 1_282_000_000,
      memory_bytes: 2_100_000_000,
      license: 'Apache-2.0',
    }),
    sampleLocalModel('gemma3-4b', 'Gemma 3 4B', {
      services: ['llm', 'vlm'],
      languages: most,
      description: 'Thorough answers, and questions about what is on the screen.',
      size_bytes: 3_300_000_000,
      memory_bytes: 5_200_000_000,
      license: 'Gemma',
      fits: 'tight',
    }),
    sampleLocalModel('qwen3-8b', 'Qwen3 8B', {
      services: ['llm'],
      languages: most,
      description: 'The most knowledge; for computers with a lot of memory.',
      size_bytes: 5_030_000_000,
      memory_bytes: 9_400_000_000,
      license: 'Apache-2.0',
      fits: 'no',
    }),
    sampleLocalModel('piper-joe', 'Piper Joe', {
      services: ['tts'],
      description: 'A calm male voice.',
      size_bytes: 63_200_000,
      memory_bytes: 150_000_000,
    }),
    sampleLocalModel('piper-thorsten', 'Piper Thorsten', {
      services: ['tts'],
      languages: ['de'],
      description: 'A clear male voice.',
      size_bytes: 63_500_000,
      memory_bytes: 150_000_000,
    }),
  ],
  disk_used: 0,
  disk_free: 48_200_000_000,
  memory_total: 8_200_000_000,
  runtime: {
    label: 'ONNX Runtime 1.32.0',
    size_bytes: 34_800_000,
    license: 'MIT',
    source_url: 'https://onnxruntime.ai',
    state: { state: 'available' },
  },
  folder: '/home/me/.local/share/aura/models',
  suggested: ['moonshine-base', 'piper-joe', 'qwen3-1.7b'],
  ...more,
})

/** The models with changes by id. */
export const withModels = (
  changes: Record<string, Partial<LocalModelView>>,
  more: Partial<LocalModelsView> = {},
): LocalModelsView => {
  const view = sampleLocalModels(more)
  return { ...view, models: view.models.map((model) => ({ ...model, ...changes[model.id] })) }
}

/** A model under way, one that was interrupted, one that failed and two in use. */
export const busyLocalModels = (): LocalModelsView =>
  withModels(
    {
      'moonshine-base': { state: { state: 'installed' }, used_for: ['stt'] },
      'whisper-base': { state: { state: 'checking' } },
      'qwen3-0.6b': { state: { state: 'installed' } },
      'qwen3-1.7b': {
        state: { state: 'downloading', done_bytes: 431_000_000, total_bytes: 1_282_000_000, bytes_per_second: 4_200_000 },
      },
      'gemma3-4b': {
        state: {
          state: 'paused',
          done_bytes: 1_410_000_000,
          total_bytes: 3_300_000_000,
          error: { code: 'internal', message: 'The connection broke. Check the network, then resume.' },
        },
      },
      'piper-joe': { state: { state: 'installed' }, used_for: ['tts'] },
      'piper-thorsten': {
        state: {
          state: 'failed',
          error: { code: 'internal', message: 'The file is damaged: it was changed at its source. Try again later.' },
        },
      },
    },
    { disk_used: 2_465_000_000, runtime: { ...sampleLocalModels().runtime, state: { state: 'installed' } } },
  )

/** A computer without an account whose own models do what they can. */
export const localRoutes = (): RouteView[] =>
  (['stt', 'llm', 'vlm', 'tts'] as const).map((service) => ({
    service,
    routes: [{ provider: 'offline', model: 'built-in' }],
  }))

/** The routes with the model that each uses on this computer: the preferred one, then the first, that knows the language. */
export function withModelsInUse(snapshot: Snapshot, local: LocalModelsView): Snapshot {
  const spoken = snapshot.settings.listening.language
  const routes = snapshot.routes.map((view): RouteView => {
    const rest = { ...view }
    delete rest.local_model
    const first = view.routes[0]
    if (first?.provider !== 'offline') return rest
    const able = local.models
      .filter((model) => model.state.state === 'installed' && model.services.includes(view.service))
      .toSorted((a, b) => Number(b.used_for.includes(view.service)) - Number(a.used_for.includes(view.service)))
    const known = able.find((model) =>
      spoken === undefined
        ? view.service !== 'stt' || model.languages.length !== 1
        : model.languages.length === 0 || model.languages.includes(spoken),
    )
    const writes = view.service === 'llm' || view.service === 'vlm' || spoken === undefined
    const model = able.find((one) => one.id === first.model) ?? known ?? (writes ? able[0] : undefined)
    return model ? { ...rest, local_model: model.id } : rest
  })
  return { ...snapshot, routes }
}
