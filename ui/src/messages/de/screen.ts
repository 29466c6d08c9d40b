/** Die Vorschau des Bildes, das AURA vom Bildschirm senden würde. */
import type { screen as english } from '../en/screen'

export const screen: typeof english = {
  title: 'Was AURA senden wird',
  open: 'Zeigen, was AURA senden wird',
  looking: 'Der Bildschirm wird aufgenommen …',
  again: 'Aktualisieren',
  exactly: (width: string, height: string, size: string) =>
    `Genau dieses Bild wird angehängt: ${width} × ${height} Pixel, ${size} kB. Es wurde noch nichts gesendet.`,
  unreadable: 'Das Bild konnte nicht angezeigt werden.',
  nowShows: (target: string) => `Wird jetzt geteilt: ${target}.`,
  region: 'Ausschnitt',
  drag: 'Ziehe über das Bild, um einen Teil davon zu teilen, oder gib Koordinaten ein:',
  attach: 'Mit der nächsten Frage senden',
  attached: (target: string) => `Wird an deine nächste Frage hier angehängt: ${target}`,
  detach: 'Bildschirm nicht senden',
  always: 'Dein Bildschirm wird an jede Frage angehängt.',
  edges: { x: 'links', y: 'oben', width: 'Breite', height: 'Höhe' },
}
