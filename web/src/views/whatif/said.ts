// What engines' attributes, values and changes are called before people; what has no word stays as the model calls it.
import { useI18n } from 'vue-i18n'
import type { Exchange, Lever, Model, Wish } from '@/api/foresight'
import { figure, unitOf } from '@/say/number'
import { usePick } from '@/say/pick'
import { minutes } from './question'

const DIGITS = 5

export function useSaid() {
  const { t, te, locale } = useI18n()
  const say = usePick()
  const comma = () => (locale.value === 'en' ? ', ' : '、')
  const role = (name: string) => (te(`whatif.role.${name}`) ? t(`whatif.role.${name}`) : name)
  const key = (what: string) => what.replace('.', '_')
  const attribute = (what: string) => (te(`whatif.attr.${key(what)}`) ? t(`whatif.attr.${key(what)}`) : what)
  const property = (name: string) => (te(`whatif.property.${key(name)}`) ? t(`whatif.property.${key(name)}`) : name)

  /** "降雨 120 mm/h", "道路：封闭". */
  function setting(what: string, value: number, unit: string): string {
    const word = `whatif.value.${key(what)}_${value}`
    if (te(word)) return t(word)
    const less = `whatif.less.${key(what)}`
    if (value < 0 && te(less)) return t(less, { n: figure(-value), unit: unitOf(unit) })
    return unit === '1' ? `${attribute(what)} ${figure(value * 100, 0)}%` : `${attribute(what)} ${figure(value)} ${unitOf(unit)}`
  }
  function where(wish: Pick<Wish, 'at' | 'of'>, lever: Lever | undefined): string {
    if (wish.of.length) return wish.of.join(comma())
    if (!wish.at) return lever?.draws === 'nothing' ? t('whatif.everywhere') : ''
    if (wish.at.type === 'Point') return (wish.at.coordinates as number[]).map((n) => n.toFixed(DIGITS)).join(', ')
    return t(`whatif.drawn.${wish.at.type === 'LineString' ? 'line' : 'area'}`)
  }
  function span(wish: Pick<Wish, 'begin' | 'until'>): string {
    const from = minutes(wish.begin)
    return wish.until ? t('whatif.span', { from, until: minutes(wish.until) }) : t('whatif.spanOn', { from })
  }
  function amount(wish: Pick<Wish, 'amount'>, lever: Lever | undefined): string {
    return wish.amount === null ? '' : `${figure(wish.amount)} ${unitOf(lever?.unit)}`
  }
  const because = (line: Exchange) => line.because.map(([name, value]) => `${name}${locale.value === 'en' ? ' ' : ''}${locale.value === 'en' ? `(${figure(value)})` : `（${figure(value)}）`}`).join(comma())
  /** A line of the log in words, but for its time. */
  function exchange(line: Exchange, models: Model[]): string {
    const unit = models.find((one) => one.name === line.model)?.inputs[line.set] ?? '1'
    const told = { role: role(line.model), object: line.object, what: setting(line.set, line.value, unit) }
    if (line.by === 'change') return t('whatif.log.change', told)
    if (!line.because.length) return t('whatif.log.over', { ...told, rule: line.by })
    return t('whatif.log.rule', { ...told, rule: line.by, because: because(line) })
  }
  const lever = (id: string, levers: Lever[]) => {
    const found = levers.find((one) => one.id === id)
    return { found, name: found ? say(found, '') : id }
  }
  return { role, attribute, property, setting, where, span, amount, exchange, lever, comma }
}
