// How the page looks where a site has a look of its own (parley.json, theme.json), and what people choose: colours, language, paper, motion, narrow screens.
// Neighbours: axe.test.js measures contrast and names, preferences.test.js has the dialog, screenshots.js takes pictures. docs/theme.md says what a site can set.
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, describe } from 'node:test';
import { gate, simple } from '../provider/provider.js';
import { answerIs, eventually, idle, partsOf, say, stand, test } from './stand.js';

const UI = {
  header: { title: 'Ask Ada', subtitle: 'of the library', logo: '📚' },
  welcome_message: '# Welcome\n\nAsk for *anything* we <img src=x onerror="owned = 1"> lend. [Bad](javascript:owned=1) [Good](https://example.invalid/) ![Far](https://example.invalid/x.png)',
  starter_questions: ['When is the library open?', '<b>How</b> do I renew?'],
  meta: { page_title: 'Ada', favicon: '🦉' },
};
const THEME = { themes: { light: { colors: { background: '#fffbf6', foreground: '#221100', primary: '#7a4010' } }, dark: { colors: { background: '#20161f', foreground: '#eeddee' } } } };
const THEMED = { light: 'rgb(255, 251, 246)', dark: 'rgb(32, 22, 31)' };
const OWN = { light: 'rgb(255, 255, 255)', dark: 'rgb(25, 24, 23)' };

const dir = mkdtempSync(path.join(tmpdir(), 'parley-look-'));
after(() => rmSync(dir, { recursive: true, force: true }));
writeFileSync(path.join(dir, 'theme.json'), JSON.stringify(THEME));
writeFileSync(path.join(dir, 'parley.json'), JSON.stringify({ ui: UI, theme: 'theme.json' }));

const background = (page) => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
const set = (page, settings) => page.evaluate((value) => localStorage.setItem('parley.settings', JSON.stringify(value)), settings);
const fits = (page) => page.evaluate(() => document.documentElement.scrollWidth <= innerWidth && document.querySelector('#scroller').scrollWidth <= document.querySelector('#scroller').clientWidth);
const ready = (page) => page.locator('html[data-ready="all"]').waitFor();

/** A page that is at the server but has not opened the page yet, and what opens it; `change(config)` is what the server says of itself. */
async function before(at, t, change, options = {}) {
  const page = await at.open(t, { allow: /favicon\.ico/, ...options, path: '/favicon.svg' });
  if (change) await page.route(/\/api\/config$/, async (route) => route.fulfill({ json: change(await (await route.fetch()).json()) }));
  const go = async () => { await page.goto(at.s.url); await ready(page); };
  return { page, go };
}

/** From the next loading on: the background of each frame. A frame that is not painted is none. */
async function watchFrames(page) {
  await page.addInitScript(() => {
    window.frames_ = [];
    const look = () => {
      if (document.body?.childElementCount > 0) window.frames_.push(getComputedStyle(document.body).backgroundColor);
      requestAnimationFrame(look);
    };
    requestAnimationFrame(look);
  });
  return async () => [...new Set(await page.evaluate(() => window.frames_))];
}

describe('a site with a look of its own', () => {
  const at = stand({ settings: { PARLEY_JSON: path.join(dir, 'parley.json') } });
  const withHeader = (more) => (config) => ({ ...config, customization: { ...config.customization, header: { ...config.customization.header, ...more }, meta: { page_title: null, favicon: null } } });

  test('title, subtitle, logo, page title and favicon', async (t) => {
    const page = await at.open(t);
    const sidebar = page.getByRole('navigation', { name: 'Conversations' });
    await sidebar.getByText('of the library').waitFor();
    assert.equal(await sidebar.locator('.brand').innerText().then((text) => text.replace(/\s+/g, ' ').trim()), '📚 Ask Ada of the library');
    assert.equal(await page.locator('.welcome-mark').innerText(), '📚');
    assert.equal(await page.title(), 'Ada');
    const icon = page.locator('link[rel="icon"]').first();
    assert.match(decodeURIComponent(await icon.getAttribute('href')), /^data:image\/svg\+xml,.*🦉/);
    at.p.respond(simple('Ten.'));
    await say(page, 'How many books?');
    await answerIs(page, 'Ten.');
    await idle(page);
    await eventually(async () => await page.title() === 'How many books? – Ada', 'the title of the conversation comes first');
  });

  test('a logo at an address of the site is a picture, and the favicon too', async (t) => {
    const { page, go } = await before(at, t, withHeader({ logo: 'icons/apple-touch-icon.png' }));
    await go();
    const logos = page.locator('[data-logo] img');
    await logos.first().waitFor();
    assert.equal(await logos.count(), 2);
    await eventually(() => logos.evaluateAll((all) => all.every((e) => e.naturalWidth > 0 && e.offsetHeight > 0 && e.offsetHeight < 64)), 'both are drawn, small');
    assert.equal(await logos.first().getAttribute('alt'), '');
    assert.equal(await page.locator('link[rel="icon"]').first().evaluate((e) => e.href), `${at.s.url}/icons/apple-touch-icon.png`);
    assert.equal(await page.locator('link[rel="icon"]').first().getAttribute('type'), null, 'it is no SVG');
  });

  for (const logo of ['https://example.invalid/logo.png', '//example.invalid/logo.png', 'javascript:owned.png']) {
    test(`a logo elsewhere is not loaded: ${logo}`, async (t) => {
      const { page, go } = await before(at, t, withHeader({ logo }));
      await go();
      await page.getByText('of the library').first().waitFor();
      assert.equal(await page.locator('[data-logo] svg.mark').count(), 2, 'the page\'s own stays');
      assert.equal(await page.locator('[data-logo] img').count(), 0);
      assert.match(await page.locator('link[rel="icon"]').first().evaluate((e) => e.href), /favicon\.svg$/);
    });
  }

  test('the welcome is Markdown, in which nothing runs and nothing is loaded', async (t) => {
    const page = await at.open(t);
    const words = page.locator('#welcome-words');
    await words.getByRole('heading', { name: 'Welcome' }).waitFor();
    assert.equal(await words.locator('em').textContent(), 'anything');
    assert.match(await words.textContent(), /<img src=x onerror="owned = 1">/);
    assert.equal(await words.locator('img, script').count(), 0);
    assert.deepEqual(await words.getByRole('link').evaluateAll((all) => all.map((e) => e.href)), ['https://example.invalid/', 'https://example.invalid/x.png']);
    assert.equal(await page.evaluate(() => window.owned), undefined);
    assert.equal(await page.getByText('What would you like to talk about?').count(), 0);
  });

  test('a click on a starter question asks it', async (t) => {
    at.p.respond(simple('At nine.'));
    const page = await at.open(t);
    const starters = page.getByRole('group', { name: 'Suggestions' });
    await starters.getByRole('button').first().waitFor();
    assert.deepEqual(await starters.getByRole('button').allTextContents(), UI.starter_questions);
    await starters.getByRole('button').nth(1).focus();
    await page.keyboard.press('Enter');
    await eventually(() => page.evaluate(() => document.activeElement.id === 'box'), 'the focus is in the box, since the button is gone');
    await answerIs(page, 'At nine.');
    assert.equal(at.p.chats.at(-1).body.messages.at(-1).content, '<b>How</b> do I renew?');
    await idle(page);
    assert.equal(await starters.isVisible(), false);
    await partsOf(page).fresh.click();
    assert.equal(await starters.isVisible(), true);
  });

  test('the theme comes without a flash at the second visit, and is gone when it is taken away', async (t) => {
    const page = await at.open(t, { colorScheme: 'light', allow: /Failed to load resource/ });
    await eventually(async () => await background(page) === THEMED.light, 'it is there at the first visit');
    const frames = await watchFrames(page);
    const g = gate();
    await page.route(/\/api\/config$/, async (route) => { await g.wait(); await route.continue().catch(() => {}); });
    await page.route(/\/api\/theme$/, async (route) => { const found = await route.fetch(); await new Promise((resolve) => { setTimeout(resolve, 300); }); await route.fulfill({ response: found }); });
    await page.reload();
    await ready(page);
    await eventually(async () => (await frames()).length > 0, 'something is painted');
    assert.deepEqual(await frames(), [THEMED.light], 'before the server has said that there is a theme');
    g.open();
    await page.emulateMedia({ colorScheme: 'dark' });
    assert.equal(await background(page), THEMED.dark);
    await page.emulateMedia({ colorScheme: 'light' });
    await page.unrouteAll({ behavior: 'wait' });
    await page.route(/\/api\/config$/, async (route) => { const config = await (await route.fetch()).json(); await route.fulfill({ json: { ...config, parley: { ...config.parley, theme: false } } }); });
    await page.reload();
    await eventually(async () => await background(page) === OWN.light, 'it is taken away');
    await page.route(/\/api\/theme$/, () => { throw new Error('nobody asks for it any more'); });
    await page.reload();
    await ready(page);
    await eventually(async () => (await frames()).length > 0, 'something is painted');
    assert.deepEqual(await frames(), [OWN.light]);
    assert.equal(await page.locator('#theme').count(), 0);
  });

  test('on paper the theme gives way to black on white', async (t) => {
    const page = await at.open(t);
    await set(page, { scheme: 'dark' });
    await page.reload();
    await eventually(async () => await background(page) === THEMED.dark, 'the theme is there');
    await page.emulateMedia({ media: 'print' });
    assert.deepEqual(await page.evaluate(() => [getComputedStyle(document.body).backgroundColor, getComputedStyle(document.body).color]), ['rgb(255, 255, 255)', 'rgb(0, 0, 0)']);
  });

  test('nothing is wider than 320 px, however long the names are', async (t) => {
    const long = 'Bibliotheksbenutzungsordnungsauskunft '.repeat(3);
    const { page, go } = await before(at, t, (config) => ({ ...withHeader({ title: long, subtitle: long.replaceAll(' ', ''), logo: 'Bibliothek' })(config), parley: config.parley }), { viewport: { width: 320, height: 640 }, hasTouch: true, isMobile: true });
    await go();
    await page.getByRole('group', { name: 'Suggestions' }).waitFor();
    assert.ok(await fits(page));
    await page.getByRole('button', { name: 'Conversations' }).tap();
    const drawer = page.getByRole('dialog', { name: 'Conversations' });
    await drawer.getByText('Bibliotheksbenutzungsordnungsauskunft').first().waitFor();
    assert.ok(await drawer.evaluate((e) => e.scrollWidth <= e.clientWidth && [...e.querySelectorAll('.brand *, button')].every((each) => each.getBoundingClientRect().right <= e.getBoundingClientRect().right + 1)));
  });
});

describe('what people choose', () => {
  const at = stand();

  for (const [scheme, system, wanted] of [['system', 'light', 'light'], ['system', 'dark', 'dark'], ['light', 'dark', 'light'], ['dark', 'light', 'dark']]) {
    test(`colours: ${scheme} where the system is ${system} is ${wanted}, from the first frame on`, async (t) => {
      const { page, go } = await before(at, t, null, { colorScheme: system });
      await set(page, { scheme });
      const frames = await watchFrames(page);
      await go();
      await eventually(async () => (await frames()).length > 0, 'something is painted');
      assert.deepEqual(await frames(), [OWN[wanted]]);
    });
  }

  test('German', async (t) => {
    const { page, go } = await before(at, t, null, { locale: 'de-AT' });
    await go();
    const texts = JSON.parse(readFileSync(new URL('../../www/i18n/de.json', import.meta.url)));
    assert.deepEqual(await page.evaluate(() => [document.documentElement.lang, document.documentElement.dir]), ['de', 'ltr']);
    await page.getByText(texts['welcome.title']).waitFor();
    await page.getByRole('textbox', { name: texts['composer.box'] }).waitFor();
    assert.equal(await page.getByRole('heading', { level: 1 }).textContent(), texts['app.untitled']);
    await set(page, { language: 'en' });
    await page.reload();
    await ready(page);
    assert.equal(await page.evaluate(() => document.documentElement.lang), 'en');
    await partsOf(page).box.waitFor();
  });

  test('Arabic is written from right to left, in the first frame too; code and English answers are not', async (t) => {
    at.p.respond(simple('In English.\n\n```js\nlet a = 1;\n```'));
    const { page, go } = await before(at, t);
    await set(page, { language: 'ar' });
    await page.addInitScript(() => requestAnimationFrame(() => { window.firstDir = document.documentElement.dir; }));
    await go();
    await eventually(() => page.evaluate(() => window.firstDir !== undefined), 'a frame was painted');
    assert.equal(await page.evaluate(() => window.firstDir), 'rtl');
    assert.equal(await page.evaluate(() => document.documentElement.lang), 'ar');
    assert.ok(await page.evaluate(() => document.querySelector('#sidebar').getBoundingClientRect().left > document.querySelector('#scroller').getBoundingClientRect().left), 'the list is on the right');
    await page.locator('#box').fill('Hello');
    await page.locator('#box').press('Enter');
    const text = partsOf(page).answers.locator('.message-text');
    await text.locator('pre').waitFor();
    const direction = (locator) => locator.evaluate((e) => getComputedStyle(e).direction);
    assert.deepEqual([await direction(text.locator('p').first()), await direction(text.locator('pre').first())], ['ltr', 'ltr']);
    assert.equal(await fits(page), true);
  });

  test('on paper: the whole conversation, black on white, and no buttons', async (t) => {
    at.p.respond(simple('Said, with `code`.'));
    let id;
    for (let n = 0; n < 40; n++) {
      const body = { message: `Question ${n}`, stream: false, ...(id && { conversation_id: id }) };
      ({ conversation_id: id } = await fetch(`${at.s.url}/chat`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }).then((r) => r.json()));
    }
    const page = await at.open(t, { colorScheme: 'dark', path: `/#c=${id}` });
    await set(page, { scheme: 'dark', debug: true });
    await page.reload();
    await page.getByText('Question 39').last().waitFor();
    await page.getByRole('button', { name: 'Events' }).click();
    await page.getByRole('complementary').waitFor();
    assert.ok(await partsOf(page).messages.count() < 80, 'on the screen not all are drawn');
    const pdf = await page.pdf();
    assert.equal(await partsOf(page).messages.count(), 80);
    assert.ok(pdf.toString('latin1').match(/\/Type \/Page\b/g).length > 2, 'it takes more than two pages');
    await page.emulateMedia({ media: 'print' });
    assert.equal(await page.locator('button, textarea, aside, [popover], dialog').filter({ visible: true }).count(), 0);
    const seen = await page.evaluate(() => ({
      heights: [...document.querySelectorAll('article .message-text')].filter((e) => e.getBoundingClientRect().height < 10 || !e.checkVisibility({ contentVisibilityAuto: true })).length,
      page: document.documentElement.scrollHeight - document.querySelector('#messages').getBoundingClientRect().height,
      cut: [document.body, document.querySelector('#scroller'), document.querySelector('#shell')].filter((e) => getComputedStyle(e).overflowY !== 'visible').length,
      colours: [getComputedStyle(document.body).backgroundColor, getComputedStyle(document.querySelector('article .message-text')).color],
    }));
    assert.deepEqual([seen.heights, seen.cut], [0, 0]);
    assert.ok(seen.page >= 0, 'the page is as long as the conversation');
    assert.deepEqual(seen.colours, ['rgb(255, 255, 255)', 'rgb(0, 0, 0)']);
  });

  test('reduced motion: nothing moves, and all is there', async (t) => {
    const g = gate();
    at.p.respond(async (req, io) => { await g.wait(); io.role(); io.token('Here.'); io.finish(); io.done(); await io.end(); });
    const page = await at.open(t, { reducedMotion: 'reduce' });
    await say(page, 'Wait');
    await page.locator('.waiting').waitFor();
    assert.ok(await page.locator('.dots').evaluate((e) => e.offsetWidth > 0 && Number(getComputedStyle(e).opacity) === 1));
    assert.equal(await page.evaluate(() => document.getAnimations().length), 0);
    await page.emulateMedia({ reducedMotion: 'no-preference' });
    await eventually(() => page.evaluate(() => document.getAnimations().length > 0), 'otherwise it does move');
    await page.emulateMedia({ reducedMotion: 'reduce' });
    g.open();
    await answerIs(page, 'Here.');
  });

  test('forced colours: what is pressed, what can be pressed and what was said can be told apart', async (t) => {
    at.p.respond(simple('Said.'));
    const page = await at.open(t, { forcedColors: 'active' });
    await say(page, 'Hello');
    await answerIs(page, 'Said.');
    await idle(page);
    const look = (locator) => locator.evaluate((e) => {
      const { borderTopWidth, borderTopColor, backgroundColor, color } = getComputedStyle(e);
      return { border: `${borderTopWidth} ${borderTopColor}`, backgroundColor, color };
    });
    const like = page.getByRole('button', { name: 'Good answer' });
    const plain = await look(like);
    await like.click();
    await page.locator('[data-action="like"][aria-pressed="true"]').waitFor();
    assert.notEqual((await look(like)).border, plain.border, 'a pressed button looks pressed');
    for (const element of [partsOf(page).questions.locator('.message-text'), page.locator('#frame'), page.locator('#send'), like]) {
      const { border, backgroundColor, color } = await look(element);
      assert.match(border, /^[1-9]/);
      assert.ok(!border.endsWith(backgroundColor) && color !== backgroundColor, JSON.stringify({ border, backgroundColor, color }));
    }
    for (const icon of await page.locator('#composer button .icon, .actions .icon').filter({ visible: true }).all()) {
      assert.ok(await icon.evaluate((e) => getComputedStyle(e).stroke !== getComputedStyle(e.closest('button')).backgroundColor), 'an icon is seen');
    }
    await partsOf(page).box.focus();
    await page.keyboard.press('Tab');
    assert.notEqual(await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle), 'none');
  });

  test('at 320 px an answer with everything in it is no wider than the screen', async (t) => {
    const wide = 'w'.repeat(120);
    at.p.respond(simple(`# ${wide}\n\n| a | b | c |\n|---|---|---|\n| ${wide} | ${wide} | x |\n\n\`\`\`\n${wide}\n\`\`\`\n\n> ${wide}\n\n- ${wide}\n\n$$${'x+'.repeat(80)}x$$\n\nThe end.`));
    const page = await at.open(t, { viewport: { width: 320, height: 640 } });
    await say(page, wide);
    await partsOf(page).answers.getByText('The end.').waitFor();
    await idle(page);
    assert.ok(await fits(page));
    const outside = await page.locator('.actions button, .topbar :is(button, a), #composer button').filter({ visible: true }).evaluateAll((all) => all.filter((e) => { const { left, right } = e.getBoundingClientRect(); return left < 0 || right > 320; }).map((e) => e.getAttribute('aria-label')));
    assert.deepEqual(outside, []);
  });
});

describe('whoever is signed in', () => {
  const at = stand({ auth: true });

  test('sees the name', async (t) => {
    const page = await at.open(t, { httpCredentials: { username: 'alice', password: 'alice' } });
    const name = page.locator('#user-name');
    await eventually(async () => await name.textContent() === 'alice', 'the name');
    assert.equal(await name.isVisible(), true);
  });
});
