// Idempotency-Key: a question that is sent again is asked once, and everybody who sent it gets the answer, in the dialect of their own request. And two tabs that write into one conversation.
// Neighbours: reattach.test.js; killed.test.js (a worker is killed between the two).
import test, { before, after, beforeEach, describe } from 'node:test';
import assert from 'node:assert/strict';
import { startServer, lockDatabase, sql } from './server.js';
import { simple, slow, cutAfter, serverError, sleep } from '../provider/provider.js';
import { request, post, del, stream, chat, chatStream, chatWhole, conversation, settled, readStream, assertError } from './client.js';
import { opts, several, heldAnswer } from './survive.js';

const at = several({ before, after, beforeEach }, 2);
let number = 0;
const newKey = () => `key ${process.pid} ${Date.now()} ${number++}`;
const withKey = (key, more = {}) => ({ ...more, headers: { 'Idempotency-Key': key, ...more.headers } });
const questions = (text) => sql(at.s.db, `SELECT count(*) AS n FROM messages WHERE role = 'user' AND content = '${text}'`)[0].n;
const askedFor = (p, text) => p.chats.filter((c) => c.body.messages.at(-1).content === text).length;

/** The same question in each of the four ways; each gives {message_id, conversation_id, text}. */
const ways = {
  async '/chat'(s, body, o) { const r = await chat(s, body, o); assert.equal(r.status, 200, r.raw); assert.equal(r.error, null); return r; },
  async '/chat/stream'(s, body, o) { const r = await chatStream(s, body, o); assert.equal(r.status, 200, r.raw); assert.equal(r.terminal.status, 'done'); return r; },
};

describe('the same question with the same key', () => {
  for (const count of [2, 20]) for (const address of Object.keys(ways)) test(`${count} at once on ${address}: asked once, and all get the whole answer`, opts, async () => {
    const key = newKey(), message = `question ${key}`;
    at.p.respond(slow(['so ', '😀 ', 'much'], 0.05));
    const said = await Promise.all(Array.from({ length: count }, (_, i) => ways[address](at.all[i % 2], { message }, withKey(key))));
    for (const r of said) {
      assert.equal(r.text, 'so 😀 much');
      assert.equal(r.message_id, said[0].message_id);
      assert.equal(r.conversation_id, said[0].conversation_id);
    }
    assert.equal(askedFor(at.p, message), 1);
    assert.equal(questions(message), 1);
  });

  test('whole, twenty at once in two processes', opts, async () => {
    const key = newKey(), message = `question ${key}`;
    at.p.respond(slow(['so ', 'much'], 0.1));
    const said = await Promise.all(Array.from({ length: 20 }, (_, i) => chatWhole(at.all[i % 2], { message }, withKey(key))));
    for (const r of said) {
      assert.equal(r.status, 200, r.text);
      assert.equal(r.json.response, 'so much');
      assert.equal(r.json.message_id, said[0].json.message_id);
      assert.ok('usage' in r.json);
    }
    assert.equal(askedFor(at.p, message), 1);
    assert.equal(questions(message), 1);
  });

  test('detached, five at once: all are told the same place', opts, async () => {
    const key = newKey(), message = `question ${key}`;
    at.p.respond(slow(['so ', 'much'], 0.1));
    const said = await Promise.all(Array.from({ length: 5 }, (_, i) => post(`${at.all[i % 2].url}/chat`, { message, detach: true }, withKey(key))));
    for (const r of said) {
      assert.equal(r.status, 202, r.text);
      assert.deepEqual(r.json, said[0].json);
    }
    assert.equal((await settled(at.s, said[0].json.conversation_id)).answer.content, 'so much');
    assert.equal(askedFor(at.p, message), 1);
    const late = await post(`${at.s.url}/chat`, { message, detach: true }, withKey(key));
    assert.deepEqual(late.json, said[0].json, 'after the end too');
  });

  test('in mid-answer and after the end, here and in another process: each dialect is as it always is', opts, async () => {
    const key = newKey();
    const x = await heldAnswer(at.s, at.p, ['so ', '😀 '], ['much'], { message: 'Hi' }, withKey(key));
    const asking = at.all.map((s) => [chatStream(s, { message: 'Hi' }, withKey(key)), chat(s, { message: 'Hi' }, { ...withKey(key) })]);
    await sleep(0.3);
    x.g.open();
    await x.first.all();
    const answers = await Promise.all(asking.flat());
    for (const s of at.all) answers.push(await chatStream(s, { message: 'Hi' }, withKey(key)), await chat(s, { message: 'Hi' }, withKey(key)));
    for (const r of answers) {
      assert.equal(r.status, 200);
      assert.equal(r.text, 'so 😀 much');
      assert.equal(r.message_id, x.message_id);
      assert.ok(r.terminal ? r.terminal.status === 'done' : r.finish_reason === 'stop');
    }
    assert.deepEqual(answers.filter((r) => r.chunks).map((r) => r.usage), answers.filter((r) => r.chunks).map(() => answers.find((r) => r.chunks).usage));
    assert.equal(at.p.chats.length, 1);
    assert.equal((await conversation(at.s, x.conversation_id)).messages.length, 2);
  });

  test('the answer that was stopped, or failed, is the answer', opts, async () => {
    const key = newKey();
    const x = await heldAnswer(at.s, at.p, ['so far '], ['never'], { message: 'Hi' }, withKey(key));
    await post(`${at.s.url}/conversations/${x.conversation_id}/stop`);
    await x.first.all();
    const stopped = await chatStream(at.all[1], { message: 'Hi' }, withKey(key));
    assert.equal(stopped.text, 'so far ');
    assert.equal(stopped.terminal.status, 'stopped');
    const other = newKey();
    at.p.reset(cutAfter(['half ']));
    const first = await chatStream(at.s, 'Hi', withKey(other));
    for (const s of at.all) {
      const again = await chatStream(s, 'Hi', withKey(other));
      assert.equal(again.text, 'half ');
      assert.equal(again.terminal.code, first.terminal.code);
      assert.equal(again.message_id, first.message_id);
    }
    assert.equal(at.p.chats.length, 1);
  });

  test('a failure before anything was said has the same status again, and the same names', opts, async () => {
    const key = newKey();
    at.p.respond(serverError(400));
    const first = await chat(at.s, 'Hi', withKey(key));
    assert.equal(first.status, 502);
    for (const s of at.all) {
      const again = await chat(s, 'Hi', withKey(key));
      assert.equal(again.status, first.status);
      assert.deepEqual(again.error, first.error);
      assert.equal(again.headers['parley-message'], first.headers['parley-message']);
    }
    assert.equal(at.p.chats.length, 1);
  });

  test('the order of what it says does not matter to its conversation: a repeat while the next question is asked', opts, async () => {
    const key = newKey();
    at.p.respond(simple('one'));
    const first = await chatStream(at.s, 'Hi', withKey(key));
    at.p.respond(simple('two'));
    await chatStream(at.s, { message: 'and', conversation_id: first.conversation_id });
    const again = await chatStream(at.s, 'Hi', withKey(key));
    assert.equal(again.text, 'one');
    assert.equal((await conversation(at.s, first.conversation_id)).messages.length, 4);
  });
});

describe('another question, another user, another day', () => {
  test('another body with the same key: 422, and nothing is asked or stored', opts, async () => {
    const key = newKey();
    at.p.respond(simple('one'));
    const first = await chatStream(at.s, { message: 'Hi' }, withKey(key));
    for (const body of [{ message: 'Hi!' }, { message: 'Hi', max_tokens: 5 }, { message: 'Hi', conversation_id: first.conversation_id }, { message: 'Hi', detach: true, system: 'x' }]) {
      for (const s of at.all) assertError(await chatStream(s, body, withKey(key)), 422);
    }
    assert.equal(at.p.chats.length, 1);
    assert.equal((await chatStream(at.s, { message: 'Hi' }, withKey(key))).text, 'one');
  });

  test('two bodies with one key at the same moment: one is answered, the other 422', opts, async () => {
    const key = newKey();
    at.p.respond(slow(['a ', 'b'], 0.05));
    const said = await Promise.all(['this', 'that', 'this', 'that'].map((message, i) => chatStream(at.all[i % 2], { message }, withKey(key))));
    assert.deepEqual(said.map((r) => r.status).sort(), [200, 200, 422, 422]);
    assert.equal(at.p.chats.length, 1);
  });

  test("another user's same key is that user's own", opts, async () => {
    const s = await startServer({ auth: true, settings: { LLM_BASE_URL: at.p.url } });
    try {
      const key = newKey();
      at.p.respond(simple('yours'));
      const alice = await chatStream(s, 'Hi', withKey(key, { auth: 'alice' }));
      const bob = await chatStream(s, 'Hi', withKey(key, { auth: 'bob' }));
      assert.notEqual(alice.message_id, bob.message_id);
      assert.equal((await chatStream(s, 'Hi', withKey(key, { auth: 'alice' }))).message_id, alice.message_id);
      assert.equal((await chatStream(s, 'Hi', withKey(key, { auth: 'bob' }))).message_id, bob.message_id);
      assert.equal(at.p.chats.length, 2);
      assert.equal((await chatStream(s, 'Hi', withKey(key))).status, 401);
    } finally { await s.stop(); }
  });

  test('a key older than 24 hours is forgotten; one that is younger is not', opts, async () => {
    const old = newKey(), young = newKey();
    at.p.respond(simple('one'));
    const first = await chatStream(at.s, 'Hi', withKey(old)), second = await chatStream(at.s, 'Hi', withKey(young));
    const hours = (key, h) => sql(at.s.db, `UPDATE repeats SET created_at = created_at - ${h * 3600 * 1000} WHERE key = '${key}'`, { readonly: false });
    hours(old, 24.01);
    hours(young, 23.9);
    assert.equal((await chatStream(at.s, 'Hi', withKey(young))).message_id, second.message_id);
    at.p.respond(simple('two'));
    const again = await chatStream(at.s, 'Hi', withKey(old));
    assert.equal(again.text, 'two');
    assert.notEqual(again.message_id, first.message_id);
    assert.equal((await chatStream(at.all[1], 'Hi', withKey(old))).message_id, again.message_id);
    // also with another body
    hours(old, 25);
    assert.equal((await chatStream(at.s, 'something else', withKey(old))).text, 'two');
    assert.equal(sql(at.s.db, `SELECT count(*) AS n FROM repeats WHERE created_at < (SELECT max(created_at) FROM repeats) - 86400000 - 60000`)[0].n, 0, 'and swept');
  });

  test('the conversation was deleted or cleared: it is asked anew', opts, async () => {
    for (const what of ['', '/messages']) {
      const key = newKey();
      at.p.respond(simple('one'));
      const first = await chatStream(at.s, 'Hi', withKey(key));
      assert.equal((await del(`${at.s.url}/conversations/${first.conversation_id}${what}`)).status, 200);
      at.p.respond(simple('two'));
      const again = await chatStream(at.all[1], 'Hi', withKey(key));
      assert.equal(again.text, 'two');
      assert.notEqual(again.message_id, first.message_id);
    }
  });
});

describe('what does not use a key up', () => {
  test('a first try that was refused: 422, 404, 409', opts, async () => {
    const key = newKey();
    at.p.respond(simple('one'));
    assertError(await chatStream(at.s, { message: 'Hi', temperature: 9 }, withKey(key)), 422);
    assertError(await chatStream(at.s, { message: 'Hi', conversation_id: '0'.repeat(26) }, withKey(key)), 404);
    assertError(await chatStream(at.s, { message: 'Hi', parent_id: '0'.repeat(26) }, withKey(key)), [404, 422]);
    assert.equal((await chatStream(at.s, 'Hi', withKey(key))).text, 'one');
    const busy = newKey();
    const x = await heldAnswer(at.s, at.p, ['a '], ['b']);
    const body = { message: 'next', conversation_id: x.conversation_id };
    for (const s of at.all) assertError(await chatStream(s, body, withKey(busy)), 409, 'busy');
    x.g.open();
    await x.first.all();
    at.p.respond(simple('two'));
    assert.equal((await chatStream(at.s, body, withKey(busy))).text, 'two');
  });

  test('503: the database is locked, or all places are taken', opts, async () => {
    const s = await startServer({ workers: 1, settings: { LLM_BASE_URL: at.p.url, MAX_STREAMS: '1', DB_BUSY_SECONDS: '0.3' } });
    try {
      const key = newKey();
      at.p.respond(simple('one'));
      await chatStream(s, 'before');
      const lock = await lockDatabase(s.db);
      assertError(await chatStream(s, 'Hi', withKey(key)), 503, 'store_unavailable');
      await lock.release();
      const x = await heldAnswer(s, at.p, ['a '], ['b']);
      assertError(await chatStream(s, 'Hi', withKey(key)), 503, 'overloaded');
      x.g.open();
      await x.first.all();
      at.p.respond(simple('one'));
      const r = await chatStream(s, 'Hi', withKey(key));
      assert.equal(r.text, 'one', JSON.stringify(r.error));
      // and a repeat that only reads what is finished needs no place
      const y = await heldAnswer(s, at.p, ['a '], ['b']);
      assert.equal((await chatStream(s, 'Hi', withKey(key))).message_id, r.message_id);
      y.g.open();
      await y.first.all();
    } finally { await s.stop(); }
  });

  test('429: the user has as many answers as one may', opts, async () => {
    const s = await startServer({ auth: true, settings: { LLM_BASE_URL: at.p.url, MAX_STREAMS_PER_USER: '1' } });
    try {
      const key = newKey(), running = newKey(), alice = { auth: 'alice' };
      const x = await heldAnswer(s, at.p, ['a '], ['b'], { message: 'Hi' }, withKey(running, alice));
      const refused = await chatStream(s, 'next', withKey(key, alice));
      assertError(refused, 429, 'rate_limited');
      assert.ok(Number(refused.headers['retry-after']) > 0);
      const again = chatStream(s, 'Hi', withKey(running, alice));    // who asks again for what is being written takes no more
      await sleep(0.2);
      x.g.open();
      await x.first.all();
      assert.equal((await again).text, 'a b', JSON.stringify((await again).error));
      at.p.respond(simple('one'));
      assert.equal((await chatStream(s, 'next', withKey(key, alice))).text, 'one');
    } finally { await s.stop(); }
  });

  test('a key that is too long or not plain text: 400; 255 bytes are a key', opts, async () => {
    at.p.respond(simple('one'));
    const long = 'x'.repeat(255);
    const r = await chatStream(at.s, 'Hi', withKey(long));
    assert.equal((await chatStream(at.all[1], 'Hi', withKey(long))).message_id, r.message_id);
    for (const key of ['x'.repeat(256), 'x'.repeat(4000), 'a\tb', 'a\u00ff']) {
      const bad = await chatStream(at.s, 'Hi', withKey(key)).catch((e) => ({ thrown: e }));
      if (bad.thrown) continue;                              // Node does not send it
      assertError(bad, 400);
    }
    assert.equal(at.p.chats.length, 1);
  });
});

describe('two tabs', () => {
  test('in one conversation: the second is 409 busy while the first is answered, and nothing is lost', opts, async () => {
    at.p.respond(simple('zero'));
    const { conversation_id: id } = await chatStream(at.s, 'Hi');
    const x = await heldAnswer(at.s, at.p, ['one '], ['more'], { message: 'first tab', conversation_id: id });
    for (const s of at.all) assertError(await chatStream(s, { message: 'second tab', conversation_id: id }), 409, 'busy');
    x.g.open();
    await x.first.all();
    at.p.respond(simple('two'));
    assert.equal((await chatStream(at.all[1], { message: 'second tab', conversation_id: id })).text, 'two');
    const { messages } = await conversation(at.s, id);
    assert.deepEqual(messages.map((m) => m.content), ['Hi', 'zero', 'first tab', 'one more', 'second tab', 'two']);
  });

  test('a branch by parent_id: both are answered at the same time, each from its own history', opts, async () => {
    at.p.respond(simple('zero'));
    const { conversation_id: id, message_id: parent } = await chatStream(at.s, 'Hi');
    const x = await heldAnswer(at.s, at.p, ['one '], ['more'], { message: 'first tab', conversation_id: id });
    at.p.respond(simple('two'));
    const second = await chatStream(at.all[1], { message: 'second tab', conversation_id: id, parent_id: parent });
    assert.equal(second.text, 'two', JSON.stringify(second.error));
    assert.deepEqual(at.p.chats.at(-1).body.messages.map((m) => m.content), ['Hi', 'zero', 'second tab']);
    x.g.open();
    await x.first.all();
    assert.equal(readStream(x.first).text, 'one more');
    const { messages } = await conversation(at.s, id);
    assert.deepEqual(messages.map((m) => m.content).sort(), ['Hi', 'first tab', 'one more', 'second tab', 'two', 'zero']);
    assert.equal(messages.filter((m) => m.parent_id === parent).length, 2);
  });
});
