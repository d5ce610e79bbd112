import { fileURLToPath } from 'node:url';
import tailwindcss from '@tailwindcss/vite';
import react from '@vitejs/plugin-react';
import { defineConfig } from 'vitest/config';

const gateway = process.env.VITE_GATEWAY ?? 'http://127.0.0.1:8400';

// Envoy allows only the hosts it knows, so the proxy speaks under the gateway's name.
const toGateway = { target: gateway, changeOrigin: true };
const proxy = { '/v1': toGateway, '^/musicgen\\.api\\.': toGateway };

export default defineConfig({
  plugins: [react(), tailwindcss()],
  resolve: { alias: { '@': fileURLToPath(new URL('./src', import.meta.url)) } },
  server: { host: '127.0.0.1', proxy },
  preview: { host: '127.0.0.1', proxy },
  build: {
    target: 'es2022',
    // Files of our own instead of data: URLs, so that a strict CSP can stand.
    assetsInlineLimit: 0,
  },
  test: {
    environment: 'happy-dom',
    include: ['src/**/*.test.{ts,tsx}'],
    setupFiles: ['src/testing/setup.ts'],
    restoreMocks: true,
    testTimeout: 30_000, // a busy machine is slow; what hangs still fails
    coverage: {
      provider: 'v8',
      include: ['src/**/*.{ts,tsx}'],
      exclude: [
        'src/gen/**', // generated from the protos
        'src/main.tsx', // four lines that need a real browser; the e2e tests run them
        'src/testing/**', // what the tests stand on
        'src/**/*.test.{ts,tsx}',
      ],
      reporter: ['text', 'lcovonly'],
      thresholds: { lines: 80 },
    },
  },
});
