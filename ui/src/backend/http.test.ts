import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { connect } from '.'
import { prefer } from '../lib/preferences.svelte'
import { FakeBackend } from './fake'
import { HttpBackend } from './http'
import { readySnapshot } from './samples'
import { tauri } from './tauri'
import type { AuraEvent, Need } from './types'

interface Call {
  address: string
  asked: RequestInit & { headers: Record<string, string> }
}

/** The door as the page meets it: what was asked, and who answers. */
let calls: Call[]
let answer: (call: Call) => Response | Promise<Response>

const json = (body: unknown, status = 200) => new Response(JSON.stringify(body), { status })
const refuses = () => json({ error: { code: 'invalid_request', message: 'This needs the token.' } }, 401)
const quick = { first: 1, longest: 4 }
const place = 'aura.door-token'
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
  it('is asked for beside the page, with the token in a header and nowhere else', async () => {
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

  it('that stops everything goes the same way', async () => {
    await new HttpBackend().cancel()
    expect(calls[0]).toMatchObject({ address: './rpc/cancel', asked: { method: 'POST', body: '{}' } })
  })

  it('fails as the door says', async () => {
    const error = { code: 'storage', message: 'The disk is full.', detail: { path: '/' } }
    answer = () => json({ error }, 503)
    await expect(new HttpBackend().call('doctor', {})).rejects.toEqual(error)
  })

  it('fails in the language of the person where the door says nothing, or nobody answers', async () => {
    const backend = new HttpBackend()
    answer = () => new Response('<html>', { status: 502 })
    await expect(backend.call('doctor', {})).rejects.toMatchObject({ code: 'internal', message: /status 502/ })
    answer = () => Promise.reject(new TypeError('Failed to fetch'))
    await expect(backend.call('doctor', {})).rejects.toMatchObject({ code: 'not_running', message: /does not answer/ })
    answer = () => new Response('{"half', { status: 200 })
    await expect(backend.call('doctor', {})).rejects.toMatchObject({ code: 'not_running' })
    prefer({ language: 'de' })
    answer = () => Promise.reject(new TypeError('Failed to fetch'))
    await expect(backend.call('doctor', {})).rejects.toMatchObject({ message: /antwortet nicht/ })
  })
})

describe('the token', () => {
  it('is needed first, tried, and kept until the tab is closed', async () => {
    sessionStorage.clear()
    const backend = new HttpBackend()
    expect(backend.entry.need()).toBe('token')
    const needs: Need[] = []
    const leave = backend.entry.watch((need) => needs.push(need))
    answer = () => json(readySnapshot())
    await backend.entry.give('other')
    expect(calls).toHaveLength(1)
    expect(calls[0]).toMatchObject({ address: './rpc/snapshot', asked: { headers: { Authorization: 'Bearer other' } } })
    expect(needs).toEqual(['none'])
    expect(sessionStorage.getItem(place)).toBe('other')
    expect(localStorage.getItem(place)).toBeNull()
    leave()
    backend.entry.leave()
    expect(needs).toHaveLength(1)
    expect(sessionStorage.getItem(place)).toBeNull()
  })

  it('that is refused is not kept, and one that is not taken any more is asked for again', async () => {
    sessionStorage.clear()
    const backend = new HttpBackend()
    const needs: Need[] = []
    backend.entry.watch((need) => needs.push(need))
    answer = refuses
    await expect(backend.entry.give('wrong')).rejects.toMatchObject({ message: 'This needs the token.' })
    expect(sessionStorage.getItem(place)).toBeNull()
    answer = () => json(readySnapshot())
    await backend.entry.give('right')
    answer = refuses
    await expect(backend.call('health', {})).rejects.toBeTruthy()
    expect(needs).toEqual(['refused', 'none', 'refused'])
    expect(sessionStorage.getItem(place)).toBeNull()
  })

  it('that could not be tried is not kept either', async () => {
    sessionStorage.clear()
    const backend = new HttpBackend()
    answer = () => Promise.reject(new TypeError('Failed to fetch'))
    await expect(backend.entry.give('right')).rejects.toMatchObject({ code: 'not_running' })
    expect(sessionStorage.getItem(place)).toBeNull()
  })

  it('is that of the page where nothing may be stored', async () => {
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
    await backend.entry.give('secret')
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
      (held) => links.push(held),
    )
    return { first, heard, links, leave, backend }
  }

  it('are heard as they come', async () => {
    const { first, heard, leave } = await listening()
    expect(calls[0]).toMatchObject({ address: './events', asked: { headers: { Authorization: 'Bearer secret' } } })
    first.tell(changed)
    first.tell({ type: 'recording', turn: 'a' })
    await wait()
    expect(heard.map((event) => event.type)).toEqual(['changed', 'recording'])
    leave()
  })

  it('that break off are asked for again until they come, and the page is told', async () => {
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
    // The server ended it in peace: the same.
    const third = stream()
    answer = third.response
    second.end()
    await wait()
    expect(links).toEqual([false, true, false, true])
    leave()
  })

  it('are not asked for any more when nobody listens, or the token is gone', async () => {
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

  it('that cannot be had at all say why', async () => {
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

  it('fits where the page runs', async () => {
    expect(await connect()).toBeInstanceOf(FakeBackend)
    vi.stubEnv('DEV', false)
    expect(await connect()).toBeInstanceOf(HttpBackend)
    Object.assign(window, { __TAURI_INTERNALS__: {} })
    expect(await connect()).toBe(tauri)
  })
})
