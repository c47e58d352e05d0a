// What can go wrong with a provider, row by row: before the first token, in mid-stream, in its certificate, and without an end. What provider.test.js and wires.test.js
// have is not here; docs/reliability.md names them all.
import test, { before, after, beforeEach, describe } from 'node:test';
import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import zlib from 'node:zlib';
import { shared, withServer, startServer, sql, REPO } from './server.js';
import { lacks } from './hosting.js';
import * as P from '../provider/provider.js';
import { simple, gate, held, within, sleep, completion, SCALE, SECRET } from '../provider/provider.js';
import { startRaw, startHttp2 } from '../provider/raw.js';
import { authority, selfSigned } from '../provider/certificate.js';
import { startUpstream, answer, overflow, awsEvent, frame, USAGE } from '../provider/wires.js';
import { get, post, request, stream, chat, chatStream, chatWhole, conversation, list, settled, assertError, readChat, readStream } from './client.js';

const opts = { timeout: 90_000 * SCALE };
const at = shared({ before, after, beforeEach }, { settings: { RETRY_BASE_SECONDS: '0.005' } });

const newest = async (s) => conversation(s, (await list(s, '?limit=1')).conversations[0].conversation_id);
const event = (o) => `data: ${JSON.stringify(o)}\n\n`;
const delta = (content) => event({ choices: [{ index: 0, delta: { content } }] });
const FINISH = event({ choices: [{ index: 0, delta: {}, finish_reason: 'stop' }] });
const DONE = 'data: [DONE]\n\n';
const streamOf = (...texts) => texts.map(delta).join('') + FINISH + DONE;
/** Status 200 with these headers and this body, in one piece. */
const body200 = (type, bytes, headers = {}) => async (req, io) => {
  io.status(200, { ...(type && { 'content-type': type }), ...headers });
  io.raw(bytes);
  await io.end();
};

/** A failure without any text: status and code, a sentence without markup, the question kept, the answer marked. */
async function failsFirst(s, status = 502, code = 'provider_error', question = 'Hi') {
  const r = await chatStream(s, question);
  const e = assertError(r, status, code);
  const c = await newest(s);
  assert.equal(c.messages[0].content, question, 'the question is kept');
  assert.equal(c.messages.length, 2);
  assert.equal(c.messages[1].content, '');
  assert.match(c.messages[1].status, /^(error|interrupted)$/);
  return { ...r, message: e.message };
}

/** A good answer: shown and stored. */
async function answers(s, text, question = 'Hi') {
  const r = await chatStream(s, question);
  assert.equal(r.status, 200, r.raw);
  assert.equal(r.terminal.event, 'done', JSON.stringify(r.terminal));
  assert.equal(r.text, text);
  const c = await conversation(s, r.conversation_id);
  assert.equal(c.messages.length, 2);
  assert.equal(c.messages[1].content, text);
  assert.equal(c.messages[1].status, 'done');
  return r;
}

/** A server without a provider of its own, for the length of a function. */
async function withOwn(settings, fn) {
  const s = await startServer({ settings });
  try { await fn(s); } catch (e) {
    e.message += `\n--- log ---\n${s.log().slice(-2000)}`;
    await s.stop({ check: false });
    throw e;
  }
  await s.stop();
}

// ---------------------------------------------------------------- before the first token

describe('before the first token', () => {
  test('a refused connection fails at once and keeps the question', opts, async () => {
    const port = await P.freePort();
    await withOwn({ LLM_BASE_URL: `http://127.0.0.1:${port}/v1`, RETRIES: '0' }, async (s) => {
      const t0 = performance.now();
      await failsFirst(s, 502, 'provider_unreachable');
      assert.ok(performance.now() - t0 < 5000 * SCALE, 'CONNECT_TIMEOUT_SECONDS is 10');
    });
  });

  test('what a provider says about the key is in the log, and the client is told only that it is not accepted', opts, async () => {
    for (const status of [401, 403]) {
      const s = await startServer({ settings: { LLM_BASE_URL: at.p.url, LOG_LEVEL: 'info' } });
      try {
        at.p.respond(P.status(status, { error: { message: `project 7411 was suspended (${SECRET})`, code: 'x' } }));
        const { message } = await failsFirst(s, 502, 'provider_auth');
        assert.match(message, /key/);
        assert.doesNotMatch(message, /7411/);
        await s.logged(/its answer begins: .*project 7411 was suspended/);
      } finally { await s.stop(); }
    }
  });

  test('429 with a wait beyond RETRY_AFTER_CAP_SECONDS is told at once, and what is passed on is an hour at most', opts, async () => {
    for (const [value, least, most] of [['86400', 3600, 3600], [new Date(Date.now() + 86_400_000).toUTCString(), 3600, 3600], ['99999999999999999999', 1, 3600], ['30', 30, 30], [new Date(Date.now() + 60_000).toUTCString(), 50, 61]]) {
      at.p.reset(P.rateLimited(value));
      const t0 = performance.now();
      const r = await failsFirst(at.s, 429, 'provider_busy');
      assert.ok(performance.now() - t0 < 2000 * SCALE);
      const wait = Number(r.headers['retry-after']);
      assert.ok(wait >= least && wait <= most, `Retry-After: ${value} became ${wait}`);
    }
  });

  test('a try that reached the provider and was lost makes one answer with the next: on a new connection and on one that was used before', opts, async () => {
    for (const warm of [false, true]) {
      if (warm) { at.p.reset(simple('before')); await chat(at.s, 'Hi'); }
      at.p.reset(simple('the one answer')).enqueue(P.dropConnection('rst'));
      const r = await answers(at.s, 'the one answer', 'Only once?');
      assert.ok(at.p.chats.length >= 2);
      assert.equal(sql(at.s.db, `SELECT count(*) AS n FROM messages m JOIN messages a ON a.public_id = '${r.message_id}' AND m.conversation_id = a.conversation_id`)[0].n, 2, 'a question and an answer');
    }
  });
});

// tests that mostly wait, each with servers of its own: at the same time
describe('waiting before the first token', { concurrency: 8 }, () => {
  for (const [what, behaviour] of [['a provider that takes the request and says nothing', P.silentStall], ['a provider that says its headers and nothing else', P.headersThenSilence], ['a provider that says nothing but comments', P.commentsForEver(0.05)]]) {
    test(`${what}: heartbeats until FIRST_TOKEN_TIMEOUT_SECONDS, which is not the total time`, opts, () => withServer({ settings: { HEADER_HOLD_SECONDS: '0.1', HEARTBEAT_SECONDS: '0.1', FIRST_TOKEN_TIMEOUT_SECONDS: '2.5' } }, async (s, p) => {
      p.respond(behaviour);
      for (const [ask, beats] of [[chatStream, (r) => r.pings], [chat, (r) => r.raw.split('\n').filter((l) => l.startsWith(':') || l.startsWith('event: ping')).length]]) {
        p.closedCount = 0;
        const t0 = performance.now();
        const r = await ask(s, 'Hi');
        const took = (performance.now() - t0) / 1000;
        assert.equal((r.terminal ?? r.error).code, 'provider_timeout');
        assert.ok(took >= 2.4 && took < 2.5 + 3 * SCALE, `after ${took} s`);
        assert.ok(beats(r) >= 5, `${beats(r)} heartbeats: ${r.raw}`);
        await p.waitForClosed(1);
        assert.match((await newest(s)).messages[1].status, /^(error|interrupted)$/);
      }
    }));
  }

  for (const [what, value, least, most] of [
    ['seconds', () => '1', 0.95, 4],
    ['seconds with white space', () => ' 1 ', 0.95, 4],
    ['a date in two seconds', () => new Date(Date.now() + 2000).toUTCString(), 0.3, 5],
    ['a date that has passed', () => new Date(Date.now() - 60_000).toUTCString(), 0, 2.5],
    ['nothing at all', () => undefined, 0, 2.5],
    ['nought', () => '0', 0, 2.5],
    ['a negative number', () => '-5', 0, 2.5],
    ['words', () => 'in a moment', 0, 2.5],
  ]) test(`429 with ${what} in Retry-After: tried again after ${least === 0 ? 'our own wait' : 'that wait'}`, opts, () => withServer({ settings: { RETRY_AFTER_CAP_SECONDS: '5', RETRY_BASE_SECONDS: '0.2' } }, async (s, p) => {
    p.enqueue((req, io) => P.rateLimited(value())(req, io)).respond(simple('at last'));
    await answers(s, 'at last');
    assert.equal(p.chats.length, 2);
    const gap = (p.chats[1].at - p.chats[0].at) / 1000;
    assert.ok(gap >= least && gap < most * SCALE, `the second try came after ${gap} s`);
  }));

  test('the waits between tries are random, and grow no longer than RETRY_CAP_SECONDS', opts, () => withServer({ settings: { RETRIES: '4', RETRY_BASE_SECONDS: '0.15', RETRY_CAP_SECONDS: '0.2' } }, async (s, p) => {
    p.respond(P.serverError(503));
    await Promise.all(Array.from({ length: 10 }, () => chat(s, 'Hi')));
    assert.equal(p.chats.length, 50);
    const last = p.chats.at(-1).at - p.chats[0].at;
    assert.ok(last < 4 * 200 + 3000 * SCALE, `${last} ms`);
    const ends = p.chats.slice(-10).map((q) => q.at);
    assert.ok(Math.max(...ends) - Math.min(...ends) > 20, 'they do not come in step');
  }));
});

describe('bodies that are not what they should be', () => {
  const whole = JSON.stringify(completion('Grüße 😀'));
  for (const type of ['text/event-stream; charset=iso-8859-1', 'TEXT/EVENT-STREAM;Charset="UTF8"', 'application/json', 'text/plain', 'text/html; charset=utf-8', 'application/octet-stream', 'nonsense', undefined]) {
    test(`a stream that is called ${type} is read`, opts, async () => {
      at.p.respond(body200(type, streamOf('Grüße ', '😀')));
      await answers(at.s, 'Grüße 😀');
    });
    test(`a whole answer that is called ${type} is read`, opts, async () => {
      for (const text of [whole, `\ufeff${whole}`, `\r\n \t${whole}\n\n`]) {
        at.p.respond(body200(type, text));
        await answers(at.s, 'Grüße 😀');
      }
    });
  }
  test('a byte order mark before a stream is no part of it', opts, async () => {
    at.p.respond(body200('text/event-stream', `\ufeff${streamOf('a', 'b')}`));
    await answers(at.s, 'ab');
  });
  test('bytes of another charset become marks, and valid text', opts, async () => {
    at.p.respond(body200('text/event-stream; charset=iso-8859-1', Buffer.from(streamOf('Gr\xfc\xdfe, ', 'tsch\xfcss'), 'latin1')));
    await answers(at.s, 'Gr\ufffd\ufffde, tsch\ufffdss');
  });
  for (const [what, type, bytes] of [
    ['nothing', 'text/event-stream', ''], ['nothing, called JSON', 'application/json', ''], ['a byte order mark alone', 'text/event-stream', '\ufeff'], ['white space', 'text/event-stream', ' \n\n\r\n\t\n\n'],
    ['UTF-16', 'text/event-stream; charset=utf-16', Buffer.from(`\ufeff${streamOf('a')}`, 'utf16le')], ['UTF-16 JSON', 'application/json', Buffer.from(`\ufeff${whole}`, 'utf16le')],
    ['null', 'application/json', 'null'], ['[]', 'application/json', '[]'], ['{}', 'application/json', '{}'], ['a number', 'application/json', '42'], ['a string', 'application/json', '"Hello"'],
    ['{"choices":[]}', 'application/json', '{"choices":[]}'], ['JSON that is cut', 'application/json', whole.slice(0, -3)], ['two JSON texts', 'application/json', '{}{}'],
    ['HTML', 'text/html; charset=iso-8859-1', '<html><body>Welcome to hotel WiFi</body></html>'], ['HTML without a type', undefined, '<!DOCTYPE HTML PUBLIC>\n\n<p>data: no</p>\n\n'], ['HTML in a stream', 'text/event-stream', '<h1>Oops</h1>\n\ndata: x\n\n'],
    ['XML', 'application/xml', '<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>'], ['a sentence', 'text/plain', 'Internal Server Error'], ['a picture', 'image/png', Buffer.from('89504e470d0a1a0a0000000d49484452', 'hex')],
    ['[DONE] and nothing else', 'text/event-stream', DONE], ['events with nothing in them', 'text/event-stream', 'data:\n\ndata: {}\n\nevent: x\n\n'],
  ]) test(`${what} instead of an answer is 502 provider_error, and the next question is answered`, opts, async () => {
    at.p.respond(body200(type, bytes));
    const { message } = await failsFirst(at.s);
    assert.doesNotMatch(message, /hotel|Oops|AccessDenied/);
    assertError(await chatWhole(at.s, 'Hi'), 502, 'provider_error');
    at.p.respond(simple('fine'));
    await answers(at.s, 'fine');
  });

  test('the beginning of such a body is in the log for who asks for details, and for nobody else', opts, async () => {
    for (const [level, there] of [['debug', true], ['info', false]]) {
      const s = await startServer({ settings: { LLM_BASE_URL: at.p.url, LOG_LEVEL: level } });
      try {
        at.p.respond(body200('text/html', `<p>Welcome to hotel WiFi</p>${'x'.repeat(100_000)}`));
        await failsFirst(s);
        if (there) await s.logged(/hotel WiFi/);
        else assert.doesNotMatch(s.log(), /hotel WiFi/);
        for (const line of s.log().split('\n')) assert.ok(line.length < 1000, 'only the beginning');
      } finally { await s.stop(); }
    }
  });

  const good = Buffer.from(streamOf('NOT SHOWN ', 'AS GARBAGE'));
  for (const [coding, squeeze] of [['gzip', zlib.gzipSync], ['deflate', zlib.deflateSync], ['br', zlib.brotliCompressSync]]) {
    test(`a body in ${coding}, which nobody asked for, is refused and never shown as garbage`, opts, async () => {
      for (const [type, bytes] of [['text/event-stream', good], ['application/json', Buffer.from(whole)]]) {
        at.p.reset(body200(type, squeeze(bytes), { 'content-encoding': coding }));
        await failsFirst(at.s);
        assert.doesNotMatch(at.p.chats[0].headers['accept-encoding'] ?? '', /gzip|deflate|br|\*/, 'it was not asked for');
      }
      at.p.reset(async (req, io) => {
        io.status(429, { 'content-encoding': coding, 'content-type': 'application/json' });
        io.raw(squeeze(Buffer.from('{"error":{"message":"slow down"}}')));
        await io.end();
      });
      await failsFirst(at.s, 429, 'provider_busy');
    });
  }
});

describe('ways of HTTP', () => {
  const text = streamOf('Grüße ', '😀');
  const chunked = (...pieces) => pieces.map((p) => `${Buffer.byteLength(p).toString(16)}\r\n${p}\r\n`).join('');
  const HEAD = 'HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n';
  for (const [what, bytes] of [
    ['HTTP/1.0', `HTTP/1.0 200 OK\r\nContent-Type: text/event-stream\r\n\r\n${text}`],
    ['HTTP/1.0 without any header', `HTTP/1.0 200\r\n\r\n${text}`],
    ['HTTP/1.1 until the connection closes', `${HEAD}Connection: close\r\n\r\n${text}`],
    ['HTTP/1.1 with Content-Length', `${HEAD}Content-Length: ${Buffer.byteLength(text)}\r\n\r\n${text}`],
    ['HTTP/1.1 in one chunk', `${HEAD}Transfer-Encoding: chunked\r\n\r\n${chunked(text)}0\r\n\r\n`],
    ['HTTP/1.1 in a chunk for each character', `${HEAD}Transfer-Encoding: chunked\r\n\r\n${chunked(...text)}0\r\n\r\n`],
    ['chunks with extensions and a trailer', `${HEAD}Transfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n${Buffer.byteLength(text).toString(16).toUpperCase().padStart(8, '0')};name="v"\r\n${text}\r\n0\r\nX-Sum: 1\r\n\r\n`],
    ['an answer after 100 Continue and 103 Early Hints', `HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n${HEAD}Content-Length: ${Buffer.byteLength(text)}\r\n\r\n${text}`],
    ['headers ended by LF alone', `HTTP/1.1 200 OK\nContent-Type: text/event-stream\n\n${text}`],
  ]) test(`${what}: the answer is whole`, opts, async () => {
    const r = await startRaw(async (req, c) => { await c.write(bytes); c.fin(); });
    try {
      await withOwn({ LLM_BASE_URL: r.url }, async (s) => {
        await answers(s, 'Grüße 😀');
        await answers(s, 'Grüße 😀');
        assert.equal(r.requests.length, 2);
      });
    } finally { await r.stop(); }
  });
});

describe('TLS', () => {
  const ca = authority();
  const dir = mkdtempSync(path.join(tmpdir(), 'parley-tls-'));
  chmodSync(dir, 0o755);
  const CA = path.join(dir, 'ca.pem');
  writeFileSync(CA, ca.cert, { mode: 0o644 });
  after(() => rmSync(dir, { recursive: true, force: true }));
  const day = 86_400_000;
  const HEAD = 'HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n';
  const whole = streamOf('Grüße ', '😀');

  test('a provider with a certificate of LLM_CA_FILE is asked', opts, async () => {
    const r = await startRaw(async (req, c) => { await c.write(`${HEAD}Content-Length: ${Buffer.byteLength(whole)}\r\n\r\n${whole}`); }, { tls: ca.issue() });
    try {
      await withOwn({ LLM_BASE_URL: r.url, LLM_CA_FILE: CA }, async (s) => {
        await answers(s, 'Grüße 😀');
        await answers(s, 'Grüße 😀');
        if (!lacks('threadedWorker')) assert.ok(r.connections <= 2, 'a connection is used again');
      });
    } finally { await r.stop(); }
  });

  for (const [what, identity, says, logs] of [
    ['that has expired', () => ca.issue({ from: new Date(Date.now() - 9 * day), to: new Date(Date.now() - day) }), /certificate has expired.*clock/, /certificate has expired/],
    ['that is not valid yet', () => ca.issue({ from: new Date(Date.now() + day), to: new Date(Date.now() + 9 * day) }), /certificate is not valid yet.*clock/, /not yet valid/],
    ['for another name', () => ca.issue({ names: ['other.example', '127.0.0.2'] }), /certificate is for another name/, /127\.0\.0\.1/],
    ['that it has signed itself', () => selfSigned(), /authority that this server does not know/, /self[- ]signed/],
    ['of an unknown authority', () => authority().issue(), /authority that this server does not know/, /issuer/],
  ]) test(`a provider with a certificate ${what} is refused, and it is said why`, opts, async () => {
    const r = await startRaw(async (req, c) => { await c.write(`${HEAD}\r\n${whole}`); c.fin(); }, { tls: identity() });
    try {
      await withOwn({ LLM_BASE_URL: r.url, LLM_CA_FILE: CA }, async (s) => {
        const { message } = await failsFirst(s, 502, 'provider_unreachable');
        assert.match(message, says);
        assert.equal(r.connections, 1, 'trying again would not help');
        assert.equal(r.requests.length, 0, 'neither key nor question was sent');
        await s.logged(logs);
        await s.logged(says);
        const ready = await get(`${s.url}/ready`);
        assert.equal(ready.status, 503);
      });
    } finally { await r.stop(); }
  });

  test('without LLM_CA_FILE an authority of one\'s own is not believed, whatever the environment says', opts, async () => {
    const r = await startRaw(async (req, c) => { await c.write(`${HEAD}\r\n${whole}`); c.fin(); }, { tls: ca.issue() });
    const s = await startServer({ settings: { LLM_BASE_URL: r.url }, env: { CURL_CA_BUNDLE: CA, SSL_CERT_FILE: CA, SSL_CERT_DIR: dir, NODE_TLS_REJECT_UNAUTHORIZED: '0' } });
    try {
      await failsFirst(s, 502, 'provider_unreachable');
      assert.equal(r.requests.length, 0);
    } finally { await s.stop(); await r.stop(); }
  });

  test('a proxy of the environment is not used over TLS either', opts, async () => {
    const canary = await P.startCanary();
    const r = await startRaw(async (req, c) => { await c.write(`${HEAD}\r\n${whole}`); c.fin(); }, { tls: ca.issue() });
    const proxy = `http://127.0.0.1:${canary.port}`;
    const s = await startServer({ settings: { LLM_BASE_URL: r.url, LLM_CA_FILE: CA }, env: { https_proxy: proxy, HTTPS_PROXY: proxy, all_proxy: proxy, ALL_PROXY: proxy } });
    try {
      await answers(s, 'Grüße 😀');
      assert.deepEqual(canary.seen, []);
    } finally { await s.stop(); await r.stop(); await canary.stop(); }
  });

  test('a provider that speaks no TLS where TLS is expected, or falls silent in the handshake, cannot be reached', opts, async () => {
    const plain = await startRaw(async () => {});
    const mute = await P.startCanary();
    try {
      await withOwn({ LLM_BASE_URL: `https://127.0.0.1:${plain.port}/v1`, CONNECT_TIMEOUT_SECONDS: '1', RETRIES: '0' }, async (s) => { await failsFirst(s, 502, 'provider_unreachable'); });
      await withOwn({ LLM_BASE_URL: `https://127.0.0.1:${mute.port}/v1` }, async (s) => { await failsFirst(s, 502, 'provider_unreachable'); });
      assert.ok(mute.seen.length > 0);
      for (const { text } of mute.seen) assert.doesNotMatch(text, /Bearer|message/);
    } finally { await plain.stop(); await mute.stop(); }
  });

  test('a clock that differs from the provider\'s is named where it makes a signature worthless', opts, async () => {
    const u = await startUpstream();
    const file = path.join(dir, 'aws.json');
    writeFileSync(file, JSON.stringify({ providers: [{ id: 'bedrock', url: u.origin }] }));
    u.respond(async (req, io) => io.json({ message: 'Signature expired: 20200101T000000Z is now earlier than 20200101T010000Z (20200101T010500Z - 5 min.)' }, 403));
    try {
      await withOwn({ OPENAI_API_KEY: undefined, PARLEY_JSON: file, LLM_MODEL: 'bedrock/eu.amazon.nova-lite-v1:0', AWS_ACCESS_KEY_ID: 'AKIDPARLEYTESTS00001', AWS_SECRET_ACCESS_KEY: 'secret/of+the+tests/0123456789abcdefghij', AWS_REGION: 'eu-test-1' }, async (s) => {
        assert.match((await failsFirst(s, 502, 'provider_auth')).message, /clock/);
        u.respond(async (req, io) => io.json({ message: 'The security token included in the request is invalid.' }, 403));
        assert.doesNotMatch((await failsFirst(s, 502, 'provider_auth')).message, /clock/);
      });
    } finally { await u.stop(); }
  });

  describe('HTTP/2', () => {
    const RESPONSE = { ':status': 200, 'content-type': 'text/event-stream' };
    let h, s, behaviour;
    before(async () => {
      h = await startHttp2((req, stream) => behaviour(req, stream), ca.issue());
      s = await startServer({ settings: { LLM_BASE_URL: h.url, LLM_CA_FILE: CA, RETRY_BASE_SECONDS: '0.005' } });
    });
    after(async () => { try { await s?.stop(); } finally { await h?.stop(); } });
    beforeEach(() => { h.requests.length = 0; });

    test('an answer over HTTP/2 is whole, token by token', opts, async () => {
      const gates = [gate(), gate()];
      behaviour = async (req, stream) => {
        stream.respond(RESPONSE);
        stream.write(delta('Grüße '));
        await gates[0].wait();
        for (const b of Buffer.from(delta('😀'))) stream.write(Buffer.from([b]));
        await gates[1].wait();
        stream.end(FINISH + DONE);
      };
      const c = await stream(`${s.url}/chat/stream`, { message: 'Hi' });
      assert.equal((await c.until((e) => e.event === 'token')).data, 'Grüße ');
      gates[0].open();
      assert.equal((await c.until((e) => e.event === 'token')).data, '😀');
      gates[1].open();
      await c.all();
      assert.equal(readStream(c).terminal.status, 'done');
      assert.equal(h.requests[0].path, '/v1/chat/completions');
      assert.equal(h.requests[0].headers.authorization, `Bearer ${SECRET}`);
      assert.equal(h.requests[0].body.messages.at(-1).content, 'Hi');
    });

    test('fifty answers at once over HTTP/2 are not mixed up', opts, async () => {
      behaviour = async (req, stream) => {
        const n = /number (\d+)/.exec(req.body.messages.at(-1).content)[1];
        stream.respond(RESPONSE);
        for (let i = 0; i < 20; i++) { stream.write(delta(`${n}.${i} `)); await new Promise((r) => setImmediate(r)); }
        stream.end(FINISH + DONE);
      };
      const all = await Promise.all(Array.from({ length: 50 }, (_, n) => chatStream(s, `number ${n}`)));
      for (const [n, r] of all.entries()) {
        assert.equal(r.terminal.event, 'done', JSON.stringify(r.terminal));
        assert.equal(r.text, Array.from({ length: 20 }, (_, i) => `${n}.${i} `).join(''));
      }
    });

    for (const [what, end] of [
      ['reset in mid-answer', (stream) => stream.close(2)],
      ['ended without saying that it is complete', (stream) => stream.end()],
      ['lost with its connection', (stream) => stream.session.destroy()],
    ]) test(`an HTTP/2 stream that is ${what} is interrupted, and what came is kept`, opts, async () => {
      behaviour = async (req, stream) => {
        stream.respond(RESPONSE);
        stream.write(delta('shown '));
        await sleep(0.2);
        end(stream);
      };
      const r = await chatStream(s, 'Hi');
      assert.equal(r.text, 'shown ');
      assert.equal(r.terminal.event, 'error');
      const { answer: a } = await settled(s, r.conversation_id);
      assert.equal(a.content, 'shown ');
      assert.equal(a.status, 'interrupted');
      assert.equal(h.requests.length, 1, 'not asked again after a token');
      behaviour = async (req, stream) => { stream.respond(RESPONSE); stream.end(streamOf('fine')); };
      await answers(s, 'fine');
    });

    test('an HTTP/2 connection that the provider wants to end (GOAWAY) is replaced', opts, async () => {
      behaviour = async (req, stream) => { stream.respond(RESPONSE); stream.end(streamOf('good')); stream.session.goaway(0); };
      for (let i = 0; i < 5; i++) await answers(s, 'good');
    });

    test('an HTTP/2 stream that its provider leaves open after the last word is closed', opts, async () => {
      behaviour = async (req, stream) => { stream.respond(RESPONSE); stream.write(streamOf('all of it')); };
      await answers(s, 'all of it');
      await within(2, h.requests[0].closed, 'the end of the stream at the provider');
    });

    test('Stop ends one HTTP/2 stream and leaves the others alone', opts, async () => {
      const g = gate();
      behaviour = async (req, stream) => {
        stream.respond(RESPONSE);
        stream.write(delta('one '));
        await g.wait();
        if (!stream.destroyed) stream.end(streamOf('two'));
      };
      const [a, b] = await Promise.all([stream(`${s.url}/chat/stream`, { message: 'a' }), stream(`${s.url}/chat/stream`, { message: 'b' })]);
      for (const c of [a, b]) await c.until((e) => e.event === 'token');
      const { conversation_id: id } = JSON.parse(a.events.find((e) => e.event === 'start').data);
      await post(`${s.url}/conversations/${id}/stop`, {});
      await a.all();
      assert.equal(readStream(a).terminal.status, 'stopped');
      const mine = h.requests.find((q) => q.body.messages.at(-1).content === 'a');
      await within(2, mine.closed, 'the end of the stopped stream at the provider');
      g.open();
      await b.all();
      assert.equal(readStream(b).text, 'one two');
    });
  });
});

// ---------------------------------------------------------------- in mid-stream

describe('a stream that is cut at each of its bytes', () => {
  // the last event is a comment: nothing in it that could be missed
  const recorded = Buffer.from(`: hi\n\n${delta('Grüße ')}${delta('😀!')}${FINISH}${DONE}`);
  const HEAD = 'HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n';
  /** What was said in whole events within n bytes, and whether it said that it was complete. A last event needs no empty line when the body has ended well. */
  const heard = (n, clean) => {
    const said = recorded.subarray(0, n).toString('latin1');
    const events = said.split('\n\n');
    const rest = events.pop();
    let open = false;
    if (clean) { try { JSON.parse(rest.slice(5)); open = true; } catch { open = /^data: \[DONE\]/.test(rest); } }
    if (open) events.push(rest);
    const text = events.filter((e) => e.startsWith('data: {')).map((e) => JSON.parse(Buffer.from(e.slice(6), 'latin1')).choices[0].delta.content ?? '').join('');
    return { text, complete: events.some((e) => /"finish_reason":"stop"|\[DONE\]/.test(e)) };
  };
  const ca = authority();
  const dir = mkdtempSync(path.join(tmpdir(), 'parley-cut-'));
  chmodSync(dir, 0o755);
  writeFileSync(path.join(dir, 'ca.pem'), ca.cert, { mode: 0o644 });
  after(() => rmSync(dir, { recursive: true, force: true }));

  const ways = {
    'the connection closes, and that is the end of the body': { clean: true, cut: async (c, part) => { await c.write(`${HEAD}\r\n`); if (part.length) await c.write(part); c.fin(); } },
    'the connection closes before Content-Length': { short: true, cut: async (c, part) => { await c.write(`${HEAD}Content-Length: ${recorded.length}\r\n\r\n`); if (part.length) await c.write(part); c.fin(); } },
    'the connection closes in a chunk': { cut: async (c, part) => { await c.write(`${HEAD}Transfer-Encoding: chunked\r\n\r\n${(part.length + 1).toString(16)}\r\n`); if (part.length) await c.write(part); c.fin(); } },
    'the connection closes between chunks': { cut: async (c, part) => { await c.write(`${HEAD}Transfer-Encoding: chunked\r\n\r\n`); if (part.length) await c.write(`${part.length.toString(16)}\r\n`), await c.write(part), await c.write('\r\n'); c.fin(); } },
    'the chunks turn into nonsense': { cut: async (c, part) => { await c.write(`${HEAD}Transfer-Encoding: chunked\r\n\r\n`); if (part.length) await c.write(`${part.length.toString(16)}\r\n`), await c.write(part), await c.write('\r\n'); await c.write('zz\r\n'); c.fin(); } },
    'the connection is reset': { loses: true, cut: async (c, part) => { await c.write(`${HEAD}Transfer-Encoding: chunked\r\n\r\n`); if (part.length) await c.write(`${part.length.toString(16)}\r\n`), await c.write(part); c.rst(); } },
    'TLS ends without a word (no close_notify)': { clean: true, tls: ca.issue(), cut: async (c, part) => { await c.write(`${HEAD}\r\n`); if (part.length) await c.write(part); c.drop(); } },
  };
  for (const [what, way] of Object.entries(ways)) test(`${what}: what came is kept, and complete only where it said so`, { timeout: 120_000 * SCALE }, async () => {
    const r = await startRaw((req, c) => way.cut(c, recorded.subarray(0, Number(/byte (\d+)\./.exec(req.raw)[1]))), { tls: way.tls });
    try {
      await withOwn({ LLM_BASE_URL: r.url, RETRIES: '1', RETRY_BASE_SECONDS: '0.001', LOG_LEVEL: 'info', DB_SYNC: 'normal', ...(way.tls && { LLM_CA_FILE: path.join(dir, 'ca.pem') }) }, async (s) => {
        let complete = 0;
        const one = async (n) => {
          const where = `cut at byte ${n} of ${recorded.length}`;
          const r1 = await chatStream(s, `Please cut at byte ${n}.`);
          const want = heard(n, way.clean || (way.short && n === recorded.length));
          const id = r1.conversation_id ?? (await list(s, `?q=${encodeURIComponent(`"byte ${n}."`)}&limit=200`)).conversations.find((c) => c.title.endsWith(`byte ${n}.`)).conversation_id;
          const { answer: a } = await settled(s, id);
          const done = r1.status === 200 && r1.terminal.event === 'done' && r1.terminal.status === 'done';
          if (way.loses) {                                   // a reset throws away what was not read yet
            assert.ok(want.text.startsWith(r1.text), `${where}: ${r1.text}`);
            assert.ok(!done || want.complete, `${where}: a false success`);
          } else {
            assert.equal(r1.text, want.text, where);
            assert.equal(done, want.complete, `${where}: ${JSON.stringify(r1.terminal ?? r1.error)}`);
          }
          if (done) complete++;
          assert.equal(a.content, r1.text, where);
          assert.match(a.status, done ? /^done$/ : r1.text ? /^interrupted$/ : /^(interrupted|error)$/, where);
          if (!r1.text && !done) assertError(r1, 502, ['provider_error', 'provider_unreachable']);
          else assert.equal(r.requests.filter((q) => q.raw.includes(`byte ${n}.`)).length <= (way.loses ? 2 : 1), true, `${where}: not asked again after a token`);
        };
        const all = Array.from({ length: recorded.length + 1 }, (_, n) => n);
        await Promise.all(Array.from({ length: 8 }, async () => { while (all.length) await one(all.pop()); }));
        assert.ok(way.loses || complete > 10, 'some of them were complete');
      });
    } finally { await r.stop(); }
  });
});

describe('on every wire', () => {
  const dir = mkdtempSync(path.join(tmpdir(), 'parley-faults-'));
  chmodSync(dir, 0o755);
  let u, s;
  before(async () => {
    u = await startUpstream();
    const file = path.join(dir, 'parley.json');
    writeFileSync(file, JSON.stringify({ providers: [{ id: 'bedrock', url: u.origin }] }), { mode: 0o644 });
    s = await startServer({ settings: {
      OPENAI_API_KEY: SECRET, OPENAI_BASE_URL: `${u.origin}/v1`, LLM_MODEL: 'openai/gpt-4o-mini', ANTHROPIC_API_KEY: 'ant-key-0123456789', ANTHROPIC_BASE_URL: u.origin, GEMINI_API_KEY: 'gem-key-0123456789',
      GEMINI_API_BASE: u.origin, AWS_BEARER_TOKEN_BEDROCK: 'aws-key-0123456789', AWS_REGION: 'eu-test-1', OLLAMA_API_BASE: u.origin, COHERE_API_KEY: 'coh-key-0123456789', COHERE_API_BASE: u.origin,
      PARLEY_JSON: file, RETRIES: '0', DB_SYNC: 'normal',
    } });
  });
  after(async () => { try { await s?.stop(); } finally { await u?.stop(); rmSync(dir, { recursive: true, force: true }); } });
  beforeEach(() => u.reset());

  const MODELS = {
    openai: 'openai/gpt-4o-mini', responses: 'openai/gpt-5-pro', anthropic: 'anthropic/claude-haiku-4-5', gemini: 'gemini/gemini-2.5-flash', bedrock: 'bedrock/eu.amazon.nova-lite-v1:0',
    ollama: 'ollama/qwen3:8b', cohere: 'cohere/command-a-03-2025',
  };
  /** Says the pieces that `make(wire, a)` gives: texts, buffers, or null where it should rest for a moment. */
  const says = (make, more = {}) => async (req, io) => {
    const a = { text: [], reasoning: [], model: req.model, usage: USAGE, ...more };
    io.open();
    await io.send(make(io.wire, a).map((p) => Buffer.from(p)));
    await io.end();
  };
  const ask = (wire, message = 'Hi') => chatStream(s, { message, model: MODELS[wire] });
  const exception = (type) => frame({ ':message-type': 'exception', ':exception-type': type, ':content-type': 'application/json' }, '{"message":"engine died"}');
  const bare = 'data: {"error":{"message":"engine died","type":"server_error","code":500}}\n\n';
  const named = 'event: error\ndata: {"error":{"message":"engine died"}}\n\n';

  /** wire → name → the bytes of an error in a stream, besides the vendor's own example (io.wire.streamError). */
  const ERRORS = {
    openai: {
      bare, named, 'a flat object': 'data: {"object":"error","message":"engine died","code":500}\n\n', 'a string': 'data: {"error":"engine died"}\n\n',
      'no choices and an error': 'data: {"choices":[],"error":{"message":"engine died","code":502}}\n\n', 'an error in the choice': 'data: {"choices":[{"index":0,"delta":{},"finish_reason":null,"error":{"code":502,"message":"engine died"}}]}\n\n',
      'finish_reason error': 'data: {"choices":[{"index":0,"delta":{"content":""},"finish_reason":"error"}]}\n\n', 'detail': 'data: {"detail":"engine died"}\n\n',
    },
    responses: {
      bare, named, 'an error event': 'event: error\ndata: {"type":"error","code":"server_error","message":"engine died","param":null,"sequence_number":9}\n\n',
      'a failed response': 'event: response.failed\ndata: {"type":"response.failed","response":{"id":"r","status":"failed","error":{"code":"server_error","message":"engine died"}}}\n\n',
    },
    anthropic: { bare, named, 'an api_error': 'event: error\ndata: {"type":"error","error":{"type":"api_error","message":"engine died"}}\n\n', 'without a name': 'data: {"type":"error","error":{"type":"overloaded_error","message":"engine died"}}\n\n' },
    gemini: { bare, named, 'on one line': '{"error":{"code":500,"message":"engine died","status":"INTERNAL"}}\n' },
    bedrock: Object.fromEntries([...['internalServerException', 'modelStreamErrorException', 'validationException', 'serviceUnavailableException', 'somethingNewException'].map((t) => [t, exception(t)]),
      ['an error frame', frame({ ':message-type': 'error', ':error-code': 'InternalError', ':error-message': 'engine died' }, '')]]),
    ollama: { object: '{"error":{"message":"engine died"}}\n', 'with a status': '{"error":"engine died","status_code":500}\n' },
    cohere: { bare, named, 'a toxic end': 'data: {"type":"message-end","delta":{"finish_reason":"ERROR_TOXIC"}}\n\n', 'a time-out': 'data: {"type":"message-end","delta":{"finish_reason":"TIMEOUT"}}\n\n', 'a message': 'data: {"id":"x","message":"engine died"}\n\n' },
  };

  for (const wire of Object.keys(MODELS)) {
    for (const [form, bytes] of [['as its vendor says it', null], ...Object.entries(ERRORS[wire])]) {
      test(`${wire}: an error in a good stream (${form}) is one as the first, a middle and the last event`, opts, async () => {
        const error = (w, a) => (bytes === null ? w.streamError(a) : [bytes]);
        for (const begun of [true, false]) {
          u.respond(says((w, a) => [...(begun ? w.begin(a) : []), ...error(w, a)]));
          const r = await ask(wire);
          const e = assertError(r, [429, 502], ['provider_error', 'provider_busy']);
          assert.doesNotMatch(e.message, /[{}"]/);
          const c = await newest(s);
          assert.equal(c.messages[1].content, '');
          assert.match(c.messages[1].status, /^(error|interrupted)$/);
        }
        for (const goesOn of [true, false]) {
          u.respond(says((w, a) => [...w.begin(a), ...w.text(a, 'shown ', 0, ['']), ...error(w, a), ...(goesOn ? [...w.text(a, 'NOT SHOWN', 1, ['', '']), ...w.end(a)] : [])]));
          const r = await ask(wire);
          assert.equal(r.text, 'shown ', `${goesOn ? 'in the middle' : 'at the end'}`);
          assert.equal(r.terminal.event, 'error', JSON.stringify(r.terminal));
          assert.match(r.terminal.code, /^provider_(error|busy)$/);
          const { answer: a } = await settled(s, r.conversation_id);
          assert.equal(a.content, 'shown ');
          assert.match(a.status, /^(error|interrupted)$/);
        }
      });
    }

    // older models of Gemini say STOP with every event: there it is the end of the body that ends an answer
    test(`${wire}: ${wire === 'gemini' ? 'errors' : 'text, events and errors'} after the end are ignored`, opts, async () => {
      const more = (w, a) => (wire === 'gemini' ? [] : [...w.begin(a), ...w.text(a, 'NOT SHOWN', 1, ['', ''])]);
      u.respond(says((w, a) => [...w.begin(a), ...w.text(a, 'all of it', 0, ['']), ...w.end(a), ...more(w, a), ...w.streamError(a), ...more(w, a)]));
      const r = await ask(wire);
      assert.equal(r.text, 'all of it');
      assert.equal(r.terminal.event, 'done', JSON.stringify(r.terminal));
      const { answer: a } = await settled(s, r.conversation_id);
      assert.equal(a.content, 'all of it');
      assert.equal(a.status, 'done');
    });

    test(`${wire}: events and fields that nobody knows are ignored`, opts, async () => {
      const surprise = { type: 'surprise', x: { content: 'NO', text: 'NO', delta: 'NO' }, sequence_number: 3 };
      const odd = (w) => (w.name === 'bedrock' ? [awsEvent('surprise', surprise)] : w.name === 'ollama' ? [`${JSON.stringify(surprise)}\n`] : [`event: surprise\ndata: ${JSON.stringify(surprise)}\n\n`, ': a comment\n\n', 'id: 7\nretry: 1\n\n']);
      u.respond(says((w, a) => [...odd(w), ...w.begin(a), ...odd(w), ...w.text(a, 'plain ', 0, ['']), ...odd(w), ...w.text(a, 'text', 1, ['', '']), ...odd(w), ...w.end(a), ...odd(w)]));
      const r = await ask(wire);
      assert.equal(r.text, 'plain text', JSON.stringify(r.error ?? r.terminal));
      assert.equal(r.terminal.status, 'done');
      assert.deepEqual(r.typed.filter((e) => !['start', 'token', 'reasoning', 'ping', 'done'].includes(e.event)), []);
    });

    test(`${wire}: a conversation that is too long is called that, and not a failure of the server`, opts, async () => {
      u.respond(overflow());
      assert.match(assertError(await ask(wire), 502, 'provider_error').message, /conversation is too long/);
      assert.equal(u.chats.length, 1);
    });

    test(`${wire}: bytes and characters that make no text become marks; those that do stay`, opts, async () => {
      const MARK = 'QQmarkQQ';
      const event = (w, a, bytes) => {                     // the wire's own event with these bytes in its text
        const whole = Buffer.from(w.text(a, `<${MARK}>`, 0, [''])[w.text(a, '', 0, ['']).length - 1]);
        const put = (buf) => { const i = buf.indexOf(MARK); return Buffer.concat([buf.subarray(0, i), bytes, buf.subarray(i + MARK.length)]); };
        if (w.name !== 'bedrock') return [...w.text(a, '', 0, ['']).slice(0, -1), put(whole)];
        return [frame({ ':message-type': 'event', ':event-type': 'contentBlockDelta', ':content-type': 'application/json' }, put(Buffer.from(JSON.stringify({ contentBlockIndex: 0, delta: { text: `<${MARK}>` } }))))];
      };
      const hex = (h) => Buffer.from(h.replace(/ /g, ''), 'hex');
      for (const [bytes, want, mayFail] of [
        [hex('ff'), /^<\ufffd+>$/], [hex('c3 28'), /^<\ufffd\(>$/], [hex('e2 82'), /^<\ufffd+>$/], [hex('c0 af'), /^<\ufffd+>$/], [hex('ed a0 80'), /^<\ufffd+>$/], [hex('f4 90 80 80'), /^<\ufffd+>$/], [hex('80'), /^<\ufffd>$/],
        [hex('f0 9f 98'), /^<\ufffd+>$/], ['\\u0000', /^<\ufffd?>$/], ['\\ud83d', /^<\ufffd>$/], ['\\ude00', /^<\ufffd>$/], ['\\ud83d\\ud83d\\ude00', /^<\ufffd😀>$/], ['\\ude00\\ud83d', /^<\ufffd\ufffd>$/],
        ['\u2028\u2029', /^<\u2028\u2029>$/], ['\ufffe\uffff\ufdd0', /^<\ufffe\uffff\ufdd0>$/], ['\u{10ffff}', /^<\u{10ffff}>$/u], ['\u0085\u007f\u200b\u202e\ufeff', /^<\u0085\u007f\u200b\u202e\ufeff>$/], ['\\u0001\\u001f', /^<\u0001\u001f>$/],
        [Buffer.from([0]), /^<\ufffd?>$/, true], [Buffer.from([1]), /^<\u0001>$/, true],           // not JSON: read, or refused
      ]) {
        u.respond(says((w, a) => [...w.begin(a), ...event(w, a, Buffer.from(bytes)), ...w.end(a)]));
        const r = await ask(wire);                         // the reader refuses a stream that is not UTF-8
        if (!mayFail || (r.status === 200 && r.terminal.event === 'done')) assert.match(r.text, want, `${JSON.stringify(String(bytes))}: ${JSON.stringify(r.text)} ${JSON.stringify(r.error ?? r.terminal)}`);
        const c = await newest(s);
        assert.equal(c.messages[1].content, r.text ?? '');
      }
    });

    test(`${wire}: counts of tokens that cannot be are not believed`, opts, async () => {
      for (const [prompt, completion] of [[-5, -1], [1e30, 1e30], [9007199254740991, 9007199254740991], [5, 1e12], ['many', 'few'], [null, null], [1.5, 2.5], [true, false], [{}, []], [undefined, undefined]]) {
        u.respond(says((w, a) => [...w.begin(a), ...w.text(a, 'eight words or so are in this text', 0, ['']), ...w.end(a)], { usage: { prompt, completion } }));
        const r = await ask(wire);
        assert.equal(r.terminal.event, 'done', JSON.stringify(r.terminal));
        const { usage } = r.terminal;
        const where = `${JSON.stringify([prompt, completion])} became ${JSON.stringify(usage)}`;
        for (const n of [usage.prompt_tokens, usage.completion_tokens, usage.total_tokens]) assert.ok(Number.isInteger(n) && n >= 0 && n < 1e6, where);
        assert.equal(usage.total_tokens, usage.prompt_tokens + usage.completion_tokens, where);
        if (prompt !== 5) assert.ok(usage.estimated === true || usage.total_tokens <= 2, where);       // two: what the upstream says at a second place
        assert.ok(usage.cost === undefined || (usage.cost >= 0 && usage.cost < 1), where);
      }
      assert.ok(sql(s.db, 'SELECT max(prompt_tokens) AS n FROM usage_days')[0].n < 1e9, 'nor are they added up');
    });

    test(`${wire}: a call of a tool that nobody offered is no answer and no harm`, opts, async () => {
      const calls = {
        openai: ['data: {"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"c1","type":"function","function":{"name":"rm","arguments":"{}"}}]}}]}\n\n'],
        responses: ['data: {"type":"response.output_item.done","output_index":1,"item":{"type":"function_call","id":"f1","call_id":"c1","name":"rm","arguments":"{}"}}\n\n'],
        anthropic: ['data: {"type":"content_block_start","index":1,"content_block":{"type":"tool_use","id":"c1","name":"rm","input":{}}}\n\n', 'data: {"type":"content_block_stop","index":1}\n\n'],
        gemini: ['data: {"candidates":[{"content":{"parts":[{"functionCall":{"name":"rm","args":{}}}],"role":"model"},"index":0}]}\n\n'],
        bedrock: [awsEvent('contentBlockStart', { contentBlockIndex: 1, start: { toolUse: { toolUseId: 'c1', name: 'rm' } } }), awsEvent('contentBlockStop', { contentBlockIndex: 1 })],
        ollama: ['{"message":{"role":"assistant","content":"","tool_calls":[{"function":{"name":"rm","arguments":{}}}]},"done":false}\n'],
        cohere: ['data: {"type":"tool-call-start","index":0,"delta":{"message":{"tool_calls":{"id":"c1","type":"function","function":{"name":"rm","arguments":"{}"}}}}}\n\n', 'data: {"type":"tool-call-end","index":0}\n\n'],
      };
      for (const words of ['before ', '']) {
        u.reset(says((w, a) => [...w.begin(a), ...(words ? w.text(a, words, 0, ['']) : []), ...calls[wire], ...w.end(a)]));
        const r = await ask(wire);
        assert.equal(r.status, 200, r.raw);
        assert.equal(r.text, words);
        assert.equal(u.chats.length, 1, 'nothing was run, and nothing sent back');
        const { answer: a } = await settled(s, r.conversation_id);
        assert.equal(a.content, words);
        u.respond(answer({ text: ['fine'] }));
        const next = await chatStream(s, { message: 'And now?', conversation_id: r.conversation_id, model: MODELS[wire] });
        assert.equal(next.text, 'fine', 'the conversation goes on');
      }
    });
  }
});

describe('slow providers', { concurrency: 8 }, () => {
  /** Seconds of processor time that a worker has used. */
  const cpu = (pid) => { const f = readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ')[1].split(' '); return (Number(f[11]) + Number(f[12])) / 100; };

  test('a silence as long as thinking: heartbeats all the time, then the answer goes on', opts, () => withServer({ settings: { HEARTBEAT_SECONDS: '0.1', IDLE_TIMEOUT_SECONDS: String(3 * SCALE) } }, async (s, p) => {
    for (const ask of [chatStream, chat]) {
      p.respond(async (req, io) => { io.role(); io.token('before '); await sleep(2); io.token('after'); io.finish(); io.done(); await io.end(); });
      const r = await ask(s, 'Hi');
      assert.equal(r.text, 'before after');
      const beats = ask === chatStream ? r.pings : r.raw.split('\n').filter((l) => l.startsWith(':') || l.startsWith('event: ping')).length;
      assert.ok(beats >= 5, `${beats} heartbeats in two seconds`);
      assert.equal((await conversation(s, r.conversation_id)).messages[1].status, 'done');
    }
  }));

  test('Stop in such a silence ends it at once, at the provider too', opts, () => withServer({}, async (s, p) => {
    p.respond(P.stallAfter('before '));
    const c = await stream(`${s.url}/chat/stream`, { message: 'Hi' });
    await c.until((e) => e.event === 'token');
    const { conversation_id: id } = JSON.parse(c.events[0].data);
    const t0 = performance.now();
    await post(`${s.url}/conversations/${id}/stop`, {});
    await c.all();
    assert.equal(readStream(c).terminal.status, 'stopped');
    await p.waitForClosed(1);
    assert.ok(performance.now() - t0 < 5000 * SCALE);
  }));

  test('a byte at a time costs next to nothing, and the answer is whole', { ...opts, skip: lacks('threadedWorker') }, () => withServer({ workers: 1, settings: { LOG_LEVEL: 'info' } }, async (s, p) => {
    const bytes = Buffer.from(streamOf('Grüße'));
    p.respond(async (req, io) => { for (const b of bytes) { await io.raw(Buffer.from([b])); await sleep(0.015); } await io.end(); });
    const [pid] = s.workerPids();
    const before = cpu(pid);
    await answers(s, 'Grüße');
    const used = cpu(pid) - before;
    assert.ok(used < 0.25 * SCALE, `${used} s of processor time for ${bytes.length} bytes`);
  }));

  for (const [what, seconds, begin] of [['[DONE]', 5, streamOf('all of it')], ['finish_reason', 8, delta('all of it') + FINISH]]) {
    test(`a provider that goes on with comments after ${what} does not hold the answer up`, opts, () => withServer({}, async (s, p) => {
      p.respond(async (req, io) => { await io.raw(begin); while (!io.isClosed) { await io.raw(': keep-alive\n\n'); await sleep(0.05); } });
      const t0 = performance.now();
      await answers(s, 'all of it');
      assert.ok(performance.now() - t0 < seconds * 1000 * SCALE);
      await p.waitForClosed(1);
    }));
  }

  test('a token now and then, longer in all than any silence may be, is an answer', opts, () => withServer({ settings: { IDLE_TIMEOUT_SECONDS: String(1.5 * SCALE), FIRST_TOKEN_TIMEOUT_SECONDS: String(1.5 * SCALE), HEARTBEAT_SECONDS: '0.1' } }, async (s, p) => {
    const tokens = ['one ', 'two ', 'three ', 'four ', 'five ', 'six ', 'seven ', 'eight'];
    p.respond(async (req, io) => { for (const t of tokens) { await sleep(0.3 * SCALE); io.token(t); } io.finish(); io.done(); await io.end(); });
    await answers(s, tokens.join(''));
  }));
});

describe('much at once, and without an end', () => {
  const memory = (pid, name = 'VmHWM') => Number(new RegExp(`${name}:\\s+(\\d+)`).exec(readFileSync(`/proc/${pid}/status`, 'latin1'))[1]) / 1024;
  const cpu = (pid) => { const f = readFileSync(`/proc/${pid}/stat`, 'latin1').split(') ')[1].split(' '); return (Number(f[11]) + Number(f[12])) / 100; };
  /** One worker, warmed up; fn gets its pid. Megabytes that its memory grew at most while fn ran. */
  const grown = async (settings, fn) => {
    let most;
    await withServer({ workers: 1, settings: { LOG_LEVEL: 'info', ...settings } }, async (s, p) => {
      p.respond(simple('warm'));
      for (let i = 0; i < 20; i++) await chatStream(s, 'Hi');
      const [pid] = s.workerPids();
      const before = memory(pid);
      await fn(s, p, pid);
      most = memory(pid) - before;
      p.respond(simple('fine'));
      await answers(s, 'fine');
    });
    return most;
  };
  const only = { ...opts, skip: lacks('threadedWorker') };
  /** Bytes again and again, as fast as they are taken, `most` of them. */
  const flood = (begin, piece, most = Infinity) => async (req, io) => {
    await io.raw(begin);
    const block = Buffer.from(piece.repeat(Math.ceil(65536 / piece.length)));
    let sent = 0;
    while (!io.isClosed && !io.enough && sent < most) { if (!await io.raw(block)) return; sent += block.length; await new Promise((r) => setImmediate(r)); }
    io.flooded = sent;
    if (!io.isClosed) await io.end();
  };

  test('100,000 tokens at once: in order, in little memory, and in time that grows no faster than they do', only, async () => {
    const took = {};
    const most = await grown({}, async (s, p, pid) => {
      for (const n of [25_000, 100_000]) {
        const tokens = Array.from({ length: n }, (_, i) => `${i} `);
        const all = Buffer.from(tokens.map(delta).join('') + FINISH + DONE);
        p.respond(async (req, io) => { io.raw(all); await io.end(); });
        const before = cpu(pid);
        const r = await chatStream(s, 'Hi', { end: 60 });
        took[n] = cpu(pid) - before;
        assert.equal(r.text, tokens.join(''));
        assert.equal((await conversation(s, r.conversation_id)).messages[1].content, tokens.join(''));
      }
    });
    assert.ok(took[100_000] < 8 * Math.max(took[25_000], 0.1), JSON.stringify(took));
    assert.ok(SCALE > 1 || most < 32, `${most} MB`);
  });

  for (const [what, begin, text] of [['as the first event', '', ''], ['after text', delta('shown '), 'shown ']]) {
    test(`a line of 50 MB ${what} is an error, and costs no more memory than the longest event allowed`, only, async () => {
      const most = await grown({}, async (s, p) => {
        const io = new Promise((r) => p.respond(async (req, x) => { r(x); await flood(`${begin}data: {"choices":[{"index":0,"delta":{"content":"`, 'x', 50 * 1024 * 1024)(req, x); }));
        const r = await chatStream(s, 'Hi');
        if (text) assert.equal(r.terminal.code, 'provider_error');
        else assertError(r, 502, 'provider_error');
        assert.equal(r.text, text);
        await within(2, (await io).closed, 'the end of the connection to the provider');
        assert.equal((await newest(s)).messages[1].content, text);
      });
        assert.ok(SCALE > 1 || most < 40, `${most} MB`);
    });
  }

  for (const [what, begin, piece] of [
    ['text', '', delta('and so on, '.repeat(8))],
    ['thinking', '', event({ choices: [{ index: 0, delta: { reasoning_content: 'hm, '.repeat(20) } }] })],
    ['text without line ends, in a whole answer', '{"choices":[{"message":{"content":"', 'and so on, '],
    ['arguments of a call', '', event({ choices: [{ index: 0, delta: { tool_calls: [{ index: 0, id: 'c', function: { name: 'f', arguments: 'and so on, '.repeat(20) } }] } }] })],
  ]) test(`an answer without an end (${what}) is ended by its size, says so, and leaves the memory as it was`, only, async () => {
    let said = '';
    const most = await grown({}, async (s, p) => {
      let io;
      p.respond((req, x) => { io = x; return flood(begin, piece)(req, x); });
      const r = await chatStream(s, 'Hi', { end: 60 });
      said = r.terminal ?? r.error;
      assert.ok(r.status !== 200 || r.terminal.event === 'error', JSON.stringify(said));
      assert.equal(said.code, 'provider_error');
      assert.match(said.message, /longer than this server allows/);
      await within(2, io.closed, 'the end of the connection to the provider');
      const { answer: a } = await settled(s, (await newest(s)).conversation_id);
      assert.equal(a.content, r.text ?? '');
      assert.match(a.status, /^(error|interrupted)$/);
      assert.ok(Buffer.byteLength(r.text ?? '') + Buffer.byteLength(r.reasoning ?? '') <= 4 * 1024 * 1024 + 64);
    });
    assert.ok(SCALE > 1 || most < 48, `${most} MB`);
  });

  for (const [what, piece] of [['comments', ': keep-alive\n\n'], ['events with nothing in them', 'data: {}\n\n'], ['chunks with nothing in them', event({ id: 'x', choices: [{ index: 0, delta: {} }] })], ['events that nobody knows', 'event: surprise\ndata: {"type":"surprise"}\n\n'], ['line ends', '\n']]) {
    test(`nothing but ${what}, as fast as it is taken: memory stays, others are answered meanwhile, and it is an error in the end`, only, async () => {
      const most = await grown({ RETRIES: '0' }, async (s, p) => {
        let io, flooding;
        p.enqueue((req, x) => { io = x; flooding = flood('', piece)(req, x); return flooding; }).respond(simple('quick'));
        const slow = chatStream(s, 'Hi', { end: 60 });
        await p.until(() => p.chats.length === 21, 'the question that is flooded');           // twenty were asked to warm up
        for (let i = 0; i < 3; i++) {
          const r = await chat(s, 'quickly please');
          assert.equal(r.text, 'quick', `others are answered: ${r.status} ${r.raw} ${JSON.stringify(r.error)}`);
        }
        io.enough = true;
        const r = await slow;
        assert.equal((r.terminal ?? r.error).code, 'provider_error');
        await within(5, Promise.race([io.closed, flooding]), 'the end of the flood');
      });
      assert.ok(SCALE > 1 || most < 8, `${most} MB`);
    });
  }

  test('500 MB that say nothing are given up before they are read, and cost no memory', only, async () => {
    const most = await grown({ LOG_LEVEL: 'warning' }, async (s, p) => {
      let io;
      p.respond((req, x) => { io = x; return flood(delta('shown '), event({ id: 'x', object: 'chat.completion.chunk', choices: [], padding: 'x'.repeat(4000) }), 500 * 1024 * 1024)(req, x); });
      const r = await chatStream(s, 'Hi', { end: 60 });
      assert.equal(r.text, 'shown ');
      assert.equal(r.terminal.code, 'provider_error');
      await io.closed;
      assert.ok(io.isClosed && !(io.flooded >= 500 * 1024 * 1024), `${io.flooded} bytes were read`);
    });
    assert.ok(SCALE > 1 || most < 5, `${most} MB`);
  });

  test('as much that says nothing, with a word now and then, is an answer', only, async () => {
    const most = await grown({ LOG_LEVEL: 'warning' }, async (s, p) => {
      p.respond(async (req, io) => {
        for (let i = 0; i < 4; i++) { await io.token(`${i} `); for (let n = 0; n < 320 && !io.isClosed; n++) await io.raw(': keep-alive\n\n'.repeat(4000)); }
        io.finish(); io.done(); await io.end();
      });
      await answers(s, '0 1 2 3 ');
    });
    assert.ok(SCALE > 1 || most < 5, `${most} MB`);
  });
});

// ---------------------------------------------------------------- what is asked, of whom, with what

describe('where requests go', () => {
  test('nothing that a request says changes the address that is asked, or gives the key to anybody else', opts, async () => {
    const canary = await P.startCanary();
    try {
      const url = `${canary.url}/v1`;
      const fields = Object.fromEntries(['api_base', 'base_url', 'baseUrl', 'endpoint', 'url', 'provider', 'host', 'proxy', 'api_key', 'organization', 'azure_endpoint', 'custom_llm_provider'].map((k) => [k, url]));
      const headers = { 'x-api-base': url, 'openai-base-url': url, 'x-base-url': url, 'x-portkey-custom-host': url, 'api-base': url, 'x-forwarded-host': `localhost:${canary.port}`, authorization: 'Bearer mine' };
      const models = [`openai/test@localhost:${canary.port}`, `openai/x@${url}`, url, `${url}/chat/completions`, `test-model@localhost:${canary.port}`, `//localhost:${canary.port}/v1`, `../../../../@localhost:${canary.port}`, `test-model#@localhost:${canary.port}`, `test-model?api_base=${url}`];
      at.p.respond(simple('x'));
      const messages = [{ role: 'user', content: 'Hi' }];
      const asks = [
        ...['/chat', '/chat/stream'].flatMap((p) => [[p, { message: 'Hi', ...fields, headers, extra_body: fields, options: fields }], ...models.map((model) => [p, { message: 'Hi', model }])]),
        ['/v1/chat/completions', { messages, model: 'test-model', ...fields, extra_body: fields }], ...models.map((model) => ['/v1/chat/completions', { messages, model }]),
        ['/v1/embeddings', { input: 'Hi', model: `openai/x@${url}`, ...fields }],
        ['/api/chat', { message: 'Hi', history: [], context: fields, ...fields }], ['/api/v1/chat', { messages, stream: false, ...fields }],
      ];
      for (const [p, body] of asks) {
        const r = await post(`${at.s.url}${p}?api_base=${encodeURIComponent(url)}&base_url=${encodeURIComponent(url)}&model=${encodeURIComponent(url)}`, body, { headers });
        assert.ok(r.status < 600);
        assert.equal(r.text.includes(SECRET), false);
      }
      assert.ok(at.p.chats.length >= 20, 'the configured provider was asked');
      for (const q of at.p.chats) {
        assert.equal(q.headers.host, `127.0.0.1:${at.p.port}`);
        assert.equal(q.headers.authorization, `Bearer ${SECRET}`);
        assert.equal(q.path, '/v1/chat/completions');
      }
      assert.deepEqual(canary.seen, []);
    } finally { await canary.stop(); }
  });

  for (const code of [300, 301, 302, 303, 304, 305, 307, 308]) test(`a ${code} is not followed: 502 provider_error, and no key for whoever it names`, opts, async () => {
    const canary = await P.startCanary();
    try {
      for (const location of [`${canary.url}/v1/chat/completions`, `//localhost:${canary.port}/v1`, `file:///etc/passwd`, '/v1/elsewhere']) {
        at.p.reset(async (req, io) => { io.status(code, { location, 'content-length': 0 }); await io.end(); });
        const r = await failsFirst(at.s);
        assert.equal(at.p.requests.filter((q) => q.method === 'POST').length, 1);
        assert.doesNotMatch(r.message, /localhost|passwd|elsewhere/);
      }
      assert.deepEqual(canary.seen, []);
    } finally { await canary.stop(); }
  });

  test('addresses of other schemes are refused before anything is opened', opts, async () => {
    const canary = await P.startCanary();
    const dir = mkdtempSync(path.join(tmpdir(), 'parley-scheme-'));
    chmodSync(dir, 0o755);
    writeFileSync(path.join(dir, 'completions'), streamOf('FROM A FILE'), { mode: 0o644 });
    try {
      const at2 = `127.0.0.1:${canary.port}`;
      for (const url of [`file://${dir}/completions#`, `file://${dir}/completions?`, `gopher://${at2}/_x`, `dict://${at2}/x`, `ftp://${at2}/x`, `ldap://${at2}/x`, `ws://${at2}/x`, `htp://${at2}`]) {
        const s = await startServer({ settings: { LLM_BASE_URL: url, RETRIES: '0' } }).catch((e) => e);
        if (s instanceof Error) { assert.match(s.message, /LLM_BASE_URL/, 'refused at the start, by its name'); continue; }
        try {
          const r = await chatWhole(s, 'Hi');
          assertError(r, [502, 504]);
          assert.doesNotMatch(r.text, /FROM A FILE/);
        } finally { await s.stop(); }
      }
      assert.deepEqual(canary.seen, []);
    } finally { await canary.stop(); rmSync(dir, { recursive: true, force: true }); }
  });

  test('an address that two readers could understand in two ways leads to the host that is named in the request, or nowhere', opts, async () => {
    const canary = await P.startCanary();
    try {
      at.p.respond(simple('x'));
      for (const url of [`http://127.0.0.1:${at.p.port}\\@localhost:${canary.port}/v1`, `http://localhost:${canary.port}\\@127.0.0.1:${at.p.port}/v1`, `http://127.0.0.1:${at.p.port}#@localhost:${canary.port}/v1`, `http://[::1]@127.0.0.1:${at.p.port}/v1`]) {
        at.p.requests.length = 0;
        canary.seen.length = 0;
        const s = await startServer({ settings: { LLM_BASE_URL: url, RETRIES: '0' } }).catch((e) => e);
        if (s instanceof Error) { assert.match(s.message, /LLM_BASE_URL/); continue; }
        try { await chatWhole(s, 'Hi'); } finally { await s.stop({ check: false }); }
        for (const { text } of canary.seen) assert.match(text, new RegExp(`^host: localhost:${canary.port}\r$`, 'mi'), 'who is asked is who is named');
        for (const q of at.p.requests) assert.equal(q.headers.host, `127.0.0.1:${at.p.port}`);
      }
    } finally { await canary.stop(); }
  });
});

describe('nobody gets another\'s text', () => {
  test('answers in two alphabets at the same time, again and again: never a letter of the other', opts, () => withServer({ settings: { DB_SYNC: 'normal', LOG_LEVEL: 'info' } }, async (s, p) => {
    const alphabets = ['abcdefghij', 'αβγδεζηθικ', 'абвгдежзик', '0123456789'];
    p.respond(async (req, io) => {
      const letters = [...alphabets[Number(/alphabet (\d)/.exec(req.body.messages.at(-1).content)[1])]];
      io.role();
      for (let i = 0; i < 12; i++) { io.token(letters.map((_, k) => letters[(k * 7 + i) % 10]).join('')); if (i % 4 === 0) await new Promise((r) => setImmediate(r)); }
      io.finish(); io.done(); await io.end();
    });
    const client = async (n) => {
      for (let round = 0; round < 60; round++) {
        const [ask, only] = [[chat, chatStream, chatWhole][round % 3], new RegExp(`^[${alphabets[n]}]{120}$`, 'u')];
        const r = await ask(s, `In alphabet ${n}`);
        assert.match(r.text && ask !== chatWhole ? r.text : r.json.response, only);
      }
    };
    await Promise.all([0, 1, 2, 3, 0, 1, 2, 3].map(client));
    const mixed = sql(s.db, "SELECT content FROM messages WHERE role = 'assistant'").filter((m) => !alphabets.some((a) => new RegExp(`^[${a}]{120}$`, 'u').test(m.content)));
    assert.deepEqual(mixed, [], 'nor as stored');
  }));
});

test('every address that takes JSON: no body, whole or in part, of a wrong type or missing, ends a worker or is a failure of the server', opts, () => withServer({ settings: { DB_SYNC: 'normal' } }, async (s, p) => {
  const doc = JSON.parse(readFileSync(path.join(REPO, 'www/openapi.json'), 'utf8'));
  const follow = (x) => (x?.$ref ? x.$ref.split('/').slice(1).reduce((o, k) => o[k], doc) : x);
  /** Members of a schema, also of those that it is put together from. */
  const members = (schema, depth = 0) => {
    const x = follow(schema) ?? {};
    return depth > 4 ? [] : [...Object.entries(x.properties ?? {}), ...[...(x.allOf ?? []), ...(x.anyOf ?? []), ...(x.oneOf ?? [])].flatMap((y) => members(y, depth + 1))];
  };
  const messages = [{ role: 'user', content: 'Hi' }];
  const good = { message: 'Hi', messages, model: 'test-model', history: [], context: {}, input: 'Hi', title: 't', message_id: 'x', feedback: 'like', payload: {}, stream: false };
  const wrong = [null, true, 0, -1, 1e308, '', 'x', [], [[]], [null], {}, { a: { b: [] } }, 'x'.repeat(70_000)];
  const routes = Object.entries(doc.paths).flatMap(([pattern, item]) => ['post', 'patch', 'put'].filter((m) => item[m]).map((m) => [m.toUpperCase(), pattern, follow(item[m].requestBody)?.content?.['application/json']?.schema]));
  assert.ok(routes.filter(([, , schema]) => schema).length >= 9, 'the routes were found');
  p.respond(simple('x'));
  const { conversation_id: id } = await chat(s, 'Hi');
  const pids = s.workerPids();
  let sent = 0;
  for (const [method, pattern, schema] of routes) {
    const url = s.url + pattern.replace(/\{\w+\}/g, id);
    const names = [...new Set([...members(schema).map(([k]) => k), ...(schema ? ['message', 'messages'] : [])])];
    const start = Object.fromEntries(names.filter((k) => k in good).map((k) => [k, good[k]]));
    const bodies = ['', '{', '{}', 'null', '[]', '0', '"x"', 'true', '[{}]', '[1', '{"a":', '\ufeff{}', '{"":0}', '{"__proto__":{"message":1}}', `${'['.repeat(5000)}`, `${'{"a":'.repeat(100)}1${'}'.repeat(100)}`,
      ...names.flatMap((k) => [JSON.stringify({ ...start, [k]: undefined }), ...wrong.map((v) => JSON.stringify({ ...start, [k]: v }))]),
      ...['messages', 'history', 'attachments', 'tools', 'stop'].filter((k) => names.includes(k)).flatMap((k) => wrong.map((v) => JSON.stringify({ ...start, [k]: [v] })))];
    for (let i = 0; i < bodies.length; i += 16) {
      await Promise.all(bodies.slice(i, i + 16).map(async (body) => {
        const r = await request(url, { method, body, headers: { 'content-type': 'application/json' } });
        assert.ok(r.status < 500 || (r.status === 502 && pattern === '/v1/embeddings'), `${method} ${pattern} ${body.slice(0, 200)}: ${r.status} ${r.text.slice(0, 200)}`);
        if (r.status >= 400) assert.ok(r.json && !/[<>]/.test(JSON.stringify(r.json).slice(0, 20)), r.text.slice(0, 200));
        sent++;
      }));
    }
  }
  assert.ok(sent > 800, `${sent} bodies`);
  s.noneEnded(pids);
  await answers(s, 'x');
}));
