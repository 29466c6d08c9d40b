/** Every sentence the windows show, in English: the language the others are measured by. */
import * as common from './common'
import { door } from './door'
import { first } from './first'
import { health } from './health'
import { history } from './history'
import { overlay } from './overlay'
import { providers } from './providers'
import { screen } from './screen'
import { settings } from './settings'
import { talk, turn } from './talk'

export const en = {
  locale: 'en-GB',
  ...common,
  stages: overlay.stages,
  turn,
  talk,
  door,
  first,
  providers,
  health,
  history,
  screen,
  settings,
}

/** What a language has to say. */
export type Messages = typeof en
