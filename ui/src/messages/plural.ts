/** Counts in words. */
import type { Language } from '../lib/preferences.svelte'
import { locale } from '../lib/region'

/** The forms that a word after a number has in each language: the plural categories of CLDR. */
export const pluralForms = {
  en: ['one', 'other'],
  de: ['one', 'other'],
  // "Many" are whole millions: "1 000 000 de preguntas".
  es: ['one', 'many', 'other'],
} as const satisfies Record<Language, readonly Intl.LDMLPluralRule[]>

/** Every form of a word in one language. */
export type Forms<In extends Language> = Record<(typeof pluralForms)[In][number], string>

/** For one language: "1 call", "1,204 calls". The number is written as in the person's region. */
export function counter<In extends Language>(language: In): (count: number, forms: Forms<In>) => string {
  const rules = new Intl.PluralRules(language)
  return (count, forms) => `${count.toLocaleString(locale())} ${forms[rules.select(count) as keyof Forms<In>]}`
}
