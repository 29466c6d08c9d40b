/** Fehler nach ihrem Code. */
import type { Errors } from '../said'

export const errors: Errors = {
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
  desktop: 'Das lässt diese Arbeitsfläche nicht zu, oder das Programm oder Fenster fehlt.',
  not_running: 'AURA läuft nicht. Starte es und versuche es noch einmal.',
  port_taken: 'Eine andere App verwendet diesen Port. Wähle unter „Einstellungen“ einen anderen.',
  cancelled: 'Gestoppt.',
  unfinished: 'AURA wurde beendet, bevor diese Antwort fertig war. Versuche es noch einmal.',
  mcp_server: 'Ein MCP-Server ist nicht verfügbar. Sieh ihn dir unter „Einstellungen“ an.',
  internal: 'In AURA ist etwas schiefgegangen. Bitte melde es zusammen mit dem Protokoll.',
}
