/** The messages in the user's language. */
export { t } from './language.svelte'
