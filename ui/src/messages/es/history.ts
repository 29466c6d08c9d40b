/** El panel Historial. */
import type { history as english } from '../en/history'
import { counter } from '../plural'

const counted = counter('es')
const questions = (count: number) => counted(count, { one: 'pregunta', many: 'de preguntas', other: 'preguntas' })

export const history: typeof english = {
  title: 'Historial',
  subtitle: 'Se guarda solo en este equipo.',
  search: 'Buscar en el historial',
  loading: 'Cargando…',
  searching: 'Buscando…',
  failed: 'No se pudo cargar el historial.',
  empty: 'El historial está vacío. Aquí aparecerán tus preguntas y las respuestas.',
  ask: 'Preguntar algo',
  nothingFound: (words: string) => `Sin resultados para «${words}».`,
  found: questions,
  foundMore: (count: string) => `Más de ${count} preguntas`,
  earlier: 'Cargar anteriores',
  today: 'Hoy',
  yesterday: 'Ayer',
  notUnderstood: 'No se entendió',
  reminder: 'Recordatorio',
  noAnswer: 'sin respuesta',
  failedState: 'falló',
  stopped: 'detenida',
  retried: 'Preguntado de nuevo. La nueva respuesta está arriba.',
  remove: 'Eliminar',
  removeTurn: (question: string) => `Eliminar «${question}»`,
  removed: 'Eliminada, con sus grabaciones.',
  deleteMany: 'Eliminar varias…',
  deleteWhich: '¿Qué preguntas quieres eliminar?',
  spans: { hour: 'Las de la última hora', today: 'Las de hoy', older: 'Las de hace más de', all: 'Todas' },
  olderDays: 'Antigüedad en días',
  spanDays: 'días',
  deleteForGood: 'También se eliminan las respuestas y las grabaciones. No se puede deshacer.',
  deletedMany: (count: number) =>
    count === 0 ? 'No había nada que eliminar.' : `Se eliminaron ${questions(count)}, con respuestas y grabaciones.`,
  recordingsLeft: (count: number) =>
    `${counted(count, { one: 'grabación se elimina', many: 'de grabaciones se eliminan', other: 'grabaciones se eliminan' })} en el próximo inicio.`,
  removeFailed: 'No se pudo eliminar.',
  exportAs: 'Exportar todo como',
  exportFound: 'Copiar resultados como',
  markdown: 'Markdown',
  json: 'JSON',
  exporting: 'Exportando…',
  exported: (count: number) => `${questions(count)} en el portapapeles.`,
  saved: (count: number, path: string) => `${questions(count)} en ${path}.`,
  exportFailed: 'No se pudo copiar al portapapeles.',
  heading: 'Historial de AURA',
  error: 'Error',
}
