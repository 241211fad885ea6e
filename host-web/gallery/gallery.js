// The console over a worker that makes its snapshots up; docs/console.md lists the scenes.
import init, { ui_main } from './app.js';

const url = '/gallery-worker.js' + location.search;
const policy = globalThis.trustedTypes?.createPolicy('sporenet', { createScriptURL: (wanted) => wanted });

await init();
ui_main(() => new Worker(policy ? policy.createScriptURL(url) : url, { type: 'module' }));
