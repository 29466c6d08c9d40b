/** Capture targets as entries of a list. */
import type { CaptureTarget } from '../generated/CaptureTarget'
import { t } from '../lib/messages'

/** A unique text for a target, used as the value of its list entry. */
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

export function describeTarget(target: CaptureTarget): string {
  switch (target.kind) {
    case 'monitor':
      return target.name ? t.settings.targetMonitor(target.name) : t.settings.targetPointer
    case 'window':
      return target.title ? t.settings.targetWindow(target.title) : t.settings.targetFocused
    case 'region':
      return t.settings.targetRegion(target.width, target.height)
  }
}

/** The targets to offer, without duplicates: the two that always work, those of this computer, and the one that is set. */
export function targetChoices(offered: CaptureTarget[], chosen: CaptureTarget): CaptureTarget[] {
  const all: CaptureTarget[] = [{ kind: 'monitor' }, { kind: 'window' }, ...offered, chosen]
  return [...new Map(all.map((target) => [targetKey(target), target])).values()]
}
