// Writes the service worker of a build: which files the phone's pages are made of, and a version that changes with any of them.
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { Plugin, Rolldown } from 'vite'

/** The views that must open without a network. What only the desk, the screen and the map need is left out. */
const PHONE = /\/src\/(main\.ts|views\/(field|citizen|login)\/\w+View\.vue)$/

function filesOf(bundle: Rolldown.OutputBundle): string[] {
  const chunks = Object.values(bundle).filter((one) => one.type === 'chunk')
  const found = new Set<string>()
  const walk = (name: string) => {
    const chunk = bundle[name]
    if (found.has(name) || chunk?.type !== 'chunk') return
    found.add(name)
    for (const css of chunk.viteMetadata?.importedCss ?? []) found.add(css)
    chunk.imports.forEach(walk)
  }
  for (const chunk of chunks) if (chunk.isEntry || PHONE.test(chunk.facadeModuleId ?? '')) walk(chunk.fileName)
  return [...found, 'favicon.svg'].sort()
}

export function serviceWorker(): Plugin {
  return {
    name: 'zs-service-worker',
    apply: 'build',
    enforce: 'post',
    generateBundle: {
      order: 'post',
      handler(_options, bundle) {
        const files = filesOf(bundle)
        const source = readFileSync(new URL('./sw.js', import.meta.url), 'utf8')
        const shell = bundle['index.html']
        if (shell?.type !== 'asset') throw new Error('the page has no shell yet')
        const told = JSON.stringify([files, source, String(shell.source)])
        const version = createHash('sha256').update(told).digest('hex').slice(0, 16)
        this.emitFile({ type: 'asset', fileName: 'sw.js', source: source.replace('__RELEASE__', () => JSON.stringify({ version, files })) })
      },
    },
  }
}
