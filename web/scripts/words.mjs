// Fails when the two word lists differ in keys or in the {particulars} a sentence takes, or when a view asks for a key that neither has.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

const wrong = []
const here = new URL('../src/', import.meta.url).pathname
function read(language) {
  const whole = {}
  for (const file of readdirSync(join(here, 'words', language))) {
    for (const [section, words] of Object.entries(JSON.parse(readFileSync(join(here, 'words', language, file), 'utf8')))) {
      if (section in whole) wrong.push(`${language}/${file}: ${section} stands in another file too`)
      whole[section] = words
    }
  }
  return whole
}

function flat(tree, prefix = '') {
  return Object.entries(tree).flatMap(([key, value]) =>
    typeof value === 'object' ? flat(value, `${prefix}${key}.`) : [[`${prefix}${key}`, value]],
  )
}

function files(folder) {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) =>
    entry.isDirectory() ? files(join(folder, entry.name)) : [join(folder, entry.name)],
  )
}

const zh = new Map(flat(read('zh')))
const en = new Map(flat(read('en')))
for (const key of zh.keys()) if (!en.has(key)) wrong.push(`en lacks ${key}`)
for (const key of en.keys()) if (!zh.has(key)) wrong.push(`zh lacks ${key}`)
const particulars = (text) => [...new Set([...text.matchAll(/\{(\w+)\}/g)].map((m) => m[1]))].sort().join()
for (const [key, text] of zh) {
  if (!String(text).trim()) wrong.push(`zh: ${key} is empty`)
  if (en.has(key) && particulars(text) !== particulars(en.get(key))) wrong.push(`${key}: particulars differ`)
}
let used = 0
for (const file of files(here).filter((name) => /\.(vue|ts)$/.test(name))) {
  for (const match of readFileSync(file, 'utf8').matchAll(/(?<![\w$.])\$?t\(\s*'([\w.]+)'/g)) {
    used += 1
    if (!zh.has(match[1])) wrong.push(`${file.slice(here.length)} asks for ${match[1]}`)
  }
}
if (wrong.length) {
  console.error(wrong.join('\n'))
  process.exit(1)
}
console.log(`${zh.size} words in both languages, ${used} uses checked`)
