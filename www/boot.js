// The console's side of the wasm module: of `lab` while this tab records, else of `app`.
import { spawn } from './spawn.js';

let lab = false;
try { lab = sessionStorage.getItem('sporenet.record') !== null; } catch { /* no storage, no recording */ }

try {
  const { default: init, ui_main } = await import(lab ? './lab.js' : './app.js');
  await init();
  ui_main(spawn);
} catch (error) {
  const note = document.getElementById('boot-note');
  if (note) note.textContent = 'This browser could not start the console: ' + error;
  throw error;
}
