/** Every sentence the overlay shows, in German. */
import type { OverlayMessages } from '../en/overlay-window'
import { acting } from './acting'
import { errors } from './errors'
import { overlay } from './overlay'

export const de: OverlayMessages = { ...overlay, acting, errors }
