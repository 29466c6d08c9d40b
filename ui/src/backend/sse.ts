/** A parser for server-sent events in chunks of any size. */

export class EventLines {
  // Buffers split UTF-8 sequences and drops a byte order mark.
  #decoder = new TextDecoder()
  #line = ''
  #data: string[] = []
  /** The last chunk ended with a carriage return: a line feed at the start of the next one belongs to the same line end. */
  #cut = false

  /** The data of every event that this chunk completes. */
  take(piece: Uint8Array): string[] {
    let text = this.#decoder.decode(piece, { stream: true })
    if (text === '') return []
    if (this.#cut && text.startsWith('\n')) text = text.slice(1)
    this.#cut = text.endsWith('\r')
    const lines = (this.#line + text).split(/\r\n|\r|\n/)
    this.#line = lines.pop() ?? ''
    return lines.flatMap((line) => this.#read(line))
  }

  #read(line: string): string[] {
    if (line === '') {
      const data = this.#data
      this.#data = []
      return data.length === 0 ? [] : [data.join('\n')]
    }
    const colon = line.indexOf(':')
    // A line that starts with a colon is a comment (keep-alive). Fields other than data are not used.
    if ((colon === -1 ? line : line.slice(0, colon)) !== 'data') return []
    const value = colon === -1 ? '' : line.slice(colon + 1)
    this.#data.push(value.startsWith(' ') ? value.slice(1) : value)
    return []
  }
}

/** The data of each event of a stream. An incomplete event at the end is dropped. */
export async function* events(stream: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const lines = new EventLines()
  const reader = stream.getReader()
  try {
    for (let piece = await reader.read(); !piece.done; piece = await reader.read()) yield* lines.take(piece.value)
  } finally {
    await reader.cancel().catch(() => undefined)
  }
}
