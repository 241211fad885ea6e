// The replay page's side of the wasm module.
import init, { replay_main } from './app.js';
import { spawn } from './spawn.js';

try {
  await init();
  replay_main(spawn);
} catch (error) {
  const note = document.getElementById('boot-note');
  if (note) note.textContent = 'This browser could not start the replay: ' + error;
  throw error;
}
