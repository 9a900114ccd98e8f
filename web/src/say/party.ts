// What a unit or party is called before this reader: its name in their language; where nobody told one, the code for staff and nothing for citizens.
import { useI18n } from 'vue-i18n'
import { useCity } from '@/state/city'
import { useSession } from '@/state/session'
import { shortId, useUnits } from '@/state/units'
import { take } from './pick'

/** What stands for a name and is none: an id or the name of a source, without one Chinese sign where the Chinese name should be. */
const bare = (said: string) => /^[a-z0-9][\w.:-]*$/.test(said)

export type Party = (told: string | null | undefined, row?: object | null, stem?: string) => string

/** `const party = useParty(); party(vital.owner)` asks the register; `party(one.holder, one)` takes the row's own holder_zh or holder_en first, if it is a name. */
export function useParty(): Party {
  const { t, locale } = useI18n()
  const units = useUnits()
  const session = useSession()
  const city = useCity()
  if (session.staff || (city.sandbox && !session.is('citizen'))) void units.load()
  return (told, row, stem = 'holder') => {
    const said = take(row, stem, locale.value)
    const code = told ? shortId(told) : units.coded(said) ? said : ''
    if (said && said !== code) return bare(take(row, stem, 'zh')) ? units.named(said, locale.value) || t('party.elsewhere') : said
    return units.named(code, locale.value) || (session.staff ? code : '')
  }
}
