/**
 * A Markdown subset for spoken answers: paragraphs, lists, headings, code, bold, italics and links. It produces data, never HTML,
 * so that a model's output cannot become an element of the page.
 */
export type Inline = { text: string; style: 'plain' | 'strong' | 'em' | 'code'; spoken: boolean }
export type Block =
  | { kind: 'paragraph' | 'heading'; inlines: Inline[] }
  | { kind: 'list'; ordered: boolean; items: Inline[][] }
  | { kind: 'code'; text: string }

type Span = Omit<Inline, 'spoken'>

const spanPattern = /`([^`]+)`|\*\*([^*]+)\*\*|__([^_]+)__|\*([^*\s][^*]*)\*|\[([^\]]+)\]\((\S+?)\)/g

function spans(line: string): Span[] {
  const found: Span[] = []
  let at = 0
  for (const match of line.matchAll(spanPattern)) {
    if (match.index > at) found.push({ text: line.slice(at, match.index), style: 'plain' })
    const [whole, code, strong, underlined, em, label, address] = match
    if (code !== undefined) found.push({ text: code, style: 'code' })
    else if (strong !== undefined || underlined !== undefined) found.push({ text: strong ?? underlined ?? '', style: 'strong' })
    else if (em !== undefined) found.push({ text: em, style: 'em' })
    // A link would navigate this window away from AURA, so its address is shown instead.
    else found.push({ text: label === address ? (address ?? '') : `${label} (${address})`, style: 'plain' })
    at = match.index + whole.length
  }
  if (at < line.length) found.push({ text: line.slice(at), style: 'plain' })
  return found
}

const plain = (spans: Span[]) => spans.map((span) => span.text).join('')

/** The range of a sentence in the text, ignoring differences in white space. */
function find(text: string, sentence: string | null): [number, number] | null {
  const words = (sentence ?? '').trim().split(/\s+/).filter(Boolean)
  if (words.length === 0) return null
  const pattern = new RegExp(words.map((word) => word.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')).join('\\s+'))
  const match = pattern.exec(text)
  return match ? [match.index, match.index + match[0].length] : null
}

/** Splits the spans at the edges of the sentence being spoken. */
function mark(line: Span[], sentence: string | null): Inline[] {
  const range = find(plain(line), sentence)
  if (range === null) return line.map((span) => ({ ...span, spoken: false }))
  const [from, to] = range
  let start = 0
  return line.flatMap((span) => {
    const begin = start
    start += span.text.length
    const cut = (a: number, b: number, spoken: boolean): Inline[] => {
      const text = span.text.slice(Math.max(a - begin, 0), Math.max(b - begin, 0))
      return text === '' ? [] : [{ text, style: span.style, spoken }]
    }
    return [
      ...cut(begin, Math.min(from, start), false),
      ...cut(Math.max(from, begin), Math.min(to, start), true),
      ...cut(Math.max(to, begin), start, false),
    ]
  })
}

/** Parses an answer into blocks and marks the sentence being spoken. */
export function prose(answer: string, sentence: string | null): Block[] {
  const blocks: Block[] = []
  let paragraph: string[] = []
  const inlines = (line: string) => mark(spans(line), sentence)
  const flush = () => {
    if (paragraph.length > 0) blocks.push({ kind: 'paragraph', inlines: inlines(paragraph.join(' ')) })
    paragraph = []
  }
  const lines = answer.split('\n')
  for (let i = 0; i < lines.length; i++) {
    const line = lines[i] ?? ''
    const item = /^\s*(?:[-*•]|(\d+)[.)])\s+(.*)$/.exec(line)
    const heading = /^#{1,6}\s+(.*)$/.exec(line)
    if (line.startsWith('```')) {
      flush()
      const end = lines.indexOf('```', i + 1)
      // While the answer streams, the fence may still be open.
      const last = end === -1 ? lines.length : end
      blocks.push({ kind: 'code', text: lines.slice(i + 1, last).join('\n') })
      i = last
    } else if (item) {
      flush()
      const ordered = item[1] !== undefined
      const before = blocks.at(-1)
      const entry = inlines(item[2] ?? '')
      if (before?.kind === 'list' && before.ordered === ordered) before.items.push(entry)
      else blocks.push({ kind: 'list', ordered, items: [entry] })
    } else if (heading) {
      flush()
      blocks.push({ kind: 'heading', inlines: inlines(heading[1] ?? '') })
    } else if (line.trim() === '') flush()
    else paragraph.push(line.trim())
  }
  flush()
  return blocks
}

/** The answer without Markdown, on one line. */
export const plainText = (answer: string) =>
  prose(answer, null)
    .map((block) => {
      if (block.kind === 'code') return block.text
      const lines = block.kind === 'list' ? block.items : [block.inlines]
      return lines.map((line) => line.map((part) => part.text).join('')).join(' ')
    })
    .join(' ')
