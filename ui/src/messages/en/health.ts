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
  allWell: 'Everything works.',
  unfinished: (services: string) => `Setup isn’t finished. No provider for: ${services}.`,
  noun: { stt: 'speech to text', llm: 'answering', vlm: 'vision', tts: 'voice' } as Record<Service, string>,
  trouble: {
    paused: (provider: string, service: string) => `${provider} ${service} is paused`,
    failing: (provider: string, service: string) => `${provider} ${service} is failing`,
    recovering: (provider: string, service: string) => `${provider} ${service} is recovering`,
    degraded: (provider: string, service: string) => `${provider} ${service} fails often, but still works`,
  },
  covered: (trouble: string, provider: string) => `${trouble}; ${provider} is covering.`,
  uncovered: (trouble: string) => `${trouble}, and no other provider can cover.`,
  alone: (trouble: string) => `${trouble}.`,
  tryNow: 'Try now',
  tryNowWith: (provider: string, service: string) => `Try now: ${provider}, ${service}`,
  details: 'Details',
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
  provider: 'Provider',
  providers: 'Providers and quotas',
  noProviders: 'No providers yet. Each one will appear here with its state, its quotas and its cost.',
  latency: 'Response times',
  latencyHint: 'Last hour. “Typical”: half of the calls were faster. “Slow”: one call in twenty was slower.',
  noLatency: 'No calls in the last hour. The response time, calls and errors of each provider will appear here.',
  typical: 'Typical',
  slow: 'Slow',
  answered: 'answered',
  failedCalls: 'failed',
  partlyFailed: 'some failed',
  fallbackMark: 'fallback',
  callsColumn: 'Calls and errors',
  ago: (minutes: number) => `${minutes} min ago`,
  now: 'now',
  noCalls: 'no calls yet',
  calls: (number: number) => count(number, 'call', 'calls'),
  callsFailed: (calls: string, failed: string, share: string) => `${calls}, ${failed} failed (${share})`,
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
  fallbacks: 'Fallbacks and outages',
  pausedUntil: (service: string, time: string) => `${service} is paused until ${time}.`,
  noFallbacks: 'No fallbacks yet. When a provider fails and another takes over, it will appear here.',
  failedAt: (failed: string, doing: string) => `${failed} ${doing}.`,
  tookOver: (provider: string) => `${provider} took over.`,
  noneTookOver: 'No other provider was available.',
  stages: 'Where the time goes',
  stagesHint:
    'Your latest questions, from the end of the question to the first sound of the answer. Click one to open it in History.',
  noTurns: 'No questions yet. Ask something to see where the time goes.',
  turnsFailed: 'Couldn’t load the latest questions.',
  question: 'Question',
  median: (time: string) => `median ${time}`,
  total: 'Time to first sound',
  noQuestion: 'not understood',
}
