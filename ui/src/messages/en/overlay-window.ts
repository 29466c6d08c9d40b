/** Every sentence the overlay shows, in English. */
import type { Errors } from '../said'
import { acting } from './acting'
import { overlay } from './overlay'

export const en = { ...overlay, acting, errors: null as Errors | null }

/** What a language has to say in the overlay. */
export type OverlayMessages = typeof en
