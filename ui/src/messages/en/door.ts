/** The page in an ordinary browser, behind the HTTP door. Apart from the others because the door itself uses some. */
export const door = {
  title: 'Sign in to AURA',
  text: 'AURA can hear, see your screen and use your keys. So this page wants to know that it is you.',
  field: 'Token',
  whereFile: 'The token is in the file',
  whereFolder: 'in AURA’s data folder.',
  wherePrinted: 'prints where that is.',
  open: 'Sign in',
  opening: 'Signing in',
  refused:
    'AURA does not take this token. Copy the whole line of the file. When the file is deleted, a new one is made as AURA starts again.',
  silent: 'AURA does not answer. Is it running? Start it, or “aura serve”, then try again.',
  strange: (status: string) => `AURA’s door answered with status ${status} and nothing else. Its log says more.`,
  lost: 'The connection to AURA is lost. It is tried again by itself; what you see may be old.',
  back: 'Connected again.',
  leave: 'Sign out of this page',
  leaveHint: 'Forgets the token in this tab. Otherwise it is forgotten when the tab is closed.',
}
