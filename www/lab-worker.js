// The node's side of the wasm module that records and replays.
import init, { node_main } from './lab.js';

// As in worker.js: a trap inside a promise must reach the page as an error.
addEventListener('unhandledrejection', (event) => {
  setTimeout(() => { throw event.reason; });
});

await init();
node_main();
