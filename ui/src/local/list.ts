/** Which models are shown, and where. Pure. */
import type { LocalModelsView } from '../generated/LocalModelsView'
import type { LocalModelView } from '../generated/LocalModelView'
import type { Service } from '../generated/Service'

export const services: Service[] = ['stt', 'llm', 'vlm', 'tts']

export interface Filter {
  words: string
  /** A language code; empty: all. */
  language: string
  state: 'all' | 'here' | 'other'
}

export interface Group {
  service: Service
  models: LocalModelView[]
  /** Models that do not know the person's language. Empty while somebody searches. */
  otherLanguages: LocalModelView[]
  /** Models that need more memory than there is. */
  tooLarge: LocalModelView[]
  /** Models that do this too but are shown under another service. */
  also: LocalModelView[]
}

/** The service under which a model is shown: vision before answers, because fewer models can do it. */
export const shownUnder = (model: LocalModelView): Service | undefined =>
  model.services.includes('vlm') ? 'vlm' : services.find((service) => model.services.includes(service))

/** Whether a model needs disk space that it would not need if it had not been started. */
export const isHere = (model: Pick<LocalModelView, 'state'>) => model.state.state !== 'available'

export const isRunning = (model: Pick<LocalModelView, 'state'>) =>
  model.state.state === 'downloading' || model.state.state === 'checking'

/** The models of a filter by service, in an order that no download changes: suggested ones first, then as listed. */
export function grouped(view: LocalModelsView, filter: Filter, own: string, textOf: (model: LocalModelView) => string): Group[] {
  const terms = filter.words.toLowerCase().split(/\s+/).filter(Boolean)
  const found = view.models.filter((model) => {
    const text = textOf(model).toLowerCase()
    return (
      (filter.language === '' || speaks(model, filter.language)) &&
      (filter.state === 'all' || isHere(model) === (filter.state === 'here')) &&
      terms.every((term) => text.includes(term))
    )
  })
  const searching = filter.language !== '' || terms.length > 0
  const rank = (model: LocalModelView) => {
    const at = view.suggested.indexOf(model.id)
    return at === -1 ? view.suggested.length : at
  }
  return services.map((service) => {
    const listed = found.filter((model) => shownUnder(model) === service).toSorted((a, b) => rank(a) - rank(b))
    const large = (model: LocalModelView) => model.fits === 'no' && !isHere(model)
    const foreign = (model: LocalModelView) =>
      !large(model) && !searching && !isHere(model) && !view.suggested.includes(model.id) && !speaks(model, own)
    return {
      service,
      models: listed.filter((model) => !large(model) && !foreign(model)),
      otherLanguages: listed.filter(foreign),
      tooLarge: listed.filter(large),
      also: found.filter((model) => model.services.includes(service) && shownUnder(model) !== service && !large(model)),
    }
  })
}

/** Whether a model knows a language. One that lists none is not bound to any. */
export const speaks = (model: LocalModelView, language: string) =>
  model.languages.length === 0 || model.languages.includes(language)

/** Every language that a model lists. */
export const languagesOf = (models: LocalModelView[]) => [...new Set(models.flatMap((model) => model.languages))]

const suggested = (view: LocalModelsView) => view.suggested.flatMap((id) => view.models.find((model) => model.id === id) ?? [])

/** The suggested models that hear and speak. */
export const speechModels = (view: LocalModelsView) =>
  suggested(view).filter((model) => model.services.includes('stt') || model.services.includes('tts'))

/**
 * Two or three language models of different size to begin with: the suggested ones, else one of them with the first listed that is
 * clearly smaller and the first that is clearly larger. Models that see are no first choice: they are larger than what they know.
 */
export function answerModels(view: LocalModelsView, own: string): LocalModelView[] {
  const able = view.models.filter(
    (model) => shownUnder(model) === 'llm' && (model.fits !== 'no' || isHere(model)) && speaks(model, own),
  )
  const first = suggested(view).filter((model) => able.includes(model))
  if (first.length >= 2) return first.slice(0, 3).toSorted(bySize)
  const [middle] = [...first, ...able.filter((model) => model.fits === 'yes'), ...able]
  if (!middle) return []
  const smaller = able.find((model) => model.size_bytes < middle.size_bytes / 1.5)
  const larger = able.find((model) => model.size_bytes > middle.size_bytes * 1.5)
  return [smaller, middle, larger].filter((model) => model !== undefined)
}

const bySize = (a: LocalModelView, b: LocalModelView) => a.size_bytes - b.size_bytes

/** Whether a model needs the library of the speech models. */
const needsRuntime = (model: LocalModelView) => model.services.includes('stt') || model.services.includes('tts')

/** Whether a download of those of the models that are not there brings the library with it. */
export const bringsRuntime = (view: LocalModelsView, models: LocalModelView[]) =>
  view.runtime.state.state === 'available' && models.some((model) => !isHere(model) && needsRuntime(model))

/** What a download of those of the models that are not there takes, with the library that they need. */
export function missingBytes(view: LocalModelsView, models: LocalModelView[]): number {
  const missing = models.filter((model) => !isHere(model))
  return missing.reduce((sum, model) => sum + model.size_bytes, bringsRuntime(view, models) ? view.runtime.size_bytes : 0)
}
