/** Applies each setting as it is changed, and remembers next to which one something went wrong. */
import { asFailure } from '../backend'
import type { Aura, Changes } from '../lib/aura.svelte'

export class Form {
  /** By the setting's name, such as `listening.mode`: why its last change did not work. */
  problems = $state<Record<string, string>>({})
  /** Counts the changes that worked, so that each is announced. */
  saved = $state(0)

  constructor(readonly aura: Aura) {}

  held(name: string): boolean {
    return this.aura.held(name)
  }

  async apply(name: string, changes: Changes): Promise<boolean> {
    try {
      await this.aura.set(changes)
      this.problems[name] = ''
      this.saved += 1
      return true
    } catch (thrown) {
      this.problems[name] = asFailure(thrown).message
      return false
    }
  }

  /** A list: what could not be applied goes back to what it was. */
  async pick(name: string, select: HTMLSelectElement, before: string, changes: Changes): Promise<void> {
    if (!(await this.apply(name, changes))) select.value = before
  }

  /** A box to tick: likewise. */
  async tick(name: string, box: HTMLInputElement, changes: Changes): Promise<void> {
    const wanted = box.checked
    if (!(await this.apply(name, changes))) box.checked = !wanted
  }
}
