import { mount } from 'svelte'
import { connectWindow } from './backend/window'
import Hud from './hud/Hud.svelte'
import './styles/hud.css'

const target = document.getElementById('app')
// In an ordinary browser there is nothing to lie over.
const backend = await connectWindow()
if (target && backend) mount(Hud, { target, props: { backend } })
