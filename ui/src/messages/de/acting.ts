/** In anderen Programmen handeln. */
import type { Acting } from '../acting'

const labelled = (text: string, label: string) => (label === '' ? text : `${text}: ${label}`)

/** Ein Fenster mit seinem Titel; ohne einen das Fenster, das vorn ist. */
const named = (title: string, article: string) => (title === '' ? `${article} Fenster im Vordergrund` : `„${title}“`)

export const acting: Acting = {
  phrases: {
    open: (what) => `${what} öffnen`,
    readClipboard: 'Zwischenablage lesen',
    readSelection: 'Markierten Text lesen',
    setClipboard: 'Diesen Text in die Zwischenablage legen',
    typeText: (window) => `Diesen Text in ${named(window, 'das')} tippen`,
    press: (keys, window) => `${keys} in ${named(window, 'dem')} drücken`,
    readWindow: (window) => `Lesen, was in ${named(window, 'dem')} steht`,
    pressControl: (control, window) => `„${control}“ in ${named(window, 'dem')} drücken`,
    focusField: (field, window) => `Den Cursor in „${field}“ in ${named(window, 'dem')} setzen`,
    play: 'Wiedergabe fortsetzen',
    pause: 'Wiedergabe anhalten',
    next: 'Nächsten Titel spielen',
    previous: 'Vorigen Titel spielen',
    volume: (percent) => `Lautstärke auf ${percent} % stellen`,
    setTimer: (time, label) => labelled(`Timer auf ${time} stellen`, label),
    cancelTimer: (number, label) => labelled(`Timer ${number} abbrechen`, label),
    callMcpTool: (tool, server) => `„${tool}“ von ${server} verwenden`,
    plan: 'Plan',
    unknown: 'Eine Aktion einer neueren AURA-Version',
  },
  title: 'AURA fragt, bevor es handelt',
  ask: (what) => `${what}?`,
  foreign: 'AURA hat fremden Text gelesen. Er kann dahinterstecken.',
  yes: 'Ja',
  no: 'Nicht jetzt',
  speak: 'Drücke das Tastenkürzel und sag Ja oder Nein.',
  remember: { conversation: 'Ja, in diesem Gespräch', always: 'Immer', never: 'Nie' },
}
