/** Starting several downloads with one press. */
import type { LocalModelView } from '../generated/LocalModelView'
import type { Aura } from '../lib/aura.svelte'
import { isHere } from './list'

/** Downloads those of the models that are not there; an error is shown once. */
export async function download(aura: Aura, models: LocalModelView[]): Promise<void> {
  try {
    for (const { id } of models.filter((model) => !isHere(model))) await aura.local.act('download_model', { id })
  } catch (thrown) {
    aura.notifyError(thrown)
  }
}
