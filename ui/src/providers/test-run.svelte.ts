/** One test call and its result. */
import { asFailure, type Failure } from '../backend'
import type { Test } from '../generated/Test'
import type { TestResult } from '../generated/TestResult'
import type { Aura } from '../lib/aura.svelte'

export class TestRun {
  running = $state(false)
  result = $state.raw<TestResult | null>(null)
  failure = $state.raw<Failure | null>(null)
  /** The latest request. */
  request = $state.raw<Test | null>(null)

  constructor(readonly aura: Aura) {}

  async run(request: Test): Promise<void> {
    if (this.running) return
    this.request = request
    this.running = true
    this.result = null
    this.failure = null
    try {
      this.result = await this.aura.backend.call('test', request)
    } catch (thrown) {
      this.failure = asFailure(thrown)
    }
    this.running = false
    // The test call appears in health and usage.
    void this.aura.health.load()
  }
}
