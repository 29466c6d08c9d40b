/** What the command palette offers: every panel, what can be done, and every setting. */
import type { LocalModelView } from '../generated/LocalModelView'
import type { ScreenPolicy } from '../generated/ScreenPolicy'
import type { Service } from '../generated/Service'
import type { Snapshot } from '../generated/Snapshot'
import type { Theme } from '../generated/Theme'
import type { Aura, Changes } from './aura.svelte'
import type { Option } from './option'
import { use as useModel, usedModel } from '../local/use'
import { labelOf } from './format'
import { t } from './messages'
import type { Panel } from './panels'

/** What the window does for a command. */
export interface Window {
  go(panel: Panel): void
  startAfresh(): void
  write(): void
  chooseModel(): void
  search(): void
  showConversations(): void
  showKeys(): void
  /** Shows the models on this computer, or only those that are there. */
  showModels(installed: boolean): void
  /** Opens the settings at the control with this label. */
  setting(label: string): void
}

export interface Command extends Option {
  run: () => unknown
}

/** The labels of the settings, as the panel shows them. */
const settings = () => {
  const s = t.settings
  return [
    ...[
      s.shortcut,
      s.mode,
      s.microphone,
      s.longest,
      s.language,
      s.vocabulary,
      s.speaker,
      s.aloud,
      s.speed,
      s.volume,
      s.languageVoices,
      s.share,
      s.target,
    ],
    ...[s.theme, s.contrast, s.windowLanguage, s.overlay, s.instructions, s.persona, s.dailyLimit, ...Object.values(s.startups)],
    ...[s.hedge, s.blocked, s.timeouts, s.localApiOpen, s.port, s.systemCheck],
  ]
}

/** What can be done with the models on this computer. */
function modelCommands(aura: Aura, window: Window): Command[] {
  const group = t.palette.models
  const act = (work: () => Promise<unknown>) => () => work().catch((thrown: unknown) => aura.notifyError(thrown))
  const use = (model: LocalModelView, service: Service) => async () => {
    const undo = await useModel(aura, model, service)
    aura.notify(t.local.nowUsed(model.label, t.services[service].name), undo)
  }
  return [
    { id: 'models', group, label: t.palette.downloadModel, words: t.local.title, run: () => window.showModels(false) },
    { id: 'models here', group, label: t.palette.removeModel, words: t.local.title, run: () => window.showModels(true) },
    ...(aura.local.view?.models ?? []).flatMap((model): Command[] => {
      const { id, label, state } = model
      if (state.state === 'downloading')
        return [
          {
            id: `pause ${id}`,
            group,
            label: t.palette.pauseDownload(label),
            run: act(() => aura.local.act('pause_model', { id })),
          },
        ]
      if (state.state === 'paused')
        return [
          {
            id: `resume ${id}`,
            group,
            label: t.palette.resumeDownload(label),
            run: act(() => aura.local.act('resume_model', { id })),
          },
        ]
      if (state.state !== 'installed') return []
      return model.services.map((service) => ({
        id: `use ${id} ${service}`,
        group,
        label: t.providers.useFor(label, t.services[service].name),
        current: usedModel(aura.snapshot, aura.local.view, service)?.id === id,
        run: act(use(model, service)),
      }))
    }),
  ]
}

/** Who answers, once there are personas. `change` makes a change that can be undone. */
function personaCommands(
  { settings: { personas, persona } }: Snapshot,
  change: (changes: Changes, label: string, back: Changes) => () => unknown,
): Command[] {
  const names = personas.length === 0 ? [] : ['', ...personas.map((one) => one.name)]
  return names.map((name) => {
    const label = t.palette.answerAs(name || t.settings.personaNone)
    return {
      id: `persona ${name}`,
      group: t.palette.answers,
      label,
      current: name === persona,
      run: change({ persona: name }, label, { persona }),
    }
  })
}

export function commands(aura: Aura, panels: readonly Panel[], window: Window): Command[] {
  const snapshot = aura.snapshot
  if (!snapshot) return []
  const { appearance, screen, speaking, routes } = snapshot.settings
  /** Changes a setting and says so, with an undo. */
  const change = (changes: Changes, label: string, back: Changes) => () =>
    aura.setWithUndo(changes, t.palette.done(label), back).catch((thrown: unknown) => aura.notifyError(thrown))
  const ready = snapshot.providers.filter((one) => one.problem === undefined && one.services.includes('llm'))
  const muteLabel = speaking.muted ? t.palette.unmute : t.palette.mute
  const overlayLabel = appearance.overlay ? t.palette.hideOverlay : t.palette.showOverlay
  const { llm } = routes
  const before = { provider: llm.provider ?? null, model: llm.model ?? null, voice: llm.voice ?? null }
  const answerWith = (provider: string) => async () => {
    try {
      await aura.change('switch', { service: 'llm', provider })
      const text = t.providers.inEffect(labelOf(snapshot, provider), t.services.llm.willDo)
      aura.notify(text, () => aura.set({ routes: { llm: before } }))
    } catch (thrown) {
      aura.notifyError(thrown)
    }
  }
  return [
    ...panels.map((panel, i): Command => ({
      id: `panel ${panel}`,
      group: t.palette.panels,
      label: t.rail[panel],
      keys: `Ctrl+${i + 1}`,
      run: () => window.go(panel),
    })),
    ...(aura.conversation.stage === 'idle'
      ? []
      : [{ id: 'stop', group: t.palette.talk, label: t.palette.stop, keys: 'Esc', run: () => aura.cancel() }]),
    { id: 'new', group: t.palette.talk, label: t.palette.newConversation, keys: 'Ctrl+N', run: () => window.startAfresh() },
    {
      id: 'conversations',
      group: t.palette.talk,
      label: t.palette.conversations,
      keys: 'Ctrl+O',
      run: () => window.showConversations(),
    },
    {
      id: 'hands-free',
      group: t.palette.talk,
      label: snapshot.hands_free ? t.palette.handsFreeEnd : t.palette.handsFree,
      run: () => aura.toggleHandsFree(),
    },
    {
      id: 'repeat',
      group: t.palette.talk,
      label: t.palette.repeat,
      run: () => aura.backend.call('repeat', {}).catch((thrown: unknown) => aura.notifyError(thrown)),
    },
    ...(aura.playback === 'idle'
      ? []
      : [
          {
            id: 'pause',
            group: t.palette.talk,
            label: t.playback.pauseOrResume,
            keys: 'Ctrl+P',
            run: () => aura.playAnswer('toggle'),
          },
          { id: 'next', group: t.palette.talk, label: t.playback.next, keys: 'Alt+→', run: () => aura.playAnswer('next') },
        ]),
    {
      id: 'previous',
      group: t.palette.talk,
      label: t.playback.previous,
      keys: 'Alt+←',
      run: () => aura.playAnswer('previous'),
    },
    { id: 'write', group: t.palette.talk, label: t.palette.write, keys: 'Ctrl+L', run: () => window.write() },
    { id: 'model', group: t.palette.talk, label: t.palette.model, keys: 'Ctrl+M', run: () => window.chooseModel() },
    { id: 'find', group: t.palette.talk, label: t.palette.find, keys: 'Ctrl+F', run: () => window.search() },
    {
      id: 'attach',
      group: t.palette.talk,
      label: t.palette.attachScreen,
      run: () => {
        aura.attachScreen = true
        aura.picture = null
        window.write()
      },
    },
    {
      id: 'mute',
      group: t.palette.answers,
      label: muteLabel,
      words: t.settings.aloud,
      run: change({ speaking: { muted: !speaking.muted } }, muteLabel, { speaking: { muted: speaking.muted } }),
    },
    ...ready.map((provider): Command => ({
      id: `answer ${provider.name}`,
      group: t.palette.answers,
      label: t.palette.answerWith(provider.label),
      current: llm.provider === provider.name,
      run: answerWith(provider.name),
    })),
    ...personaCommands(snapshot, change),
    ...modelCommands(aura, window),
    ...Object.entries(t.settings.shares).map(([policy, label]): Command => ({
      id: `screen ${policy}`,
      group: t.palette.answers,
      label: t.palette.screen(label),
      current: screen.share === policy,
      run: change({ screen: { share: policy as ScreenPolicy } }, t.palette.screen(label), { screen: { share: screen.share } }),
    })),
    ...Object.entries(t.settings.themes).map(([theme, label]): Command => ({
      id: `theme ${theme}`,
      group: t.palette.look,
      label: t.palette.theme(label),
      current: appearance.theme === theme,
      run: change({ appearance: { theme: theme as Theme } }, t.palette.theme(label), { appearance: { theme: appearance.theme } }),
    })),
    {
      id: 'overlay',
      group: t.palette.look,
      label: overlayLabel,
      run: change({ appearance: { overlay: !appearance.overlay } }, overlayLabel, {
        appearance: { overlay: appearance.overlay },
      }),
    },
    ...settings().map((label): Command => ({
      id: `setting ${label}`,
      group: t.palette.settings,
      label,
      run: () => window.setting(label),
    })),
    { id: 'keys', group: t.palette.help, label: t.palette.keys, keys: '?', run: () => window.showKeys() },
  ]
}
