/** Sample data for tests and for the scripted backend. */
import type { Attempt } from '../generated/Attempt'
import type { CaptureTarget } from '../generated/CaptureTarget'
import type { Devices } from '../generated/Devices'
import type { Diagnostic } from '../generated/Diagnostic'
import type { Preview } from '../generated/Preview'
import type { ProviderView } from '../generated/ProviderView'
import type { Service } from '../generated/Service'
import type { Settings } from '../generated/Settings'
import type { Snapshot } from '../generated/Snapshot'
import type { TurnRecord } from '../generated/TurnRecord'

export * from './samples-local'
export * from './samples-report'

const everything = { audio: true, screen: true, text: true }
const all: Service[] = ['stt', 'llm', 'vlm', 'tts']

export const sampleSettings = (): Settings => ({
  schema: 1,
  fallback: true,
  fallback_when_blocked: false,
  hedge: false,
  choose: 'order',
  routes: { stt: {}, llm: {}, vlm: {}, tts: {} },
  providers: {},
  listening: {
    standby: 'after_use',
    mode: 'auto',
    longest_seconds: 120,
    spare_microphones: [],
    vocabulary: [],
    streaming: true,
    lower_other_sound: false,
  },
  speaking: {
    muted: false,
    speed_percent: 100,
    volume_percent: 100,
    voices: {},
    cues: { listening: true, heard: false, switched: false, failed: true },
    say: { failures: true, switches: false },
  },
  screen: { share: 'when_asked', target: { kind: 'monitor' } },
  actions: { enabled: true, permissions: {} },
  history: { keep_recordings_days: 30, keep_turns_days: 0, max_gigabytes: 5 },
  shortcut: 'Ctrl+Shift+Space',
  timeouts: {
    connect_ms: 3000,
    first_content_ms: 8000,
    transcript_ms: 15000,
    local_first_content_ms: 60000,
    between_ms: 5000,
    error_body_ms: 3000,
    whole_ms: 60000,
  },
  appearance: { theme: 'system', overlay: true, language: 'system' },
  startup: { background: true, at_login: false },
  updates: { check: false },
  budget: { daily_usd: 0, stop: false },
  mcp_servers: {},
  cursor_shortcuts: { dictate: '', answer_here: '', edit_selection: '' },
  local_api: { open: false, port: 8000 },
  instructions: '',
  persona: '',
  personas: [],
})

export const sampleProvider = (name: string, label: string, more: Partial<ProviderView> = {}): ProviderView => ({
  name,
  label,
  services: all,
  local: false,
  needs_key: true,
  may_receive: { ...everything },
  ...more,
})

export const groq = () => sampleProvider('groq', 'Groq', { key: { ends_with: 'k3Qf', place: 'keyring' } })
export const gemini = () => sampleProvider('gemini', 'Gemini', { key: { ends_with: 'x1Ra', place: 'keyring' } })
export const offline = () => sampleProvider('offline', 'Offline', { local: true, needs_key: false })

/** A fresh installation: only the offline tools work. */
export const freshSnapshot = (more: Partial<Snapshot> = {}): Snapshot => ({
  version: '0.1.0',
  sandbox: false,
  stage: 'idle',
  session: 'session-1',
  hands_free: false,
  playback: 'idle',
  acting_tools: [],
  settings: sampleSettings(),
  from_environment: [],
  overruled: [],
  settings_problems: [],
  settings_problem_facts: [],
  providers: [
    sampleProvider('groq', 'Groq', { problem: 'Groq needs an API key.' }),
    sampleProvider('gemini', 'Gemini', { problem: 'Gemini needs an API key.' }),
    offline(),
  ],
  routes: [
    { service: 'stt', routes: [{ provider: 'offline', model: 'pocketsphinx' }] },
    { service: 'llm', routes: [{ provider: 'offline', model: 'sound-check' }] },
    { service: 'vlm', routes: [{ provider: 'offline', model: 'tesseract' }] },
    { service: 'tts', routes: [{ provider: 'offline', model: 'espeak-ng' }] },
  ],
  ...more,
})

/** Two API keys and a local server. */
export function readySnapshot(more: Partial<Snapshot> = {}): Snapshot {
  const settings = sampleSettings()
  settings.routes.llm = { provider: 'groq', model: 'openai/gpt-oss-120b' }
  settings.routes.tts = { provider: 'gemini', voice: 'Kore' }
  settings.providers = { ollama: { preset: 'ollama', base_url: 'http://localhost:11434/v1', may_receive: { ...everything } } }
  return freshSnapshot({
    settings,
    providers: [
      groq(),
      gemini(),
      sampleProvider('ollama', 'Ollama', {
        services: ['llm', 'vlm'],
        local: true,
        needs_key: false,
        problem: 'No server responds at localhost:11434. Start Ollama, then try again.',
      }),
      offline(),
    ],
    routes: [
      {
        service: 'stt',
        routes: [
          { provider: 'groq', model: 'whisper-large-v3-turbo' },
          { provider: 'gemini', model: 'gemini-3.5-flash-lite' },
          { provider: 'offline', model: 'pocketsphinx' },
        ],
      },
      {
        service: 'llm',
        routes: [
          { provider: 'groq', model: 'openai/gpt-oss-120b' },
          { provider: 'gemini', model: 'gemini-3.5-flash-lite' },
          { provider: 'offline', model: 'sound-check' },
        ],
      },
      {
        service: 'vlm',
        routes: [
          { provider: 'gemini', model: 'gemini-3.5-flash-lite' },
          { provider: 'groq', model: 'qwen/qwen3.8-27b' },
          { provider: 'offline', model: 'tesseract' },
        ],
      },
      {
        service: 'tts',
        routes: [
          { provider: 'gemini', model: 'gemini-3.8-flash-lite-tts', voice: 'Kore' },
          { provider: 'groq', model: 'canopylabs/orpheus-v1-english', voice: 'hannah' },
          { provider: 'offline', model: 'espeak-ng' },
        ],
      },
    ],
    ...more,
  })
}

export const sampleDevices = (): Devices => ({
  microphones: [
    { id: 'usb', label: 'USB microphone', default: true },
    { id: 'built-in', label: 'Built-in microphone', default: false },
  ],
  speakers: [{ id: 'headset', label: 'Headset', default: true }],
  screens: [
    { kind: 'monitor', name: 'DP-1' },
    { kind: 'window', title: 'Terminal' },
  ],
  can_lower_sound: true,
})

/** A small JPEG with the aspect ratio of a screen. */
const picture =
  '/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDACgcHiMeGSgjISMtKygwPGRBPDc3PHtYXUlkkYCZlo+AjIqgtObDoKrarYqMyP/L2u71////m8H////6/+b9//j/2wBDASstLTw1PHZBQXb4pYyl+Pj4+Pj4+Pj4+Pj4+Pj4+Pj4+Pj4+Pj4+Pj4+Pj4+Pj4+Pj4+Pj4+Pj4+Pj4+Pj4+Pj/wAARCAAbADADASIAAhEBAxEB/8QAFQABAQAAAAAAAAAAAAAAAAAAAAP/xAAVEAEBAAAAAAAAAAAAAAAAAAAAEv/EABYBAQEBAAAAAAAAAAAAAAAAAAACAf/EABQRAQAAAAAAAAAAAAAAAAAAAAD/2gAMAwEAAhEDEQA/AFFJ0UpKlFJ0UClFJ0UCVFJg1SikwFKKTAf/2Q=='

/** What would be sent: a screen of 1920 × 1080 scaled down, or a region as it is. */
export const samplePreview = (target: CaptureTarget): Preview => {
  const area =
    target.kind === 'region'
      ? { x: target.x, y: target.y, width: target.width, height: target.height }
      : { x: 0, y: 0, width: 1920, height: 1080 }
  return { jpeg: picture, width: Math.min(1568, area.width), height: Math.min(882, area.height), bytes: 182_000, area }
}

export const sampleFindings = (): Diagnostic[] => [
  {
    area: 'microphone',
    ok: true,
    finding: { kind: 'microphone_works', first_ms: 31, level_percent: 4 },
    message: 'USB microphone records.',
  },
  { area: 'speaker', ok: true, finding: { kind: 'speaker_works', rate: 48_000 }, message: 'Headset plays.' },
  {
    area: 'screen',
    ok: true,
    finding: { kind: 'screen_works', width: 1920, height: 1080, ms: 48 },
    message: 'One screen can be shared.',
  },
  {
    area: 'keyring',
    ok: false,
    finding: { kind: 'failed', code: 'keyring' },
    message: 'No keyring is available.',
    remedy: 'Install and unlock gnome-keyring or KeePassXC, or keep keys for this session only.',
  },
  {
    area: 'tesseract',
    ok: true,
    finding: { kind: 'program_found', task: 'read', path: '/usr/bin/tesseract' },
    message: 'Reads the text on your screen without a network.',
  },
]

const attempt = (service: Service, provider: string, model: string, ms: number, more: Partial<Attempt> = {}): Attempt => ({
  service,
  route: { provider, model },
  ms,
  usage: {},
  cost: { basis: 'unknown' },
  ...more,
})

export const sampleTurn = (id: string, more: Partial<TurnRecord> = {}): TurnRecord => ({
  id,
  session: 'session-1',
  started_at: '2026-11-22T14:31:02Z',
  transcript: 'What does the error on my screen mean?',
  answer:
    'Your build stops because port 8000 is already taken by another program. The process named **uvicorn**, number 4312, is using it. Close that one, or start yours with a different port.',
  spoken: 'Your build stops because port 8000 is already taken by another program.',
  interrupted: false,
  stages: [
    { stage: 'listening', start_ms: 0, ms: 3100, attempts: [] },
    {
      stage: 'transcribing',
      start_ms: 3100,
      ms: 212,
      route: { provider: 'groq', model: 'whisper-large-v3-turbo' },
      attempts: [
        attempt('stt', 'groq', 'whisper-large-v3-turbo', 212, {
          usage: { audio_seconds: 3.1 },
          cost: { usd: 0.0001, basis: 'priced' },
        }),
      ],
    },
    {
      stage: 'thinking',
      start_ms: 3312,
      ms: 1431,
      route: { provider: 'gemini', model: 'gemini-3.5-flash-lite' },
      attempts: [
        attempt('vlm', 'groq', 'qwen/qwen3.8-27b', 1000, { class: 'timeout', message: 'No reply within 1 s.' }),
        attempt('vlm', 'gemini', 'gemini-3.5-flash-lite', 431, {
          first_ms: 180,
          usage: { input_tokens: 1204, output_tokens: 58 },
          cost: { usd: 0.0004, basis: 'priced' },
        }),
      ],
    },
    {
      stage: 'speaking',
      start_ms: 4050,
      ms: 5200,
      route: { provider: 'gemini', model: 'gemini-3.8-flash-lite-tts', voice: 'Kore' },
      attempts: [
        attempt('tts', 'gemini', 'gemini-3.8-flash-lite-tts', 298, {
          usage: { characters: 179 },
          cost: { usd: 0.0001, basis: 'priced' },
        }),
      ],
    },
  ],
  notices: [],
  seen: { width: 1568, height: 882, bytes: 182_000 },
  first_sound_ms: 940,
  ...more,
})
