import { createHmac, webcrypto } from 'node:crypto'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { connect } from '.'
import { setPreferences } from '../lib/preferences.svelte'
import { FakeBackend } from './fake'
import { HttpBackend } from './http'
import { readySnapshot } from './samples'
import { tauri } from './tauri'
import type { AuraEvent, TokenState } from './types'

interface Call {
  address: string
  asked: RequestInit & { headers: Record<string, string> }
}

/** The stubbed local API: the requests so far, and the reply to the next. Questions for the proof are kept apart. */
let calls: Call[]
let answer: (call: Call) => Response | Promise<Response>
let questions: Call[]
/** The token of the server. */
let known: string
let prove: (call: Call) => Response | Promise<Response>

const json = (body: unknown, status = 200) => new Response(JSON.stringify(body), { status })
const refuses = () => json({ error: { code: 'invalid_request', message: 'This needs the token.' } }, 401)
const quick = { initial: 1, longest: 4 }
const place = 'aura.token'
const wait = (ms = 30) => new Promise((resolve) => setTimeout(resolve, ms))

/** A stream of events that stays open until it is ended. */
function stream() {
  let to!: ReadableStreamDefaultController<Uint8Array>
  const body = new ReadableStream<Uint8Array>({ start: (controller) => void (to = controller) })
  return {
    response: () => new Response(body, { headers: { 'Content-Type': 'text/event-stream' } }),
    tell: (event: AuraEvent) => to.enqueue(new TextEncoder().encode(`data: ${JSON.stringify(event)}\n\n`)),
    end: () => to.close(),
    breakOff: () => to.error(new TypeError('network error')),
  }
}

const changed: AuraEvent = { type: 'changed', snapshot: readySnapshot() }

/** The proof of a server that knows the token. */
function honest({ asked }: Call) {
  const { nonce } = JSON.parse(asked.body as string) as { nonce: string }
  const proof = createHmac('sha256', known).update(`aura:${location.port}:${nonce}`).digest('hex')
  return json({ proof })
}

beforeEach(() => {
  calls = []
  answer = () => json({})
  questions = []
  known = 'secret'
  prove = honest
  // jsdom has no `crypto.subtle`.
  vi.stubGlobal('crypto', webcrypto)
  vi.stubGlobal('fetch', (address: string, asked: Call['asked']) => {
    const call = { address, asked }
    if (address === '../proof') {
      questions.push(call)
      return Promise.resolve(prove(call))
    }
    calls.push(call)
    return Promise.resolve(answer(call))
  })
  sessionStorage.setItem(place, 'secret')
})
afterEach(() => {
  vi.unstubAllGlobals()
  sessionStorage.clear()
})

describe('an operation', () => {
  it('is posted next to the page, with the token in a header and nowhere else', async () => {
    answer = () => json([{ id: 'a' }])
    expect(await new HttpBackend().call('history', { limit: 3 })).toEqual([{ id: 'a' }])
    expect(calls[0]).toMatchObject({
      address: './rpc/history',
      asked: {
        method: 'POST',
        body: '{"limit":3}',
        headers: { 'Content-Type': 'application/json', Authorization: 'Bearer secret' },
        redirect: 'error',
        credentials: 'omit',
      },
    })
    expect(calls[0]?.address).not.toContain('secret')
    expect(location.href).not.toContain('secret')
  })

  it('cancel is posted the same way', async () => {
    await new HttpBackend().cancel()
    expect(calls[0]).toMatchObject({ address: './rpc/cancel', asked: { method: 'POST', body: '{}' } })
  })

  it('fails with the error of the response', async () => {
    const error = { code: 'storage', message: 'The disk is full.', detail: { path: '/' } }
    answer = () => json({ error }, 503)
    await expect(new HttpBackend().call('doctor', {})).rejects.toEqual(error)
  })

  it('fails in the user’s language when the response has no error or AURA is unreachable', async () => {
    const backend = new HttpBackend()
    answer = () => new Response('<html>', { status: 502 })
    await expect(backend.call('doctor', {})).rejects.toMatchObject({ code: 'internal', message: /status 502/ })
    answer = () => Promise.reject(new TypeError('Failed to fetch'))
    await expect(backend.call('doctor', {})).rejects.toMatchObject({ code: 'not_running', message: /isn’t responding/ })
    answer = () => new Response('{"half', { status: 200 })
    await expect(backend.call('doctor', {})).rejects.toMatchObject({ code: 'not_running' })
    setPreferences({ language: 'de' })
    answer = () => Promise.reject(new TypeError('Failed to fetch'))
    await expect(backend.call('doctor', {})).rejects.toMatchObject({ message: /reagiert nicht/ })
  })
})

describe('the token', () => {
  it('is required first, verified, and kept until the tab is closed', async () => {
    sessionStorage.clear()
    const backend = new HttpBackend()
    expect(backend.access.state()).toBe('missing')
    const states: TokenState[] = []
    const leave = backend.access.watch((state) => states.push(state))
    answer = () => json(readySnapshot())
    known = 'other'
    await backend.access.signIn('other')
    expect(calls).toHaveLength(1)
    expect(calls[0]).toMatchObject({ address: './rpc/snapshot', asked: { headers: { Authorization: 'Bearer other' } } })
    expect(states).toEqual(['accepted'])
    expect(sessionStorage.getItem(place)).toBe('other')
    expect(localStorage.getItem(place)).toBeNull()
    leave()
    backend.access.signOut()
    expect(states).toHaveLength(1)
    expect(sessionStorage.getItem(place)).toBeNull()
  })

  it('that is rejected is not kept, and one that becomes invalid is required again', async () => {
    sessionStorage.clear()
    const backend = new HttpBackend()
    const states: TokenState[] = []
    backend.access.watch((state) => states.push(state))
    known = 'right'
    await expect(backend.access.signIn('wrong')).rejects.toMatchObject({ message: /isn’t valid/ })
    expect(sessionStorage.getItem(place)).toBeNull()
    expect(calls).toHaveLength(0)
    answer = () => json(readySnapshot())
    await backend.access.signIn('right')
    answer = refuses
    await expect(backend.call('health', {})).rejects.toBeTruthy()
    expect(states).toEqual(['rejected', 'accepted', 'rejected'])
    expect(sessionStorage.getItem(place)).toBeNull()
  })

  it('that could not be verified is not kept', async () => {
    sessionStorage.clear()
    const backend = new HttpBackend()
    known = 'right'
    answer = () => Promise.reject(new TypeError('Failed to fetch'))
    await expect(backend.access.signIn('right')).rejects.toMatchObject({ code: 'not_running' })
    expect(sessionStorage.getItem(place)).toBeNull()
  })

  it('is kept in memory when storage is blocked', async () => {
    vi.stubGlobal('sessionStorage', {
      getItem: () => {
        throw new DOMException('No.')
      },
      setItem: () => {
        throw new DOMException('No.')
      },
      clear: () => undefined,
    })
    const backend = new HttpBackend()
    answer = () => json(readySnapshot())
    await backend.access.signIn('secret')
    await backend.call('doctor', {})
    expect(calls[1]?.asked.headers['Authorization']).toBe('Bearer secret')
  })
})

describe('the proof of the server', () => {
  /** Everything that was sent, apart from random numbers. */
  const sent = () => JSON.stringify([...calls, ...questions])

  it('comes before the token, and asks with a new random number each time', async () => {
    const backend = new HttpBackend()
    await backend.call('doctor', {})
    await backend.call('doctor', {})
    const nonces = questions.map(({ asked }) => (JSON.parse(asked.body as string) as { nonce: string }).nonce)
    expect(nonces).toHaveLength(2)
    expect(new Set(nonces).size).toBe(2)
    for (const nonce of nonces) expect(nonce).toMatch(/^[0-9a-f]{64}$/)
    expect(JSON.stringify(questions)).not.toContain('secret')
    expect(questions[0]).toMatchObject({ asked: { method: 'POST', redirect: 'error', credentials: 'omit' } })
  })

  it.each([
    ['a server with another token', () => ((known = 'new'), honest)],
    ['a server that says nothing of use', () => () => json({ proof: true })],
    ['another program', () => () => new Response('<html>', { status: 404 })],
    ['a program that lets everybody in', () => () => json({})],
    [
      'the reply to an earlier question',
      () => () => json({ proof: createHmac('sha256', 'secret').update('aura:1:0').digest('hex') }),
    ],
  ])('is not given by %s, which does not get the token', async (_, other) => {
    const backend = new HttpBackend()
    const states: TokenState[] = []
    backend.access.watch((state) => states.push(state))
    prove = other()
    await expect(backend.call('doctor', {})).rejects.toMatchObject({ message: /isn’t valid/ })
    expect(sent()).not.toContain('secret')
    expect(calls).toHaveLength(0)
    expect(states).toEqual(['rejected'])
    expect(sessionStorage.getItem(place)).toBeNull()
    await expect(backend.call('doctor', {})).rejects.toBeTruthy()
    expect(sent()).not.toContain('secret')
  })

  it('is asked for again when a server is busy or unreachable, and the token is kept', async () => {
    const backend = new HttpBackend()
    prove = () => json({ error: { code: 'busy', message: 'Try again in a second.' } }, 429)
    await expect(backend.call('doctor', {})).rejects.toMatchObject({ code: 'busy' })
    prove = () => Promise.reject(new TypeError('Failed to fetch'))
    await expect(backend.call('doctor', {})).rejects.toMatchObject({ code: 'not_running' })
    expect(calls).toHaveLength(0)
    prove = honest
    await backend.call('doctor', {})
    expect(calls).toHaveLength(1)
  })

  it('needs a browser that can check it', async () => {
    vi.stubGlobal('crypto', { getRandomValues: () => new Uint8Array(32) })
    await expect(new HttpBackend().call('doctor', {})).rejects.toMatchObject({ code: 'internal', message: /This browser can’t/ })
    expect([...calls, ...questions]).toEqual([])
    expect(sessionStorage.getItem(place)).toBe('secret')
  })

  it('lasts as long as the event stream', async () => {
    const first = stream()
    answer = first.response
    const backend = new HttpBackend(quick)
    const leave = await backend.subscribe(() => undefined)
    answer = () => json({})
    const before = questions.length
    await Promise.all([backend.call('doctor', {}), backend.call('health', {})])
    expect(questions).toHaveLength(before)
    // AURA ends, and another program takes its port.
    const asked = calls.length
    prove = () => json({ proof: '0'.repeat(64) })
    first.breakOff()
    await wait()
    await expect(backend.call('doctor', {})).rejects.toBeTruthy()
    expect(calls).toHaveLength(asked)
    expect(backend.access.state()).toBe('rejected')
    leave()
  })
})

describe('events', () => {
  async function listening(first = stream()) {
    answer = first.response
    const heard: AuraEvent[] = []
    const links: boolean[] = []
    const backend = new HttpBackend(quick)
    const leave = await backend.subscribe(
      (event) => heard.push(event),
      (connected) => links.push(connected),
    )
    return { first, heard, links, leave, backend }
  }

  it('arrive as they are sent', async () => {
    const { first, heard, leave } = await listening()
    expect(calls[0]).toMatchObject({ address: './events', asked: { headers: { Authorization: 'Bearer secret' } } })
    first.tell(changed)
    first.tell({ type: 'recording', turn: 'a' })
    await wait()
    expect(heard.map((event) => event.type)).toEqual(['changed', 'recording'])
    leave()
  })

  it('reconnect after a break, and report the connection', async () => {
    const { first, heard, links, leave } = await listening()
    answer = () => Promise.reject(new TypeError('Failed to fetch'))
    first.breakOff()
    await wait()
    expect(links).toEqual([false])
    expect(calls.length).toBeGreaterThan(2)
    const second = stream()
    answer = second.response
    await wait()
    second.tell(changed)
    await wait()
    expect(links).toEqual([false, true])
    expect(heard).toEqual([changed])
    // A regular end of the stream is handled the same way.
    const third = stream()
    answer = third.response
    second.end()
    await wait()
    expect(links).toEqual([false, true, false, true])
    leave()
  })

  it('do not reconnect after unsubscribing or without a token', async () => {
    const { first, links, leave } = await listening()
    leave()
    first.breakOff()
    await wait()
    expect(calls).toHaveLength(1)
    expect(links).toEqual([])
    const again = await listening()
    answer = refuses
    again.first.breakOff()
    await wait()
    const asked = calls.length
    await wait()
    expect(calls).toHaveLength(asked)
    expect(again.links).toEqual([false])
  })

  it('reject when the stream cannot be opened', async () => {
    answer = () => Promise.reject(new TypeError('Failed to fetch'))
    await expect(new HttpBackend(quick).subscribe(() => undefined)).rejects.toMatchObject({ code: 'not_running' })
    answer = () => new Response(null, { status: 200 })
    await expect(new HttpBackend(quick).subscribe(() => undefined)).rejects.toMatchObject({ code: 'not_running' })
  })
})

describe('the backend', () => {
  afterEach(() => {
    vi.unstubAllEnvs()
    Reflect.deleteProperty(window, '__TAURI_INTERNALS__')
  })

  it('fits the environment of the page', async () => {
    expect(await connect()).toBeInstanceOf(FakeBackend)
    vi.stubEnv('DEV', false)
    expect(await connect()).toBeInstanceOf(HttpBackend)
    Object.assign(window, { __TAURI_INTERNALS__: {} })
    expect(await connect()).toBe(tauri)
  })
})
