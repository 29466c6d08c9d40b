/** What would be sent of the screen. */
export const screen = {
  title: 'What is sent',
  open: 'Show what is sent',
  looking: 'Looking at your screen',
  again: 'Look again',
  exactly: (width: string, height: string, size: string) =>
    `Exactly this goes with a question: ${width} × ${height} pixels, ${size} kB. Nothing was sent yet.`,
  unreadable: 'The picture could not be shown.',
  nowShows: (target: string) => `Shared from now on: ${target}.`,
  region: 'A region',
  drag: 'Drag over the picture to share a part of it, or give its edges:',
  attach: 'Send it with the next question',
  attached: (target: string) => `Goes with the next question you ask here: ${target}`,
  detach: 'Do not send the screen',
  always: 'It goes with every question, as the list beside your question says.',
  edges: { x: 'left', y: 'top', width: 'width', height: 'height' },
}
