/** The preview of the screen picture that AURA would send. */
export const screen = {
  title: 'What AURA will send',
  open: 'Show what AURA will send',
  looking: 'Capturing your screen…',
  again: 'Refresh',
  exactly: (width: string, height: string, size: string) =>
    `This exact image will be attached: ${width} × ${height} pixels, ${size} kB. Nothing has been sent.`,
  unreadable: 'Couldn’t show the image.',
  nowShows: (target: string) => `Now sharing: ${target}.`,
  region: 'Region',
  drag: 'Drag over the image to share a part of it, or enter coordinates:',
  attach: 'Send with the next question',
  attached: (target: string) => `Attached to your next question here: ${target}`,
  detach: 'Don’t send the screen',
  always: 'Your screen is attached to every question.',
  edges: { x: 'left', y: 'top', width: 'width', height: 'height' },
}
