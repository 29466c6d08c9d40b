import { describe, expect, it } from 'vitest'
import { freshSnapshot, readySnapshot, sampleTurn } from '../backend/samples'
import { ended } from './conversation'
import { clock, duration, hasAccount, seconds, shortModel, stageWords, standing } from './words'

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
