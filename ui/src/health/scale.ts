/** Scales of the charts. Pure. */
export interface Scale {
  /** The share of the width at which a value lies, 0 to 1. */
  at: (value: number) => number
  ticks: number[]
}

const times = [20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 20_000, 60_000, 120_000, 300_000]
const most = 6

/** A logarithmic scale for latencies in milliseconds: a call of 200 ms and one of 15 s are both legible. */
export function logScale(values: number[]): Scale {
  const [least, greatest] = [Math.min(...values), Math.max(...values)]
  const low = times.findLast((step) => step <= least) ?? 10
  const high = times.find((step) => step >= greatest && step > low) ?? greatest
  const span = Math.log(high / low)
  const within = times.filter((step) => step >= low && step <= high)
  const every = Math.ceil(within.length / most)
  return {
    at: (value) => Math.min(1, Math.max(0, Math.log(Math.max(value, low) / low) / span)),
    ticks: within.filter((_, i) => i % every === 0),
  }
}

/** A linear scale from zero, in milliseconds, that ends just after the greatest value. */
export function linearScale(greatest: number): Scale {
  const steps = [100, 200, 250, 500, 1000, 2000, 2500, 5000, 10_000, 20_000, 30_000, 60_000]
  const step = steps.find((size) => greatest / size <= 4) ?? 120_000
  const ticks = Array.from({ length: Math.floor(greatest / step) + 1 }, (_, i) => i * step)
  return { at: (value) => Math.min(1, value / greatest), ticks }
}

/** The middle value; the mean of the two in the middle of an even number. */
export function median(values: number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length / 2
  const [low, high] = [sorted[Math.ceil(middle) - 1] ?? 0, sorted[Math.floor(middle)] ?? 0]
  return (low + high) / 2
}
