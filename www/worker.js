// The node's side of the wasm module.
import init, { node_main } from './app.js';

// A trap inside a promise must reach the page as an error, as one outside does: it starts a new worker.
addEventListener('unhandledrejection', (event) => {
  setTimeout(() => { throw event.reason; });
});

await init();
node_main();
