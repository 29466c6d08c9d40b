/** Las listas con búsqueda: quién responde y los comandos; y las teclas de la ventana principal. */
import type * as english from '../en/find'
import { counter } from '../plural'

const counted = counter('es')

export const find: typeof english.find = {
  nothing: 'Sin resultados.',
  found: (count: number) => counted(count, { one: 'resultado', many: 'de resultados', other: 'resultados' }),
}

export const picker: typeof english.picker = {
  title: 'Quién responde',
  open: (shown: string) => `Modelo: ${shown}`,
  automatic: (provider: string) => `Automático · ${provider}`,
  none: 'Sin proveedor',
  search: 'Busca un proveedor, un modelo o una voz',
  price: (sums: string) => `${sums} por millón de tokens`,
  voiceOf: (provider: string) => `Voz · ${provider}`,
  voiceInEffect: (voice: string) => `${voice} hablará desde tu próxima pregunta.`,
  more: 'Proveedores, orden y voces',
}

export const palette: typeof english.palette = {
  title: 'Paleta de comandos',
  search: 'Escribe un comando o un ajuste',
  panels: 'Ir a',
  talk: 'Conversación',
  answers: 'Respuestas',
  models: 'Modelos en este equipo',
  downloadModel: 'Descargar un modelo',
  removeModel: 'Eliminar un modelo',
  pauseDownload: (model: string) => `Pausar la descarga de ${model}`,
  resumeDownload: (model: string) => `Reanudar la descarga de ${model}`,
  look: 'Apariencia',
  settings: 'Ajustes',
  help: 'Ayuda',
  repeat: 'Repetir la última respuesta',
  handsFree: 'Hablar sin manos',
  handsFreeEnd: 'Dejar de hablar sin manos',
  newConversation: 'Nueva conversación',
  conversations: 'Conversaciones',
  write: 'Escribir una pregunta',
  model: 'Elegir quién responde',
  find: 'Buscar en el historial',
  stop: 'Detener',
  mute: 'No leer las respuestas en voz alta',
  unmute: 'Leer las respuestas en voz alta',
  attachScreen: 'Enviar la pantalla con la próxima pregunta',
  answerWith: (provider: string) => `Responder con ${provider}`,
  answerAs: (persona: string) => `Personaje: ${persona}`,
  theme: (theme: string) => `Tema: ${theme}`,
  screen: (policy: string) => `Compartir mi pantalla: ${policy}`,
  showOverlay: 'Mostrar la ventana flotante',
  hideOverlay: 'Ocultar la ventana flotante',
  keys: 'Atajos de teclado',
  done: (command: string) => `${command}: hecho.`,
}

export const keyboard: typeof english.keyboard = {
  title: 'Atajos de teclado',
  close: 'Cerrar',
  anywhere: 'En cualquier aplicación',
  window: 'En esta ventana',
  talk: 'Hablar',
  talkHere: 'Hablar, en la conversación',
  stop: 'Detener o cancelar',
  palette: 'Paleta de comandos',
  panels: 'Abrir un panel',
  to: 'a',
  settings: 'Ajustes',
  newConversation: 'Nueva conversación',
  conversations: 'Conversaciones',
  write: 'Escribir una pregunta',
  model: 'Elegir quién responde',
  find: 'Buscar',
  send: 'Enviar la pregunta',
  newLine: 'Nueva línea',
  help: 'Esta lista',
}

/** While an answer is read aloud. */
export const playback = {
  label: 'Lectura en voz alta',
  pause: 'Pausar',
  resume: 'Continuar',
  pauseOrResume: 'Pausar o continuar la lectura',
  previous: 'Frase anterior',
  next: 'Frase siguiente',
}
