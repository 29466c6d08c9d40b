/** Tools of other programs. */
import type { McpProblems } from '../said'
import type { McpServerState } from '../../generated/McpServerState'
import { counter } from '../plural'

const counted = counter('en')

export const mcp = {
  title: 'Tools of other programs',
  intro:
    'AURA can use the tools of MCP servers: for your files, your calendar, a web service. Each use is shown first, and AURA asks.',
  off: 'Turn on “Act in other programs” to use them.',
  none: 'No servers yet. Paste the list of another program, such as Claude Desktop, Cursor or VS Code.',
  add: 'Add servers',
  json: 'List of servers (JSON)',
  take: 'Add',
  cancel: 'Cancel',
  added: (names: string) => `Added: ${names}.`,
  notKept: 'There is no keyring here, so AURA forgets their values when it ends.',
  use: (name: string) => `Use ${name}`,
  states: {
    off: 'off',
    stopped: 'not started',
    starting: 'starting',
    ready: 'ready',
    retrying: 'failed, trying again',
    failed: 'failed',
  } as Record<McpServerState, string>,
  problems: {
    missing_secret: (name) => `The value of “${name}” is missing. Enter it below.`,
    secrets: 'AURA could not read the server’s values. Unlock the system’s keyring, then restart the server.',
    not_started: (program) => `The program “${program}” could not be started. Is it installed?`,
    address: 'Its address cannot be used. Remove the server and add it with another one.',
    unreachable: 'The server cannot be reached. Check that it is running and that you are online.',
    session_lost: 'The server was restarted and lost the connection. AURA is connecting again.',
    unauthorized: 'The server denies access. Check the values of its headers.',
    handshake: 'It does not answer as an MCP server does. Check its command or its address.',
    start_timeout: (seconds) => `The server was not ready within ${seconds} s. Restart it.`,
    ended: 'The server ended unexpectedly. Restart it.',
    flooded: 'The server sent too much, so AURA stopped it. Restart it or update it.',
    not_reading: 'The server took no more messages, so AURA stopped it. Restart it.',
    unresponsive: 'The server stopped answering, so AURA stopped it. Restart it.',
  } satisfies McpProblems as McpProblems,
  restart: 'Restart',
  remove: 'Remove',
  removeAsk: (name: string) => `Remove ${name} and its saved values?`,
  keep: 'Keep',
  removed: (name: string) => `${name} was removed.`,
  value: (name: string) => `Value of ${name}`,
  valueHint: 'Kept in this computer’s keyring and given to this server alone.',
  save: 'Save',
  tools: (count: number) => counted(count, { one: 'tool', other: 'tools' }),
  permission: (tool: string) => `When AURA wants to use ${tool}`,
  changed: 'The server has changed this tool, so AURA asks again.',
  rejected: 'Not offered',
  health: (name: string) => `The tools of ${name} cannot be used.`,
  look: 'Look at it',
}
