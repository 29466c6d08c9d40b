/** What `marked` does not do as answers need it: mathematics, and asterisks that multiply. */
import { Tokenizer, type TokenizerStartFunction, type TokenizerExtensionFunction } from 'marked'

/** A token that CommonMark does not have: where one may start, and what it is. */
interface Extension {
  start: TokenizerStartFunction
  tokenizer: TokenizerExtensionFunction
}

/**
 * `$x$` and `\(x\)`. As in Pandoc, a dollar sign that opens has no space after it, and one that closes has none before it and no digit
 * after it, so that "$5 and $10" are prices.
 */
export const inlineMath: Extension = {
  start: (source) => {
    const at = source.search(/\$|\\\(/)
    return at === -1 ? undefined : at
  },
  tokenizer(source) {
    const found =
      /^\\\(((?:[^\\\n]|\\[^)\n])+?)\\\)/.exec(source) ??
      /^\$((?:[^\s$\\]|\\.)(?:(?:[^$\\\n]|\\.)*?(?:[^\s$\\]|\\.))?)\$(?!\d)/.exec(source)
    return found ? { type: 'math', raw: found[0], text: (found[1] ?? '').trim() } : undefined
  },
}

/** `$$…$$` and `\[…\]` on lines of their own. */
export const displayMath: Extension = {
  start: (source) => {
    const at = source.search(/(^|\n) {0,3}(\$\$|\\\[)/)
    return at === -1 ? undefined : at
  },
  tokenizer(source) {
    const found =
      /^ {0,3}\$\$((?:(?!\n\s*\n)[^$])+)\$\$[^\S\n]*(?:\n|$)/.exec(source) ??
      /^ {0,3}\\\[((?:(?!\n\s*\n)(?!\\\])[\s\S])+)\\\][^\S\n]*(?:\n|$)/.exec(source)
    return found ? { type: 'displayMath', raw: found[0], text: (found[1] ?? '').trim() } : undefined
  },
}

/** `2*3*4` and `2**8` are products and powers, although CommonMark reads emphasis there. */
export class LiteralStars extends Tokenizer {
  override emStrong(source: string, masked: string, previous = '') {
    const stars = /^\*+/.exec(source)?.[0] ?? ''
    const literal = stars !== '' && (/\p{N}/u.test(previous) || (stars === '*' && /\p{L}/u.test(previous)))
    // A text; the type of this method knows only emphasis.
    return literal ? ({ type: 'text', raw: stars, text: stars } as never) : super.emStrong(source, masked, previous)
  }
}
