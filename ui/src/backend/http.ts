/** The door for an ordinary browser: `aura serve` gives this page at /app/, and beside it its operations and events, behind a token. */
import type { Code } from '../generated/Code'
import { door as de } from '../messages/de/door'
import { door as en } from '../messages/en/door'
import { language } from '../lib/preferences.svelte'
import type { Failure } from './failure'
import { events } from './sse'
import type { AuraEvent, Backend, Entry, Need, OperationName, Request, Response as Answer } from './types'

/** Where the token is kept: until the tab is closed, and never in the address, which browsers write down. */
const place = 'aura.door-token'
/** How long after a broken stream it is asked for again, milliseconds: doubled each time, up to the longest. */
const usualPatience = { first: 500, longest: 10_000 }

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
    // Storage may be forbidden; then the token is known until the page is left.
  }
}

const words = () => ({ door: language() === 'de' ? de : en })

/** Nobody answers at all. */
function silent(): Failure {
  const t = words()
  const code: Code = 'not_running'
  return { code, message: t.door.silent }
}

/** What the door said went wrong. */
async function refusal(answer: Response): Promise<Failure> {
  const said: unknown = await answer.json().catch(() => null)
  const error: unknown = typeof said === 'object' && said !== null && 'error' in said ? said.error : null
  if (typeof error === 'object' && error !== null && 'code' in error && 'message' in error) return error as Failure
  const t = words()
  const code: Code = 'internal'
  return { code, message: t.door.strange(String(answer.status)) }
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
  readonly entry: Entry

  #token = kept()
  #need: Need = this.#token === null ? 'token' : 'none'
  #watchers = new Set<(need: Need) => void>()

  constructor(private readonly patience = usualPatience) {
    this.entry = {
      need: () => this.#need,
      watch: (listener) => {
        this.#watchers.add(listener)
        return () => this.#watchers.delete(listener)
      },
      give: async (token) => {
        this.#token = token
        try {
          await this.call('snapshot', {})
        } catch (thrown) {
          this.#token = null
          throw thrown
        }
        keep(token)
        this.#needs('none')
      },
      leave: () => {
        this.#forget()
        this.#needs('token')
      },
    }
  }

  async call<Name extends OperationName>(operation: Name, request: Request<Name>): Promise<Answer<Name>> {
    const answer = await this.#fetch(`./rpc/${operation}`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify(request),
    })
    try {
      return (await answer.json()) as Answer<Name>
    } catch {
      // It broke off in the middle of its answer.
      throw silent()
    }
  }

  async subscribe(listener: (event: AuraEvent) => void, link?: (held: boolean) => void): Promise<() => void> {
    const over = new AbortController()
    const first = await this.#events(over.signal)
    void this.#follow(first, listener, link, over.signal)
    return () => over.abort()
  }

  async cancel(): Promise<void> {
    await this.call('cancel', {})
  }

  async #follow(
    first: ReadableStream<Uint8Array>,
    listener: (event: AuraEvent) => void,
    link: ((held: boolean) => void) | undefined,
    over: AbortSignal,
  ): Promise<void> {
    let stream: ReadableStream<Uint8Array> | null = first
    let wait = this.patience.first
    for (;;) {
      if (stream) {
        try {
          for await (const data of events(stream)) {
            if (over.aborted) return
            listener(JSON.parse(data) as AuraEvent)
            wait = this.patience.first
          }
        } catch {
          // Broken or ended, it is asked for again.
        }
        if (over.aborted) return
        link?.(false)
      }
      // Not all pages at the same moment.
      await pause(wait * (0.75 + Math.random() / 2), over)
      // Without a token there is nothing to ask with: whoever gives one subscribes anew.
      if (over.aborted || this.#token === null) return
      wait = Math.min(wait * 2, this.patience.longest)
      stream = await this.#events(over).catch(() => null)
      if (stream) link?.(true)
    }
  }

  async #events(over: AbortSignal): Promise<ReadableStream<Uint8Array>> {
    const answer = await this.#fetch('./events', { headers: { Accept: 'text/event-stream' }, signal: over })
    if (!answer.body) throw silent()
    return answer.body
  }

  /** Rejects with a `Failure` unless the door did what it was asked for. */
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
    // Not when another one was given meanwhile.
    if (answer.status === 401 && token === this.#token) {
      this.#forget()
      this.#needs('refused')
    }
    throw await refusal(answer)
  }

  #forget(): void {
    this.#token = null
    keep(null)
  }

  #needs(need: Need): void {
    this.#need = need
    for (const watcher of this.#watchers) watcher(need)
  }
}
