/**
 * Leaves out of the pages what AURA does not use of `marked`. The package makes an instance of itself and writes to a function when it
 * is loaded, which keeps its parser and renderers of HTML in every page that uses its lexer.
 */
import type { Plugin } from 'vite'

/** From the instance to the exports; then the exports, of which two classes and a function are used. */
const instance = /var (\w+)=new \w+;function \w+\(\w+,\w+\)\{return \1\.parse\(.*?;export\{(.*?)\};/s
const used = ['Lexer', 'Tokenizer', 'getDefaults']

export function lexerOnly(): Plugin {
  return {
    name: 'lexer-only',
    transform: {
      filter: { id: /\/marked\/lib\/marked\.esm\.js$/ },
      handler(code) {
        const found = instance.exec(code)
        const exported = found?.[2]?.split(',').filter((one) => used.includes(one.split(' as ')[1] ?? ''))
        if (!found || exported?.length !== used.length) return this.error('This version of marked is built differently.')
        return { code: `${code.slice(0, found.index)}export{${exported.join(',')}};`, map: null }
      },
    },
  }
}
