/** Addresses within the window: "#providers/models" is the part "models" of the panel "providers". */
export interface Place {
  panel: string
  /** The part of the panel; empty for the panel itself. */
  part: string
}

export function placeOf(hash: string): Place {
  const [panel = '', ...parts] = hash.replace(/^#/, '').split('/')
  return { panel, part: parts.join('/') }
}
