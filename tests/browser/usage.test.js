// The usage page: sums, ticks, and what people and screen readers get from the charts and the table. The answers are those of docs/api.md, by a proxy.
// Neighbours: www/js/tally.js, www/js/chart.js, www/js/usage.js.
import nodeTest from 'node:test';
import assert from 'node:assert/strict';
import { eventually, stand, startProxy, test } from './stand.js';
import { labelledColumns, ticksFor } from '../../www/js/chart.js';
import { daysBetween, foldModels, lastDays, tally } from '../../www/js/tally.js';

const unit = nodeTest;
const row = (day, model, answers, prompt_tokens, completion_tokens, cost, provider = 'openai') => ({ day, provider, model, answers, prompt_tokens, completion_tokens, cost });

// ---- without a browser

unit('the last days are UTC days, both ends included, over a change of the clocks too', () => {
  assert.deepEqual(lastDays(7, new Date('2026-11-22T23:59:59Z')), { from: '2026-11-16', to: '2026-11-22' });
  assert.deepEqual(lastDays(1, new Date('2026-03-01T00:00:00Z')), { from: '2026-03-01', to: '2026-03-01' });
  assert.equal(daysBetween('2026-10-20', '2026-11-05').length, 17);
  assert.equal(daysBetween('2028-02-28', '2028-03-01')[1], '2028-02-29');
});

unit('sums by model and day, the largest first; a cost that nobody knows is not 0', () => {
  const { days, total, models } = tally([row('2026-11-02', 'small', 1, 5, 5, 0.5), row('2026-11-01', 'big', 2, 70, 30, null), row('2026-11-03', 'big', 1, 10, 0, null)], '2026-11-01', '2026-11-03');
  assert.deepEqual(days, ['2026-11-01', '2026-11-02', '2026-11-03']);
  assert.deepEqual(total, { answers: 4, prompt: 85, completion: 35, tokens: 120, cost: 0.5, unpriced: 3 });
  assert.deepEqual(models.map(({ name, tokens, cost, tokensByDay, costByDay }) => [name, tokens, cost, tokensByDay, costByDay]), [
    ['big', 110, null, [100, 0, 10], [0, 0, 0]], ['small', 10, 0.5, [0, 10, 0], [0, 0.5, 0]]]);
  assert.equal(tally([row('2026-11-01', 'free', 1, 1, 1, 0)], '2026-11-01', '2026-11-01').total.cost, 0);
});

unit('the provider is named where two have the same model', () => {
  const names = (rows) => tally(rows, '2026-11-01', '2026-11-01').models.map(({ name }) => name);
  const one = row('2026-11-01', 'm', 1, 9, 0, 0, 'a');
  assert.deepEqual(names([one, row('2026-11-01', 'm', 1, 1, 0, 0, 'b'), row('2026-11-01', 'n', 1, 0, 0, 0, 'b')]), ['m (a)', 'm (b)', 'n']);
});

unit('small models are added up, and nothing is lost', () => {
  const rows = [5, 4, 3, 2, 1].map((tokens) => row('2026-11-01', `m${tokens}`, 1, tokens, 0, tokens));
  const { models } = tally(rows, '2026-11-01', '2026-11-01');
  assert.equal(foldModels(models, 5, 'Others'), models);
  const folded = foldModels(models, 3, 'Others');
  assert.deepEqual(folded.map(({ name, tokens, cost }) => [name, tokens, cost]), [['m5', 5, 5], ['m4', 4, 4], ['Others', 6, 6]]);
  assert.deepEqual(folded[2].tokensByDay, [6]);
});

unit('few round ticks that reach the top', () => {
  assert.deepEqual(ticksFor(82_000, true), [0, 25_000, 50_000, 75_000, 100_000]);
  assert.deepEqual(ticksFor(4, true), [0, 1, 2, 3, 4]);
  assert.deepEqual(ticksFor(1, true), [0, 1]);
  assert.deepEqual(ticksFor(0, true), [0, 1]);
  assert.deepEqual(ticksFor(0.8), [0, 0.2, 0.4, 0.2 * 3, 0.8]);
  for (const max of [0.0007, 0.013, 3, 7.5, 99, 101, 123_456, 1e9]) {
    const ticks = ticksFor(max);
    assert.ok(ticks.at(-1) >= max * 0.999 && ticks.length >= 3 && ticks.length <= 6, `${max}: ${ticks}`);
  }
  for (const max of [1, 2, 3, 5, 9, 11]) assert.ok(ticksFor(max, true).every(Number.isInteger), max);
});

unit('dates have room', () => {
  assert.deepEqual(labelledColumns(7, 100), [0, 1, 2, 3, 4, 5, 6]);
  for (const [count, slot] of [[30, 10], [90, 3], [7, 40], [30, 28]]) {
    const at = labelledColumns(count, slot);
    assert.ok(at.length > 0 && at.at(-1) < count);
    for (let i = 1; i < at.length; i += 1) assert.ok((at[i] - at[i - 1]) * slot >= 72, `${count} ${slot}`);
    assert.ok((count - at.at(-1) - 0.5) * slot >= 36, 'the last one is not cut');
  }
});

// ---- in the browser

const at = stand();

// A proxy whose GET /usage gives what `answer(query)` does: {rows}, or {status}; or a promise of it.
function proxyWith(answer) {
  return startProxy(at.s.url, {
    change: async (req, res, pass) => {
      const url = new URL(req.url, 'http://x');
      if (url.pathname !== '/usage') { pass(); return; }
      const query = Object.fromEntries(url.searchParams);
      const { status = 200, ...body } = await answer(query);
      res.writeHead(status, { 'Content-Type': 'application/json' }).end(JSON.stringify(status === 200 ? { ...query, ...body } : { error: { code: 'internal', message: 'It failed.' } }));
    },
  });
}

async function openUsage(t, answer, { dir, ...more } = {}) {
  const page = await at.open(t, { proxy: await proxyWith(answer), ...more });
  await page.evaluate(async (dir) => {
    if (dir) document.documentElement.dir = dir;
    await (await import('./js/i18n.js')).loadTexts('en');
    (await import('./js/usage.js')).openUsage();
  }, dir);
  return { page, dialog: page.getByRole('dialog', { name: 'Usage' }) };
}

const two = ({ to }) => ({ rows: [row(to, 'gpt', 2, 1000, 500, 0.25), row(to, 'llama', 1, 200, 100, null, 'ollama'), row(lastDays(3)?.from, 'gpt', 1, 100, 0, 0.05)] });
const cells = (table) => table.getByRole('row').evaluateAll((rows) => rows.map((each) => [...each.cells].map((cell) => cell.textContent)));

test('totals, models, two charts in words, and everything as a table', async (t) => {
  const { dialog } = await openUsage(t, two);
  await dialog.getByRole('figure').first().waitFor();
  assert.deepEqual(await dialog.locator('dd').allTextContents(), ['1,900', '1,300 read, 600 written', '$0.30', '4']);
  assert.deepEqual(await cells(dialog.getByRole('table', { name: 'By model' })), [['Model', 'Answers', 'Tokens', 'Cost'], ['gpt', '3', '1,600', '$0.30'], ['llama', '1', '300', '–']]);
  const [tokens, cost] = await dialog.getByRole('img').evaluateAll((images) => images.map((each) => each.getAttribute('aria-label')));
  assert.match(tokens, /^Tokens per day, .* to .*: 1,900 tokens in all, most on .* with 1,800 tokens\. By model: gpt: 1,600 tokens and llama: 300 tokens\.$/);
  assert.match(cost, /^Cost per day, .*: \$0\.30 in all, most on .* with \$0\.25\./);
  assert.equal(await dialog.getByText('The cost of 1 answer is not known.').isVisible(), true);
  await dialog.getByText('Show as table').click();
  const table = dialog.getByRole('table', { name: 'By day and model' });
  const all = await cells(table);
  assert.deepEqual(all[0], ['Day', 'Provider', 'Model', 'Answers', 'Tokens read', 'Tokens written', 'Cost']);
  assert.deepEqual(all.slice(1).map((line) => line.slice(1)), [['openai', 'gpt', '2', '1,000', '500', '$0.25'], ['ollama', 'llama', '1', '200', '100', '–'], ['openai', 'gpt', '1', '100', '0', '$0.05']]);
  assert.equal(await table.getByRole('rowheader').count(), 3);
});

test('the bars: one column per day, segments as high as their values, each series with a fill of its own', async (t) => {
  const { dialog } = await openUsage(t, two);
  const columns = dialog.getByRole('img').first().locator('.chart-column');
  await columns.first().waitFor();
  assert.equal(await columns.count(), 30);
  const bars = await columns.last().locator('rect:not(.chart-hit)').evaluateAll((rects) => rects.map((each) => [each.getAttribute('fill'), Number(each.getAttribute('height'))]));
  assert.deepEqual(bars.map(([fill]) => fill), ['url(#chart-fill-0)', 'url(#chart-fill-1)']);
  assert.ok(Math.abs(bars[0][1] / (bars[1][1] + 1) - 5) < 0.05, JSON.stringify(bars));
  assert.match(await columns.last().locator('title').textContent(), /: 1,800 tokens$/);
  assert.equal(await dialog.locator('[id="chart-fill-1"] path').evaluate((path) => getComputedStyle(path).stroke !== 'none' && path.getAttribute('d') !== ''), true);
});

test('the period: 7 and 90 days are asked for, and a late answer to an earlier question does not count', async (t) => {
  const asked = [];
  let release;
  const held = new Promise((resolve) => { release = resolve; });
  const { page, dialog } = await openUsage(t, async ({ from, to }) => {
    const days = daysBetween(from, to).length;
    asked.push(days);
    if (days === 90) await held;
    return { rows: [row(to, 'gpt', days, days, 0, 0)] };
  });
  const answers = dialog.locator('dd').last();
  await dialog.getByRole('radio', { name: '90 days' }).check();
  await eventually(() => asked.includes(90), 'asked for 90 days');
  assert.equal(await dialog.locator('.usage-result').getAttribute('aria-busy'), 'true');
  await dialog.getByRole('radio', { name: '7 days' }).check();
  await eventually(async () => (await answers.textContent()) === '7', 'seven days');
  const [late] = await Promise.all([page.waitForResponse((response) => response.url().includes('/usage')), release()]);
  await late.finished();
  await page.evaluate(() => new Promise((done) => setTimeout(done)));
  assert.equal(await answers.textContent(), '7');
  assert.deepEqual(asked, [30, 90, 7]);
  await eventually(async () => await dialog.getByRole('img').first().locator('.chart-column').count() === 7, 'seven columns');
});

test('nothing used yet', async (t) => {
  const { dialog } = await openUsage(t, () => ({ rows: [] }));
  await dialog.getByRole('status').getByText(/^No answers from .* to .*\.$/).waitFor();
  assert.equal(await dialog.getByRole('img').count(), 0);
});

test('a failure is said, and Retry works', async (t) => {
  let fails = true;
  const { page, dialog } = await openUsage(t, (query) => (fails ? { status: 500 } : two(query)), { allow: /status of 500/ });
  await dialog.getByRole('status').getByText('The usage could not be loaded. It failed.').waitFor();
  fails = false;
  await dialog.getByRole('button', { name: 'Retry' }).click();
  await dialog.getByRole('figure').first().waitFor();
  assert.equal(await dialog.getByRole('button', { name: 'Retry' }).isVisible(), false);
  assert.equal(await page.evaluate(() => document.activeElement.value), '30');
});

test('no cost, no chart of costs', async (t) => {
  const { dialog } = await openUsage(t, ({ to }) => ({ rows: [row(to, 'llama', 1, 1, 1, null)] }));
  await dialog.getByRole('figure').waitFor();
  assert.equal(await dialog.getByRole('figure').count(), 1);
});

test('from right to left the first day stands at the right', async (t) => {
  const place = async (dir) => {
    const { dialog } = await openUsage(t, two, { dir });
    const texts = dialog.getByRole('img').first().locator('text[text-anchor="middle"]');
    await texts.first().waitFor();
    return texts.evaluateAll((all) => all.map((each) => Number(each.getAttribute('x'))));
  };
  const ltr = await place('ltr');
  const rtl = await place('rtl');
  assert.ok(ltr[0] < ltr[1]);
  assert.ok(rtl[0] > rtl[1]);
});

test('320 px: the charts shrink, only the table scrolls sideways', async (t) => {
  const { page, dialog } = await openUsage(t, two, { viewport: { width: 320, height: 640 } });
  await dialog.getByText('Show as table').click();
  assert.equal(await page.evaluate(() => document.querySelector('.panel-body').scrollWidth <= 320), true);
  assert.equal(await dialog.getByRole('region', { name: 'By day and model' }).evaluate((each) => each.scrollWidth > each.clientWidth), true);
});
