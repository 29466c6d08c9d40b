/** The system check: run once, shown in a list and beside the settings concerned. */
import type { Diagnostic } from '../generated/Diagnostic'
import type { Aura } from '../lib/aura.svelte'
import { sayThrown } from '../lib/say'

export class SystemCheck {
  findings = $state.raw<Diagnostic[] | null>(null)
  checking = $state(false)
  problem = $state('')

  constructor(readonly aura: Aura) {}

  async run(): Promise<void> {
    this.checking = true
    this.problem = ''
    try {
      this.findings = await this.aura.backend.call('doctor', {})
    } catch (thrown) {
      this.problem = sayThrown(thrown)
    }
    this.checking = false
  }

  /** The failed check of an area, if any. */
  problemIn(area: string): Diagnostic | undefined {
    return this.findings?.find((finding) => finding.area === area && !finding.ok)
  }
}
