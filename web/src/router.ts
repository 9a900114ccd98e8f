// Routes and what each needs: a theme and the key of its title. Every view is its own chunk.
import { createRouter, createWebHistory } from 'vue-router'
import { useCity } from './state/city'
import { useSession } from './state/session'
import { words } from './words'

declare module 'vue-router' {
  interface RouteMeta {
    title: string
    theme: 'dark' | 'light'
    bare?: boolean
    /** For people of this city only, unless it is a sandbox. */
    staff?: boolean
    /** For a phone, which opens it again without a network. */
    phone?: boolean
  }
}

export const router = createRouter({
  history: createWebHistory(),
  scrollBehavior: (_to, _from, saved) => saved ?? { top: 0 },
  routes: [
    { path: '/', component: { render: () => null }, meta: { title: 'title.home', theme: 'light' } },
    { path: '/screen', component: () => import('./views/screen/ScreenView.vue'), meta: { title: 'title.screen', theme: 'dark', bare: true, staff: true } },
    { path: '/screen/incident/:id', component: () => import('./views/centre/IncidentView.vue'), meta: { title: 'title.incident', theme: 'dark', staff: true } },
    { path: '/vital/:code/:area', component: () => import('./views/vital/VitalView.vue'), meta: { title: 'title.vital', theme: 'light', staff: true } },
    { path: '/desk', redirect: '/desk/queue' },
    { path: '/desk/queue', component: () => import('./views/desk/QueueView.vue'), meta: { title: 'title.queue', theme: 'light', staff: true } },
    { path: '/desk/disputes', component: () => import('./views/desk/QueueView.vue'), meta: { title: 'title.disputes', theme: 'light', staff: true } },
    { path: '/desk/tables', component: () => import('./views/desk/TablesView.vue'), meta: { title: 'title.tables', theme: 'light', staff: true } },
    { path: '/desk/playbooks', component: () => import('./views/desk/PlaybooksView.vue'), meta: { title: 'title.playbooks', theme: 'light', staff: true } },
    { path: '/desk/duty', component: () => import('./views/centre/DutyView.vue'), meta: { title: 'title.duty', theme: 'light', staff: true } },
    { path: '/desk/evaluate', component: () => import('./views/desk/EvaluateView.vue'), meta: { title: 'title.evaluate', theme: 'light', staff: true } },
    { path: '/desk/running', component: () => import('./views/desk/RunningView.vue'), meta: { title: 'title.running', theme: 'light', staff: true } },
    { path: '/whatif', component: () => import('./views/whatif/WhatIfView.vue'), meta: { title: 'title.whatif', theme: 'light', staff: true } },
    { path: '/brief', component: () => import('./views/centre/BriefView.vue'), meta: { title: 'title.brief', theme: 'light', staff: true } },
    { path: '/desk/case/:id', component: () => import('./views/desk/CaseView.vue'), meta: { title: 'title.case', theme: 'light', staff: true } },
    { path: '/data', component: () => import('./views/data/DataView.vue'), meta: { title: 'title.data', theme: 'light', staff: true } },
    { path: '/field', component: () => import('./views/field/FieldView.vue'), meta: { title: 'title.field', theme: 'light', bare: true, staff: true, phone: true } },
    { path: '/field/task/:id', component: () => import('./views/field/TaskView.vue'), meta: { title: 'title.task', theme: 'light', bare: true, staff: true, phone: true } },
    { path: '/citizen', component: () => import('./views/citizen/CitizenView.vue'), meta: { title: 'title.citizen', theme: 'light', bare: true, phone: true } },
    { path: '/follow/:secret', component: () => import('./views/citizen/FollowView.vue'), meta: { title: 'title.follow', theme: 'light', bare: true } },
    { path: '/lab', component: () => import('./views/lab/LabView.vue'), meta: { title: 'title.lab', theme: 'light' } },
    { path: '/lab/lessons', component: () => import('./views/lab/lessons/LessonsView.vue'), meta: { title: 'title.lessons', theme: 'light', staff: true } },
    { path: '/lab/lessons/:attempt', component: () => import('./views/lab/lessons/AttemptView.vue'), meta: { title: 'title.attempt', theme: 'light', staff: true } },
    { path: '/login', component: () => import('./views/login/LoginView.vue'), meta: { title: 'title.login', theme: 'light' } },
    { path: '/:lost(.*)*', component: () => import('./views/login/LostView.vue'), meta: { title: 'title.lost', theme: 'light' } },
  ],
})

router.beforeEach(async (to) => {
  const city = useCity()
  const session = useSession()
  const reads: Promise<void>[] = []
  if (!city.city) reads.push(city.load())
  if (!session.known) reads.push(session.load())
  await Promise.all(reads)
  if (to.path === '/') return session.home(city.sandbox)
  if (to.meta.staff && city.city && !city.sandbox && session.known && !session.problem && !session.signed) return { path: '/login', query: { next: to.fullPath } }
  return true
})

export function dress(title: string, theme: 'dark' | 'light') {
  document.documentElement.dataset.theme = theme
  document.title = `${words.global.t(title)} · ${words.global.t('app.name')}`
}
