/**
 * The windows with the scripted backend, for inspection: demo.html?scene=conversation&theme=dark&prefer=de#talk. Never part of the
 * product.
 */
import { sampleServer, sampleServerTool } from './backend/samples-mcp'
import { mount } from 'svelte'
import App from './App.svelte'
import { failing, FakeBackend, type Script } from './backend/fake'
import {
  busyLocalModels,
  freshSnapshot,
  localRoutes,
  quietService,
  readySnapshot,
  sampleSum,
  sampleTurn,
} from './backend/samples'
import type { AuraEvent } from './backend/types'
import type { Theme } from './generated/Theme'
import { loadMessages as loadOverlayMessages } from './overlay/messages'
import Overlay from './overlay/Overlay.svelte'
import { Aura } from './lib/aura.svelte'
import { loadMessages } from './lib/messages'
import { languages, setPreferences } from './lib/preferences.svelte'

const query = new URLSearchParams(location.search)
const scene = query.get('scene') ?? 'play'
const theme = (query.get('theme') ?? 'system') as Theme

const listening: AuraEvent[] = [
  { type: 'stage', turn: 't3', stage: 'listening' },
  { type: 'recording', turn: 't3' },
  ...Array.from({ length: 24 }, (_, i): AuraEvent => ({
    type: 'level',
    level: Math.abs(Math.sin(i * 1.7)) * 0.5,
    elapsed_ms: 700 + i * 100,
  })),
]
const answering: AuraEvent[] = [
  { type: 'stage', turn: 't3', stage: 'thinking' },
  { type: 'transcript', turn: 't3', text: 'And how do I find a free one?' },
  { type: 'text', turn: 't3', delta: 'Run `ss -ltn` and pick any number above 1024 that is not in the list. 8001 is free' },
  { type: 'stage', turn: 't3', stage: 'speaking' },
  { type: 'speaking', turn: 't3', sentence: 'Run ss -ltn and pick any number above 1024 that is not in the list.' },
]
const asked: AuraEvent[] = [
  {
    type: 'consent',
    turn: 't3',
    consent: {
      id: 'c1',
      turn: 't3',
      tool: 'type_text',
      action: {
        kind: 'type_text',
        text: 'Dear neighbours,\nthe party is on Friday.',
        window: { id: 7, title: 'Letter.odt — Writer' },
      },
      sentence: 'Type this text into Letter.odt?',
      may_remember: true,
      expires_at: new Date(Date.now() + 50_000).toISOString(),
    },
  },
]
const retired = {
  kind: 'model_replaced' as const,
  facts: {
    model: 'llama-3.3-70b-versatile',
    replacement: 'gpt-oss-120b',
    retired_on: '2026-08-16',
    reason: 'retired' as const,
  },
  message: 'llama-3.3-70b-versatile was retired on 16 August 2026. gpt-oss-120b is used instead.',
}
const past = [sampleTurn('t1', { notices: [retired] })]

const failed = sampleTurn('t2', {
  transcript: 'Summarise what I am looking at.',
  answer: '',
  spoken: '',
  error: {
    code: 'all_routes_failed',
    message:
      'No provider could answer: Groq timed out, Gemini is out of quota. Your question is kept. Check the network, then retry.',
    detail: [],
  },
})

const fails = failing({ code: 'storage', message: 'The disk is full.' })
const waits = () => new Promise<never>(() => undefined)
const many = Array.from({ length: 40 }, (_, i) =>
  sampleTurn(`t${String(100 - i)}`, { started_at: new Date(Date.now() - i * 7_000_000).toISOString() }),
)

const noSum = sampleSum(0, { attempts: 0 })
const nothingUsed: Script['handlers'] = {
  health: () => ({
    status: 'healthy',
    fallbacks: [],
    providers: [
      { name: 'groq', label: 'Groq', status: 'healthy', services: [quietService('stt'), quietService('llm')] },
      { name: 'offline', label: 'Offline', status: 'healthy', services: [quietService('llm'), quietService('tts')] },
    ],
  }),
  usage: () => ({ lines: [], today: noSum, month: noSum, prices_of: '2026-11-20' }),
}

const rich = sampleTurn('t1', {
  transcript: 'How do I find and free a port?',
  answer: [
    'Three steps, in **this** order:',
    '1. List what listens:\n   ```sh\n   ss -ltnp | grep 8000\n   ```\n2. Read the table:\n   - the *process* is last\n   - its number is `pid`\n3. End it, see [the manual](https://man7.org/linux/man-pages/man1/kill.1.html).',
    '| Port | Process | Since |\n|--:|:--|:--|\n| 8000 | `uvicorn` | today |\n| 5432 | `postgres` | Monday |',
    '> A port below 1024 needs *root*.',
    'The chance of a clash is $p = 1 - (1 - q)^n$.',
  ].join('\n\n'),
})

const scenes: Record<string, { script: Script; events: AuraEvent[] }> = {
  play: { script: { pace: 1 }, events: [] },
  conversation: { script: { history: past }, events: answering },
  listening: { script: { history: past }, events: listening },
  ready: { script: { history: past }, events: listening.slice(0, 1) },
  empty: { script: { handlers: nothingUsed }, events: [] },
  fresh: {
    script: {
      snapshot: freshSnapshot({ shortcut_problem: 'Another app uses Ctrl+Shift+Space. Choose another shortcut.' }),
      handlers: nothingUsed,
    },
    events: [],
  },
  markdown: { script: { history: [rich] }, events: [] },
  thinking: { script: { history: past }, events: [{ type: 'stage', turn: 't3', stage: 'thinking' }, ...answering.slice(1, 2)] },
  reading: { script: { history: past }, events: [...answering, { type: 'playback', playback: 'paused' }] },
  consent: {
    script: { history: past, snapshot: readySnapshot({ acting_tools: ['open', 'type_text', 'media'] }) },
    events: [...answering.slice(0, 2), ...asked],
  },
  servers: {
    script: {
      mcp: [
        sampleServer('files', {
          tools: [
            sampleServerTool('read_file', { description: 'Reads a text file.', permission: 'always' }),
            sampleServerTool('write_file', { description: 'Writes a text file in one of the folders.' }),
          ],
        }),
        sampleServer('github', {
          state: 'failed',
          problem: 'The value of “GITHUB_TOKEN” is missing.',
          problem_facts: { kind: 'missing_secret', name: 'GITHUB_TOKEN' },
          tools: [],
          values: [{ server: 'github', kind: 'env', name: 'GITHUB_TOKEN', is_set: false }],
        }),
      ],
    },
    events: [],
  },
  words: {
    script: { history: past },
    events: [...listening, { type: 'partial', turn: 't3', committed: 'And how do I find ', tentative: 'a free' }],
  },
  alone: { script: {}, events: listening },
  error: { script: { history: [...past, failed] }, events: [] },
  many: { script: { history: many }, events: [] },
  waiting: { script: { handlers: { history: waits, models: waits, health: waits, devices: waits, doctor: waits } }, events: [] },
  failing: {
    script: {
      handlers: { history: fails, models: fails, health: fails, usage: fails, devices: fails, doctor: fails, look: fails },
    },
    events: [],
  },
  models: { script: { local: busyLocalModels(), snapshot: freshSnapshot({ routes: localRoutes() }), history: past }, events: [] },
  'models-empty': { script: { snapshot: freshSnapshot(), pace: 1 }, events: [] },
  'sign-in': { script: { token: 'secret' }, events: [] },
  lost: { script: { history: past }, events: [] },
  said: { script: { history: past }, events: [...answering, { type: 'done', record: sampleTurn('t3') }] },
  refused: { script: { history: past }, events: [...answering, { type: 'done', record: { ...failed, id: 't3' } }] },
  broken: {
    script: { handlers: { snapshot: failing({ code: 'internal', message: 'The engine did not answer.' }) } },
    events: [],
  },
}

const { script, events } = scenes[scene] ?? scenes.play ?? { script: {}, events: [] }
const snapshot = script.snapshot ?? readySnapshot()
const prefer = languages.find((tag) => tag === query.get('prefer')) ?? 'en'
const appearance = { ...snapshot.settings.appearance, theme, language: prefer } as const
const backend = new FakeBackend({ ...script, snapshot: { ...snapshot, settings: { ...snapshot.settings, appearance } } })
setPreferences({ language: prefer, contrast: query.get('contrast') === 'more' ? 'more' : 'system', welcomed: false })
// Larger text, as set in a browser.
if (query.has('text')) document.documentElement.style.fontSize = `${query.get('text')}%`
const target = document.getElementById('app')
if (target && query.has('overlay')) {
  await import('./styles/overlay.css')
  // The size of the overlay's window; a browser window cannot be that small.
  Object.assign(target.style, { width: '440px', height: '116px' })
  await loadOverlayMessages(prefer)
  mount(Overlay, { target, props: { backend } })
} else if (target) {
  await import('./styles/base.css')
  await loadMessages(prefer)
  mount(App, { target, props: { aura: new Aura(backend) } })
}
// After the window has loaded its history.
setTimeout(() => {
  if (query.has('overlay')) backend.emit({ type: 'changed', snapshot: backend.snapshot })
  backend.emit(...events)
  if (scene === 'lost') backend.setConnected(false)
  // Presses a key for a screenshot: ?key=k with Ctrl, ?key=? without.
  const key = query.get('key')
  if (key !== null) window.dispatchEvent(new KeyboardEvent('keydown', { key, ctrlKey: key !== '?' }))
  // Opens an element for a screenshot: ?click=button[aria-expanded] for example.
  setTimeout(() => document.querySelector<HTMLElement>(query.get('click') ?? 'none')?.click(), 100)
}, 200)
