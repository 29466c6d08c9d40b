/** A region of the desktop, drawn on a scaled image of it. Pure. */
import type { Area } from '../generated/Area'

export interface Point {
  x: number
  y: number
}

/** Smallest side of a region, pixels. */
const least = 8

/** The rectangle on the desktop between two points of the image (0 to 1 in both directions); null when it is too small. */
export function regionOf(from: Point, to: Point, shown: Area): Area | null {
  const along = (value: number, start: number, length: number) => Math.round(start + Math.min(1, Math.max(0, value)) * length)
  const [left, right] = [from.x, to.x].toSorted((a, b) => a - b).map((value) => along(value, shown.x, shown.width)) as [
    number,
    number,
  ]
  const [top, bottom] = [from.y, to.y].toSorted((a, b) => a - b).map((value) => along(value, shown.y, shown.height)) as [
    number,
    number,
  ]
  const [width, height] = [right - left, bottom - top]
  return width < least || height < least ? null : { x: left, y: top, width, height }
}
