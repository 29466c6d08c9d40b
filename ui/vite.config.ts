import { fileURLToPath } from 'node:url'
import { svelte } from '@sveltejs/vite-plugin-svelte'
import { svelteTesting } from '@testing-library/svelte/vite'
import { defineConfig } from 'vitest/config'
import { budget } from './budget.ts'

const page = (name: string) => fileURLToPath(new URL(name, import.meta.url))

export default defineConfig(({ mode }) => ({
  plugins: [
    svelte(),
    ...(mode === 'test' ? [svelteTesting()] : []),
    // JavaScript that a window loads, gzipped: small windows open fast.
    ...(mode === 'production' ? [budget({ index: 120_000, hud: 25_000 })] : []),
  ],
  // The same files serve the window and, under /app/, an ordinary browser: nothing in them may say where they lie.
  base: './',
  clearScreen: false,
  server: { port: 1420, strictPort: true },
  build: {
    // The demonstration plays the scripted backend; it is a build of its own, so that nothing of it can reach the product.
    outDir: mode === 'demo' ? 'node_modules/.demo' : 'dist',
    target: 'safari16',
    // A strict content security policy allows neither inline scripts nor data: URLs.
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0,
    rolldownOptions: {
      input: (mode === 'demo' ? ['demo.html'] : ['index.html', 'hud.html']).map(page),
    },
  },
  test: {
    environment: 'jsdom',
    // The accessibility checks are slow on a busy computer.
    testTimeout: 30_000,
    setupFiles: ['src/test/setup.ts'],
    include: ['src/**/*.test.ts'],
  },
}))
