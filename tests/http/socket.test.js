// FastCGI spoken by a stranger on the worker's socket: broken records, records of any size and kind, roles that it does not have. It refuses or closes, and serves on.
// The host servers' own FastCGI is in all other tests.
import test, { describe, before, after } from 'node:test';
import assert from 'node:assert/strict';
import { writeFileSync, mkdtempSync, rmSync, statSync, readdirSync, readFileSync } from 'node:fs';
import { spawn } from 'node:child_process';
import { tmpdir } from 'node:os';
import net from 'node:net';
import path from 'node:path';
import { PROGRAM, TEST_SETTINGS, settingsText, sanitizerLogs } from './server.js';
import { sleep, within, SCALE } from '../provider/provider.js';
import { waitUntil } from './client.js';
import { random } from './generate.js';

const opts = { timeout: 60_000 * SCALE };
const w = {};

before(async () => {
  w.dir = mkdtempSync(path.join(tmpdir(), 'parley-socket-'));
  w.sock = path.join(w.dir, 'w.sock');
  const file = path.join(w.dir, 'run.env');
  writeFileSync(file, settingsText({ PARLEY_DB: path.join(w.dir, 'parley.db'), ...TEST_SETTINGS, LLM_BASE_URL: 'http://127.0.0.1:9/v1', RETRIES: '0' }), { mode: 0o600 });
  // libfcgi 2.4.2 does not free what it has read of a damaged management record
  const spared = path.join(w.dir, 'lsan');
  writeFileSync(spared, 'leak:libfcgi\n');
  w.child = spawn(PROGRAM, ['--listen', `unix:${w.sock}`], { cwd: w.dir, env: { PATH: process.env.PATH, PARLEY_CONFIG: file, ...sanitizerLogs(w.dir), LSAN_OPTIONS: `suppressions=${spared}:print_suppressions=0` }, stdio: ['ignore', 'pipe', 'pipe'] });
  w.text = '';
  for (const from of [w.child.stdout, w.child.stderr]) from.on('data', (d) => { w.text += d; });
  w.exit = new Promise((r) => w.child.once('exit', (code, signal) => r({ code, signal })));
  await waitUntil(15, () => new Promise((r) => { const s = net.connect(w.sock); s.once('connect', () => { s.destroy(); r(true); }); s.once('error', () => r(false)); }), 'a listening worker');
});
after(async () => {
  w.child?.kill('SIGTERM');
  const e = await within(30, w.exit, 'the end of the worker').catch((x) => { w.child.kill('SIGKILL'); throw x; });
  const said = readdirSync(w.dir).filter((f) => f.startsWith('sanitizer')).map((f) => readFileSync(path.join(w.dir, f), 'utf8')).join('');
  rmSync(w.dir, { recursive: true, force: true });
  assert.equal(said, '');
  assert.deepEqual(e, { code: 0, signal: null }, w.text.slice(-2000));
});

/** A record (FastCGI specification, section 3.3). */
function record(type, content = '', { id = 1, version = 1, padding = 0, length } = {}) {
  const body = Buffer.isBuffer(content) ? content : Buffer.from(content);
  const head = Buffer.from([version, type, id >> 8, id & 255, 0, 0, padding, 0]);
  head.writeUInt16BE(length ?? body.length, 4);
  return Buffer.concat([head, body, Buffer.alloc(padding)]);
}
const lengthOf = (n) => (n < 128 ? Buffer.from([n]) : Buffer.from([0x80 | (n >>> 24), (n >> 16) & 255, (n >> 8) & 255, n & 255]));
const pair = (name, value) => Buffer.concat([lengthOf(Buffer.byteLength(name)), lengthOf(Buffer.byteLength(value)), Buffer.from(name), Buffer.from(value)]);
const begin = (role = 1, flags = 0) => record(1, Buffer.from([role >> 8, role & 255, flags, 0, 0, 0, 0, 0]));
const PARAMS = { GATEWAY_INTERFACE: 'CGI/1.1', REQUEST_METHOD: 'GET', SCRIPT_NAME: '', PATH_INFO: '/health', REQUEST_URI: '/health', SERVER_PROTOCOL: 'HTTP/1.1', QUERY_STRING: '', REMOTE_ADDR: '127.0.0.1' };
const params = (more = {}) => record(4, Buffer.concat(Object.entries({ ...PARAMS, ...more }).map(([k, v]) => pair(k, v))));

/** Sends bytes; what came back until the connection ended, or nothing more came for a while. */
async function talk(bytes, { end = false, quiet = 0.3 } = {}) {
  const sock = net.connect(w.sock);
  let got = Buffer.alloc(0);
  let closed = false;
  let last = performance.now();
  sock.on('data', (d) => { got = Buffer.concat([got, d]); last = performance.now(); });
  sock.on('error', () => {});
  sock.on('close', () => { closed = true; });
  await new Promise((r) => sock.once('connect', r));
  sock.write(bytes, () => { if (end) sock.end(); });
  while (!closed && performance.now() - last < quiet * SCALE * 1000) await sleep(0.01);
  sock.destroy();
  return { text: got.toString('latin1'), closed };
}

const ask = (more) => talk(Buffer.concat([begin(), params(more), record(4), record(5)]), { quiet: 5 });
async function servesOn() {
  const r = await ask();
  assert.match(r.text, /"status": ?"healthy"/, w.text.slice(-1000));
  assert.equal(w.child.exitCode, null);
  assert.equal(w.child.signalCode, null);
}

describe('a stranger on the socket', () => {
  test('who speaks as a host server does is answered, and the socket is not open to everybody', opts, async () => {
    await servesOn();
    assert.equal(statSync(w.sock).mode & 0o777, 0o660);
  });

  const BROKEN = {
    'nothing at all': Buffer.alloc(0),
    'one byte': Buffer.from([1]),
    'half a header': record(1).subarray(0, 5),
    'HTTP': Buffer.from('GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n'),
    'a record that is shorter than it says': record(4, 'abc', { length: 60000 }),
    'another version': Buffer.concat([record(1, Buffer.from([0, 1, 0, 0, 0, 0, 0, 0]), { version: 9 }), params(), record(4), record(5)]),
    'params before the beginning': Buffer.concat([params(), record(4), record(5)]),
    'a beginning that is too short': Buffer.concat([record(1, Buffer.from([0, 1])), params(), record(4), record(5)]),
    'params cut within a length': Buffer.concat([begin(), record(4, Buffer.from([0x80, 0])), record(4), record(5)]),
    'a name of 2 GB': Buffer.concat([begin(), record(4, Buffer.from([0xff, 0xff, 0xff, 0xff, 1, 65])), record(4), record(5)]),
    'a value of 2 GB': Buffer.concat([begin(), record(4, Buffer.from([1, 0xff, 0xff, 0xff, 0xff, 65])), record(4), record(5)]),
    'no params': Buffer.concat([begin(), record(4), record(5)]),
    'the end within params': Buffer.concat([begin(), params()]),
    'an abort': Buffer.concat([begin(), params(), record(4), record(2)]),
    'records of unknown types': Buffer.concat([record(99, 'x'), record(255, 'x', { id: 0 }), record(11, 'x', { id: 0 })]),
    'another request on the same connection': Buffer.concat([begin(), record(1, Buffer.from([0, 1, 0, 0, 0, 0, 0, 0]), { id: 2 }), params(), record(4), record(5)]),
    'a flood of questions for values': Buffer.concat(Array.from({ length: 3000 }, () => record(9, pair('FCGI_MAX_CONNS', ''), { id: 0 }))),
    'a body that never ends': Buffer.concat([begin(), params({ REQUEST_METHOD: 'POST', PATH_INFO: '/chat', REQUEST_URI: '/chat', CONTENT_LENGTH: '1000000', CONTENT_TYPE: 'application/json' }), record(4), record(5, '{"message":')]),
    'a length of body that is no number': Buffer.concat([begin(), params({ REQUEST_METHOD: 'POST', PATH_INFO: '/chat', REQUEST_URI: '/chat', CONTENT_LENGTH: '-5', CONTENT_TYPE: 'application/json' }), record(4), record(5, '{}'), record(5)]),
    'padding without end': Buffer.concat([begin(), ...Array.from({ length: 200 }, () => record(4, pair('X', 'y'), { padding: 255 })), record(4), record(5)]),
  };
  for (const [name, bytes] of Object.entries(BROKEN)) test(`${name}: the worker serves on`, opts, async () => {
    await talk(bytes, { end: true });
    await servesOn();
  });

  for (const [name, role] of [['an authorizer', 2], ['a filter', 3], ['no role that there is', 77]]) test(`asked to be ${name}, it refuses or answers, and serves on`, opts, async () => {
    await talk(Buffer.concat([begin(role), params(), record(4), record(5)]), { end: true });
    await servesOn();
  });

  test('ten thousand params, and one of 60 kB: refused or answered, and memory is not kept', opts, async () => {
    const rss = () => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${w.child.pid}/status`, 'latin1'))[1]);
    const many = Array.from({ length: 100 }, (_, i) => record(4, Buffer.concat(Array.from({ length: 100 }, (__, k) => pair(`HTTP_X_${i}_${k}`, 'v'.repeat(200))))));
    await talk(Buffer.concat([begin(), params(), ...many, record(4), record(5)]), { end: true, quiet: 10 });
    const had = rss();
    for (let i = 0; i < 10; i++) {
      await talk(Buffer.concat([begin(), params(), ...many, record(4), record(5)]), { end: true, quiet: 10 });
      await talk(Buffer.concat([begin(), params({ HTTP_X: 'x'.repeat(60_000) }), record(4), record(5)]), { end: true, quiet: 10 });
    }
    await servesOn();
    assert.ok(rss() < had + 20_000 * SCALE, `${had} kB became ${rss()} kB`);
  });

  test('good requests with random bytes changed, 300 of them: the worker serves on', opts, async () => {
    const r = random('socket');
    const good = Buffer.concat([begin(), params({ REQUEST_METHOD: 'POST', PATH_INFO: '/conversations', REQUEST_URI: '/conversations', CONTENT_LENGTH: '14', CONTENT_TYPE: 'application/json' }), record(4), record(5, '{"title": "x"}'), record(5)]);
    for (let i = 0; i < 300; i += 20) {
      await Promise.all(Array.from({ length: 20 }, () => {
        const bytes = Buffer.from(good.subarray(0, r.chance(0.2) ? r.below(good.length) : good.length));
        for (let n = r.between(1, 6); n > 0 && bytes.length > 0; n--) bytes[r.below(bytes.length)] = r.below(256);
        return talk(bytes, { end: true, quiet: 0.1 });
      }));
      await servesOn();
    }
  });
});
