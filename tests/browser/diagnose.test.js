// The diagnose page in a browser, before host servers that pass the test stream on, hold it back, cut it, or have none.
// Neighbours: host.js plays the servers; judge.test.js and advice.test.js have the details.
import assert from 'node:assert/strict';
import { describe } from 'node:test';
import { gzipSync } from 'node:zlib';
import { gate } from '../provider/provider.js';
import { playEvents, refuse, startHost, testEvents } from './host.js';
import { stand, test } from './stand.js';

const at = stand();

const FAILED_LOAD = /Failed to load resource|net::ERR_/;    // the browser's own line for each failed request

/** The diagnose page before a host where `play(res, req)` answers the test stream. */
async function openDiagnose(t, play, { allow, ...more } = {}) {
  const host = await startHost({
    page: '/x/',
    answer: (req, res, path) => path === '/x/diagnose/stream' && (play(res, req), true),
    ...more,
  });
  const page = await at.open(t, { proxy: host, path: '/x/diagnose.html', allow });
  return { page, host, ...partsOf(page) };
}

function partsOf(page) {
  return {
    verdict: page.getByRole('status'),
    again: page.getByRole('button', { name: 'Test again' }),
    steps: page.getByRole('listitem'),
    directives: page.locator('pre'),
    rows: page.getByRole('table', { name: 'Times' }).locator('tbody tr'),
    facts: page.locator('dl'),
  };
}

const settled = (verdict) => verdict.and(verdict.page().locator('[data-kind]:not([data-kind="testing"])')).waitFor();
const kindOf = (verdict) => verdict.getAttribute('data-kind');

/** The verdict becomes "live": what is late or together because the machine was busy for a moment is not so each time. Returns how often it was tested again. */
async function isLive({ verdict, again }, most = 4) {
  for (let presses = 0; ; presses += 1) {
    await settled(verdict);
    const kind = await kindOf(verdict);
    if (!['uneven', 'clumped'].includes(kind) || presses === most) {
      assert.equal(kind, 'live', await verdict.textContent());
      return presses;
    }
    await again.click();
  }
}

const atEnd = () => 1000;
const inTwo = (at) => (at <= 400 ? 400 : 1000);

describe('a stream that comes', () => {
  test('live: it says so, and there is nothing to do', async (t) => {
    const begin = gate();
    const { verdict, again, steps, rows, facts } = await openDiagnose(t, async (res) => { await begin.wait(); await playEvents(res, testEvents()); });
    assert.equal(await kindOf(verdict), 'testing');
    begin.open();
    await isLive({ verdict, again });
    assert.match(await verdict.textContent(), /lets streams through/);
    assert.equal(await steps.count(), 0);
    assert.equal(await rows.count(), 6);
    assert.match(await rows.nth(5).textContent(), /^61000 ms\d+ ms\d+ ms$/);
    assert.match(await facts.textContent(), /Serverlighttpd.*FastCGI.*\/x\/.*Compressionnone.*6 of 6/);
  });

  test('held back to the end: the directive of the server', async (t) => {
    const { verdict, directives, rows } = await openDiagnose(t, (res) => playEvents(res, testEvents(), atEnd));
    await settled(verdict);
    assert.equal(await kindOf(verdict), 'held');
    assert.match(await verdict.textContent(), /holds streams back to their end/);
    assert.deepEqual(await directives.allTextContents(), ['server.stream-response-body = 2']);
    assert.match(await rows.nth(0).textContent(), /^10 ms1\d{3} ms1\d{3} ms$|^10 ms9\d\d ms9\d\d ms$/);
  });

  test('compressed to the end: the compression is named', async (t) => {
    const events = testEvents({ server: 'Apache', mode: 'cgi' });
    const { verdict, steps, directives, facts } = await openDiagnose(t, (res) => {
      res.writeHead(200, { 'content-type': 'text/event-stream', 'content-encoding': 'gzip' });
      setTimeout(() => res.end(gzipSync(events.map(({ text }) => text).join(''))), 1000);
    });
    await settled(verdict);
    assert.equal(await kindOf(verdict), 'held');
    assert.match(await steps.first().textContent(), /compressed \(gzip\)/);
    assert.deepEqual(await directives.allTextContents(), ['SetEnv no-gzip 1']);
    assert.match(await facts.textContent(), /Compressiongzip/);
  });

  test('in clumps: held back in part', async (t) => {
    const { verdict, directives } = await openDiagnose(t, (res) => playEvents(res, testEvents({ server: 'Apache' }), inTwo));
    await settled(verdict);
    assert.equal(await kindOf(verdict), 'clumped');
    assert.equal((await directives.allTextContents()).at(-1), 'FcgidOutputBufferSize 0');
  });

  test('cut in the middle', async (t) => {
    const { verdict, rows } = await openDiagnose(t, async (res) => {
      await playEvents({ ...partial(res), end: () => setTimeout(() => res.destroy(), 100) }, testEvents().slice(0, 4));
    }, { allow: FAILED_LOAD });
    await settled(verdict);
    assert.equal(await kindOf(verdict), 'cut');
    assert.equal(await rows.count(), 3);
  });

  test('Test again, by keyboard, keeps the focus and tests anew', async (t) => {
    let held = true;
    const begin = gate();
    const { page, host, verdict, again, directives } = await openDiagnose(t, async (res) => {
      if (!held) await begin.wait();
      await playEvents(res, testEvents(), held ? atEnd : undefined);
    });
    await settled(verdict);
    assert.equal(await directives.count(), 1);
    held = false;
    await again.focus();
    await page.keyboard.press('Enter');
    assert.equal(await kindOf(verdict), 'testing');
    await page.keyboard.press('Enter');
    begin.open();
    await settled(verdict);
    assert.equal(host.seen.length, 2, 'a test that runs is not begun again');
    assert.ok(await again.evaluate((element) => element === document.activeElement));
    await isLive({ verdict, again });
    assert.equal(await directives.isVisible(), false);
  });
});

const partial = (res) => ({ writeHead: res.writeHead.bind(res), flushHeaders: res.flushHeaders.bind(res), write: res.write.bind(res) });

describe('no stream', () => {
  const REFUSALS = {
    'a program that does not start': [500, undefined, undefined, /tried to run the program and failed/],
    'a program that is not there for the server': [503, undefined, undefined, /finds no program/],
    'an older program': [404, '{"error": {"code": "not_found", "message": "There is nothing here."}}', 'application/json', /older than this page/],
    'no stream, but something else': [200, '{}', 'application/json', /is no test stream/],
  };
  for (const [name, [status, body, type, sentence]] of Object.entries(REFUSALS)) {
    test(name, async (t) => {
      const { verdict, host } = await openDiagnose(t, (res, req) => refuse(req, res, status, body, type), { allow: FAILED_LOAD });
      await settled(verdict);
      assert.equal(await kindOf(verdict), 'trouble');
      assert.match(await verdict.textContent(), sentence);
      assert.equal(host.seen.length, 1, 'nothing else was asked');
    });
  }

  test('no program anywhere: what was tried, and what to look for', async (t) => {
    const { verdict, steps, facts } = await openDiagnose(t, null, { answer: () => false, allow: FAILED_LOAD });
    await settled(verdict);
    assert.match(await verdict.textContent(), /not found: it is not started/);
    assert.equal(await steps.count(), 2);
    assert.match(await facts.textContent(), /\/x\/ → 404; \/x\/cgi-bin\/chat\.cgi\/ → 404; \/x\/chat\.cgi\/ → 404; \/cgi-bin\/chat\.cgi\/ → 404/);
  });

  test('the connection ends without an answer', async (t) => {
    const { verdict } = await openDiagnose(t, (res) => res.destroy(), { allow: FAILED_LOAD });
    await settled(verdict);
    assert.match(await verdict.textContent(), /cannot be reached/);
  });
});

test('in a narrow window nothing is wider than the screen, and each part of the page has a heading', async (t) => {
  const { page, verdict } = await openDiagnose(t, (res) => playEvents(res, testEvents({ server: 'Apache' }), atEnd));
  await page.setViewportSize({ width: 320, height: 640 });
  await settled(verdict);
  assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth));
  assert.deepEqual(await page.getByRole('heading').allTextContents(), ['Do answers arrive as they are written?', 'What to do', 'Times', 'What the test saw']);
});

test('the real server, as it is configured, lets streams through', async (t) => {
  const page = await at.open(t, { path: '/diagnose.html' });
  const { verdict, again, facts } = partsOf(page);
  await isLive({ verdict, again });
  assert.match(await facts.textContent(), /Server(lighttpd|it gives no name).*FastCGI/);
});
