/** Qué falla en un proveedor o en el historial, y qué ayuda; observaciones sobre los modelos; por qué un proveedor va primero. */
import type { HistoryProblems, ModelNotes, ProviderProblems, Why } from '../said'

export const providers: ProviderProblems = {
  invalid_address: (address) => `La dirección «${address}» no es válida.`,
  no_key: 'Todavía no tiene clave de API.',
  key_of_other_address: 'La clave de API se guardó para otra dirección, por eso no se envía. Guárdala otra vez.',
  key_unprotected:
    'La dirección no está cifrada (http), por eso la clave de API no se envía. Usa una dirección https o quita la clave.',
  key_rejected: 'La clave de API fue rechazada. Guarda otra.',
}

const inMemory = (why: string, then: string) => `${why} Las preguntas nuevas quedan solo en la memoria. ${then}`

export const history: HistoryProblems = {
  newer_version: inMemory(
    'Una versión más nueva de AURA escribió el historial.',
    'Actualiza AURA o pon AURA_DATA_DIR en otra carpeta.',
  ),
  disk_full: inMemory('El disco está lleno.', 'Libera espacio y AURA las guardará.'),
  read_only: inMemory('La carpeta del historial es de solo lectura.', 'Permite escribir en ella y AURA las guardará.'),
  busy: inMemory('Otro programa bloquea el historial.', 'Ciérralo y AURA las guardará.'),
  unreadable: inMemory('No se puede abrir el historial.', 'Revisa el disco y los permisos de la carpeta de datos.'),
  damaged: inMemory(
    'El historial está dañado y aquí no se puede reparar.',
    'Libera espacio y permite escribir en la carpeta de datos.',
  ),
  not_saved:
    'La última pregunta o eliminación aún no está en el historial. ¿Está lleno el disco o es de solo lectura la carpeta?',
  repaired: (turns, backup, kept) =>
    `El historial estaba dañado. AURA lo reparó: contiene ${turns} preguntas, de ellas ${backup} de una copia. Revisa el disco. El archivo dañado es ${kept}; bórralo si no falta nada.`,
  index_rebuilt:
    'El índice de búsqueda del historial estaba dañado. AURA lo rehízo y no falta ninguna pregunta. Si vuelve a ocurrir, revisa el disco.',
}

export const notes: ModelNotes = {
  preview: 'Versión preliminar',
  accept_terms: (page) => `Acepta una vez sus condiciones en ${page}.`,
  old_accounts: 'Puede que las cuentas nuevas ya no lo reciban.',
  busy: 'El más solicitado; puede estar saturado.',
  moves: 'Pasa por sí solo a modelos más nuevos.',
  server_decides: 'El servidor usa el modelo con el que se inició.',
  best_here: 'El mejor modelo o programa de este equipo.',
}

export const why: Why = {
  best: {
    speed: (provider, why, other, otherWhy) => `${provider} es el más rápido: ${why}; ${other}: ${otherWhy}.`,
    quality: (provider, why, other, otherWhy, model) =>
      `${provider} tiene el mejor modelo, ${model}: ${why}; ${other}: ${otherWhy}.`,
    cost: (provider, why, other, otherWhy) => `${provider} es el más barato: ${why}; ${other}: ${otherWhy}.`,
    balanced: (provider, why, other, otherWhy) =>
      `${provider} gana en velocidad, calidad y coste: ${why}; ${other}: ${otherWhy}.`,
  },
  latency: (time, calls) => `normalmente ${time} en ${calls} llamadas`,
  unmeasured: 'aún sin medir',
  quality: (stars) => `calidad ${stars} de 5`,
  price: (cost) => `unos ${cost} por petición`,
  noPrice: 'precio desconocido',
}
