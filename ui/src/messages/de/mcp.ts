/** Werkzeuge anderer Programme. */
import type { mcp as english } from '../en/mcp'
import { counter } from '../plural'

const counted = counter('de')

export const mcp: typeof english = {
  title: 'Werkzeuge anderer Programme',
  intro:
    'AURA kann die Werkzeuge von MCP-Servern verwenden: für deine Dateien, deinen Kalender, einen Webdienst. Jede Verwendung wird zuerst gezeigt, und AURA fragt.',
  off: 'Schalte „In anderen Programmen handeln“ ein, um sie zu verwenden.',
  none: 'Noch keine Server. Füge die Liste eines anderen Programms ein, etwa von Claude Desktop, Cursor oder VS Code.',
  add: 'Server hinzufügen',
  json: 'Liste der Server (JSON)',
  take: 'Hinzufügen',
  cancel: 'Abbrechen',
  added: (names: string) => `Hinzugefügt: ${names}.`,
  notKept: 'Hier gibt es keinen Schlüsselbund. AURA vergisst die Werte, wenn es endet.',
  use: (name: string) => `${name} verwenden`,
  states: {
    off: 'aus',
    stopped: 'nicht gestartet',
    starting: 'startet',
    ready: 'bereit',
    retrying: 'gescheitert, neuer Versuch',
    failed: 'gescheitert',
  },
  problems: {
    missing_secret: (name) => `Der Wert von „${name}“ fehlt. Gib ihn unten ein.`,
    secrets: 'Die Werte des Servers ließen sich nicht lesen. Entsperre den Schlüsselbund und starte den Server neu.',
    not_started: (program) => `Das Programm „${program}“ ließ sich nicht starten. Ist es installiert?`,
    address: 'Seine Adresse lässt sich nicht verwenden. Entferne den Server und füge ihn mit einer anderen hinzu.',
    unreachable: 'Der Server ist nicht erreichbar. Prüfe, ob er läuft und ob du online bist.',
    session_lost: 'Der Server wurde neu gestartet und hat die Verbindung verloren. AURA verbindet sich wieder.',
    unauthorized: 'Der Server verweigert den Zugriff. Prüfe die Werte seiner Header.',
    handshake: 'Das antwortet nicht wie ein MCP-Server. Prüfe den Befehl oder die Adresse.',
    start_timeout: (seconds) => `Der Server war nach ${seconds} s nicht bereit. Starte ihn neu.`,
    ended: 'Der Server hat sich unerwartet beendet. Starte ihn neu.',
    flooded: 'Der Server hat zu viel gesendet, deshalb hat AURA ihn beendet. Starte ihn neu oder aktualisiere ihn.',
    not_reading: 'Der Server nahm keine Nachrichten mehr an, deshalb hat AURA ihn beendet. Starte ihn neu.',
    unresponsive: 'Der Server antwortete nicht mehr, deshalb hat AURA ihn beendet. Starte ihn neu.',
  },
  restart: 'Neu starten',
  remove: 'Entfernen',
  removeAsk: (name: string) => `${name} und seine gespeicherten Werte entfernen?`,
  keep: 'Behalten',
  removed: (name: string) => `${name} wurde entfernt.`,
  value: (name: string) => `Wert von ${name}`,
  valueHint: 'Liegt im Schlüsselbund dieses Rechners und geht nur an diesen Server.',
  save: 'Speichern',
  tools: (count: number) => counted(count, { one: 'Werkzeug', other: 'Werkzeuge' }),
  permission: (tool: string) => `Wenn AURA ${tool} verwenden will`,
  changed: 'Der Server hat dieses Werkzeug geändert. AURA fragt deshalb wieder.',
  rejected: 'Nicht angeboten',
  health: (name: string) => `Die Werkzeuge von ${name} sind nicht verfügbar.`,
  look: 'Ansehen',
}
