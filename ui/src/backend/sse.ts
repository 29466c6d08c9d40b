/** Reads server-sent events out of bytes that come in any pieces. */

export class EventLines {
  // Keeps the beginning of a letter that was cut in two, and leaves a byte order mark out.
  #decoder = new TextDecoder()
  #line = ''
  #data: string[] = []
  /** The last piece ended with a carriage return: a line feed that follows belongs to it and ends no line of its own. */
  #cut = false

  /** The data of every event that this piece completes. */
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
    // A line that begins with a colon is a comment: the server says that it is alive. The other fields are not used.
    if ((colon === -1 ? line : line.slice(0, colon)) !== 'data') return []
    const value = colon === -1 ? '' : line.slice(colon + 1)
    this.#data.push(value.startsWith(' ') ? value.slice(1) : value)
    return []
  }
}

/** The data of each event of a stream. An event that the end of the stream cuts off is none. */
export async function* events(stream: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const lines = new EventLines()
  const reader = stream.getReader()
  try {
    for (let piece = await reader.read(); !piece.done; piece = await reader.read()) yield* lines.take(piece.value)
  } finally {
    await reader.cancel().catch(() => undefined)
  }
}
