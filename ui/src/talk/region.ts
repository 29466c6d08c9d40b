/** A region of the desktop, marked on a smaller picture of it. Pure. */
import type { Area } from '../generated/Area'

export interface Point {
  x: number
  y: number
}

/** The smallest region worth sending, pixels. */
const least = 8

/** The rectangle between two points of the picture, each from 0 to 1 in both directions, on the desktop; null when it is next to nothing. */
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
