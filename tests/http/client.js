// A small HTTP client for tests: whole answers, event streams read one event at a time, readers that do not read.
import http from 'node:http';
import net from 'node:net';
import assert from 'node:assert/strict';
import { within, sleep, SCALE } from '../provider/provider.js';

export { within, sleep, SCALE };

const basic = (auth) => (auth ? { authorization: 'Basic ' + Buffer.from(Array.isArray(auth) ? auth.join(':') : `${auth}:${auth}`).toString('base64') } : {});

function options(url, { method = 'GET', headers = {}, body, auth } = {}) {
  // not `new URL`: it would tidy up the very paths that tests want to send
  const m = /^http:\/\/([^:/]+):(\d+)(\/.*)?$/.exec(url);
  if (!m) throw new Error(`not a test URL: ${url}`);
  const all = { ...basic(auth) };
  for (const [k, v] of Object.entries(headers)) if (v != null) all[k.toLowerCase()] = v;
  let payload;
  if (body !== undefined) {
    payload = Buffer.isBuffer(body) ? body : Buffer.from(typeof body === 'string' ? body : JSON.stringify(body));
    if (!('content-type' in all) && headers['content-type'] !== null) all['content-type'] = 'application/json';
    if (!('content-length' in all) && !('transfer-encoding' in all)) all['content-length'] = payload.length;
  } else if (method !== 'GET' && method !== 'HEAD' && method !== 'DELETE' && !('content-length' in all)) {
    all['content-length'] = 0;
  }
  return [{ host: m[1], port: Number(m[2]), path: m[3] ?? '/', method, headers: all, agent: false }, payload];
}

/** One request, the whole answer: {status, headers, raw, text, json}. `auth: 'alice'` signs in with password = name. */
export function request(url, opts = {}) {
  const [o, payload] = options(url, opts);
  const seconds = opts.seconds ?? 20;
  let req;
  return within(seconds, new Promise((resolve, reject) => {
    req = http.request(o, (res) => {
      const pieces = [];
      res.on('data', (d) => pieces.push(d));
      res.on('error', reject);
      res.on('end', () => {
        const raw = Buffer.concat(pieces);
        const text = raw.toString('utf8');
        let json;
        try { json = JSON.parse(text); } catch { /* stays undefined */ }
        resolve({ status: res.statusCode, headers: res.headers, raw, text, json });
      });
    });
    req.on('error', reject);
    req.end(payload);
  }), `${o.method} ${o.path}`).catch((e) => { req?.destroy(); throw e; });
}

export const get = (url, opts) => request(url, opts);
export const post = (url, body, opts) => request(url, { method: 'POST', body, ...opts });
export const patch = (url, body, opts) => request(url, { method: 'PATCH', body, ...opts });
export const del = (url, opts) => request(url, { method: 'DELETE', ...opts });

/** Server-sent events by the letter of the HTML standard; feed(text) gives the events that became complete. */
export class SseParser {
  constructor() { this.rest = ''; this.event = ''; this.data = null; this.id = undefined; this.first = true; this.comments = 0; this.bad = []; }
  feed(text) {
    const out = [];
    this.rest += text;
    let m;
    // a CR at the very end may be half of a CRLF
    while ((m = /\r\n|\n|\r(?!$)/.exec(this.rest))) {
      const line = this.rest.slice(0, m.index);
      this.rest = this.rest.slice(m.index + m[0].length);
      if (line === '') {
        if (this.data !== null) out.push({ event: this.event || 'message', data: this.data, id: this.id });
        this.event = ''; this.data = null; this.id = undefined;
        continue;
      }
      if (line[0] === ':') { this.comments++; continue; }
      const c = line.indexOf(':');
      const name = c < 0 ? line : line.slice(0, c);
      let value = c < 0 ? '' : line.slice(c + 1);
      if (value[0] === ' ') value = value.slice(1);
      if (name === 'data') this.data = this.data === null ? value : `${this.data}\n${value}`;
      else if (name === 'event') this.event = value;
      else if (name === 'id') this.id = value;
      else if (name !== 'retry') this.bad.push(line);        // nothing else may be in our streams
    }
    return out;
  }
}

/**
 * Opens an event stream; resolves when the headers are there.
 * next() → the next event, null at the end; all() → the rest; close() leaves; `complete`: the HTTP body ended as it should.
 */
export function stream(url, body, opts = {}) {
  const [o, payload] = options(url, { method: 'POST', body, ...opts });
  const parser = new SseParser();
  const decoder = new TextDecoder('utf-8', { fatal: true });
  const queue = [];
  let wake = () => {};
  const s = {
    raw: '', events: [], ended: false, complete: false, error: null, status: 0, headers: null, parser, badUtf8: false,
    async next(seconds = 10) {
      await within(seconds, (async () => {
        while (!queue.length && !s.ended) await new Promise((r) => { wake = r; });
      })(), `the next event of ${o.path} (so far: ${JSON.stringify(s.raw.slice(-300))})`);
      return queue.length ? queue.shift() : null;
    },
    /** Skips events until test(event); fails at the end of the stream. */
    async until(test, seconds = 10) {
      for (;;) {
        const e = await s.next(seconds);
        if (e === null) throw new Error(`the stream ended before the event came: ${JSON.stringify(s.raw.slice(-500))}`);
        if (test(e)) return e;
      }
    },
    async all(seconds = 30) {
      await within(seconds, s.end, `the end of ${o.path}`);
      return s.events;
    },
    close(how = 'fin') {
      s.left = true;
      const sock = s.req.socket;
      if (how === 'rst' && sock?.resetAndDestroy) sock.resetAndDestroy(); else s.req.destroy();
    },
    pause() { s.res.pause(); },
    resume() { s.res.resume(); },
    json() { try { return JSON.parse(s.raw); } catch { return undefined; } },
  };
  let finish;
  s.end = new Promise((r) => { finish = r; });
  const stop = (err) => {
    if (s.ended) return;
    s.ended = true;
    s.error = s.left ? null : err ?? null;
    finish();
    wake();
  };
  return within(opts.seconds ?? 20, new Promise((resolve, reject) => {
    s.req = http.request(o, (res) => {
      s.res = res;
      s.status = res.statusCode;
      s.headers = res.headers;
      res.on('data', (d) => {
        let text;
        try { text = decoder.decode(d, { stream: true }); } catch { s.badUtf8 = true; text = d.toString('latin1'); }
        s.raw += text;
        opts.onData?.(d);
        const got = parser.feed(text);
        const now = performance.now();
        for (const e of got) { e.at = now; s.events.push(e); queue.push(e); }
        if (got.length) wake();
      });
      res.on('end', () => { s.complete = res.complete; stop(); });
      res.on('error', stop);
      res.on('close', () => stop(new Error('closed')));
      resolve(s);
    });
    s.req.on('error', (e) => { if (s.status) stop(e); else if (s.left) stop(); else reject(e); });
    s.req.end(payload);
  }), `the headers of POST ${o.path}`).catch((e) => { s.req?.destroy(); throw e; });
}

const mergeUsage = (u) => u && typeof u === 'object' ? u : undefined;

/** Checks the shape that POST /chat promises and takes the stream apart. */
export function readChat(s, { allowError = true } = {}) {
  assert.equal(s.status, 200, `POST /chat: ${s.raw.slice(0, 300)}`);
  assert.match(s.headers['content-type'] ?? '', /^text\/event-stream/);
  assert.deepEqual(s.parser.bad, [], 'only event-stream fields in the stream');
  assert.equal(s.badUtf8, false, 'the stream is UTF-8');
  assert.ok(s.events.length >= 1, `no events at all: ${s.raw.slice(0, 300)}`);
  const out = { text: '', reasoning: '', chunks: [], error: null, finish_reason: null, usage: undefined };
  const datas = s.events.filter((e) => e.event !== 'ping').map((e) => e.data);
  assert.equal(datas[datas.length - 1], '[DONE]', `[DONE] is the last thing said: ${s.raw.slice(-300)}`);
  assert.equal(datas.filter((d) => d === '[DONE]').length, 1, '[DONE] is said once');
  for (const d of datas.slice(0, -1)) {
    let o;
    try { o = JSON.parse(d); } catch { assert.fail(`not JSON: ${d}`); }
    if (o.error) {
      assert.ok(allowError, `an error came: ${d}`);
      assert.equal(out.error, null, 'one error at most');
      assert.equal(typeof o.error.code, 'string');
      assert.equal(typeof o.error.message, 'string');
      assert.ok(o.error.message.length > 0);
      out.error = o.error;
      continue;
    }
    assert.equal(out.error, null, 'nothing but [DONE] after an error');
    assert.equal(out.finish_reason, null, 'nothing but [DONE] after finish_reason');
    assert.equal(o.object, 'chat.completion.chunk');
    assert.equal(o.choices?.length, 1, `exactly one choice in each chunk: ${d}`);
    const { delta, finish_reason } = o.choices[0];
    assert.equal(typeof delta, 'object');
    if (!out.chunks.length) {
      assert.equal(delta.role, 'assistant', 'the first chunk has the role');
      assert.equal(delta.content, '', 'the first chunk has an empty content');
      assert.equal(typeof o.conversation_id, 'string', 'the first chunk has conversation_id at its top');
      assert.equal(typeof o.message_id, 'string', 'the first chunk has message_id at its top');
      out.conversation_id = o.conversation_id;
      out.message_id = o.message_id;
      out.model = o.model;
    }
    out.text += delta.content ?? '';
    out.reasoning += delta.reasoning_content ?? delta.reasoning ?? '';
    if (finish_reason) { out.finish_reason = finish_reason; out.usage = mergeUsage(o.usage); out.hasUsage = 'usage' in o; }
    out.chunks.push(o);
  }
  if (!out.error) {
    assert.ok(out.chunks.length >= 2, 'a first and a last chunk');
    assert.ok(out.finish_reason, `the last chunk has a finish_reason: ${s.raw.slice(-300)}`);
    assert.ok(out.hasUsage, 'the last chunk has usage');
  }
  return out;
}

const NAMED = /^[a-z_]+$/;

/** Checks the shape that POST /chat/stream promises and takes the stream apart. */
export function readStream(s) {
  assert.equal(s.status, 200, `POST /chat/stream: ${s.raw.slice(0, 300)}`);
  assert.match(s.headers['content-type'] ?? '', /^text\/event-stream/);
  assert.deepEqual(s.parser.bad, [], 'only event-stream fields in the stream');
  assert.equal(s.badUtf8, false, 'the stream is UTF-8');
  const out = { text: '', reasoning: '', tokens: [], typed: [], pings: 0, start: null, terminal: null };
  let pos = null;
  for (const e of s.events) {
    assert.match(e.event, NAMED);
    if (e.event === 'ping') {
      out.pings++;
      assert.equal(e.id, undefined, 'a ping has no id');
      continue;
    }
    assert.equal(out.terminal, null, `nothing after the terminal event, but: ${JSON.stringify(e)}`);
    assert.equal(typeof e.id, 'string', `an id on every event but ping: ${JSON.stringify(e)}`);
    const m = /^(.+):(\d+)$/.exec(e.id);
    assert.ok(m, `id is <message_id>:<pos>, not ${e.id}`);
    const here = Number(m[2]);
    if (e.event === 'token') {
      out.tokens.push(e.data);
      out.text += e.data;
      assert.ok(pos !== null, 'start comes before the first token');
      assert.equal(here - pos, Buffer.byteLength(e.data), `a token moves pos by its UTF-8 bytes: ${JSON.stringify(e)} after ${pos}`);
    } else {
      const data = JSON.parse(e.data);
      if (pos !== null) assert.equal(here - pos, 1, `${e.event} moves pos by 1: ${e.id} after ${pos}`);
      if (e.event === 'start') {
        assert.equal(out.start, null, 'one start');
        assert.equal(typeof data.conversation_id, 'string');
        assert.equal(typeof data.message_id, 'string');
        assert.equal(typeof data.model, 'string');
        out.start = data;
      } else if (e.event === 'done' || e.event === 'error') {
        out.terminal = { event: e.event, ...data };
        if (e.event === 'done') {
          assert.match(data.status, /^(done|stopped|interrupted|error)$/);
          assert.ok('usage' in data, 'done has usage');
        } else {
          assert.equal(typeof data.code, 'string');
          assert.equal(typeof data.message, 'string');
          assert.ok(data.message.length > 0);
        }
        assert.equal(data.message_id, m[1]);
      } else {
        out.typed.push({ event: e.event, data });
        if (e.event === 'reasoning') out.reasoning += typeof data === 'string' ? data : Object.values(data).filter((v) => typeof v === 'string').join('');
      }
    }
    pos = here;
    if (out.start) assert.equal(m[1], out.start.message_id, 'the id names the message');
  }
  assert.ok(out.start, 'there is a start event');
  assert.ok(out.terminal, `there is exactly one terminal event: ${s.raw.slice(-300)}`);
  assert.equal(out.terminal.conversation_id, out.start.conversation_id);
  assert.equal(out.terminal.message_id, out.start.message_id);
  out.conversation_id = out.start.conversation_id;
  out.message_id = out.start.message_id;
  return out;
}

/** POST /chat, read to its end. Not 200: {status, error}. */
export async function chat(server, body, opts = {}) {
  const s = await stream(`${server.url}/chat`, typeof body === 'string' ? { message: body } : body, opts);
  await s.all(opts.end ?? 30);
  if (s.status !== 200) return { status: s.status, headers: s.headers, error: s.json()?.error ?? null, raw: s.raw, text: '' };
  assert.equal(s.complete, true, `the HTTP body ended as it should: ${s.raw.slice(-200)}`);
  return { status: 200, headers: s.headers, raw: s.raw, ...readChat(s) };
}

/** POST /chat/stream, read to its end. Not 200: {status, error}. */
export async function chatStream(server, body, opts = {}) {
  const s = await stream(`${server.url}/chat/stream`, typeof body === 'string' ? { message: body } : body, opts);
  await s.all(opts.end ?? 30);
  if (s.status !== 200) return { status: s.status, headers: s.headers, error: s.json()?.error ?? null, raw: s.raw, text: '' };
  assert.equal(s.complete, true, `the HTTP body ended as it should: ${s.raw.slice(-200)}`);
  return { status: 200, headers: s.headers, raw: s.raw, events: s.events, ...readStream(s) };
}

/** POST /chat with stream:false. */
export const chatWhole = (server, body, opts) => post(`${server.url}/chat`, { stream: false, ...(typeof body === 'string' ? { message: body } : body) }, opts);

export async function conversation(server, id, opts) {
  const r = await get(`${server.url}/conversations/${id}`, opts);
  assert.equal(r.status, 200, `GET /conversations/${id}: ${r.text.slice(0, 300)}`);
  return r.json;
}

export async function list(server, query = '', opts) {
  const r = await get(`${server.url}/conversations${query}`, opts);
  assert.equal(r.status, 200, `GET /conversations${query}: ${r.text.slice(0, 300)}`);
  assert.ok(Array.isArray(r.json.conversations));
  return r.json;
}

/** Asks again until the last answer of the conversation has one of the wanted statuses. */
export async function settled(server, id, { seconds = 10, auth, not = ['streaming'] } = {}) {
  const until = performance.now() + seconds * SCALE * 1000;
  for (;;) {
    const c = await conversation(server, id, { auth });
    const last = c.messages[c.messages.length - 1];
    if (last && last.role === 'assistant' && !not.includes(last.status)) return { conversation: c, answer: last, question: c.messages[c.messages.length - 2] };
    if (performance.now() > until) assert.fail(`the answer of ${id} is still ${JSON.stringify(last)?.slice(0, 300)}`);
    await sleep(0.05);
  }
}

/** Asks again and again until what it asks for holds; fails after so many seconds. */
export async function waitUntil(seconds, holds, what) {
  const end = performance.now() + seconds * SCALE * 1000;
  while (!(await holds())) {
    if (performance.now() > end) assert.fail(`${what}: not within ${seconds * SCALE} s`);
    await sleep(0.05);
  }
}

/** A failure below /api, as FastAPI's look: {"detail": sentence}. Gives the sentence. */
export function assertDetail(r, status) {
  assert.equal(r.status, status, `status ${r.status}, not ${status}: ${r.text.slice(0, 300)}`);
  assert.match(r.headers['content-type'] ?? '', /^application\/json/);
  assert.deepEqual(Object.keys(r.json ?? {}), ['detail']);
  const said = Array.isArray(r.json.detail) ? r.json.detail[0].msg : r.json.detail;
  assert.equal(typeof said, 'string');
  assert.ok(said.trim().length >= 8, `a sentence, not ${JSON.stringify(said)}`);
  return said;
}

/** The error body everybody gets: {"error":{"code","message"}}, nothing that a person should not see. */
export function assertError(r, status, code) {
  const want = Array.isArray(status) ? status : [status];
  assert.ok(want.includes(r.status), `status ${r.status}, not ${want}: ${(r.text || r.raw || '').toString().slice(0, 300)}`);
  if (r.headers) assert.match(r.headers['content-type'] ?? '', /^application\/json/);
  const e = r.json?.error ?? r.error;
  assert.ok(e && typeof e === 'object', `{"error":{…}}, not ${(r.text ?? r.raw)?.toString().slice(0, 300)}`);
  assert.equal(typeof e.code, 'string');
  assert.equal(typeof e.message, 'string');
  assert.ok(e.message.trim().length >= 8, `a sentence, not ${JSON.stringify(e.message)}`);
  assert.doesNotMatch(e.message, /[<>]\/?(html|body|h1)|[\u0000-\u0008\u000b\u000c\u000e-\u001f]/i, 'no HTML, no control characters');
  if (code) {
    const codes = Array.isArray(code) ? code : [code];
    assert.ok(codes.includes(e.code), `code ${e.code}, not ${codes} (${e.message})`);
  }
  return e;
}

/** A reader that takes nothing until told: open(), then readSome(n) / readAll(). Works on the bare socket. */
export function slowReader(url, body, { auth, headers = {} } = {}) {
  const m = /^http:\/\/([^:/]+):(\d+)(\/.*)$/.exec(url);
  const payload = Buffer.from(JSON.stringify(body));
  const sock = net.connect({ host: m[1], port: Number(m[2]) });
  const lines = [`POST ${m[3]} HTTP/1.1`, `Host: ${m[1]}:${m[2]}`, 'Content-Type: application/json', `Content-Length: ${payload.length}`, 'Connection: close'];
  for (const [k, v] of Object.entries({ ...basic(auth), ...headers })) lines.push(`${k}: ${v}`);
  const r = { sock, bytes: 0, closed: false, error: null };
  sock.on('error', (e) => { r.error = e; });
  r.end = new Promise((resolve) => sock.on('close', () => { r.closed = true; resolve(); }));
  sock.pause();
  r.opened = new Promise((resolve, reject) => {
    sock.once('error', reject);
    sock.once('connect', () => { sock.write(lines.join('\r\n') + '\r\n\r\n'); sock.write(payload, resolve); });
  });
  /** Takes n bytes if they are there. */
  r.readSome = (n = 1) => { const d = sock.read(n); if (d) r.bytes += d.length; return d; };
  /** Reads to the end; gives the events of the body (chunked coding undone). */
  r.readAll = async (seconds = 60) => {
    const pieces = [];
    sock.on('data', (d) => { pieces.push(d); r.bytes += d.length; });
    sock.resume();
    await within(seconds, r.end, 'the end of a slow reader');
    return r.decode(Buffer.concat(pieces));
  };
  r.decode = (buf) => {
    const head = buf.indexOf('\r\n\r\n');
    const status = Number(/^HTTP\/1\.\d (\d+)/.exec(buf.subarray(0, Math.max(0, head)).toString())?.[1]);
    let rest = buf.subarray(head + 4);
    let complete = true;
    if (/transfer-encoding:\s*chunked/i.test(buf.subarray(0, head).toString())) {
      const parts = [];
      complete = false;
      for (;;) {
        const eol = rest.indexOf('\r\n');
        if (eol < 0) break;
        const n = parseInt(rest.subarray(0, eol).toString(), 16);
        if (n === 0) { complete = true; break; }
        if (rest.length < eol + 2 + n) { parts.push(rest.subarray(eol + 2)); break; }
        parts.push(rest.subarray(eol + 2, eol + 2 + n));
        rest = rest.subarray(eol + 4 + n);
      }
      rest = Buffer.concat(parts);
    }
    const parser = new SseParser();
    return { status, complete, raw: rest.toString('utf8'), events: parser.feed(rest.toString('utf8')), parser, headers: { 'content-type': 'text/event-stream' }, badUtf8: false };
  };
  r.close = () => sock.destroy();
  return r;
}

/** Bytes to the server as they are, the answer as text. For requests that no client library sends. */
export function rawRequest(server, bytes, { seconds = 15, half = false } = {}) {
  const sock = net.connect({ host: '127.0.0.1', port: server.port, allowHalfOpen: true });
  let text = '';
  return within(seconds, new Promise((resolve, reject) => {
    sock.on('error', (e) => (text ? resolve(text) : reject(e)));
    sock.on('data', (d) => { text += d; });
    sock.on('end', () => { sock.end(); resolve(text); });
    sock.on('close', () => resolve(text));
    sock.write(bytes, () => { if (half) sock.end(); });
  }), 'the answer to raw bytes').finally(() => sock.destroy());
}
