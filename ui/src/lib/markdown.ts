/**
 * Markdown of answers. `marked` parses it into tokens; what is shown is built from them as data, never as HTML, so that a model's output
 * cannot become an element of the page.
 */
import { getDefaults, Lexer, type MarkedOptions, type MarkedToken, type Token, type Tokens } from 'marked'
import { displayMath, inlineMath, LiteralStars } from './markdown-extensions'

export type Inline =
  | { kind: 'text' | 'code' | 'math'; text: string; spoken: boolean }
  | { kind: 'strong' | 'em' | 'del'; parts: Inline[] }
  | { kind: 'link'; address: string; parts: Inline[] }
  | { kind: 'break' }

export interface Item {
  /** Whether a task is done; null for other items. */
  checked: boolean | null
  blocks: Block[]
}

export type Block =
  /** A line is a paragraph of a list without space between its items. */
  | { kind: 'paragraph' | 'line' | 'heading'; inlines: Inline[] }
  | { kind: 'list'; ordered: boolean; start: number; items: Item[] }
  | { kind: 'quote'; blocks: Block[] }
  | { kind: 'code'; language: string; text: string }
  | { kind: 'math'; text: string }
  | { kind: 'table'; align: ('left' | 'center' | 'right' | null)[]; header: Inline[][]; rows: Inline[][][] }
  | { kind: 'rule' }

/** The lexer alone: no build of AURA has the parts of `marked` that write HTML. */
const options: MarkedOptions = {
  ...getDefaults(),
  extensions: {
    renderers: {},
    childTokens: {},
    inline: [inlineMath.tokenizer],
    startInline: [inlineMath.start],
    block: [displayMath.tokenizer],
    startBlock: [displayMath.start],
  },
  tokenizer: new LiteralStars(),
}

const named: Record<string, string> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'", nbsp: '\u00a0' }

/** Character references, which `marked` leaves to the browser. */
const decoded = (text: string) =>
  text.replace(/&(?:#(\d{1,7})|#[xX]([\da-fA-F]{1,6})|(amp|lt|gt|quot|apos|nbsp));/g, (whole, decimal, hex, name) => {
    if (name !== undefined) return named[name as string] ?? whole
    const code = decimal === undefined ? parseInt(hex as string, 16) : parseInt(decimal as string, 10)
    return code > 0 && code <= 0x10ffff ? String.fromCodePoint(code) : whole
  })

const text = (value: string): Inline => ({ kind: 'text', text: value, spoken: false })

/** Only these are links; any other address is shown as text. */
const isSafe = (address: string) => /^(https?:|mailto:)/i.test(address)

function inline(token: MarkedToken | Tokens.Generic): Inline[] {
  switch (token.type) {
    case 'strong':
    case 'em':
    case 'del':
      return [{ kind: token.type, parts: inlines(token.tokens) }]
    case 'codespan':
      return [{ kind: 'code', text: (token as Tokens.Codespan).text, spoken: false }]
    case 'math':
      return [{ kind: 'math', text: (token as Tokens.Generic).text as string, spoken: false }]
    case 'br':
      return [{ kind: 'break' }]
    case 'checkbox':
      return []
    case 'link': {
      const { href, tokens } = token as Tokens.Link
      const parts = inlines(tokens)
      return isSafe(href) ? [{ kind: 'link', address: href, parts }] : [...parts, text(` (${href})`)]
    }
    // A picture would be loaded from the network: its description and address are shown instead.
    case 'image': {
      const { href, text: label } = token as Tokens.Image
      const parts = [text(label === '' ? href : label)]
      return isSafe(href) ? [{ kind: 'link', address: href, parts }] : parts
    }
    case 'escape':
      return [text((token as Tokens.Escape).text)]
    default:
      return 'tokens' in token && token.tokens ? inlines(token.tokens) : [text(decoded(String((token as Tokens.Text).text)))]
  }
}

/** Neighbouring texts become one, so that a sentence can be found across them. */
function inlines(tokens: Token[] | undefined): Inline[] {
  const found: Inline[] = []
  for (const part of (tokens ?? []).flatMap((token) => inline(token as MarkedToken))) {
    const last = found.at(-1)
    if (part.kind === 'text' && last?.kind === 'text') found[found.length - 1] = text(last.text + part.text)
    else found.push(part)
  }
  return found
}

/** Lists and quotes within each other; what is deeper is shown as it is. */
const deepest = 12

function block(token: MarkedToken | Tokens.Generic, depth: number): Block[] {
  if (depth > deepest) return [{ kind: 'line', inlines: [text(token.raw)] }]
  switch (token.type) {
    case 'space':
    case 'def':
      return []
    case 'heading':
      return [{ kind: 'heading', inlines: inlines(token.tokens) }]
    case 'code': {
      const { lang, text } = token as Tokens.Code
      return [{ kind: 'code', language: lang?.trim().split(/\s+/)[0] ?? '', text }]
    }
    case 'displayMath':
      return [{ kind: 'math', text: (token as Tokens.Generic).text as string }]
    case 'list': {
      const { ordered, start, items } = token as Tokens.List
      const shown = items.map((item) => ({
        checked: item.task ? (item.checked ?? false) : null,
        blocks: blocksOf(item.tokens, depth + 1),
      }))
      return [{ kind: 'list', ordered, start: start === '' ? 1 : start, items: shown }]
    }
    case 'blockquote':
      return [{ kind: 'quote', blocks: blocksOf(token.tokens ?? [], depth + 1) }]
    case 'table': {
      const { align, header, rows } = token as Tokens.Table
      const cells = (row: Tokens.TableCell[]) => row.map((cell) => inlines(cell.tokens))
      return [{ kind: 'table', align, header: cells(header), rows: rows.map(cells) }]
    }
    case 'hr':
      return [{ kind: 'rule' }]
    case 'html':
      return [{ kind: 'paragraph', inlines: [text((token as Tokens.HTML).text.trim())] }]
    case 'text':
      return [{ kind: 'line', inlines: inlines(token.tokens ?? [token]) }]
    default:
      return [{ kind: 'paragraph', inlines: inlines('tokens' in token ? (token.tokens ?? [token]) : [token]) }]
  }
}

const blocksOf = (tokens: Token[], depth = 0): Block[] => tokens.flatMap((token) => block(token as MarkedToken, depth))

function lex(source: string): Token[] {
  try {
    return new Lexer(options).lex(source)
  } catch {
    // Nested deeper than the parser can follow: shown as it is.
    return [{ type: 'paragraph', raw: source, text: source, tokens: [{ type: 'text', raw: source, text: source }] }]
  }
}

const lines = (answer: string) => answer.replace(/\r\n?/g, '\n')

/** Parses a whole answer. */
export const prose = (answer: string): Block[] => blocksOf(lex(lines(answer)))

/**
 * Parses an answer that grows. Blocks that can no longer change are kept, so that each new piece costs the end of the answer only, and
 * what is shown of the rest stays as it is.
 */
export class GrowingProse {
  #kept: Block[] = []
  /** The text that the kept blocks came from. */
  #before = ''

  update(answer: string): Block[] {
    const source = lines(answer)
    if (!source.startsWith(this.#before)) {
      this.#kept = []
      this.#before = ''
    }
    const tokens = lex(source.slice(this.#before.length))
    // The last block grows, and what follows may join it to the one before: "2" after a list is a paragraph until its full stop.
    const open = tokens.flatMap((token, i) => (token.type === 'space' ? [] : [i])).at(-2) ?? 0
    const closed = tokens.slice(0, open)
    const rest = blocksOf(tokens.slice(open))
    if (closed.length > 0) {
      this.#kept = [...this.#kept, ...blocksOf(closed)]
      this.#before += closed.map((token) => token.raw).join('')
    }
    return [...this.#kept, ...rest]
  }
}

/** The text without its styles. */
export function plain(parts: Inline[]): string {
  return parts.map((part) => (part.kind === 'break' ? '\n' : 'parts' in part ? plain(part.parts) : part.text)).join('')
}

/** The range of a sentence in the text, ignoring differences in white space. */
function find(text: string, words: string[]): [number, number] | null {
  const pattern = new RegExp(words.map((word) => word.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')).join('\\s+'))
  const match = pattern.exec(text)
  return match ? [match.index, match.index + match[0].length] : null
}

/** Splits the texts at the edges of the sentence. */
function split(parts: Inline[], from: number, to: number): Inline[] {
  let at = 0
  return parts.flatMap((part): Inline[] => {
    const start = at
    at += part.kind === 'break' ? 1 : 'parts' in part ? plain(part.parts).length : part.text.length
    if (part.kind === 'break' || at <= from || start >= to) return [part]
    if ('parts' in part) return [{ ...part, parts: split(part.parts, from - start, to - start) }]
    const cut = (a: number, b: number, spoken: boolean): Inline[] => {
      const text = part.text.slice(Math.max(a - start, 0), Math.max(b - start, 0))
      return text === '' ? [] : [{ ...part, text, spoken }]
    }
    return [
      ...cut(start, Math.min(from, at), false),
      ...cut(Math.max(from, start), Math.min(to, at), true),
      ...cut(to, at, false),
    ]
  })
}

/** Marks the sentence being spoken. What does not contain it is returned as it is. */
export function mark(blocks: Block[], sentence: string | null): Block[] {
  const words = (sentence ?? '').trim().split(/\s+/).filter(Boolean)
  if (words.length === 0) return blocks
  const inLine = (parts: Inline[]): Inline[] => {
    const range = find(plain(parts), words)
    return range ? split(parts, ...range) : parts
  }
  const each = <T>(list: T[], change: (one: T) => T): T[] => {
    const changed = list.map(change)
    return changed.some((one, i) => one !== list[i]) ? changed : list
  }
  const inBlock = (block: Block): Block => {
    switch (block.kind) {
      case 'paragraph':
      case 'line':
      case 'heading': {
        const marked = inLine(block.inlines)
        return marked === block.inlines ? block : { ...block, inlines: marked }
      }
      case 'quote': {
        const marked = each(block.blocks, inBlock)
        return marked === block.blocks ? block : { ...block, blocks: marked }
      }
      case 'list': {
        const items = each(block.items, (item) => {
          const marked = each(item.blocks, inBlock)
          return marked === item.blocks ? item : { ...item, blocks: marked }
        })
        return items === block.items ? block : { ...block, items }
      }
      case 'table': {
        const [header, rows] = [each(block.header, inLine), each(block.rows, (row) => each(row, inLine))]
        return header === block.header && rows === block.rows ? block : { ...block, header, rows }
      }
      default:
        return block
    }
  }
  return each(blocks, inBlock)
}

function plainBlock(block: Block): string {
  switch (block.kind) {
    case 'code':
    case 'math':
      return block.text
    case 'rule':
      return ''
    case 'quote':
      return block.blocks.map(plainBlock).join(' ')
    case 'list':
      return block.items.map((item) => item.blocks.map(plainBlock).join(' ')).join(' ')
    case 'table':
      return [block.header, ...block.rows].map((row) => row.map(plain).join(', ')).join('; ')
    default:
      return plain(block.inlines)
  }
}

/** The answer without Markdown, on one line. */
export const plainText = (answer: string) => prose(answer).map(plainBlock).join(' ').replace(/\s+/g, ' ').trim()
