/**
 * The backend in an ordinary browser, over the local API: it serves this page at /app/, and operations and events behind a token.
 *
 * Once AURA has ended, another program may take its port. So the token is sent only while the connection to the server that proved to
 * know it lasts: a page that lost it asks for the proof again.
 */
import type { ErrorCode } from '../generated/ErrorCode'
import { t } from '../lib/messages'
import type { Failure } from './failure'
import { canProve, proveServer } from './proof'
import { events } from './sse'
import type { Access, AuraEvent, Backend, OperationName, Request, Response as Result, TokenState } from './types'

/** The key of the token in session storage: kept until the tab is closed, and never in the URL, which browsers record. */
const place = 'aura.token'
/** Delay before the event stream is reopened, milliseconds: doubled after each failure, up to the longest. */
const defaultBackoff = { initial: 500, longest: 10_000 }

function kept(): string | null {
  try {
    return sessionStorage.getItem(place)
  } catch {
    return null
  }
}

function keep(token: string | null): void {
  try {
    if (token === null) sessionStorage.removeItem(place)
    else sessionStorage.setItem(place, token)
  } catch {
    // Storage may be blocked; then the token is kept in memory only.
  }
}

/** The failure when AURA cannot be reached. */
function silent(): Failure {
  const code: ErrorCode = 'not_running'
  return { code, message: t.signIn.unreachable }
}

/** The failure when there is no token, or it is not the server's. */
function missing(): Failure {
  const code: ErrorCode = 'not_running'
  return { code, message: t.signIn.rejected }
}

/** The failure where the browser cannot check the proof: it offers cryptography only to pages that it trusts. */
function unsupported(): Failure {
  const code: ErrorCode = 'internal'
  return { code, message: t.signIn.unsupported }
}

/** The failure in an error response. */
async function refusal(answer: Response): Promise<Failure> {
  const said: unknown = await answer.json().catch(() => null)
  const error: unknown = typeof said === 'object' && said !== null && 'error' in said ? said.error : null
  if (typeof error === 'object' && error !== null && 'code' in error && 'message' in error) return error as Failure
  const code: ErrorCode = 'internal'
  return { code, message: t.signIn.unexpected(String(answer.status)) }
}

const pause = (ms: number, over: AbortSignal) =>
  new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, ms)
    over.addEventListener('abort', () => {
      clearTimeout(timer)
      resolve()
    })
  })

export class HttpBackend implements Backend {
  readonly access: Access

  #token = kept()
  #state: TokenState = this.#token === null ? 'missing' : 'accepted'
  #watchers = new Set<(state: TokenState) => void>()
  /** The proof that the server knows the token, asked for or given. */
  #proof: { token: string; done: Promise<void>; given: boolean } | null = null
  /** Open event streams. Each shows that the server which gave the proof still runs. */
  #streams = 0

  constructor(private readonly backoff = defaultBackoff) {
    this.access = {
      state: () => this.#state,
      watch: (listener) => {
        this.#watchers.add(listener)
        return () => this.#watchers.delete(listener)
      },
      signIn: async (token) => {
        this.#token = token
        try {
          await this.call('snapshot', {})
        } catch (thrown) {
          this.#forget()
          throw thrown
        }
        keep(token)
        this.#become('accepted')
      },
      signOut: () => {
        this.#forget()
        this.#become('missing')
      },
    }
  }

  async call<Name extends OperationName>(operation: Name, request: Request<Name>): Promise<Result<Name>> {
    const answer = await this.#fetch(`./rpc/${operation}`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify(request),
    })
    try {
      return (await answer.json()) as Result<Name>
    } catch {
      // The response broke off.
      throw silent()
    }
  }

  async subscribe(listener: (event: AuraEvent) => void, onConnection?: (connected: boolean) => void): Promise<() => void> {
    const over = new AbortController()
    const first = await this.#events(over.signal)
    void this.#follow(first, listener, onConnection, over.signal)
    return () => over.abort()
  }

  async cancel(): Promise<void> {
    await this.call('cancel', {})
  }

  async #follow(
    first: ReadableStream<Uint8Array>,
    listener: (event: AuraEvent) => void,
    onConnection: ((connected: boolean) => void) | undefined,
    over: AbortSignal,
  ): Promise<void> {
    let stream: ReadableStream<Uint8Array> | null = first
    let wait = this.backoff.initial
    for (;;) {
      if (stream) {
        this.#streams += 1
        try {
          for await (const data of events(stream)) {
            if (over.aborted) return
            listener(JSON.parse(data) as AuraEvent)
            wait = this.backoff.initial
          }
        } catch {
          // The stream broke or ended; it is reopened below.
        } finally {
          this.#streams -= 1
        }
        if (over.aborted) return
        this.#proof = null
        onConnection?.(false)
      }
      // Jitter, so that pages do not reconnect all at once.
      await pause(wait * (0.75 + Math.random() / 2), over)
      // Without a token there is no reconnecting; signing in subscribes again.
      if (over.aborted || this.#token === null) return
      wait = Math.min(wait * 2, this.backoff.longest)
      stream = await this.#events(over).catch(() => null)
      if (stream) onConnection?.(true)
    }
  }

  async #events(over: AbortSignal): Promise<ReadableStream<Uint8Array>> {
    const answer = await this.#fetch('./events', { headers: { Accept: 'text/event-stream' }, signal: over })
    if (!answer.body) throw silent()
    return answer.body
  }

  /** Sends a request with the token, once the server has proven that it knows it. Rejects with a `Failure` unless the status is 2xx. */
  async #fetch(address: string, asked: RequestInit): Promise<Response> {
    const token = this.#token
    if (token === null) throw missing()
    await this.#prove(token)
    const answer = await this.#send(address, { ...asked, headers: { ...asked.headers, Authorization: `Bearer ${token}` } })
    if (answer.ok) return answer
    if (answer.status === 401) this.#reject(token)
    throw await refusal(answer)
  }

  async #send(address: string, asked: RequestInit): Promise<Response> {
    try {
      return await fetch(address, { ...asked, cache: 'no-store', credentials: 'omit', redirect: 'error' })
    } catch {
      // Another program may listen there from now on.
      if (!asked.signal?.aborted) this.#proof = null
      throw silent()
    }
  }

  /** Waits for the proof that the server knows the token. A proof serves while an event stream is open, else for one request. */
  async #prove(token: string): Promise<void> {
    const isKept = this.#proof?.token === token && (!this.#proof.given || this.#streams > 0)
    if (!isKept) this.#proof = { token, done: this.#askForProof(token), given: false }
    const proof = this.#proof
    if (!proof) throw silent()
    try {
      await proof.done
    } catch (thrown) {
      if (this.#proof === proof) this.#proof = null
      throw thrown
    }
    proof.given = true
    // The connection was lost, or the token given up, meanwhile.
    if (this.#proof !== proof || this.#token !== token) throw silent()
  }

  async #askForProof(token: string): Promise<void> {
    if (!canProve()) throw unsupported()
    const proven = await proveServer(token, (body) =>
      this.#send('../proof', { method: 'POST', headers: { 'Content-Type': 'application/json' }, body }),
    )
    if (proven === true) return
    if (proven === false) {
      this.#reject(token)
      throw missing()
    }
    throw await refusal(proven)
  }

  /** Asks for the token again, unless it has been replaced meanwhile. */
  #reject(token: string): void {
    if (token !== this.#token) return
    this.#forget()
    this.#become('rejected')
  }

  #forget(): void {
    this.#token = null
    this.#proof = null
    keep(null)
  }

  #become(state: TokenState): void {
    this.#state = state
    for (const watcher of this.#watchers) watcher(state)
  }
}
