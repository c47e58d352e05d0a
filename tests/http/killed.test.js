// A worker that is killed in mid-answer, in every hosting mode: what it said is kept but for the last moment, it is found at once by whoever looks, nobody is told anything twice, and work goes on.
// Neighbours: reattach.test.js, continue.test.js; shutdown.test.js (a worker that is asked to end).
import test, { before, after, beforeEach, describe } from 'node:test';
import assert from 'node:assert/strict';
import { sql, withServer } from './server.js';
import { simple, stallAfter, serverError, SCALE, sleep } from '../provider/provider.js';
import { post, stream, chat, chatWhole, conversation, list, assertError } from './client.js';
import { opts, several, attach, poll, stop, follow, posOf, textOf, journaled, killWorkers, restarted, lastAnswer, assertNothingRuns } from './survive.js';

const at = several({ before, after, beforeEach }, 2, { settings: { LLM_FALLBACKS: 'test-model-2', RETRIES: '0' } });

/** A token every 10 ms, for ever. */
const ticking = async (req, io) => {
  io.role();
  for (let k = 0; !io.isClosed; k++) { io.token(`token-${k} ä😀 `); await sleep(0.01); }
};

/** The worker that makes this answer is killed once the journal has what its first client has seen. */
async function killedAfter(said, body = { message: 'Hi' }, address = '/chat/stream') {
  const s = at.s;
  at.p.respond(stallAfter(said));
  const c = await stream(`${s.url}${address}`, body);
  const start = JSON.parse((await c.next()).data);
  const whole = [].concat(said).join('');
  while (!c.raw.includes(whole.trim().split(' ').at(-1))) await c.next();
  await journaled(s, start.message_id, 1 + Buffer.byteLength(whole));
  const pids = killWorkers(s);
  await c.all();
  return { pids, c, ...start, last: c.events.at(-1).id };
}

describe('kill -9 in mid-answer', () => {
  test('at most the last moment is lost; watchers elsewhere are told, nobody twice; the next question works at once', opts, async (t) => {
    const [a, b] = at.all;
    at.p.respond(ticking);
    const c = await stream(`${a.url}/chat/stream`, { message: 'Hi' });
    const { conversation_id: id, message_id: message } = JSON.parse((await c.next()).data);
    await c.until((e) => /token-10 /.test(e.data));
    const w = await attach(b, id);
    await w.until((e) => /token-2\d /.test(e.data));
    await sleep(0.2 + Math.random() * 0.3);
    const pids = killWorkers(a);
    const killed = performance.now();
    await c.all();
    assert.ok(!c.events.some((e) => e.event === 'done' || e.event === 'error'), 'nobody who could have said it lives');
    const seen = follow(c.events);

    const kept = await lastAnswer(b, id);
    assert.equal(kept.status, 'interrupted', `${Math.round(performance.now() - killed)} ms after the kill`);
    assert.equal(kept.error.code, 'interrupted');
    assert.equal(kept.id, message);
    assert.ok(seen.text.startsWith(kept.content) || kept.content.startsWith(seen.text), 'what is kept is the beginning of what was said');
    const missing = (seen.text.match(/token/g)?.length ?? 0) - (kept.content.match(/token/g)?.length ?? 0);
    t.diagnostic(`${missing * 10} ms of text are lost of ${seen.text.length} characters; found ${Math.round(performance.now() - killed)} ms after the kill`);
    assert.ok(missing <= 25 + 50 * SCALE, `${missing} tokens of 10 ms each are lost`);
    assertNothingRuns(a, id);

    await w.all();
    const told = readStreamAfterJump(w);
    assert.equal(told.text, kept.content);
    assert.equal(told.terminal.code, 'interrupted');
    assert.equal(told.terminal.message_id, message);

    await restarted(a, pids);
    for (const s of at.all) {
      for (const last of [c.events.at(-1).id, w.events.at(-2).id]) {                 // one who saw more than was kept, and one who saw exactly that
        const again = await attach(s, id, { last });
        await again.all();
        const more = again.events.filter((e) => e.event !== 'ping');
        const known = posOf(last) < 1 + Buffer.byteLength(kept.content);
        if (!known) assert.deepEqual(more.map((e) => e.event), ['error'], 'only how it ended');
        assert.equal(kept.content.slice(0, textUpTo(kept.content, posOf(last)).length) + textOf(more), kept.content);
        assert.equal(more.at(-1).id, w.events.at(-1).id);
        assert.ok(posOf(more.at(-1).id) > posOf(last));
        const polled = await poll(s, id, `poll=1&after=${last}`);
        assert.deepEqual(polled.json.events.map((e) => e.id), more.map((e) => e.id));
        assert.equal(polled.json.status, 'interrupted');
        assert.equal((await poll(s, id, `poll=1&after=${polled.json.after}`)).status, 204);
      }
    }
    at.p.respond(simple('back'));
    assert.equal((await chat(a, { message: 'again', conversation_id: id })).text, 'back');
    assert.deepEqual(at.p.chats.at(-1).body.messages.slice(-3).map((m) => m.role), ['user', 'assistant', 'user']);
    assert.equal(at.p.chats.at(-1).body.messages.at(-2).content, kept.content, 'what is kept is part of what was said');
    assert.equal((await list(b)).conversations.length > 0, true);
  });

  for (const where of [0, 1]) test(`the next question, ${where ? 'in another process' : 'in the next process'}, needs no one to look before: no 409`, opts, async () => {
    const x = await killedAfter('half of ');
    if (!where) await restarted(at.s, x.pids);
    at.p.respond(simple('back'));
    const r = await chat(at.all[where], { message: 'again', conversation_id: x.conversation_id });
    assert.equal(r.text, 'back', JSON.stringify(r.error));
    const { messages } = await conversation(at.all[1], x.conversation_id);
    assert.deepEqual(messages.map((m) => [m.content, m.status]), [['Hi', 'done'], ['half of ', 'interrupted'], ['again', 'done'], ['back', 'done']]);
    assertNothingRuns(at.s, x.conversation_id);
    await restarted(at.s, x.pids);
  });

  test('thinking and events are kept too, at their positions', opts, async () => {
    const [a, b] = at.all;
    at.p.enqueue(serverError(500));                          // so another model answers, and the client is told by an event
    at.p.respond(async (req, io) => {
      for (const text of ['I th', 'ink']) { io.chunk(io.shape({ reasoning_content: text, content: null })); await sleep(0.05); }
      io.token('so '); await sleep(0.05);
      io.chunk(io.shape({ reasoning_content: ' again', content: null })); await sleep(0.05);
      io.token('it ');
    });
    const c = await stream(`${a.url}/chat/stream`, { message: 'Hi' });
    await c.until((e) => e.data === 'it ');
    const { conversation_id: id, message_id: message } = JSON.parse(c.events[0].data);
    await journaled(a, message, posOf(c.events.at(-1).id));
    const pids = killWorkers(a);
    await c.all();
    const kept = await lastAnswer(b, id);
    assert.equal(kept.status, 'interrupted');
    assert.equal(kept.content, 'so it ');
    assert.equal(kept.reasoning, 'I think again');
    const shown = c.events.filter((e) => !['start', 'token', 'reasoning'].includes(e.event));
    assert.ok(shown.some((e) => e.event === 'live_update'), JSON.stringify(c.events.map((e) => e.event)));
    assert.deepEqual(kept.events.map((e) => e.type), shown.map((e) => e.event));
    for (let i = 0; i < c.events.length; i++) {
      const again = await attach(b, id, { after: c.events[i].id });
      await again.all();
      const rest = again.events.slice(0, -1).map((e) => [e.event, e.data, e.id]);
      assert.deepEqual(rest, c.events.slice(i + 1).map((e) => [e.event, e.data, e.id]), `after ${i}`);
      assert.equal(again.events.at(-1).event, 'error');
    }
    await restarted(a, pids);
  });

  test('before the first token: the question is there, the answer is interrupted and empty', opts, async () => {
    const [a, b] = at.all;
    at.p.respond(async () => {});
    const asked = stream(`${a.url}/chat`, { message: 'still there?', stream: true }).then((s) => s.all().then(() => s), (e) => e);
    await at.p.waitForChat(1);
    const [{ id }] = sql(a.db, "SELECT c.public_id AS id FROM messages AS m JOIN conversations AS c ON c.id = m.conversation_id WHERE m.content = 'still there?'");
    const pids = killWorkers(a);
    const s = await asked;
    assert.ok(!/"finish_reason":"/.test(s.raw ?? ''), 'no false success');
    const { messages } = await conversation(b, id);
    assert.deepEqual(messages.map((m) => [m.content, m.status]), [['still there?', 'done'], ['', 'interrupted']]);
    await restarted(a, pids);
    at.p.respond(simple('back'));
    assert.equal((await chat(a, { message: 'again', conversation_id: id })).text, 'back');
  });

  test('Stop of an answer that was lost says not_running; deleting its conversation works', opts, async () => {
    const x = await killedAfter('half of ');
    assert.deepEqual((await stop(at.all[1], x.conversation_id)).json, { status: 'not_running' });
    assert.equal((await lastAnswer(at.all[1], x.conversation_id)).status, 'interrupted');
    await restarted(at.s, x.pids);
    assert.equal((await fetch(`${at.s.url}/conversations/${x.conversation_id}`, { method: 'DELETE' })).status, 200);
  });

  test('the place of an answer that was lost is free again at once', opts, () => withServer({ auth: true, settings: { MAX_STREAMS: '2', MAX_STREAMS_PER_USER: '1' } }, async (s, p) => {
    for (const [lost, next] of [[['alice'], 'alice'], [['alice', 'bob'], 'bob']]) {
      p.respond(stallAfter('half of '));
      const clients = await Promise.all(lost.map((auth) => stream(`${s.url}/chat/stream`, { message: 'Hi' }, { auth })));
      for (const c of clients) await c.until((e) => /of /.test(e.data));
      const pids = killWorkers(s);
      for (const c of clients) await c.all();
      await restarted(s, pids);
      p.respond(simple('back'));
      const r = await chat(s, 'something else', { auth: next });
      assert.equal(r.text, 'back', JSON.stringify(r.error));
    }
  }));

  test('several answers of one process: each is found by who looks at it', opts, async () => {
    const [a, b] = at.all;
    at.p.respond(stallAfter('half of '));
    const clients = await Promise.all(Array.from({ length: 5 }, async (_, i) => {
      const c = await stream(`${a.url}/chat/stream`, { message: `m${i}` });
      const start = JSON.parse((await c.next()).data);
      await c.until((e) => /of /.test(e.data));
      return { c, ...start };
    }));
    for (const x of clients) await journaled(a, x.message_id, 9);
    const watchers = await Promise.all(clients.map((x) => attach(b, x.conversation_id)));
    for (const w of watchers) await w.until((e) => e.event === 'token');
    const pids = killWorkers(a);
    for (const w of watchers) {
      await w.all();
      assert.equal(readStreamAfterJump(w).terminal.code, 'interrupted');
      assert.equal(textOf(w.events), 'half of ');
    }
    for (const { c, conversation_id: id } of clients) { await c.all(); assertNothingRuns(a, id); }
    await restarted(a, pids);
  });

  test('a detached answer: its stream tells that it was lost', opts, async () => {
    const [a, b] = at.all;
    at.p.respond(stallAfter('half of '));
    const { conversation_id: id, message_id: message } = (await post(`${a.url}/chat`, { message: 'Hi', detach: true })).json;
    await journaled(a, message, 9);
    const pids = killWorkers(a);
    const w = await attach(b, id);
    await w.all();
    assert.equal(readStreamAfterJump(w).terminal.code, 'interrupted');
    assert.equal(textOf(w.events), 'half of ');
    await restarted(a, pids);
  });

  test('a question with an Idempotency-Key, sent again: its client gets what is kept and the truth, in every dialect', opts, async () => {
    const [a, b] = at.all;
    const headers = { 'Idempotency-Key': `killed-${Math.random()}` };
    at.p.respond(stallAfter('half of '));
    const c = await stream(`${a.url}/chat/stream`, { message: 'Hi' }, { headers });
    const { conversation_id: id, message_id: message } = JSON.parse((await c.next()).data);
    await c.until((e) => /of /.test(e.data));
    await journaled(a, message, 9);
    const pids = killWorkers(a);
    await c.all();
    for (const s of [b, a]) {
      const again = await stream(`${s.url}/chat/stream`, { message: 'Hi' }, { headers });
      await again.all();
      assert.equal(readStreamAfterJump(again).terminal.code, 'interrupted');
      assert.equal(textOf(again.events), 'half of ');
      assert.equal(JSON.parse(again.events[0].data).message_id, message);
      const chunks = await chat(s, 'Hi', { headers });
      assert.equal(chunks.text, 'half of ');
      assert.equal(chunks.error.code, 'interrupted');
      assert.equal(chunks.message_id, message);
      if (s === b) await restarted(a, pids);
    }
    assert.equal((await conversation(b, id)).messages.length, 2);
    assert.equal(at.p.chats.length, 1, 'nobody is asked twice');
  });

  test('and whole, with stream:false: 502 interrupted, which names the answer that can go on', opts, async () => {
    const [a, b] = at.all;
    const headers = { 'Idempotency-Key': `killed-${Math.random()}` };
    at.p.respond(stallAfter('half of '));
    const asked = chatWhole(a, 'Hi', { headers }).catch((e) => e);
    await at.p.waitForChat(1);
    const [{ id }] = sql(a.db, 'SELECT public_id AS id FROM messages ORDER BY rowid DESC LIMIT 1');
    await journaled(a, id, 9);
    const pids = killWorkers(a);
    const first = await asked;
    assert.ok(first instanceof Error || first.status >= 500, 'no false success');
    const again = await chatWhole(b, 'Hi', { headers });
    assertError(again, 502, 'interrupted');
    assert.equal(again.headers['parley-message'], id);
    await restarted(a, pids);
    at.p.respond(simple('it'));
    assert.equal((await chatWhole(a, { message: '', continue: id })).json.response, 'half of it');
  });
});

/** What a watcher of a lost answer was told: readStream() but for the jump before the terminal event. */
function readStreamAfterJump(s) {
  const { text } = follow(s.events);
  const last = s.events.at(-1);
  assert.equal(last.event, 'error', s.raw.slice(-300));
  assert.equal(s.events.filter((e) => e.event === 'error' || e.event === 'done').length, 1);
  return { text, terminal: JSON.parse(last.data) };
}

/** The part of a text that ends at a position of its stream, where the text is all there is. */
function textUpTo(text, pos) {
  return Buffer.from(text).subarray(0, pos - 1).toString('utf8');
}
