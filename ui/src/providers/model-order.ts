/** Sorting of the model list. Pure. */
import type { ModelView } from '../generated/ModelView'
import type { Service } from '../generated/Service'

export type Column = 'name' | 'context' | 'price' | 'ends'
export interface Order {
  column: Column
  descending: boolean
}

/** Whether a model can no longer be used. ISO dates compare as strings. */
export const isRetired = (model: ModelView, today: string) =>
  model.problem !== undefined || (model.retired_on !== undefined && model.retired_on <= today)

const units = ['1M tokens', 'hour of audio', '1M characters']

/** What is compared; `null` is unknown and stays at the end. */
function valueOf(model: ModelView, column: Column): number | string | null {
  switch (column) {
    case 'name':
      return model.name.slice(model.name.lastIndexOf('/') + 1).toLowerCase()
    case 'context':
      return model.context ?? null
    case 'price':
      return model.price ? model.price.input + (model.price.output ?? 0) : null
    case 'ends':
      return model.retired_on ?? null
  }
}

/** The models in an order. Prices of different units cannot be compared: each unit is a group, the service's own first. */
export function sorted(models: ModelView[], order: Order | null, service: Service | ''): ModelView[] {
  if (!order) return models
  const unitOf = (model: ModelView) => {
    const at = units.indexOf(model.price?.unit ?? '')
    const own = service === 'stt' ? 1 : service === 'tts' ? 2 : 0
    return at === own ? -1 : at
  }
  return models.toSorted((a, b) => {
    const [one, other] = [valueOf(a, order.column), valueOf(b, order.column)]
    if (one === null || other === null) return Number(one === null) - Number(other === null)
    if (order.column === 'price' && unitOf(a) !== unitOf(b)) return unitOf(a) - unitOf(b)
    const by = one < other ? -1 : one > other ? 1 : 0
    return order.descending ? -by : by
  })
}
