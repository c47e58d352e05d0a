// The page can be installed, wherever it is and by whichever of its addresses it was opened; and a browser that has been here asks for next to nothing again.
// Neighbours: www/manifest.webmanifest, tests/page.sh; source.test.js looks at the files, ../http/files.test.js at their headers.
import assert from 'node:assert/strict';
import { describe } from 'node:test';
import { stand, test } from './stand.js';

for (const mount of ['', '/parley']) describe(`at ${mount || 'the top'}`, () => {
  const at = stand({ mount, settings: { PARLEY_PREFIX: mount } });

  for (const path of ['/', '/conversation/no-such-one', '/login']) test(`Chromium would install the page opened at ${path}`, async (t) => {
    const page = await at.open(t, { path, allow: /404/ });
    const devtools = await page.context().newCDPSession(page);
    const { url, errors, data, manifest } = await devtools.send('Page.getAppManifest');
    assert.equal(url, `${at.s.url}/manifest.webmanifest`);
    assert.deepEqual(errors, []);
    assert.equal(JSON.parse(data).name, 'Parley');
    const { appId } = await devtools.send('Page.getAppId');
    assert.equal(appId, `${at.s.url}/`);
    for (const name of ['startUrl', 'scope', 'id']) assert.equal(manifest[name], `${at.s.url}/`, name);
    assert.equal(manifest.shareTarget.action, `${at.s.url}/`);
    const { installabilityErrors } = await devtools.send('Page.getInstallabilityErrors');
    assert.deepEqual(installabilityErrors.filter(({ errorId }) => errorId !== 'in-incognito'), []);
  });

  test('what another program shares is in the box, and is not sent', async (t) => {
    const page = await at.open(t, { path: '/?q=Read%20this' });
    assert.equal(await page.getByRole('textbox', { name: 'Message' }).inputValue(), 'Read this');
    assert.equal(at.p.chats.length, 0);
  });

  test('what this browser keeps is this installation\'s own', async (t) => {
    const page = await at.open(t);
    await page.locator('html[data-ready="all"]').waitFor();
    await page.getByRole('textbox', { name: 'Message' }).fill('Half a thought');
    const prefix = mount ? `parley:${mount}/:` : 'parley.';
    const keys = await page.evaluate(() => [...Object.keys(localStorage), ...Object.keys(sessionStorage)]);
    assert.deepEqual(keys.filter((key) => !key.startsWith(prefix)), []);
    assert.equal(await page.evaluate((key) => localStorage.getItem(key), `${prefix}draft.`), 'Half a thought');
  });

  test('a second visit takes the files from the browser, and asks only for the page', async (t) => {
    const first = await at.open(t);
    const context = first.context();
    await first.locator('html[data-ready="all"]').waitFor();
    await first.waitForLoadState('networkidle');             // Markdown comes after that
    const page = await at.open(t, { context });
    await page.locator('html[data-ready="all"]').waitFor();
    const loaded = await page.evaluate(() => performance.getEntriesByType('resource').map(({ name, transferSize }) => ({ name, transferSize })));
    const files = loaded.filter(({ name }) => name.includes('/assets/'));
    assert.ok(files.length > 10, `${files.length}`);
    assert.deepEqual(files.filter(({ transferSize }) => transferSize > 0), []);
    assert.equal(await page.evaluate(() => performance.getEntriesByType('navigation')[0].responseStatus), 200);
    await page.close();
  });
});
