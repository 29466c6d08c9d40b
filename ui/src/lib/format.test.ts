import { afterEach, describe, expect, it, vi } from 'vitest'
import { freshSnapshot, readySnapshot, sampleTurn } from '../backend/samples'
import { ended } from './conversation'
import {
  clock,
  costOf,
  formatCost,
  duration,
  hasAccount,
  money,
  moment,
  percent,
  seconds,
  shortModelName,
  describeStage,
  railStatus,
  tokens,
  describeUsage,
} from './format'

afterEach(() => void vi.restoreAllMocks())

describe('numbers', () => {
  it('are rounded to what people can perceive', () => {
    expect(seconds(940)).toBe('0.94 s')
    expect(seconds(3100)).toBe('3.1 s')
    expect(duration(212)).toBe('212 ms')
    expect(clock(63_000)).toBe('1:03')
  })
})

it('names models without repeating the provider', () => {
  expect(shortModelName({ provider: 'groq', model: 'openai/gpt-oss-120b' })).toBe('gpt-oss-120b')
  expect(shortModelName({ provider: 'gemini', model: 'gemini-3.5-flash-lite' })).toBe('3.5-flash-lite')
  expect(shortModelName({ provider: 'x', model: 'x' })).toBe('')
})

it('describes failed attempts and the route that took over', () => {
  const record = sampleTurn('a')
  const thinking = record.stages.find((stage) => stage.stage === 'thinking')
  expect(thinking && describeStage(readySnapshot(), thinking, ended(record))).toBe('Groq timed out → Gemini · 3.5-flash-lite')
})

describe('the foot of the rail', () => {
  it('shows the provider that answers, or a problem', () => {
    expect(railStatus(readySnapshot())).toMatchObject({ tone: 'ok', text: 'Answering with Groq' })
    expect(railStatus(freshSnapshot())).toMatchObject({ tone: 'quiet', text: 'Answering offline' })
    expect(railStatus(freshSnapshot({ routes: [] }))).toMatchObject({ tone: 'bad' })
    expect(railStatus(readySnapshot({ shortcut_problem: 'Taken.' }))).toMatchObject({ tone: 'warn', panel: 'settings' })
    expect(railStatus(readySnapshot({ history_problem: 'Full.' }))).toMatchObject({ tone: 'warn', panel: 'history' })
    expect(railStatus(readySnapshot({ routes: readySnapshot().routes.slice(1) }))).toMatchObject({ tone: 'warn' })
  })

  it('detects an API key or a server', () => {
    expect(hasAccount(freshSnapshot())).toBe(false)
    expect(hasAccount(readySnapshot())).toBe(true)
  })
})

describe('money', () => {
  it('has only significant decimals', () => {
    expect([0, 0.00001, 0.0006, 0.016, 0.53, 12.5].map(money)).toEqual([
      'free',
      'under $0.0001',
      '$0.0006',
      '$0.016',
      '$0.53',
      '$12.50',
    ])
  })

  it('shows how exact it is', () => {
    expect(formatCost({ basis: 'unknown' })).toBe('cost unknown')
    expect(formatCost({ usd: 0.01, basis: 'estimated' })).toBe('about $0.01')
    const call = (usd: number | undefined, basis: 'priced' | 'estimated' | 'unknown') => ({
      service: 'llm' as const,
      route: { provider: 'groq', model: 'm' },
      ms: 1,
      usage: {},
      cost: usd === undefined ? { basis } : { usd, basis },
    })
    expect(costOf([])).toBe('')
    expect(costOf([call(0.01, 'priced'), call(0.02, 'estimated')])).toBe('about $0.03')
    expect(costOf([call(0.01, 'priced'), call(undefined, 'unknown')])).toBe('at least $0.01')
    expect(costOf([call(undefined, 'unknown')])).toBe('cost unknown')
    // A failed call of unknown cost does not affect the sum.
    expect(costOf([call(0.01, 'priced'), { ...call(undefined, 'unknown'), class: 'timeout' }])).toBe('$0.01')
  })
})

it('large numbers are shortened', () => {
  expect([512, 131_072, 1_048_576].map(tokens)).toEqual(['512', '131k', '1m'])
  expect(percent(0.184)).toBe('18%')
})

it('a time on another day includes the day', () => {
  const at = new Date(2026, 10, 22, 14, 31, 2)
  expect(moment(at.toISOString(), at.getTime())).toBe('14:31:02')
  expect(moment(at.toISOString(), at.getTime() + 86_400_000)).toBe('22 Nov 14:31:02')
})

it('the usage of a stage is described as far as it is known', () => {
  const { stages } = sampleTurn('a')
  const thinking = stages.find((stage) => stage.stage === 'thinking')?.attempts ?? []
  expect(describeUsage(thinking)).toBe('first output after 180 ms · 1,204 tokens in, 58 out')
  const remembered = thinking.map((attempt) => ({ ...attempt, usage: { ...attempt.usage, cached_tokens: 512 } }))
  expect(describeUsage(remembered.slice(1))).toContain('512 cached')
  expect(describeUsage([])).toBe('')
})
