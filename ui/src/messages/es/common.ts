/** Palabras que aparecen en todos los paneles. */
import type { FailureKind } from '../../generated/FailureKind'
import type * as english from '../en/common'

/** Un servicio: su nombre, lo que hace, y lo mismo tras el nombre de un proveedor («Groq responderá», «Groq responde»). */
export const services: typeof english.services = {
  stt: { name: 'Reconocimiento de voz', does: 'transcribe lo que dices', willDo: 'transcribirá', isDoing: 'transcribe' },
  llm: { name: 'Respuestas', does: 'escribe la respuesta', willDo: 'responderá', isDoing: 'responde' },
  vlm: { name: 'Visión', does: 'lee tu pantalla', willDo: 'leerá tu pantalla', isDoing: 'lee tu pantalla' },
  tts: { name: 'Voz', does: 'lee la respuesta en voz alta', willDo: 'hablará', isDoing: 'habla' },
}

/** Por qué falló un intento, tras el nombre del proveedor: «Groq tardó demasiado». */
export const classes: Record<FailureKind, string> = {
  auth: 'rechazó la clave de API',
  forbidden: 'denegó el acceso',
  rate_limited: 'alcanzó su límite de solicitudes',
  quota: 'agotó su cuota',
  model_gone: 'ya no ofrece el modelo',
  overloaded: 'estaba sobrecargado',
  unreachable: 'no estaba accesible',
  timeout: 'tardó demasiado',
  interrupted: 'se cortó a la mitad',
  empty: 'envió una respuesta vacía',
  unsupported: 'no admite esta solicitud',
  blocked: 'bloqueó la solicitud',
  invalid_request: 'rechazó la solicitud por no ser válida',
  cancelled: 'se detuvo',
}

export const app: typeof english.app = {
  name: 'AURA',
  navigation: 'Principal',
  starting: 'Iniciando…',
  cannotStart: 'AURA no responde.',
  tryAgain: 'Reintentar',
  sandbox: 'Sandbox: las respuestas vienen de proveedores de prueba.',
  undo: 'Deshacer',
  undone: 'Cambio deshecho.',
  copied: 'Copiado',
  dismiss: 'Cerrar',
  cancel: 'Cancelar',
  showMore: 'Mostrar más',
  quoted: (text: string) => `«${text}»`,
  free: 'gratis',
  about: (amount: string) => `unos ${amount}`,
  atLeast: (amount: string) => `al menos ${amount}`,
  under: (amount: string) => `menos de ${amount}`,
  costUnknown: 'coste desconocido',
}

export const rail: typeof english.rail = {
  talk: 'Conversación',
  providers: 'Proveedores',
  health: 'Estado',
  history: 'Historial',
  settings: 'Ajustes',
  answering: (provider: string) => `Respuestas de ${provider}`,
  failing: (provider: string) => `${provider} tiene problemas`,
  covering: (provider: string, other: string, isDoing: string) => `${provider} tiene problemas. ${other} ${isDoing} en su lugar.`,
  offline: 'Respuestas sin conexión',
  noAnswers: 'Añade una clave de API o un servidor para obtener respuestas.',
  noTranscription: 'El reconocimiento de voz no está configurado. Aún puedes escribir.',
  shortcutUnavailable: 'Atajo no disponible',
  historyProblem: 'El historial necesita atención',
  unreachable: 'Sin conexión',
}

/** Los nombres de las teclas en español. */
export const keys: Record<string, string> = {
  Shift: 'Mayús',
  Space: 'Espacio',
  Enter: 'Intro',
  Backspace: 'Retroceso',
  Delete: 'Supr',
  Insert: 'Insert',
  Home: 'Inicio',
  End: 'Fin',
  PageUp: 'Re Pág',
  PageDown: 'Av Pág',
  Up: 'Flecha arriba',
  Down: 'Flecha abajo',
  Left: 'Flecha izquierda',
  Right: 'Flecha derecha',
}

/** Idiomas hablados, por código ISO 639-1. */
export const languages: Record<string, string> = {
  ar: 'árabe',
  zh: 'chino',
  cs: 'checo',
  da: 'danés',
  nl: 'neerlandés',
  en: 'inglés',
  fi: 'finés',
  fr: 'francés',
  de: 'alemán',
  el: 'griego',
  hi: 'hindi',
  it: 'italiano',
  ja: 'japonés',
  ko: 'coreano',
  no: 'noruego',
  pl: 'polaco',
  pt: 'portugués',
  ro: 'rumano',
  ru: 'ruso',
  es: 'español',
  sv: 'sueco',
  tr: 'turco',
  uk: 'ucraniano',
  vi: 'vietnamita',
}
