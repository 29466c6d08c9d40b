import type { Theme } from '../generated/Theme'

/** Applies the theme and follows the operating system's. Returns a function that stops following. */
export function applyTheme(theme: Theme, root: HTMLElement = document.documentElement): () => void {
  return follow('(prefers-color-scheme: dark)', (dark) => {
    root.dataset.theme = theme === 'system' ? (dark ? 'dark' : 'light') : theme
  })
}

/** Applies high contrast if the user or the operating system asks for it. Returns a function that stops following. */
export function applyContrast(contrast: 'system' | 'more', root: HTMLElement = document.documentElement): () => void {
  return follow('(prefers-contrast: more)', (more) => {
    root.dataset.contrast = contrast === 'more' || more ? 'more' : 'usual'
  })
}

function follow(question: string, apply: (yes: boolean) => void): () => void {
  const query = window.matchMedia(question)
  const now = () => apply(query.matches)
  now()
  query.addEventListener('change', now)
  return () => query.removeEventListener('change', now)
}
