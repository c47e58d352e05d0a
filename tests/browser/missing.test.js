// Parts of the page that cannot be fetched, for a moment or for good: modules of the beginning, the configuration, dialogs, what draws answers. And dialogs that are
// asked for twice while they are on their way.
// Neighbours: stand.js; trouble.test.js has what fails on the way to an answer, light.test.js what is fetched when.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, describe } from 'node:test';
import { gate, simple } from '../provider/provider.js';
import { answerIs, eventually, idle, partsOf, say, stand, test, TEXTS } from './stand.js';

const dir = mkdtempSync(path.join(tmpdir(), 'parley-missing-'));
after(() => rmSync(dir, { recursive: true, force: true }));
writeFileSync(path.join(dir, 'theme.json'), JSON.stringify({ themes: { light: { colors: { background: '#fffbf6', foreground: '#221100', primary: '#7a4010' } } } }));
writeFileSync(path.join(dir, 'parley.json'), JSON.stringify({
  theme: 'theme.json',
  ui: { debug_mode: true },
  feedback: { like: { enabled: false }, dislike: { enabled: true, form: { title: 'What was wrong?', type: 'object', properties: { reason: { type: 'string', title: 'Reason' } } } } },
}));

const at = stand({ settings: { RETRIES: '0', PARLEY_JSON: path.join(dir, 'parley.json') } });
const allow = /Failed to (load resource|fetch dynamically imported module)|net::ERR_|favicon\.ico/;

/** From now on requests for `pattern` fail; `mend()` ends that. */
async function missing(page, pattern) {
  let isBad = true;
  let count = 0;
  await page.route(pattern, (route) => {
    if (!isBad) return route.continue();
    count += 1;
    return route.abort();
  });
  return { mend: () => { isBad = false; }, get count() { return count; } };
}

/** A page that lacks what `pattern` names from its beginning; `go()` opens it. */
async function openWithout(t, pattern, { path: where = '/', ...options } = {}) {
  const page = await at.open(t, { path: '/favicon.svg', allow, ...options });
  const lack = await missing(page, pattern);
  const go = async () => {
    await page.goto(at.s.url + where, { waitUntil: 'commit' });
    await page.locator('html[data-ready]').waitFor();
  };
  return { page, lack, go };
}

/** Whether this browser fetches a module again that it could not have. Before 2026 Chromium kept the failure until a reload. */
async function fetchesAgain(page) {
  let isFirst = true;
  await page.route(/js\/probe\.js/, (route) => {
    if (!isFirst) return route.fulfill({ contentType: 'text/javascript', body: 'export {};' });
    isFirst = false;
    return route.abort();
  });
  return page.evaluate(() => import('/js/probe.js').catch(() => import('/js/probe.js')).then(() => true, () => false));
}

const reload = (page) => page.getByRole('button', { name: 'Reload' }).click();
const ready = (page) => page.locator('html[data-ready="all"]').waitFor();
const background = (page) => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
const looks = (page, name) => page.evaluate((file) => [...document.styleSheets].filter((sheet) => sheet.href?.endsWith(file)).length, `/css/${name}.css`);
const look = (page) => page.evaluate(() => document.dispatchEvent(new Event('visibilitychange')));

describe('a module of the beginning', () => {
  test('that fails for a moment is fetched again, and what was sent is asked', async (t) => {
    at.p.respond(simple('Here I am'));
    const { page, lack, go } = await openWithout(t, /js\/sidebar\.js/);
    await go();
    await say(page, 'Quick!');
    await eventually(() => lack.count >= 1, 'it has failed');
    lack.mend();
    if (!await fetchesAgain(page)) {
      await reload(page);
      await ready(page);
      assert.equal(await partsOf(page).box.inputValue(), 'Quick!');
      await partsOf(page).box.press('Enter');
    }
    await answerIs(page, 'Here I am');
    await ready(page);
    assert.equal(await partsOf(page).box.inputValue(), '');
    assert.equal(await page.locator('#connection').isVisible(), false);
    assert.equal(at.p.chats.length, 1);
  });

  test('that stays away: the text comes back, a sentence says so, and Send or a reload tries again', async (t) => {
    at.p.respond(simple('At last'));
    const { page, lack, go } = await openWithout(t, /js\/sidebar\.js/);
    const { box } = partsOf(page);
    await go();
    await say(page, 'Precious words');
    await page.locator('#connection').getByText('could not be loaded').waitFor();
    await eventually(async () => await box.inputValue() === 'Precious words', 'the text is in the box');
    await eventually(async () => /could not be loaded/.test(await partsOf(page).alert.textContent()), 'it is said');
    await reload(page);
    await page.locator('#connection').getByText('could not be loaded').waitFor();
    assert.equal(await box.inputValue(), 'Precious words', 'over a reload too');
    lack.mend();
    if (!await fetchesAgain(page)) await reload(page).then(() => ready(page));
    await box.press('Enter');
    await answerIs(page, 'At last');
    await idle(page);
    assert.equal(await box.inputValue(), '');
    assert.equal(await page.locator('#connection').isVisible(), false, 'the sentence is gone');
    assert.equal(at.p.chats.length, 1);
    assert.equal(await partsOf(page).questions.count(), 1);
  });

  test('that stays away is fetched when the network is back', async (t) => {
    const { page, lack, go } = await openWithout(t, /js\/chat\.js/, { locale: 'de-DE' });
    await go();
    await page.getByRole('button', { name: 'Neu laden' }).waitFor();
    lack.mend();
    await page.evaluate(() => dispatchEvent(new Event('online')));
    await ready(page);
    assert.equal(await page.locator('#connection').isVisible(), false);
  });
});

test('the looks of answers that fail at the beginning come with a later look', async (t) => {
  const { page, lack, go } = await openWithout(t, /css\/answer\.css/);
  await go();
  await ready(page);
  assert.equal(await looks(page, 'answer'), 0);
  lack.mend();
  await look(page);
  await eventually(async () => await looks(page, 'answer') === 1, 'they have come');
});

describe('the configuration', () => {
  test('that fails once takes nothing away, and comes with a later look', async (t) => {
    at.p.respond(simple('Said'));
    const page = await at.open(t, { allow, colorScheme: 'light' });
    await eventually(async () => await background(page) === 'rgb(255, 251, 246)', 'the theme is there');
    await say(page, 'Hello');
    await answerIs(page, 'Said');
    await idle(page);
    const lack = await missing(page, /\/(api\/config|v1\/models)$/);
    await page.reload();
    await ready(page);
    await answerIs(page, 'Said');
    await eventually(() => lack.count >= 2, 'both have failed');
    await page.getByRole('button', { name: 'Regenerate' }).waitFor();
    assert.equal(await background(page), 'rgb(255, 251, 246)', 'the theme stays');
    assert.ok(await page.evaluate(() => localStorage.getItem('parley.look')), 'and is there at the next visit');
    assert.equal(await page.getByRole('button', { name: 'Good answer' }).count(), 0, 'what is switched off is not shown');
    lack.mend();
    const models = page.waitForResponse(/v1\/models$/);
    await look(page);
    await page.getByRole('button', { name: 'Bad answer' }).waitFor();
    await (await models).finished();
    await page.locator('#model').waitFor();
    await page.evaluate(() => new Promise((resolve) => setTimeout(resolve)));
    assert.equal(await page.getByRole('button', { name: 'Good answer' }).count(), 0);
    const asked = [];
    page.on('request', (request) => asked.push(request.url()));
    const list = page.waitForResponse(/\/conversations\?/);
    await look(page);
    await list;
    assert.deepEqual(asked.filter((url) => /config|models/.test(url)), [], 'once it is there nobody asks again');
  });
});

describe('a dialog', () => {
  const KINDS = {
    Settings: { file: /js\/preferences\.js/, opened: (page) => page.getByRole('dialog', { name: 'Settings' }) },
    Usage: { file: /js\/usage\.js/, opened: (page) => page.getByRole('dialog', { name: 'Usage' }) },
    Events: { file: /js\/debug\.js/, opened: (page) => page.getByRole('complementary', { name: 'Events' }) },
    'Bad answer': { file: /js\/forms\.js/, opened: (page) => page.getByRole('dialog', { name: 'What was wrong?' }), isBelowAnswer: true },
  };

  for (const [name, { file, opened, isBelowAnswer }] of Object.entries(KINDS)) {
    test(`that cannot be fetched says so: ${name}`, async (t) => {
      const page = await at.open(t, { allow });
      if (isBelowAnswer) await exchange(page);
      const lack = await missing(page, file);
      const button = page.getByRole('button', { name, exact: true });
      await button.click();
      await page.getByRole('alert').getByText(TEXTS['error.network']).waitFor();
      assert.equal(await opened(page).count(), 0);
      if (name === 'Events') assert.equal(await button.getAttribute('aria-pressed'), 'false');
      lack.mend();
      await button.click();
      await opened(page).waitFor();
    });

    test(`opens once, however often it is asked for: ${name}`, async (t) => {
      const page = await at.open(t, { allow });
      if (isBelowAnswer) await exchange(page);
      const wait = gate();
      await page.route(file, async (route) => { await wait.wait(); await route.continue(); });
      const button = page.getByRole('button', { name, exact: true });
      await button.dblclick();
      wait.open();
      await opened(page).waitFor();
      await page.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve))));
      assert.equal(await opened(page).count(), 1);
      if (name === 'Events') await button.click();
      else await page.keyboard.press('Escape');
      await opened(page).waitFor({ state: 'detached' });
      if (name === 'Events') return;
      await button.dblclick();                       // now it is there at once
      await opened(page).waitFor();
      await page.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve))));
      assert.equal(await opened(page).count(), 1);
    });
  }

  test('whose looks cannot be fetched opens without them, and has them the next time', async (t) => {
    const page = await at.open(t, { allow });
    const lack = await missing(page, /css\/panels\.css/);
    const settings = page.getByRole('dialog', { name: 'Settings' });
    await page.getByRole('button', { name: 'Settings' }).click();
    await settings.waitFor();
    assert.equal(await looks(page, 'panels'), 0);
    await page.keyboard.press('Escape');
    await settings.waitFor({ state: 'detached' });
    lack.mend();
    await page.getByRole('button', { name: 'Settings' }).click();
    await settings.waitFor();
    await eventually(async () => await looks(page, 'panels') === 1, 'they have come');
  });

  test('Usage by the address opens once', async (t) => {
    const page = await at.open(t);
    const usage = page.getByRole('dialog', { name: 'Usage' });
    await page.evaluate(() => { location.hash = '#usage'; });
    await usage.waitFor();
    await page.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve))));
    assert.equal(await usage.count(), 1);
    await page.keyboard.press('Escape');
    await usage.waitFor({ state: 'detached' });
    assert.equal(new URL(page.url()).hash, '');
  });

  test('the list of keys that cannot be fetched says so, and opens once', async (t) => {
    const page = await at.open(t, { allow });
    const lack = await missing(page, /js\/dialog\.js/);
    await page.locator('#scroller').focus();
    await page.keyboard.press('?');
    await page.getByRole('alert').getByText(TEXTS['error.network']).waitFor();
    lack.mend();
    await page.evaluate(() => { for (let n = 0; n < 2; n++) document.dispatchEvent(new KeyboardEvent('keydown', { key: '?', shiftKey: true })); });
    const keys = page.getByRole('dialog', { name: 'Keyboard shortcuts' });
    await keys.waitFor();
    assert.equal(await keys.count(), 1);
  });

  async function exchange(page) {
    at.p.respond(simple('Said'));
    await say(page, 'Hello');
    await answerIs(page, 'Said');
    await idle(page);
  }
});

describe('what draws answers', () => {
  const TEXT = 'Some **bold** words, $x^2$ and\n\n```python\nx = 1\n```';

  const DRAWN = { 'markdown-it.js': '.message-text strong', 'katex.js': '.message-text .katex', 'katex.css': '.message-text .katex', 'highlight.js': '.message-text .hljs-number', 'python.js': '.message-text .hljs-number' };
  for (const [file, drawn] of Object.entries(DRAWN)) {
    test(`is fetched again: ${file}, after a moment and by a later answer`, async (t) => {
      at.p.respond(simple(TEXT));
      const { page, lack, go } = await openWithout(t, new RegExp(file.replace('.', '\\.')));
      await go();
      await ready(page);
      await say(page, 'One');
      await idle(page);
      await eventually(() => lack.count >= 3, 'it has been tried for a while');
      assert.equal(await page.locator(drawn).count(), 0);
      lack.mend();
      await eventually(async () => {
        if (await page.locator(drawn).count() > 0) return true;
        await say(page, 'Again');
        await idle(page);
        return false;
      }, 'a later answer is drawn', 20);
    });
  }

  test('a moment without the parser: the answer that is there is drawn too', async (t) => {
    at.p.respond(simple(TEXT));
    const { page, lack, go } = await openWithout(t, /markdown-it\.js/);
    await go();
    await eventually(() => lack.count > 0, 'it has failed');
    await ready(page);
    lack.mend();
    await say(page, 'One');
    await partsOf(page).answers.locator('strong').waitFor();
  });

  test('long without the parser: all that is there is drawn at a later look', async (t) => {
    at.p.respond(simple(TEXT));
    const { page, lack, go } = await openWithout(t, /markdown-it\.js/);
    await go();
    await ready(page);
    await say(page, 'One');
    await idle(page);
    await say(page, 'Two');
    await idle(page);
    const given = partsOf(page).answers.locator('.message-text strong');
    await eventually(() => lack.count >= 3, 'nobody tries any more');
    assert.equal(await given.count(), 0);
    lack.mend();
    await eventually(async () => {
      await look(page);
      return await given.count() === 2;
    }, 'both are drawn', 20);
  });
});
