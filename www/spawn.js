// Starts the worker in which the node lives; the lab's if it records or replays. Where the page's policy
// asks for trusted types, these script URLs are the only ones that this page ever makes.
const urls = ['./worker.js', './lab-worker.js'].map((path) => new URL(path, import.meta.url).href);
const policy = globalThis.trustedTypes?.createPolicy('sporenet', {
  createScriptURL: (wanted) => {
    if (!urls.includes(wanted)) throw new TypeError('only the node\'s own worker may be started');
    return wanted;
  },
});

export const spawn = (lab) => {
  const url = urls[lab ? 1 : 0];
  return new Worker(policy ? policy.createScriptURL(url) : url, { type: 'module', name: 'sporenet' });
};
