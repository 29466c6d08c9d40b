/** Der erste Start. */
import type { first as english } from '../en/first'

export const first: typeof english = {
  title: 'Taste halten und sprechen',
  text: 'AURA antwortet laut, zu allem oder zu dem, was auf deinem Bildschirm ist. Drei Wege hinein:',
  key: {
    title: 'Ich habe einen Schlüssel',
    text: 'Groq, Gemini, OpenAI oder ein anderer Anbieter. Wird sofort geprüft und liegt im Schlüsselbund dieses Rechners.',
    button: 'Schlüssel einfügen',
    field: 'Dein Schlüssel',
    of: 'Er gehört zu',
    save: 'Speichern und prüfen',
    checking: (provider: string) => `${provider} wird gefragt, ob der Schlüssel gilt`,
    works: (provider: string, models: string) => `${provider} nimmt den Schlüssel. Benutzbar: ${models}.`,
    unsure: (provider: string) =>
      `${provider} hat seinen Schlüssel, hat aber noch nicht geantwortet. Ein Test sagt mehr; er kann Bruchteile eines Cents kosten.`,
    test: 'Testen',
    other: 'Ein anderer Schlüssel',
  },
  local: {
    title: 'Meine Modelle laufen hier',
    looking: 'Server auf diesem Rechner werden gesucht',
    found: (kinds: string) => `Auf diesem Rechner gefunden: ${kinds}.`,
    none: 'Auf diesem Rechner antwortet kein Server. Starte Ollama, LM Studio oder einen anderen und sieh noch einmal nach.',
    failed: 'Dieser Rechner konnte nicht durchsucht werden.',
    again: 'Noch einmal nachsehen',
    address: 'Adresse angeben',
  },
  offline: {
    title: 'Einfach ausprobieren',
    text: 'Geht ohne Konto und ohne Netz, mit den Programmen auf diesem Rechner.',
    button: 'Ohne Netz beginnen',
  },
  back: 'Zurück',
  next: 'Weiter',
  check: {
    title: 'Jetzt sag etwas',
    text: 'Halte den runden Knopf unten, sag „Hallo, hörst du mich?“ und lass los. Die Antwort kommt laut.',
    keys: 'In jedem Programm geht auch:',
    skip: 'Die Tonprobe überspringen',
    nobody: 'noch niemand',
    worked: (time: string) => `Die Tonprobe hat geklappt: erster Ton nach ${time}.`,
    workedSilently: 'Die Tonprobe hat geklappt.',
    failed: 'Die Tonprobe hat noch nicht geklappt. Woran es lag, steht im Gespräch.',
  },
}
