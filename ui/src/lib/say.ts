/** Sentences in the window's language for what crosses from Rust as a code and facts. */
import type { Failure } from '../backend'
import type { Attempt } from '../generated/Attempt'
import type { ErrorCode } from '../generated/ErrorCode'
import type { Notice } from '../generated/Notice'
import type { Service } from '../generated/Service'
import type { Snapshot } from '../generated/Snapshot'
import { day, labelOf, money, number } from './format'
import { t } from './messages'
import { language } from './preferences.svelte'

/** "Groq timed out, Gemini is out of quota": how calls failed, each once. */
function failures(snapshot: Snapshot | null, attempts: Attempt[]): string {
  const told = attempts
    .filter((one) => one.class !== undefined && one.class !== 'cancelled')
    .map((one) => t.turn.failed(labelOf(snapshot, one.route.provider), t.classes[one.class ?? 'timeout']))
  return [...new Set(told)].join(', ')
}

/** An error. In English its own sentence, which may be more specific. */
export function sayError(error: Failure, snapshot: Snapshot | null = null): string {
  if (language() === 'en') return error.message
  if (error.code === 'all_routes_failed' && Array.isArray(error.detail)) {
    const failed = failures(snapshot, error.detail)
    if (failed !== '') return t.notices.allFailed(failed)
  }
  return (t.errors as Partial<Record<ErrorCode, string>>)[error.code as ErrorCode] ?? error.message
}

/** One sentence for each service in which another provider took over, in the order of the turn. */
function fallbacks(snapshot: Snapshot | null, attempts: Attempt[]): string[] {
  const services = [...new Set(attempts.map((one) => one.service))]
  return services.flatMap((service: Service) => {
    const calls = attempts.filter((one) => one.service === service)
    const done = calls.findLast((one) => one.class === undefined)?.route.provider
    const failed = failures(
      snapshot,
      calls.filter((one) => one.route.provider !== done),
    )
    return done === undefined || failed === '' ? [] : [t.notices.fallback(failed, labelOf(snapshot, done))]
  })
}

/** A notice of a turn. `notices` and `attempts` are all of the turn. In English its own sentence. */
export function sayNotice(notice: Notice, snapshot: Snapshot | null, notices: Notice[], attempts: Attempt[]): string {
  if (language() === 'en') return notice.message
  const facts = notice.facts ?? {}
  const fixed: Partial<Record<Notice['kind'], string>> = {
    microphone_lost: t.notices.microphoneLost,
    no_speaker: t.notices.noSpeaker,
    no_screen: t.notices.noScreen,
    not_spoken: t.notices.notSpoken,
    not_kept: t.notices.recordingNotSaved,
    not_saved: t.notices.notSaved,
    cut: t.notices.truncated,
  }
  const said = () => {
    switch (notice.kind) {
      case 'fallback': {
        const at = notices.filter((one) => one.kind === 'fallback').findIndex((one) => one.message === notice.message)
        return fallbacks(snapshot, attempts)[at]
      }
      case 'not_ready':
        return facts.provider && t.notices.skipped[facts.reason ?? 'unknown']?.(labelOf(snapshot, facts.provider))
      case 'model_replaced':
      case 'model_gone':
        if (facts.model === undefined || facts.replacement === undefined) return undefined
        return facts.retired_on === undefined
          ? t.notices.replaced[facts.reason ?? 'unknown']?.(facts.model, facts.replacement)
          : t.notices.retiredOn(facts.model, facts.replacement, day(facts.retired_on))
      case 'recording_limit':
        return facts.seconds === undefined ? undefined : t.notices.recordingLimit(number(facts.seconds))
      case 'daily_limit':
        return facts.limit_cents === undefined ? undefined : t.notices.dailyLimit(money(facts.limit_cents / 100))
      case 'voice_language':
        return facts.language && t.notices.voiceLanguage(t.languages[facts.language] ?? facts.language)
      default:
        return fixed[notice.kind]
    }
  }
  return said() ?? notice.message
}
