/** Plays a stored answer until it ends or the user stops it. */
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
      this.aura.notifyError(thrown)
    }
    this.playing = false
  }
}
