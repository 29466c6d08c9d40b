import type { Theme } from '../generated/Theme'

/** Puts the colours on the page and keeps them in step with the operating system. Returns what ends that. */
export function applyTheme(theme: Theme, root: HTMLElement = document.documentElement): () => void {
  const dark = window.matchMedia('(prefers-color-scheme: dark)')
  const apply = () => {
    root.dataset.theme = theme === 'system' ? (dark.matches ? 'dark' : 'light') : theme
  }
  apply()
  dark.addEventListener('change', apply)
  return () => dark.removeEventListener('change', apply)
}
