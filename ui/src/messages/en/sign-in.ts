/** The sign-in page in an ordinary browser. In a file of its own because the HTTP backend uses some of these messages. */
export const signIn = {
  title: 'Sign in to AURA',
  text: 'AURA can listen, see your screen and use your API keys. Sign in to confirm it’s you.',
  field: 'Token',
  whereFile: 'The token is in the file',
  whereFolder: 'in AURA’s data folder.',
  wherePrinted: 'prints where that is.',
  open: 'Sign in',
  opening: 'Signing in…',
  rejected: 'That token isn’t valid: each start of AURA makes a new one. Copy the whole line from the file again.',
  unreachable: 'AURA isn’t responding. Start AURA or “aura serve”, then try again.',
  unsupported: 'This browser can’t check that AURA answers. Open AURA in a current Chrome, Firefox or Edge.',
  unexpected: (status: string) => `AURA returned status ${status}. See the log for details.`,
  lost: 'Connection lost. Reconnecting… This page may be out of date.',
  back: 'Connected again.',
  leave: 'Sign out of this page',
  leaveHint: 'Forgets the token in this tab. Closing the tab does the same.',
}
