// {"continue": message_id}: an answer that was cut off goes on. The same message grows, the stream gives only what is new, and nothing of what was there is lost or counted again.
// Neighbours: reattach.test.js, killed.test.js (what is cut off, and how); regenerate.test.js (another answer instead).
import test, { before, after, beforeEach, describe } from 'node:test';
import assert from 'node:assert/strict';
import { startServer, sql } from './server.js';
import { simple, held, gate, cutAfter, stallAfter, serverError, USAGE, sleep } from '../provider/provider.js';
import { post, stream, chat, chatStream, chatWhole, conversation, settled, readStream, assertError } from './client.js';
import { opts, several, attach, stop, follow, posOf, textOf, heldAnswer, journaled, killWorkers, restarted, lastAnswer, assertNothingRuns } from './survive.js';

const at = several({ before, after, beforeEach }, 2, { settings: { RETRIES: '0' } });

/** What the provider says of a whole answer, with its usage. */
const said = (tokens, reason = 'stop', usage = USAGE) => async (req, io) => {
  io.role();
  for (const t of tokens) io.token(t);
  io.finish(reason, usage); io.done(); await io.end();
};
const errorAfter = (tokens) => async (req, io) => {
  io.role();
  for (const t of tokens) io.token(t);
  await sleep(0.05);
  io.chunk({ error: { message: 'The model crashed', type: 'server_error' } });
  await io.end();
};
const goOn = (message, more = {}) => ({ continue: message, ...more });
const usageOfDays = () => sql(at.s.db, 'SELECT sum(answers) AS answers, sum(prompt_tokens) AS prompt, sum(completion_tokens) AS completion FROM usage_days')[0];

/** Answers that were cut off, each in its way: {conversation_id, message_id, content}. */
const cutOff = {
  async stopped(content = 'first half, ') {
    const x = await heldAnswer(at.s, at.p, [content], ['never']);
    await stop(at.s, x.conversation_id);
    await x.first.all();
    return { ...x, content, last: x.first.events.at(-1).id };
  },
  async interrupted(content = 'first half, ') {
    at.p.respond(cutAfter([content], 'fin'));
    const r = await chatStream(at.s, 'Hi');
    return { ...r, content, last: r.events.at(-1).id };
  },
  async error(content = 'first half, ') {
    at.p.respond(errorAfter([content]));
    const r = await chatStream(at.s, 'Hi');
    return { ...r, content, last: r.events.at(-1).id };
  },
  async length(content = 'first half, ') {
    at.p.respond(said([content], 'length'));
    const r = await chatStream(at.s, 'Hi');
    assert.equal(r.terminal.status, 'done');
    return { ...r, content, last: r.events.at(-1).id };
  },
  async killed(content = 'first half, ') {
    at.p.respond(stallAfter([content]));
    const c = await stream(`${at.s.url}/chat/stream`, { message: 'Hi' });
    const start = JSON.parse((await c.next()).data);
    await c.until((e) => e.event === 'token');
    await journaled(at.s, start.message_id, 1 + Buffer.byteLength(content));
    const pids = killWorkers(at.s);
    await c.all();
    await restarted(at.s, pids);
    return { ...start, content, last: c.events.at(-1).id };
  },
};

describe('an answer goes on', () => {
  for (const how of Object.keys(cutOff)) for (const address of ['/chat/stream', '/chat', 'whole']) {
    if (how === 'killed' && address === '/chat') continue;
    test(`after ${how}, by ${address}: the same message grows`, opts, async () => {
      const x = await cutOff[how]();
      const before = await lastAnswer(at.s, x.conversation_id);
      assert.equal(before.content, x.content);
      assert.equal(before.status, { length: 'done', killed: 'interrupted' }[how] ?? before.status);
      const days = usageOfDays();
      at.p.reset(said(['second ', 'half 😀']));
      let text, terminal;
      if (address === '/chat/stream') {
        const r = await chatStream(at.s, goOn(x.message_id, how === 'stopped' ? { conversation_id: x.conversation_id } : {}));
        assert.equal(r.status, 200, JSON.stringify(r.error));
        assert.equal(r.message_id, x.message_id);
        assert.ok(posOf(r.events[0].id) >= posOf(x.last), 'start is where it goes on: behind all that was said, its end too');
        assert.ok(posOf(r.events.at(-1).id) > posOf(x.last));
        ({ text, terminal } = r);
        assert.equal(terminal.status, 'done');
      } else if (address === '/chat') {
        const r = await chat(at.s, goOn(x.message_id));
        assert.equal(r.status, 200, JSON.stringify(r.error));
        assert.equal(r.message_id, x.message_id);
        assert.equal(r.conversation_id, x.conversation_id);
        ({ text } = r);
      } else {
        const r = await chatWhole(at.s, goOn(x.message_id, { message: '' }));
        assert.equal(r.status, 200, r.text);
        assert.equal(r.json.response, `${x.content}second half 😀`, 'whole: all of it');
        assert.equal(r.json.message_id, x.message_id);
        text = 'second half 😀';
      }
      assert.equal(text, 'second half 😀', 'only what is new');
      const { messages } = at.p.chats[0].body;
      assert.equal(at.p.chats.length, 1);
      assert.deepEqual(messages.slice(-3, -1).map((m) => [m.role, m.content]), [['user', 'Hi'], ['assistant', x.content]]);
      assert.equal(messages.at(-1).role, 'user');
      assert.match(messages.at(-1).content, /cut off|go on/i);
      const { messages: stored } = await conversation(at.all[1], x.conversation_id);
      assert.equal(stored.length, 2, 'the request to go on is no message');
      const answer = stored[1];
      assert.equal(answer.id, x.message_id);
      assert.equal(answer.status, 'done');
      assert.equal(answer.content, `${x.content}second half 😀`);
      assert.equal(answer.error, undefined);
      assert.equal(answer.finish_reason, 'stop');
      const known = before.usage?.prompt_tokens ?? 0, knownOut = before.usage?.completion_tokens ?? 0;
      assert.equal(answer.usage.prompt_tokens, known + USAGE.prompt_tokens);
      assert.equal(answer.usage.completion_tokens, knownOut + USAGE.completion_tokens);
      const now = usageOfDays();
      assert.equal(now.prompt - (days.prompt ?? 0), USAGE.prompt_tokens, 'the day is charged for what is new only');
      assert.equal(now.completion - (days.completion ?? 0), USAGE.completion_tokens);
      assertNothingRuns(at.s, x.conversation_id);
      // who comes back from before gets exactly the rest, and from the beginning everything
      const rest = await attach(at.all[1], x.conversation_id, { after: `${x.message_id}:${1 + Buffer.byteLength(x.content)}` });
      await rest.all();
      assert.equal(follow(rest.events, 1 + Buffer.byteLength(x.content), 1).text, 'second half 😀');
      const all = await attach(at.s, x.conversation_id, { after: `${x.message_id}:0` });
      await all.all();
      assert.equal(follow(all.events, null, 1).text, `${x.content}second half 😀`);
      assert.equal(all.events.at(-1).event, 'done');
    });
  }

  test('seen from another process while it goes on, also by who saw its first end', opts, async () => {
    const x = await cutOff.stopped('erste Hälfte, ');
    const g = gate();
    at.p.respond(held(['zweite '], g, ['Hälfte']));
    const c = await stream(`${at.s.url}/chat/stream`, goOn(x.message_id));
    await c.until((e) => e.event === 'token');
    const start = c.events[0];
    const whole = await attach(at.all[1], x.conversation_id);
    const rest = await attach(at.all[1], x.conversation_id, { after: start.id });
    const ended = [await attach(at.s, x.conversation_id, { last: x.last }), await attach(at.all[1], x.conversation_id, { last: x.last })];
    const here = await attach(at.s, x.conversation_id, { last: start.id });
    await whole.until((e) => e.data.endsWith('zweite '));
    g.open();
    await Promise.all([c, whole, rest, here, ...ended].map((s) => s.all()));
    assert.equal(follow(whole.events, null, 1).text, 'erste Hälfte, zweite Hälfte');
    for (const s of [rest, here]) assert.equal(follow(s.events, posOf(start.id)).text, 'zweite Hälfte');
    for (const s of ended) assert.equal(follow(s.events, posOf(x.last)).text, 'zweite Hälfte');
    for (const s of [whole, rest, here, ...ended]) assert.equal(s.events.at(-1).id, c.events.at(-1).id);
    assert.equal(readStream(c).text, 'zweite Hälfte');
  });

  test('in another process than the one that began it', opts, async () => {
    const x = await cutOff.stopped();
    at.p.respond(simple('second half'));
    assert.equal((await chatStream(at.all[1], goOn(x.message_id))).text, 'second half');
    assert.equal((await lastAnswer(at.s, x.conversation_id)).content, `${x.content}second half`);
  });

  test('thinking and events are kept, and new ones join them', opts, async () => {
    const think = (io, text) => io.chunk(io.shape({ reasoning_content: text, content: null }));
    at.p.respond(async (req, io) => { think(io, 'first thought'); await sleep(0.05); io.token('one '); });
    const c = await stream(`${at.s.url}/chat/stream`, { message: 'Hi' });
    await c.until((e) => e.event === 'token');
    const { conversation_id: id, message_id: message } = JSON.parse(c.events[0].data);
    await stop(at.s, id);
    await c.all();
    const before = await lastAnswer(at.s, id);
    at.p.respond(async (req, io) => { think(io, ', second thought'); await sleep(0.05); io.token('two'); io.finish('stop', USAGE); io.done(); await io.end(); });
    const r = await chatStream(at.s, goOn(message));
    assert.equal(r.reasoning, ', second thought');
    assert.equal(r.text, 'two');
    const answer = await lastAnswer(at.s, id);
    assert.equal(answer.reasoning, 'first thought, second thought');
    assert.equal(answer.content, 'one two');
    assert.deepEqual(answer.events?.slice(0, before.events?.length ?? 0), before.events);
    const all = await attach(at.all[1], id, { after: `${message}:0` });
    await all.all();
    assert.deepEqual(all.events.filter((e) => e.event !== 'start').map((e) => e.event), ['reasoning', 'token', 'reasoning', 'token', 'done']);
  });

  test('that was cut off while it was thinking: new thinking is told', opts, async () => {
    const think = (io, text) => io.chunk(io.shape({ reasoning_content: text, content: null }));
    at.p.respond(async (req, io) => { think(io, 'first thought'); });
    const c = await stream(`${at.s.url}/chat/stream`, { message: 'Hi' });
    await c.until((e) => e.event === 'reasoning');
    const { conversation_id: id, message_id: message } = JSON.parse(c.events[0].data);
    await stop(at.s, id);
    await c.all();
    const g = gate();
    at.p.reset(async (req, io) => { think(io, ', second thought'); await g.wait(); io.token('text'); io.finish('stop', USAGE); io.done(); await io.end(); });
    const on = await stream(`${at.s.url}/chat/stream`, goOn(message));
    await on.until((e) => e.event === 'reasoning');
    const w = await attach(at.all[1], id);
    await w.until((e) => e.event === 'reasoning' && e.data.includes('second'));
    g.open();
    await Promise.all([on.all(), w.all()]);
    assert.equal(readStream(on).reasoning, ', second thought');
    assert.equal(readStream(on).text, 'text');
    assert.deepEqual(w.events.filter((e) => e.event === 'reasoning').map((e) => JSON.parse(e.data).text), ['first thought', ', second thought']);
    assert.equal((await lastAnswer(at.s, id)).reasoning, 'first thought, second thought');
    assert.deepEqual(at.p.chats[0].body.messages.map((m) => m.role), ['user'], 'it had said nothing yet: the question is asked again');
  });

  test('of which there is no text yet: the question is asked again, without a request to go on', opts, async () => {
    at.p.respond(serverError(500));
    const r = await chat(at.s, 'Hi');
    assert.notEqual(r.status, 200);
    const { 'parley-conversation': id, 'parley-message': message } = r.headers;
    at.p.reset(simple('at last'));
    const again = await chatStream(at.s, goOn(message));
    assert.equal(again.text, 'at last', JSON.stringify(again.error));
    assert.deepEqual(at.p.chats[0].body.messages.map((m) => [m.role, m.content]), [['user', 'Hi']]);
    const { messages } = await conversation(at.s, id);
    assert.deepEqual(messages.map((m) => [m.content, m.status]), [['Hi', 'done'], ['at last', 'done']]);
    // and when that fails too, it has its status
    at.p.respond(serverError(500));
    const bad = await chat(at.s, { message: 'next', conversation_id: id });
    const worse = await chatStream(at.s, goOn(bad.headers['parley-message']));
    assert.equal(worse.status, 502);
    assert.equal(worse.error.code, 'provider_error');
    at.p.respond(simple('now'));
    assert.equal((await chatStream(at.s, goOn(bad.headers['parley-message']))).text, 'now');
  });

  test('again and again: stopped, failed, stopped, done', opts, async () => {
    const x = await cutOff.stopped('1 ');
    at.p.respond(errorAfter(['2 ']));
    const failed = await chatStream(at.s, goOn(x.message_id));
    assert.equal(failed.text, '2 ');
    assert.equal(failed.terminal.event, 'error');
    const g = gate();
    at.p.respond(held(['3 '], g, ['never']));
    const c = await stream(`${at.all[1].url}/chat/stream`, goOn(x.message_id));
    await c.until((e) => e.event === 'token');
    await stop(at.s, x.conversation_id);
    await c.all();
    assert.equal(readStream(c).terminal.status, 'stopped');
    at.p.respond(simple('4'));
    assert.equal((await chatStream(at.s, goOn(x.message_id))).text, '4');
    const answer = await lastAnswer(at.s, x.conversation_id);
    assert.equal(answer.content, '1 2 3 4');
    assert.equal(answer.status, 'done');
    const all = await attach(at.all[1], x.conversation_id, { after: `${x.message_id}:0` });
    await all.all();
    assert.equal(follow(all.events, null, 3).text, '1 2 3 4');
  });

  test('and is killed again while it goes on: nothing of both parts is lost, and the positions still lead on', opts, async () => {
    const x = await cutOff.killed('eins ');
    let content = x.content, last = x.last;
    for (const word of ['zwei ', '', '', '', 'drei ']) {
      at.p.reset(word ? stallAfter([word]) : async () => {});
      const c = word ? await stream(`${at.s.url}/chat/stream`, goOn(x.message_id)) : null;
      const silent = word ? null : stream(`${at.s.url}/chat`, goOn(x.message_id)).then((s) => s.all(), () => {});
      if (c) {
        const token = await c.until((e) => e.event === 'token');
        assert.equal(token.data, word);
        await journaled(at.s, x.message_id, posOf(token.id));
      }
      await at.p.waitForChat(1);
      const pids = killWorkers(at.s);
      await (c ? c.all() : silent);
      content += word;
      const kept = await lastAnswer(at.all[1], x.conversation_id);
      assert.equal(kept.status, 'interrupted');
      assert.equal(kept.content, content);
      const end = await attach(at.all[1], x.conversation_id, { after: c ? c.events.at(-1).id : last });
      await end.all();
      assert.deepEqual(end.events.map((e) => e.event), ['error'], `after ${JSON.stringify(word)}`);
      assert.ok(posOf(end.events[0].id) > posOf(last), `${end.events[0].id} after ${last}`);
      last = end.events[0].id;
      await restarted(at.s, pids);
    }
    at.p.respond(simple('vier'));
    const r = await chatStream(at.s, goOn(x.message_id));
    assert.equal(r.text, 'vier');
    assert.ok(posOf(r.events[0].id) >= posOf(last) - 1);
    const answer = await lastAnswer(at.s, x.conversation_id);
    assert.equal(answer.content, 'eins zwei drei vier');
    assert.equal(answer.status, 'done');
    const all = await attach(at.all[1], x.conversation_id, { after: `${x.message_id}:0` });
    await all.all();
    assert.equal(follow(all.events).text, 'eins zwei drei vier');
  });

  test('detached: 202, and the stream gives it', opts, async () => {
    const x = await cutOff.stopped();
    at.p.respond(simple('second half'));
    const r = await post(`${at.s.url}/chat`, goOn(x.message_id, { detach: true }));
    assert.equal(r.status, 202, r.text);
    assert.equal(r.json.message_id, x.message_id);
    const s = await stream(new URL(r.json.stream, at.all[1].url).href, undefined, { method: 'GET' });
    await s.all();
    assert.equal(textOf(s.events), `${x.content}second half`);
    assert.equal((await settled(at.s, x.conversation_id)).answer.content, `${x.content}second half`);
  });

  test('with an Idempotency-Key, twice: it goes on once', opts, async () => {
    const x = await cutOff.stopped();
    at.p.reset(simple('second half'));
    const headers = { 'Idempotency-Key': `on-${Math.random()}` };
    const ask = async (s) => {
      const c = await stream(`${s.url}/chat/stream`, goOn(x.message_id), { headers });
      await c.all();
      assert.equal(c.status, 200, c.raw);
      assert.equal(JSON.parse(c.events[0].data).message_id, x.message_id);
      assert.equal(JSON.parse(c.events.at(-1).data).status, 'done');
      return { from: posOf(c.events[0].id), text: follow(c.events, null, 1).text };
    };
    const both = (await Promise.all([ask(at.s), ask(at.all[1])])).sort((a, b) => b.from - a.from);
    assert.equal(both[0].text, 'second half');
    assert.deepEqual(both[1], { from: 1, text: `${x.content}second half` }, 'who asks again cannot be known to have any of it: its first position says so');
    assert.equal(at.p.chats.length, 1);
    assert.equal((await lastAnswer(at.s, x.conversation_id)).content, `${x.content}second half`);
    assert.deepEqual(await ask(at.all[1]), both[1]);
    assertError(await chatStream(at.s, goOn(x.message_id, { max_tokens: 5 }), { headers }), 422);
  });

  test('sees the conversation with what it is now, in the next turn', opts, async () => {
    const x = await cutOff.stopped();
    at.p.reset(simple('second half'));
    await chat(at.s, goOn(x.message_id));
    at.p.reset(simple('next'));
    await chat(at.s, { message: 'Go', conversation_id: x.conversation_id });
    assert.deepEqual(at.p.chats[0].body.messages.map((m) => [m.role, m.content]), [['user', 'Hi'], ['assistant', `${x.content}second half`], ['user', 'Go']]);
  });
});

describe('what cannot go on', () => {
  test('unknown: 404; done, or followed by another message: 422; with a message or a parent_id: 422', opts, async () => {
    at.p.respond(simple('whole'));
    const done = await chatStream(at.s, 'Hi');
    assertError(await chatStream(at.s, goOn(done.message_id)), 422);
    const { messages } = await conversation(at.s, done.conversation_id);
    assertError(await chatStream(at.s, goOn(messages[0].id)), [404, 422]);
    for (const id of ['0'.repeat(26), 'nonsense', '../x', '']) assertError(await chatStream(at.s, goOn(id)), [404, 422]);
    assertError(await chatStream(at.s, { continue: 7 }), 422);
    assertError(await chatStream(at.s, { continue: { id: 1 } }), 422);
    const x = await cutOff.stopped();
    for (const more of [{ message: 'and?' }, { parent_id: x.message_id }, { parent_id: 'root' }]) assertError(await chatStream(at.s, goOn(x.message_id, more)), 422);
    assertError(await chatStream(at.s, goOn(x.message_id, { conversation_id: done.conversation_id })), 404);
    assertError(await chatStream(at.s, goOn(x.message_id, { model: 'x\u0001' })), 422);
    at.p.reset(simple('next'));
    await chat(at.s, { message: 'go', conversation_id: x.conversation_id });
    assertError(await chatStream(at.s, goOn(x.message_id)), 422);
    assert.equal(at.p.chats.length, 1);
    assert.equal((await conversation(at.s, x.conversation_id)).messages[1].content, x.content, 'and nothing has changed');
  });

  test('what is still being written: 409, here and in another process', opts, async () => {
    const a = await heldAnswer(at.s, at.p, ['a '], ['b']);
    for (const s of at.all) assertError(await chatStream(s, goOn(a.message_id)), 409, 'busy');
    a.g.open();
    await a.first.all();
    assert.equal(readStream(a.first).text, 'a b');
  });

  test('ten times at once: one goes on, the others are 409', opts, async () => {
    const x = await cutOff.stopped();
    const g = gate();
    at.p.reset(held(['second '], g, ['half']));
    const all = Array.from({ length: 10 }, (_, i) => chatStream(at.all[i % 2], goOn(x.message_id)));
    const refused = [];
    for (const r of all) r.then((r) => { if (r.status !== 200) refused.push(r); if (refused.length === 9) g.open(); });
    const said = await Promise.all(all);
    assert.deepEqual(said.map((r) => r.status).sort(), [200, ...Array(9).fill(409)]);
    assert.equal(at.p.chats.length, 1);
    assert.equal((await lastAnswer(at.s, x.conversation_id)).content, `${x.content}second half`);
  });

  test("another user's answer: 404", opts, async () => {
    const s = await startServer({ auth: true, settings: { LLM_BASE_URL: at.p.url } });
    try {
      at.p.respond(cutAfter(['half ']));
      const r = await chatStream(s, 'Hi', { auth: 'alice' });
      at.p.reset(simple('mine'));
      assertError(await chatStream(s, goOn(r.message_id), { auth: 'bob' }), 404, 'not_found');
      assertError(await chatStream(s, goOn(r.message_id, { conversation_id: r.conversation_id }), { auth: 'bob' }), 404, 'not_found');
      assert.equal(at.p.chats.length, 0);
      assert.equal((await chatStream(s, goOn(r.message_id), { auth: 'alice' })).text, 'mine');
    } finally { await s.stop(); }
  });
});
