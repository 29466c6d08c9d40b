import { mount } from 'svelte'
import { connect } from './backend'
import Hud from './hud/Hud.svelte'
import './styles/hud.css'

const target = document.getElementById('app')
if (target) mount(Hud, { target, props: { backend: await connect() } })
