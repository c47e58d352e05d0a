// The tools themselves: does the provider misbehave as ordered, does the client see what was sent?
import test from 'node:test';
import assert from 'node:assert/strict';
import * as P from './provider.js';
import { stream, request, SseParser, slowReader, readChat, readStream } from '../http/client.js';

const ask = (p, body = {}) => stream(`${p.url}/chat/completions`, { model: 'test-model', stream: true, stream_options: { include_usage: true }, messages: [{ role: 'user', content: 'hi' }], ...body });
const texts = (events) => events.filter((e) => e.data.startsWith('{')).map((e) => JSON.parse(e.data).choices?.[0]?.delta?.content ?? '').join('');
const on = (name, fn) => test(name, { timeout: 30_000 * P.SCALE }, async () => {
  const p = await P.startProvider();
  try { await fn(p); } finally { await p.stop(); }
});

on('the provider streams a simple answer and remembers the request', async (p) => {
  p.respond(P.simple('one two three'));
  const s = await ask(p);
  const events = await s.all();
  assert.equal(texts(events), 'one two three');
  assert.equal(events.at(-1).data, '[DONE]');
  assert.equal(s.complete, true);
  assert.equal(p.requests.length, 1);
  assert.equal(p.chats[0].body.messages[0].content, 'hi');
  assert.equal(p.chats[0].path, '/v1/chat/completions');
  assert.equal(p.closedCount, 0);
});

on('one-shot behaviours go first and in order, then the default', async (p) => {
  p.respond(P.simple('default')).enqueue(P.serverError(500), P.rateLimited(7));
  assert.equal((await ask(p)).status, 500);
  const r = await ask(p);
  assert.equal(r.status, 429);
  assert.equal(r.headers['retry-after'], '7');
  assert.equal(texts(await (await ask(p)).all()), 'default');
});

on('a gate holds a token back until it is opened', async (p) => {
  const g = P.gate();
  p.respond(P.held('before ', g, 'after'));
  const s = await ask(p);
  await s.until((e) => e.data.includes('before'));
  await assert.rejects(s.next(0.1 / P.SCALE), /nothing in/);
  g.open();
  await s.until((e) => e.data.includes('after'));
  await s.all();
});

on('the provider notices that its client left', async (p) => {
  p.respond(P.stallAfter('x'));
  const s = await ask(p);
  await s.until((e) => e.data.includes('x'));
  s.close();
  await p.waitForClosed(1);
  await p.ios[0].closed;
  assert.equal(p.closedCount, 1);
});

for (const how of ['rst', 'fin']) on(`a cut (${how}) breaks the answer before its end`, async (p) => {
  const g = P.gate();
  p.respond(P.cutAfter('some text', how, g));
  const s = await ask(p);
  await s.until((e) => e.data.includes('some'));
  g.open();
  const events = await s.all();
  assert.match(texts(events), /^some/);
  assert.equal(s.complete, false);
});

on('a dropped connection gives no answer at all', async (p) => {
  p.respond(P.dropConnection());
  await assert.rejects(ask(p));
});

on('GET /v1/models lists the models and is not counted as a chat', async (p) => {
  const r = await request(`${p.url}/models`);
  assert.equal(r.json.data[0].id, 'test-model');
  assert.equal(p.chats.length, 0);
  assert.equal(p.requests.length, 1);
});

on('a huge line is as long as ordered and has no line end', async (p) => {
  p.respond(P.hugeLine(1 << 20));
  const s = await ask(p);
  const events = await s.all();
  assert.equal(JSON.parse(events[0].data).choices[0].delta.content.length, 1 << 20);
});

on('a stream without end goes on until the client leaves', async (p) => {
  p.respond(P.neverEnding('again '));
  const s = await ask(p);
  for (let i = 0; i < 500; i++) assert.notEqual(await s.next(), null);
  s.close();
  await p.waitForClosed(1);
});

on('one byte per write arrives whole', async (p) => {
  const d = P.deviations['one byte in each write'];
  p.respond(d.run);
  assert.equal(texts(await (await ask(p)).all()), d.text);
});

for (const [name, d] of Object.entries(P.deviations)) on(`deviation runs to its end: ${name}`, async (p) => {
  p.respond(d.run);
  const s = await ask(p);
  await s.all();
  assert.equal(s.complete, true);
  assert.ok(['done', 'error', 'interrupted'].includes(d.end));
  if (d.text && !d.text.includes('NO') && d.text.length < 20 && /whole/.test(d.text)) assert.ok(s.raw.includes(d.text));
});

test('a canary remembers who came', { timeout: 30_000 }, async () => {
  const c = await P.startCanary();
  assert.equal(c.seen.length, 0);
  await request(`http://127.0.0.1:${c.port}/x`);
  assert.equal(c.seen.length, 1);
  assert.match(c.seen[0].text, /^GET \/x /);
  await c.stop();
});

test('a black hole lets no connection through', { timeout: 60_000 }, async () => {
  const b = await P.blackHole();
  try {
    assert.equal(b.full, true);
    await assert.rejects(request(b.url, { seconds: 0.5 / P.SCALE }), /nothing in/);
  } finally { await b.stop(); }
});

test('the event reader follows the standard, whole and at every cut', () => {
  const text = ': c\nevent: token\nid: m:3\ndata:  a\ndata:b\n\r\ndata: x\r\ndata\r\n\r\nevent: nothing\n\ndata: last\r\r\n';
  const want = [{ event: 'token', data: ' a\nb', id: 'm:3' }, { event: 'message', data: 'x\n', id: undefined }, { event: 'message', data: 'last', id: undefined }];
  assert.deepEqual(new SseParser().feed(text), want);
  for (let i = 1; i < text.length; i++) {
    const p = new SseParser();
    assert.deepEqual([...p.feed(text.slice(0, i)), ...p.feed(text.slice(i))], want, `cut at ${i}`);
  }
});

const fake = (raw) => { const parser = new SseParser(); return { status: 200, headers: { 'content-type': 'text/event-stream' }, raw, events: parser.feed(raw), parser, badUtf8: false }; };
const chunk = (delta, finish_reason = null, more = {}) => `data: ${JSON.stringify({ object: 'chat.completion.chunk', choices: [{ index: 0, delta, finish_reason }], ...more })}\n\n`;
const first = chunk({ role: 'assistant', content: '' }, null, { conversation_id: 'c', message_id: 'm' });
const last = chunk({}, 'stop', { usage: null });

test('the reader of /chat takes a good stream and refuses bad ones', () => {
  assert.equal(readChat(fake(first + chunk({ content: 'x' }) + last + 'data: [DONE]\n\n')).text, 'x');
  assert.throws(() => readChat(fake(first + chunk({ content: 'x' }) + last)), /DONE/);
  assert.throws(() => readChat(fake(chunk({ content: 'x' }) + last + 'data: [DONE]\n\n')), /role/);
  assert.throws(() => readChat(fake(first + chunk({ content: 'x' }) + 'data: [DONE]\n\n')), /finish_reason/);
  assert.throws(() => readChat(fake(first + last + chunk({ content: 'x' }) + 'data: [DONE]\n\n')), /after finish_reason/);
  assert.throws(() => readChat(fake(first + `data: ${JSON.stringify({ object: 'chat.completion.chunk', choices: [] })}\n\n` + last + 'data: [DONE]\n\n')), /one choice/);
  assert.throws(() => readChat(fake('')), /no events/);
});

const ev = (event, data, id) => `id: ${id}\nevent: ${event}\ndata: ${data}\n\n`;
const ids = { conversation_id: 'c', message_id: 'm' };
test('the reader of /chat/stream takes a good stream and refuses bad ones', () => {
  const start = ev('start', JSON.stringify({ ...ids, model: 'x' }), 'm:1');
  const done = (pos) => ev('done', JSON.stringify({ ...ids, status: 'done', usage: null }), `m:${pos}`);
  assert.equal(readStream(fake(start + ev('token', 'ä', 'm:3') + 'event: ping\ndata: {}\n\n' + done(4))).text, 'ä');
  assert.throws(() => readStream(fake(start + ev('token', 'ä', 'm:2') + done(3))), /UTF-8 bytes/);
  assert.throws(() => readStream(fake(start + ev('token', 'a', 'm:2'))), /terminal/);
  assert.throws(() => readStream(fake(start + done(2) + done(3))), /after the terminal/);
  assert.throws(() => readStream(fake(ev('token', 'a', 'm:2') + done(3))), /start/);
  assert.throws(() => readStream(fake(start + done(9))), /by 1/);
});

on('a slow reader gets everything once it reads', async (p) => {
  p.respond(P.simple('one two three'));
  const r = slowReader(`${p.url}/chat/completions`, { stream: true });
  await r.opened;
  await p.waitForChat(1);
  const got = await r.readAll();
  assert.equal(got.status, 200);
  assert.equal(got.complete, true);
  assert.equal(texts(got.events), 'one two three');
});
