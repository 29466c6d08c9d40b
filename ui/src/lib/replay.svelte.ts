/** Plays a stored answer until it ends or the user stops it. */
import { asFailure } from '../backend'
import type { Aura } from './aura.svelte'

export class Replay {
  playing = $state(false)

  constructor(readonly aura: Aura) {}

  async toggle(id: string): Promise<void> {
    if (this.playing) {
      this.playing = false
      this.aura.cancel()
      return
    }
    this.playing = true
    try {
      await this.aura.backend.call('replay', { id })
    } catch (thrown) {
      this.aura.notify(asFailure(thrown).message)
    }
    this.playing = false
  }
}
