// How much one user may ask for: answers at a time, requests per minute. What is too much is refused before anything is stored or asked, and others notice nothing.
import test, { describe } from 'node:test';
import assert from 'node:assert/strict';
import { withServer, sql } from './server.js';
import { HOSTING, lacks } from './hosting.js';
import { simple, held, gate, cutAfter, SCALE, sleep, within } from '../provider/provider.js';
import { request, get, post, stream, chat, chatWhole, list, settled, assertError, readChat, readStream, rawRequest } from './client.js';
import { RagbitsConversation } from './ragbits-client.js';

const opts = { timeout: 120_000 * SCALE };
const messages = [{ role: 'user', content: 'Hi' }];
const alice = { auth: 'alice' };
const bob = { auth: 'bob' };
/** Every address that makes answers, with a body that is stored: those that are not do not count over all processes. */
const FACES = {
  '/chat': { message: 'Hi' }, '/chat/stream': { message: 'Hi' }, '/v1/chat/completions': { model: 'test-model', messages, stream: true, store: true },
  '/api/chat': { message: 'Hi', history: [], context: {} }, '/api/v1/chat': { messages, store: true },
};
const stop = (s, id, who) => request(`${s.url}/conversations/${id}/stop`, { method: 'POST', ...who });

/** A refusal in the shape of its address; gives its sentence. */
function assertLimited(path, r, pattern) {
  if (path === '/api/chat') {                              // its client shows a status as a number: a failure is an event
    assert.equal(r.status, 200);
    const events = r.text.trim().split('\n\n').map((line) => JSON.parse(line.replace(/^data: /, '')));
    assert.deepEqual(events.map((e) => [e.type, Object.keys(e.content)]), [['error', ['message']]]);
    assert.match(events[0].content.message, pattern);
    return;
  }
  assert.equal(r.status, 429, `${path}: ${r.text.slice(0, 300)}`);
  assert.match(r.headers['content-type'], /^application\/json/);
  assert.match(r.headers['retry-after'], /^[1-9]\d?$/);
  assert.ok(Number(r.headers['retry-after']) <= 60);
  const said = path.startsWith('/v1') ? r.json.error.message : path.startsWith('/api') ? r.json.detail : r.json.error.message;
  if (path.startsWith('/v1')) assert.deepEqual([r.json.error.type, r.json.error.code], ['rate_limit_error', 'rate_limited']);
  else if (path.startsWith('/api')) assert.deepEqual(Object.keys(r.json), ['detail']);
  else assertError(r, 429, 'rate_limited');
  assert.match(said, pattern);
}

const AT_A_TIME = /^No more than \d+ answers are written at a time for one user\./;
const A_MINUTE = /^No more than \d+ questions a minute are answered\./;

/** How much is in the database that a refused request must not have added to. */
const stored = (s) => JSON.stringify(sql(s.db, 'SELECT (SELECT count(*) FROM conversations) AS c, (SELECT count(*) FROM messages) AS m, (SELECT count(*) FROM usage_days) AS u'));

/** Asks until there is room again: the place is given back a moment after the client has its last event. */
const untilRoom = (ask, seconds = 10) => within(seconds, (async () => {
  for (;;) {
    const c = await ask();
    if (c.status !== 429) return c;
    await c.end;
    await sleep(0.05);
  }
})(), 'room for an answer');

describe('answers at a time of one signed-in user', () => {
  test('MAX_STREAMS_PER_USER of those that come at the same moment are made, those beyond are refused at once, on every face', opts, () => withServer({ auth: true }, async (s, p) => {
    const MOST = 8;                                        // the default
    const g = gate();
    p.respond(held('seen ', g, 'whole'));
    await get(`${s.url}/conversations`, alice);
    await get(`${s.url}/conversations`, bob);
    const all = await Promise.all(Array.from({ length: MOST + 10 }, (_, i) => stream(`${s.url}${i % 2 ? '/chat' : '/chat/stream'}`, { message: `number ${i}` }, { ...alice, seconds: 40 })));
    const open = all.filter((c) => c.status === 200);
    assert.equal(open.length, MOST);
    for (const c of all.filter((x) => x.status !== 200)) { await c.all(); assertError({ status: c.status, headers: c.headers, json: c.json() }, 429, 'rate_limited'); }
    await p.waitForChat(MOST, 20);
    const before = stored(s);
    for (const [path, body] of Object.entries(FACES)) for (const extra of path === '/api/chat' ? [{}] : [{}, { stream: false }]) {
      const t0 = performance.now();
      assertLimited(path, await post(`${s.url}${path}`, { ...body, ...extra }, alice), AT_A_TIME);
      assert.ok(performance.now() - t0 < 3000 * SCALE, 'at once');
    }
    assert.equal(stored(s), before, 'nothing was stored for those');
    assert.equal(p.chats.length, MOST, 'the provider was not asked');
    // others notice nothing
    assert.equal((await get(`${s.url}/health`, alice)).status, 200);
    assert.equal((await list(s, '', alice)).conversations.length, MOST);
    const theirs = await stream(`${s.url}/chat`, { message: 'from bob' }, bob);
    assert.equal(theirs.status, 200);
    await p.waitForChat(MOST + 1);
    g.open();
    for (const c of [...open, theirs]) await c.all();
    for (const c of open) assert.equal((c.raw.includes('event: start') ? readStream(c) : readChat(c)).text, 'seen whole');
    assert.equal(readChat(theirs).text, 'seen whole');
    assert.equal((await (await untilRoom(() => stream(`${s.url}/chat`, { message: 'again' }, alice))).all()).at(-1).data, '[DONE]');
  }));

  test('the place is given back after the end, a failure, Stop, and a client of /v1 that has left', opts, () => withServer({ auth: true, settings: { MAX_STREAMS_PER_USER: '1', RETRIES: '0', HEARTBEAT_SECONDS: '0.2' } }, async (s, p) => {
    const ask = (path = '/chat/stream') => stream(`${s.url}${path}`, FACES[path], alice);
    const refused = async () => assertLimited('/chat', await post(`${s.url}/chat`, { message: 'one more' }, alice), AT_A_TIME);
    // the end
    let g = gate();
    p.respond(held('a ', g, 'b'));
    let c = await ask();
    await refused();
    g.open();
    await c.all();
    // a failure
    p.reset(cutAfter(['half ', 'an ']));
    c = await untilRoom(() => ask());
    await c.all();
    assert.equal(readStream(c).terminal.event, 'error');
    // Stop
    g = gate();
    p.reset(held('a ', g, 'b'));
    c = await untilRoom(() => ask());
    const { conversation_id: id } = JSON.parse((await c.next()).data);
    await refused();
    assert.equal((await stop(s, id, alice)).status, 200);
    await c.all();
    assert.equal((await settled(s, id, alice)).answer.status, 'stopped');
    // a client that has left
    c = await untilRoom(() => ask('/v1/chat/completions'));
    await c.next();
    await refused();
    const closed = p.closedCount;
    c.close('rst');
    await p.until(() => p.closedCount > closed, 'the end of the exchange', 20);
    g.open();
    p.respond(simple('ok'));
    c = await untilRoom(() => ask());
    await c.all();
    assert.equal(readStream(c).text, 'ok');
  }));

  test('answers that are not stored count as well where one process makes them', { ...opts, skip: lacks('threadedWorker') }, () => withServer({ auth: true, settings: { MAX_STREAMS_PER_USER: '1', HEARTBEAT_SECONDS: '0.2' } }, async (s, p) => {
    const g = gate();
    p.respond(held('a ', g, 'b'));
    const body = { model: 'test-model', messages, stream: true };
    const c = await stream(`${s.url}/v1/chat/completions`, body, alice);
    await c.next();
    for (const [path, more] of Object.entries({ ...FACES, '/v1/chat/completions': body })) assertLimited(path, await post(`${s.url}${path}`, more, alice), AT_A_TIME);
    c.close();
    await p.until(() => p.closedCount > 0, 'the end of the exchange', 20);
    g.open();
    const again = await untilRoom(() => stream(`${s.url}/v1/chat/completions`, body, alice));
    await again.all();
    assert.match(again.raw, /\[DONE\]/);
  }));

  test('without sign-in, on this machine, there is no such limit; nor with 0', opts, async () => {
    for (const [settings, auth] of [[{ MAX_STREAMS_PER_USER: '1', MAX_STREAMS_PER_ADDRESS: '1', REQUESTS_PER_MINUTE: '1' }, undefined],
      [{ MAX_STREAMS_PER_USER: '0', MAX_STREAMS_PER_ADDRESS: '0', REQUESTS_PER_MINUTE: '0' }, 'alice']]) {
      await withServer({ auth: Boolean(auth), settings }, async (s, p) => {
        const g = gate();
        p.respond(held('a ', g, 'b'));
        const all = [];
        for (let i = 0; i < 10; i++) all.push(await stream(`${s.url}/chat`, { message: 'Hi' }, { auth }));
        assert.deepEqual(all.map((c) => c.status), Array(10).fill(200));
        assert.deepEqual(sql(s.db, 'SELECT * FROM rates'), []);
        g.open();
        for (const c of all) { await c.all(); assert.equal(readChat(c).text, 'a b'); }
      });
    }
  });
});

/** With little left of the minute, waits for the next: the counts would begin anew in mid-test. */
const earlyInAMinute = async () => { const left = 60 - (Date.now() / 1000) % 60; if (left < 20 * SCALE) await sleep(left + 0.05); };

describe('requests per minute of one signed-in user', () => {
  test('REQUESTS_PER_MINUTE are answered, over all processes and faces; the next is refused until the minute is over', opts, () => withServer({ auth: true, workers: HOSTING === 'lighttpd-fastcgi' ? 2 : undefined, settings: { REQUESTS_PER_MINUTE: '5' } }, async (s, p) => {
    p.respond(simple('ok'));
    await earlyInAMinute();
    // what is refused for another reason does not count
    for (let i = 0; i < 4; i++) {
      assertError(await post(`${s.url}/chat`, { message: 7 }, alice), 422);
      assertError(await post(`${s.url}/chat`, { message: 'Hi', conversation_id: '0'.repeat(32) }, alice), 404);
    }
    const { '/v1/chat/completions': completion, '/api/v1/chat': pieces } = FACES;
    for (const [path, body] of Object.entries({ ...FACES, '/v1/chat/completions': { ...completion, store: false }, '/api/v1/chat': { ...pieces, store: false } })) {
      const r = await post(`${s.url}${path}`, body, alice);
      assert.equal(r.status, 200, `${path}: ${r.text}`);
      assert.doesNotMatch(r.text, /No more than/);
    }
    assert.equal(p.chats.length, 5);
    const before = stored(s);
    for (const store of [true, false]) for (const [path, body] of Object.entries(FACES)) {
      assertLimited(path, await post(`${s.url}${path}`, 'store' in body ? { ...body, store } : body, alice), A_MINUTE);
    }
    assert.equal(stored(s), before);
    assert.equal(p.chats.length, 5);
    const [row, ...more] = sql(s.db, 'SELECT who, requests, minute FROM rates');
    assert.deepEqual(more, []);
    assert.equal(row.who, `user ${sql(s.db, "SELECT id FROM users WHERE name = 'alice'")[0].id}`);
    assert.equal(row.requests, 5);
    // what is no question goes on
    assert.equal((await list(s, '', alice)).conversations.length, 3);
    assert.equal((await get(`${s.url}/v1/models`, alice)).status, 200);
    const ui = new RagbitsConversation(s, { headers: { authorization: `Basic ${Buffer.from('alice:alice').toString('base64')}` } });
    const said = await ui.say('Hi');
    assert.deepEqual([said.errors, said.closed, said.types], [[], 1, ['error']]);
    assert.match(said.of('error')[0].message, A_MINUTE);
    // another user has minutes of his own
    assert.equal((await chat(s, 'Hi', bob)).text, 'ok');
    assert.equal((await chatWhole(s, 'Hi', bob)).status, 200);
  }));

  test('the next minute counts anew', { ...opts, skip: lacks('residentWorker') ? false : 'a worker keeps in mind whom it refused until the minute is really over' }, () => withServer({ auth: true, settings: { REQUESTS_PER_MINUTE: '1' } }, async (s, p) => {
    p.respond(simple('ok'));
    await earlyInAMinute();
    assert.equal((await chat(s, 'Hi', alice)).text, 'ok');
    assert.equal((await chat(s, 'Hi', alice)).status, 429);
    sql(s.db, 'UPDATE rates SET minute = minute - 1', { readonly: false });
    assert.equal((await chat(s, 'Hi', alice)).text, 'ok');
    assert.equal((await chat(s, 'Hi', alice)).status, 429);
  }));
});

test('a question that comes again with its Idempotency-Key costs nothing; an answer that goes on counts as a question', opts, () => withServer({ auth: true, settings: { REQUESTS_PER_MINUTE: '2', MAX_STREAMS_PER_USER: '1' } }, async (s, p) => {
  const g = gate();
  p.respond(held('half ', g, 'whole'));
  await earlyInAMinute();
  const ask = (body, key) => stream(`${s.url}/chat/stream`, body, { ...alice, headers: key ? { 'idempotency-key': key } : {} });
  const c = await ask({ message: 'Hi' }, 'one');
  const { conversation_id: id, message_id: answer } = JSON.parse((await c.next()).data);
  const more = await ask({ message: 'Hi' }, 'one');                      // no place is left, and none is needed
  assert.equal(more.status, 200);
  assert.equal(JSON.parse((await more.next()).data).message_id, answer);
  assert.equal((await stop(s, id, alice)).status, 200);
  for (const x of [c, more]) { await x.all(); assert.equal(readStream(x).terminal.status, 'stopped'); }
  for (let i = 0; i < 3; i++) { const again = await ask({ message: 'Hi' }, 'one'); await again.all(); assert.equal(again.status, 200); }
  assert.equal(sql(s.db, 'SELECT requests FROM rates')[0].requests, 1);
  p.respond(simple('and on'));
  const on = await untilRoom(() => ask({ continue: answer }, 'two'));
  await on.all();
  assert.equal(on.status, 200);
  assert.equal(sql(s.db, 'SELECT requests FROM rates')[0].requests, 2);
  for (const body of [{ continue: answer }, { message: 'next', conversation_id: id }]) { const r = await ask(body); await r.all(); assert.equal(r.status, 429); }
  const again = await ask({ continue: answer }, 'two');
  await again.all();
  assert.equal(again.status, 200);
  g.open();
}));

/** As docs/hosting.md says it: a proxy on this machine is believed whom it stands for. */
const behindProxy = (text) => (HOSTING.startsWith('lighttpd')
  ? `${text.replace('server.modules = ( ', 'server.modules = ( "mod_extforward", ')}\nextforward.forwarder = ( "127.0.0.1" => "trust" )\n`
  : `LoadModule remoteip_module \${PARLEY_MODULES}/mod_remoteip.so\n${text}\nRemoteIPHeader X-Forwarded-For\nRemoteIPInternalProxy 127.0.0.1\n`);

test('behind a proxy that the host server knows, each visitor is counted by address; else what a client says of itself has no effect', opts, async () => {
  for (const edit of [behindProxy, undefined]) await withServer({ edit, settings: { REQUESTS_PER_MINUTE: '1' } }, async (s, p) => {
    p.respond(simple('ok'));
    await earlyInAMinute();
    const ask = async (...addresses) => (await chatWhole(s, 'Hi', { headers: { 'x-forwarded-for': addresses.join(', ') || null } })).status;
    const got = [await ask('192.0.2.7'), await ask('192.0.2.7'), await ask('192.0.2.8'), await ask('127.0.0.9', '192.0.2.8'), await ask('2001:db8::1'), await ask('2001:db8::2'), await ask(), await ask()];
    assert.deepEqual(got, edit ? [200, 429, 200, 429, 200, 429, 200, 200] : Array(8).fill(200));
  });
});

test('all places taken: forty more are 503 at once, whoever asks, and everything else is answered', opts, () => withServer({ auth: true, settings: { MAX_STREAMS: '4' } }, async (s, p) => {
  const g = gate();
  p.respond(held('a ', g, 'b'));
  const open = [];
  for (let i = 0; i < 4; i++) open.push(await stream(`${s.url}/chat`, { message: 'Hi' }, i % 2 ? alice : bob));
  const before = stored(s);
  const t0 = performance.now();
  const refused = await Promise.all(Array.from({ length: 40 }, (_, i) => post(`${s.url}/chat${i % 3 ? '' : '/stream'}`, { message: 'one more' }, { auth: i % 2 ? 'alice' : 'bob', seconds: 40 })));
  const took = performance.now() - t0;
  for (const r of refused) { assertError(r, 503, 'overloaded'); assert.match(r.headers['retry-after'], /^[1-9]\d?$/); }
  assert.ok(took < (lacks('threadedWorker') ? 20_000 : 3000) * SCALE, `${took} ms`);   // where each is a process, forty take their time to start
  assert.equal((await get(`${s.url}/health`, alice)).status, 200);
  assert.equal((await list(s, '', alice)).conversations.length, 2);
  assert.equal(stored(s), before);
  assert.equal(p.chats.length, 4);
  g.open();
  for (const c of open) { await c.all(); assert.equal(readChat(c).text, 'a b'); }
}));

describe('headers', () => {
  const ask = (s, headers) => rawRequest(s, `POST /chat HTTP/1.1\r\nHost: 127.0.0.1:${s.port}\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: 32\r\n${headers.map((h) => `${h}\r\n`).join('')}\r\n{"message":"Hi", "stream":false}`);
  // lighttpd takes 8 KB in all, Apache a hundred of 8 KB; of what these pass on, the program takes 64 KB. mod_fcgid has a ceiling of its own, and no better word for it
  const refuses = HOSTING.startsWith('lighttpd') ? [431] : [400];

  for (const [what, headers, allowed] of [
    ['one of 20 KB', [`X-Long: ${'x'.repeat(20_000)}`], refuses],
    ['one of a megabyte', [`X-Long: ${'x'.repeat(1 << 20)}`], refuses],
    ['forty of 1 KB', Array.from({ length: 40 }, (_, i) => `X-Long-${i}: ${'x'.repeat(1000)}`), HOSTING.startsWith('lighttpd') ? [431] : [200]],
    ['ninety of 8 KB', Array.from({ length: 90 }, (_, i) => `X-Long-${i}: ${'x'.repeat(8000)}`), HOSTING.startsWith('lighttpd') ? [431] : HOSTING === 'apache-fcgid' ? [500] : [413]],
    ['two thousand short ones', Array.from({ length: 2000 }, (_, i) => `X-${i}: y`), refuses],
  ]) test(`${what}: taken or refused, and the next request works`, opts, () => withServer({}, async (s, p) => {
    p.respond(simple('ok'));
    const pids = lacks('residentWorker') ? [] : s.workerPids();
    const text = await ask(s, headers).catch((e) => `HTTP/1.1 ${allowed[0]} ${e.message}`);   // hung up on before all was sent
    const status = Number(/^HTTP\/1\.[01] (\d+) /.exec(text)?.[1]);
    assert.ok(allowed.includes(status), text.slice(0, 300));
    if (status === 200) assert.match(text, /"response":"ok"/);
    else assert.equal(p.chats.length, 0);
    if (status === 413) assert.match(text, /"too_large"/);
    assert.equal((await chat(s, 'still there')).text, 'ok');
    if (pids.length) s.noneEnded(pids);
  }));
});
