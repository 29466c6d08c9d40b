import { describe, expect, it } from 'vitest'
import { plainText, prose, type Block } from './prose'

const spoken = (blocks: Block[]) =>
  blocks
    .flatMap((block) => (block.kind === 'code' ? [] : block.kind === 'list' ? block.items.flat() : block.inlines))
    .filter((part) => part.spoken)
    .map((part) => part.text)
    .join('')

describe('prose', () => {
  it('makes paragraphs, lists, headings and code', () => {
    const blocks = prose('# Title\nOne\ntwo\n\n- a\n- b\n1. c\n```sh\nls -l\n```\nEnd', null)
    expect(blocks.map((block) => block.kind)).toEqual(['heading', 'paragraph', 'list', 'list', 'code', 'paragraph'])
    expect(blocks[4]).toEqual({ kind: 'code', text: 'ls -l' })
  })

  it('styles words', () => {
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

  it('keeps a fence open while the answer streams', () => {
    expect(prose('```\nhalf', null)).toEqual([{ kind: 'code', text: 'half' }])
  })

  it('marks the sentence that is heard, across styles and white space', () => {
    expect(spoken(prose('Run `ss -ltn` and\nwait. Then go.', 'Run ss -ltn and wait.'))).toBe('Run ss -ltn and wait.')
    expect(spoken(prose('Nothing here.', 'Something else.'))).toBe('')
    expect(spoken(prose('Is it (really) so?', 'Is it (really) so?'))).toBe('Is it (really) so?')
  })
})

it('without its marks stands on one line', () => {
  expect(plainText('## Ports\n\nUse **8001**:\n\n- `one`\n- two\n\n```\nss -ltn\n```')).toBe('Ports Use 8001: one two ss -ltn')
})
