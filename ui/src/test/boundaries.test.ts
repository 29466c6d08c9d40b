/** Rules for the whole folder. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'

const files = readdirSync('src', { recursive: true, encoding: 'utf8' })
  .map((name) => join('src', name))
  .filter((name) => /\.(ts|svelte)$/.test(name) && !name.includes('generated') && !name.endsWith('.test.ts'))
  .map((name) => ({ name, text: readFileSync(name, 'utf8') }))

describe('the folder', () => {
  it('imports Tauri in one file only', () => {
    expect(files.filter((file) => file.text.includes('@tauri-apps/')).map((file) => file.name)).toEqual(['src/backend/tauri.ts'])
  })

  it('keeps the scripted backend out of the product', () => {
    const users = files.filter((file) => /from '.*\/(fake|samples[\w-]*)'/.test(file.text)).map((file) => file.name)
    expect(users.toSorted()).toEqual(['src/backend/fake.ts', 'src/backend/samples.ts', 'src/demo.ts', 'src/test/harness.ts'])
  })

  it('has small files', () => {
    expect(files.filter((file) => file.text.split('\n').length > 400).map((file) => file.name)).toEqual([])
  })

  it('has no inline style, no raw HTML and no evaluation: the content security policy allows none', () => {
    expect(
      files
        .filter((file) => /\sstyle="|\{@html|\beval\(|new Function/.test(file.text.replace(/<style>[\s\S]*/, '')))
        .map((file) => file.name),
    ).toEqual([])
  })

  it('calls no operation from the overlay', () => {
    expect(files.filter((file) => file.name.startsWith('src/overlay') && /\.call\(|\.cancel\(/.test(file.text))).toEqual([])
  })

  it('handles every event in both windows, and no other', () => {
    const named = (text: string, sign: RegExp) => [...new Set([...text.matchAll(sign)].map((match) => match[1]))].toSorted()
    const told = named(readFileSync('src/generated/Event.ts', 'utf8'), /"type": "(\w+)"/g)
    expect(told.length).toBeGreaterThan(10)
    for (const name of ['src/lib/conversation.ts', 'src/overlay/state.ts']) {
      const reducer = readFileSync(name, 'utf8').split('event.type')[1] ?? ''
      expect(named(reducer, /case '(\w+)'/g)).toEqual(told)
    }
  })

  it('has all its texts in the catalogue', () => {
    const loose = files
      .filter((file) => file.name.endsWith('.svelte'))
      .filter((file) => {
        const markup = file.text.replace(/<script[\s\S]*?<\/script>|<style[\s\S]*?<\/style>|<!--[\s\S]*?-->/g, '')
        return /(aria-label|title|placeholder|alt)="[A-Z][a-z]/.test(markup) || />\s*[A-Z][a-z]+ [a-z]+[^<{]*</.test(markup)
      })
    expect(loose.map((file) => file.name)).toEqual([])
  })
})
