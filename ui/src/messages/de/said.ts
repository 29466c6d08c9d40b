/** Was AURA selbst zu sagen hat: Fehler nach ihrem Code, Hinweise nach ihrer Art und ihren Angaben. */
import type * as english from '../en/said'

export const errors: typeof english.errors = {
  no_microphone: 'AURA kann kein Mikrofon verwenden. Schließe eines an oder wähle unter „Einstellungen“ ein anderes.',
  microphone_lost: 'Das Mikrofon wurde getrennt.',
  microphone_denied: 'Das System lässt AURA nicht aufnehmen. Erlaube es in den Datenschutzeinstellungen des Systems.',
  nothing_heard: 'Es war nichts zu hören. Sprich, während AURA zuhört, oder prüfe das Mikrofon unter „Einstellungen“.',
  no_speaker: 'AURA kann keinen Lautsprecher verwenden. Wähle unter „Einstellungen“ einen anderen.',
  speaker_lost: 'Der Lautsprecher wurde getrennt.',
  capture_refused: 'Der Bildschirm konnte nicht aufgenommen werden. Erlaube es in den Datenschutzeinstellungen des Systems.',
  no_route: 'Dafür ist kein Anbieter eingerichtet. Füge unter „Anbieter“ einen hinzu.',
  all_routes_failed: 'Kein Anbieter konnte helfen. Deine Frage ist gespeichert. Versuche es gleich noch einmal.',
  blocked: 'Der Anbieter hat das wegen des Inhalts blockiert. Formuliere es anders oder frage einen anderen Anbieter.',
  keyring: 'Der Schlüsselbund des Systems ist nicht verfügbar. Entsperre ihn und versuche es noch einmal.',
  storage: 'Eine Datei konnte nicht gelesen oder geschrieben werden. Ist der Datenträger voll oder der Ordner schreibgeschützt?',
  disk_full: 'Der Datenträger ist voll. Schaffe Platz und versuche es noch einmal.',
  download_failed: 'Der Download ist fehlgeschlagen. Prüfe die Verbindung und setze ihn fort.',
  newer_version: 'Diese Datei stammt von einer neueren AURA-Version. Aktualisiere AURA, um sie zu ändern.',
  shortcut: 'Dieses Tastenkürzel lässt sich nicht verwenden. Wähle ein anderes.',
  not_running: 'AURA läuft nicht. Starte es und versuche es noch einmal.',
  port_taken: 'Eine andere App verwendet diesen Port. Wähle unter „Einstellungen“ einen anderen.',
  cancelled: 'Gestoppt.',
  unfinished: 'AURA wurde beendet, bevor diese Antwort fertig war. Versuche es noch einmal.',
  internal: 'In AURA ist etwas schiefgegangen. Bitte melde es zusammen mit dem Protokoll.',
}

export const notices: typeof english.notices = {
  allFailed: (failed: string) =>
    `Kein Anbieter konnte helfen: ${failed}. Deine Frage ist gespeichert. Versuche es gleich noch einmal.`,
  fallback: (failed: string, other: string) => `${failed}. ${other} ist eingesprungen.`,
  skipped: {
    not_offered: (provider: string) => `${provider} wurde übersprungen: bietet diesen Dienst nicht an.`,
    not_set_up: (provider: string) => `${provider} wurde übersprungen: nicht eingerichtet. Prüfe es unter „Anbieter“.`,
    no_consent: (provider: string) =>
      `${provider} wurde übersprungen: darf diese Daten nicht erhalten. Das lässt sich unter „Anbieter“ ändern.`,
    no_model: (provider: string) => `${provider} wurde übersprungen: Wähle ein Modell dafür.`,
    key_rejected: (provider: string) => `${provider} wurde übersprungen: hat den API-Schlüssel abgelehnt.`,
    daily_limit: (provider: string) => `${provider} wurde übersprungen: Das Tageslimit für Kosten ist erreicht.`,
    paused: (provider: string) => `${provider} wurde übersprungen: war eben ausgefallen und wird bald wieder versucht.`,
  },
  replaced: {
    retired: (model: string, other: string) => `${model} wurde eingestellt. Jetzt antwortet ${other}.`,
    gone: (model: string, other: string) => `${model} wird nicht mehr angeboten. Jetzt antwortet ${other}.`,
    not_entitled: (model: string, other: string) => `Dein Konto darf ${model} nicht verwenden. Jetzt antwortet ${other}.`,
    overloaded: (model: string, other: string) => `${model} ist überlastet. Jetzt antwortet ${other}.`,
  },
  retiredOn: (model: string, other: string, day: string) => `${model} wurde am ${day} eingestellt. Jetzt antwortet ${other}.`,
  recordingLimit: (seconds: string) => `Die Aufnahme hat ihr Limit von ${seconds} s erreicht. AURA beantwortet das Gehörte.`,
  microphoneLost: 'Das Mikrofon wurde getrennt. AURA beantwortet das Gehörte.',
  noSpeaker: 'Die Antwort konnte nicht abgespielt werden. Prüfe den Lautsprecher unter „Einstellungen“.',
  noScreen: 'Der Bildschirm konnte nicht aufgenommen werden. Die Frage wurde ohne ihn beantwortet.',
  notSpoken: 'Die Antwort konnte nicht vorgelesen werden. Du kannst sie lesen.',
  recordingNotSaved: 'Eine Aufnahme konnte nicht gespeichert werden. Ist der Datenträger voll?',
  notSaved: 'Diese Frage steht noch nicht im Verlauf. AURA versucht weiter, sie zu speichern.',
  dailyLimit: (limit: string) => `Die Kosten von heute haben dein Limit von ${limit} erreicht.`,
  truncated: 'Die Antwort hat ihre Längengrenze erreicht und ist abgeschnitten.',
  voiceLanguage: (language: string) =>
    `Keine Stimme, die AURA verwenden darf, spricht ${language}. Wähle unter „Anbieter“ eine andere.`,
}
