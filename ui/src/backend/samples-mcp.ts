/** Sample MCP servers. */
import type { McpServerView } from '../generated/McpServerView'
import type { McpToolView } from '../generated/McpToolView'

export const sampleServerTool = (name: string, more: Partial<McpToolView> = {}): McpToolView => ({
  name,
  description: 'Searches the notes of this computer.',
  fingerprint: '00112233445566778899aabbccddeeff',
  permission: 'ask',
  has_changed: false,
  ...more,
})

/** A server that is ready, with one tool. */
export const sampleServer = (name: string, more: Partial<McpServerView> = {}): McpServerView => ({
  name,
  state: 'ready',
  implementation: `${name} 1.0`,
  tools: [sampleServerTool('search')],
  rejected: [],
  values: [],
  ...more,
})
