/** The messages of the overlay. */
import { catalogue } from '../lib/catalogue.svelte'
import type { OverlayMessages } from '../messages/en/overlay-window'

export const { load: loadMessages, messages: t } = catalogue<OverlayMessages>({
  en: async () => (await import('../messages/en/overlay-window')).en,
  de: async () => (await import('../messages/de/overlay-window')).de,
  es: async () => (await import('../messages/es/overlay-window')).es,
})
