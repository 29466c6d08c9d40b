/** La página de acceso en un navegador. */
import type { signIn as english } from '../en/sign-in'

export const signIn: typeof english = {
  title: 'Iniciar sesión en AURA',
  text: 'AURA puede escuchar, ver tu pantalla y usar tus claves de API. Inicia sesión para confirmar que eres tú.',
  field: 'Token',
  whereFile: 'El token está en el archivo',
  whereFolder: 'en la carpeta de datos de AURA.',
  wherePrinted: 'muestra dónde está.',
  open: 'Iniciar sesión',
  opening: 'Iniciando sesión…',
  rejected: 'El token no es válido: AURA crea uno nuevo en cada inicio. Copia otra vez la línea completa del archivo.',
  unreachable: 'AURA no responde. Inicia AURA o «aura serve» y vuelve a intentarlo.',
  unsupported: 'Este navegador no puede comprobar que responde AURA. Abre AURA en un Chrome, Firefox o Edge actual.',
  unexpected: (status: string) => `AURA devolvió el estado ${status}. Consulta el registro para más detalles.`,
  lost: 'Se perdió la conexión. Reconectando… Puede que esta página no esté al día.',
  back: 'Conexión recuperada.',
  leave: 'Cerrar sesión en esta página',
  leaveHint: 'Olvida el token en esta pestaña. Cerrar la pestaña hace lo mismo.',
}
