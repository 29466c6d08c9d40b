/** Was AURA selbst zu sagen hat: Hinweise nach ihrer Art und ihren Angaben, und die Ergebnisse der Systemprüfung. */
import type { Findings, Notices } from '../said'

export const notices: Notices = {
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
  otherMicrophone: (name: string) => `Das gewählte Mikrofon ließ sich nicht verwenden. AURA hört mit „${name}“ zu.`,
  dailyLimit: (limit: string) => `Die Kosten von heute haben dein Limit von ${limit} erreicht.`,
  voiceLanguage: (language: string) =>
    `Keine Stimme, die AURA verwenden darf, spricht ${language}. Wähle unter „Anbieter“ eine andere.`,
  fixed: {
    answer_not_heard: 'Die gesprochene Antwort war nicht zu verstehen.',
    microphone_lost: 'Das Mikrofon wurde getrennt. AURA beantwortet das Gehörte.',
    other_microphone: 'Das gewählte Mikrofon ließ sich nicht verwenden. AURA hat mit dem Standardmikrofon zugehört.',
    other_speaker: 'Der gewählte Lautsprecher ließ sich nicht verwenden. AURA hat über den Standardlautsprecher gesprochen.',
    no_speaker: 'Die Antwort konnte nicht abgespielt werden. Prüfe den Lautsprecher unter „Einstellungen“.',
    no_screen: 'Der Bildschirm konnte nicht aufgenommen werden. Die Frage wurde ohne ihn beantwortet.',
    not_spoken: 'Die Antwort konnte nicht vorgelesen werden. Du kannst sie lesen.',
    not_kept: 'Eine Aufnahme konnte nicht gespeichert werden. Ist der Datenträger voll?',
    not_saved: 'Diese Frage steht noch nicht im Verlauf. AURA versucht weiter, sie zu speichern.',
    cut: 'Die Antwort hat ihre Längengrenze erreicht und ist abgeschnitten.',
  },
}

export const findings: Findings = {
  found: {
    microphone_works: (milliseconds, level) => `Nimmt auf: erster Ton nach ${milliseconds} ms, Pegel ${level}.`,
    microphone_replaced: (name) => `„${name}“ nimmt auf, weil sich das gewählte Mikrofon nicht verwenden lässt.`,
    microphone_silent: (milliseconds) => `Das Mikrofon nimmt nur Stille auf (erster Ton nach ${milliseconds} ms).`,
    speaker_works: (rate) => `Spielt mit ${rate} Hz.`,
    screen_works: (size, milliseconds) => `Lässt sich aufnehmen: ${size} in ${milliseconds} ms.`,
    keyring_works: 'API-Schlüssel werden dort gespeichert.',
    history_works: 'Fragen werden gespeichert, die Datenbank ist unbeschädigt.',
    shortcut_works: 'Ein globales Tastenkürzel ist möglich.',
    models_installed: (names) => `Installiert und vollständig: ${names}.`,
    model_missing: 'Auf diesem Rechner ist keines installiert.',
    library_missing: (names, library) => `${names}: Es fehlt ${library}.`,
    server_running: (port) => `Läuft auf Port ${port}.`,
    server_not_needed: 'Nicht nötig: Ein Sprachmodell ist installiert.',
    nothing_answers: 'Auf diesem Rechner läuft kein Sprachmodell. Ohne Konto kann AURA nur wiederholen, was du sagst.',
    provider_ready: 'Bereit.',
    routed: (provider, model) => `${provider} (${model}).`,
    not_routed: 'Dafür ist kein Anbieter bereit.',
    program_found: (path) => `Funktioniert ohne Konto (${path}).`,
    hear: (names) => `Kein Programm gefunden, das Sprache erkennt: ${names}.`,
    read: (names) => `Kein Programm gefunden, das Text auf dem Bildschirm liest: ${names}.`,
    speak: (names) => `Kein Programm gefunden, das spricht: ${names}.`,
  },
  remedies: {
    microphone_silent: 'Prüfe, ob es stummgeschaltet ist und ob AURA es verwenden darf.',
    program_missing: (_, packages) => `Installiere eines davon. Unter Debian: apt install ${packages}`,
    model_missing: 'Lade unter „Anbieter“, „Auf diesem Rechner“ eines herunter.',
    library_missing: 'Entferne das Modell und lade es noch einmal herunter.',
    nothing_answers:
      'Lade ein Sprachmodell herunter, oder installiere Ollama von https://ollama.com und starte: ollama run llama3.2',
    not_routed: 'Richte unter „Anbieter“ einen ein.',
    settings_problem: 'Korrigiere den Wert in der Datei oder unter „Einstellungen“.',
    provider_problem: 'Richte ihn unter „Anbieter“ ein, oder lass es: AURA funktioniert auch ohne ihn.',
  },
}
