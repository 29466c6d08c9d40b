/** The messages of the person's language. */
export { locale, t } from './language.svelte'
