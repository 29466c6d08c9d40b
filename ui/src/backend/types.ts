/** The only link between the interface and the rest of AURA: the operations it can call and the events it receives. */
import type { Event as AuraEvent } from '../generated/Event'
import type { Operations } from '../generated/Operations'

export type { AuraEvent }

/** The name of an operation. The list is generated from `aura-core/src/api`. */
export type OperationName = keyof Operations
/** What an operation takes. */
export type Request<Name extends OperationName> = Operations[Name]['request']
/** What an operation returns. */
export type Response<Name extends OperationName> = Operations[Name]['response']

export interface Backend {
  /** Calls one operation. Rejects with a `Failure`. */
  call<Name extends OperationName>(operation: Name, request: Request<Name>): Promise<Response<Name>>
  /**
   * Passes every event from now on to `listener`; the returned function unsubscribes. `onConnection` is called with false when the
   * event stream breaks and with true when it is back. Events missed in between are not repeated; the current state is sent instead.
   */
  subscribe(listener: (event: AuraEvent) => void, onConnection?: (connected: boolean) => void): Promise<() => void>
  /** Stops whatever is in progress. Bypasses `call`, so that it never waits behind another request. */
  cancel(): Promise<void>
  /** Present only where a token may be required: in an ordinary browser. */
  access?: Access
}

/** Whether a token is required: not now, because there is none yet, or because the last one was rejected. */
export type TokenState = 'accepted' | 'missing' | 'rejected'

/** Access to the local API from an ordinary browser. */
export interface Access {
  /** Whether a token is required now. */
  state(): TokenState
  /** Calls `listener` at every change of the state; the returned function unsubscribes. */
  watch(listener: (state: TokenState) => void): () => void
  /** Tries a token and keeps it while the tab is open. Rejects with a `Failure`; watchers learn whether it was rejected. */
  signIn(token: string): Promise<void>
  /** Forgets the token. */
  signOut(): void
}
