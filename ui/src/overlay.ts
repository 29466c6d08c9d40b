import { mount } from 'svelte'
import { connectWindow, dragOverlay } from './backend/window'
import { language } from './lib/preferences.svelte'
import { loadMessages } from './overlay/messages'
import Overlay from './overlay/Overlay.svelte'
import './styles/overlay.css'

const target = document.getElementById('app')
// An ordinary browser has no overlay.
const [backend] = await Promise.all([connectWindow(), loadMessages(language())])
if (target && backend) mount(Overlay, { target, props: { backend } })
// Not `pointerdown`: the desktop takes the release of the button, and the page believes that it stays down. A desktop that moves no windows
// leaves it where it is.
window.addEventListener('mousedown', () => void dragOverlay().catch(() => undefined))
