/** The messages in the user's language. */
export { locale, t } from './language.svelte'
