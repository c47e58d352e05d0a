// GET /diagnose/stream: six events 200 ms apart, live on every hosting that is set up as our confs say.
import test, { before, after } from 'node:test';
import assert from 'node:assert/strict';
import { shared, withServer } from './server.js';
import { HOSTING, HOSTINGS } from './hosting.js';
import { SCALE } from '../provider/provider.js';
import { get, stream } from './client.js';

const opts = { timeout: 60_000 * SCALE };
const at = shared({ before, after });

const open = (s, headers = {}) => stream(`${s.url}/diagnose/stream`, undefined, { method: 'GET', headers });

for (const encoding of ['identity', 'gzip, deflate, br']) test(`the ticks arrive one by one, as they were sent (Accept-Encoding: ${encoding})`, opts, async () => {
  const c = await open(at.s, { 'accept-encoding': encoding });
  assert.equal(c.status, 200);
  assert.match(c.headers['content-type'], /^text\/event-stream/);
  const host = await c.next();
  assert.equal(host.event, 'host');
  const about = JSON.parse(host.data);
  assert.equal(about.mode, HOSTINGS[HOSTING].mode === 'cgi' ? 'cgi' : 'fastcgi');
  assert.equal(about.server, HOSTING.startsWith('apache') ? 'Apache' : 'lighttpd');
  await c.all();
  const ticks = c.events.filter((e) => e.event === 'tick');
  assert.deepEqual(ticks.map((e) => JSON.parse(e.data).n), [1, 2, 3, 4, 5, 6]);
  const alone = ticks.filter((tick, i) => i > 0 && tick.at > ticks[i - 1].at + 40).length;      // a busy machine may bring two at once, a host that holds back all of them
  assert.ok(alone >= 3, `${alone} of 5 came by themselves`);
  assert.ok(ticks[5].at - ticks[0].at > 300, 'they were not held back to the end');
  assert.equal(c.events.at(-1).event, 'done');
  assert.equal(c.complete, true);
});

test('a client that leaves it does no harm', opts, async () => {
  for (let i = 0; i < 5; i++) {
    const c = await open(at.s);
    await c.next();
    c.close(i % 2 ? 'rst' : 'fin');
  }
  assert.equal((await get(`${at.s.url}/health`)).status, 200);
});

test('it needs neither database nor provider', opts, () => withServer({ settings: { PARLEY_DB: '/proc/no/such/folder/parley.db', LLM_BASE_URL: 'http://127.0.0.1:9/v1' } }, async (s) => {
  const c = await open(s);
  await c.all();
  assert.equal(c.events.at(-1).event, 'done');
}));

test('the page that shows it is there', opts, async () => {
  const r = await get(`${at.s.url}/diagnose.html`);
  assert.equal(r.status, 200);
  assert.match(r.headers['content-type'], /^text\/html/);
  assert.ok(r.headers['content-security-policy']);
});
