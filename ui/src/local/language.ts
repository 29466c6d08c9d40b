/** Names of languages, and the person's own. */
import type { Snapshot } from '../generated/Snapshot'
import type { LocalModelView } from '../generated/LocalModelView'
import { language } from '../lib/preferences.svelte'
import { t } from '../lib/messages'
import { locale } from '../lib/region'
import { speaks } from './list'

/** What a model is good for. Voices of one family share a sentence, under the first part of their ids. */
export const purpose = ({ id, description }: LocalModelView): string =>
  t.local.about[id] ?? t.local.about[id.split('-', 1)[0] ?? ''] ?? description

/** "de" → "German". */
export function languageName(code: string): string {
  const known = t.languages[code]
  if (known !== undefined) return known
  try {
    return new Intl.DisplayNames([language()], { type: 'language' }).of(code) ?? code
  } catch {
    // Not every code is a language tag.
    return code
  }
}

/** The language the person speaks: the one set, else that of the windows. */
export const spokenLanguage = (snapshot: Snapshot | null) => snapshot?.settings.listening.language ?? language()

/** Codes sorted by name, the person's own first. */
export function sortedLanguages(codes: string[], own: string): string[] {
  const compare = new Intl.Collator(locale()).compare
  return codes.toSorted((a, b) => Number(b === own) - Number(a === own) || compare(languageName(a), languageName(b)))
}

/** "German, English" or "German and 98 more languages"; empty for a model without languages. */
export function describeLanguages(model: LocalModelView, own: string): string {
  const names = sortedLanguages(model.languages, own).map(languageName)
  if (names.length <= 3) return names.join(', ')
  return t.local.languages(names[0] ?? '', names.length - 1)
}

/** The language that all of the models know, if it is the person's own. */
export const commonLanguage = (models: LocalModelView[], own: string) =>
  models.length > 0 && models.every((model) => model.languages.length > 0 && speaks(model, own)) ? languageName(own) : undefined
