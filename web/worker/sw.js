// Opens the phone's pages (/field, /citizen) where there is no network: their shell and its hashed files, of one release at a time.
// It must never keep an answer of the API, nor know what a page does: what a worker or a citizen still has to send is kept by the page itself.
// The build puts the release in place of the word below: its version, and the files those pages are made of, relative to where this file is served.
const RELEASE = __RELEASE__

const NAME = 'zs-page-'
const CACHE = NAME + RELEASE.version
const HOME = new URL('./', self.location.href)
const WAIT_MS = 3000
/** Paths below home that open on a phone; every other one is left to the network alone. */
const PAGES = /^(|field(\/.*)?|citizen|login)$/
const files = new Set(RELEASE.files)

/** A release is kept whole or not at all: it takes over once every file of it is here. */
async function keep() {
  const cache = await caches.open(CACHE)
  await cache.addAll([new Request(HOME, { cache: 'reload' }), ...RELEASE.files.map((file) => new Request(new URL(file, HOME)))])
  await self.skipWaiting()
}

async function takeOver() {
  for (const name of await caches.keys()) if (name.startsWith(NAME) && name !== CACHE) await caches.delete(name)
  await self.clients.claim()
}

async function kept(of) {
  return (await caches.open(CACHE)).match(of, { ignoreVary: true })
}

/** The network's page, so that no old one stays; the one kept here if none comes in time or the service is not well. */
async function page(request) {
  let over
  const late = new Promise((_resolve, reject) => (over = setTimeout(() => reject(new Error('late')), WAIT_MS)))
  const asked = fetch(request)
  asked.catch(() => {})
  try {
    const answer = await Promise.race([asked, late])
    if (answer.status < 500) return answer
  } catch {
    // What is kept is shown.
  } finally {
    clearTimeout(over)
  }
  return (await kept(HOME)) ?? asked
}

const asset = async (request) => (await kept(request)) ?? fetch(request)

self.addEventListener('install', (event) => event.waitUntil(keep()))
self.addEventListener('activate', (event) => event.waitUntil(takeOver()))
self.addEventListener('fetch', (event) => {
  const { request } = event
  const url = new URL(request.url)
  if (request.method !== 'GET' || url.origin !== HOME.origin || !url.pathname.startsWith(HOME.pathname)) return
  const path = url.pathname.slice(HOME.pathname.length)
  if (request.mode === 'navigate' && PAGES.test(path)) event.respondWith(page(request))
  else if (files.has(path)) event.respondWith(asset(request))
})
