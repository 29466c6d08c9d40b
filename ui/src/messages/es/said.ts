/** Lo que dice la propia AURA: avisos según su tipo y sus datos, y los resultados de la comprobación del sistema. */
import type { Findings, Notices } from '../said'

export const notices: Notices = {
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
  otherMicrophone: (name: string) => `No se pudo usar el micrófono elegido. AURA escucha con «${name}».`,
  dailyLimit: (limit: string) => `Los costes de hoy alcanzaron tu límite de ${limit}.`,
  voiceLanguage: (language: string) => `Ninguna voz que AURA pueda usar habla ${language}. Elige otra en Proveedores.`,
  fixed: {
    answer_not_heard: 'No se entendió la respuesta hablada.',
    microphone_lost: 'El micrófono se desconectó. AURA responde a lo que oyó.',
    other_microphone: 'No se pudo usar el micrófono elegido. AURA escuchó con el predeterminado.',
    other_speaker: 'No se pudo usar el altavoz elegido. AURA habló por el predeterminado.',
    no_speaker: 'No se pudo reproducir la respuesta. Revisa el altavoz en Ajustes.',
    no_screen: 'No se pudo capturar la pantalla. La pregunta se respondió sin ella.',
    not_spoken: 'No se pudo leer la respuesta en voz alta. Puedes leerla.',
    not_kept: 'No se pudo guardar una grabación. Comprueba que el disco no esté lleno.',
    not_saved: 'Esta pregunta aún no está en el historial. AURA sigue intentando guardarla.',
    cut: 'La respuesta llegó a su límite de longitud y se cortó.',
  },
}

export const findings: Findings = {
  found: {
    microphone_works: (milliseconds, level) => `Graba: primer sonido a los ${milliseconds} ms, nivel ${level}.`,
    microphone_replaced: (name) => `Graba «${name}», porque el micrófono elegido no se puede usar.`,
    microphone_silent: (milliseconds) => `El micrófono solo graba silencio (primer sonido a los ${milliseconds} ms).`,
    speaker_works: (rate) => `Reproduce a ${rate} Hz.`,
    screen_works: (size, milliseconds) => `Se puede capturar: ${size} en ${milliseconds} ms.`,
    keyring_works: 'Las claves de API se guardan ahí.',
    history_works: 'Las preguntas se guardan y la base de datos no está dañada.',
    shortcut_works: 'Se puede usar un atajo global.',
    models_installed: (names) => `Instalados y completos: ${names}.`,
    model_missing: 'En este equipo no hay ninguno instalado.',
    library_missing: (names, library) => `${names}: falta ${library}.`,
    server_running: (port) => `Funciona en el puerto ${port}.`,
    server_not_needed: 'No hace falta: hay un modelo de lenguaje instalado.',
    nothing_answers:
      'En este equipo no funciona ningún modelo de lenguaje. Sin una cuenta, AURA solo puede repetir lo que dices.',
    provider_ready: 'Listo.',
    routed: (provider, model) => `${provider} (${model}).`,
    not_routed: 'Ningún proveedor está listo para esto.',
    program_found: (path) => `Funciona sin cuenta (${path}).`,
    hear: (names) => `No se encontró ningún programa que reconozca la voz: ${names}.`,
    read: (names) => `No se encontró ningún programa que lea el texto de la pantalla: ${names}.`,
    speak: (names) => `No se encontró ningún programa que hable: ${names}.`,
  },
  remedies: {
    microphone_silent: 'Comprueba que no esté silenciado y que AURA pueda usarlo.',
    program_missing: (_, packages) => `Instala uno de ellos. En Debian: apt install ${packages}`,
    model_missing: 'Descarga uno en «Proveedores», «En este equipo».',
    library_missing: 'Elimina el modelo y vuelve a descargarlo.',
    nothing_answers: 'Descarga un modelo de lenguaje, o instala Ollama desde https://ollama.com y ejecuta: ollama run llama3.2',
    not_routed: 'Configura uno en «Proveedores».',
    settings_problem: 'Corrige el valor en el archivo o en «Ajustes».',
    provider_problem: 'Configúralo en «Proveedores» o déjalo así: AURA funciona también sin él.',
  },
}
