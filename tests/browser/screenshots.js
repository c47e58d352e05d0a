// Takes a picture of every state of the page: `make screenshots`, into build/screenshots/ (which git ignores), desktop and phone, light and dark.
// `make screenshots SCENES='usage parts'` takes some. Neighbours: scenes.js has the states. Leaves out: comparing; people look at them.
import { mkdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { startProvider } from '../provider/provider.js';
import { startServer } from '../http/server.js';
import { launch, openPage } from './stand.js';
import { openScene, SCENES } from './scenes.js';

const FOLDER = fileURLToPath(new URL('../../build/screenshots/', import.meta.url));
const wanted = process.argv.slice(2);
const SIZES = { desktop: { viewport: { width: 1280, height: 860 } }, phone: { viewport: { width: 390, height: 780 }, hasTouch: true, isMobile: true, phone: true } };

mkdirSync(FOLDER, { recursive: true });
const at = { p: await startProvider(), browser: await launch() };
at.s = await startServer({ settings: { LLM_BASE_URL: at.p.url, RETRIES: '0' } });
at.open = (t, more) => openPage(at, t, more);
for (const scene of SCENES) {
  if (wanted.length > 0 && !wanted.includes(scene.name)) continue;
  for (const [size, options] of Object.entries(SIZES)) {
    for (const colorScheme of ['light', 'dark']) {
      const after = [];
      const t = { after: (done) => after.push(done) };
      at.p.reset(null);
      try {
        const page = await openScene(at, t, scene, { ...options, colorScheme });
        await page.screenshot({ path: `${FOLDER}${scene.name}-${size}-${colorScheme}.png`, animations: 'disabled' });
      } catch (error) {
        console.error(`${scene.name} ${size} ${colorScheme}: ${error.message.split('\n')[0]}`);
        process.exitCode = 1;
      }
      for (const done of after) await Promise.resolve().then(done).catch((error) => { console.error(`${scene.name}: ${error.message}`); process.exitCode = 1; });
    }
  }
  console.log(scene.name);
}
await at.browser.close();
await at.s.stop();
await at.p.stop();
