// The files of the page as browsers get them: how long they may be kept, compressed or not, asked for again, with the headers of the page on each kind.
// Neighbours: page.test.js has the addresses of the page, tests/page.sh makes www/assets/; site.test.js and others.test.js have the same for other hosts.
import test, { before, after, beforeEach, describe } from 'node:test';
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, writeFileSync, cpSync, rmSync, readdirSync, statSync, existsSync } from 'node:fs';
import { execFileSync } from 'node:child_process';
import { tmpdir } from 'node:os';
import path from 'node:path';
import zlib from 'node:zlib';
import { shared, withServer, REPO } from './server.js';
import { HOSTING } from './hosting.js';
import { simple, SCALE } from '../provider/provider.js';
import { get, post, chat, assertError } from './client.js';

const opts = { timeout: 60_000 * SCALE };
const WWW = path.join(REPO, 'www');
const LASTING = 'public, max-age=31536000, immutable';
const versionIn = (www) => /assets\/([0-9a-f]{12})\//.exec(readFileSync(path.join(www, 'index.html'), 'utf8'))[1];
const VERSION = versionIn(WWW);
const TYPES = { html: 'text/html; charset=utf-8', css: 'text/css; charset=utf-8', js: 'text/javascript; charset=utf-8', json: 'application/json', svg: 'image/svg+xml', png: 'image/png', woff2: 'font/woff2', webmanifest: 'application/manifest+json' };
const gzip = { 'accept-encoding': 'gzip, deflate, br' };

/** One file of each kind that is there, by its path below www/. */
function oneOfEachKind() {
  const found = new Map();
  const look = (folder) => {
    for (const name of readdirSync(path.join(WWW, folder)).sort()) {
      const file = path.posix.join(folder, name);
      if (statSync(path.join(WWW, file)).isDirectory()) { if (folder !== 'assets' || name === VERSION) look(file); continue; }
      const kind = `${/^assets/.test(file) ? 'assets ' : ''}${path.extname(name).slice(1)}`;
      if (TYPES[path.extname(name).slice(1)] && !/^package/.test(name) && !found.has(kind)) found.set(kind, file);
    }
  };
  look('');
  return [...found.values()];
}

for (const mount of ['', '/parley']) describe(`at ${mount || 'the top'}`, () => {
  const at = shared({ before, after, beforeEach }, { mount, settings: { PARLEY_PREFIX: mount } });

  test('each kind of file: type, how long it may be kept, the headers of the page', opts, async () => {
    const files = oneOfEachKind();
    assert.ok(files.length > 7, files.join());
    for (const file of files) {
      const r = await get(`${at.s.url}/${file}`);
      assert.equal(r.status, 200, file);
      assert.deepEqual(r.raw, readFileSync(path.join(WWW, file)), file);
      assert.equal(r.headers['content-type'], TYPES[path.extname(file).slice(1)], file);
      assert.equal(r.headers['cache-control'], file.startsWith('assets/') ? LASTING : 'no-cache', file);
      assert.match(r.headers['content-security-policy'], /^default-src 'none'.*frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types app$/, file);
      for (const [name, value] of [['x-content-type-options', 'nosniff'], ['referrer-policy', 'no-referrer'], ['cross-origin-opener-policy', 'same-origin'], ['cross-origin-resource-policy', 'same-origin']]) assert.equal(r.headers[name], value, `${file}: ${name}`);
      assert.ok(r.headers['permissions-policy'], file);
    }
  });

  test('text is compressed for those who take it, and for nobody else; pictures and fonts are not', opts, async () => {
    for (const file of ['', ...oneOfEachKind()]) {
      const name = file || 'index.html';
      const small = await get(`${at.s.url}/${file}`, { headers: gzip });
      const whole = readFileSync(path.join(WWW, name));
      if (/png|woff2$/.test(name) || (small.headers['content-encoding'] === undefined && whole.length < 600)) {
        assert.equal(small.headers['content-encoding'], undefined, name);
      } else {
        assert.equal(small.headers['content-encoding'], 'gzip', name);
        assert.match(small.headers.vary, /accept-encoding/i, name);
        assert.deepEqual(zlib.gunzipSync(small.raw), whole, name);
        assert.ok(small.raw.length < whole.length, name);
      }
      for (const takes of [null, 'identity']) {
        const r = await get(`${at.s.url}/${file}`, { headers: { 'accept-encoding': takes } });
        assert.equal(r.headers['content-encoding'], undefined, `${name} for ${takes}`);
        assert.deepEqual(r.raw, whole, name);
      }
    }
  });

  test('asked for again, a file that is the same is 304, compressed or not', opts, async () => {
    for (const file of ['', 'diagnose.html', 'css/app.css', `assets/${VERSION}/js/app.js`, 'login', 'conversation/a-1']) for (const headers of [{}, gzip]) {
      const first = await get(`${at.s.url}/${file}`, { headers });
      assert.ok(first.headers.etag, file);
      const again = await get(`${at.s.url}/${file}`, { headers: { ...headers, 'if-none-match': first.headers.etag } });
      assert.equal(again.status, 304, file);
      assert.equal(again.raw.length, 0, file);
      assert.equal(again.headers['cache-control'], first.headers['cache-control'], file);
      assert.equal((await get(`${at.s.url}/${file}`, { headers: { ...headers, 'if-none-match': '"another"' } })).status, 200, file);
    }
  });

  test('the page names only files of its version, which are there below /conversation/ too', opts, async () => {
    for (const where of ['/', '/login', '/conversation/a-1']) {
      const { text } = await get(at.s.url + where);
      const names = [...text.matchAll(/<(?:script|link)[^>]*?(?:src|href)="([^"]+)"/g)].map((m) => m[1]);
      assert.doesNotMatch(text, /(?:src|href)="(?:css|js|vendor|i18n)\//);
      for (const name of names.filter((n) => n.startsWith('assets/'))) {
        const r = await get(at.s.origin + new URL(name, at.s.url + where).pathname);
        assert.equal(r.status, 200, name);
        assert.equal(r.headers['cache-control'], LASTING, name);
        assert.equal(r.text, readFileSync(path.join(WWW, name.replace(/^assets\/[^/]+\//, '')), 'utf8'), `${name} is as it was written`);
      }
    }
  });

  test('a version that is not there, and folders, are 404 in JSON, which nobody keeps', opts, async () => {
    for (const file of ['assets/000000000000/js/app.js', 'conversation/assets/000000000000/js/app.js', `assets/${VERSION}/js/nothing.js`, `assets/${VERSION}/`, 'assets/', 'assets', 'assets/../css/nothing.css']) {
      const r = await get(`${at.s.url}/${file}`, { headers: gzip });
      assertError(r, 404, 'not_found');
      assert.match(r.headers['cache-control'], /^no-store/, file);
      assert.equal(r.headers['content-encoding'], undefined, file);
    }
    for (const file of ['.htaccess', 'js/.htaccess', 'package.json', 'js/package.json', 'js/%2e%2e/%2e%2e/%2e%2e/.htaccess']) {
      const r = await get(`${at.s.url}/assets/${VERSION}/${file}`);
      assert.ok([403, 404].includes(r.status), `${file}: ${r.status}`);
    }
  });

  test('what the program sends is never compressed', opts, async () => {
    at.p.respond(simple('again and again '.repeat(500)));
    const first = await chat(at.s, 'Hi');
    for (const p of [`/conversations/${first.conversation_id}`, '/conversations', '/api/config', '/health', '/nothing', '/api/theme', '/css/nothing.css', '/nothing.html']) {
      const r = await get(at.s.url + p, { headers: gzip });
      assert.equal(r.headers['content-encoding'], undefined, p);
      assert.match(r.headers['content-type'], /^(application\/json|text\/css)/, p);
    }
    for (const p of ['/chat', '/index.html', '/css/app.css', `/assets/${VERSION}/js/app.js`]) {
      const r = await post(`${at.s.url}${p}`, { message: 'Hi', stream: false }, { headers: gzip });
      assert.equal(r.headers['content-encoding'], undefined, p);
      assert.match(r.headers['cache-control'], /no-store/, p);
    }
  });
});

test('a lighttpd without mod_deflate serves the files as they are', { ...opts, skip: HOSTING.startsWith('lighttpd') ? false : 'Apache comes with it' }, () => withServer({ edit: (text) => {
  assert.match(text, /^include_shell .*mod_deflate/m);
  return text.replace(/^include_shell .*\n/m, '');
} }, async (s) => {
  const r = await get(`${s.url}/css/app.css`, { headers: gzip });
  assert.equal(r.headers['content-encoding'], undefined);
  assert.deepEqual(r.raw, readFileSync(path.join(WWW, 'css/app.css')));
  assert.equal((await get(`${s.url}/`, { headers: gzip })).status, 200);
}));

describe('tests/page.sh', () => {
  let www;
  before(() => {
    www = mkdtempSync(path.join(tmpdir(), 'parley-www-'));
    cpSync(WWW, www, { recursive: true, filter: (from) => !['assets', 'index.html'].includes(path.relative(WWW, from)) });
  });
  after(() => rmSync(www, { recursive: true, force: true }));
  const make = () => { execFileSync(path.join(REPO, 'tests/page.sh'), [www]); return versionIn(www); };
  const versions = () => readdirSync(path.join(www, 'assets')).sort();
  const change = (text) => writeFileSync(path.join(www, 'js/app.js'), text);

  test('the same files have the same version, wherever they are; nothing is written again', opts, () => {
    assert.equal(make(), VERSION);
    const written = ['', 'index.html', 'assets', `assets/${VERSION}`, `assets/${VERSION}/js/app.js`].map((f) => path.join(www, f));
    const times = () => written.map((f) => statSync(f).mtimeMs);
    const before = times();
    assert.equal(make(), VERSION);
    assert.deepEqual(times(), before);
    assert.deepEqual(versions(), [VERSION]);
  });

  test('another content, name or page makes another; the version before stays, older ones go; an earlier one may come back', opts, () => {
    change('// one\n');
    const one = make();
    assert.notEqual(one, VERSION);
    assert.deepEqual(versions(), [VERSION, one].sort());
    assert.equal(readFileSync(path.join(www, `assets/${one}/js/app.js`), 'utf8'), '// one\n');
    change('// two\n');
    const two = make();
    assert.deepEqual(versions(), [one, two].sort());
    change('// one\n');
    assert.equal(make(), one);
    assert.deepEqual(versions(), [one, two].sort());
    writeFileSync(path.join(www, 'js/more.js'), '// one\n');
    const more = make();
    assert.deepEqual(versions(), [one, more].sort(), 'the one that came back is the one before');
    writeFileSync(path.join(www, 'page.html'), readFileSync(path.join(www, 'page.html'), 'utf8').replace('<title>', '<title>New '));
    assert.equal(make(), more);
    assert.match(readFileSync(path.join(www, 'index.html'), 'utf8'), /<title>New /);
  });

  test('folders that are not there yet, or have come, make no difference to the rest', opts, () => {
    rmSync(path.join(www, 'i18n'), { recursive: true, force: true });
    cpSync(path.join(www, 'css'), path.join(www, 'vendor/some'), { recursive: true });
    const version = make();
    assert.ok(existsSync(path.join(www, `assets/${version}/vendor/some/app.css`)));
    assert.equal(existsSync(path.join(www, `assets/${version}/i18n`)), false);
  });
});
