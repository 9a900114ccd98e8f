// Lets the phone's pages open again without a network, where the browser can: a service worker keeps their shell (`worker/sw.js`).
// Nothing relies on it: other apps' web views and pages without TLS have none, and everything works there as before.

let asked = false

export function keepPage() {
  if (asked || !import.meta.env.PROD) return
  asked = true
  try {
    navigator.serviceWorker?.register(`${import.meta.env.BASE_URL}sw.js`).catch(console.warn)
  } catch (error) {
    console.warn(error)
  }
}
