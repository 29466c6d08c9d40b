/** Herramientas de otros programas. */
import type { mcp as english } from '../en/mcp'
import { counter } from '../plural'

const counted = counter('es')

export const mcp: typeof english = {
  title: 'Herramientas de otros programas',
  intro:
    'AURA puede usar las herramientas de servidores MCP: para tus archivos, tu calendario o un servicio web. Antes de cada uso lo muestra y pregunta.',
  off: 'Activa «Actuar en otros programas» para usarlas.',
  none: 'Aún no hay servidores. Pega la lista de otro programa, como Claude Desktop, Cursor o VS Code.',
  add: 'Añadir servidores',
  json: 'Lista de servidores (JSON)',
  take: 'Añadir',
  cancel: 'Cancelar',
  added: (names: string) => `Añadido: ${names}.`,
  notKept: 'Aquí no hay depósito de claves: AURA olvida los valores al cerrarse.',
  use: (name: string) => `Usar ${name}`,
  states: {
    off: 'apagado',
    stopped: 'sin iniciar',
    starting: 'iniciando',
    ready: 'listo',
    retrying: 'falló, se reintenta',
    failed: 'falló',
  },
  problems: {
    missing_secret: (name) => `Falta el valor de «${name}». Escríbelo abajo.`,
    secrets: 'No se pudieron leer los valores del servidor. Desbloquea el depósito de claves y reinicia el servidor.',
    not_started: (program) => `El programa «${program}» no se pudo iniciar. ¿Está instalado?`,
    address: 'Su dirección no se puede usar. Quita el servidor y añádelo con otra.',
    unreachable: 'No se puede conectar con el servidor. Comprueba que está en marcha y que tienes conexión.',
    session_lost: 'El servidor se reinició y perdió la conexión. AURA se está conectando de nuevo.',
    unauthorized: 'El servidor deniega el acceso. Revisa los valores de sus encabezados.',
    handshake: 'No responde como un servidor MCP. Revisa el comando o la dirección.',
    start_timeout: (seconds) => `El servidor no estuvo listo en ${seconds} s. Reinícialo.`,
    ended: 'El servidor se cerró de forma inesperada. Reinícialo.',
    flooded: 'El servidor envió demasiado y AURA lo detuvo. Reinícialo o actualízalo.',
    not_reading: 'El servidor dejó de recibir mensajes y AURA lo detuvo. Reinícialo.',
    unresponsive: 'El servidor dejó de responder y AURA lo detuvo. Reinícialo.',
  },
  restart: 'Reiniciar',
  remove: 'Quitar',
  removeAsk: (name: string) => `¿Quitar ${name} y sus valores guardados?`,
  keep: 'Conservar',
  removed: (name: string) => `Se ha quitado ${name}.`,
  value: (name: string) => `Valor de ${name}`,
  valueHint: 'Se guarda en el depósito de claves de este equipo y solo se da a este servidor.',
  save: 'Guardar',
  tools: (count: number) => counted(count, { one: 'herramienta', many: 'de herramientas', other: 'herramientas' }),
  permission: (tool: string) => `Cuando AURA quiera usar ${tool}`,
  changed: 'El servidor ha cambiado esta herramienta, así que AURA vuelve a preguntar.',
  rejected: 'No ofrecidas',
  health: (name: string) => `No se pueden usar las herramientas de ${name}.`,
  look: 'Verlo',
}
