/** Los textos de la ventana flotante. */
import type { overlay as english } from '../en/overlay'

export const overlay: typeof english = {
  stages: {
    ready: 'Preparando',
    listening: 'Escuchando',
    listeningFor: (time: string) => `Escuchando ${time}`,
    transcribing: 'Transcribiendo',
    looking: 'Mirando tu pantalla',
    thinking: 'Pensando',
    thinkingWith: (provider: string) => `Pensando · ${provider}`,
    speaking: 'Hablando',
    speakingHint: 'Hablando · pulsa otra vez para interrumpir',
  },
  title: 'Ventana flotante de AURA',
  waiting: 'Espera el tono y habla',
  send: { release: 'Suelta para enviar', tap: 'Toca otra vez para enviar', pause: 'Una pausa envía. «Para» termina.' },
  cancel: 'Esc para cancelar',
  interrupt: 'Pulsa otra vez para interrumpir',
  speakToInterrupt: 'Habla para interrumpir',
  outcomes: { done: 'Listo', stopped: 'Detenido', failed: 'Algo salió mal' },
  kept: 'Abre AURA para reintentar.',
  withScreen: 'Con tu pantalla',
}
