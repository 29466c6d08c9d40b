/** Shared by the component tests: a window with a scripted backend, and the accessibility check. */
import { render } from '@testing-library/svelte'
import axe from 'axe-core'
import { tick } from 'svelte'
import { expect } from 'vitest'
import App from '../App.svelte'
import { FakeBackend, type Script } from '../backend/fake'
import { Aura } from '../lib/aura.svelte'
import { preferences } from '../lib/preferences.svelte'

/** Runs pending promises and effects. */
export async function settle(): Promise<void> {
  for (let i = 0; i < 6; i++) await new Promise((resolve) => setTimeout(resolve, 0))
  await tick()
}

export async function open(panel: string, script: Script = {}) {
  location.hash = panel
  const backend = new FakeBackend(script)
  // The settings hold the language; a test sets it through the preferences.
  backend.snapshot.settings.appearance.language = preferences.language
  const aura = new Aura(backend)
  const view = render(App, { aura })
  await settle()
  return { backend, aura, view }
}

/** A control's text as a user of voice control says it: without punctuation and icons. */
const spoken = (text: string) =>
  text
    .toLowerCase()
    .replace(/[^\p{L}\p{N}]+/gu, ' ')
    .trim()

/** Controls whose accessible name lacks their visible text, which voice control needs. axe finds them only with a layout. */
function misnamed(element: Element): string[] {
  return [...element.querySelectorAll('button[aria-label], a[aria-label], summary[aria-label]')].flatMap((control) => {
    const seen = control.cloneNode(true) as Element
    for (const hidden of seen.querySelectorAll('.visually-hidden, [aria-hidden="true"]')) hidden.remove()
    const name = control.getAttribute('aria-label') ?? ''
    return spoken(name).includes(spoken(seen.textContent)) ? [] : [`${name} does not say “${seen.textContent.trim()}”`]
  })
}

/** No violation. Both themes are alike here, because jsdom paints nothing: colours are measured in tokens.test.ts and in the real window. */
export async function accessible(element: Element = document.body): Promise<void> {
  expect(misnamed(element)).toEqual([])
  const rules = { 'color-contrast': { enabled: false }, region: { enabled: false } }
  const { violations } = await axe.run(element, { rules, resultTypes: ['violations'] })
  expect(violations.map((violation) => `${violation.id}: ${violation.nodes.map((node) => node.html).join(' ')}`)).toEqual([])
}
