/** The only door between the interface and the rest of AURA: what can be asked, and what is told. */
import type { Ask } from '../generated/Ask'
import type { ChangeSettings } from '../generated/ChangeSettings'
import type { Devices } from '../generated/Devices'
import type { Event as AuraEvent } from '../generated/Event'
import type { Export } from '../generated/Export'
import type { Exported } from '../generated/Exported'
import type { Finding } from '../generated/Finding'
import type { HealthReport } from '../generated/HealthReport'
import type { HistoryQuery } from '../generated/HistoryQuery'
import type { Listen } from '../generated/Listen'
import type { Look } from '../generated/Look'
import type { Meter } from '../generated/Meter'
import type { ModelsQuery } from '../generated/ModelsQuery'
import type { ModelView } from '../generated/ModelView'
import type { Nothing } from '../generated/Nothing'
import type { Press } from '../generated/Press'
import type { Preview } from '../generated/Preview'
import type { ProviderName } from '../generated/ProviderName'
import type { Retry } from '../generated/Retry'
import type { SaveKey } from '../generated/SaveKey'
import type { ServerView } from '../generated/ServerView'
import type { Snapshot } from '../generated/Snapshot'
import type { Switch } from '../generated/Switch'
import type { Test } from '../generated/Test'
import type { TestResult } from '../generated/TestResult'
import type { TurnId } from '../generated/TurnId'
import type { TurnRecord } from '../generated/TurnRecord'
import type { UsageReport } from '../generated/UsageReport'
import type { VoiceView } from '../generated/VoiceView'

export type { AuraEvent }

type Operation<Request, Response> = { request: Request; response: Response }

/** Every operation: name, what goes in, what comes out. The same list as in `aura-core/src/api`. */
export interface Operations {
  snapshot: Operation<Nothing, Snapshot>
  press: Operation<Press, Nothing>
  release: Operation<Nothing, Nothing>
  finish: Operation<Nothing, Nothing>
  cancel: Operation<Nothing, Nothing>
  ask: Operation<Ask, TurnRecord>
  listen: Operation<Listen, TurnRecord>
  history: Operation<HistoryQuery, TurnRecord[]>
  delete_turn: Operation<TurnId, Nothing>
  retry: Operation<Retry, TurnRecord>
  new_session: Operation<Nothing, Snapshot>
  switch: Operation<Switch, Snapshot>
  save_key: Operation<SaveKey, Snapshot>
  forget_key: Operation<ProviderName, Snapshot>
  change_settings: Operation<ChangeSettings, Snapshot>
  models: Operation<ModelsQuery, ModelView[]>
  voices: Operation<ModelsQuery, VoiceView[]>
  servers: Operation<Nothing, ServerView[]>
  health: Operation<Nothing, HealthReport>
  usage: Operation<Nothing, UsageReport>
  test: Operation<Test, TestResult>
  devices: Operation<Nothing, Devices>
  look: Operation<Look, Preview>
  meter: Operation<Meter, Nothing>
  replay: Operation<TurnId, Nothing>
  export: Operation<Export, Exported>
  doctor: Operation<Nothing, Finding[]>
}

export type OperationName = keyof Operations
export type Request<Name extends OperationName> = Operations[Name]['request']
export type Response<Name extends OperationName> = Operations[Name]['response']

export interface Backend {
  /** Asks for one operation. Rejects with a `Failure`. */
  call<Name extends OperationName>(operation: Name, request: Request<Name>): Promise<Response<Name>>
  /**
   * Hears every event from now on; the returned function ends it. `link` is told when events stop coming (false) and when they come
   * again (true); what happened in between is not told again, only how things are then.
   */
  subscribe(listener: (event: AuraEvent) => void, link?: (held: boolean) => void): Promise<() => void>
  /** Stops whatever is going on. Its own door, so that it never waits behind another request. */
  cancel(): Promise<void>
  /** Only where somebody may have to show a token first. */
  entry?: Entry
}

/** Whether a token is needed: not now, because there is none, or because the one there was is not taken. */
export type Need = 'none' | 'token' | 'refused'

export interface Entry {
  /** What is needed now. */
  need(): Need
  /** Tells what is needed at every change; the returned function ends it. */
  watch(listener: (need: Need) => void): () => void
  /** Tries a token and keeps it for as long as the page lives. Rejects with a `Failure`; whether it was refused is told to the watchers. */
  give(token: string): Promise<void>
  /** Forgets the token. */
  leave(): void
}
