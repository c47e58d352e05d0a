// Clients that leave, read slowly or press Stop.
import test, { before, after, beforeEach, describe } from 'node:test';
import assert from 'node:assert/strict';
import net from 'node:net';
import { shared, withServer, startServer, lockDatabase, gone } from './server.js';
import { lacks } from './hosting.js';
import { startProvider, simple, held, gate, SCALE, neverEnding, stallAfter, silentStall, sleep, within, USAGE } from '../provider/provider.js';
import { request, post, stream, chat, chatStream, chatWhole, conversation, list, settled, slowReader, readChat, readStream, assertError } from './client.js';

const opts = { timeout: 120_000 * SCALE };
const at = shared({ before, after, beforeEach });
const stop = (s, id) => request(`${s.url}/conversations/${id}/stop`, { method: 'POST' });
const idOf = async (c) => JSON.parse((await c.next()).data);

describe('a client that leaves', () => {
  for (const path of ['/chat', '/chat/stream']) for (const how of ['fin', 'rst']) {
    test(`in mid-answer (${how}) of ${path}: the provider is not cut off, the answer is finished and stored`, opts, async () => {
      const g = gate();
      at.p.respond(held('seen ', g, 'unseen but kept'));
      const c = await stream(`${at.s.url}${path}`, { message: 'Hi' });
      const { conversation_id: id } = await idOf(c);
      await c.until((e) => /seen/.test(e.data));
      c.close(how);
      await sleep(0.3);                                    // long enough to have noticed
      assert.equal(at.p.closedCount, 0, 'the provider goes on');
      g.open();
      const { answer } = await settled(at.s, id);
      assert.equal(answer.content, 'seen unseen but kept');
      assert.equal(answer.status, 'done');
      assert.equal(answer.usage.total_tokens, USAGE.total_tokens);
      assert.equal(at.p.chats.length, 1);
    });
  }

  test('before the first token: the answer is finished and stored', opts, async () => {
    const g = gate();
    at.p.respond(async (req, io) => { await g.wait(); io.token('for nobody'); io.finish(); io.done(); await io.end(); });
    const before = new Set((await list(at.s)).conversations.map((c) => c.conversation_id));
    const going = stream(`${at.s.url}/chat`, { message: 'Hi' }).catch(() => null);
    await at.p.waitForChat(1);
    const mine = (await list(at.s)).conversations.find((c) => !before.has(c.conversation_id));
    const r = slowReader(`${at.s.url}/chat/stream`, { message: 'second, and gone at once' });
    await r.opened;
    await at.p.waitForChat(2);
    r.close();
    g.open();
    await (await going)?.all();
    assert.ok(mine);
    const all = (await list(at.s)).conversations.filter((c) => !before.has(c.conversation_id));
    assert.equal(all.length, 2);
    for (const c of all) {
      const { answer } = await settled(at.s, c.conversation_id);
      assert.equal(answer.content, 'for nobody');
      assert.equal(answer.status, 'done');
    }
  });

  test('with stream:false in mid-answer: the answer is finished and stored', opts, async () => {
    const g = gate();
    at.p.respond(held('half ', g, 'whole'));
    const r = slowReader(`${at.s.url}/chat`, { message: 'Hi, whole please', stream: false });
    await r.opened;
    await at.p.waitForChat(1);
    const id = (await list(at.s)).conversations[0].conversation_id;
    r.close();
    await sleep(0.2);
    g.open();
    const { answer } = await settled(at.s, id);
    assert.equal(answer.content, 'half whole');
    assert.equal(answer.status, 'done');
  });

  test('fifty clients that leave in mid-answer leave no descriptor behind', { ...opts, skip: lacks('threadedWorker') }, () => withServer({}, async (s, p) => {
    p.respond(simple('warm'));
    for (let i = 0; i < 5; i++) await chat(s, 'warm');
    const before = s.descriptors().length;
    const g = gate();
    p.respond(held('x ', g, 'y'));
    const ids = [];
    for (let i = 0; i < 50; i++) {
      const c = await stream(`${s.url}/chat`, { message: `m${i}` });
      ids.push((await idOf(c)).conversation_id);
      c.close(i % 2 ? 'rst' : 'fin');
    }
    g.open();
    for (const id of ids) assert.equal((await settled(s, id, { seconds: 20 })).answer.content, 'x y');
    await within(10, (async () => { while (s.descriptors().filter((f) => /socket/.test(f)).length > before + 60) await sleep(0.05); })(), 'closed sockets');
    assert.equal((await chat(s, 'still there')).text, 'x y');
  }));
});

/** Answers of so many ms each are those of a server that nobody holds up: most are quick, and none waited for the slow reader to be given up. */
function assertQuick(took) {
  const sorted = [...took].sort((a, b) => a - b);
  assert.ok(sorted[sorted.length >> 1] < 2000 * SCALE && sorted.at(-1) < 15_000 * SCALE, `others are delayed: ${sorted.map(Math.round)} ms`);
}

describe('a client that reads slowly', () => {
  const tokens = Array.from({ length: 20000 }, (_, i) => `token number ${i} of many\n`);

  for (const path of ['/chat', '/chat/stream']) test(`reads nothing of ${path}: others are not delayed, the answer is finished and stored meanwhile, and it gets everything later`, opts, async () => {
    at.p.enqueue(simple(tokens));
    at.p.respond(simple('quick'));
    const before = new Set((await list(at.s)).conversations.map((c) => c.conversation_id));
    const slow = slowReader(`${at.s.url}${path}`, { message: 'slowly please' });
    await slow.opened;
    await at.p.waitForChat(1);
    const took = [];
    for (let i = 0; i < 20; i++) {
      const t0 = performance.now();
      assert.equal((await chat(at.s, 'quickly please')).text, 'quick');
      took.push(performance.now() - t0);
    }
    assertQuick(took);
    const all = (await list(at.s)).conversations.filter((c) => !before.has(c.conversation_id));
    const mine = all.find((c) => /slowly/.test(c.title));
    const { answer } = await settled(at.s, mine.conversation_id, { seconds: 20 });
    assert.equal(answer.status, 'done');
    assert.equal(answer.content, tokens.join(''));
    assert.equal(slow.bytes, 0, 'nothing was read yet');
    const got = await slow.readAll();
    assert.equal(got.complete, true);
    const r = (path === '/chat' ? readChat : readStream)(got);
    assert.equal(r.text, tokens.join(''));
  });

  test('one byte a second: others are not delayed, the answer is finished and stored', opts, async () => {
    at.p.enqueue(simple(tokens));
    at.p.respond(simple('quick'));
    const slow = slowReader(`${at.s.url}/chat`, { message: 'bytewise please' });
    await slow.opened;
    await at.p.waitForChat(1);
    let taken = 0;
    const timer = setInterval(() => { if (slow.readSome(1)) taken++; }, 1000);
    try {
      const t0 = performance.now();
      const took = [];
      while (performance.now() - t0 < 4000) {
        const t1 = performance.now();
        assert.equal((await chatStream(at.s, 'quickly please')).text, 'quick');
        took.push(performance.now() - t1);
      }
      assertQuick(took);
    } finally { clearInterval(timer); }
    assert.ok(taken >= 1);
    const mine = (await list(at.s, '?q=bytewise')).conversations[0];
    const { answer } = await settled(at.s, mine.conversation_id, { seconds: 20 });
    assert.equal(answer.content, tokens.join(''));
    slow.close();
  });

  test('a client that stalls longer than CLIENT_STALL_SECONDS counts as gone; the answer is finished and stored', opts, () => withServer({ settings: { CLIENT_STALL_SECONDS: '1' } }, async (s, p) => {
    const g = gate();
    p.respond(async (req, io) => {
      await io.raw(Array.from({ length: 60000 }, (_, i) => `data: ${JSON.stringify(io.shape({ content: `token number ${i} of many\n` }))}\n\n`).join(''));
      await g.wait();
      io.token('the end'); io.finish(); io.done(); await io.end();
    });
    const slow = slowReader(`${s.url}/chat`, { message: 'Hi' });
    await slow.opened;
    const [io] = (await p.waitForChat(1), p.ios);
    await sleep(3);
    assert.equal(io.isClosed, false, 'the provider is not cut off');
    g.open();
    const id = (await list(s)).conversations[0].conversation_id;
    const { answer } = await settled(s, id, { seconds: 20 });
    assert.equal(answer.status, 'done');
    assert.match(answer.content, /the end$/);
    const got = await slow.readAll();
    // cut, visibly; or else (a host server that spools) given everything: never a false success
    if (got.complete && /\[DONE\]/.test(got.raw)) assert.equal(readChat(got).text, answer.content);
    else assert.doesNotMatch(got.raw, /\[DONE\]/);
  }));
});

describe('Stop', () => {
  test('on /chat/stream: the provider is let go, the partial text is kept as stopped, the client is told', opts, async () => {
    at.p.respond(stallAfter('this much '));
    const c = await stream(`${at.s.url}/chat/stream`, { message: 'Hi' });
    const { conversation_id: id } = await idOf(c);
    while (!/much/.test(c.raw)) await c.next();
    const r = await stop(at.s, id);
    assert.equal(r.status, 200, r.text);
    assert.deepEqual(r.json, { status: 'stopped' });
    await c.all();
    const x = readStream(c);
    assert.equal(x.terminal.event, 'done');
    assert.equal(x.terminal.status, 'stopped');
    assert.equal(x.text, 'this much ');
    await at.p.waitForClosed(1);
    const { answer } = await settled(at.s, id);
    assert.equal(answer.status, 'stopped');
    assert.equal(answer.content, 'this much ');
    assert.deepEqual((await stop(at.s, id)).json, { status: 'not_running' });
  });

  test('on /chat: the stream ends with [DONE], the partial text is kept as stopped', opts, async () => {
    at.p.respond(stallAfter('this much '));
    const c = await stream(`${at.s.url}/chat`, { message: 'Hi' });
    const { conversation_id: id } = await idOf(c);
    while (!/much/.test(c.raw)) await c.next();
    assert.deepEqual((await stop(at.s, id)).json, { status: 'stopped' });
    await c.all();
    const x = readChat(c);
    assert.equal(x.text, 'this much ');
    await at.p.waitForClosed(1);
    assert.equal((await settled(at.s, id)).answer.status, 'stopped');
  });

  test('with stream:false: the partial answer comes, kept as stopped', opts, async () => {
    at.p.respond(stallAfter('this much '));
    const going = chatWhole(at.s, 'stop me whole');
    await at.p.waitForChat(1);
    const id = (await list(at.s, '?q=whole')).conversations[0].conversation_id;
    await sleep(0.1);
    assert.deepEqual((await stop(at.s, id)).json, { status: 'stopped' });
    const r = await going;
    assert.ok(r.json, r.text);
    await at.p.waitForClosed(1);
    const { answer } = await settled(at.s, id);
    assert.equal(answer.status, 'stopped');
  });

  test('before the first token', opts, async () => {
    at.p.respond(silentStall);
    const going = stream(`${at.s.url}/chat/stream`, { message: 'stop me early' });
    await at.p.waitForChat(1);
    const id = (await list(at.s, '?q=early')).conversations[0].conversation_id;
    assert.deepEqual((await stop(at.s, id)).json, { status: 'stopped' });
    const c = await going;
    await c.all();
    const x = readStream(c);
    assert.equal(x.terminal.status, 'stopped');
    assert.equal(x.text, '');
    await at.p.waitForClosed(1);
    const { answer } = await settled(at.s, id);
    assert.equal(answer.status, 'stopped');
    assert.equal(answer.content, '');
  });

  test('in the pause between two tries', opts, () => withServer({ settings: { RETRY_AFTER_CAP_SECONDS: '30' } }, async (s, p) => {
    p.respond(async (req, io) => io.json({ error: { message: 'x' } }, 429, { 'retry-after': '20' }));
    const going = stream(`${s.url}/chat/stream`, { message: 'Hi' });
    await p.waitForChat(1);
    await sleep(0.2);
    const id = (await list(s)).conversations[0].conversation_id;
    const t0 = performance.now();
    assert.deepEqual((await stop(s, id)).json, { status: 'stopped' });
    const c = await going;
    await c.all();
    assert.ok(performance.now() - t0 < 5000 * SCALE);
    assert.equal(p.chats.length, 1);
    assert.equal((await settled(s, id)).answer.status, 'stopped');
  }));

  test('of an answer that never ends', opts, () => withServer({ settings: { MAX_ANSWER_BYTES: '60000000' } }, async (s, p) => {
    p.respond(neverEnding('and so on '));
    const c = await stream(`${s.url}/chat/stream`, { message: 'Hi' });
    const { conversation_id: id } = await idOf(c);
    for (let i = 0; i < 20; i++) await c.next();
    assert.deepEqual((await stop(s, id)).json, { status: 'stopped' });
    await c.all();
    const x = readStream(c);
    const { answer } = await settled(s, id);
    assert.equal(answer.content, x.text, 'stored is what was shown');
    await p.waitForClosed(1);
  }));

  test('after the client left: still running, and can be stopped', opts, async () => {
    at.p.respond(stallAfter('orphan '));
    const c = await stream(`${at.s.url}/chat/stream`, { message: 'Hi' });
    const { conversation_id: id } = await idOf(c);
    while (!/orphan/.test(c.raw)) await c.next();
    c.close();
    await sleep(0.3);
    assert.equal(at.p.closedCount, 0);
    assert.deepEqual((await stop(at.s, id)).json, { status: 'stopped' });
    await at.p.waitForClosed(1);
    const { answer } = await settled(at.s, id);
    assert.equal(answer.status, 'stopped');
    assert.equal(answer.content, 'orphan ');
  });

  test('from another server process on the same file', opts, async () => {
    const other = await startServer({ settings: { LLM_BASE_URL: at.p.url, PARLEY_DB: at.s.db } });
    try {
      at.p.respond(stallAfter('far away '));
      const c = await stream(`${at.s.url}/chat/stream`, { message: 'Hi' });
      const { conversation_id: id } = await idOf(c);
      while (!/away/.test(c.raw)) await c.next();
      assert.deepEqual((await stop(other, id)).json, { status: 'stopped' });
      await c.all(10);
      assert.equal(readStream(c).terminal.status, 'stopped');
      await at.p.waitForClosed(1);
      assert.equal((await settled(other, id)).answer.content, 'far away ');
    } finally { await other.stop(); }
  });

  test('a new message can be sent after Stop', opts, async () => {
    at.p.enqueue(stallAfter('cut off '));
    at.p.respond(simple('going on'));
    const c = await stream(`${at.s.url}/chat/stream`, { message: 'Hi' });
    const { conversation_id: id } = await idOf(c);
    while (!/off/.test(c.raw)) await c.next();
    await stop(at.s, id);
    await c.all();
    const r = await chat(at.s, { message: 'next', conversation_id: id });
    assert.equal(r.text, 'going on', JSON.stringify(r.error));
    assert.equal((await conversation(at.s, id)).messages.length, 4);
  });
});

describe('a conversation that goes away in mid-answer', () => {
  test("what is still being written for one user never reaches another user's conversation", opts, async () => {
    await withServer({ auth: true }, async (s, p) => {
      const letGo = gate();
      p.respond(async (req, io) => {
        const hers = JSON.stringify(req.body).includes('from alice');
        io.token(hers ? 'HERS' : 'his');
        if (!hers) await letGo.wait();
        else await io.closed;                                // until her deletion has stopped it
        io.finish(); io.done(); await io.end();
      });
      for (let round = 0; round < 5; round++) {
        const a = await stream(`${s.url}/chat`, { message: 'from alice' }, { auth: 'alice' });
        const { conversation_id: id } = await idOf(a);
        await a.until((e) => /HERS/.test(e.data));
        const gone = request(`${s.url}/conversations/${id}`, { method: 'DELETE', auth: 'alice' });
        const b = await stream(`${s.url}/chat`, { message: 'from bob' }, { auth: 'bob' });
        const { conversation_id: bobs } = await idOf(b);
        assert.equal((await gone).status, 200);
        await a.all().catch(() => {});
        letGo.open();
        await b.all();
        const { json } = await request(`${s.url}/conversations/${bobs}`, { auth: 'bob' });
        assert.deepEqual(json.messages.map((m) => [m.content, m.status]), [['from bob', 'done'], ['his', 'done']]);
      }
    });
  });

  test('clearing it while questions come in never ends the worker, with the demo model either', opts, async () => {
    const s = await startServer({ settings: { OPENAI_API_KEY: undefined } });
    try {
      const workers = s.workerPids();
      for (let round = 0; round < 40; round++) {
        const { json: { conversation_id: id } } = await post(`${s.url}/conversations`, {});
        const streams = [0, 1, 2, 3].map(() => stream(`${s.url}/chat`, { message: 'hi', conversation_id: id, parent_id: 'root' }).then((c) => c.close(), () => {}));
        const clears = [0, 1, 2].map(async (k) => { await sleep(k * 0.0003 * (round % 10)); return request(`${s.url}/conversations/${id}/messages`, { method: 'DELETE' }); });
        for (const r of await Promise.all(clears)) assert.equal(r.status, 200);
        await Promise.all(streams);
      }
      s.noneEnded(workers);
    } finally { await s.stop(); }
  });
});

describe('trouble with the database in mid-answer', () => {
  test(`Stop ${lacks('stopWithoutStore') ? 'is 503 while the database is locked, and works afterwards' : 'works while the database is locked'}`, opts, async () => {
    await withServer({ settings: { DB_BUSY_SECONDS: '0.2' } }, async (s, p) => {
      p.respond(neverEnding());
      const c = await stream(`${s.url}/chat/stream`, { message: 'Hi' });
      const { conversation_id: id } = await idOf(c);
      const lock = await lockDatabase(s.db);
      let r = await stop(s, id);
      if (lacks('stopWithoutStore')) {
        assertError(r, 503, 'store_unavailable');
        await lock.release();
        r = await stop(s, id);
      }
      assert.deepEqual(r.json, { status: 'stopped' });
      await within(5, p.waitForClosed(1), 'the provider is let go');
      await lock.release();
      await c.all();
      assert.equal((await settled(s, id)).answer.status, 'stopped');
    });
  });

  test('an answer whose end cannot be stored is stored when the database is free again', opts, async () => {
    await withServer({ settings: { DB_BUSY_SECONDS: '0.1' } }, async (s, p) => {
      const g = gate();
      p.respond(held('the whole ', g, 'answer'));
      const c = await stream(`${s.url}/chat/stream`, { message: 'Hi' });
      const { conversation_id: id } = await idOf(c);
      await c.until((e) => /whole/.test(e.data));
      const lock = await lockDatabase(s.db);
      g.open();
      const end = (await c.all()).at(-1);
      assert.equal(end.event, 'error');
      assert.equal(JSON.parse(end.data).code, 'store_unavailable');
      await lock.release();
      const { answer } = await settled(s, id);
      assert.equal(answer.content, 'the whole answer');
      assert.equal(answer.status, 'done');
    });
  });
});

test('a client that has closed its side and goes on reading gets the whole answer', opts, async () => {
  const g = gate();
  at.p.respond(held('first ', g, 'last'));
  const port = Number(new URL(at.s.url).port);
  const body = JSON.stringify({ message: 'Hi' });
  const socket = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  let text = '';
  socket.on('data', (d) => { text += d; });
  const closed = new Promise((resolve) => socket.once('close', resolve));
  socket.end(`POST /chat HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
  await at.p.waitForChat(1);
  await sleep(1.5);                                          // long enough for a ping or two
  g.open();
  await within(10, closed, 'the end of the answer');
  assert.match(text, /first /);
  assert.match(text, /last/);
  assert.match(text, /data: \[DONE\]/);
});

test('a client that leaves during silence is noticed although nothing is said', { ...opts, skip: lacks('seesSilentLeave') }, async () => {
  await withServer({ settings: { HEARTBEAT_SECONDS: '60' } }, async (s, p) => {
    const g = gate();
    p.respond(held('first ', g, 'last'));
    const c = await stream(`${s.url}/chat/stream`, { message: 'Hi' });
    const { conversation_id: id } = await idOf(c);
    await c.until((e) => /first/.test(e.data));
    c.close('fin');
    await s.logged(/a client left the answer/, 10);         // by the pings that follow a FIN: the heartbeat is a minute away
    g.open();
    assert.equal((await settled(s, id)).answer.content, 'first last');
  });
});

test('a stop while the database is locked takes no longer with many unsaved answers, and says what is lost', { ...opts, skip: lacks('threadedWorker') }, async () => {
  const p = await startProvider();
  const s = await startServer({ settings: { LLM_BASE_URL: p.url, DB_BUSY_SECONDS: '1', SHUTDOWN_SECONDS: '0.2' } });
  let lock;
  try {
    const g = gate();
    p.respond(held('text ', g, 'end'));
    const streams = await Promise.all(Array.from({ length: 8 }, () => stream(`${s.url}/chat/stream`, { message: 'Hi' })));
    await Promise.all(streams.map((c) => c.until((e) => /text/.test(e.data))));
    lock = await lockDatabase(s.db);
    const [worker] = s.workerPids();
    const since = performance.now();
    process.kill(worker, 'SIGTERM');
    await gone(worker, 15);
    assert.ok(performance.now() - since < 14_000 * SCALE, 'two waits for the database, not eight');
    await s.logged(/(is lost: it could not be stored[\s\S]*){8}/, 5);
    await lock.release();
    g.open();
    for (const c of streams) c.close();
  } finally { await lock?.release(); await s.stop({ check: false }); await p.stop(); }
});
