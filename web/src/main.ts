// Starts the page.
import { createPinia } from 'pinia'
import { createApp } from 'vue'
import App from './App.vue'
import { keepPage } from './kept'
import { router } from './router'
import './styles/tokens.css'
import './styles/base.css'
import { words } from './words'

router.afterEach((to) => to.meta.phone && keepPage())
createApp(App).use(createPinia()).use(words).use(router).mount('#app')
