// The sidebar with the real server: what it keeps, finds and marks.
// Neighbours: sidebar.test.js has all the rest, with a list of its own (shelf.js).
import assert from 'node:assert/strict';
import { sql } from '../http/server.js';
import { gate, held, simple } from '../provider/provider.js';
import { answerIs, choose, eventually, idle, partsOf, say, stand, test } from './stand.js';

const at = stand();

const call = async (method, url, body) => (await fetch(at.s.url + url, { method, headers: { 'content-type': 'application/json' }, body: body && JSON.stringify(body) })).json();
const make = (title) => call('POST', '/conversations', { title });
const read = (id) => call('GET', `/conversations/${id}`);
const row = (page, title) => partsOf(page).list.filter({ hasText: title });
const look = (page) => page.evaluate(() => dispatchEvent(new Event('online')));

test('pin, archive, rename and delete are kept', async (t) => {
  for (const title of ['To delete', 'To archive', 'To pin', 'To rename']) await make(title);
  const page = await at.open(t);
  await choose(page, 'To pin', 'Pin');
  await choose(page, 'To archive', 'Archive');
  await choose(page, 'To rename', 'Rename');
  await page.keyboard.type('Renamed');
  await page.keyboard.press('Enter');
  await eventually(async () => (await call('GET', '/conversations?q=Renamed')).conversations.length === 1, 'the last change is kept');
  await choose(page, 'To delete', 'Delete');
  await page.goto('about:blank');
  await eventually(async () => (await call('GET', '/conversations?q=delete')).conversations.length === 0, 'deleted by leaving the page');
  await page.goto(at.s.url);
  await row(page, 'Renamed').waitFor();
  assert.deepEqual(await page.locator('nav h2:visible').allTextContents(), ['Pinned', 'Today']);
  assert.deepEqual(await page.locator('#list .item-title').allTextContents(), ['To pin', 'Renamed']);
  await page.getByRole('button', { name: 'Archived', exact: true }).click();
  await page.locator('#archive').getByText('To archive').waitFor();
});

test('an answer that runs and ends while another conversation is open is marked, until it is opened', async (t) => {
  const g = gate();
  at.p.enqueue(held('Half', g, ' and half'));
  const page = await at.open(t);
  await say(page, 'Slow question');
  await answerIs(page, 'Half');
  await partsOf(page).fresh.click();
  await look(page);
  await page.getByRole('link', { name: 'Slow question Answer is being written' }).waitFor();
  g.open();
  const { conversation_id: id } = (await call('GET', '/conversations?q=Slow')).conversations[0];
  await eventually(async () => (await read(id)).messages.at(-1).status === 'done', 'the answer ends');
  await look(page);
  await page.getByRole('link', { name: 'Slow question New answer' }).click();
  await page.getByRole('link', { name: 'Slow question', exact: true }).waitFor();
  await eventually(async () => (await call('GET', '/conversations?q=Slow')).conversations[0].unread === false, 'the server knows');
});

test('Esc in the sidebar does not stop an answer', async (t) => {
  const g = gate();
  at.p.enqueue(held('Half', g, ' and half'));
  const page = await at.open(t);
  await say(page, 'Go on');
  await answerIs(page, 'Half');
  await row(page, 'Go on').waitFor();
  const button = page.getByRole('button', { name: 'Options for “Go on”' });
  await button.focus();
  await page.keyboard.press('Enter');
  await page.keyboard.press('Escape');
  await choose(page, 'Go on', 'Rename');
  await page.keyboard.press('Escape');
  await choose(page, 'Go on', 'Archive');
  await page.locator('.toast').getByRole('button', { name: 'Undo' }).focus();
  await page.keyboard.press('Escape');
  await partsOf(page).search.focus();
  await page.keyboard.press('Escape');
  assert.equal(await partsOf(page).stop.isVisible(), true);
  g.open();
  await answerIs(page, 'Half and half');
  await idle(page);
  assert.equal(await partsOf(page).answers.getAttribute('data-status'), 'done');
});

test('an answer that is watched is not new', async (t) => {
  at.p.enqueue(simple('Seen'));
  const page = await at.open(t);
  await say(page, 'Watched question');
  await answerIs(page, 'Seen');
  await idle(page);
  await eventually(async () => (await call('GET', '/conversations?q=Watched')).conversations[0].unread === false, 'it has been seen');
});

test('the search finds words in answers and opens the conversation', async (t) => {
  at.p.enqueue(simple('The quick brown wombat jumps over the lazy dog.'));
  const page = await at.open(t);
  await say(page, 'An animal, please');
  await idle(page);
  await partsOf(page).fresh.click();
  await partsOf(page).search.fill('wombat');
  await page.locator('mark').getByText('wombat').waitFor();
  assert.match(await page.locator('.item-snippet').textContent(), /quick brown wombat jumps/);
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('Enter');
  await answerIs(page, 'The quick brown wombat jumps over the lazy dog.');
});

test('10,000 conversations in the database: each page as one scrolls, each once', async (t) => {
  await make('Owner of them all');
  sql(at.s.db, `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000)
    INSERT INTO conversations (public_id, user_id, title, created_at, updated_at)
    SELECT printf('%032x', 1000000 + i), (SELECT user_id FROM conversations LIMIT 1), 'Many ' || i, 1760000000000 - i / 3 * 1000, 1760000000000 - i / 3 * 1000 FROM n`, { readonly: false });
  const page = await at.open(t);
  const own = page.locator('#list .item-title');
  await own.getByText('Many 1', { exact: true }).waitFor();
  for (let n = 0; n < 12; n++) {
    const before = await own.count();
    await page.locator('#list-scroll').evaluate((e) => e.scrollTo(0, e.scrollHeight));
    await eventually(async () => await own.count() > before, 'a page more');
  }
  const titles = (await own.allTextContents()).filter((title) => title.startsWith('Many'));
  assert.equal(new Set(titles).size, titles.length);
  assert.ok(titles.length >= 600);
  for (let n = 1; n <= titles.length - 3; n++) assert.ok(titles.includes(`Many ${n}`), `Many ${n}`);
});
