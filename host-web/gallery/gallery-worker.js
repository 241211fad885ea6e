import init, { gallery_main } from './app.js';

await init();
gallery_main(new URLSearchParams(location.search).get('scene') ?? 'healthy');
