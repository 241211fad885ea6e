// The console's side of the wasm module.
import init, { ui_main } from './app.js';
import { spawn } from './spawn.js';

try {
  await init();
  ui_main(spawn);
} catch (error) {
  const note = document.getElementById('boot-note');
  if (note) note.textContent = 'This browser could not start the console: ' + error;
  throw error;
}
