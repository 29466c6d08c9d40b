/** Sizes, rates and remaining times, as they are written in the person's region. */
import { t } from './messages'
import { locale } from './region'

const units = [
  { unit: 'gigabyte', bytes: 1e9 },
  { unit: 'megabyte', bytes: 1e6 },
  { unit: 'kilobyte', bytes: 1e3 },
] as const
const megabytes = units[1]

/** The unit in which a size is written. A size that would round up to 1000 of a unit is written in the next. */
const unitOf = (size: number) => units.find(({ bytes }) => size >= bytes * 0.9995) ?? megabytes

/** The decimals of a size: small ones have one, and so has every number of gigabytes. */
const decimalsOf = (value: number, unit: string) => (value < 9.95 || unit === 'gigabyte' ? 1 : 0)

const formatted = (value: number, unit: string, decimals = 0) =>
  value.toLocaleString(locale(), { style: 'unit', unit, unitDisplay: 'short', maximumFractionDigits: decimals })

/** 2_340_000 → "2.3 MB", 76_900_000 → "77 MB", 1_240_000_000 → "1.2 GB". */
export function size(bytes: number): string {
  const { unit, bytes: one } = unitOf(bytes)
  return formatted(bytes / one, unit, decimalsOf(bytes / one, unit))
}

/** 34 and 77 million → "34 of 77 MB": both in the unit of the second. Without a known total, what has arrived. */
export function sizeOf(done: number, total: number): string {
  if (total === 0) return size(done)
  const { unit, bytes: one } = unitOf(total)
  const decimals = decimalsOf(total / one, unit)
  // Rounded down: what is not there yet is not claimed.
  const part = Math.floor((Math.min(done, total) / one) * 10 ** decimals) / 10 ** decimals
  return t.local.progress(part.toLocaleString(locale(), { maximumFractionDigits: decimals }), size(total))
}

/** 2_100_000 → "2.1 MB/s". */
export const rate = (bytesPerSecond: number) =>
  bytesPerSecond < 1e6
    ? t.local.perSecond(formatted(bytesPerSecond / 1e3, 'kilobyte'))
    : t.local.perSecond(formatted(bytesPerSecond / 1e6, 'megabyte', 1))

/** The remaining time, coarse enough not to flicker: "40 sec left", "3 min left", "1 hr 20 min left". */
export function timeLeft(bytes: number, bytesPerSecond: number): string {
  const seconds = bytes / bytesPerSecond
  if (seconds < 10) return t.local.almostThere
  if (seconds < 55) return t.local.left(formatted(Math.ceil(seconds / 10) * 10, 'second'))
  const minutes = Math.ceil(seconds / 60)
  if (minutes < 60) return t.local.left(formatted(minutes, 'minute'))
  const [hours, rest] = [Math.floor(minutes / 60), Math.ceil((minutes % 60) / 10) * 10]
  return t.local.left(
    rest === 0 || rest === 60
      ? formatted(hours + (rest === 60 ? 1 : 0), 'hour')
      : `${formatted(hours, 'hour')} ${formatted(rest, 'minute')}`,
  )
}
