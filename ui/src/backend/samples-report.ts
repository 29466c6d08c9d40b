/** Sample health, usage, models and servers. */
import type { HealthReport } from '../generated/HealthReport'
import type { ModelView } from '../generated/ModelView'
import type { HealthBucket } from '../generated/HealthBucket'
import type { ProviderHealth } from '../generated/ProviderHealth'
import type { RateLimit } from '../generated/RateLimit'
import type { ServerView } from '../generated/ServerView'
import type { Service } from '../generated/Service'
import type { ServiceHealth } from '../generated/ServiceHealth'
import type { UsageTotals } from '../generated/UsageTotals'
import type { TestResult } from '../generated/TestResult'
import type { TrendLine } from '../generated/TrendLine'
import type { TrendRange } from '../generated/TrendRange'
import type { Trends } from '../generated/Trends'
import type { UsageReport } from '../generated/UsageReport'
import type { VoiceView } from '../generated/VoiceView'

const model = (provider: string, name: string, services: Service[], more: Partial<ModelView> = {}): ModelView => ({
  name,
  provider,
  services,
  voices: [],
  source: 'live',
  ...more,
})

export const sampleModels = (): ModelView[] => [
  model('groq', 'whisper-large-v3-turbo', ['stt'], { price: { unit: 'hour of audio', input: 0.04 } }),
  model('groq', 'whisper-large-v3', ['stt'], { price: { unit: 'hour of audio', input: 0.111 } }),
  model('groq', 'openai/gpt-oss-120b', ['llm'], {
    context: 131_072,
    max_output: 65_536,
    price: { unit: '1M tokens', input: 0.15, output: 0.6 },
  }),
  model('groq', 'openai/gpt-oss-20b', ['llm'], { context: 131_072, price: { unit: '1M tokens', input: 0.075, output: 0.3 } }),
  model('groq', 'qwen/qwen3.8-27b', ['llm', 'vlm'], {
    context: 131_072,
    price: { unit: '1M tokens', input: 0.29, output: 0.59 },
    retired_on: '2027-01-31',
    replaced_by: 'openai/gpt-oss-120b',
  }),
  model('groq', 'llama-3.3-70b-versatile', ['llm'], {
    source: 'catalog',
    retired_on: '2026-08-16',
    replaced_by: 'openai/gpt-oss-120b',
    problem: 'Groq no longer lists it.',
  }),
  model('groq', 'canopylabs/orpheus-v1-english', ['tts'], {
    voices: ['hannah', 'austin', 'troy'],
    price: { unit: '1M characters', input: 22 },
    note: 'its terms must be accepted once at console.groq.com',
    note_facts: { kind: 'accept_terms', page: 'console.groq.com' },
  }),
  model('gemini', 'gemini-3.5-flash-lite', ['stt', 'llm', 'vlm'], {
    context: 1_048_576,
    price: { unit: '1M tokens', input: 0.1, output: 0.4 },
  }),
  model('gemini', 'gemini-3.5-pro', ['stt', 'llm', 'vlm'], { context: 1_048_576, source: 'catalog' }),
  model('gemini', 'gemini-3.8-flash-lite-tts', ['tts'], { voices: ['Kore', 'Puck', 'Charon'] }),
  model('ollama', 'llama3.2', ['llm'], { context: 8_192 }),
]

export const sampleVoices = (): VoiceView[] => [
  { name: 'hannah', provider: 'groq', model: 'canopylabs/orpheus-v1-english', language: 'en', gender: 'female' },
  { name: 'austin', provider: 'groq', model: 'canopylabs/orpheus-v1-english', language: 'en', gender: 'male' },
  { name: 'troy', provider: 'groq', model: 'canopylabs/orpheus-v1-english', language: 'en', gender: 'male' },
  { name: 'Kore', provider: 'gemini', model: 'gemini-3.8-flash-lite-tts', gender: 'female' },
  { name: 'Puck', provider: 'gemini', model: 'gemini-3.8-flash-lite-tts', gender: 'male' },
  { name: 'Charon', provider: 'gemini', model: 'gemini-3.8-flash-lite-tts' },
]

const server = (preset: string, label: string, base_url: string, more: Partial<ServerView> = {}): ServerView => ({
  preset,
  label,
  base_url,
  local: true,
  needs_key: false,
  services: ['llm', 'vlm'],
  found: false,
  ...more,
})

export const sampleServers = (): ServerView[] => [
  server('openai', 'OpenAI', 'https://api.openai.com/v1/', {
    local: false,
    needs_key: true,
    services: ['stt', 'llm', 'vlm', 'tts'],
  }),
  server('ollama', 'Ollama', 'http://127.0.0.1:11434/v1/'),
  server('lmstudio', 'LM Studio', 'http://127.0.0.1:1234/v1/', { found: true }),
  server('kokoro', 'Kokoro', 'http://127.0.0.1:8880/v1/', { services: ['tts'] }),
]

const parts = (ok: number[], failed: number[] = []): HealthBucket[] =>
  ok.map((calls, i) => ({ ok: calls, failed: failed[i] ?? 0 }))
const none = Array<number>(12).fill(0)

/** A rate limit of which nothing is known. */
export const noLimit: RateLimit = {
  requests: null,
  requests_left: null,
  requests_reset_s: null,
  tokens: null,
  tokens_left: null,
  tokens_reset_s: null,
  audio_seconds: null,
  audio_seconds_left: null,
  audio_seconds_reset_s: null,
}

/** A service without calls in the last hour. */
export const quietService = (service: Service, more: Partial<ServiceHealth> = {}): ServiceHealth => ({
  service,
  status: 'healthy',
  circuit: 'closed',
  requests: 0,
  hour: parts(none),
  ...more,
})

const busyService = (service: Service, p50_ms: number, p95_ms: number, more: Partial<ServiceHealth> = {}): ServiceHealth =>
  quietService(service, {
    requests: 24,
    success_rate: 1,
    p50_ms,
    p95_ms,
    hour: parts([1, 2, 2, 1, 3, 2, 2, 3, 1, 2, 3, 2]),
    ...more,
  })

/** Groq's speech to text is paused for 24 s; everything else works. */
export const sampleHealth = (now = Date.now()): HealthReport => {
  const message = 'No reply within 15 s.'
  const groq: ProviderHealth = {
    name: 'groq',
    label: 'Groq',
    status: 'unhealthy',
    reason: message,
    services: [
      busyService('stt', 228, 1900, {
        status: 'unhealthy',
        reason: message,
        circuit: 'open',
        cooldown_until: new Date(now + 24_000).toISOString(),
        success_rate: 0.82,
        requests: 28,
        hour: parts([1, 2, 2, 1, 3, 2, 2, 3, 1, 2, 3, 1], [0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 2]),
        last_error: { class: 'timeout', message, at: new Date(now - 12_000).toISOString() },
        rate_limit: {
          ...noLimit,
          requests: 2000,
          requests_left: 1812,
          audio_seconds: 7200,
          audio_seconds_left: 6540,
          audio_seconds_reset_s: 900,
        },
        rate_limit_at: new Date().toISOString(),
      }),
      busyService('llm', 310, 540, {
        rate_limit: { ...noLimit, requests: 1000, requests_left: 812, tokens: 8000, tokens_left: 7420 },
      }),
      busyService('vlm', 690, 1100),
      quietService('tts'),
    ],
  }
  return {
    status: 'degraded',
    providers: [
      groq,
      {
        name: 'gemini',
        label: 'Gemini',
        status: 'healthy',
        services: [
          busyService('stt', 840, 1300, { hour: parts([...none.slice(4), 1, 2, 1, 2]), requests: 6 }),
          busyService('llm', 520, 900),
          busyService('vlm', 780, 1200),
          busyService('tts', 298, 460),
        ],
      },
      {
        name: 'ollama',
        label: 'Ollama',
        status: 'unavailable',
        reason: 'No server responds at localhost:11434. Start Ollama, then try again.',
        services: [quietService('llm'), quietService('vlm')],
      },
      {
        name: 'offline',
        label: 'Offline',
        status: 'healthy',
        services: [quietService('stt'), quietService('llm'), quietService('vlm'), quietService('tts')],
      },
    ],
    fallbacks: [
      {
        at: new Date(now - 12_000).toISOString(),
        service: 'stt',
        from: { provider: 'groq', model: 'whisper-large-v3-turbo' },
        to: { provider: 'gemini', model: 'gemini-3.5-flash-lite' },
        class: 'timeout',
        message,
      },
      {
        at: new Date(now - 2_000_000).toISOString(),
        service: 'llm',
        from: { provider: 'groq', model: 'openai/gpt-oss-120b' },
        class: 'rate_limited',
        message: 'Rate limit reached for tokens per minute.',
      },
    ],
  }
}

export const sampleSum = (usd: number, more: Partial<UsageTotals> = {}): UsageTotals => ({
  attempts: 12,
  failed: 0,
  input_tokens: 5200,
  output_tokens: 900,
  audio_seconds: 40,
  characters: 800,
  usd,
  estimated: 0,
  unknown: 0,
  ...more,
})

/** The figures of a longer time: the ledger keeps them over restarts. */
export function sampleTrends(range: TrendRange = 'hour'): Trends {
  const parts = { hour: 12, day: 24, month: 30 }[range]
  const line = (provider: string, service: TrendLine['service'], p50_ms: number, failed = 0): TrendLine => ({
    provider,
    service,
    requests: parts * 3 + failed,
    success_rate: (parts * 3) / (parts * 3 + failed),
    p50_ms,
    p95_ms: p50_ms * 3,
    parts: Array.from({ length: parts }, (_, i) => ({ ok: 3, failed: i === 4 ? failed : 0 })),
  })
  const { month } = sampleUsage()
  const dayBefore = (days: number) => new Date(Date.now() - days * 86_400_000).toISOString().slice(0, 10)
  return {
    lines: range === 'hour' ? [] : [line('groq', 'llm', 220, 5), line('groq', 'stt', 380), line('gemini', 'tts', 640)],
    days: [9, 5, 4, 2, 1].map((ago) => ({ day: dayBefore(ago), totals: { ...month, usd: 0.02 + ago / 50, unknown: 0 } })),
  }
}

export const sampleUsage = (): UsageReport => ({
  lines: [
    { provider: 'groq', service: 'stt', today: sampleSum(0.004), month: sampleSum(0.1) },
    { provider: 'groq', service: 'llm', today: sampleSum(0.008), month: sampleSum(0.31, { estimated: 3 }) },
    { provider: 'gemini', service: 'tts', today: sampleSum(0.004, { unknown: 2 }), month: sampleSum(0.12, { unknown: 2 }) },
  ],
  today: sampleSum(0.016, { unknown: 2 }),
  month: sampleSum(0.53, { estimated: 3, unknown: 2 }),
  prices_of: '2026-11-20',
})

const usualModels: Record<Service, string> = {
  stt: 'whisper-large-v3-turbo',
  llm: 'openai/gpt-oss-120b',
  vlm: 'qwen/qwen3.8-27b',
  tts: 'canopylabs/orpheus-v1-english',
}

export const sampleTest = (service: Service, provider = 'groq', model?: string, voice?: string): TestResult => ({
  service,
  route: { provider, model: model ?? usualModels[service], ...(voice === undefined ? {} : { voice }) },
  ...(service === 'tts' ? { speech_ms: 2400 } : {}),
  result: service === 'tts' ? '2.4 seconds of speech' : service === 'stt' ? 'It is going to be a good year.' : 'I am ready.',
  latency_ms: 640,
  ...(service === 'stt' ? {} : { first_ms: 212 }),
  cost: { usd: 0.0001, basis: 'priced' },
  notices: [],
})
