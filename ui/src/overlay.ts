import { mount } from 'svelte'
import { connectWindow } from './backend/window'
import Overlay from './overlay/Overlay.svelte'
import './styles/overlay.css'

const target = document.getElementById('app')
// An ordinary browser has no overlay.
const backend = await connectWindow()
if (target && backend) mount(Overlay, { target, props: { backend } })
