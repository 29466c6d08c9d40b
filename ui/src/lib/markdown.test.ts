import { describe, expect, it } from 'vitest'
import { GrowingProse, mark, plainText, prose, type Block, type Inline } from './markdown'

/** A short notation of what is shown, to compare. */
function shown(parts: Inline[]): string {
  return parts
    .map((part) => {
      if (part.kind === 'break') return '⏎'
      if (part.kind === 'link') return `<${shown(part.parts)}|${part.address}>`
      if ('parts' in part) return `${part.kind}(${shown(part.parts)})`
      return part.kind === 'text' ? part.text : `${part.kind}(${part.text})`
    })
    .join('')
}
const outline = (block: Block): unknown => {
  switch (block.kind) {
    case 'list':
      return [block.ordered ? `ol ${block.start}` : 'ul', ...block.items.map((item) => item.blocks.map(outline))]
    case 'quote':
      return ['quote', ...block.blocks.map(outline)]
    case 'table':
      return ['table', block.header.map(shown), ...block.rows.map((row) => row.map(shown))]
    case 'code':
      return `code ${block.language}: ${block.text}`
    case 'math':
      return `math: ${block.text}`
    case 'rule':
      return 'rule'
    default:
      return `${block.kind}: ${shown(block.inlines)}`
  }
}
const read = (answer: string) => prose(answer).map(outline)

const spokenOf = (parts: Inline[]): string =>
  parts
    .map((part) => (part.kind === 'break' ? '' : 'parts' in part ? spokenOf(part.parts) : part.spoken ? part.text : ''))
    .join('')
const spoken = (blocks: Block[]): string =>
  blocks
    .map((block) => {
      if (block.kind === 'list') return block.items.map((item) => spoken(item.blocks)).join('')
      if (block.kind === 'quote') return spoken(block.blocks)
      if (block.kind === 'table') return [...block.header, ...block.rows.flat()].map(spokenOf).join('')
      return 'inlines' in block ? spokenOf(block.inlines) : ''
    })
    .join('')

describe('Markdown', () => {
  it('is parsed into paragraphs, headings, code and rules', () => {
    expect(read('# Title\nOne\ntwo\n\n```sh -x\nls -l\n```\n---\nEnd')).toEqual([
      'heading: Title',
      'paragraph: One\ntwo',
      'code sh: ls -l',
      'rule',
      'paragraph: End',
    ])
  })

  it('keeps the asterisks of products and powers', () => {
    expect(read('2*3*4 is 24, 2**8**1 is 256, a*b*c is a product; *this* and **that** are not.')).toEqual([
      'paragraph: 2*3*4 is 24, 2**8**1 is 256, a*b*c is a product; em(this) and strong(that) are not.',
    ])
  })

  it('nests styles, and has escapes, references and strikethrough', () => {
    expect(read('**run `ls` now**, ***both***, ~~gone~~, \\*star\\*, a &amp; b &#8594; c')).toEqual([
      'paragraph: strong(run code(ls) now), em(strong(both)), del(gone), *star*, a & b → c',
    ])
  })

  it('has tables', () => {
    expect(read('| Name | Port |\n|:--|--:|\n| `uvicorn` | 8000 |\n| a\\|b | **9** |')).toEqual([
      ['table', ['Name', 'Port'], ['code(uvicorn)', '8000'], ['a|b', 'strong(9)']],
    ])
    const [table] = prose('| Name | Port |\n|:--|--:|\n| a | 1 |')
    expect(table?.kind === 'table' && table.align).toEqual(['left', 'right'])
  })

  it('nests lists, keeps their numbers, and has code in them', () => {
    expect(read('3. one\n   - inner\n     - deep\n4. two\n   ```sh\n   ls\n   ```\n5. three')).toEqual([
      ['ol 3', ['line: one', ['ul', ['line: inner', ['ul', ['line: deep']]]]], ['line: two', 'code sh: ls'], ['line: three']],
    ])
    const [tasks] = prose('- [x] done\n- [ ] open\n- other')
    expect(tasks?.kind === 'list' && tasks.items.map((item) => item.checked)).toEqual([true, false, null])
  })

  it('has quotes', () => {
    expect(read('> Said *once*.\n>\n> - a\n\nAfter')).toEqual([
      ['quote', 'paragraph: Said em(once).', ['ul', ['line: a']]],
      'paragraph: After',
    ])
  })

  it('shows mathematics as text, and leaves prices alone', () => {
    expect(read('With $a_1*b*c$ and \\(x^2\\).\n\n$$\n\\frac{1}{2}\n$$\n\n\\[ y \\]')).toEqual([
      'paragraph: With math(a_1*b*c) and math(x^2).',
      'math: \\frac{1}{2}',
      'math: y',
    ])
    expect(read('It costs $5 or $10, at most $20-$30.')).toEqual(['paragraph: It costs $5 or $10, at most $20-$30.'])
  })

  it('has links to web pages and mail only', () => {
    expect(read('[here](https://example.org/a) https://a.org [x](javascript:alert(1)) ![cat](https://b.org/cat.png)')).toEqual([
      'paragraph: <here|https://example.org/a> <https://a.org|https://a.org> x (javascript:alert(1)) <cat|https://b.org/cat.png>',
    ])
  })

  it('never becomes HTML', () => {
    expect(read('<img src=x onerror=alert(1)>\n\nA <b>word</b>.')).toEqual([
      'paragraph: <img src=x onerror=alert(1)>',
      'paragraph: A <b>word</b>.',
    ])
  })

  it('that is nested without end is shown all the same', () => {
    expect(prose('>'.repeat(20_000) + 'a').length).toBeGreaterThan(0)
    const [deep] = prose('>'.repeat(40) + ' a')
    expect(JSON.stringify(deep).split('quote')).toHaveLength(14)
  })
})

const samples = [
  '# Title\n\nOne **two** three.\n\n1. a\n   - b\n\n2. c\n\n   d\n3. e\n\nEnd.',
  '- a\n- b\n\n\n- c\n\n> q\nlazy\n\n> r\n\n| a | b |\n|--|--|\n| 1 | 2 |\n\nAfter\n===\n\ntext',
  'Look:\n```py\nprint("a")\n\nprint("b")\n```\n\n$$\nx\n$$\n\n    indented\n\n    more\n\nend\r\nof it',
  'a\n\n***\n\n- [ ] t\n\n  para\n\n  ```\n  x\n  ```\n- u\n\n1) one\n\n2) two',
]

describe('an answer that grows', () => {
  it.each(samples)('letter by letter is parsed like the whole: %#', (sample) => {
    const growing = new GrowingProse()
    for (let end = 1; end < sample.length; end++) growing.update(sample.slice(0, end))
    expect(growing.update(sample).map(outline)).toEqual(read(sample))
  })

  it('keeps the blocks before the last ones, unchanged', () => {
    const growing = new GrowingProse()
    const before = Array.from({ length: 40 }, (_, i) => `Paragraph ${i}.`).join('\n\n')
    const [first] = growing.update(before)
    const more = growing.update(`${before} More`)
    expect(more[0]).toBe(first)
    expect(more).toHaveLength(40)
    expect(outline(more[39] as Block)).toBe('paragraph: Paragraph 39. More')
  })

  it('starts again when the text is another one', () => {
    const growing = new GrowingProse()
    growing.update('a\n\nb\n\nc\n\nd')
    expect(growing.update('z').map(outline)).toEqual(['paragraph: z'])
  })

  it('may have an open fence', () => {
    expect(new GrowingProse().update('```\nhalf').map(outline)).toEqual(['code : half'])
  })
})

describe('the sentence being spoken', () => {
  it('is marked across styles and white space', () => {
    expect(spoken(mark(prose('Run `ss -ltn` and\n**wait**. Then go.'), 'Run ss -ltn and wait.'))).toBe('Run ss -ltn and\nwait.')
    expect(spoken(mark(prose('Is it (really) so?'), 'Is it (really) so?'))).toBe('Is it (really) so?')
  })

  it('is found in lists, quotes and tables', () => {
    const blocks = prose('- one\n  - It is *here*.\n\n> Or there.\n\n| a |\n|--|\n| In a cell. |')
    expect(['It is here.', 'Or there.', 'In a cell.'].map((sentence) => spoken(mark(blocks, sentence)))).toEqual([
      'It is here.',
      'Or there.',
      'In a cell.',
    ])
  })

  it('changes only the block that contains it', () => {
    const blocks = prose('One.\n\nTwo.')
    const marked = mark(blocks, 'Two.')
    expect(marked[0]).toBe(blocks[0])
    expect(marked[1]).not.toBe(blocks[1])
    expect(mark(blocks, 'Three.')).toBe(blocks)
    expect(mark(blocks, null)).toBe(blocks)
  })
})

it('plain text has no marks and one line', () => {
  expect(plainText('## Ports\n\nUse **8001**:\n\n- `one`\n- two\n\n```\nss -ltn\n```\n\n| a | b |\n|--|--|\n| 1 | 2 |')).toBe(
    'Ports Use 8001: one two ss -ltn a, b; 1, 2',
  )
})
