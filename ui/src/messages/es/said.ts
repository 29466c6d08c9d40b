/** Lo que dice la propia AURA: errores por su código, avisos por su tipo y sus datos. */
import type * as english from '../en/said'

export const errors: typeof english.errors = {
  no_microphone: 'AURA no puede usar ningún micrófono. Conecta uno o elige otro en Ajustes.',
  microphone_lost: 'El micrófono se desconectó.',
  microphone_denied: 'El sistema no deja grabar a AURA. Permítelo en los ajustes de privacidad del sistema.',
  nothing_heard: 'No se oyó nada. Habla mientras AURA escucha, o revisa el micrófono en Ajustes.',
  no_speaker: 'AURA no puede usar ningún altavoz. Elige otro en Ajustes.',
  speaker_lost: 'El altavoz se desconectó.',
  capture_refused: 'No se pudo capturar la pantalla. Permítelo en los ajustes de privacidad del sistema.',
  no_route: 'No hay ningún proveedor configurado para esto. Añade uno en Proveedores.',
  all_routes_failed: 'Ningún proveedor pudo hacerlo. Tu pregunta está guardada. Prueba de nuevo en un momento.',
  blocked: 'El proveedor lo bloqueó por su contenido. Dilo de otra forma o pregunta a otro proveedor.',
  keyring: 'No se puede usar el llavero del sistema. Desbloquéalo y vuelve a intentarlo.',
  storage: 'No se pudo leer o escribir un archivo. Comprueba que el disco no esté lleno y que la carpeta admita cambios.',
  disk_full: 'El disco está lleno. Haz sitio y vuelve a intentarlo.',
  download_failed: 'La descarga falló. Revisa la conexión y reanúdala.',
  newer_version: 'Una versión más nueva de AURA escribió este archivo. Actualiza AURA para cambiarlo.',
  shortcut: 'Este atajo no se puede usar. Elige otro.',
  not_running: 'AURA no está en marcha. Iníciala y vuelve a intentarlo.',
  port_taken: 'Otra aplicación usa este puerto. Elige otro en Ajustes.',
  cancelled: 'Detenido.',
  unfinished: 'AURA se cerró antes de completar esta respuesta. Reinténtala.',
  internal: 'Algo falló dentro de AURA. Infórmanos e incluye el registro.',
}

export const notices: typeof english.notices = {
  allFailed: (failed: string) =>
    `Ningún proveedor pudo hacerlo: ${failed}. Tu pregunta está guardada. Prueba de nuevo en un momento.`,
  fallback: (failed: string, other: string) => `${failed}. ${other} tomó el relevo.`,
  skipped: {
    not_offered: (provider: string) => `Se omitió ${provider}: no ofrece este servicio.`,
    not_set_up: (provider: string) => `Se omitió ${provider}: no está configurado. Revísalo en Proveedores.`,
    no_consent: (provider: string) => `Se omitió ${provider}: no puede recibir estos datos. Cámbialo en Proveedores.`,
    no_model: (provider: string) => `Se omitió ${provider}: elige un modelo para él.`,
    key_rejected: (provider: string) => `Se omitió ${provider}: rechazó su clave de API.`,
    daily_limit: (provider: string) => `Se omitió ${provider}: se alcanzó el límite de costes de hoy.`,
    paused: (provider: string) => `Se omitió ${provider}: falló hace un momento y se probará de nuevo en breve.`,
  },
  replaced: {
    retired: (model: string, other: string) => `${model} se retiró. Responde ${other}.`,
    gone: (model: string, other: string) => `${model} ya no se ofrece. Responde ${other}.`,
    not_entitled: (model: string, other: string) => `Tu cuenta no puede usar ${model}. Responde ${other}.`,
    overloaded: (model: string, other: string) => `${model} está sobrecargado. Responde ${other}.`,
  },
  retiredOn: (model: string, other: string, day: string) => `${model} se retiró el ${day}. Responde ${other}.`,
  recordingLimit: (seconds: string) => `La grabación llegó a su límite de ${seconds} s. AURA responde a lo que oyó.`,
  microphoneLost: 'El micrófono se desconectó. AURA responde a lo que oyó.',
  noSpeaker: 'No se pudo reproducir la respuesta. Revisa el altavoz en Ajustes.',
  noScreen: 'No se pudo capturar la pantalla. La pregunta se respondió sin ella.',
  notSpoken: 'No se pudo leer la respuesta en voz alta. Puedes leerla.',
  recordingNotSaved: 'No se pudo guardar una grabación. Comprueba que el disco no esté lleno.',
  notSaved: 'Esta pregunta aún no está en el historial. AURA sigue intentando guardarla.',
  dailyLimit: (limit: string) => `Los costes de hoy alcanzaron tu límite de ${limit}.`,
  truncated: 'La respuesta llegó a su límite de longitud y se cortó.',
  voiceLanguage: (language: string) => `Ninguna voz que AURA pueda usar habla ${language}. Elige otra en Proveedores.`,
}
