/** La vista previa de la imagen de la pantalla que AURA enviaría. */
import type { screen as english } from '../en/screen'

export const screen: typeof english = {
  title: 'Lo que AURA enviará',
  open: 'Ver lo que AURA enviará',
  looking: 'Capturando tu pantalla…',
  again: 'Actualizar',
  exactly: (width: string, height: string, size: string) =>
    `Se adjuntará exactamente esta imagen: ${width} × ${height} píxeles, ${size} kB. Aún no se ha enviado nada.`,
  unreadable: 'No se pudo mostrar la imagen.',
  nowShows: (target: string) => `Ahora se comparte: ${target}.`,
  region: 'Región',
  drag: 'Arrastra sobre la imagen para compartir una parte, o escribe las coordenadas:',
  attach: 'Enviar con la próxima pregunta',
  attached: (target: string) => `Se adjunta a tu próxima pregunta aquí: ${target}`,
  detach: 'No enviar la pantalla',
  always: 'Tu pantalla se adjunta a cada pregunta.',
  edges: { x: 'izquierda', y: 'arriba', width: 'ancho', height: 'alto' },
}
