/** Every sentence the overlay shows, in Spanish. */
import type { OverlayMessages } from '../en/overlay-window'
import { acting } from './acting'
import { errors } from './errors'
import { overlay } from './overlay'

export const es: OverlayMessages = { ...overlay, acting, errors }
