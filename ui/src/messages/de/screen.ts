/** Was vom Bildschirm gesendet würde. */
import type { screen as english } from '../en/screen'

export const screen: typeof english = {
  title: 'Was gesendet wird',
  open: 'Zeigen, was gesendet wird',
  looking: 'Sieht auf den Bildschirm',
  again: 'Noch einmal ansehen',
  exactly: (width: string, height: string, size: string) =>
    `Genau das geht mit einer Frage mit: ${width} × ${height} Bildpunkte, ${size} kB. Noch wurde nichts gesendet.`,
  unreadable: 'Das Bild konnte nicht gezeigt werden.',
  nowShows: (target: string) => `Ab jetzt gezeigt: ${target}.`,
  region: 'Ein Ausschnitt',
  drag: 'Über das Bild ziehen, um einen Teil davon zu zeigen, oder seine Ränder angeben:',
  attach: 'Mit der nächsten Frage senden',
  attached: (target: string) => `Geht mit der nächsten Frage mit, die du hier stellst: ${target}`,
  detach: 'Den Bildschirm nicht senden',
  always: 'Er geht mit jeder Frage mit, wie die Liste neben deiner Frage sagt.',
  edges: { x: 'links', y: 'oben', width: 'Breite', height: 'Höhe' },
}
