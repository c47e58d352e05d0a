// Many streams at once through one worker process, or through as many processes.
import test, { describe } from 'node:test';
import assert from 'node:assert/strict';
import { withServer, startServer } from './server.js';
import { lacks } from './hosting.js';
import { gate, SCALE, held, simple, sleep, within } from '../provider/provider.js';
import { get, post, stream, chat, chatStream, chatWhole, conversation, settled, slowReader, readChat, readStream, assertError, waitUntil } from './client.js';

const N = lacks('threadedWorker') ? 100 : 500;             // a hundred, where each is a process or two of its own
const SLOW = 10;
const QUIET = 20;                                          // seconds in which the slow ones read nothing

test(`${N} simultaneous streams${lacks('threadedWorker') ? '' : ' through one worker'}: all tokens, right order, right conversation, each stored; ${SLOW} clients read nothing for ${QUIET} s`, { timeout: 300_000 * SCALE }, () => withServer({
  workers: 1,
  settings: { MAX_STREAMS: '600', LOG_LEVEL: 'info', HEADER_HOLD_SECONDS: '30', CLIENT_STALL_SECONDS: String(120 * SCALE), TOTAL_TIMEOUT_SECONDS: String(600 * SCALE), IDLE_TIMEOUT_SECONDS: String(300 * SCALE) },
}, async (s, p) => {
  const all = gate();
  const tokensFor = (i) => Array.from({ length: i < SLOW ? 6000 : 40 }, (_, k) => `s${i}t${k}${k % 7 ? ' ' : '\n'}`);
  let open = 0;
  let most = 0;
  p.respond(async (req, io) => {
    const i = Number(/stream number (\d+)\./.exec(req.body.messages.at(-1).content)[1]);
    open++;
    most = Math.max(most, open);
    if (open === N) all.open();
    await Promise.race([all.wait(), io.closed]);
    io.role();
    if (i < SLOW) for (const t of tokensFor(i)) { if (io.isClosed) return; await io.token(t); } // as fast as they are taken
    else for (const t of tokensFor(i)) { if (io.isClosed) return; io.token(t); await sleep(0.02); }
    io.finish('stop', { prompt_tokens: i, completion_tokens: 40, total_tokens: i + 40 });
    io.done();
    open--;
    await io.end();
  });

  const pids = s.workerPids();
  if (!lacks('threadedWorker')) assert.equal(pids.length, 1, 'one worker process');
  const pathOf = (i) => (i % 2 ? '/chat' : '/chat/stream');
  const body = (i) => ({ message: `This is stream number ${i}.` });
  const slow = [];
  for (let i = 0; i < SLOW; i++) { const r = slowReader(s.url + pathOf(i), body(i)); slow.push(r); await r.opened; }
  const t0 = performance.now();
  const fast = await Promise.all(Array.from({ length: N - SLOW }, async (_, k) => {
    const i = k + SLOW;
    const c = await stream(s.url + pathOf(i), body(i), { seconds: 120 });
    await c.all(120);
    return [i, c];
  }));
  assert.equal(most, N, `${N} were open at the provider at the same time`);
  assert.equal(p.chats.length, N, 'each was asked once');
  for (const r of slow) assert.equal(r.bytes, 0);

  const results = new Map();
  for (const [i, c] of fast) {
    assert.equal(c.complete, true);
    const r = (pathOf(i) === '/chat' ? readChat : readStream)(c);
    assert.equal(r.text, tokensFor(i).join(''), `stream ${i}: all tokens in order`);
    results.set(i, r);
  }
  const rest = QUIET - (performance.now() - t0) / 1000;    // the slow ones sleep on
  if (rest > 0) await sleep(rest);
  assert.deepEqual((await get(`${s.url}/health`)).json, { status: 'healthy' });
  const got = await Promise.all(slow.map((r) => r.readAll(120)));
  for (const [i, g] of got.entries()) {
    assert.equal(g.complete, true, `slow stream ${i} is whole`);
    const r = (pathOf(i) === '/chat' ? readChat : readStream)(g);
    assert.equal(r.text, tokensFor(i).join(''), `slow stream ${i}: all tokens in order`);
    results.set(i, r);
  }
  assert.equal(results.size, N);
  assert.equal(new Set([...results.values()].map((r) => r.conversation_id)).size, N, 'each in a conversation of its own');
  for (const [i, r] of results) {
    const c = await conversation(s, r.conversation_id);
    assert.equal(c.messages.length, 2);
    assert.equal(c.messages[0].content, body(i).message, 'the right conversation');
    assert.equal(c.messages[1].id, r.message_id);
    assert.equal(c.messages[1].content, tokensFor(i).join(''), `stored text ${i} is what was sent`);
    assert.equal(c.messages[1].status, 'done');
    assert.equal(c.messages[1].usage.prompt_tokens, i, 'and the right usage');
  }
  s.noneEnded(pids);
  p.respond(simple('afterwards'));
  assert.equal((await chat(s, 'This is stream number 1.')).text, 'afterwards');
}));

describe('more than MAX_STREAMS', () => {
  test('the stream too many is 503 overloaded, health and history answer, and there is room afterwards', { timeout: 60_000 * SCALE }, () => withServer({ workers: 1, settings: { MAX_STREAMS: '2' } }, async (s, p) => {
    const g = gate();
    p.respond(held('x ', g, 'y'));
    const a = await stream(`${s.url}/chat`, { message: 'one' });
    const b = await stream(`${s.url}/chat/stream`, { message: 'two' });
    await p.waitForChat(2);
    for (const path of ['/chat', '/chat/stream']) {
      const r = await post(`${s.url}${path}`, { message: 'three' });
      assertError(r, 503, 'overloaded');
      assert.match(r.headers['retry-after'] ?? '1', /^\d+$/);     // welcome, not promised
    }
    assert.equal((await get(`${s.url}/health`)).status, 200);
    const l = await get(`${s.url}/conversations`);
    assert.equal(l.status, 200);
    assert.equal(l.json.conversations.length, 2, 'nothing was created for it');
    g.open();
    await a.all();
    await b.all();
    assert.equal(readChat(a).text, 'x y');
    assert.equal(readStream(b).text, 'x y');
    assert.equal(p.chats.length, 2);
    assert.equal((await chat(s, 'four')).text, 'x y');
  }));
});

test('who has been told the end of an answer can ask the next question at once, also where one answer at a time is the limit', { timeout: 120_000 * SCALE }, () => withServer({ auth: true, settings: { MAX_STREAMS: '1', MAX_STREAMS_PER_USER: '1', REQUESTS_PER_MINUTE: '0' } }, async (s, p) => {
  p.respond(simple('ok'));
  for (let i = 0; i < (lacks('threadedWorker') ? 20 : 200); i++) {
    const r = await (i % 2 ? chat : chatStream)(s, 'Hi', { auth: 'alice' });
    assert.equal(r.text, 'ok', `question ${i}: ${JSON.stringify(r.error)}`);
  }
}));

test('the same for who has followed an answer of another process', { timeout: 120_000 * SCALE }, () => withServer({}, async (s, p) => {
  const other = await startServer({ settings: { LLM_BASE_URL: p.url, PARLEY_DB: s.db, MAX_STREAMS: '1' } });
  try {
    for (let i = 0; i < 8; i++) {
      const g = gate();
      p.respond(held(['a '], g, ['b']));
      const { stream: place } = (await post(`${s.url}/chat`, { message: 'Hi', detach: true })).json;
      const c = await stream(new URL(place, other.url).href, undefined, { method: 'GET' });
      await c.until((e) => e.event === 'token');
      p.respond(simple('ok'));
      g.open();
      await c.until((e) => e.event === 'done');
      assert.equal((await chat(other, 'next')).text, 'ok', `round ${i}`);
      await c.all();
    }
  } finally { await other.stop(); }
}));

test('hundreds of short answers one after another leave no descriptor and no memory behind', { timeout: 120_000 * SCALE, skip: lacks('threadedWorker') }, () => withServer({ workers: 1, settings: { LOG_LEVEL: 'info' } }, async (s, p) => {
  p.respond(simple('short'));
  const round = async (n) => { for (let i = 0; i < n; i += 10) await Promise.all(Array.from({ length: 10 }, () => chat(s, 'Hi'))); };
  await round(100);
  const descriptors = () => s.descriptors().filter((name) => !/parley\.db/.test(name)).length;      // of the database there are at most eight readers, as many as overlap
  const fds = descriptors();
  const rss = s.rss();
  await round(400);
  await waitUntil(10, () => descriptors() <= fds + 12, `${fds} descriptors, and few more`);
  if (SCALE === 1) assert.ok(s.rss() <= rss + 8192, `${rss} → ${s.rss()} KB`);
  assert.equal(p.chats.length, 500);
}));
