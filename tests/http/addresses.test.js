// How much one address may ask for: spoken to directly, because behind the tests' host servers everybody comes from this machine. The same in every hosting.
import test, { describe } from 'node:test';
import assert from 'node:assert/strict';
import { sql, lockDatabase } from './server.js';
import { withWorker } from './fastcgi.js';
import { simple, held, gate, SCALE, sleep, within } from '../provider/provider.js';
import { assertError, readChat } from './client.js';

const opts = { timeout: 120_000 * SCALE };
const body = { message: 'Hi' };
const messages = [{ role: 'user', content: 'Hi' }];
const HERE = ['127.0.0.1', '127.8.8.8', '::1', '::ffff:127.0.0.1', '', 'unix:'];

/** Asks until there is room again. */
const untilRoom = (ask) => within(10, (async () => {
  for (;;) {
    const a = await ask().opened();
    if (a.status !== 429) return a;
    await sleep(0.05);
  }
})(), 'room for an answer');

for (const cgi of [false, true]) describe(cgi ? 'by plain CGI, a process for each' : 'by FastCGI, one process', () => {
  const settings = { MAX_STREAMS_PER_ADDRESS: '2', MAX_STREAMS_PER_USER: '3' };

  test('answers at a time of one address', opts, () => withWorker({ cgi, settings }, async (w, p) => {
    const g = gate();
    p.respond(held('seen ', g, 'whole'));
    const open = [];
    const ask = async (address, more) => { const a = await w.ask({ path: '/chat', body, address, ...more }).opened(20); if (a.status === 200) open.push(a); return a; };
    for (let i = 0; i < 2; i++) assert.equal((await ask('192.0.2.7')).status, 200);
    for (const address of ['192.0.2.7', '::ffff:192.0.2.7']) {
      const a = await (await ask(address)).all();
      assertError(a, 429, 'rate_limited');
      assert.match(a.json.error.message, /^No more than 2 answers are written at a time for one address\./);
      assert.match(a.headers['retry-after'], /^[1-9]$/);
    }
    assert.equal((await ask('192.0.2.7', { user: 'alice' })).status, 429, 'signed in or not');
    assert.equal((await ask('192.0.2.8')).status, 200);
    // IPv6: one customer has 2^64 of them
    assert.equal((await ask('2001:db8:1:2::1')).status, 200);
    assert.equal((await ask('2001:db8:1:2:ffff::1')).status, 200);
    assert.equal((await ask('2001:db8:1:2:3:4:5:6')).status, 429);
    assert.equal((await ask('2001:db8:1:3::1')).status, 200);
    // this machine is a proxy, or a test
    for (const address of HERE) for (let i = 0; i < (cgi ? 1 : 3); i++) assert.equal((await ask(address)).status, 200, address);
    // a user, from wherever
    for (const address of ['198.51.100.1', '198.51.100.2', '127.0.0.1']) assert.equal((await ask(address, { user: 'bob' })).status, 200);
    assert.match((await (await ask('198.51.100.3', { user: 'bob' })).all()).json.error.message, /for one user\./);
    assert.equal((await w.get('/health', { address: '192.0.2.7' })).status, 200);
    assert.equal((await w.get('/conversations', { address: '192.0.2.7' })).status, 200);
    assert.equal(p.chats.length, open.length);
    if (!cgi) assert.deepEqual(sql(w.db, 'SELECT 1 FROM messages WHERE address IS NOT NULL'), [], 'an address is stored only where it is counted there');
    g.open();
    for (const a of open) { await a.all(); assert.equal(readChat(a).text, 'seen whole'); }
    const again = await untilRoom(() => w.ask({ path: '/chat', body, address: '192.0.2.7' }));
    await again.all();
    assert.equal(readChat(again).text, 'seen whole');
    if (cgi) assert.deepEqual(sql(w.db, 'SELECT 1 FROM messages WHERE address IS NOT NULL'), [], 'no address stays');
  }));

  test('the place is given back when the client has hung up and the answer is stopped', opts, () => withWorker({ cgi, settings: { ...settings, MAX_STREAMS_PER_ADDRESS: '1' } }, async (w, p) => {
    const g = gate();
    p.respond(held('seen ', g, 'whole'));
    const a = await w.ask({ path: '/chat/stream', body, address: '192.0.2.7' }).until((x) => x.events.length > 0);
    const { conversation_id: id } = JSON.parse(a.events[0].data);
    a.close();
    assert.equal((await w.post('/chat', body, { address: '192.0.2.7' })).status, 429, 'the answer goes on without its client');
    assert.equal((await w.post(`/conversations/${id}/stop`, undefined, { address: '192.0.2.7' })).status, 200);
    p.respond(simple('ok'));
    const again = await untilRoom(() => w.ask({ path: '/chat', body, address: '192.0.2.7' }));
    await again.all();
    assert.equal(readChat(again).text, 'ok');
  }));

  test('requests per minute of one address, where nobody signs in', opts, () => withWorker({ cgi, settings: { REQUESTS_PER_MINUTE: '3' } }, async (w, p) => {
    p.respond(simple('ok'));
    const left = 60 - (Date.now() / 1000) % 60;
    if (left < 20 * SCALE) await sleep(left + 0.05);
    const ask = async (address, more = {}) => (await w.post('/chat', { ...body, stream: false }, { address, ...more })).status;
    for (let i = 0; i < 5; i++) assert.equal(await ask('192.0.2.7'), i < 3 ? 200 : 429);
    assert.equal((await w.post('/v1/chat/completions', { model: 'test-model', messages }, { address: '192.0.2.7' })).status, 429, 'what is not stored counts too');
    for (let i = 0; i < 4; i++) assert.equal((await w.post('/v1/chat/completions', { model: 'test-model', messages }, { address: `2001:db8::${i}` })).status, i < 3 ? 200 : 429);
    assert.equal(await ask('2001:db8::9'), 429);
    for (let i = 0; i < 4; i++) assert.equal(await ask('192.0.2.7', { user: 'alice' }), i < 3 ? 200 : 429, 'who is signed in is counted by name');
    assert.equal(await ask('198.51.100.1', { user: 'alice' }), 429, 'from everywhere');
    for (const address of HERE) for (let i = 0; i < (cgi ? 1 : 4); i++) assert.equal(await ask(address), 200);
    assert.deepEqual(sql(w.db, 'SELECT who, requests FROM rates ORDER BY who').map((r) => [r.who.replace(/^user .*/, 'user'), r.requests]), [['address 192.0.2.7', 3], ['address 2001:db8::/64', 3], ['user', 3]]);
    const limited = await w.post('/chat', body, { address: '192.0.2.7' });
    assertError(limited, 429, 'rate_limited');
    assert.ok(Math.abs(Number(limited.headers['retry-after']) - (60 - (Date.now() / 1000) % 60)) <= 2, limited.headers['retry-after']);
  }));
});

test('a client cannot give itself another address', opts, () => withWorker({ settings: { REQUESTS_PER_MINUTE: '1' } }, async (w, p) => {
  p.respond(simple('ok'));
  const left = 60 - (Date.now() / 1000) % 60;
  if (left < 20 * SCALE) await sleep(left + 0.05);
  assert.equal((await w.post('/chat', { ...body, stream: false }, { address: '192.0.2.7' })).status, 200);
  for (const header of ['X-Forwarded-For', 'Forwarded', 'X-Real-IP', 'Remote-Addr', 'Client-IP']) {
    assert.equal((await w.post('/chat', body, { address: '192.0.2.7', headers: { [header]: '127.0.0.1' } })).status, 429, header);
  }
}));

test('what is not stored is answered although the database cannot be written', opts, () => withWorker({ settings: { REQUESTS_PER_MINUTE: '1', DB_BUSY_SECONDS: '0.2' } }, async (w, p) => {
  p.respond(simple('ok'));
  const ask = () => w.post('/v1/chat/completions', { model: 'test-model', messages }, { address: '192.0.2.7' });
  assert.equal((await w.get('/conversations')).status, 200);
  const lock = await lockDatabase(w.db);
  for (let i = 0; i < 2; i++) {
    const r = await ask();
    assert.equal(r.status, 200, r.text);
    assert.equal(r.json.choices[0].message.content, 'ok');
  }
  assertError(await w.post('/chat', body, { address: '192.0.2.7' }), 503, 'store_unavailable');
  await lock.release();
}));

for (const cgi of [false, true]) test(`headers of more than 64 KB are refused, with less they are taken ${cgi ? 'by plain CGI' : 'by FastCGI'}`, opts, () => withWorker({ cgi }, async (w, p) => {
  p.respond(simple('ok'));
  const headers = (bytes) => Object.fromEntries(Array.from({ length: bytes / 1000 }, (_, i) => [`X-${100 + i}`, 'x'.repeat(1000 - 'HTTP_X_100='.length)]));
  assert.equal((await w.post('/chat', { ...body, stream: false }, { headers: headers(65_000) })).status, 200);
  for (const path of ['/chat', '/v1/chat/completions', '/api/chat', '/nothing']) {
    const r = await w.post(path, body, { headers: headers(66_000) });
    assert.equal(r.status, 413, r.text);
    assert.match(r.text, /The headers of the request have more than 65536 bytes\./);
  }
  assert.equal((await w.get('/health', { headers: headers(900_000) })).status, 413);
  assert.equal(p.chats.length, 1);
  assert.equal((await w.get('/health')).status, 200);
}));
