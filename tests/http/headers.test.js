// Headers: security for the page and for errors, nothing cached, nothing compressed; and files that must not be served.
import test, { before, after, beforeEach, describe } from 'node:test';
import assert from 'node:assert/strict';
import { existsSync, readFileSync, writeFileSync, mkdirSync } from 'node:fs';
import path from 'node:path';
import { shared, REPO } from './server.js';
import { simple, held, gate, SCALE, SECRET, serverError } from '../provider/provider.js';
import { request, get, post, stream, chat, rawRequest, readChat, readStream } from './client.js';

const opts = { timeout: 60_000 * SCALE };
const at = shared({ before, after, beforeEach });

function assertCsp(r, what) {
  const csp = r.headers['content-security-policy'];
  assert.ok(csp, `${what} has a Content-Security-Policy`);
  const d = Object.fromEntries(csp.split(';').map((x) => x.trim().split(/\s+/)).filter((x) => x[0]).map(([k, ...v]) => [k, v]));
  assert.deepEqual(d['default-src'], ["'none'"]);
  assert.doesNotMatch(csp, /unsafe-inline|unsafe-eval|unsafe-hashes|\*|https?:/);
  assert.ok(d['frame-ancestors'], 'frame-ancestors');
  assert.deepEqual(d['base-uri'], ["'none'"]);
  assert.ok(d['form-action'], 'form-action');
  return d;
}
function assertSecurity(r, what) {
  assert.equal(r.headers['x-content-type-options'], 'nosniff', what);
  assert.equal(r.headers['referrer-policy'], 'no-referrer', what);
}

describe('the page', () => {
  test('GET / is the page, in HTML', opts, async () => {
    const r = await get(`${at.s.url}/`);
    assert.equal(r.status, 200);
    assert.match(r.headers['content-type'], /^text\/html/);
    assert.match(r.text, /<!doctype html>/i);
  });
  test('the page has a strict Content-Security-Policy that lets its own scripts, styles and requests work', opts, async () => {
    const d = assertCsp(await get(`${at.s.url}/`), '/');
    assert.ok(d['script-src']?.includes("'self'"));
    assert.ok(d['style-src']?.includes("'self'"));
    assert.ok(d['connect-src']?.includes("'self'"));
    assert.ok(d['require-trusted-types-for']?.includes("'script'"), 'Trusted Types');
  });
  test('the page has nosniff and no-referrer', opts, async () => assertSecurity(await get(`${at.s.url}/`), '/'));
  test('everything the page names is served from here, with the right type', opts, async () => {
    const { text } = await get(`${at.s.url}/`);
    const names = [...text.matchAll(/<(?:script|link|img)[^>]*?(?:src|href)="([^"]+)"/g)].map((m) => m[1]);
    assert.ok(names.length >= 2, 'a script and a style at least');
    for (const n of names) {
      if (/^data:/.test(n)) continue;
      assert.doesNotMatch(n, /^(https?:)?\/\//, 'nothing from elsewhere');
      const r = await get(`${at.s.url}/${n.replace(/^\.?\//, '')}`);
      assert.equal(r.status, 200, n);
      if (/\.m?js$/.test(n)) assert.match(r.headers['content-type'], /^(text|application)\/javascript/);
      if (/\.css$/.test(n)) assert.match(r.headers['content-type'], /^text\/css/);
      assert.equal(r.headers['x-content-type-options'], 'nosniff');
    }
    assert.doesNotMatch(text, /<script(?![^>]*\bsrc=)[^>]*>\s*\S|<style|\son\w+=|\sstyle=/i, 'nothing inline');
  });
});

describe('error pages and answers', () => {
  const CASES = [['GET', '/no/such/path', 404], ['GET', '/.env', [403, 404]], ['PUT', '/chat', 405], ['POST', '/chat', 400, '{'], ['GET', '/conversations/nope', 404], ['GET', '/health', 200], ['GET', '/conversations', 200], ['GET', '/ready', [200, 503]]];
  for (const [method, p, status, body] of CASES) test(`${method} ${p} has security headers`, opts, async () => {
    const r = await request(`${at.s.url}${p}`, { method, body });
    assert.ok([].concat(status).includes(r.status), `${r.status}`);
    assertCsp(r, p);
    assertSecurity(r, p);
  });
  test('no answer names the software in detail or sets a cookie', opts, async () => {
    for (const p of ['/', '/health', '/nope', '/conversations']) {
      const r = await get(`${at.s.url}${p}`);
      assert.doesNotMatch(r.headers.server ?? '', /\d+\.\d+/);
      assert.equal(r.headers['x-powered-by'], undefined);
      assert.equal(r.headers['set-cookie'], undefined);
    }
  });
  test('no other site may read answers: no CORS header by default', opts, async () => {
    at.p.respond(simple('ok'));
    for (const origin of ['https://evil.example', 'null', at.s.url]) {
      for (const r of [await get(`${at.s.url}/conversations`, { headers: { origin } }), await post(`${at.s.url}/chat`, { message: 'Hi', stream: false }, { headers: { origin } })]) {
        assert.notEqual(r.headers['access-control-allow-origin'], '*');
        if (origin !== at.s.url) assert.equal(r.headers['access-control-allow-origin'], undefined);
      }
    }
  });
});

describe('nothing is cached', () => {
  test('every answer with data is no-store', opts, async () => {
    at.p.respond(simple('ok'));
    const r = await chat(at.s, 'Hi');
    for (const x of [r, await get(`${at.s.url}/conversations`), await get(`${at.s.url}/conversations/${r.conversation_id}`), await get(`${at.s.url}/conversations/nope`), await get(`${at.s.url}/health`),
      await post(`${at.s.url}/chat`, { message: 'Hi', stream: false }), await post(`${at.s.url}/chat`, '{'), await post(`${at.s.url}/conversations`, {})]) {
      assert.match(x.headers['cache-control'] ?? '', /no-store/);
    }
  });
});

describe('event streams', () => {
  for (const p of ['/chat', '/chat/stream']) {
    test(`${p} is text/event-stream, no-store, not compressed though the client would take it, not counted`, opts, async () => {
      const g = gate();                                     // or a host that has everything before it begins may count it
      at.p.respond(held('a b c ', g, 'a b c '.repeat(499)));
      const s = await stream(`${at.s.url}${p}`, { message: 'Hi' }, { headers: { 'accept-encoding': 'gzip, deflate, br, zstd', accept: 'text/event-stream' } });
      g.open();
      await s.all();
      assert.match(s.headers['content-type'], /^text\/event-stream(; ?charset=utf-8)?$/i);
      assert.match(s.headers['cache-control'], /no-store/);
      assert.equal(s.headers['content-encoding'], undefined);
      assert.equal(s.headers['content-length'], undefined);
      assert.equal(s.headers['transfer-encoding'], 'chunked');
      assert.equal(s.headers['x-content-type-options'], 'nosniff');
      assert.equal((p === '/chat' ? readChat : readStream)(s).text, 'a b c '.repeat(500));
    });
  }
});

describe('files that must not be served', () => {
  const NAMES = ['.env', '.env.example', '.env.vllm', '.git/config', '.git/HEAD', '.ci/run', '.gitignore', '.htaccess', 'schema.sql', 'Makefile', 'lighttpd.conf', 'apache.conf', 'README.md', 'LICENSE', 'cgi-bin/chat.fcgi', 'cgi-bin/chat.cgi', 'cgi-bin/chat.c',
    'src/parley.h', 'src/base/settings.c', 'var/parley.db', 'var/run.env', 'parley.db', 'run.env', 'tests/package.json', 'docs/store.md', 'www/index.html', 'index.html~', 'index.html.bak', '.DS_Store', '.well-known/../.env'];
  const SPELLINGS = [(n) => `/${n}`, (n) => `//${n}`, (n) => `/./${n}`, (n) => `/../${n}`, (n) => `/x/../../${n}`, (n) => `/%2e%2e/${n}`, (n) => `/..%2f${n}`, (n) => `/${n.replace(/^\./, '%2e')}`, (n) => `/..\\${n}`, (n) => `/${n}%00.html`, (n) => `/${n}/`, (n) => `/${n.toUpperCase()}`];
  /** Bytes that tell that the file itself came. */
  const secretsOf = (n) => {
    const file = path.join(REPO, n);
    if (!existsSync(file)) return null;
    try { return readFileSync(file).subarray(0, 200).toString('latin1'); } catch { return null; }
  };
  test('the page is there, so that the refusals mean something', opts, async () => {
    assert.equal((await get(`${at.s.url}/`)).status, 200);
    assert.ok(existsSync(path.join(REPO, 'schema.sql')) && existsSync(path.join(REPO, 'lighttpd.conf')));
  });
  for (const n of NAMES) test(`/${n} is not served in any spelling`, opts, async () => {
    const start = secretsOf(n);
    for (const spell of SPELLINGS) {
      const t = await rawRequest(at.s, `GET ${spell(n)} HTTP/1.1\r\nHost: 127.0.0.1:${at.s.port}\r\nConnection: close\r\n\r\n`);
      const status = Number(/^HTTP\/1\.\d (\d+)/.exec(t)?.[1]);
      assert.ok(status >= 400 && status < 500, `GET ${spell(n)}: ${t.slice(0, 200)}`);
      if (start) assert.equal(t.includes(start.slice(0, 60)), false, `GET ${spell(n)} gives the file away`);
      assert.equal(t.includes(SECRET), false);
    }
  });
});
