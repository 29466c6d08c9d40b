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
