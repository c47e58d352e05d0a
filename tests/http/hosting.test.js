// What stands between the program and its clients, on every hosting (hosting.js): nothing is held back, no body is too much, no request is read another way, and
// a server that is reloaded or stopped in mid-answer leaves it finished or stored as what it is.
import test, { before, after, beforeEach, describe } from 'node:test';
import assert from 'node:assert/strict';
import net from 'node:net';
import { mkdtempSync, rmSync } from 'node:fs';
import http from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import zlib from 'node:zlib';
import { shared, withServer, sql } from './server.js';
import { attach } from './survive.js';
import { HOSTING, lacks } from './hosting.js';
import { simple, held, gate, SCALE, sleep, within } from '../provider/provider.js';
import { request, get, post, stream, chat, chatStream, conversation, settled, rawRequest, readStream, readChat, assertError } from './client.js';

const opts = { timeout: 90_000 * SCALE };
const at = shared({ before, after, beforeEach });
const N = 50;
const TOKENS = Array.from({ length: N }, (_, k) => `token-${k} `);
const WHOLE = TOKENS.join('');

/** A provider that says token k when gate k is open. */
function gated(gates) {
  return async (req, io) => {
    io.role();
    for (let k = 0; k < N; k++) {
      await Promise.race([gates[k].wait(), io.closed]);
      if (io.isClosed) return;
      await io.token(TOKENS[k]);
    }
    io.finish(); io.done(); await io.end();
  };
}
const newGates = () => Array.from({ length: N }, gate);

describe('nothing is held back', () => {
  for (const [encoding, says] of [[undefined, 'takes no compression'], ['gzip, deflate, br', 'would take compression']]) {
    test(`a client that ${says} sees each of ${N} tokens before the provider is let go on`, opts, async () => {
      const gates = newGates();
      at.p.respond(gated(gates));
      gates[0].open();
      const c = await stream(`${at.s.url}/chat/stream`, { message: 'Hi' }, { headers: { 'accept-encoding': encoding } });
      assert.equal(c.headers['content-encoding'], undefined);
      for (let k = 0; k < N; k++) {
        assert.equal((await c.until((e) => e.event === 'token')).data, TOKENS[k]);
        gates[k + 1]?.open();
      }
      await c.all();
      assert.equal(readStream(c).text, WHOLE);
    });
  }

  /** The events of a compressed stream, one at a time. */
  function compressedStream(url, body) {
    const m = /^http:\/\/([^:/]+):(\d+)(\/.*)$/.exec(url);
    const payload = JSON.stringify(body);
    return within(20, new Promise((resolve, reject) => {
      const req = http.request({ host: m[1], port: m[2], path: m[3], method: 'POST', agent: false, headers: { 'content-type': 'application/json', 'content-length': Buffer.byteLength(payload), 'accept-encoding': 'gzip' } }, (res) => {
        const c = { headers: res.headers, text: '' };
        let wake = () => {};
        const plain = res.headers['content-encoding'] === 'gzip' ? res.pipe(zlib.createGunzip({ flush: zlib.constants.Z_SYNC_FLUSH })) : res;
        plain.on('data', (d) => { c.text += d; wake(); });
        c.ended = new Promise((r) => { plain.once('end', r); plain.once('error', r); });
        c.has = (what) => within(10, (async () => { while (!c.text.includes(what)) await new Promise((r) => { wake = r; }); })(), `${what} in the stream`);
        resolve(c);
      });
      req.on('error', reject);
      req.end(payload);
    }), 'a compressed stream');
  }
  test('with mod_deflate on event streams and JSON the stream still flows', { ...opts, skip: !HOSTING.startsWith('apache') && 'lighttpd leaves a streamed answer uncompressed' }, () => withServer({
    edit: (text) => `${text}
LoadModule filter_module "\${PARLEY_MODULES}/mod_filter.so"
LoadModule deflate_module "\${PARLEY_MODULES}/mod_deflate.so"
AddOutputFilterByType DEFLATE text/event-stream application/json text/html
`,
  }, async (s, p) => {
    assert.equal((await get(`${s.url}/`, { headers: { 'accept-encoding': 'gzip' } })).headers['content-encoding'], 'gzip', 'the compressor is at work');
    const gates = newGates();
    p.respond(gated(gates));
    gates[0].open();
    const c = await compressedStream(`${s.url}/chat/stream`, { message: 'Hi' });
    assert.equal(c.headers['content-encoding'], HOSTING.startsWith('apache-cgi') ? undefined : 'gzip');
    for (let k = 0; k < N; k++) {
      await c.has(`data: ${TOKENS[k]}\n\n`);
      gates[k + 1]?.open();
    }
    await within(10, c.ended, 'the end of the stream');
    assert.match(c.text, /event: done/);
  }));
});

describe('a client that is killed at token 5 of 50', () => {
  for (const address of ['/chat', '/chat/stream']) for (const how of ['fin', 'rst']) test(`${how} on ${address}: the stored answer is whole`, opts, async () => {
    const gates = newGates();
    at.p.respond(gated(gates));
    for (let k = 0; k < 5; k++) gates[k].open();
    const c = await stream(`${at.s.url}${address}`, { message: 'Hi' });
    const id = JSON.parse((await c.next()).data).conversation_id;
    await c.until((e) => /token-4 /.test(e.data));
    c.close(how);
    for (let k = 5; k < N; k++) { gates[k].open(); if (k < 15) await sleep(0.05); }
    const { answer } = await settled(at.s, id);
    assert.equal(answer.content, WHOLE);
    assert.equal(answer.status, 'done');
  });
});

describe('the host server in mid-answer', () => {
  /** A server with its database elsewhere, so that it can be looked at when all has ended. */
  async function inDir(fn) {
    const dir = mkdtempSync(path.join(tmpdir(), 'parley-hosting-'));
    const db = path.join(dir, 'parley.db');
    try {
      await withServer({ settings: { PARLEY_DB: db, SHUTDOWN_SECONDS: '10' } }, (s, p) => fn(s, p, db));
    } finally { rmSync(dir, { recursive: true, force: true }); }
  }
  const begin = async (s, address = '/chat/stream') => {
    const c = await stream(`${s.url}${address}`, { message: 'Hi' });
    const id = JSON.parse((await c.next()).data).conversation_id;
    await c.until((e) => /first /.test(e.data));
    return [c, id];
  };

  test('is reloaded gracefully: the answer is finished, stored and seen to its end, and the next request works', opts, () => inDir(async (s, p) => {
    const g = gate();
    p.respond(held('first ', g, 'last'));
    const [c, id] = await begin(s);
    s.reload();
    await sleep(1.5);
    g.open();
    await c.all(20);
    assert.equal(c.complete, true);
    assert.equal(readStream(c).text, 'first last');
    const { answer } = await settled(s, id, { seconds: 20 });
    assert.equal(answer.content, 'first last');
    assert.equal(answer.status, 'done');
    p.reset(simple('afterwards'));
    assert.equal((await chat(s, 'Hi')).text, 'afterwards');
  }));

  // lighttpd with a worker of its own takes no new connections until the running ones are over, and ends those after eight seconds (server.graceful-shutdown-timeout).
  test('is reloaded gracefully: the next request does not wait for a long answer to end, and its reader sees all of it', opts, () => inDir(async (s, p) => {
    const g = gate();
    p.enqueue(held('first ', g, 'last'), simple('meanwhile'));
    const [c, id] = await begin(s);
    s.reload();
    await s.logged(/graceful/i);
    assert.equal((await chat(s, 'Hi')).text, 'meanwhile');
    g.open();
    await c.all(20);
    const rest = c.complete && c.events.at(-1).event === 'done' ? [] : await attach(s, id, { last: c.events.at(-1).id }).then(async (again) => { await again.all(20); return again.events; });
    const seen = [...c.events, ...rest];
    assert.equal(seen.filter((e) => e.event === 'token').map((e) => e.data).join(''), 'first last');
    assert.equal(seen.at(-1).event, 'done');
  }));

  test('is stopped gracefully: the answer is finished, stored and seen to its end', opts, () => inDir(async (s, p, db) => {
    const g = gate();
    p.respond(held('first ', g, 'last'));
    const [c] = await begin(s);
    s.endGracefully();
    await sleep(1);
    g.open();
    await c.all(20);
    assert.equal(c.complete, true);
    assert.equal(readStream(c).text, 'first last');
    await within(20, s.exited, 'the end of the server');
    await s.stop();
    const [row] = sql(db, "SELECT status, content FROM messages WHERE role='assistant'");
    assert.deepEqual(row, { status: 'done', content: 'first last' });
  }));

  for (const ends of [true, false]) test(`is stopped at once: an answer that ${ends ? 'ends within SHUTDOWN_SECONDS is stored whole' : 'does not end in time is stored with its status'}`, opts, () => inDir(async (s, p, db) => {
    const g = gate();
    p.respond(held('first ', g, 'last'));
    const [c] = await begin(s);
    const stopped = s.stop();                               // waits for all processes, and looks at log and database
    await sleep(0.7);
    if (ends) g.open();
    await stopped;
    await c.all(20);
    assert.ok(!c.events.some((e) => e.event === 'done' && JSON.parse(e.data).status === 'done') || readStream(c).text === 'first last', 'no false success');
    const [row] = sql(db, "SELECT status, content FROM messages WHERE role='assistant'");
    if (ends) assert.deepEqual(row, { status: 'done', content: 'first last' });
    else {
      assert.match(row.status, /^(interrupted|stopped|error)$/);
      assert.equal(row.content, 'first ');
    }
    g.open();
  }));
});

describe('a query string is never arguments', () => {
  for (const query of ['?-h', '?--help', '?--version', '?--check', '?--export', '?--config=/etc/passwd', '?--config+/etc/passwd', '?--listen+unix:/tmp/parley-visitor.sock', '?foo+bar', '?--settings']) test(`${query} changes nothing`, opts, async () => {
    at.p.respond(simple('ok'));
    const r = await get(`${at.s.url}/health${query}`);
    assert.deepEqual(r.json, { status: 'healthy' }, r.text);
    assert.equal((await post(`${at.s.url}/chat${query}`, { message: 'Hi', stream: false })).json?.response, 'ok');
  });
});

describe('a large body that is not wanted', () => {
  const CASES = {
    'an unknown address': ['POST', '/nothing', 'application/json', 404, 'not_found'],
    'a method that the address does not take': ['PUT', '/chat', 'application/json', 405, 'method_not_allowed'],
    'a wrong content type': ['POST', '/chat', 'text/plain', 415, 'unsupported_type'],
    'a conversation that is not there': ['POST', '/conversations/nope/stop', 'application/json', 404, 'not_found'],
    'a file': ['POST', '/index.html', 'application/json', 404, 'not_found'],
  };
  for (const size of [200_000, 10_000_000]) {
    const body = Buffer.from(JSON.stringify({ message: 'Hi', pad: 'x'.repeat(size) }));
    for (const [name, [method, address, type, status, code]] of Object.entries(CASES)) test(`${size} bytes to ${name}: ${status} in JSON`, opts, async () => {
      assertError(await request(`${at.s.url}${address}`, { method, body, headers: { 'content-type': type } }), status, code);
    });
  }
  test('10 MB to /chat: 413 in JSON, ten times in a row', opts, async () => {
    const body = Buffer.from(JSON.stringify({ message: 'Hi', pad: 'x'.repeat(10_000_000) }));
    for (let i = 0; i < 10; i++) assertError(await request(`${at.s.url}/chat`, { method: 'POST', body }), 413, 'too_large');
    assert.equal(at.p.chats.length, 0);
  });
  test('10 MB in chunks, without Content-Length: 413 in JSON', opts, async () => {
    const body = Buffer.from(JSON.stringify({ message: 'Hi', pad: 'x'.repeat(10_000_000) }));
    assertError(await request(`${at.s.url}/chat`, { method: 'POST', body, headers: { 'transfer-encoding': 'chunked' } }), 413, 'too_large');
  });
  test('more than the server itself takes: 413 (mod_fcgid makes a 400 of it)', opts, async () => {
    const status = HOSTING === 'apache-fcgid' ? 400 : 413;
    const r = await request(`${at.s.url}/chat`, { method: 'POST', body: Buffer.alloc(70 << 20, 32), seconds: 60 }).catch((e) => {
      assert.match(`${e.code}`, /EPIPE|ECONNRESET/);        // refused by its Content-Length, while we were still sending
      return { status };
    });
    assert.equal(r.status, status);
  });
});

describe('a body in chunks', () => {
  test('in small pieces and without Content-Length is read whole', opts, async () => {
    at.p.respond(simple('ok'));
    const text = 'x'.repeat(50_000);
    const body = JSON.stringify({ message: text, stream: false });
    const pieces = [];
    for (let i = 0; i < body.length; i += 777) { const piece = body.slice(i, i + 777); pieces.push(`${piece.length.toString(16)}\r\n${piece}\r\n`); }
    const t = await rawRequest(at.s, `POST /chat HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n${pieces.join('')}0\r\n\r\n`);
    assert.match(t, /^HTTP\/1\.1 200/);
    assert.equal(at.p.chats[0].body.messages.at(-1).content, text);
  });
  test('that never ends counts for nothing, and the next request works', opts, async () => {
    await rawRequest(at.s, 'POST /chat HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n10\r\n{"message":"Hi",', { half: true, seconds: 3 }).catch(() => '');
    assert.equal(at.p.chats.length, 0);
    at.p.respond(simple('ok'));
    assert.equal((await chat(at.s, 'Hi')).text, 'ok');
  });
});

describe('a header under two spellings', () => {
  const body = '{"title":"planted"}';
  const ask = (...headers) => rawRequest(at.s, `POST /conversations HTTP/1.1\r\nHost: 127.0.0.1:${at.s.port}\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n${headers.map((h) => `${h}\r\n`).join('')}\r\n${body}`);
  test('the check of Sec-Fetch-Site works', opts, async () => {
    assert.match(await ask('Sec-Fetch-Site: same-origin'), /^HTTP\/1\.1 201/);
    assert.match(await ask('Sec-Fetch-Site: cross-site'), /^HTTP\/1\.1 403/);
  });
  for (const [name, headers] of Object.entries({
    'an underscore before': ['Sec_Fetch_Site: same-origin', 'Sec-Fetch-Site: cross-site'],
    'an underscore after': ['Sec-Fetch-Site: cross-site', 'Sec_Fetch_Site: same-origin'],
    'mixed': ['Sec-Fetch_Site: none', 'Sec-Fetch-Site: cross-site'],
    'twice the same name': ['Sec-Fetch-Site: same-origin', 'Sec-Fetch-Site: cross-site'],
  })) test(`${name} does not switch it off`, opts, async () => {
    assert.match(await ask(...headers), /^HTTP\/1\.1 40[03]/);
  });
});

describe('below a prefix', () => {
  const under = shared({ before, after, beforeEach }, { mount: '/parley' });
  test('an address that is not UTF-8 is nothing, below and outside, and no file', opts, async () => {
    // expressions of the host server may fail on such addresses, and must then fall to the safe side
    for (const base of ['', '/parley']) for (const name of ['/%ff', '/conversations/%ff', '/%ff.html', '/css/%ff.css', '/%ff/chat.cgi', '/chat.cgi/%ff', '/%ff/../index.html%ff']) {
      for (const s of [at.s, under.s]) {
        const r = await get(s.origin + base + name);
        assert.ok(r.status >= 400 && r.status < 500, `${base}${name}: ${r.status}`);
        assert.doesNotMatch(r.text, /ELF|doctype html>/, `${base}${name}`);
      }
    }
  });
  test('the page and all it names are there', opts, async () => {
    const r = await get(`${under.s.url}/`);
    assert.equal(r.status, 200);
    assert.match(r.text, /<!doctype html>/i);
    const names = [...r.text.matchAll(/<(?:script|link|img)[^>]*?(?:src|href)="([^"]+)"/g)].map((m) => m[1]).filter((n) => !/^data:/.test(n));
    assert.ok(names.length >= 2);
    for (const n of names) {
      const { pathname } = new URL(n, `${under.s.url}/`);
      assert.match(pathname, /^\/parley\//, `${n} stays below the prefix`);
      assert.equal((await get(under.s.origin + pathname)).status, 200, n);
    }
  });
  test('without its last slash it leads there', opts, async () => {
    const r = await get(under.s.url);
    assert.equal(r.status, 308);
    assert.match(r.headers.location, /^(http:\/\/127\.0\.0\.1:\d+)?\/parley\/$/);
  });
  test('chat, stream, list and conversation work', opts, async () => {
    under.p.respond(simple('below'));
    const a = await chat(under.s, 'Hi');
    assert.equal(a.text, 'below');
    const b = await chatStream(under.s, { message: 'on', conversation_id: a.conversation_id });
    assert.equal(b.text, 'below');
    assert.equal((await conversation(under.s, a.conversation_id)).messages.length, 4);
    assert.equal((await get(`${under.s.url}/conversations?q=below`)).json.conversations.length, 1);
    assert.equal((await request(`${under.s.url}/conversations/${a.conversation_id}`, { method: 'DELETE' })).status, 200);
  });
  test('each token comes at once there too', opts, async () => {
    const gates = newGates();
    under.p.respond(gated(gates));
    gates[0].open();
    const c = await stream(`${under.s.url}/chat`, { message: 'Hi' });
    for (let k = 0; k < N; k++) {
      await c.until((e) => e.data.includes(TOKENS[k]));
      gates[k + 1]?.open();
    }
    await c.all();
    assert.equal(readChat(c).text, WHOLE);
  });
  for (const address of ['/nothing', '/css/nothing.css', '/nothing.html', '/conversations/nope', '/parley/health']) test(`GET /parley${address} is 404 in JSON`, opts, async () => {
    assertError(await get(`${under.s.url}${address}`), 404, 'not_found');
  });
  for (const address of ['/', '/index.html', '/health', '/conversations', '/css/app.css', '/parleyx/', '/parleyhealth', '/x/parley/health']) test(`GET ${address}, outside, is 404`, opts, async () => {
    assert.equal((await get(under.s.origin + address)).status, 404);
  });
  test('what must not be served is not, below it', opts, async () => {
    for (const name of ['.env', 'package.json', 'css/../.env', '..%2f.env', 'css/.git/config', 'run.env', 'cgi-bin/chat.cgi', 'apache.conf']) {
      const t = await rawRequest(under.s, `GET /parley/${name} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`);
      assert.match(t, /^HTTP\/1\.1 40[034]/, name);
    }
  });
});

test('a client that sends its body slowly does not hold a thread for long', { ...opts, skip: HOSTING === 'apache-fastcgi' ? false : 'the other hosts have the whole body before they ask the program' }, () => withServer({}, async (s) => {
  const open = async () => Number(/parley_process_requests_open\{[^}]*\} (\d+)/.exec((await get(`${s.url}/metrics`)).text)[1]);
  const slow = (p) => {
    const sock = net.connect(s.port, '127.0.0.1');
    sock.on('error', () => {});
    sock.write(`POST ${p} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n{"message":`);
    return sock;
  };
  const socks = ['/chat', '/nothing', '/chat'].map(slow);
  try {
    await within(5, (async () => { while (await open() !== 4) await sleep(0.02); })(), 'the three to be in hand');
    await within(25, (async () => { while (await open() !== 1) await sleep(0.2); })(), 'the three to be given up');
  } finally { for (const sock of socks) sock.destroy(); }
}));
