/** Plays a kept answer again, until it ends or the person stops it. */
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
      this.aura.say(asFailure(thrown).message)
    }
    this.playing = false
  }
}
