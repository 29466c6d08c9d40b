/** Actuar en otros programas: lo que solo dice la ventana principal. */
import type { ActingDetails } from '../acting'

export const actingDetails: ActingDetails = {
  settings: 'Acciones',
  enabled: 'Actuar en otros programas',
  enabledHint: 'AURA abre, escribe y copia cuando se le pide. Antes muestra exactamente lo que haría y pregunta.',
  list: 'Lo que hizo AURA',
  tools: {
    open: 'Abrir aplicaciones, archivos y páginas',
    read_clipboard: 'Leer el portapapeles',
    set_clipboard: 'Cambiar el portapapeles',
    read_selection: 'Leer el texto seleccionado',
    type_text: 'Escribir texto',
    press_shortcut: 'Pulsar teclas',
    media: 'Controlar la música y el volumen',
  },
  permissions: {
    ask: 'Preguntar siempre',
    conversation: 'Preguntar una vez por conversación',
    always: 'Permitir',
    never: 'Nunca',
  },
  outcomes: {
    running: 'empezado',
    done: 'hecho',
    failed: 'fallido',
    refused: 'no es posible',
    declined: 'rechazado',
    stopped: 'detenido',
    unknown: 'desconocido',
  },
  by: {
    window: 'en la ventana',
    voice: 'de viva voz',
    command_line: 'en la línea de comandos',
    api: 'por un programa',
    shortcut: 'por tu atajo',
    remembered: 'por una elección anterior',
    nobody: 'sin respuesta',
    unknown: 'de un modo desconocido',
  },
  looked: 'Pantalla mirada',
  foreign: 'leyó un texto ajeno',
  undo: 'Deshacer',
  undone: 'deshecho',
  characters: (count) => `${count} caracteres`,
}
