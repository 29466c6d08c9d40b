import { mount } from 'svelte'
import App from './App.svelte'
import { connect } from './backend'
import { Aura } from './lib/aura.svelte'
import './styles/base.css'

const target = document.getElementById('app')
if (target) mount(App, { target, props: { aura: new Aura(await connect()) } })
