/** In anderen Programmen handeln: was nur das Hauptfenster sagt. */
import type { ActingDetails } from '../acting'

export const actingDetails: ActingDetails = {
  settings: 'Aktionen',
  enabled: 'In anderen Programmen handeln',
  enabledHint: 'AURA öffnet, tippt und kopiert auf Wunsch. Es zeigt vorher genau, was es tun würde, und fragt.',
  list: 'Was AURA getan hat',
  tools: {
    open: 'Anwendungen, Dateien und Seiten öffnen',
    read_clipboard: 'Zwischenablage lesen',
    set_clipboard: 'Zwischenablage füllen',
    read_selection: 'Markierten Text lesen',
    type_text: 'Text tippen',
    press_shortcut: 'Tasten drücken',
    media: 'Medien und Lautstärke steuern',
  },
  permissions: { ask: 'Jedes Mal fragen', conversation: 'Einmal je Gespräch fragen', always: 'Erlauben', never: 'Nie' },
  outcomes: {
    running: 'begonnen',
    done: 'erledigt',
    failed: 'fehlgeschlagen',
    refused: 'nicht möglich',
    declined: 'abgelehnt',
    stopped: 'gestoppt',
    unknown: 'unbekannt',
  },
  by: {
    window: 'im Fenster',
    voice: 'per Stimme',
    command_line: 'auf der Befehlszeile',
    api: 'durch ein Programm',
    shortcut: 'durch dein Tastenkürzel',
    remembered: 'durch eine frühere Wahl',
    nobody: 'keine Antwort',
    unknown: 'auf unbekanntem Weg',
  },
  looked: 'Bildschirm angesehen',
  foreign: 'fremden Text gelesen',
  undo: 'Rückgängig',
  undone: 'rückgängig gemacht',
  characters: (count) => `${count} Zeichen`,
}
