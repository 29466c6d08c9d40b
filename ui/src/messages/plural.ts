/** Counts in words. */
import type { Language } from '../lib/preferences.svelte'
import { locale } from '../lib/region'

/** The forms of a word after a number. Languages with more than two name the others too. */
export type Forms = Partial<Record<Intl.LDMLPluralRule, string>> & { other: string }

/** For one language: "1 call", "1,204 calls". The number is written as in the person's region. */
export function counter(language: Language): (count: number, forms: Forms) => string {
  const rules = new Intl.PluralRules(language)
  return (count, forms) => `${count.toLocaleString(locale())} ${forms[rules.select(count)] ?? forms.other}`
}
