/** A size budget for each page's JavaScript: a build above it fails. */
import { gzipSync } from 'node:zlib'
import type { Plugin } from 'vite'

/** The parts of a chunk that count. */
export interface Piece {
  code: string
  /** The chunks it loads, at once or later. */
  loads: string[]
}

/** Bytes of a chunk and everything it loads, each gzipped as a server would. */
export function weight(first: string, pieces: Map<string, Piece>): number {
  const reached = new Set<string>()
  const waiting = [first]
  for (let name = waiting.pop(); name !== undefined; name = waiting.pop()) {
    const piece = pieces.get(name)
    if (!piece || reached.has(name)) continue
    reached.add(name)
    waiting.push(...piece.loads)
  }
  return [...reached].reduce((sum, name) => sum + gzipSync(pieces.get(name)?.code ?? '', { level: 9 }).length, 0)
}

/** Fails a build whose page loads more than its limit, bytes gzipped; logs the size of each page. */
export function budget(limits: Record<string, number>): Plugin {
  return {
    name: 'budget',
    generateBundle(_, bundle) {
      const chunks = Object.values(bundle).filter((output) => output.type === 'chunk')
      const pieces = new Map(
        chunks.map((chunk) => [chunk.fileName, { code: chunk.code, loads: [...chunk.imports, ...chunk.dynamicImports] }]),
      )
      for (const [page, limit] of Object.entries(limits)) {
        const entry = chunks.find((chunk) => chunk.isEntry && chunk.name === page)
        if (!entry) return this.error(`There is no page ${page}: its size is not known.`)
        const bytes = weight(entry.fileName, pieces)
        if (bytes > limit) return this.error(`${page} loads ${bytes} bytes of JavaScript, gzipped; its budget is ${limit}.`)
        this.info(`${page} loads ${bytes} of ${limit} bytes of JavaScript, gzipped.`)
      }
    },
  }
}
