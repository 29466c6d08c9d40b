import { expect, it, vi } from 'vitest'
import { applyTheme } from './theme'

it('follows the system unless the user chose a theme', () => {
  let changed: (() => void) | undefined
  const query = {
    matches: false,
    addEventListener: (_: string, listener: () => void) => (changed = listener),
    removeEventListener: vi.fn(),
  }
  vi.stubGlobal('matchMedia', () => query)
  const root = document.createElement('div')
  const end = applyTheme('system', root)
  expect(root.dataset.theme).toBe('light')
  query.matches = true
  changed?.()
  expect(root.dataset.theme).toBe('dark')
  end()
  expect(query.removeEventListener).toHaveBeenCalled()
  applyTheme('light', root)
  expect(root.dataset.theme).toBe('light')
  vi.unstubAllGlobals()
})
