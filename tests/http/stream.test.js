// POST /chat/stream: its events, ids, lines and pings; and that tokens are not held back on either endpoint.
import test, { before, after, beforeEach, describe } from 'node:test';
import assert from 'node:assert/strict';
import { shared, withServer } from './server.js';
import { simple, held, gate, SCALE, stallAfter, silentStall, deviations, sleep } from '../provider/provider.js';
import { stream, chat, chatStream, conversation, readStream, readChat, settled } from './client.js';

const opts = { timeout: 90_000 * SCALE };
const at = shared({ before, after, beforeEach });

describe('events of POST /chat/stream', () => {
  test('start, tokens, then exactly one done with status and usage', opts, async () => {
    at.p.respond(simple('Hello, world!'));
    const r = await chatStream(at.s, 'Hi');
    assert.equal(r.text, 'Hello, world!');
    assert.equal(r.events[0].event, 'start');
    assert.equal(r.events.at(-1).event, 'done');
    assert.equal(r.terminal.status, 'done');
    assert.equal(r.terminal.usage.total_tokens, 19);
    assert.match(r.start.model, /test-model/);
    const c = await conversation(at.s, r.conversation_id);
    assert.equal(c.messages[1].content, 'Hello, world!');
    assert.equal(c.messages[1].id, r.message_id);
  });

  test('ids are <message_id>:<pos>; a token moves pos by its UTF-8 bytes, any other event by 1', opts, async () => {
    const tokens = ['a', 'äö', '€', '😀😀', 'line\nline', ' '];
    at.p.respond(async (req, io) => { for (const t of tokens) { await io.token(t); await sleep(0.02); } io.finish(); io.done(); await io.end(); });
    const r = await chatStream(at.s, 'Hi');               // readStream checks each step
    assert.equal(r.text, tokens.join(''));
    const first = Number(r.events[0].id.split(':').at(-1));
    const last = Number(r.events.at(-1).id.split(':').at(-1));
    assert.equal(last - first, Buffer.byteLength(tokens.join('')) + 1);
  });

  test('a token with line ends has one data: line for each line', opts, async () => {
    at.p.respond(simple(['a\nb\n\nc']));
    const r = await chatStream(at.s, 'Hi');
    assert.equal(r.text, 'a\nb\n\nc');
    assert.match(r.raw.replace(/\r\n?/g, '\n'), /data: a\ndata: b\ndata: ?\ndata: c\n\n/);
  });

  test('CR and CRLF become LF', opts, async () => {
    at.p.respond(simple(['a\r\nb\rc']));
    const s = await stream(`${at.s.url}/chat/stream`, { message: 'Hi' });
    await s.all();
    const text = s.events.filter((e) => e.event === 'token').map((e) => e.data).join('');
    assert.equal(text, 'a\nb\nc');
    assert.equal(s.events.at(-1).event, 'done');
  });

  test('a CRLF cut over two tokens is one line end', opts, async () => {
    const g = gate();
    at.p.respond(async (req, io) => { io.token('a\r'); await g.wait(); io.token('\nb'); io.finish(); io.done(); await io.end(); });
    const s = await stream(`${at.s.url}/chat/stream`, { message: 'Hi' });
    await s.until((e) => e.event === 'token');
    g.open();
    await s.all();
    assert.equal(s.events.filter((e) => e.event === 'token').map((e) => e.data).join(''), 'a\nb');
  });

  test('spaces at the ends of tokens, and tokens that are only line ends, are kept', opts, async () => {
    const tokens = [' lead', 'trail ', '  ', '\n', '\n\n', ':colon', 'data: x', '\tTab'];
    at.p.respond(async (req, io) => { for (const t of tokens) { await io.token(t); await sleep(0.02); } io.finish(); io.done(); await io.end(); });
    const r = await chatStream(at.s, 'Hi');
    assert.equal(r.text, tokens.join(''));
  });

  test('thinking that comes in one burst is merged, in order, and counts once an event', opts, async () => {
    const pieces = Array.from({ length: 5000 }, (_, i) => `${i} `);
    at.p.respond(async (req, io) => {
      await io.raw(pieces.map((text) => `data: ${JSON.stringify(io.shape({ reasoning_content: text, content: null }))}\n\n`).join(''));
      io.token('done');
      io.finish();
      io.done();
      await io.end();
    });
    const r = await chatStream(at.s, 'Hi');
    assert.equal(r.reasoning, pieces.join(''));
    assert.ok(r.typed.length < pieces.length / 5, `${r.typed.length} events for ${pieces.length} pieces`);
  });

  test('reasoning comes as an event of its own with JSON data, not as a token', opts, async () => {
    at.p.respond(deviations['delta.reasoning_content with content null (DeepSeek, Qwen, xAI)'].run);
    const r = await chatStream(at.s, 'Hi');
    assert.equal(r.text, 'ab');
    assert.equal(r.reasoning, 'hmm', JSON.stringify(r.typed));
    const c = await conversation(at.s, r.conversation_id);
    assert.equal(c.messages[1].content, 'ab');
  });

  test('after an error the one terminal event is error with code and message', opts, async () => {
    at.p.respond(async (req, io) => { io.token('part'); io.chunk({ error: { message: 'engine died' } }); io.done(); await io.end(); });
    const r = await chatStream(at.s, 'Hi');
    assert.equal(r.terminal.event, 'error');
    assert.equal(r.terminal.code, 'provider_error');
    assert.equal(r.text, 'part');
  });

  test('an answer of thousands of tokens in one burst is whole and in order', opts, async () => {
    const tokens = Array.from({ length: 20000 }, (_, i) => `${i} `);
    at.p.respond(async (req, io) => {
      io.raw(tokens.map((t) => `data: ${JSON.stringify(io.shape({ content: t }))}\n\n`).join(''));
      io.finish(); io.done(); await io.end();
    });
    const r = await chatStream(at.s, 'Hi');
    assert.equal(r.text, tokens.join(''));
    const c = await chat(at.s, 'Hi');
    assert.equal(c.text, tokens.join(''));
    assert.equal((await conversation(at.s, c.conversation_id)).messages[1].content, tokens.join(''));
  });
});

describe('pings', () => {
  test('silence is filled with ping events that have no id', opts, () => withServer({ settings: { HEARTBEAT_SECONDS: '0.2' } }, async (s, p) => {
    const g = gate();
    p.respond(held('before', g, 'after'));
    const c = await stream(`${s.url}/chat/stream`, { message: 'Hi' });
    await c.until((e) => e.event === 'token');
    for (let i = 0; i < 3; i++) await c.until((e) => e.event === 'ping');
    g.open();
    await c.all();
    const r = readStream(c);
    assert.equal(r.text, 'beforeafter');
    assert.ok(r.pings >= 3);
  }));

  test('silence on /chat is filled too, with something that its clients do not see', opts, () => withServer({ settings: { HEARTBEAT_SECONDS: '0.2' } }, async (s, p) => {
    const g = gate();
    p.respond(held('before', g, 'after'));
    const c = await stream(`${s.url}/chat`, { message: 'Hi' });
    await c.until((e) => /before/.test(e.data));
    const n = c.raw.length;
    const until = performance.now() + 10_000 * SCALE;
    while (c.raw.length < n + 3 && performance.now() < until) await sleep(0.02);
    assert.ok(c.raw.length >= n + 3, 'bytes came in the silence');
    g.open();
    await c.all();
    assert.equal(readChat(c).text, 'beforeafter');        // and they are not chunks without a choice
    assert.doesNotMatch(c.raw.slice(n), /^data: (?!\{|\[DONE\])/m);
  }));

  test('headers are held until the first event, at most HEADER_HOLD_SECONDS', opts, () => withServer({ settings: { HEADER_HOLD_SECONDS: '0.3', HEARTBEAT_SECONDS: '0.2' } }, async (s, p) => {
    const g = gate();
    p.respond(async (req, io) => { await g.wait(); io.token('late'); io.finish(); io.done(); await io.end(); });
    const c = await stream(`${s.url}/chat/stream`, { message: 'Hi' });     // resolves with the headers, before any token
    assert.equal(c.status, 200);
    assert.equal((await c.next()).event, 'start');
    assert.equal(g.isOpen, false);
    await c.until((e) => e.event === 'ping');
    g.open();
    await c.all();
    assert.equal(readStream(c).text, 'late');
  }));

  test('a failure after the headers were let go is an event', opts, () => withServer({ settings: { HEADER_HOLD_SECONDS: '0.2', FIRST_TOKEN_TIMEOUT_SECONDS: '0.8', RETRIES: '0' } }, async (s, p) => {
    p.respond(silentStall);
    const a = await chatStream(s, 'Hi');
    assert.equal(a.status, 200);
    assert.equal(a.terminal.event, 'error');
    assert.equal(a.terminal.code, 'provider_timeout');
    const b = await chat(s, 'Hi');
    assert.equal(b.status, 200);
    assert.equal(b.error.code, 'provider_timeout');
  }));
});

describe('no token waits for another', () => {
  const N = 50;
  for (const [path, isToken, read] of [
    ['/chat', (e) => e.data[0] === '{' && JSON.parse(e.data).choices?.[0]?.delta?.content, readChat],
    ['/chat/stream', (e) => e.event === 'token' && e.data, readStream],
  ]) {
    test(`token k reaches the client of ${path} before the provider sends token k+1, for ${N} tokens`, opts, async () => {
      const gates = Array.from({ length: N }, gate);
      const sent = [];
      at.p.respond(async (req, io) => {
        io.role();
        for (let k = 0; k < N; k++) {
          await Promise.race([gates[k].wait(), io.closed]);
          if (io.isClosed) return;
          sent.push(k);
          await io.token(`token-${k} `);
        }
        io.finish(); io.done(); await io.end();
      });
      const going = stream(`${at.s.url}${path}`, { message: 'Hi' });
      gates[0].open();
      const s = await going;
      for (let k = 0; k < N; k++) {
        const e = await s.until(isToken);
        assert.equal(isToken(e), `token-${k} `);
        assert.equal(sent.length, k + 1, 'the provider was not told to go on');
        gates[k + 1]?.open();
      }
      await s.all();
      const r = read(s);
      assert.equal(r.text, Array.from({ length: N }, (_, k) => `token-${k} `).join(''));
      assert.equal((await conversation(at.s, r.conversation_id)).messages[1].content, r.text);
    });
  }
});
