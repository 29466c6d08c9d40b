import { mount } from 'svelte'
import App from './App.svelte'
import { connect } from './backend'
import { Aura } from './lib/aura.svelte'
import { loadMessages } from './lib/messages'
import { language } from './lib/preferences.svelte'
import './styles/base.css'

const target = document.getElementById('app')
const [backend] = await Promise.all([connect(), loadMessages(language())])
if (target) mount(App, { target, props: { aura: new Aura(backend) } })
