import type { Status } from '../generated/Status'

/** Something to be found by words and chosen. */
export interface Option {
  id: string
  label: string
  /** The heading above it. */
  group: string
  /** More about it, such as a price. */
  detail?: string
  /** Words that find it although they are not shown. */
  words?: string
  /** Health of what it names. */
  status?: { tone: Status; word: string }
  /** The shortcut that does the same. */
  keys?: string
  /** Whether it is in effect now. */
  current?: boolean
  /** Whether it cannot be chosen: an environment variable decides. */
  locked?: boolean
}
