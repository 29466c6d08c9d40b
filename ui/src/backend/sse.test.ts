import { describe, expect, it } from 'vitest'
import { EventLines, events } from './sse'

const bytes = (text: string) => new TextEncoder().encode(text)

/** The events parsed from chunks of a given size. */
function inPieces(text: string, size: number): string[] {
  const lines = new EventLines()
  const all = bytes(text)
  const found: string[] = []
  for (let at = 0; at < all.length; at += size) found.push(...lines.take(all.slice(at, at + size)))
  return found
}

describe('server-sent events', () => {
  const stream =
    '\uFEFF: alive\n\ndata: {"type":"text","delta":"Grüße, 世界 𝄞"}\n\nevent: other\nid: 7\r\ndata:two\r\ndata: lines\r\n\r\n:\r\rdata\r\rdata: cut off\n'
  const told = ['{"type":"text","delta":"Grüße, 世界 𝄞"}', 'two\nlines', '']

  it.each([1, 2, 3, 5, 7, 64, 4096])('are the same in chunks of %i bytes', (size) => {
    expect(inPieces(stream, size)).toEqual(told)
  })

  it('end a line once when CR and LF are split, and still see an empty line', () => {
    const lines = new EventLines()
    expect(lines.take(bytes('data: a\r'))).toEqual([])
    expect(lines.take(bytes('\n'))).toEqual([])
    expect(lines.take(bytes('\n'))).toEqual(['a'])
    expect(lines.take(bytes('data:  b\n\n'))).toEqual([' b'])
  })

  it('are read one by one, and the stream is cancelled when reading stops', async () => {
    let cancelled = false
    const source = new ReadableStream<Uint8Array>({
      start: (to) => to.enqueue(bytes('data: 1\n\ndata: 2\n\n')),
      cancel: () => {
        cancelled = true
      },
    })
    for await (const data of events(source)) {
      expect(data).toBe('1')
      break
    }
    expect(cancelled).toBe(true)
  })
})
