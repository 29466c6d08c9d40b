import type { Theme } from '../generated/Theme'

/** Puts the colours on the page and keeps them in step with the operating system. Returns what ends that. */
export function applyTheme(theme: Theme, root: HTMLElement = document.documentElement): () => void {
  return follow('(prefers-color-scheme: dark)', (dark) => {
    root.dataset.theme = theme === 'system' ? (dark ? 'dark' : 'light') : theme
  })
}

/** Likewise the contrast: more of it where the person or the operating system wants it. */
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
