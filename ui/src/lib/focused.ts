/**
 * Focuses an element when it appears, for `{@attach focused}`. The attribute `autofocus` is not enough: a browser applies it once
 * per page, and Svelte only while nothing else has the focus.
 */
export const focused = (element: HTMLElement) => element.focus()
