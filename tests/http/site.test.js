// Shared hosting: what `make site` puts together, below /~user/ of an Apache that is somebody else's and where only .htaccess files count.
import test, { before, after, describe } from 'node:test';
import assert from 'node:assert/strict';
import { spawn, execFileSync } from 'node:child_process';
import { mkdtempSync, mkdirSync, writeFileSync, rmSync, readFileSync, existsSync, statSync, readdirSync, cpSync, utimesSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { gunzipSync } from 'node:zlib';
import { REPO, PROGRAM, TEST_SETTINGS, settingsText, sanitizerLogs, APACHE, MODULES, NOBODY, dbProblems } from './server.js';
import { freePort, startProvider, simple, held, gate, SCALE, SECRET, sleep } from '../provider/provider.js';
import { request, get, post, stream, chat, settled, readStream } from './client.js';

const opts = { timeout: 60_000 * SCALE };

/** What a hosting company may have: user directories, programs anywhere, compression of everything that looks like text. */
const hostConf = (dir, port, { rewrite }) => `
ServerRoot "${dir}"
ServerName 127.0.0.1
Listen 127.0.0.1:${port}
PidFile "${dir}/apache.pid"
DefaultRuntimeDir "${dir}"
Mutex file:${dir} default
ErrorLog "${dir}/error.log"
${['mpm_event', 'authn_core', 'authz_core', 'auth_basic', 'alias', 'dir', 'env', 'mime', 'headers', 'userdir', 'filter', 'deflate', 'cgid', ...(rewrite ? ['rewrite'] : [])].map((m) => `LoadModule ${m}_module "${MODULES}/mod_${m}.so"`).join('\n')}
ScriptSock "${dir}/cgid.sock"
TypesConfig /dev/null
AddType text/html .html
AddType text/javascript .js
AddType text/css .css
DocumentRoot "${dir}/empty"
UserDir "${dir}/home/*/public_html"
AddOutputFilterByType DEFLATE text/html text/plain text/css text/javascript application/json text/event-stream
<Directory />
    AllowOverride None
    Require all denied
</Directory>
<Directory "${dir}/home/*/public_html">
    AllowOverride All
    Options SymLinksIfOwnerMatch
    Require all granted
</Directory>
`;

/** From what is built already, whatever it was built with: nothing is made anew. */
function makeSite(site) {
  execFileSync('make', ['-s', 'site', `DEST=${site}`, `BIN=${path.dirname(PROGRAM)}`, 'PROGRAMS=', 'CGI='], { cwd: REPO, stdio: 'pipe', env: { ...process.env, MAKEFLAGS: '', MAKELEVEL: '' } });
}

async function startHost(provider, { rewrite }) {
  const dir = mkdtempSync(path.join(tmpdir(), 'parley-site-'));
  const site = path.join(dir, 'home/you/public_html/chat');
  mkdirSync(path.join(dir, 'empty'));
  makeSite(site);
  writeFileSync(path.join(site, '.env'), settingsText({ ...TEST_SETTINGS, LLM_BASE_URL: provider.url }), { mode: 0o600 });
  for (const [k, v] of Object.entries(sanitizerLogs(dir))) writeFileSync(path.join(site, 'cgi-bin/.htaccess'), `SetEnv ${k} "${v}"\n`, { flag: 'a' });
  const port = await freePort();
  writeFileSync(path.join(dir, 'host.conf'), hostConf(dir, port, { rewrite }));
  const drop = process.getuid() === 0 ? { uid: NOBODY, gid: NOBODY } : {};
  if (drop.uid) execFileSync('chown', ['-R', `${NOBODY}:${NOBODY}`, dir]);
  const child = spawn(APACHE, ['-f', path.join(dir, 'host.conf'), '-DFOREGROUND'], { stdio: 'ignore', ...drop });
  const ended = new Promise((r) => child.once('exit', r));
  const h = { dir, site, port, origin: `http://127.0.0.1:${port}`, log: () => readFileSync(path.join(dir, 'error.log'), 'utf8') };
  h.page = `${h.origin}/~you/chat`;
  h.stop = async () => {
    child.kill('SIGTERM');
    await ended;
    const db = path.join(site, 'var/parley.db');
    try {
      assert.doesNotMatch(h.log(), /Sanitizer|runtime error/);
      assert.equal(h.log().includes(SECRET), false, 'no key in the log');
      assert.deepEqual(readdirSync(dir).filter((f) => f.startsWith('sanitizer.')), []);
      if (existsSync(db)) assert.deepEqual(dbProblems(db), []);
    } finally { rmSync(dir, { recursive: true, force: true }); }
  };
  for (let i = 0; ; i++) {
    try { await get(`${h.origin}/`); return h; } catch (e) { if (i > 200) { await h.stop(); throw e; } await sleep(0.05); }
  }
}

for (const rewrite of [true, false]) describe(`on shared hosting ${rewrite ? 'with' : 'without'} mod_rewrite`, () => {
  let h, p, api;
  before(async () => {
    p = await startProvider();
    try { h = await startHost(p, { rewrite }); } catch (e) { await p.stop(); throw e; }
    api = { url: rewrite ? h.page : `${h.page}/cgi-bin/chat.cgi` };
  });
  after(async () => { try { await h?.stop(); } finally { await p?.stop(); } });

  test('the page is there with its headers', opts, async () => {
    const r = await get(`${h.page}/`);
    assert.equal(r.status, 200);
    assert.match(r.text, /<!doctype html>/i);
    assert.match(r.headers['content-security-policy'], /default-src 'none'/);
    assert.equal(r.headers['x-content-type-options'], 'nosniff');
    assert.equal((await get(`${h.page}/js/app.js`)).status, 200);
  });

  test('files may be kept, are compressed once, and are 304 when nothing has changed; the program\'s answers are not', opts, async () => {
    const headers = { 'accept-encoding': 'gzip' };
    const assets = /assets\/[0-9a-f]{12}/.exec(readFileSync(path.join(h.site, 'index.html'), 'utf8'))[0];
    const lasting = 'public, max-age=31536000, immutable';
    for (const [file, caching] of [['', 'no-cache'], ['diagnose.html', 'no-cache'], ['openapi.json', 'no-cache'], ['manifest.webmanifest', 'no-cache'], ['favicon.svg', 'no-cache'], ['js/app.js', 'no-cache'], [`${assets}/js/app.js`, lasting], [`${assets}/css/app.css`, lasting], ...(rewrite ? [[`conversation/${assets}/js/app.js`, lasting], ['login', 'no-cache']] : [])]) {
      const r = await get(`${h.page}/${file}`, { headers });
      assert.equal(r.status, 200, file);
      assert.equal(r.headers['cache-control'], caching, file);
      assert.match(r.headers['content-security-policy'], /^default-src 'none'.*trusted-types app$/, file);
      assert.equal(r.headers['content-encoding'], 'gzip', file);
      const name = ['', 'login'].includes(file) ? 'index.html' : file.replace('conversation/', '');
      assert.deepEqual(gunzipSync(r.raw), readFileSync(path.join(h.site, name)), file);
      assert.equal((await get(`${h.page}/${file}`, { headers: { ...headers, 'if-none-match': r.headers.etag } })).status, 304, file);
    }
    assert.equal((await get(`${h.page}/manifest.webmanifest`)).headers['content-type'], 'application/manifest+json');
    for (const file of ['health', 'conversations', 'assets/000000000000/js/app.js', 'assets/nothing', 'nothing.json']) {
      const r = await get(`${api.url}/${file}`, { headers });
      assert.match(r.headers['content-type'], /^application\/json/, file);
      assert.equal(r.headers['content-encoding'], undefined, file);
      assert.match(r.headers['cache-control'], /^no-store/, file);
    }
  });

  test('put there again, it keeps the version that pages which are open have', opts, async () => {
    const folders = () => readdirSync(path.join(h.site, 'assets')).sort();
    const now = folders();
    assert.equal(now.length, 1);
    cpSync(path.join(h.site, 'assets', now[0]), path.join(h.site, 'assets/aaaaaaaaaaaa'), { recursive: true });
    cpSync(path.join(h.site, 'assets', now[0]), path.join(h.site, 'assets/bbbbbbbbbbbb'), { recursive: true });
    utimesSync(path.join(h.site, 'assets/aaaaaaaaaaaa'), 1, 1);
    rmSync(path.join(h.site, 'assets', now[0]), { recursive: true });
    writeFileSync(path.join(h.site, 'index.html'), 'of version bbbbbbbbbbbb');
    writeFileSync(path.join(h.site, 'js/gone.js'), '// a module that there is no more');
    makeSite(h.site);
    assert.deepEqual(folders(), [now[0], 'bbbbbbbbbbbb'].sort());
    assert.match(readFileSync(path.join(h.site, 'index.html'), 'utf8'), new RegExp(`assets/${now[0]}/`));
    assert.equal(existsSync(path.join(h.site, 'js/gone.js')), false);
    assert.equal((await get(`${h.page}/assets/bbbbbbbbbbbb/js/app.js`)).status, 200);
  });

  test('the page is at /login and /conversation/ID too, with its files', { ...opts, skip: rewrite ? false : 'without mod_rewrite the host itself answers there' }, async () => {
    const { text } = await get(`${h.page}/`);
    for (const where of ['login', 'conversation/a-1', 'conversation/a-1?q=1']) {
      const r = await get(`${h.page}/${where}`);
      assert.equal(r.status, 200, where);
      assert.equal(r.text, text, where);
      assert.equal((await request(`${h.page}/${where}`, { method: 'POST', body: {} })).status, 405);
    }
    for (const file of ['css/app.css', 'js/app.js', 'favicon.svg']) assert.equal((await get(`${h.page}/conversation/${file}`)).text, readFileSync(path.join(h.site, file), 'utf8'), file);
    for (const file of ['.env', '.htaccess', 'package.json', 'js/nothing.js', 'var/parley.db', 'cgi-bin/chat.cgi']) assert.ok([403, 404].includes((await get(`${h.page}/conversation/${file}`)).status), file);
  });

  test('a preflight reaches the program', opts, async () => {
    const r = await request(`${api.url}/chat`, { method: 'OPTIONS', headers: { origin: 'https://a.test', 'access-control-request-method': 'POST', 'content-length': null } });
    assert.equal(r.status, 403);
    assert.equal(r.json?.error.code, 'forbidden');
  });

  test('the API is there: health, a conversation that remembers, its address, 404 and 405 in JSON', opts, async () => {
    assert.deepEqual((await get(`${api.url}/health`)).json, { status: 'healthy' });
    p.respond(simple('hello from far'));
    const first = await chat(api, { message: 'Hi' });
    assert.equal(first.text, 'hello from far');
    assert.equal((await settled(api, first.conversation_id)).answer.status, 'done');
    const made = await post(`${api.url}/conversations`, { title: 'empty' });
    assert.equal(made.status, 201);
    assert.equal(made.headers.location, `${api.url.slice(h.origin.length)}/conversations/${made.json.conversation_id}`);
    assert.equal((await get(`${h.origin}${made.headers.location}`)).json.title, 'empty');
    assert.equal((await get(`${api.url}/nothing/here`)).json?.error.code, 'not_found');
    assert.equal((await request(`${api.url}/chat`, { method: 'PUT', body: {} })).json?.error.code, 'method_not_allowed');
  });

  test('the program works at its own address too, and leads from there to the page', opts, async () => {
    assert.deepEqual((await get(`${h.page}/cgi-bin/chat.cgi/health`)).json, { status: 'healthy' });
    for (const end of ['', '/']) {
      const r = await get(`${h.page}/cgi-bin/chat.cgi${end}`);
      assert.equal(r.status, 302);
      assert.equal(r.headers.location, '/~you/chat/');
    }
    const there = await get(`${h.page}/cgi-bin/chat.cgi/conversation/a-1`);
    assert.equal(there.status, 302);
    assert.equal(there.headers.location, '/~you/chat/#c=a-1');
    assert.equal((await get(`${h.page}/cgi-bin/chat.cgi/login`)).headers.location, '/~you/chat/');
  });

  test('streams flow although the host compresses everything', opts, async () => {
    const g = gate();
    p.respond(held('before ', g, 'after'));
    const c = await stream(`${api.url}/chat/stream`, { message: 'Hi' }, { headers: { 'accept-encoding': 'gzip' } });
    await c.until((e) => /before/.test(e.data));
    g.open();
    await c.all();
    assert.equal(readStream(c).text, 'before after');
  });

  test('settings, database, sources and other programs are nobody\'s', opts, async () => {
    await get(`${api.url}/conversations`);
    const db = path.join(h.site, 'var/parley.db');
    assert.ok(existsSync(db), 'the database is in the site');
    assert.equal(statSync(path.dirname(db)).mode & 0o077, 0, 'and its folder closed to other users');
    // a host whose Apache runs as the account itself can read the folder: its .htaccess says no
    for (const f of ['var/parley.db', 'var/', 'var', '.env', '.htaccess', 'cgi-bin/.htaccess', 'cgi-bin/', 'cgi-bin/chat.c', 'package.json', 'VAR/parley.db', 'var/../.env', '%2eenv']) {
      const r = await get(`${h.page}/${f}`);
      assert.ok([403, 404].includes(r.status), `${f}: ${r.status}`);
      assert.equal(r.text.includes(SECRET), false);
      assert.equal(r.text.includes('SQLite format'), false);
    }
  });
});
