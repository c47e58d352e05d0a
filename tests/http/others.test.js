// nginx and Caddy, with the configurations that docs/hosting.md shows, word for word but for the places. Each is skipped where it is not installed.
import test, { before, after, describe } from 'node:test';
import assert from 'node:assert/strict';
import { spawn, execFileSync } from 'node:child_process';
import { mkdtempSync, writeFileSync, readFileSync, rmSync, existsSync, readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { REPO, PROGRAM, TEST_SETTINGS, settingsText, sanitizerLogs, dbProblems } from './server.js';
import { freePort, startProvider, simple, held, gate, stallAfter, SCALE, SECRET, within, sleep } from '../provider/provider.js';
import { request, get, post, stream, chat, list, settled, readStream, readChat, rawRequest, assertError } from './client.js';

const assets = /assets\/[0-9a-f]{12}/.exec(readFileSync(path.join(REPO, 'www/index.html'), 'utf8'))[0];
const LASTING = 'public, max-age=31536000, immutable';
const opts = { timeout: 60_000 * SCALE };
const docs = readFileSync(path.join(REPO, 'docs/hosting.md'), 'utf8');

/** The fenced block between the two marks of docs/hosting.md. */
const shown = (name) => new RegExp(`<!-- ${name}: begin -->\\s*\`\`\`\\w*\\n([\\s\\S]*?)\`\`\`\\s*<!-- ${name}: end -->`).exec(docs)[1];
const put = (text, from, to) => { assert.ok(text.includes(from), `docs/hosting.md says ${from}`); return text.replaceAll(from, to); };
const placed = (name, dir, port) => put(put(put(shown(name), '127.0.0.1:8000', `127.0.0.1:${port}`), '/usr/local/lib/parley/www', path.join(REPO, 'www')), '/run/parley/chat.sock', path.join(dir, 'chat.sock'));

const SERVERS = {
  nginx: {
    find: ['/usr/sbin/nginx', '/usr/bin/nginx'],
    software: 'nginx',
    /** What is around a `server` block on every Debian. */
    conf: (dir, port) => `${process.getuid() === 0 ? 'user root;\n' : ''}daemon off;\npid ${dir}/nginx.pid;\nerror_log stderr;\nevents {}\nhttp {\n  include /etc/nginx/mime.types;\n  access_log off;\n  gzip on;\n  gzip_types application/json text/css text/javascript;\n${['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((t) => `  ${t}_temp_path ${dir}/${t};\n`).join('')}${placed('nginx', dir, port)}}\n`,
    args: (dir, file) => ['-p', dir, '-c', file, '-e', 'stderr'],
  },
  Caddy: {
    find: ['/usr/bin/caddy', '/usr/local/bin/caddy'],
    software: 'Caddy',
    conf: (dir, port) => `{\n  admin off\n  auto_https off\n}\n${placed('Caddy', dir, port)}`,
    args: (dir, file) => ['run', '--adapter', 'caddyfile', '--config', file],
  },
};

async function startHost(server, command, provider) {
  const dir = mkdtempSync(path.join(tmpdir(), 'parley-other-'));
  const port = await freePort();
  const settings = path.join(dir, 'run.env');
  const db = path.join(dir, 'parley.db');
  writeFileSync(settings, settingsText({ PARLEY_DB: db, ...TEST_SETTINGS, LLM_BASE_URL: provider.url }), { mode: 0o600 });
  const file = path.join(dir, 'conf');
  writeFileSync(file, server.conf(dir, port));
  let log = '';
  const children = [
    spawn(PROGRAM, ['--listen', `unix:${dir}/chat.sock`], { stdio: ['ignore', 'pipe', 'pipe'], env: { PATH: process.env.PATH, PARLEY_CONFIG: settings, ...sanitizerLogs(dir) } }),
    spawn(command, server.args(dir, file), { stdio: ['ignore', 'pipe', 'pipe'], env: { PATH: process.env.PATH, HOME: dir } }),
  ];
  for (const c of children) {
    c.stdout.on('data', (d) => { log += d; });
    c.stderr.on('data', (d) => { log += d; });
    c.ended = new Promise((r) => c.once('exit', (code) => { c.code = code; r(); }));
  }
  const h = { dir, db, port, url: `http://127.0.0.1:${port}` };
  h.stop = async () => {
    for (const c of [...children].reverse()) { c.kill('SIGTERM'); await within(30, c.ended, 'the end of a server').catch(() => c.kill('SIGKILL')); }
    try {
      assert.equal(children[0].code, 0, log.slice(-3000));
      assert.equal(log.includes(SECRET), false);
      assert.deepEqual(readdirSync(dir).filter((f) => f.startsWith('sanitizer.')), []);
      assert.deepEqual(dbProblems(db), []);
    } finally { rmSync(dir, { recursive: true, force: true }); }
  };
  for (let i = 0; ; i++) {
    const r = await get(`${h.url}/health`).catch(() => null);
    if (r?.status === 200) return h;
    if (i > 400) { await h.stop().catch(() => {}); throw new Error(`not up: ${log.slice(-3000)}`); }
    await sleep(0.05);
  }
}

for (const [name, server] of Object.entries(SERVERS)) {
  const command = server.find.find(existsSync);
  describe(`behind ${name}`, { skip: command ? false : `${name} is not installed` }, () => {
    let h, p;
    before(async () => {
      p = await startProvider();
      try { h = await startHost(server, command, p); } catch (e) { await p.stop(); throw e; }
    });
    after(async () => { try { await h?.stop(); } finally { await p?.stop(); } });

    test('the page and its files, with their headers', opts, async () => {
      for (const [file, type] of [['', 'text/html'], ['css/app.css', 'text/css'], ['js/app.js', /^(text|application)\/javascript/], ['diagnose.html', 'text/html'], ['favicon.svg', 'image/svg']]) {
        const r = await get(`${h.url}/${file}`);
        assert.equal(r.status, 200, file);
        assert.match(r.headers['content-type'], type instanceof RegExp ? type : new RegExp(`^${type}`), file);
        assert.match(r.headers['content-security-policy'] ?? '', /default-src 'none'/, file);
        assert.equal(r.headers['x-content-type-options'], 'nosniff', file);
        assert.equal(r.headers['cache-control'], 'no-cache', file);
      }
    });

    test('the page is at /login and /conversation/ID too, with its files', opts, async () => {
      const { text } = await get(`${h.url}/`);
      for (const where of ['login', 'conversation/a-1', 'conversation/a-1?q=1']) {
        const r = await get(`${h.url}/${where}`);
        assert.equal(r.status, 200, where);
        assert.equal(r.text, text, where);
        assert.equal(r.headers['cache-control'], 'no-cache', where);
        assertError(await request(`${h.url}/${where}`, { method: 'POST', body: {} }), 405, 'method_not_allowed');
      }
      for (const file of ['css/app.css', 'js/app.js', `${assets}/js/app.js`, 'favicon.svg', 'index.html']) assert.equal((await get(`${h.url}/conversation/${file}`)).text, readFileSync(path.join(REPO, 'www', file), 'utf8'), file);
      for (const file of ['.htaccess', 'package.json', 'js/nothing.js']) assert.equal((await get(`${h.url}/conversation/${file}`)).status, 404, file);
      assertError(await get(`${h.url}/conversation/a/b`), 404, 'not_found');
    });

    test('files may be kept and are compressed, as far as each kind allows; what the program sends is not', opts, async () => {
      const kept = { 'accept-encoding': 'gzip' };
      for (const [file, caching] of [['', 'no-cache'], ['openapi.json', 'no-cache'], ['favicon.svg', 'no-cache'], ['css/app.css', 'no-cache'], ...['css/app.css', 'js/app.js', 'i18n/en.json'].map((f) => [`${assets}/${f}`, LASTING])]) {
        const r = await get(`${h.url}/${file}`, { headers: kept });
        assert.equal(r.headers['cache-control'], caching, file);
        assert.equal(r.headers['content-encoding'], r.raw.length < 1000 && !r.headers['content-encoding'] ? undefined : 'gzip', file);
        assert.match(r.headers['content-security-policy'], /default-src 'none'/, file);
        assert.equal((await get(`${h.url}/${file}`, { headers: { ...kept, 'if-none-match': r.headers.etag } })).status, 304, file);
      }
      const missing = await get(`${h.url}/assets/000000000000/js/app.js`);
      assert.equal(missing.status, 404);
      assert.doesNotMatch(missing.headers['cache-control'] ?? '', /immutable/);
    });

    test('what is hidden stays hidden', opts, async () => {
      for (const f of ['.htaccess', '.env', '../README.md', 'js/../.htaccess', '%2ehtaccess', 'package.json']) {
        const t = await rawRequest(h, `GET /${f} HTTP/1.1\r\nHost: 127.0.0.1:${h.port}\r\nConnection: close\r\n\r\n`);
        assert.match(t, /^HTTP\/1\.1 (4\d\d)/, f);
      }
    });

    for (const where of ['/chat', '/chat/stream']) test(`each token of ${where} is seen before the next is sent`, opts, async () => {
      const gates = Array.from({ length: 10 }, () => gate());
      p.respond(async (req, io) => {
        for (const [i, g] of gates.entries()) { io.token(`t${i} `); await g.wait(); }
        io.finish(); io.done(); await io.end();
      });
      const c = await stream(`${h.url}${where}`, { message: 'Hi' }, { headers: { 'accept-encoding': 'gzip, deflate, br' } });
      for (const [i, g] of gates.entries()) {
        await c.until((e) => e.data.includes(`t${i} `));
        g.open();
      }
      await c.all();
      assert.equal((where === '/chat' ? readChat : readStream)(c).text, gates.map((_, i) => `t${i} `).join(''));
    });

    test('conversations, and errors in JSON with their status', opts, async () => {
      p.respond(simple('hello'));
      const first = await chat(h, 'Hi');
      assert.equal((await settled(h, first.conversation_id)).answer.content, 'hello');
      assertError(await get(`${h.url}/no/such/thing`), 404, 'not_found');
      assertError(await request(`${h.url}/chat`, { method: 'PUT', body: {} }), 405, 'method_not_allowed');
      assertError(await request(`${h.url}/chat`, { method: 'OPTIONS', headers: { origin: 'https://a.test', 'access-control-request-method': 'POST' } }), 403, 'forbidden');
      assertError(await request(`${h.url}/chat`, { method: 'POST', body: '{' }), 400, 'bad_json');
      assertError(await post(`${h.url}/nothing`, 'x'.repeat(200_000)), 404, 'not_found');
      assertError(await post(`${h.url}/chat`, JSON.stringify({ message: 'x'.repeat(9_000_000) })), 413, 'too_large');
      assert.equal((await get(`${h.url}/conversations?q=hello`)).json.conversations.length, 1);
      assert.equal((await request(`${h.url}/conversations`, { method: 'POST', headers: { 'transfer-encoding': 'chunked', 'content-type': 'application/json' }, body: { title: 'in pieces' } })).json.title, 'in pieces');
    });

    test('a client that leaves in mid-answer changes nothing', opts, async () => {
      const g = gate();
      p.respond(held('seen ', g, 'unseen'));
      const c = await stream(`${h.url}/chat/stream`, { message: 'Hi' });
      const { conversation_id: id } = JSON.parse((await c.next()).data);
      await c.until((e) => /seen/.test(e.data));
      c.close();
      g.open();
      const { answer } = await settled(h, id);
      assert.equal(answer.content, 'seen unseen');
      assert.equal(answer.status, 'done');
    });

    test('Stop, from another connection', opts, async () => {
      p.respond(stallAfter('so far '));
      const c = await stream(`${h.url}/chat/stream`, { message: 'Hi' });
      const { conversation_id: id } = JSON.parse((await c.next()).data);
      await c.until((e) => /so far/.test(e.data));
      assert.deepEqual((await request(`${h.url}/conversations/${id}/stop`, { method: 'POST' })).json, { status: 'stopped' });
      await c.all();
      assert.equal(readStream(c).terminal.status, 'stopped');
    });

    test('the diagnose stream is live and knows the server', opts, async () => {
      const c = await stream(`${h.url}/diagnose/stream`, undefined, { method: 'GET' });
      assert.equal(JSON.parse((await c.next()).data).server, server.software);
      await c.all();
      const ticks = c.events.filter((e) => e.event === 'tick');
      assert.equal(ticks.length, 6);
      assert.ok(ticks[5].at - ticks[0].at > 300);
      assert.equal((await list(h)).conversations.length > 0, true);
    });
  });
}
