/** How answers are shown: structure, code, links, and what stays while more text arrives. */
import { fireEvent, render, screen } from '@testing-library/svelte'
import { afterEach, describe, expect, it } from 'vitest'
import { accessible, settle } from '../test/harness'
import Answer from './Answer.svelte'

const written: string[] = []
Object.defineProperty(navigator, 'clipboard', {
  configurable: true,
  value: { writeText: (text: string) => Promise.resolve(void written.push(text)) },
})

afterEach(() => {
  written.length = 0
  Reflect.deleteProperty(window, '__TAURI_INTERNALS__')
})

describe('an answer', () => {
  it('has tables, nested lists, quotes and formulas', async () => {
    const text =
      '| Name | Port |\n|--|--:|\n| uvicorn | 8000 |\n\n3. one\n   - inner\n4. two\n\n> Quoted.\n\n- [x] done\n\n$$\nx^2\n$$'
    const { container } = render(Answer, { text })
    expect(screen.getAllByRole('columnheader').map((cell) => cell.textContent)).toEqual(['Name', 'Port'])
    expect(screen.getByRole('cell', { name: '8000' }).className).toContain('right')
    expect(container.querySelector('ol')?.start).toBe(3)
    expect(container.querySelector('ol > li ul > li')?.textContent).toBe('inner')
    expect(container.querySelector('blockquote')?.textContent?.trim()).toBe('Quoted.')
    expect(container.querySelector('.task')?.textContent).toMatch(/☑\s*done/)
    expect(container.querySelector('.formula')?.textContent).toBe('x^2')
    await accessible()
  })

  it('shows the language of code and copies it', async () => {
    render(Answer, { text: '```sh\nls -l\n```' })
    expect(screen.getByText('sh')).toBeTruthy()
    await fireEvent.click(screen.getByRole('button', { name: 'Copy the code' }))
    await settle()
    expect(written).toEqual(['ls -l'])
    expect(screen.getByRole('button', { name: 'Copied' })).toBeTruthy()
    await accessible()
  })

  it('in a browser has links that show their address and open a page of their own', async () => {
    render(Answer, { text: 'See [the manual](https://example.org/m) or https://a.org.' })
    const link = screen.getByRole('link', { name: 'the manual (https://example.org/m)' })
    expect(link.getAttribute('target')).toBe('_blank')
    expect(link.getAttribute('rel')).toBe('noopener noreferrer')
    expect(screen.getByRole('link', { name: 'https://a.org' }).getAttribute('href')).toBe('https://a.org')
    await accessible()
  })

  it('in the app has links that show their address and open the system’s browser', async () => {
    const opened: unknown[] = []
    let found = true
    const invoke = (command: string, given: unknown) => {
      opened.push([command, given])
      return found ? Promise.resolve() : Promise.reject(new Error('No browser.'))
    }
    Object.defineProperty(window, '__TAURI_INTERNALS__', { configurable: true, value: { invoke } })
    render(Answer, { text: 'See [the manual](https://example.org/m).' })
    const link = screen.getByRole('link', { name: 'the manual (https://example.org/m)' })
    await fireEvent.click(link)
    expect(opened).toEqual([['open_link', { address: 'https://example.org/m' }]])
    await fireEvent.click(screen.getByRole('button', { name: 'Copy the address https://example.org/m' }))
    expect(written).toEqual(['https://example.org/m'])
    await accessible()
    // Without a browser, the address is copied.
    found = false
    await fireEvent.click(link)
    await settle()
    expect(written).toEqual(['https://example.org/m', 'https://example.org/m'])
  })

  it('leaves what is written as it is while more arrives', async () => {
    const text = 'One.\n\n- a\n- b\n\nTwo.\n\nThr'
    const { container, rerender } = render(Answer, { text, growing: true, writing: true })
    const before = [...container.querySelectorAll('p, li')]
    const changes: MutationRecord[] = []
    const observer = new MutationObserver((found) => changes.push(...found))
    observer.observe(container, { subtree: true, childList: true, characterData: true })
    await rerender({ text: `${text}ee.`, growing: true, writing: true })
    await settle()
    const after = [...container.querySelectorAll('p, li')]
    expect(after.map((element) => element.textContent)).toEqual(['One.', 'a', 'b', 'Two.', 'Three.'])
    expect(after.slice(0, 4).every((element, i) => element === before[i])).toBe(true)
    expect(changes.every((change) => after[4]?.contains(change.target))).toBe(true)
    observer.disconnect()
  })
})
