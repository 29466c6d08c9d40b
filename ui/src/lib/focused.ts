/**
 * Gives an element the focus as soon as it is there, for `{@attach focused}`: what the person has just asked for. The attribute
 * `autofocus` does not: a browser heeds it once per page, and Svelte only while nothing else has the focus.
 */
export const focused = (element: HTMLElement) => element.focus()
