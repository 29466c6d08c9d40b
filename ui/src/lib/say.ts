/** Sentences in the window's language for what crosses from Rust as a code and facts. */
import { asFailure, type Failure } from '../backend'
import type { Attempt } from '../generated/Attempt'
import type { Diagnostic } from '../generated/Diagnostic'
import type { ErrorCode } from '../generated/ErrorCode'
import type { Finding } from '../generated/Finding'
import type { HistoryProblem } from '../generated/HistoryProblem'
import type { McpServerView } from '../generated/McpServerView'
import type { ModelView } from '../generated/ModelView'
import type { Notice } from '../generated/Notice'
import type { ProviderProblem } from '../generated/ProviderProblem'
import type { ProviderView } from '../generated/ProviderView'
import type { RoutePreference } from '../generated/RoutePreference'
import type { RouteStanding } from '../generated/RouteStanding'
import type { RouteView } from '../generated/RouteView'
import type { Service } from '../generated/Service'
import type { SettingsProblem } from '../generated/SettingsProblem'
import type { Snapshot } from '../generated/Snapshot'
import { day, duration, labelOf, money, number, percent } from './format'
import type { Errors, Notices, Said, Sentence, Why } from '../messages/said'
import { t } from './messages'

/** A sentence with its facts. */
const say = (sentence: Sentence | undefined, facts: string[]) =>
  typeof sentence === 'function' ? sentence(...facts) : (sentence ?? '')

/** "Groq timed out, Gemini is out of quota": how calls failed, each once. */
function failures(snapshot: Snapshot | null, attempts: Attempt[]): string {
  const told = attempts
    .filter((one) => one.class !== undefined && one.class !== 'cancelled')
    .map((one) => t.turn.failed(labelOf(snapshot, one.route.provider), t.classes[one.class ?? 'timeout']))
  return [...new Set(told)].join(', ')
}

/** An error. In English its own sentence, which may be more specific. */
export function sayError(error: Failure, snapshot: Snapshot | null = null): string {
  if (t.said === null) return error.message
  if (error.code === 'all_routes_failed' && Array.isArray(error.detail)) {
    const failed = failures(snapshot, error.detail)
    if (failed !== '') return t.said.notices.allFailed(failed)
  }
  return (t.said.errors as Partial<Record<ErrorCode, string>>)[error.code as ErrorCode] ?? error.message
}

/** Anything thrown. */
export const sayThrown = (thrown: unknown, snapshot: Snapshot | null = null) => sayError(asFailure(thrown), snapshot)

/** A problem that is known by its code and AURA's own sentence. */
export const sayProblem = (code: ErrorCode, message = '') => sayError({ code, message })

/** Why a provider cannot be used, and what to do. In English its own sentence. */
export function sayProviderProblem({ problem = '', problem_facts: facts }: ProviderView): string {
  return t.said === null || facts === undefined ? problem : ofProvider(t.said, facts)
}

const ofProvider = (said: Said, problem: ProviderProblem) =>
  say(said.providers[problem.kind], 'address' in problem ? [problem.address] : [])

/** What is wrong with the history, or was repaired, and what to do. In English its own sentences. */
export function sayHistoryProblem({ history_problem = '', history_problem_facts: facts }: Snapshot): string {
  return t.said === null || facts === undefined ? history_problem : ofHistory(t.said, facts)
}

function ofHistory(said: Said, problem: HistoryProblem): string {
  const kind = 'reason' in problem ? problem.reason : problem.kind
  return say(said.history[kind], 'kept' in problem ? [number(problem.turns), number(problem.from_backup), problem.kept] : [])
}

/** What others said about a problem, to be shown apart. */
export const causeOf = (problem: object | undefined): string =>
  problem === undefined ? '' : 'cause' in problem ? String(problem.cause) : 'status' in problem ? String(problem.status) : ''

/** Why an MCP server cannot be used, and what to do. */
export function sayMcpProblem({ problem = '', problem_facts: facts }: McpServerView): string {
  if (facts === undefined) return problem
  const fact = 'name' in facts ? facts.name : 'program' in facts ? facts.program : 'seconds' in facts ? number(facts.seconds) : ''
  return say(t.mcp.problems[facts.kind], [fact])
}

/** What is wrong with the settings file, and what to do. */
export const saySettingsProblem = (problem: SettingsProblem) =>
  say(t.settings.problems[problem.kind], ['copy' in problem ? problem.copy : 'setting' in problem ? problem.setting : ''])

/** A remark about a model, or its name. In English its own words. */
export const sayNote = ({ note = '', note_facts: facts }: ModelView) =>
  t.said === null || facts === undefined ? note : say(t.said.notes[facts.kind], 'page' in facts ? [facts.page] : [])

/** What the first of two providers is better at, of one of them. */
function rankOf(why: Why, by: RoutePreference, { ms, calls, quality, usd }: RouteStanding): string {
  const latency = ms === undefined ? why.unmeasured : why.latency(duration(ms), number(calls))
  const price = usd === undefined ? why.noPrice : why.price(money(usd))
  return by === 'speed'
    ? latency
    : by === 'quality'
      ? why.quality(number(quality))
      : by === 'cost'
        ? price
        : [latency, why.quality(number(quality)), price].join(', ')
}

/** Why a provider is asked first. In English its own sentence. */
export function sayWhy({ why = '', why_facts: facts }: RouteView, snapshot: Snapshot): string {
  if (t.said === null || facts === undefined) return why
  const { by, first, second } = facts
  const words = t.said.why
  const [one, other] = [first, second].map((standing) => rankOf(words, by, standing)) as [string, string]
  const best = words.best[by === 'order' ? 'balanced' : by]
  return best(labelOf(snapshot, first.provider), one, labelOf(snapshot, second.provider), other, first.model)
}

/** What was found of the problems that have their sentences elsewhere. */
function ofProblem(said: Said, finding: Finding): string | undefined {
  switch (finding.kind) {
    case 'failed':
      return said.errors[finding.code as keyof Errors]
    case 'settings_problem':
      return saySettingsProblem(finding.problem)
    case 'setting_overruled': {
      const { variable, value, remembered, in_effect } = finding.overruled
      return in_effect ? t.providers.overruledNow(variable, value, remembered) : t.providers.overruledLater(variable, value)
    }
    case 'provider_problem':
      return ofProvider(said, finding.problem)
    case 'history_problem':
      return ofHistory(said, finding.problem)
    default:
      return undefined
  }
}

/** One sentence for each service in which another provider took over, in the order of the turn. */
function fallbacks(sentences: Notices, snapshot: Snapshot | null, attempts: Attempt[]): string[] {
  const services = [...new Set(attempts.map((one) => one.service))]
  return services.flatMap((service: Service) => {
    const calls = attempts.filter((one) => one.service === service)
    const done = calls.findLast((one) => one.class === undefined)?.route.provider
    const failed = failures(
      snapshot,
      calls.filter((one) => one.route.provider !== done),
    )
    return done === undefined || failed === '' ? [] : [sentences.fallback(failed, labelOf(snapshot, done))]
  })
}

/** A notice of a turn. `notices` and `attempts` are all of the turn. In English its own sentence. */
export function sayNotice(notice: Notice, snapshot: Snapshot | null, notices: Notice[], attempts: Attempt[]): string {
  if (t.said === null) return notice.message
  const { notices: sentences } = t.said
  const facts = notice.facts ?? {}
  const said = () => {
    switch (notice.kind) {
      case 'fallback': {
        const at = notices.filter((one) => one.kind === 'fallback').findIndex((one) => one.message === notice.message)
        return fallbacks(sentences, snapshot, attempts)[at]
      }
      case 'not_ready':
        return facts.provider && sentences.skipped[facts.reason ?? 'unknown']?.(labelOf(snapshot, facts.provider))
      case 'model_replaced':
      case 'model_gone':
        if (facts.model === undefined || facts.replacement === undefined) return undefined
        return facts.retired_on === undefined
          ? sentences.replaced[facts.reason ?? 'unknown']?.(facts.model, facts.replacement)
          : sentences.retiredOn(facts.model, facts.replacement, day(facts.retired_on))
      case 'recording_limit':
        return facts.seconds === undefined ? undefined : sentences.recordingLimit(number(facts.seconds))
      case 'other_microphone':
        return facts.microphone === undefined ? sentences.fixed[notice.kind] : sentences.otherMicrophone(facts.microphone)
      case 'daily_limit':
        return facts.limit_cents === undefined ? undefined : sentences.dailyLimit(money(facts.limit_cents / 100))
      case 'voice_language':
        return facts.language && sentences.voiceLanguage(t.languages[facts.language] ?? facts.language)
      default:
        return sentences.fixed[notice.kind]
    }
  }
  return said() ?? notice.message
}

/** The facts of a finding, as its sentences take them. */
function factsOf(finding: Finding, snapshot: Snapshot | null): string[] {
  if ('level_percent' in finding) return [number(finding.first_ms), percent(finding.level_percent / 100)]
  if ('microphone' in finding) return [finding.microphone]
  if ('first_ms' in finding) return [number(finding.first_ms)]
  if ('rate' in finding) return [number(finding.rate)]
  if ('width' in finding) return [`${finding.width} × ${finding.height}`, number(finding.ms)]
  if ('path' in finding) return [finding.path]
  if ('packages' in finding) return [finding.names.join(', '), finding.packages]
  if ('labels' in finding) return [finding.labels.join(', '), 'library' in finding ? finding.library : '']
  if ('port' in finding) return [String(finding.port)]
  return 'provider' in finding ? [labelOf(snapshot, finding.provider), finding.model] : []
}

/** A finding of the system check: what was found, and what to do about it. In English its own sentences. */
export function sayFinding(diagnostic: Diagnostic, snapshot: Snapshot | null = null): [string, string] {
  const { finding, message, remedy } = diagnostic
  const name = 'packages' in finding ? finding.task : finding.kind
  if (t.said === null) return [message, remedy ?? '']
  const { found, remedies } = t.said.findings
  // The sentences of an error and of the history say what to do, too.
  const sentence = ofProblem(t.said, finding) ?? (found as Partial<Record<string, Sentence>>)[name]
  if (sentence === undefined) return [message, remedy ?? '']
  const facts = factsOf(finding, snapshot)
  return [say(sentence, facts), say(remedies[finding.kind], facts)]
}

/** The subject of a finding. */
export function subjectOf({ area, finding }: Diagnostic, snapshot: Snapshot | null = null): string {
  if ('service' in finding && t.said !== null) return t.services[finding.service].name
  return t.settings.areas[area] ?? labelOf(snapshot, area)
}
