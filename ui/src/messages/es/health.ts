/** El panel Estado. */
import type { Service } from '../../generated/Service'
import type { health as english } from '../en/health'
import { counter } from '../plural'

/** Qué hacía un proveedor cuando falló. */
const at: Record<Service, string> = {
  stt: 'al transcribir',
  llm: 'al responder',
  vlm: 'al leer la pantalla',
  tts: 'al hablar',
}

/** Los servicios en tablas, donde hay poco sitio. */
const short: Record<Service, string> = { stt: 'Habla', llm: 'Respuestas', vlm: 'Visión', tts: 'Voz' }

const counted = counter('es')
const count = (number: number, one: string, other: string) => counted(number, { one, many: `de ${other}`, other })

export const health: typeof english = {
  title: 'Estado',
  subtitle: 'Según tu propio uso. Comprobarlo es gratis.',
  allWell: 'Todo funciona.',
  unfinished: (services: string) => `Falta terminar la configuración. Sin proveedor para: ${services}.`,
  noun: { stt: 'el reconocimiento de voz', llm: 'las respuestas', vlm: 'la visión', tts: 'la voz' } as Record<Service, string>,
  trouble: {
    paused: (provider: string, service: string) => `${provider}: pausa en ${service}`,
    failing: (provider: string, service: string) => `${provider}: fallos en ${service}`,
    recovering: (provider: string, service: string) => `${provider}: nuevo intento en ${service}`,
    degraded: (provider: string, service: string) => `${provider}: fallos frecuentes en ${service}, aunque aún funciona`,
  },
  covered: (trouble: string, provider: string) => `${trouble}; ${provider} lo cubre.`,
  uncovered: (trouble: string) => `${trouble}, y ningún otro proveedor puede cubrirlo.`,
  alone: (trouble: string) => `${trouble}.`,
  tryNow: 'Probar ahora',
  tryNowWith: (provider: string, service: string) => `Probar ahora: ${provider}, ${service}`,
  details: 'Detalles',
  failed: 'No se pudo cargar el estado de los proveedores.',
  loading: 'Cargando…',
  states: {
    healthy: 'bien',
    degraded: 'con problemas',
    unhealthy: 'fallando',
    unavailable: 'no disponible',
    probing: 'recuperándose',
    unused: 'sin usar aún',
  },
  pausedFor: (time: string) => `pausa de ${time}`,
  partly: (service: string, state: string) => `${service}: ${state}`,
  retryIn: (time: string) => `Se reintenta en ${time}.`,
  retryNext: 'Se reintentará con tu próxima pregunta.',
  at,
  short,
  provider: 'Proveedor',
  providers: 'Proveedores y cuotas',
  noProviders: 'Aún no hay proveedores. Aquí aparecerá cada uno con su estado, sus cuotas y su coste.',
  latency: 'Tiempos de respuesta',
  latencyHint: '«Típico»: la mitad de las llamadas fue más rápida. «Lento»: una de cada veinte fue más lenta.',
  noLatency:
    'No hubo llamadas en este tiempo. Aquí aparecerán el tiempo de respuesta, las llamadas y los errores de cada proveedor.',
  typical: 'Típico',
  slow: 'Lento',
  answered: 'respondidas',
  failedCalls: 'fallidas',
  partlyFailed: 'algunas fallidas',
  fallbackMark: 'relevo',
  callsColumn: 'Llamadas y errores',
  ago: (minutes: number) => `hace ${minutes} min`,
  now: 'ahora',
  noCalls: 'aún sin llamadas',
  calls: (number: number) => count(number, 'llamada', 'llamadas'),
  callsFailed: (calls: string, failed: string, share: string) => `${calls}, ${failed} fallidas (${share})`,
  lastFailures: (ago: string) => `el último fallo, hace menos de ${ago}`,
  minutes: (number: number) => count(number, 'minuto', 'minutos'),
  quota: (service: string) => `Cuota de ${service}`,
  left: {
    requests: (left: number) => `Quedan ${count(left, 'solicitud', 'solicitudes')}`,
    tokens: (left: number) => `Quedan ${count(left, 'token', 'tokens')}`,
    audio: (left: number) => `Quedan ${count(left, 'segundo', 'segundos')} de audio`,
  },
  leftOf: {
    requests: (left: string, all: string) => `Quedan ${left} de ${all} solicitudes`,
    tokens: (left: string, all: string) => `Quedan ${left} de ${all} tokens`,
    audio: (left: string, all: string) => `Quedan ${left} de ${all} segundos de audio`,
  },
  resetsAt: (time: string) => `completa de nuevo: ${time}`,
  cost: (today: string, month: string) => `Hoy ${today}, este mes ${month}`,
  costToday: 'Hoy',
  costMonth: 'Este mes',
  range: 'Periodo',
  ranges: { hour: '1 hora', day: '24 horas', month: '30 días' },
  costDays: 'Coste por día',
  noCosts: 'Sin costes en los últimos 30 días. Aquí aparecerá lo que cuesta cada día.',
  costOn: (day: string, cost: string) => `${day}: ${cost}`,
  limitOf: (spent: string, limit: string) => `${spent} de tu límite diario de ${limit}`,
  limitNear: 'Casi se alcanza el límite de hoy.',
  limitReached: 'Se alcanzó el límite de hoy.',
  limitStopped: 'Se alcanzó el límite de hoy. Hasta mañana solo responde este equipo.',
  setLimit: 'Fijar un límite diario',
  changeLimit: 'Cambiar el límite',
  pricesOf: (day: string) => `Precios del ${day}. Son estimaciones; vale la factura de tu proveedor.`,
  setUp: 'Arreglar en Proveedores',
  fallbacks: 'Relevos e interrupciones',
  pausedUntil: (service: string, time: string) => `${service}: en pausa hasta las ${time}.`,
  noFallbacks: 'Aún no hubo relevos. Cuando un proveedor falle y otro lo releve, aparecerá aquí.',
  failedAt: (failed: string, doing: string) => `${failed} ${doing}.`,
  tookOver: (provider: string) => `${provider} tomó el relevo.`,
  noneTookOver: 'Ningún otro proveedor estaba disponible.',
  stages: 'En qué se va el tiempo',
  stagesHint:
    'Tus últimas preguntas, desde el final de la pregunta hasta el primer sonido de la respuesta. Haz clic en una para abrirla en el historial.',
  noTurns: 'Aún no hay preguntas. Pregunta algo para ver en qué se va el tiempo.',
  turnsFailed: 'No se pudieron cargar las últimas preguntas.',
  question: 'Pregunta',
  median: (time: string) => `mediana ${time}`,
  total: 'Tiempo hasta el primer sonido',
  noQuestion: 'no se entendió',
}
