/**
 * What AURA itself has to say: errors by their code, notices by their kind and facts, and the findings of the system check. English windows
 * show AURA's own sentence, which may be more specific, so only the other languages have these.
 */
import type { ErrorCode } from '../generated/ErrorCode'
import type { Finding } from '../generated/Finding'
import type { HistoryProblem } from '../generated/HistoryProblem'
import type { MemoryReason } from '../generated/MemoryReason'
import type { NoticeKind } from '../generated/NoticeKind'
import type { ProgramTask } from '../generated/ProgramTask'
import type { ProviderProblem } from '../generated/ProviderProblem'
import type { RouteNoticeReason } from '../generated/RouteNoticeReason'

/** The codes that are missing say different things; their own sentence is shown. */
export type Errors = Record<Exclude<ErrorCode, 'invalid_request' | 'not_found'>, string>

export interface Notices {
  allFailed: (failed: string) => string
  fallback: (failed: string, other: string) => string
  skipped: Partial<Record<RouteNoticeReason, (provider: string) => string>>
  replaced: Partial<Record<RouteNoticeReason, (model: string, other: string) => string>>
  retiredOn: (model: string, other: string, day: string) => string
  recordingLimit: (seconds: string) => string
  /** Those without facts. */
  fixed: Partial<Record<NoticeKind, string>>
  dailyLimit: (limit: string) => string
  voiceLanguage: (language: string) => string
}

/** A sentence, of the facts of its finding. */
export type Sentence = string | ((...facts: string[]) => string)

/** The findings of the system check, by their kind; that a program is missing, by its task. An error has its sentence already. */
export interface Findings {
  found: Record<Exclude<Finding['kind'], 'program_missing' | 'failed' | 'other'> | ProgramTask, Sentence>
  /** What to do about it. */
  remedies: Partial<Record<Finding['kind'], Sentence>>
}

/** Why a provider cannot be used, and what to do. */
export type ProviderProblems = Record<ProviderProblem['kind'], Sentence>

/** What is wrong with the history or was repaired, and what to do: why it is kept in memory, or of which kind it is. */
export type HistoryProblems = Record<Exclude<HistoryProblem['kind'], 'in_memory'> | MemoryReason, Sentence>

export interface Said {
  errors: Errors
  providers: ProviderProblems
  history: HistoryProblems
  notices: Notices
  findings: Findings
}
