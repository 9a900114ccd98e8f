// Builds the page into the Python package. Chromium 100 is the oldest browser; map and chart code stay in chunks of their own.
import { fileURLToPath, URL } from 'node:url'
import vue from '@vitejs/plugin-vue'
import { defineConfig } from 'vite'
import { serviceWorker } from './worker/release'

export default defineConfig({
  base: '/',
  plugins: [vue(), serviceWorker()],
  resolve: { alias: { '@': fileURLToPath(new URL('./src', import.meta.url)) } },
  build: {
    outDir: fileURLToPath(new URL('../src/zhongshu/static', import.meta.url)),
    emptyOutDir: true,
    target: 'chrome100',
    cssTarget: 'chrome100',
    assetsDir: 'assets',
    chunkSizeWarningLimit: 1400,
  },
})
