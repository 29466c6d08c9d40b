/**
 * A window says everything in its own language. What Rust has to say crosses as a kind and facts; its sentence in English may cross
 * beside them, for the command line and the local API. `lib/say.ts` makes the sentences of the window.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'

/** Every field with a sentence, of the types that the windows receive: the field with its facts, or why there is none. */
const sentences: Record<string, { facts: string } | { why: string }> = {
  'Attempt.message': { why: 'the provider’s own words, under Details' },
  'ConsentRequest.sentence': { facts: 'action' },
  'Diagnostic.message': { facts: 'finding' },
  'Diagnostic.remedy': { facts: 'finding' },
  'Error.message': { facts: 'code' },
  'Event.reason': { why: 'not shown' },
  'Event.sentence': { why: 'the sentence that is being spoken' },
  'Fallback.message': { why: 'the provider’s own words, under Details' },
  'ImportedMcpServers.problems': { why: 'English: paths in the list of another program, for whoever wrote it' },
  'LastError.message': { why: 'the provider’s own words, under Details' },
  'LocalModelView.description': { why: 'said by the ID of the model' },
  'McpFailure.cause': { why: 'words of the system or of the server, under Details' },
  'McpServerView.problem': { facts: 'problem_facts' },
  'McpServerView.rejected': { why: 'English: what is wrong with a tool’s description, folded, for its author' },
  'McpToolView.description': { why: 'the server’s own words' },
  'ModelView.note': { facts: 'note_facts' },
  'ModelView.problem': { why: 'not shown: the window says “no longer offered”' },
  'Notice.message': { facts: 'kind' },
  'PlanStep.problem': { why: 'in the language of the question; English where a tool says why' },
  'PriceView.unit': { why: 'one of three, said by its name' },
  'ProviderHealth.reason': { why: 'not shown: the provider has its problem' },
  'ProviderView.problem': { facts: 'problem_facts' },
  'ReleaseView.notes': { why: 'English: the release’s own page' },
  'RouteView.why': { facts: 'why_facts' },
  'ServiceHealth.reason': { why: 'not shown: the last error has its class' },
  'SettingsProblem.cause': { why: 'words of the system or of a parser, under Details' },
  'Snapshot.history_problem': { facts: 'history_problem_facts' },
  'Snapshot.keyring_problem': { why: 'said by its name' },
  'Snapshot.server_problem': { facts: 'server_problem_code' },
  'Snapshot.settings_problems': { facts: 'settings_problem_facts' },
  'Snapshot.shortcut_problem': { why: 'said by its name' },
  'TestResult.result': { facts: 'speech_ms' },
}

/** Names of fields that hold sentences, beside those whose comment says so. */
const names =
  /^(message|problems?|\w+_problems?|reason|why|cause|remedy|notes?|sentence|description|detail|hint|rejected|warning)$/

const generated = readdirSync('src/generated').map((file) => ({
  type: file.replace('.ts', ''),
  text: readFileSync(join('src/generated', file), 'utf8'),
}))

/** Every field with text, with its comment. */
const texts = generated.flatMap(({ type, text }) =>
  [...text.matchAll(/\/\*\*((?:[^*]|\*[^/])*)\*\/\s*"?(\w+)"?\??: ([^,}]*)[,}]/g)]
    .filter(([, , , kind]) => kind?.includes('string'))
    .map(([, comment = '', name = '']) => ({ type, name, comment })),
)

describe('a sentence that Rust composes', () => {
  it('crosses with its facts, or is listed with the reason', () => {
    const found = texts
      .filter(({ name, comment }) => names.test(name) || /\b(sentences?|in words)\b/.test(comment))
      .map(({ type, name }) => `${type}.${name}`)
    expect([...new Set(found)].toSorted()).toEqual(Object.keys(sentences).toSorted())
  })

  it.each(Object.entries(sentences).flatMap(([name, how]) => ('facts' in how ? [[name, how.facts]] : [])))(
    '%s has its facts in %s',
    (name, facts) => {
      const { text } = generated.find(({ type }) => type === name?.split('.')[0]) ?? { text: '' }
      expect(text).toMatch(new RegExp(`\\b${facts}\\??: |"${facts}": `))
    },
  )

  it('is read where the window’s own sentence is made, and nowhere else', () => {
    // Whether there is one may be asked everywhere.
    const read =
      /\.(why|note|remedy|settings_problems|history_problem|message)\b(?!\s*[!=]==)|\b(provider|server|known|candidate|of)\.(problem|reason)\b(?!\s*[!=]==)/
    const readers = readdirSync('src', { recursive: true, encoding: 'utf8' })
      .filter((file) => /\.(ts|svelte)$/.test(file) && !/generated|test|backend\/(fake|samples|scripted)|demo/.test(file))
      .filter((file) => read.test(readFileSync(join('src', file), 'utf8').replace(/<style>[\s\S]*/, '')))
    expect(readers.toSorted()).toEqual(
      [
        'lib/say.ts',
        // An error of the browser itself.
        'backend/failure.ts',
        // Ask whether there is one, or tell notices, providers and servers from each other.
        'lib/conversation.ts',
        'providers/Providers.svelte',
        'providers/ServiceRow.svelte',
        'providers/TestReport.svelte',
        'settings/McpServers.svelte',
        // What a provider said itself, under Details.
        'health/events.ts',
        'health/Headline.svelte',
        'talk/Trace.svelte',
        // The verdict of a key's check, which is said already.
        'onboarding/KeyStep.svelte',
        'providers/ProviderForm.svelte',
        // An error to copy, for a report.
        'talk/TurnView.svelte',
        // The code's sentence first, as in say.ts.
        'overlay/Overlay.svelte',
      ].toSorted(),
    )
  })
})
