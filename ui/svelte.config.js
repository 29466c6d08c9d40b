import { vitePreprocess } from '@sveltejs/vite-plugin-svelte'

export default {
  preprocess: vitePreprocess(),
  compilerOptions: {
    runes: true,
    // The class that scopes a component's styles stands at most of its elements: without "svelte-", and shorter.
    cssHash: ({ hash, css }) => `s${hash(css).slice(0, 5)}`,
  },
}
