// The machine's clock jumps, or is far in the future: the order of messages, time-outs, heartbeats and times must not care.
import test, { describe, before, after, beforeEach } from 'node:test';
import assert from 'node:assert/strict';
import { startServer, sql } from './server.js';
import { faults, noFaults, DAY } from './faults.js';
import { simple, gate, sleep, startProvider, SCALE } from '../provider/provider.js';
import { get, post, chat, chatStream, stream, conversation, list, settled, readStream } from './client.js';

const opts = { timeout: 60_000 * SCALE, skip: noFaults };

describe('the clock', { skip: noFaults }, () => {
  const at = {};
  before(async () => {
    at.f = faults();
    at.p = await startProvider();
    at.s = await startServer({ env: at.f.env, settings: { LLM_BASE_URL: at.p.url, IDLE_TIMEOUT_SECONDS: '2', HEARTBEAT_SECONDS: '0.2' } });
  });
  beforeEach(() => { at.f.set({ clock: 0 }); at.p.reset(null); });
  after(async () => { try { await at.s?.stop(); } finally { await at.p?.stop(); at.f?.end(); } });

  test('is really moved by these tests', opts, async () => {
    at.f.set({ clock: 10 * DAY });
    const r = await post(`${at.s.url}/conversations`, {});
    assert.ok(Date.parse(r.json.created_at) > Date.now() + 9 * DAY * 1000, r.text);
  });

  for (const [way, jump] of [['forward', DAY], ['back', -DAY]]) {
    for (const when of ['before the question', 'before the first token', 'in mid-answer', 'in silence', 'between two messages']) test(`jumps a day ${way} ${when}: the answer is whole, and all stays in order`, opts, async () => {
      const jumpAt = (moment) => { if (moment === when) at.f.set({ clock: jump }); };
      at.p.respond(async (req, io) => {
        jumpAt('before the first token');
        io.token('one ');
        jumpAt('in mid-answer');
        io.token('two ');
        jumpAt('in silence');
        if (when === 'in silence') await sleep(0.3);
        io.token('three');
        io.finish(); io.done(); await io.end();
      });
      const first = await chatStream(at.s, 'first');
      jumpAt('before the question');
      const second = await chatStream(at.s, { message: 'second', conversation_id: first.conversation_id });
      jumpAt('between two messages');
      const third = await chatStream(at.s, { message: 'third', conversation_id: first.conversation_id });
      for (const r of [first, second, third]) {
        assert.equal(r.text, 'one two three');
        assert.equal(r.terminal.status, 'done');
      }
      const { messages } = await conversation(at.s, first.conversation_id);
      assert.deepEqual(messages.map((m) => m.content), ['first', 'one two three', 'second', 'one two three', 'third', 'one two three']);
      assert.ok(messages.every((m) => m.status === 'done'), JSON.stringify(messages.map((m) => m.status)));
      assert.deepEqual(at.p.chats.at(-1).body.messages.filter((m) => m.role === 'user').map((m) => m.content), ['first', 'second', 'third']);
    });

    test(`jumps a day ${way} in a silence: the idle time-out comes when it would have come`, opts, async () => {
      at.p.respond(async (req, io) => { io.token('then nothing'); });
      const c = await stream(`${at.s.url}/chat/stream`, { message: 'Hi' });
      await c.until((e) => /nothing/.test(e.data));
      const t0 = performance.now();
      at.f.set({ clock: jump });
      await c.all();
      const took = performance.now() - t0;
      assert.equal(readStream(c).terminal.code, 'provider_timeout');
      assert.ok(took > 1000 && took < 10_000 * SCALE, `${took} ms`);
      assert.ok(readStream(c).pings >= 2, 'pings went on');
    });

    test(`jumps a day ${way} in mid-answer: who looks does not take the answer for lost, and Stop stops it`, opts, async () => {
      const g = gate();
      at.p.respond(async (req, io) => { io.token('one '); await Promise.race([g.wait(), io.closed]); io.token('two'); io.finish(); io.done(); await io.end(); });
      const c = await stream(`${at.s.url}/chat/stream`, { message: 'Hi' });
      const id = JSON.parse((await c.next()).data).conversation_id;
      await c.until((e) => /one/.test(e.data));
      at.f.set({ clock: jump });
      try {
        assert.equal((await conversation(at.s, id)).messages[1].status, 'streaming');
        assert.equal((await post(`${at.s.url}/conversations/${id}/stop`)).json.status, 'stopped');
      } finally { g.open(); await c.all(); }
      assert.equal((await settled(at.s, id)).answer.status, 'stopped');
    });
  }

  for (const [name, date] of [['2038', '2038-01-19T03:20:00Z'], ['2106', '2106-02-07T06:28:16Z'], ['a leap day', '2048-02-29T12:00:00Z']]) test(`says ${name}: times are right in answers, lists and the file`, opts, async () => {
    at.f.set({ clock: Math.round((Date.parse(date) - Date.now()) / 1000) });
    at.p.respond(simple('from the future'));
    const r = await chat(at.s, 'Hi');
    assert.equal(r.text, 'from the future');
    const c = await conversation(at.s, r.conversation_id);
    for (const time of [c.created_at, c.updated_at, ...c.messages.map((m) => m.created_at)]) assert.ok(Math.abs(Date.parse(time) - Date.parse(date)) < 60_000 * SCALE, time);
    assert.equal((await list(at.s)).conversations.find((x) => x.conversation_id === r.conversation_id).created_at.slice(0, 10), date.slice(0, 10));
    assert.ok(sql(at.s.db, `SELECT created_at AS t FROM conversations WHERE public_id='${r.conversation_id}'`)[0].t > 2 ** 31 * 1000);
    assert.equal((await get(`${at.s.url}/health`)).status, 200);
  });

  test('times are UTC whatever the time zone of the server', opts, async () => {
    const f = faults();
    const s = await startServer({ env: { ...f.env, TZ: 'Pacific/Kiritimati' }, settings: { LLM_BASE_URL: at.p.url } });
    try {
      const r = await post(`${s.url}/conversations`, {});
      assert.match(r.json.created_at, /Z$/);
      assert.ok(Math.abs(Date.parse(r.json.created_at) - Date.now()) < 60_000 * SCALE, r.json.created_at);
    } finally { await s.stop(); f.end(); }
  });

  for (const hours of [1, -1]) test(`of a second worker is an hour ${hours > 0 ? 'ahead' : 'behind'}: the conversation stays in order, whoever writes`, opts, async () => {
    const f = faults();
    f.set({ clock: hours * 3600 });
    const other = await startServer({ env: f.env, settings: { PARLEY_DB: at.s.db, LLM_BASE_URL: at.p.url } });
    try {
      at.p.respond(async (req, io) => simple(`echo ${req.body.messages.at(-1).content}`)(req, io));
      let id;
      for (let i = 0; i < 4; i++) id = (await chat(i % 2 ? other : at.s, { message: `m${i}`, conversation_id: id })).conversation_id;
      for (const s of [at.s, other]) assert.deepEqual((await conversation(s, id)).messages.map((m) => m.content), ['m0', 'echo m0', 'm1', 'echo m1', 'm2', 'echo m2', 'm3', 'echo m3']);
    } finally { await other.stop(); f.end(); }
  });

  for (const hours of [1, -1]) test(`of a second worker is an hour ${hours > 0 ? 'ahead' : 'behind'}: it does not take an answer of the first for lost`, opts, async () => {
    const f = faults();
    f.set({ clock: hours * 3600 });
    const other = await startServer({ env: f.env, settings: { PARLEY_DB: at.s.db, LLM_BASE_URL: at.p.url } });
    const g = gate();
    try {
      at.p.respond(async (req, io) => { io.token('one '); await g.wait(); io.token('two'); io.finish(); io.done(); await io.end(); });
      const c = await stream(`${at.s.url}/chat/stream`, { message: 'Hi' });
      const id = JSON.parse((await c.next()).data).conversation_id;
      await c.until((e) => /one/.test(e.data));
      assert.equal((await conversation(other, id)).messages[1].status, 'streaming');
      g.open();
      await c.all();
      assert.equal((await conversation(other, id)).messages[1].content, 'one two');
    } finally { g.open(); await other.stop(); f.end(); }
  });
});
