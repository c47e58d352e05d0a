// {"regenerate": message_id}: one more answer to a question that is stored. It stands beside the earlier ones, which stay as they are, and the question is not stored again.
// Neighbours: continue.test.js (an answer that was cut off goes on), repeat.test.js; hooks.test.js and examples.test.js (what hooks and applications see of it).
import test, { before, after, beforeEach, describe } from 'node:test';
import assert from 'node:assert/strict';
import { startServer, sql } from './server.js';
import { simple, slow, held, gate, cutAfter, serverError, stallAfter, USAGE } from '../provider/provider.js';
import { post, patch, stream, chat, chatStream, chatWhole, conversation, settled, readStream, assertError, del } from './client.js';
import { opts, several, attach, stop, follow, heldAnswer, journaled, killWorkers, restarted, assertNothingRuns } from './survive.js';

const at = several({ before, after, beforeEach }, 2, { settings: { RETRIES: '0' } });
const PNG = 'data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==';
const again = (message, more = {}) => ({ regenerate: message, ...more });
const asked = (i = -1) => at.p.chats.at(i).body.messages.map((m) => [m.role, m.content]);
const answersOf = (rows, question) => rows.filter((m) => m.parent_id === question && m.role === 'assistant');
const leafOf = (id) => sql(at.s.db, `SELECT m.public_id AS leaf FROM conversations AS c JOIN messages AS m ON m.id = c.leaf_id WHERE c.public_id = '${id}'`)[0]?.leaf;

/** A conversation of one turn: {conversation_id, question, answer}. */
async function turn(text = 'first answer', body = { message: 'Hi' }) {
  at.p.respond(simple(text));
  const r = await chat(at.s, body);
  assert.equal(r.status, 200, r.raw);
  const { messages } = await conversation(at.s, r.conversation_id);
  return { conversation_id: r.conversation_id, question: messages.at(-2).id, answer: messages.at(-1).id };
}

describe('one more answer', () => {
  const ways = {
    '/chat/stream': async (body) => { const r = await chatStream(at.s, body); assert.equal(r.terminal?.status, 'done', r.raw); return r; },
    '/chat': async (body) => { const r = await chat(at.s, body); assert.equal(r.finish_reason, 'stop', r.raw); return r; },
    whole: async (body) => { const r = await chatWhole(at.s, body); assert.equal(r.status, 200, r.text); return { ...r, ...r.json, text: r.json.response }; },
  };
  for (const [how, ask] of Object.entries(ways)) for (const named of ['answer', 'question']) test(`${how}, by the id of the ${named}`, opts, async () => {
    const x = await turn();
    await patch(`${at.s.url}/conversations/${x.conversation_id}`, { title: 'Mine' });
    const before = await conversation(at.s, x.conversation_id);
    at.p.reset(simple('second 😀 answer'));
    const r = await ask(again(x[named], { system: 'Be brief.', temperature: 0.5, max_tokens: 50, metadata: { why: 'again' } }));
    assert.equal(r.text, 'second 😀 answer');
    assert.equal(r.conversation_id, x.conversation_id);
    assert.notEqual(r.message_id, x.answer);
    assert.equal(at.p.chats.length, 1);
    assert.deepEqual(asked(), [['system', 'Be brief.'], ['user', 'Hi']], 'the question as the first time, and nothing of the first answer');
    assert.equal(at.p.chats[0].body.temperature, 0.5);
    assert.equal(at.p.chats[0].body.max_tokens, 50);
    const now = await conversation(at.all[1], x.conversation_id);
    assert.deepEqual(now.messages.slice(0, 2), before.messages, 'what was there is as it was');
    assert.equal(now.messages.length, 3);
    const [, , answer] = now.messages;
    assert.deepEqual([answer.id, answer.parent_id, answer.role, answer.content, answer.status], [r.message_id, x.question, 'assistant', 'second 😀 answer', 'done']);
    assert.deepEqual(answer.metadata, { why: 'again' });
    assert.equal(answer.usage.prompt_tokens, USAGE.prompt_tokens);
    assert.equal(now.title, 'Mine');
    assert.ok(now.updated_at > before.updated_at);
    assert.equal(leafOf(x.conversation_id), r.message_id);
    assertNothingRuns(at.s, x.conversation_id);
    at.p.reset(simple('on'));
    await chat(at.s, { message: 'And now?', conversation_id: x.conversation_id });
    assert.deepEqual(asked(), [['user', 'Hi'], ['assistant', 'second 😀 answer'], ['user', 'And now?']], 'the conversation goes on after the new answer');
  });

  test('in the middle of a conversation: with the history up to the question, and what follows stays', opts, async () => {
    const x = await turn('one');
    await turn('two', { message: 'Second', conversation_id: x.conversation_id });
    const { messages } = await conversation(at.s, x.conversation_id);
    await turn('three', { message: 'Third', conversation_id: x.conversation_id });
    at.p.reset(simple('another two'));
    const r = await chatStream(at.all[1], again(messages[3].id, { conversation_id: x.conversation_id }));
    assert.deepEqual(asked(), [['user', 'Hi'], ['assistant', 'one'], ['user', 'Second']]);
    const now = (await conversation(at.s, x.conversation_id)).messages;
    assert.deepEqual(now.map((m) => m.content), ['Hi', 'one', 'Second', 'two', 'Third', 'three', 'another two']);
    assert.deepEqual(answersOf(now, messages[2].id).map((m) => m.content), ['two', 'another two']);
    at.p.reset(simple('branch'));
    await chat(at.s, { message: 'Fourth', conversation_id: x.conversation_id });
    assert.deepEqual(asked().slice(-2), [['assistant', 'another two'], ['user', 'Fourth']]);
    assert.equal((await conversation(at.s, x.conversation_id)).messages.at(-2).parent_id, r.message_id);
  });

  test('with the images of the question', opts, async () => {
    const x = await turn('a dot', { message: 'What is this?', attachments: [{ type: 'image', url: PNG }] });
    const first = at.p.chats.at(-1).body.messages;
    at.p.reset(simple('a pixel'));
    assert.equal((await chat(at.s, again(x.answer))).text, 'a pixel');
    assert.equal(first.at(-1).content[1].image_url.url, PNG);
    assert.deepEqual(at.p.chats[0].body.messages, first);
  });

  const ends = {
    stopped: async () => { const h = await heldAnswer(at.s, at.p, ['half '], ['never']); await stop(at.s, h.conversation_id); await h.first.all(); return h; },
    interrupted: async () => { at.p.respond(cutAfter(['half '], 'fin')); return chatStream(at.s, 'Hi'); },
    error: async () => { at.p.respond(serverError(500)); const r = await chat(at.s, 'Hi'); return { conversation_id: r.headers['parley-conversation'], message_id: r.headers['parley-message'] }; },
  };
  for (const [status, make] of Object.entries(ends)) test(`after one that is ${status}`, opts, async () => {
    const x = await make();
    at.p.reset(simple('whole'));
    const r = await chatStream(at.s, again(x.message_id));
    assert.equal(r.text, 'whole');
    assert.deepEqual(asked(), [['user', 'Hi']]);
    assert.deepEqual((await conversation(at.s, x.conversation_id)).messages.map((m) => [m.role, m.status]), [['user', 'done'], ['assistant', status], ['assistant', 'done']]);
  });

  test('after one that was lost with its process', opts, async () => {
    at.p.respond(stallAfter(['half ']));
    const c = await stream(`${at.s.url}/chat/stream`, { message: 'Hi' });
    const start = JSON.parse((await c.next()).data);
    await c.until((e) => e.event === 'token');
    await journaled(at.s, start.message_id, 6);
    const pids = killWorkers(at.s);
    await c.all();
    await restarted(at.s, pids);
    at.p.reset(simple('whole'));
    assert.equal((await chatStream(at.all[1], again(start.message_id))).text, 'whole', 'nobody had looked before');
    assert.deepEqual((await conversation(at.s, start.conversation_id)).messages.map((m) => [m.status, m.content]), [['done', 'Hi'], ['interrupted', 'half '], ['done', 'whole']]);
  });

  test('that fails: it has its status, and the earlier one stays', opts, async () => {
    const x = await turn();
    at.p.reset(serverError(500));
    const bad = await chat(at.s, again(x.answer));
    assertError(bad, 502, 'provider_error');
    assert.equal(bad.headers['parley-conversation'], x.conversation_id);
    const { messages } = await conversation(at.s, x.conversation_id);
    assert.deepEqual(messages.map((m) => [m.status, m.content]), [['done', 'Hi'], ['done', 'first answer'], ['error', '']]);
    assert.equal(messages[2].id, bad.headers['parley-message']);
    at.p.reset(simple('third'));
    assert.equal((await chat(at.s, { continue: messages[2].id })).text, 'third', 'and can go on');
    assert.equal(answersOf((await conversation(at.s, x.conversation_id)).messages, x.question).length, 2);
  });

  test('of another model', opts, async () => {
    const x = await turn();
    at.p.reset(simple('other'));
    await chat(at.s, again(x.answer, { model: 'other-model' }));
    assert.equal(at.p.chats[0].body.model, 'other-model');
  });

  test('followed from another process, and from the beginning at its end', opts, async () => {
    const x = await turn();
    const g = gate();
    at.p.respond(held(['second '], g, ['answer']));
    const c = await stream(`${at.s.url}/chat/stream`, again(x.answer));
    await c.until((e) => e.event === 'token');
    const other = await attach(at.all[1], x.conversation_id);
    await other.until((e) => e.event === 'token');
    g.open();
    await Promise.all([c.all(), other.all()]);
    assert.equal(follow(other.events).text, 'second answer');
    assert.equal(other.events.at(-1).id, c.events.at(-1).id);
    const late = await attach(at.all[1], x.conversation_id, { after: `${readStream(c).message_id}:0` });
    await late.all();
    assert.equal(follow(late.events).text, 'second answer');
  });

  test('can be stopped', opts, async () => {
    const x = await turn();
    const h = await heldAnswer(at.s, at.p, ['half '], ['never'], again(x.answer));
    assert.equal(h.conversation_id, x.conversation_id);
    await stop(at.all[1], x.conversation_id);
    await h.first.all();
    assert.equal(readStream(h.first).terminal.status, 'stopped');
  });

  test('detached: 202, and the stream gives it', opts, async () => {
    const x = await turn();
    at.p.respond(simple('second'));
    const r = await post(`${at.s.url}/chat`, again(x.answer, { detach: true }));
    assert.equal(r.status, 202, r.text);
    assert.equal(r.json.conversation_id, x.conversation_id);
    const s = await stream(new URL(r.json.stream, at.all[1].url).href, undefined, { method: 'GET' });
    await s.all();
    assert.equal(follow(s.events).text, 'second');
    assert.equal((await settled(at.s, x.conversation_id)).answer.id, r.json.message_id);
  });

  test('with an Idempotency-Key, ten times at once: one answer for all', opts, async () => {
    const x = await turn();
    at.p.reset(slow(['so ', 'much'], 0.05));
    const headers = { 'Idempotency-Key': `again-${Math.random()}` };
    const said = await Promise.all(Array.from({ length: 10 }, (_, i) => chatStream(at.all[i % 2], again(x.answer), { headers })));
    for (const r of said) assert.deepEqual([r.status, r.text, r.message_id], [200, 'so much', said[0].message_id]);
    assert.equal((await chat(at.all[1], again(x.answer), { headers })).message_id, said[0].message_id);
    assert.equal(at.p.chats.length, 1);
    assert.equal((await conversation(at.s, x.conversation_id)).messages.length, 3);
    assertError(await chatStream(at.s, again(x.question), { headers }), 422);
  });

  test('ten at once without one: ten answers side by side, as branches by parent_id are', opts, async () => {
    const x = await turn();
    at.p.reset(slow(['so ', 'much'], 0.05));
    const said = await Promise.all(Array.from({ length: 10 }, (_, i) => chatStream(at.all[i % 2], again(i % 3 ? x.answer : x.question))));
    for (const r of said) assert.deepEqual([r.status, r.text], [200, 'so much'], r.raw);
    const { messages } = await conversation(at.s, x.conversation_id);
    assert.equal(messages.length, 12);
    assert.deepEqual(answersOf(messages, x.question).map((m) => m.id).sort(), [x.answer, ...said.map((r) => r.message_id)].sort());
    assert.equal(leafOf(x.conversation_id), messages.at(-1).id);
    assertNothingRuns(at.s, x.conversation_id);
  });

  test('to a question of a history that a client brought along', opts, async () => {
    at.p.respond(simple('a2'));
    const brought = [{ role: 'assistant', content: 'Welcome!' }, { role: 'user', content: 'q1' }, { role: 'assistant', content: 'a1' }, { role: 'user', content: 'q2' }];
    const r = await post(`${at.s.url}/v1/chat/completions`, { model: 'test-model', store: true, messages: brought });
    assert.equal(r.status, 200, r.text);
    const [{ id }] = sql(at.s.db, 'SELECT public_id AS id FROM conversations ORDER BY id DESC LIMIT 1');
    const { messages } = await conversation(at.s, id);
    assert.deepEqual(messages.map((m) => m.content), ['Welcome!', 'q1', 'a1', 'q2', 'a2']);
    at.p.reset(simple('another a1'));
    await chat(at.s, again(messages[2].id));
    assert.deepEqual(asked(), [['user', 'q1']]);
    assertError(await chat(at.s, again(messages[0].id)), 422, 'invalid_field');
    assert.equal(at.p.chats.length, 1);
  });
});

describe('what is refused', () => {
  test('a body with a question of its own: 422; an id that is none, unknown, or of another conversation: 404', opts, async () => {
    const x = await turn(), y = await turn();
    at.p.reset(simple('never'));
    const cases = [{ message: 'and?' }, { parent_id: x.answer }, { parent_id: 'root' }, { attachments: [] }, { attachments: [{ type: 'image', url: PNG }] }, { continue: x.answer }, { model: 'x\u0001' }, { temperature: 3 }];
    for (const more of cases) assertError(await chatStream(at.s, again(x.answer, more)), 422, 'invalid_field');
    for (const id of [7, { id: 1 }, ['x'], 'x'.repeat(65)]) assertError(await chat(at.s, again(id)), 422);
    for (const id of ['0'.repeat(26), 'nonsense', '../x', '', x.conversation_id]) assertError(await chatStream(at.s, again(id)), 404, 'not_found');
    assertError(await chat(at.s, again(x.answer, { conversation_id: y.conversation_id })), 404, 'not_found');
    assertError(await chat(at.s, again(x.answer, { conversation_id: '0'.repeat(26) })), 404, 'not_found');
    assertError(await chat(at.s, again(null)), 422);
    await del(`${at.s.url}/conversations/${y.conversation_id}`);
    assertError(await chat(at.s, again(y.answer)), 404, 'not_found');
    assert.equal(at.p.chats.length, 0);
    assert.equal((await conversation(at.s, x.conversation_id)).messages.length, 2);
    assert.equal((await chat(at.s, again(x.answer, { message: ' ', parent_id: null, continue: null }))).text, 'never', 'members that are not given do no harm');
  });

  test('one that is still being written: 409, here and in another process; an earlier one may be made again beside it', opts, async () => {
    const x = await turn();
    const h = await heldAnswer(at.s, at.p, ['a '], ['b'], { message: 'Next', conversation_id: x.conversation_id });
    for (const s of at.all) assertError(await chatStream(s, again(h.message_id)), 409, 'busy');
    at.p.respond(simple('beside'));
    assert.equal((await chat(at.all[1], again(x.answer))).text, 'beside');
    h.g.open();
    await h.first.all();
    assert.equal(readStream(h.first).text, 'a b');
    at.p.respond(simple('now'));
    assert.equal((await chat(at.s, again(h.message_id))).text, 'now');
    assert.deepEqual((await conversation(at.s, x.conversation_id)).messages.map((m) => m.content), ['Hi', 'first answer', 'Next', 'a b', 'beside', 'now']);
  });

  test("another user's message: 404; the own: counted as a request", opts, async () => {
    const s = await startServer({ auth: true, settings: { LLM_BASE_URL: at.p.url, REQUESTS_PER_MINUTE: '2' } });
    try {
      at.p.respond(simple('mine'));
      const r = await chatStream(s, 'Hi', { auth: 'alice' });
      for (const more of [{}, { conversation_id: r.conversation_id }]) assertError(await chatStream(s, again(r.message_id, more), { auth: 'bob' }), 404, 'not_found');
      assert.equal((await conversation(s, r.conversation_id, { auth: 'alice' })).messages.length, 2);
      assert.equal((await chatStream(s, again(r.message_id), { auth: 'alice' })).text, 'mine');
      const over = await chatStream(s, again(r.message_id), { auth: 'alice' });
      if (over.status === 200) assertError(await chatStream(s, again(r.message_id), { auth: 'alice' }), 429, 'rate_limited');       // the minute was over meanwhile
      else assertError(over, 429, 'rate_limited');
    } finally { await s.stop(); }
  });
});
