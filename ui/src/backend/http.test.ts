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

/** The stubbed local API: the requests so far, and the reply to the next. */
let calls: Call[]
let answer: (call: Call) => Response | Promise<Response>

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

beforeEach(() => {
  calls = []
  answer = () => json({})
  vi.stubGlobal('fetch', (address: string, asked: Call['asked']) => {
    const call = { address, asked }
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
    answer = refuses
    await expect(backend.access.signIn('wrong')).rejects.toMatchObject({ message: 'This needs the token.' })
    expect(sessionStorage.getItem(place)).toBeNull()
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
