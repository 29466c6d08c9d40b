/** Every sentence the windows show, in German. */
import type { Messages } from '../en'
import { acting } from './acting'
import { actingDetails } from './acting-details'
import * as common from './common'
import { signIn } from './sign-in'
import { mcp } from './mcp'
import { onboarding } from './onboarding'
import { errors } from './errors'
import { find, keyboard, palette, picker, playback } from './find'
import { health } from './health'
import { history } from './history'
import { local } from './local'
import { overlay } from './overlay'
import { providers } from './providers'
import { history as historyProblems, notes, providers as providerProblems, why } from './problems'
import { findings, notices } from './said'
import { screen } from './screen'
import { settings } from './settings'
import { conversations, talk, turn } from './talk'

export const de: Messages = {
  ...common,
  acting,
  actingDetails,
  stages: overlay.stages,
  send: overlay.send,
  turn,
  talk,
  signIn,
  mcp,
  onboarding,
  providers,
  local,
  health,
  history,
  said: { errors, providers: providerProblems, history: historyProblems, notes, why, notices, findings },
  conversations,
  screen,
  settings,
  find,
  keyboard,
  palette,
  picker,
  playback,
}
