// The console's side of the wasm module.

// A join link is a secret: it leaves the address bar and the history before anything else is done,
// whether or not the rest can be loaded.
const link = location.hash.startsWith('#spore=') && location.hash.length > 7 ? location.href : undefined;
if (link) history.replaceState(null, '', location.pathname + location.search);

const say = (text) => {
  const note = document.getElementById('boot-note');
  if (note) note.textContent = text;
};

try {
  if (typeof WebAssembly !== 'object') throw new Error('it has no WebAssembly');
  const [{ default: init, ui_main }, { spawn }] = await Promise.all([
    import('./app.js'), import('./spawn.js'),
  ]).catch((error) => { throw Object.assign(error, { unloaded: true }); });
  // A wasm file that can't be fetched is a TypeError, one that can't be compiled a CompileError.
  await init().catch((error) => { throw Object.assign(error, { unloaded: error instanceof TypeError }); });
  ui_main(spawn, link);
} catch (error) {
  // Kept for this tab, so that the next try has it.
  try { if (link) sessionStorage.setItem('sporenet.link', link); } catch { /* storage is blocked */ }
  say(error.unloaded
    ? 'The console could not be loaded: check that the relay still runs and can be reached, then reload this page. ('
      + error.message + ')'
    : 'This browser could not start the console: ' + error.message
      + '. Use a current version of Firefox, Chrome, Edge or Safari.');
  throw error;
}
