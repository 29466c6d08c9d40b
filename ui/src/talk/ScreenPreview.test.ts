import { fireEvent, screen } from '@testing-library/svelte'
import { beforeEach, describe, expect, it, vi } from 'vitest'
import { failing, type Script } from '../backend/fake'
import { readySnapshot } from '../backend/samples'
import { accessible, open, settle } from '../test/harness'
import { regionOf } from './region'

const drawn = vi.fn()

beforeEach(() => {
  drawn.mockReset()
  // jsdom neither decodes nor paints images.
  vi.stubGlobal('createImageBitmap', (blob: Blob) => Promise.resolve({ size: blob.size, close: () => undefined }))
  HTMLCanvasElement.prototype.getContext = (() => ({ drawImage: drawn })) as never
  return () => {
    vi.unstubAllGlobals()
    HTMLCanvasElement.prototype.getContext = () => null
  }
})

async function previewed(script: Script = {}) {
  const view = await open('talk', script)
  await fireEvent.click(screen.getByRole('button', { name: 'Show what AURA will send' }))
  await settle()
  return view
}

describe('the preview', () => {
  it('shows exactly what will be sent, before anything is sent', async () => {
    const { backend } = await previewed()
    expect(backend.requests('look')).toEqual([{ target: { kind: 'monitor' } }])
    expect(screen.getByText(/1,568 × 882 pixels, 182 kB\. Nothing has been sent\./)).toBeTruthy()
    expect(drawn).toHaveBeenCalledTimes(1)
    expect(backend.requests('ask')).toEqual([])
    await accessible()
  })

  it('shows why there is no image, and refreshes', async () => {
    const refused = failing({ code: 'capture_refused', message: 'The desktop did not allow it. Allow it in the dialog.' })
    const { backend } = await previewed({ handlers: { look: refused } })
    expect(screen.getByRole('alert').textContent).toContain('Allow it in the dialog.')
    await accessible()
    await fireEvent.click(screen.getByRole('button', { name: 'Refresh' }))
    expect(backend.requests('look')).toHaveLength(2)
  })

  it('changes the target, and undoes it', async () => {
    const { backend } = await previewed()
    await fireEvent.change(screen.getByRole('combobox', { name: 'What to share' }), { target: { value: 'window:Terminal' } })
    await settle()
    expect(backend.requests('change_settings')).toEqual([
      { changes: { screen: { target: { kind: 'window', title: 'Terminal' } } } },
    ])
    expect(backend.requests('look').at(-1)).toEqual({ target: { kind: 'window', title: 'Terminal' } })
    await fireEvent.click(screen.getByRole('button', { name: 'Undo' }))
    await settle()
    expect(backend.snapshot.settings.screen.target).toEqual({ kind: 'monitor' })
  })

  it('selects a region by dragging, and Esc cancels a drag', async () => {
    const { backend, view } = await previewed()
    const picture = screen.getByRole('img')
    picture.getBoundingClientRect = () => ({ left: 100, top: 50, width: 400, height: 200 }) as DOMRect
    await fireEvent.pointerDown(picture, { button: 0, clientX: 200, clientY: 100 })
    await fireEvent.pointerMove(picture, { clientX: 300, clientY: 150 })
    expect(view.container.querySelector<HTMLElement>('.picture i')?.style.left).toBe('25%')
    await fireEvent.keyDown(picture, { key: 'Escape' })
    await fireEvent.pointerUp(picture)
    expect(backend.requests('change_settings')).toEqual([])

    await fireEvent.pointerDown(picture, { button: 0, clientX: 300, clientY: 150 })
    await fireEvent.pointerMove(picture, { clientX: 200, clientY: 100 })
    await fireEvent.pointerUp(picture)
    await settle()
    const region = { kind: 'region', x: 480, y: 270, width: 480, height: 270 }
    expect(backend.requests('change_settings')).toEqual([{ changes: { screen: { target: region } } }])
    expect(backend.requests('look').at(-1)).toEqual({ target: region })
  })

  it('selects a region by its coordinates, without a pointer', async () => {
    const { backend } = await previewed()
    await fireEvent.change(screen.getByRole('spinbutton', { name: 'width' }), { target: { value: '800' } })
    await settle()
    expect(backend.snapshot.settings.screen.target).toEqual({ kind: 'region', x: 0, y: 0, width: 800, height: 1080 })
  })

  it('cannot be changed when an environment variable sets the target', async () => {
    await previewed({ snapshot: readySnapshot({ from_environment: ['screen.target'] }) })
    expect(screen.getByRole<HTMLSelectElement>('combobox', { name: 'What to share' }).disabled).toBe(true)
    expect(screen.queryByRole('spinbutton')).toBeNull()
  })

  it('is attached to the next question only, if the user chooses so', async () => {
    const { backend } = await previewed()
    await fireEvent.click(screen.getByRole('button', { name: 'Send with the next question' }))
    await settle()
    const field = screen.getByRole<HTMLTextAreaElement>('textbox')
    expect(screen.queryByRole('img')).toBeNull()
    expect(document.activeElement).toBe(field)
    expect(screen.getByText('Attached to your next question here: The screen under the pointer')).toBeTruthy()
    await accessible()
    for (const text of ['What is this?', 'And why?']) {
      await fireEvent.input(field, { target: { value: text } })
      await fireEvent.keyDown(field, { key: 'Enter' })
      await settle()
    }
    expect(backend.requests('ask').map((asked) => (asked as { screen?: boolean }).screen)).toEqual([true, undefined])
    expect(screen.queryByText(/^Attached to your next/)).toBeNull()
  })

  it('is attached to a spoken question too, and not after it was detached', async () => {
    const { backend } = await previewed()
    const attach = () => fireEvent.click(screen.getByRole('button', { name: 'Send with the next question' }))
    await attach()
    await fireEvent.click(screen.getByRole('button', { name: 'Don’t send the screen' }))
    const talk = screen.getByRole('button', { name: 'Talk' })
    await fireEvent.click(talk)
    expect(backend.requests('press')).toEqual([{}])
    await fireEvent.click(screen.getByRole('button', { name: 'Show what AURA will send' }))
    await settle()
    await attach()
    await fireEvent.click(talk)
    expect(backend.requests('press')).toEqual([{}, { screen: true }])
  })

  it('stays attached when the question could not start', async () => {
    const { aura } = await previewed({ handlers: { ask: failing({ code: 'no_route', message: 'Add an API key first.' }) } })
    await fireEvent.click(screen.getByRole('button', { name: 'Send with the next question' }))
    await aura.ask('What is this?')
    expect(aura.attachScreen).toBe(true)
  })

  it('shows when it is attached to every question anyway', async () => {
    const snapshot = readySnapshot()
    snapshot.settings.screen.share = 'always'
    await previewed({ snapshot })
    expect(screen.getByText(/^Your screen is attached to every question/)).toBeTruthy()
    expect(screen.queryByRole('button', { name: 'Send with the next question' })).toBeNull()
  })

  it('closes with Esc and returns the focus', async () => {
    const { backend } = await previewed()
    await fireEvent.keyDown(screen.getByRole('combobox', { name: 'What to share' }), { key: 'Escape' })
    await settle()
    expect(screen.queryByRole('img')).toBeNull()
    expect(document.activeElement?.getAttribute('aria-label')).toBe('Show what AURA will send')
    expect(backend.cancelled).toBe(0)
  })
})

describe('a region', () => {
  const shown = { x: 1920, y: 0, width: 1000, height: 500 }

  it('lies within the image, from whichever corner it was drawn', () => {
    expect(regionOf({ x: 0.5, y: 0.5 }, { x: -1, y: 2 }, shown)).toEqual({ x: 1920, y: 250, width: 500, height: 250 })
  })

  it('that is too small is ignored', () => {
    expect(regionOf({ x: 0.5, y: 0.5 }, { x: 0.501, y: 0.9 }, shown)).toBeNull()
  })
})
