/** Applies each setting as it is changed, and keeps the error of each. */
import type { Aura, Changes } from '../lib/aura.svelte'
import { sayThrown } from '../lib/say'

export class Form {
  /** Error of the last change, by the setting's name, such as `listening.mode`. */
  problems = $state<Record<string, string>>({})
  /** Number of saved changes, so that each is announced. */
  saved = $state(0)

  constructor(readonly aura: Aura) {}

  isFromEnvironment(name: string): boolean {
    return this.aura.isFromEnvironment(name)
  }

  async apply(name: string, changes: Changes): Promise<boolean> {
    try {
      await this.aura.set(changes)
      this.problems[name] = ''
      this.saved += 1
      return true
    } catch (thrown) {
      this.problems[name] = sayThrown(thrown)
      return false
    }
  }

  /** Applies a list's value; resets the list on failure. */
  async pick(name: string, select: HTMLSelectElement, before: string, changes: Changes): Promise<void> {
    if (!(await this.apply(name, changes))) select.value = before
  }

  /** Applies a checkbox; resets it on failure. */
  async tick(name: string, box: HTMLInputElement, changes: Changes): Promise<void> {
    const wanted = box.checked
    if (!(await this.apply(name, changes))) box.checked = !wanted
  }
}
