// The panel of events: what it remembers, and what people see of it.
// Neighbours: www/js/eventlog.js, www/js/debug.js.
import nodeTest from 'node:test';
import assert from 'node:assert/strict';
import { eventually, stand, test } from './stand.js';
import { createEventLog } from '../../www/js/eventlog.js';

const unit = nodeTest;

// ---- without a browser

unit('tokens in a row are one entry, others are not', () => {
  const log = createEventLog();
  const types = ['token', 'token', 'reference', 'reference', 'token', 'reasoning', 'reasoning'];
  types.forEach((type, at) => log.add({ type, id: at, data: type === 'token' ? `${at},` : { text: `${at},` }, at: 100 + at * 10 }));
  assert.deepEqual(log.entries.map(({ type, count, since, until, id }) => [type, count, since, until, id]),
    [['token', 2, 0, 10, 1], ['reference', 1, 20, 20, 2], ['reference', 1, 30, 30, 3], ['token', 1, 40, 40, 4], ['reasoning', 2, 50, 60, 6]]);
  assert.equal(log.entries[0].data, '0,1,');
  assert.deepEqual(log.entries[4].data, { text: '5,6,' });
});

unit('the clock begins with the request, or with the start where there was none', () => {
  const log = createEventLog();
  const times = [['request', 100], ['start', 140], ['done', 200], ['start', 500], ['done', 530], ['request', 900], ['error', 901]];
  for (const [type, at] of times) log.add({ type, at });
  assert.deepEqual(log.entries.map(({ since }) => since), [0, 40, 100, 0, 30, 0, 1]);
});

unit('the newest are kept, and it can be emptied', () => {
  const log = createEventLog(3);
  const results = ['a', 'b', 'c', 'd'].map((type) => log.add({ type, at: 0 }));
  assert.deepEqual(log.entries.map(({ type }) => type), ['b', 'c', 'd']);
  assert.deepEqual(results.map(({ dropped }) => dropped), [0, 0, 0, 1]);
  log.clear();
  assert.equal(log.entries.length, 0);
  assert.equal(log.add({ type: 'a', at: 70 }).entry.since, 0);
});

// ---- in the browser

const at = stand();

async function openPanel(t, more) {
  const page = await at.open(t, more);
  await page.evaluate(async () => {
    await (await import('./js/i18n.js')).loadTexts('en');
    const { createDebugPanel } = await import('./js/debug.js');
    const { loadStyle } = await import('./js/style.js');
    window.panel = createDebugPanel({ onClose: () => { window.isClosed = true; } });
    document.querySelector('.shell').append(window.panel.element);
    await loadStyle('panels');
  });
  const panel = page.getByRole('complementary', { name: 'Events' });
  const add = (...events) => page.evaluate((given) => given.forEach((event) => window.panel.add(event)), events);
  return { page, panel, rows: panel.getByRole('listitem'), add };
}

const ANSWER = [
  { type: 'request', data: { method: 'POST', path: 'chat' }, at: 1000 },
  { type: 'start', data: { model: 'm' }, id: '01abc:0', at: 1042 },
  { type: 'token', data: 'Hello', id: '01abc:1', at: 1100 },
  { type: 'token', data: ' world', id: '01abc:2', at: 1150 },
  { type: 'note', data: { text: '<img src=x onerror=alert(1)>' }, id: 3, at: 1160 },
  { type: 'done', data: { status: 'done' }, id: 4, at: 1200 },
];

test('events in order, with time, type, position and data as text', async (t) => {
  const { panel, rows, add } = await openPanel(t);
  assert.equal(await panel.getByText('What the server sends appears here.').isVisible(), true);
  await add(...ANSWER);
  assert.equal(await panel.getByText('What the server sends appears here.').isVisible(), false);
  const texts = await rows.locator('summary').evaluateAll((all) => all.map((each) => [...each.children].slice(0, 4).map((part) => part.textContent).filter(Boolean).join(' | ')));
  assert.deepEqual(texts, ['0 ms | request', '42 ms | start | #0', '100 ms | token | ×2 in 50 ms | #2', '160 ms | note | #3', '200 ms | done | #4']);
  const open = async (row) => {
    await row.locator('summary').click();
    await eventually(async () => (await row.locator('pre').textContent()) !== '', 'the data stands there');
    return row.locator('pre').textContent();
  };
  assert.equal(await open(rows.nth(2)), '"Hello world"');
  await add({ type: 'start', at: 1300 }, { type: 'token', data: 'a', at: 1301 });
  assert.equal(await open(rows.nth(6)), '"a"');
  await add({ type: 'token', data: 'b', at: 1302 });
  assert.equal(await rows.nth(6).locator('pre').textContent(), '"ab"', 'an open entry grows');
  assert.match(await open(rows.nth(3)), /<img src=x/);
  assert.equal(await panel.locator('img').count(), 0);
});

test('the filter shows one type, and holds for those that come', async (t) => {
  const { panel, rows, add } = await openPanel(t);
  await add(...ANSWER);
  const filter = panel.getByRole('combobox', { name: 'Show' });
  assert.deepEqual(await filter.getByRole('option').allTextContents(), ['All events', 'request', 'start', 'token', 'note', 'done']);
  await filter.selectOption('token');
  await add({ type: 'note', data: {} }, { type: 'token', data: 'x' });
  assert.deepEqual(await rows.locator('.debug-type').allTextContents(), ['token', 'token']);
  await filter.selectOption('');
  assert.equal(await rows.count(), 7);
});

test('all of it is copied as JSON', async (t) => {
  const { page, panel, add } = await openPanel(t, { permissions: ['clipboard-read', 'clipboard-write'] });
  await page.evaluate(() => window.panel.setConversation('01conv'));
  await add(...ANSWER);
  await panel.getByRole('button', { name: 'Copy all' }).click();
  await panel.getByRole('status').getByText('Copied.').waitFor();
  const copied = JSON.parse(await page.evaluate(() => navigator.clipboard.readText()));
  assert.equal(copied.conversation_id, '01conv');
  assert.deepEqual(copied.events.map(({ type }) => type), ['request', 'start', 'token', 'note', 'done']);
  assert.equal(copied.events[2].data, 'Hello world');
});

test('another conversation begins anew, a new one keeps its events when it gets its id', async (t) => {
  const { page, panel, rows, add } = await openPanel(t);
  const open = (id) => page.evaluate((given) => window.panel.setConversation(given), id);
  await add(...ANSWER);
  await open('a');
  assert.equal(await rows.count(), 5);
  assert.equal(await panel.getByText('a', { exact: true }).isVisible(), true);
  await open('b');
  assert.equal(await rows.count(), 0);
  await add(...ANSWER);
  await panel.getByRole('button', { name: 'Clear' }).click();
  assert.equal(await rows.count(), 0);
  assert.equal(await panel.getByRole('option').count(), 1);
});

test('2,000 entries are kept, and the newest is in sight unless somebody reads above', async (t) => {
  const { page, panel, rows, add } = await openPanel(t);
  await page.evaluate(() => { for (let i = 0; i < 2100; i += 1) window.panel.add({ type: 'step', id: i, data: { i }, at: i }); });
  assert.equal(await rows.count(), 2000);
  assert.match(await rows.first().textContent(), /#100\{/);
  const scroller = panel.getByRole('region', { name: 'List of events' });
  const fromEnd = () => scroller.evaluate((each) => each.scrollHeight - each.scrollTop - each.clientHeight);
  await page.waitForFunction(() => { const each = document.querySelector('.debug-scroll'); return each.scrollHeight - each.scrollTop - each.clientHeight < 40; });
  const frames = () => page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
  await frames();                                            // the panel has heard of that scrolling too
  await scroller.evaluate((each) => { each.scrollTop = 100; });
  await frames();
  await add({ type: 'step', data: {}, at: 3000 });
  await frames();
  assert.ok(await fromEnd() > 1000);
});

test('a column beside the messages where there is room; on a phone it lies over the page; Esc and the cross close it', async (t) => {
  const { page, panel } = await openPanel(t);
  const pane = await page.locator('.pane').boundingBox();
  const box = await panel.boundingBox();
  assert.ok(Math.abs(pane.x + pane.width - box.x) <= 1 && box.x + box.width === 1200 && box.height === 800, JSON.stringify({ pane, box }));
  await page.setViewportSize({ width: 375, height: 700 });
  assert.deepEqual(await panel.boundingBox(), { x: 0, y: 0, width: 375, height: 700 });
  await panel.getByRole('combobox', { name: 'Show' }).focus();
  await page.keyboard.press('Escape');
  assert.equal(await page.evaluate(() => window.isClosed), true);
  await page.evaluate(() => { window.isClosed = false; });
  await panel.getByRole('button', { name: 'Close' }).click();
  assert.equal(await page.evaluate(() => window.isClosed), true);
});
