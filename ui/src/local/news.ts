/** What is said about downloads: to a screen reader, and in the bar that every panel shows. Pure apart from the messages. */
import type { LocalModelsView } from '../generated/LocalModelsView'
import type { LocalModelView } from '../generated/LocalModelView'
import { percent } from '../lib/format'
import { t } from '../lib/messages'
import { sayError } from '../lib/say'
import { size } from '../lib/sizes'
import { isRunning } from './list'

/** How far a download is, 0 to 1. */
export function fraction({ state }: LocalModelView): number {
  if (state.state !== 'downloading' && state.state !== 'paused') return state.state === 'checking' ? 1 : 0
  return state.total_bytes > 0 ? Math.min(1, state.done_bytes / state.total_bytes) : 0
}

const quarter = (model: LocalModelView) => Math.floor(fraction(model) * 4)

function newsOf(model: LocalModelView, before: LocalModelView): string {
  const { state } = model
  const was = before.state.state
  switch (state.state) {
    case 'downloading':
      if (was !== 'downloading') return t.local.started(model.label, size(model.size_bytes))
      return quarter(model) > quarter(before) && quarter(model) < 4 ? t.local.part(model.label, percent(quarter(model) / 4)) : ''
    case 'paused':
      if (was === 'paused') return ''
      return state.error ? t.local.pausedBecause(model.label, sayError(state.error)) : t.local.paused(model.label)
    case 'failed':
      return was === 'failed' ? '' : t.local.failed(model.label, sayError(state.error))
    case 'installed':
      return was === 'installed' ? '' : ready(model)
    default:
      return ''
  }
}

/** What changed from one view to the next, in sentences: starts and ends, and each quarter of a download. */
export const news = (before: LocalModelsView, after: LocalModelsView): string[] =>
  after.models.flatMap((model) => {
    const old = before.models.find((one) => one.id === model.id)
    const text = old ? newsOf(model, old) : ''
    return text === '' ? [] : [text]
  })

/** That a model is there. */
export const ready = (model: LocalModelView) => t.local.ready(model.label)

/** What the bar shows. */
export type Bar =
  | { kind: 'trouble'; model: LocalModelView; text: string; resumable: boolean }
  | { kind: 'running'; models: LocalModelView[]; done: number; total: number; rate: number }
  | { kind: 'ready'; models: LocalModelView[] }

/** Trouble first, then what is under way, then what has arrived. */
export function barOf(view: LocalModelsView | null, arrived: string[], dismissed: string[]): Bar | null {
  if (!view) return null
  for (const model of view.models) {
    const { state } = model
    if (dismissed.includes(model.id)) continue
    if (state.state === 'paused' && state.error)
      return { kind: 'trouble', model, text: t.local.pausedBecause(model.label, sayError(state.error)), resumable: true }
    if (state.state === 'failed')
      return { kind: 'trouble', model, text: t.local.failed(model.label, sayError(state.error)), resumable: false }
  }
  const running = view.models.filter(isRunning)
  if (running.length > 0) return { kind: 'running', models: running, ...total(running, view) }
  const models = view.models.filter((model) => arrived.includes(model.id))
  return models.length > 0 ? { kind: 'ready', models } : null
}

/** The bytes of all downloads together, with the library that speech models need. */
function total(models: LocalModelView[], view: LocalModelsView) {
  const sum = { done: 0, total: 0, rate: 0 }
  for (const { state, size_bytes } of [...models, ...(isRunning(view.runtime) ? [view.runtime] : [])]) {
    const loading = state.state === 'downloading'
    sum.done += loading ? state.done_bytes : size_bytes
    sum.total += loading ? state.total_bytes : size_bytes
    sum.rate += loading ? state.bytes_per_second : 0
  }
  return sum
}
