/** The panels, in the order of the rail. */
export const panels = ['talk', 'providers', 'health', 'history', 'settings'] as const
export type Panel = (typeof panels)[number]
