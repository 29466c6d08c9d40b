/** Los errores, según su código. */
import type { Errors } from '../said'

export const errors: Errors = {
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
  desktop: 'Este escritorio no lo permite, o falta el programa o la ventana.',
  not_running: 'AURA no está en marcha. Iníciala y vuelve a intentarlo.',
  port_taken: 'Otra aplicación usa este puerto. Elige otro en Ajustes.',
  cancelled: 'Detenido.',
  unfinished: 'AURA se cerró antes de completar esta respuesta. Reinténtala.',
  mcp_server: 'Un servidor MCP no se puede usar. Míralo en Ajustes.',
  internal: 'Algo falló dentro de AURA. Infórmanos e incluye el registro.',
}
