import { fireEvent, screen } from '@testing-library/svelte'
import { beforeEach, describe, expect, it, vi } from 'vitest'
import { failing, type Script } from '../backend/fake'
import { readySnapshot } from '../backend/samples'
import { accessible, open, settle } from '../test/stage'
import { regionOf } from './region'

const drawn = vi.fn()

beforeEach(() => {
  drawn.mockReset()
  // jsdom decodes no pictures and paints none.
  vi.stubGlobal('createImageBitmap', (blob: Blob) => Promise.resolve({ size: blob.size, close: () => undefined }))
  HTMLCanvasElement.prototype.getContext = (() => ({ drawImage: drawn })) as never
  return () => {
    vi.unstubAllGlobals()
    HTMLCanvasElement.prototype.getContext = () => null
  }
})

async function previewed(script: Script = {}) {
  const view = await open('talk', script)
  await fireEvent.click(screen.getByRole('button', { name: 'Show what is sent' }))
  await settle()
  return view
}

describe('the preview', () => {
  it('shows exactly what is sent, before anything is', async () => {
    const { backend } = await previewed()
    expect(backend.asked('look')).toEqual([{ target: { kind: 'monitor' } }])
    expect(screen.getByText(/1,568 × 882 pixels, 182 kB\. Nothing was sent yet\./)).toBeTruthy()
    expect(drawn).toHaveBeenCalledTimes(1)
    expect(backend.asked('ask')).toEqual([])
    await accessible()
  })

  it('says why there is none, and looks again', async () => {
    const refused = failing({ code: 'capture_refused', message: 'The desktop did not allow it. Allow it in the dialog.' })
    const { backend } = await previewed({ handlers: { look: refused } })
    expect(screen.getByRole('alert').textContent).toContain('Allow it in the dialog.')
    await accessible()
    await fireEvent.click(screen.getByRole('button', { name: 'Look again' }))
    expect(backend.asked('look')).toHaveLength(2)
  })

  it('of something else is a choice away, and undone', async () => {
    const { backend } = await previewed()
    await fireEvent.change(screen.getByRole('combobox', { name: 'What is shown' }), { target: { value: 'window:Terminal' } })
    await settle()
    expect(backend.asked('change_settings')).toEqual([{ changes: { screen: { target: { kind: 'window', title: 'Terminal' } } } }])
    expect(backend.asked('look').at(-1)).toEqual({ target: { kind: 'window', title: 'Terminal' } })
    await fireEvent.click(screen.getByRole('button', { name: 'Undo' }))
    await settle()
    expect(backend.snapshot.settings.screen.target).toEqual({ kind: 'monitor' })
  })

  it('takes a region by dragging, and Esc while dragging takes none', async () => {
    const { backend, view } = await previewed()
    const picture = screen.getByRole('img')
    picture.getBoundingClientRect = () => ({ left: 100, top: 50, width: 400, height: 200 }) as DOMRect
    await fireEvent.pointerDown(picture, { button: 0, clientX: 200, clientY: 100 })
    await fireEvent.pointerMove(picture, { clientX: 300, clientY: 150 })
    expect(view.container.querySelector<HTMLElement>('.picture i')?.style.left).toBe('25%')
    await fireEvent.keyDown(picture, { key: 'Escape' })
    await fireEvent.pointerUp(picture)
    expect(backend.asked('change_settings')).toEqual([])

    await fireEvent.pointerDown(picture, { button: 0, clientX: 300, clientY: 150 })
    await fireEvent.pointerMove(picture, { clientX: 200, clientY: 100 })
    await fireEvent.pointerUp(picture)
    await settle()
    const region = { kind: 'region', x: 480, y: 270, width: 480, height: 270 }
    expect(backend.asked('change_settings')).toEqual([{ changes: { screen: { target: region } } }])
    expect(backend.asked('look').at(-1)).toEqual({ target: region })
  })

  it('takes a region by its edges, without a pointer', async () => {
    const { backend } = await previewed()
    await fireEvent.change(screen.getByRole('spinbutton', { name: 'width' }), { target: { value: '800' } })
    await settle()
    expect(backend.snapshot.settings.screen.target).toEqual({ kind: 'region', x: 0, y: 0, width: 800, height: 1080 })
  })

  it('cannot be changed where the environment holds it', async () => {
    await previewed({ snapshot: readySnapshot({ from_environment: ['screen.target'] }) })
    expect(screen.getByRole<HTMLSelectElement>('combobox', { name: 'What is shown' }).disabled).toBe(true)
    expect(screen.queryByRole('spinbutton')).toBeNull()
  })

  it('goes with the next question if the person says so, once', async () => {
    const { backend } = await previewed()
    await fireEvent.click(screen.getByRole('button', { name: 'Send it with the next question' }))
    await settle()
    const field = screen.getByRole<HTMLTextAreaElement>('textbox')
    expect(screen.queryByRole('img')).toBeNull()
    expect(document.activeElement).toBe(field)
    expect(screen.getByText('Goes with the next question you ask here: The screen under the pointer')).toBeTruthy()
    await accessible()
    for (const text of ['What is this?', 'And why?']) {
      await fireEvent.input(field, { target: { value: text } })
      await fireEvent.keyDown(field, { key: 'Enter' })
      await settle()
    }
    expect(backend.asked('ask').map((asked) => (asked as { screen?: boolean }).screen)).toEqual([true, undefined])
    expect(screen.queryByText(/^Goes with the next/)).toBeNull()
  })

  it('goes with a spoken one as well, and not when it was taken away', async () => {
    const { backend } = await previewed()
    const attach = () => fireEvent.click(screen.getByRole('button', { name: 'Send it with the next question' }))
    await attach()
    await fireEvent.click(screen.getByRole('button', { name: 'Do not send the screen' }))
    const talk = screen.getByRole('button', { name: 'Talk' })
    await fireEvent.click(talk)
    expect(backend.asked('press')).toEqual([{}])
    await fireEvent.click(screen.getByRole('button', { name: 'Show what is sent' }))
    await settle()
    await attach()
    await fireEvent.click(talk)
    expect(backend.asked('press')).toEqual([{}, { screen: true }])
  })

  it('stays for another try when the question could not begin', async () => {
    const { aura } = await previewed({ handlers: { ask: failing({ code: 'no_route', message: 'Add a key first.' }) } })
    await fireEvent.click(screen.getByRole('button', { name: 'Send it with the next question' }))
    await aura.ask('What is this?')
    expect(aura.attached).toBe(true)
  })

  it('says so where it goes with every question anyway', async () => {
    const snapshot = readySnapshot()
    snapshot.settings.screen.share = 'always'
    await previewed({ snapshot })
    expect(screen.getByText(/^It goes with every question/)).toBeTruthy()
    expect(screen.queryByRole('button', { name: 'Send it with the next question' })).toBeNull()
  })

  it('closes with Esc, and the focus goes back', async () => {
    const { backend } = await previewed()
    await fireEvent.keyDown(screen.getByRole('combobox', { name: 'What is shown' }), { key: 'Escape' })
    await settle()
    expect(screen.queryByRole('img')).toBeNull()
    expect(document.activeElement?.getAttribute('aria-label')).toBe('Show what is sent')
    expect(backend.cancelled).toBe(0)
  })
})

describe('a region', () => {
  const shown = { x: 1920, y: 0, width: 1000, height: 500 }

  it('lies within what is shown, from whichever corner it was drawn', () => {
    expect(regionOf({ x: 0.5, y: 0.5 }, { x: -1, y: 2 }, shown)).toEqual({ x: 1920, y: 250, width: 500, height: 250 })
  })

  it('that is next to nothing is none', () => {
    expect(regionOf({ x: 0.5, y: 0.5 }, { x: 0.501, y: 0.9 }, shown)).toBeNull()
  })
})
