/**
 * What AURA itself has to say: errors by their code, notices by their kind and facts, and the findings of the system check. English windows
 * show AURA's own sentence, which may be more specific, so only the other languages have these.
 */
import type { ErrorCode } from '../generated/ErrorCode'
import type { Finding } from '../generated/Finding'
import type { HistoryProblem } from '../generated/HistoryProblem'
import type { McpFailure } from '../generated/McpFailure'
import type { MemoryReason } from '../generated/MemoryReason'
import type { ModelNote } from '../generated/ModelNote'
import type { NoticeKind } from '../generated/NoticeKind'
import type { ProgramTask } from '../generated/ProgramTask'
import type { ProviderProblem } from '../generated/ProviderProblem'
import type { RouteNoticeReason } from '../generated/RouteNoticeReason'
import type { RoutePreference } from '../generated/RoutePreference'
import type { SettingsProblem } from '../generated/SettingsProblem'

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
  otherMicrophone: (name: string) => string
  dailyLimit: (limit: string) => string
  voiceLanguage: (language: string) => string
}

/** A sentence, of the facts of its finding. */
export type Sentence = string | ((...facts: string[]) => string)

/** Findings that have their sentences elsewhere. */
type Problem = 'settings_problem' | 'setting_overruled' | 'provider_problem' | 'history_problem'

/** The findings of the system check, by their kind; that a program is missing, by its task. An error has its sentence already. */
export interface Findings {
  found: Record<Exclude<Finding['kind'], 'program_missing' | 'failed' | 'other' | Problem> | ProgramTask, Sentence>
  /** What to do about it. */
  remedies: Partial<Record<Finding['kind'], Sentence>>
}

/** Why a provider cannot be used, and what to do. */
export type ProviderProblems = Record<ProviderProblem['kind'], Sentence>

/** What is wrong with the history or was repaired, and what to do: why it is kept in memory, or of which kind it is. */
export type HistoryProblems = Record<Exclude<HistoryProblem['kind'], 'in_memory'> | MemoryReason, Sentence>

/** Remarks about models. */
export type ModelNotes = Record<ModelNote['kind'], Sentence>

/** Why an MCP server cannot be used, and what to do. In every language: what the server said is shown apart. */
export type McpProblems = Record<McpFailure['kind'], Sentence>

/** What is wrong with the settings file, and what to do. In every language, as above. */
export type SettingsProblems = Record<SettingsProblem['kind'], Sentence>

/** Why a provider is asked first: how it compares with the next one. */
export interface Why {
  best: Record<
    Exclude<RoutePreference, 'order'>,
    (provider: string, why: string, other: string, otherWhy: string, model: string) => string
  >
  latency: (time: string, calls: string) => string
  unmeasured: string
  quality: (stars: string) => string
  price: (cost: string) => string
  noPrice: string
}

export interface Said {
  notes: ModelNotes
  why: Why
  errors: Errors
  providers: ProviderProblems
  history: HistoryProblems
  notices: Notices
  findings: Findings
}
