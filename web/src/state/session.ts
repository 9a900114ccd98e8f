// Who is signed in, and where that role is at home.
import { defineStore } from 'pinia'
import { computed, ref } from 'vue'
import { asProblem, type Problem } from '@/api/http'
import { closeSession, openSession, readSession, type Principal } from '@/api/session'
import { recall, remember } from './remembered'

const HOMES: [string, string][] = [
  ['duty_officer', '/screen'],
  ['leader', '/screen'],
  ['dispatcher', '/desk/queue'],
  ['acceptor', '/desk/queue'],
  ['checker', '/desk/queue'],
  ['steward', '/data'],
  ['handler', '/field'],
  ['department', '/desk/queue'],
  ['collector', '/field'],
  ['admin', '/screen'],
]

const WHO = 'zs.who'

export const useSession = defineStore('session', () => {
  const principal = ref<Principal | null>(null)
  const known = ref(false)
  const problem = ref<Problem | null>(null)

  const roles = computed(() => principal.value?.roles.map((r) => r.role) ?? [])
  const staff = computed(() => roles.value.some((role) => HOMES.some(([name]) => name === role)))
  const signed = computed(() => principal.value !== null && !roles.value.every((role) => role === 'guest'))
  const is = (...names: string[]) => names.some((name) => roles.value.includes(name))

  /** Without a network it is who was here last: their own tasks open, and what they do waits to be sent. */
  async function load() {
    try {
      principal.value = (await readSession()).principal
      problem.value = null
      remember(WHO, principal.value)
    } catch (error) {
      problem.value = asProblem(error)
      if (problem.value.code === 'unreachable') principal.value ??= recall<Principal>(WHO)
    }
    known.value = true
  }
  addEventListener('online', () => problem.value && void load())

  async function signIn(account: string, password: string) {
    principal.value = (await openSession(account, password)).principal
    problem.value = null
    remember(WHO, principal.value)
    known.value = true
  }

  async function signOut() {
    await closeSession()
    remember(WHO, null)
    principal.value = null
    await load()
  }

  function home(sandbox: boolean): string {
    const own = HOMES.find(([role]) => roles.value.includes(role))
    if (own) return own[1]
    return sandbox && !is('citizen') ? '/screen' : '/citizen'
  }

  return { principal, known, problem, roles, staff, signed, is, load, signIn, signOut, home }
})
