/** What works on this computer: looked at once, shown in a list and beside the settings that it concerns. */
import { asFailure } from '../backend'
import type { Finding } from '../generated/Finding'
import type { Aura } from '../lib/aura.svelte'

export class Doctor {
  findings = $state.raw<Finding[] | null>(null)
  checking = $state(false)
  problem = $state('')

  constructor(readonly aura: Aura) {}

  async check(): Promise<void> {
    this.checking = true
    this.problem = ''
    try {
      this.findings = await this.aura.backend.call('doctor', {})
    } catch (thrown) {
      this.problem = asFailure(thrown).message
    }
    this.checking = false
  }

  /** What does not work of an area. */
  trouble(area: string): Finding | undefined {
    return this.findings?.find((finding) => finding.area === area && !finding.ok)
  }
}
