// The page is light: few requests before one can write, a long conversation is there at once, a long answer costs little, and nothing moves while it grows.
// Neighbours: stand.js; source.test.js weighs the files. Time is the main thread's own (DevTools' TaskDuration), which other work on the machine hardly changes.
import assert from 'node:assert/strict';
import { describe } from 'node:test';
import { gate, held, simple, SCALE } from '../provider/provider.js';
import { answerIs, eventually, idle, partsOf, say, stand, test } from './stand.js';

const at = stand();

/** Seconds that the main thread has worked since `from` (another such number). */
async function work(devtools, from = 0) {
  const { metrics } = await devtools.send('Performance.getMetrics');
  return metrics.find(({ name }) => name === 'TaskDuration').value - from;
}

async function watchWork(page) {
  const devtools = await page.context().newCDPSession(page);
  await devtools.send('Performance.enable', { timeDomain: 'threadTicks' });     // what the thread worked, not what it waited for others
  return devtools;
}

const rowsOf = (n, contentOf) => Array.from({ length: n }, (_, i) => ({
  id: `m${i}`, parent_id: i > 0 ? `m${i - 1}` : null, role: i % 2 ? 'assistant' : 'user', content: contentOf(i), status: 'done', model: i % 2 ? 'gpt-4o' : null,
  usage: i % 2 ? { prompt_tokens: 10, completion_tokens: 90, total_tokens: 100 } : null, created_at: '2026-11-20T10:00:00.000Z', metadata: {},
}));

const can = (page, messages) => page.route(/\/conversations\/canned$/, (route) => (route.request().method() === 'GET'
  ? route.fulfill({ status: 200, contentType: 'application/json', body: JSON.stringify({ conversation_id: 'canned', title: 'Long', created_at: '2026-11-20T10:00:00.000Z', updated_at: '2026-11-20T10:00:00.000Z', pinned: false, archived: false, metadata: {}, messages }) })
  : route.fulfill({ status: 200, contentType: 'application/json', body: '{}' })));

describe('light', () => {
  test('at most ten requests before one can write and send', async (t) => {
    const page = await at.open(t, { path: '/favicon.svg', allow: /favicon\.ico/ });
    await page.addInitScript(() => {
      new MutationObserver((_, observer) => {
        if (document.documentElement?.dataset.ready !== 'box') return;
        window.readyAt = performance.now();
        observer.disconnect();
      }).observe(document, { subtree: true, attributes: true, childList: true });
    });
    await page.goto(`${at.s.url}/`);
    await page.locator('html[data-ready="all"]').waitFor();
    const before = await page.evaluate(() => performance.getEntriesByType('resource').filter((each) => each.startTime < window.readyAt).map((each) => each.name));
    assert.ok(before.length >= 4, before.join('\n'));
    assert.ok(before.length + 1 <= 10, `with the page itself ${before.length + 1}:\n${before.join('\n')}`);
  });

  test('what is typed and sent before the rest of the page is there arrives', async (t) => {
    at.p.respond(simple('Here I am'));
    const page = await at.open(t, { path: '/favicon.svg', allow: /favicon\.ico/ });
    const wait = gate();
    await page.route(/\/chat\.js$/, async (route) => { await wait.wait(); await route.continue(); });
    await page.goto(`${at.s.url}/`, { waitUntil: 'commit' });
    await page.locator('html[data-ready="box"]').waitFor();
    await say(page, 'Quick!');
    assert.equal(at.p.chats.length, 0);
    wait.open();
    await answerIs(page, 'Here I am');
    assert.equal(await partsOf(page).box.inputValue(), '');
    assert.equal(await partsOf(page).questions.count(), 1);
  });

  test('the first frame of a conversation of 2,000 messages takes at most 300 ms of work', async (t) => {
    const page = await at.open(t);
    await can(page, rowsOf(2000, (i) => (i % 2 ? `Answer ${i} with **strong** words, a list\n\n- one\n- two\n\nand \`code\`. ${'More text of it. '.repeat(10)}` : `Question ${i}?`)));
    await page.locator('html[data-ready="all"]').waitFor();
    const devtools = await watchWork(page);
    const before = await work(devtools);
    await page.evaluate(() => {
      location.hash = '#c=canned';
      return new Promise((resolve) => {
        new MutationObserver((_, observer) => {
          if (!document.querySelector('#messages article')) return;
          observer.disconnect();
          requestAnimationFrame(() => setTimeout(resolve));      // painted
        }).observe(document.getElementById('messages'), { childList: true });
      });
    });
    const took = await work(devtools, before);
    t.diagnostic(`${Math.round(took * 1000)} ms`);
    assert.ok(took <= 0.3 * SCALE, `${took} s`);
    await page.getByText('Answer 1999').waitFor();
    assert.ok(await page.locator('#messages article').count() < 200, 'the rest is drawn when one goes there');
    for (let n = 0; n < 3; n++) {
      const count = await page.locator('#messages article').count();
      await page.locator('#scroller').evaluate((e) => e.scrollTo(0, 0));
      await eventually(async () => await page.locator('#messages article').count() > count, 'earlier messages come as one scrolls up');
    }
  });

  test('an answer of 32 KB costs at most 3 s of work, in 4,000 pieces', async (t) => {
    const paragraph = 'Some words with **strong** ones, `code` and a [link](https://example.org/) in them, as answers have.\n\n- one thing\n- another\n\n';
    const text = paragraph.repeat(Math.ceil(32_768 / paragraph.length)).slice(0, 32_768);
    at.p.respond(async (req, io) => {
      io.role();
      for (let i = 0; i < text.length && !io.isClosed; i += 8) {
        io.token(text.slice(i, i + 8));
        if (i % 64 === 0) await new Promise((resolve) => setImmediate(resolve));
      }
      io.finish(); io.done(); await io.end();
    });
    const page = await at.open(t);
    await page.locator('html[data-ready="all"]').waitFor();
    const devtools = await watchWork(page);
    const before = await work(devtools);
    await say(page, 'Write a lot');
    await eventually(async () => await partsOf(page).answers.last().getAttribute('data-status') === 'done', 'the end of the answer', 40);
    const took = await work(devtools, before);
    t.diagnostic(`${took.toFixed(2)} s`);
    assert.ok(took <= 3 * SCALE, `${took} s`);
  });

  test('nothing on the page moves by itself while an answer grows', async (t) => {
    const steps = ['# Title\n\n', 'Some text ', 'and more.\n\n', '```js\nlet a', ' = 1;\n```\n\n', '| a | b |\n| - | - |\n', '| 1 | 2 |\n\n', 'The $x^2$ end.'];
    const gates = steps.map(() => gate());
    at.p.respond(async (req, io) => {
      io.role();
      for (let n = 0; n < steps.length; n++) { io.token(steps[n]); await gates[n].wait(); }
      io.finish(); io.done(); await io.end();
    });
    const page = await at.open(t);
    await page.locator('html[data-ready="all"]').waitFor();
    await page.evaluate(() => {
      window.shifts = [];
      new PerformanceObserver((list) => { for (const each of list.getEntries()) if (!each.hadRecentInput) window.shifts.push([each.value, each.sources.map((source) => source.node?.outerHTML?.slice(0, 120))]); }).observe({ type: 'layout-shift' });
    });
    await say(page, 'Grow');
    for (let n = 0; n < steps.length; n++) {
      const so = steps.slice(0, n + 1).join('');
      await eventually(async () => page.evaluate((length) => new Promise((resolve) => requestAnimationFrame(() => resolve(document.querySelector('article[data-role="assistant"] .message-text').textContent.length >= length))), Math.min(5, so.length / 4)), `step ${n}`);
      gates[n].open();
    }
    await idle(page);
    await page.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve))));
    const shifts = await page.evaluate(() => window.shifts.filter(([value]) => value > 0.002));
    assert.deepEqual(shifts, []);
  });
});
