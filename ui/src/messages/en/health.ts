/** The panel Health. */
import type { Service } from '../../generated/Service'
import { counter } from '../plural'

/** What a provider was doing when it failed. */
const at: Record<Service, string> = {
  stt: 'while transcribing',
  llm: 'while answering',
  vlm: 'while reading the screen',
  tts: 'while speaking',
}

/** The services in tables, where room is short. */
const short: Record<Service, string> = { stt: 'Speech', llm: 'Answers', vlm: 'Vision', tts: 'Voice' }

const counted = counter('en')
const count = (number: number, one: string, other: string) => counted(number, { one, other })

export const health = {
  title: 'Health',
  subtitle: 'Based on your last hour of use. Checking is free.',
  overall: {
    healthy: 'Everything works.',
    degraded: 'A provider needs attention. Your questions are still answered.',
    unhealthy: 'A service is failing. Other providers take over where they can.',
    unavailable: 'Setup isn’t finished. Add an API key or a server.',
  },
  failed: 'Couldn’t load provider health.',
  loading: 'Loading…',
  states: {
    healthy: 'healthy',
    degraded: 'degraded',
    unhealthy: 'failing',
    unavailable: 'unavailable',
    probing: 'recovering',
    unused: 'not used yet',
  },
  pausedFor: (time: string) => `paused ${time}`,
  partly: (service: string, state: string) => `${service}: ${state}`,
  retryIn: (time: string) => `Retrying in ${time}.`,
  retryNext: 'Will retry on your next question.',
  at,
  short,
  service: 'Service',
  state: 'State',
  lastHour: 'Last hour',
  p50: 'p50',
  p50Hint: 'Half of the calls were faster than this.',
  p95: 'p95',
  p95Hint: 'One call in twenty was slower than this.',
  errors: 'Errors',
  noCalls: 'no calls yet',
  calls: (ok: number, failed: string) => `${count(ok, 'call', 'calls')} answered and ${failed} failed in the last hour`,
  lastFailures: (ago: string) => `the last failure within ${ago}`,
  minutes: (number: number) => count(number, 'minute', 'minutes'),
  quota: (service: string) => `${service} quota`,
  left: {
    requests: (left: number) => `${count(left, 'request', 'requests')} left`,
    tokens: (left: number) => `${count(left, 'token', 'tokens')} left`,
    audio: (left: number) => `${count(left, 'second', 'seconds')} of audio left`,
  },
  leftOf: {
    requests: (left: string, all: string) => `${left} of ${all} requests left`,
    tokens: (left: string, all: string) => `${left} of ${all} tokens left`,
    audio: (left: string, all: string) => `${left} of ${all} seconds of audio left`,
  },
  cost: (today: string, month: string) => `Today ${today}, this month ${month}`,
  costToday: 'Today',
  costMonth: 'This month',
  pricesOf: (day: string) => `Prices as of ${day}. Estimates; your provider’s invoice is final.`,
  setUp: 'Fix in Providers',
  fallbacks: 'Fallbacks',
  noFallbacks: 'No fallbacks yet.',
  failedAt: (failed: string, doing: string) => `${failed} ${doing}.`,
  tookOver: (provider: string) => `${provider} took over.`,
  noneTookOver: 'No other provider was available.',
  stages: 'Where the time goes',
  stagesHint: 'Your latest questions, from the end of the question to the first sound of the answer.',
  noTurns: 'No questions yet. Ask something to see where the time goes.',
  turnsFailed: 'Couldn’t load the latest questions.',
  question: 'Question',
  total: 'Time to first sound',
  noQuestion: 'not understood',
}
