import { fileURLToPath } from 'node:url'
import { svelte } from '@sveltejs/vite-plugin-svelte'
import { svelteTesting } from '@testing-library/svelte/vite'
import { defineConfig } from 'vitest/config'
import { budget } from './budget.ts'
import { lexerOnly } from './lexer-only.ts'

const page = (name: string) => fileURLToPath(new URL(name, import.meta.url))

export default defineConfig(({ mode }) => ({
  plugins: [
    lexerOnly(),
    svelte(),
    ...(mode === 'test' ? [svelteTesting()] : []),
    // Budgets of the pages' JavaScript, bytes gzipped, so that windows open fast.
    ...(mode === 'production' ? [budget({ index: 154_000, overlay: 27_800 })] : []),
  ],
  // Relative paths: the same files serve the window and, under /app/, an ordinary browser.
  base: './',
  clearScreen: false,
  server: { port: 1420, strictPort: true },
  build: {
    // The demo uses the scripted backend and is a build of its own, so that none of it reaches the product.
    outDir: mode === 'demo' ? 'node_modules/.demo' : 'dist',
    target: 'safari16',
    // A strict content security policy allows neither inline scripts nor data: URLs.
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0,
    rolldownOptions: {
      input: (mode === 'demo' ? ['demo.html'] : ['index.html', 'overlay.html']).map(page),
    },
  },
  test: {
    environment: 'jsdom',
    // One document for all files, which clean up after each test: a new one for each takes as long as half of the tests.
    isolate: false,
    // The accessibility checks are slow on a busy computer.
    testTimeout: 30_000,
    setupFiles: ['src/test/setup.ts'],
    include: ['src/**/*.test.ts'],
  },
}))
