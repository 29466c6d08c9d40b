/** The proof that the server knows the token, asked for before the token is sent to it. */

const hex = (bytes: Uint8Array) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')

/** The port of this page: the one that the question is sent to. */
const port = () => location.port || '80'

/** Whether the browser can check the proof. */
export const canProve = () => 'subtle' in crypto

/** HMAC-SHA256 in hexadecimal digits. */
async function hmac(key: string, message: string): Promise<string> {
  const bytes = (text: string) => new TextEncoder().encode(text)
  const imported = await crypto.subtle.importKey('raw', bytes(key), { name: 'HMAC', hash: 'SHA-256' }, false, ['sign'])
  return hex(new Uint8Array(await crypto.subtle.sign('HMAC', imported, bytes(message))))
}

/**
 * Asks the server for the proof; `send` posts the question. True when the server knows the token, false when it does not. A server that is
 * too busy to answer gets another try: then the response is returned.
 */
export async function proveServer(token: string, send: (body: string) => Promise<Response>): Promise<boolean | Response> {
  const nonce = hex(crypto.getRandomValues(new Uint8Array(32)))
  const answer = await send(JSON.stringify({ nonce }))
  if (answer.status === 429) return answer
  if (!answer.ok) return false
  const said: unknown = await answer.json().catch(() => null)
  const proof: unknown = typeof said === 'object' && said !== null && 'proof' in said ? said.proof : null
  return proof === (await hmac(token, `aura:${port()}:${nonce}`))
}
