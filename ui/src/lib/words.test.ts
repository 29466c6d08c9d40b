import { describe, expect, it } from 'vitest'
import { freshSnapshot, readySnapshot, sampleTurn } from '../backend/samples'
import { ended } from './conversation'
import {
  clock,
  costOf,
  costWords,
  duration,
  hasAccount,
  money,
  moment,
  percent,
  seconds,
  shortModel,
  stageWords,
  standing,
  tokens,
  usageWords,
} from './words'

describe('numbers', () => {
  it('are what people can feel', () => {
    expect(seconds(940)).toBe('0.94 s')
    expect(seconds(3100)).toBe('3.1 s')
    expect(duration(212)).toBe('212 ms')
    expect(clock(63_000)).toBe('1:03')
  })
})

it('names models without repeating the provider', () => {
  expect(shortModel({ provider: 'groq', model: 'openai/gpt-oss-120b' })).toBe('gpt-oss-120b')
  expect(shortModel({ provider: 'gemini', model: 'gemini-3.5-flash-lite' })).toBe('3.5-flash-lite')
  expect(shortModel({ provider: 'x', model: 'x' })).toBe('')
})

it('says who failed and who took over', () => {
  const record = sampleTurn('a')
  const thinking = record.stages.find((stage) => stage.stage === 'thinking')
  expect(thinking && stageWords(readySnapshot(), thinking, ended(record))).toBe('Groq timed out → Gemini · 3.5-flash-lite')
})

describe('the foot of the rail', () => {
  it('says who would answer, or what is wrong', () => {
    expect(standing(readySnapshot())).toMatchObject({ tone: 'ok', text: 'Groq answers' })
    expect(standing(freshSnapshot())).toMatchObject({ tone: 'quiet', text: 'The programs on this computer answer' })
    expect(standing(freshSnapshot({ routes: [] }))).toMatchObject({ tone: 'bad' })
    expect(standing(readySnapshot({ shortcut_problem: 'Taken.' }))).toMatchObject({ tone: 'warn', panel: 'settings' })
    expect(standing(readySnapshot({ routes: readySnapshot().routes.slice(1) }))).toMatchObject({ tone: 'warn' })
  })

  it('knows an account when it sees one', () => {
    expect(hasAccount(freshSnapshot())).toBe(false)
    expect(hasAccount(readySnapshot())).toBe(true)
  })
})

describe('money', () => {
  it('has as many decimals as say something', () => {
    expect([0, 0.00001, 0.0006, 0.016, 0.53, 12.5].map(money)).toEqual([
      'free',
      'under $0.0001',
      '$0.0006',
      '$0.016',
      '$0.53',
      '$12.50',
    ])
  })

  it('says how sure it is', () => {
    expect(costWords({ basis: 'unknown' })).toBe('cost unknown')
    expect(costWords({ usd: 0.01, basis: 'estimated' })).toBe('about $0.01')
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
    // A call that failed and cost nobody knows what does not blur the sum.
    expect(costOf([call(0.01, 'priced'), { ...call(undefined, 'unknown'), class: 'timeout' }])).toBe('$0.01')
  })
})

it('large and small numbers are short', () => {
  expect([512, 131_072, 1_048_576].map(tokens)).toEqual(['512', '131 k', '1 M'])
  expect(percent(0.184)).toBe('18 %')
})

it('a time of another day has its day', () => {
  const at = new Date(2026, 10, 22, 14, 31, 2)
  expect(moment(at.toISOString(), at.getTime())).toBe('14:31:02')
  expect(moment(at.toISOString(), at.getTime() + 86_400_000)).toBe('22 Nov 14:31:02')
})

it('what a stage used is said as far as it is known', () => {
  const { stages } = sampleTurn('a')
  const thinking = stages.find((stage) => stage.stage === 'thinking')?.attempts ?? []
  expect(usageWords(thinking)).toBe('first part after 180 ms · 1,204 tokens read, 58 written')
  const remembered = thinking.map((attempt) => ({ ...attempt, usage: { ...attempt.usage, cached_tokens: 512 } }))
  expect(usageWords(remembered.slice(1))).toContain('512 of them remembered')
  expect(usageWords([])).toBe('')
})
