/** What of the screen can be shown, as the entries of a list. */
import type { CaptureTarget } from '../generated/CaptureTarget'
import { t } from '../lib/messages'

/** The same target gives the same text, so that it can be the value of an entry. */
export function targetKey(target: CaptureTarget): string {
  switch (target.kind) {
    case 'monitor':
      return `monitor:${target.name ?? ''}`
    case 'window':
      return `window:${target.title ?? ''}`
    case 'region':
      return `region:${target.x},${target.y},${target.width},${target.height}`
  }
}

export function targetWords(target: CaptureTarget): string {
  switch (target.kind) {
    case 'monitor':
      return target.name ? t.settings.targetMonitor(target.name) : t.settings.targetPointer
    case 'window':
      return target.title ? t.settings.targetWindow(target.title) : t.settings.targetFocused
    case 'region':
      return t.settings.targetRegion(target.width, target.height)
  }
}

/** Without repeats: the two that always work, what the machine offers, and what is set although it may be away. */
export function targetChoices(offered: CaptureTarget[], chosen: CaptureTarget): CaptureTarget[] {
  const all: CaptureTarget[] = [{ kind: 'monitor' }, { kind: 'window' }, ...offered, chosen]
  return [...new Map(all.map((target) => [targetKey(target), target])).values()]
}
