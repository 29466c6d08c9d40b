/** The backend inside the desktop app, over IPC. The only file that may import from Tauri. */
import { Channel, invoke } from '@tauri-apps/api/core'
import { asFailure } from './failure'
import type { AuraEvent, Backend, OperationName, Request, Response } from './types'

export const tauri: Backend = {
  async call<Name extends OperationName>(operation: Name, request: Request<Name>): Promise<Response<Name>> {
    try {
      return await invoke<Response<Name>>('rpc', { operation, request })
    } catch (thrown) {
      throw asFailure(thrown)
    }
  },

  async subscribe(listener) {
    const channel = new Channel<AuraEvent>()
    channel.onmessage = listener
    await invoke('subscribe', { channel })
    return () => {
      // Rust closes the channel when the window is gone; until then, events are dropped.
      channel.onmessage = () => undefined
    }
  },

  cancel: () => invoke('cancel'),
}

/** Lets the person move the overlay with the pointer, whose button is down, until it is released. */
export const dragOverlay = (): Promise<void> => invoke('drag_overlay')

/** Opens a web page or a mail address in the program that the system has for it. Rejects when there is none. */
export const openLink = (address: string): Promise<void> => invoke('open_link', { address })
