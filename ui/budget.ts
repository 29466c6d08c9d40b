/**
 * A size budget for each page's JavaScript: a build above it fails.
 *
 * A page's size is that of everything it can load, at once or later, with one exception: of the catalogues of messages it loads only that
 * of the window's language, so the largest one counts.
 */
import { gzipSync } from 'node:zlib'
import type { Plugin } from 'vite'

/** The parts of a chunk that count. */
export interface Piece {
  code: string
  /** The chunks it loads, at once or later. */
  loads: string[]
  /** The language, of a chunk that holds a catalogue of messages. */
  language?: string
}

/** Bytes of a chunk and everything it loads in the most expensive language, each gzipped as a server would. */
export function weight(first: string, pieces: Map<string, Piece>): number {
  const languages = new Set([...pieces.values()].flatMap((piece) => piece.language ?? []))
  if (languages.size === 0) languages.add('')
  return Math.max(...[...languages].map((language) => weightIn(language, first, pieces)))
}

function weightIn(language: string, first: string, pieces: Map<string, Piece>): number {
  const reached = new Set<string>()
  const waiting = [first]
  for (let name = waiting.pop(); name !== undefined; name = waiting.pop()) {
    const piece = pieces.get(name)
    if (!piece || reached.has(name) || (piece.language ?? language) !== language) continue
    reached.add(name)
    waiting.push(...piece.loads)
  }
  return [...reached].reduce((sum, name) => sum + gzipSync(pieces.get(name)?.code ?? '', { level: 9 }).length, 0)
}

/** The language of a module that is a window's whole catalogue. */
const catalogue = /\/messages\/([a-z]{2})\/(?:index|overlay-window)\.ts$/

/** Fails a build whose page loads more than its limit, bytes gzipped; logs the size of each page. */
export function budget(limits: Record<string, number>): Plugin {
  return {
    name: 'budget',
    generateBundle(_, bundle) {
      const chunks = Object.values(bundle).filter((output) => output.type === 'chunk')
      const pieces = new Map(
        chunks.map((chunk): [string, Piece] => {
          // Only one that is loaded on demand: one that is part of the page's own chunk is loaded in every language.
          const language = chunk.isDynamicEntry ? catalogue.exec(chunk.facadeModuleId ?? '')?.[1] : undefined
          return [chunk.fileName, { code: chunk.code, loads: [...chunk.imports, ...chunk.dynamicImports], language }]
        }),
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
