import { fireEvent, screen, within } from '@testing-library/svelte'
import { describe, expect, it } from 'vitest'
import { failing } from '../backend/fake'
import { readySnapshot } from '../backend/samples'
import { sampleServer, sampleServerTool } from '../backend/samples-mcp'
import { setPreferences } from '../lib/preferences.svelte'
import { accessible, open, settle } from '../test/harness'

const button = (name: string | RegExp) => screen.getByRole('button', { name })
const value = { server: 'github', kind: 'env', name: 'GITHUB_TOKEN', is_set: false } as const

describe('servers of tools', () => {
  it('are added from the list of another program', async () => {
    const { backend } = await open('settings')
    await settle()
    expect(screen.getByText(/^No servers yet\./)).toBeTruthy()
    await fireEvent.click(button('Add servers'))
    await settle()
    const list = screen.getByLabelText<HTMLTextAreaElement>('List of servers (JSON)')
    expect(document.activeElement).toBe(list)
    const json = '{"mcpServers": {"files": {"command": "npx"}}}'
    await fireEvent.input(list, { target: { value: json } })
    await fireEvent.click(button('Add'))
    await settle()
    expect(backend.requests('import_mcp_servers')).toEqual([{ json }])
    expect(screen.getByRole('article', { name: 'files' })).toBeTruthy()
    expect(document.activeElement).toBe(button('Add servers'))
    await accessible()
  })

  it('say what is wrong with a list, and keep it', async () => {
    const message = 'This list of servers cannot be used: `url`: missing.'
    await open('settings', { handlers: { import_mcp_servers: failing({ code: 'invalid_request', message }) } })
    await settle()
    await fireEvent.click(button('Add servers'))
    const list = screen.getByLabelText<HTMLTextAreaElement>('List of servers (JSON)')
    await fireEvent.input(list, { target: { value: '{}' } })
    await fireEvent.click(button('Add'))
    await settle()
    expect(screen.getByRole('alert').textContent).toContain(message)
    expect(list.value).toBe('{}')
  })

  it('show their tools, each with a permission for exactly this tool', async () => {
    const tools = [sampleServerTool('read'), sampleServerTool('write', { title: 'Write a file', has_changed: true })]
    const { backend } = await open('settings', { mcp: [sampleServer('files', { tools })] })
    await settle()
    const server = within(screen.getByRole('article', { name: 'files' }))
    expect(server.getByText('ready')).toBeTruthy()
    expect(server.getByText('2 tools')).toBeTruthy()
    expect(server.getByText(/has changed this tool/)).toBeTruthy()
    const permission = server.getByLabelText<HTMLSelectElement>('When AURA wants to use read')
    await fireEvent.change(permission, { target: { value: 'always' } })
    await settle()
    const kept = { permission: 'always', fingerprint: tools[0]?.fingerprint }
    expect(backend.requests('change_settings')).toEqual([{ changes: { mcp_servers: { files: { tools: { read: kept } } } } }])
    await accessible()
  })

  it('ask for a missing value, and hide it', async () => {
    const problem = 'The value of “GITHUB_TOKEN” is missing.'
    const failed = sampleServer('github', { state: 'failed', problem, tools: [], values: [value] })
    const { backend } = await open('settings', { mcp: [failed] })
    await settle()
    expect(screen.getByText(problem)).toBeTruthy()
    const field = screen.getByLabelText<HTMLInputElement>('Value of GITHUB_TOKEN')
    expect(field.type).toBe('password')
    await fireEvent.input(field, { target: { value: 'ghp_1' } })
    await fireEvent.click(button('Save'))
    await settle()
    const { server, kind, name } = value
    expect(backend.requests('save_mcp_value')).toEqual([{ server, kind, name, value: 'ghp_1' }])
    expect(screen.queryByLabelText('Value of GITHUB_TOKEN')).toBeNull()
    expect(document.body.innerHTML).not.toContain('ghp_1')
  })

  it('are removed after a question, restarted and switched off', async () => {
    const { backend } = await open('settings', { mcp: [sampleServer('files')] })
    await settle()
    await fireEvent.click(button('Restart'))
    expect(backend.requests('restart_mcp_server')).toEqual([{ server: 'files' }])
    await fireEvent.click(screen.getByRole('switch', { name: 'Use files' }))
    await settle()
    expect(backend.requests('change_settings')).toEqual([{ changes: { mcp_servers: { files: { enabled: false } } } }])
    await fireEvent.click(button('Remove'))
    await fireEvent.click(button('Keep'))
    expect(backend.requests('remove_mcp_server')).toEqual([])
    await fireEvent.click(button('Remove'))
    const question = screen.getByText(/^Remove files and its saved values/)
    await fireEvent.click(within(question.closest('.note') as HTMLElement).getByRole('button', { name: 'Remove' }))
    await settle()
    expect(backend.requests('remove_mcp_server')).toEqual([{ server: 'files' }])
    expect(screen.queryByRole('article', { name: 'files' })).toBeNull()
  })

  it('need AURA to act, and are found by a search', async () => {
    const snapshot = readySnapshot()
    snapshot.settings.actions.enabled = false
    await open('settings', { snapshot, mcp: [sampleServer('files')] })
    await settle()
    expect(screen.getByText(/^Turn on “Act in other programs”/)).toBeTruthy()
    await fireEvent.input(screen.getByRole('searchbox'), { target: { value: 'mcp' } })
    await settle()
    expect(screen.getByRole('article', { name: 'files' })).toBeTruthy()
    expect(screen.getByRole('heading', { name: 'Tools of other programs' })).toBeTruthy()
  })

  it('say in the language of the window why they cannot be used, with their own words folded', async () => {
    const problem = 'It ended: exit status: 1: Cannot find module.'
    const problem_facts = { kind: 'ended', status: 'exit status: 1: Cannot find module' } as const
    setPreferences({ language: 'de' })
    await open('settings', { mcp: [sampleServer('files', { state: 'retrying', problem, problem_facts, tools: [] })] })
    await settle()
    const server = within(screen.getByRole('article', { name: 'files' }))
    expect(server.getByText('Der Server hat sich unerwartet beendet. Starte ihn neu.')).toBeTruthy()
    expect(server.queryByText(/It ended/)).toBeNull()
    expect(server.getByText(/Cannot find module/).closest('details')?.open).toBe(false)
  })

  it('that failed are named in health', async () => {
    const failed = sampleServer('files', { state: 'retrying', problem: 'It ended: exit status 1.', tools: [] })
    await open('health', { mcp: [failed] })
    await settle()
    expect(screen.getByText(/^The tools of files cannot be used\./)).toBeTruthy()
    expect(screen.getByRole('link', { name: 'Look at it' }).getAttribute('href')).toBe('#settings/tools')
  })
})
