// Starts the worker in which the node lives. Where the page's policy asks for trusted types, this script
// URL is the only one that this page ever makes.
const url = new URL('./worker.js', import.meta.url).href;
const policy = globalThis.trustedTypes?.createPolicy('sporenet', {
  createScriptURL: (wanted) => {
    if (wanted !== url) throw new TypeError('only the node\'s own worker may be started');
    return wanted;
  },
});

export const spawn = () =>
  new Worker(policy ? policy.createScriptURL(url) : url, { type: 'module', name: 'sporenet' });
