/** Der erste Start. */
import type { onboarding as english } from '../en/onboarding'

export const onboarding: typeof english = {
  title: 'Tasten halten und sprechen',
  text: 'AURA antwortet gesprochen: zu allem oder zu dem, was auf deinem Bildschirm ist. So kannst du starten:',
  key: {
    title: 'Ich habe einen API-Schlüssel',
    text: 'Groq, Gemini, OpenAI oder ein anderer Anbieter. Wird sofort geprüft und im Schlüsselbund des Systems gespeichert.',
    button: 'API-Schlüssel einfügen',
    field: 'Dein API-Schlüssel',
    provider: 'Anbieter',
    save: 'Speichern und prüfen',
    checking: (provider: string) => `Der Schlüssel wird bei ${provider} geprüft …`,
    works: (provider: string, models: string) => `${provider} hat den Schlüssel angenommen. Verfügbar: ${models}.`,
    unsure: (provider: string) =>
      `Der Schlüssel ist gespeichert, aber ${provider} hat noch nicht geantwortet. Ein Test schafft Klarheit; er kann Bruchteile eines Cents kosten.`,
    test: 'Testen',
    other: 'Anderen Schlüssel verwenden',
  },
  local: {
    title: 'Ich nutze lokale Modelle',
    looking: 'Suche nach Servern auf diesem Rechner …',
    found: (kinds: string) => `Auf diesem Rechner gefunden: ${kinds}.`,
    none: 'Kein lokaler Server gefunden. Starte Ollama, LM Studio oder einen anderen und suche noch einmal.',
    failed: 'Dieser Rechner konnte nicht durchsucht werden.',
    again: 'Noch einmal suchen',
    address: 'Adresse eingeben',
  },
  offline: {
    title: 'Ohne Konto',
    text: (size: string) =>
      `AURA hört und spricht auf diesem Rechner, ohne Internet. Dafür werden einmal ${size} heruntergeladen.`,
    textIn: (language: string, size: string) =>
      `AURA versteht und spricht ${language} auf diesem Rechner, ohne Internet. Dafür werden einmal ${size} heruntergeladen.`,
    textReady: 'AURA hört und spricht auf diesem Rechner, ohne Internet. Die Modelle dafür sind schon da.',
    textSimple: 'Ohne Konto und ohne Internet: AURA nutzt die Sprachprogramme auf diesem Rechner.',
    button: 'Modelle auswählen',
    start: 'Offline starten',
    stepTitle: 'AURA auf diesem Rechner',
    stepText: 'Was du sagst, bleibt hier. Heruntergeladen wird nur, was du auswählst.',
    speech: 'Hören und sprechen',
    speechText: 'Versteht, was du sagst, und liest die Antworten vor.',
    speechTextIn: (language: string) => `Versteht ${language} und liest die Antworten vor.`,
    getSpeech: (size: string) => `Beides laden · ${size}`,
    answers: 'Fragen beantworten',
    answersText: 'Ein Sprachmodell schreibt die Antworten. Ein größeres weiß mehr, braucht aber länger.',
    without: 'Ohne Download weiter',
    goesOn: 'Die Downloads laufen weiter, während du AURA benutzt.',
  },
  back: 'Zurück',
  next: 'Weiter',
  check: {
    title: 'Jetzt sag etwas',
    text: 'Halte den runden Knopf unten, sag „Hallo, hörst du mich?“ und lass los. Die Antwort hörst du.',
    keys: 'Oder halte in jeder App',
    skip: 'Tonprobe überspringen',
    notSetUp: 'nicht eingerichtet',
    worked: (time: string) => `Die Tonprobe hat geklappt: erster Ton nach ${time}.`,
    workedSilently: 'Die Tonprobe hat geklappt.',
    failed: 'Die Tonprobe hat nicht geklappt. Woran es lag, steht im Gespräch.',
  },
}
