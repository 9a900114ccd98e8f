// Who is here, with which roles.
import { get, send } from './http'

export interface RoleOf {
  role: string
  area: string
}

export interface Principal {
  id: string
  account?: string
  name?: string
  name_zh?: string
  name_en?: string
  roles: RoleOf[]
  demo?: boolean
  unit?: string | null
}

export interface DemoAccount {
  account: string
  name_zh: string
  name_en: string
  role: string
  area: string
  password: string
}

export const readSession = () => get<{ principal: Principal | null }>('/api/session')
export const openSession = (account: string, password: string) =>
  send<{ principal: Principal }>('POST', '/api/session', { account, password })
export const closeSession = () => send<unknown>('DELETE', '/api/session')
export const readDemoAccounts = () => get<{ accounts: DemoAccount[] }>('/api/session/demo')
