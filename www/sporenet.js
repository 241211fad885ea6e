// The script API: import { join } from './sporenet.js'. Types: sporenet.d.ts; guide: docs/web-api.md.
import init, { join as joinMesh } from './app.js';
import { spawn } from './spawn.js';

let ready;

export async function join(link, options) {
  ready ??= init();
  await ready;
  return joinMesh(spawn, link ?? undefined, options ?? undefined);
}
