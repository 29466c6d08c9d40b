/** The backend in an ordinary browser, over the local API: it serves this page at /app/, and operations and events behind a token. */
import type { ErrorCode } from '../generated/ErrorCode'
import { signIn as de } from '../messages/de/sign-in'
import { signIn as en } from '../messages/en/sign-in'
import { language } from '../lib/preferences.svelte'
import type { Failure } from './failure'
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

const words = () => ({ signIn: language() === 'de' ? de : en })

/** The failure when AURA cannot be reached. */
function silent(): Failure {
  const t = words()
  const code: ErrorCode = 'not_running'
  return { code, message: t.signIn.unreachable }
}

/** The failure in an error response. */
async function refusal(answer: Response): Promise<Failure> {
  const said: unknown = await answer.json().catch(() => null)
  const error: unknown = typeof said === 'object' && said !== null && 'error' in said ? said.error : null
  if (typeof error === 'object' && error !== null && 'code' in error && 'message' in error) return error as Failure
  const t = words()
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
          this.#token = null
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
        try {
          for await (const data of events(stream)) {
            if (over.aborted) return
            listener(JSON.parse(data) as AuraEvent)
            wait = this.backoff.initial
          }
        } catch {
          // The stream broke or ended; it is reopened below.
        }
        if (over.aborted) return
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

  /** Sends a request. Rejects with a `Failure` unless the status is 2xx. */
  async #fetch(address: string, asked: RequestInit): Promise<Response> {
    const token = this.#token
    let answer: Response
    try {
      answer = await fetch(address, {
        ...asked,
        headers: { ...asked.headers, Authorization: `Bearer ${token ?? ''}` },
        cache: 'no-store',
        credentials: 'omit',
        redirect: 'error',
      })
    } catch {
      throw silent()
    }
    if (answer.ok) return answer
    // Only if the token has not been replaced meanwhile.
    if (answer.status === 401 && token === this.#token) {
      this.#forget()
      this.#become('rejected')
    }
    throw await refusal(answer)
  }

  #forget(): void {
    this.#token = null
    keep(null)
  }

  #become(state: TokenState): void {
    this.#state = state
    for (const watcher of this.#watchers) watcher(state)
  }
}
