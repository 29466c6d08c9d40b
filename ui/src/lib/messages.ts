/** The messages in the user's language. */
export { loadMessages, t } from './language.svelte'
