/** The person's region, which decides how numbers, dates and times are written. */
import { language, type Language } from './preferences.svelte'

/** The region of a language tag: "en-US" → "US"; none for "C" and other tags that are no languages. */
function regionOf(tag: string): string | undefined {
  try {
    return new Intl.Locale(tag).region
  } catch {
    return undefined
  }
}

/** A language in the region of the person's own tags, the most preferred first: English in Germany is "en-DE". */
export function localeFor(language: Language, tags: readonly string[] = navigator.languages): string {
  const region = tags.map(regionOf).find((found) => found !== undefined)
  return region === undefined ? language : `${language}-${region}`
}

/** The locale for numbers, dates and times. */
export const locale = () => localeFor(language())
