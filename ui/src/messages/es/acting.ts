/** Actuar en otros programas. */
import type { Acting } from '../acting'

const labelled = (text: string, label: string) => (label === '' ? text : `${text}: ${label}`)

/** Una ventana por su título; sin él, la que está delante. */
const named = (title: string) => (title === '' ? 'la ventana activa' : `«${title}»`)

export const acting: Acting = {
  phrases: {
    open: (what) => `Abrir ${what}`,
    readClipboard: 'Leer el portapapeles',
    readSelection: 'Leer el texto seleccionado',
    setClipboard: 'Poner este texto en el portapapeles',
    typeText: (window) => `Escribir este texto en ${named(window)}`,
    press: (keys, window) => `Pulsar ${keys} en ${named(window)}`,
    readWindow: (window) => `Leer lo que hay en ${named(window)}`,
    pressControl: (control, window) => `Pulsar «${control}» en ${named(window)}`,
    focusField: (field, window) => `Poner el cursor en «${field}» en ${named(window)}`,
    play: 'Reanudar la reproducción',
    pause: 'Pausar la reproducción',
    next: 'Pasar a la siguiente pista',
    previous: 'Volver a la pista anterior',
    volume: (percent) => `Poner el volumen al ${percent} %`,
    setTimer: (time, label) => labelled(`Poner un temporizador de ${time}`, label),
    cancelTimer: (number, label) => labelled(`Cancelar el temporizador ${number}`, label),
    callMcpTool: (tool, server) => `Usar «${tool}» de ${server}`,
    plan: 'Plan',
    unknown: 'Una acción de una versión más nueva de AURA',
  },
  title: 'AURA pregunta antes de actuar',
  ask: (what) => `¿${what}?`,
  foreign: 'AURA ha leído un texto ajeno. Puede estar detrás de esto.',
  yes: 'Sí',
  no: 'Ahora no',
  speak: 'Pulsa el atajo y di sí o no.',
  remember: { conversation: 'Sí, en esta conversación', always: 'Siempre', never: 'Nunca' },
}
