import { describe, expect, it } from 'vitest'
import { plainText, prose, type Block } from './markdown'

const spoken = (blocks: Block[]) =>
  blocks
    .flatMap((block) => (block.kind === 'code' ? [] : block.kind === 'list' ? block.items.flat() : block.inlines))
    .filter((part) => part.spoken)
    .map((part) => part.text)
    .join('')

describe('Markdown', () => {
  it('is parsed into paragraphs, lists, headings and code', () => {
    const blocks = prose('# Title\nOne\ntwo\n\n- a\n- b\n1. c\n```sh\nls -l\n```\nEnd', null)
    expect(blocks.map((block) => block.kind)).toEqual(['heading', 'paragraph', 'list', 'list', 'code', 'paragraph'])
    expect(blocks[4]).toEqual({ kind: 'code', text: 'ls -l' })
  })

  it('has inline styles', () => {
    const [block] = prose('Run `ss -ltn`, **then** *wait*, see [here](https://example.org).', null)
    expect(block?.kind === 'paragraph' && block.inlines.map((part) => [part.style, part.text])).toEqual([
      ['plain', 'Run '],
      ['code', 'ss -ltn'],
      ['plain', ', '],
      ['strong', 'then'],
      ['plain', ' '],
      ['em', 'wait'],
      ['plain', ', see '],
      ['plain', 'here (https://example.org)'],
      ['plain', '.'],
    ])
  })

  it('may have an open fence while the answer streams', () => {
    expect(prose('```\nhalf', null)).toEqual([{ kind: 'code', text: 'half' }])
  })

  it('marks the spoken sentence across styles and white space', () => {
    expect(spoken(prose('Run `ss -ltn` and\nwait. Then go.', 'Run ss -ltn and wait.'))).toBe('Run ss -ltn and wait.')
    expect(spoken(prose('Nothing here.', 'Something else.'))).toBe('')
    expect(spoken(prose('Is it (really) so?', 'Is it (really) so?'))).toBe('Is it (really) so?')
  })
})

it('plain text has no marks and one line', () => {
  expect(plainText('## Ports\n\nUse **8001**:\n\n- `one`\n- two\n\n```\nss -ltn\n```')).toBe('Ports Use 8001: one two ss -ltn')
})
