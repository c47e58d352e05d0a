// Starts the real thing for tests: lighttpd in the foreground from the repository's lighttpd.conf, which spawns the
// worker, with data in a directory of its own; and ends it again, looking at what it left behind.
import { spawn, execFileSync } from 'node:child_process';
import { mkdtempSync, writeFileSync, readFileSync, existsSync, mkdirSync, rmSync, readdirSync, readlinkSync, chownSync, chmodSync, copyFileSync, cpSync } from 'node:fs';
import { createHash } from 'node:crypto';
import { tmpdir } from 'node:os';
import net from 'node:net';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { startProvider, SCALE, SECRET, within, sleep } from '../provider/provider.js';
import { request } from './client.js';

export const REPO = path.resolve(fileURLToPath(import.meta.url), '../../..');
export const PROGRAM = process.env.PARLEY_PROGRAM ?? path.join(REPO, 'cgi-bin/chat.fcgi');
export { SCALE, SECRET };

const LIGHTTPD = ['/usr/sbin/lighttpd', '/usr/local/sbin/lighttpd', '/sbin/lighttpd', '/usr/bin/lighttpd'].find(existsSync) ?? 'lighttpd';

/** What every test starts from; a test's own settings win. */
export const TEST_SETTINGS = {
  OPENAI_API_KEY: SECRET,
  LLM_MODEL: 'test-model',
  LOG_LEVEL: 'debug',                     // so that a key or a prompt in any log line is found
  RETRY_BASE_SECONDS: '0.02',
  RETRY_CAP_SECONDS: '1',
  HEADER_HOLD_SECONDS: String(5 * SCALE),
};

/** Words in the log that mean a sanitizer spoke up. */
const SANITIZER = /ERROR: AddressSanitizer|ERROR: LeakSanitizer|runtime error:|WARNING: ThreadSanitizer|SUMMARY: /;

async function freePort() {
  // below the ephemeral range, so that no outgoing connection takes it meanwhile
  for (let i = 0; i < 200; i++) {
    const port = 12000 + Math.floor(Math.random() * 18000);
    const ok = await new Promise((resolve) => {
      const s = net.createServer();
      s.once('error', () => resolve(false));
      s.listen(port, '127.0.0.1', () => s.close(() => resolve(true)));
    });
    if (ok) return port;
  }
  throw new Error('no free port');
}

/** pid → {ppid, start, cmd} of everything that runs. */
function processes() {
  const all = new Map();
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const stat = readFileSync(`/proc/${name}/stat`, 'latin1');
      const rest = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      all.set(Number(name), { state: rest[0], ppid: Number(rest[1]), start: rest[19], cmd: readFileSync(`/proc/${name}/cmdline`, 'latin1').replace(/\0/g, ' ').trim() });
    } catch { /* gone meanwhile */ }
  }
  return all;
}

/** Whether the process that had this pid and start time still runs. */
export function alive(pid, start) {
  const p = processes().get(pid);
  return Boolean(p && p.state !== 'Z' && (start === undefined || p.start === start));
}

/** Resolves when pid is gone. */
export async function gone(pid, seconds = 10) {
  const start = processes().get(pid)?.start;
  const end = performance.now() + seconds * SCALE * 1000;
  while (start !== undefined && alive(pid, start)) {
    if (performance.now() > end) throw new Error(`process ${pid} still runs after ${seconds * SCALE} s`);
    await sleep(0.02);
  }
}

export function settingsText(settings) {
  return Object.entries(settings).filter(([, v]) => v !== undefined && v !== null).map(([k, v]) => `${k}=${v}\n`).join('');
}

/** The repository's lighttpd.conf with the sign-in block uncommented and/or another number of workers. */
export function confText({ auth, workers }) {
  let text = readFileSync(path.join(REPO, 'lighttpd.conf'), 'utf8');
  if (auth) {
    let found = false;
    text = text.replace(/^([ \t]*# sign-in: begin[^\n]*\n)([\s\S]*?)(^[ \t]*# sign-in: end)/m, (_, a, block, z) => {
      found = true;
      return a + block.replace(/^([ \t]*)# ?/gm, '$1') + z;
    });
    if (!found) throw new Error("lighttpd.conf has no block between '# sign-in: begin' and '# sign-in: end'");
  }
  if (workers) {
    if (!/"max-procs"\s*=>\s*[^,)\s]+/.test(text)) throw new Error('lighttpd.conf has no "max-procs"');
    text = text.replace(/"max-procs"\s*=>\s*[^,)\s]+/g, `"max-procs" => ${workers}`);
  }
  return text;
}

/** The environment of the server: nothing of the developer's own keys and settings gets in. */
function cleanEnv(more) {
  const env = { PATH: process.env.PATH, HOME: '/nonexistent', LANG: 'C.UTF-8', ...more };
  for (const k of ['ASAN_OPTIONS', 'UBSAN_OPTIONS', 'TSAN_OPTIONS', 'LSAN_OPTIONS', 'TMPDIR', 'LD_PRELOAD', 'LD_LIBRARY_PATH']) {
    if (process.env[k]) env[k] = process.env[k];
  }
  return env;
}

/** Sanitizers write to files of the test's directory: in the log their reports would be mixed with the lines of other threads. */
function sanitizerLogs(dir) {
  const out = {};
  for (const k of ['ASAN_OPTIONS', 'UBSAN_OPTIONS', 'TSAN_OPTIONS']) out[k] = `${process.env[k] ? `${process.env[k]}:` : ''}log_path=${path.join(dir, 'sanitizer')}`;
  return out;
}

/** Runs one SQL text in the database with the sqlite3 shell; rows as objects. */
export function sql(db, text, { readonly = true } = {}) {
  const out = execFileSync('sqlite3', [...(readonly ? ['-readonly'] : []), '-json', '-cmd', '.timeout 5000', db, text], { encoding: 'utf8', maxBuffer: 1 << 28 });
  return out.trim() ? JSON.parse(out) : [];
}

/** Everything a sound database says about itself: [] when all is well. */
export function dbProblems(db) {
  const bad = [];
  for (const r of sql(db, 'PRAGMA integrity_check')) if (r.integrity_check !== 'ok') bad.push(`integrity_check: ${r.integrity_check}`);
  for (const r of sql(db, 'PRAGMA foreign_key_check')) bad.push(`foreign_key_check: ${JSON.stringify(r)}`);
  return bad;
}

/** Another process that holds the write lock of the database until release(). */
export async function lockDatabase(db) {
  const child = spawn('sqlite3', ['-batch', db], { stdio: ['pipe', 'pipe', 'pipe'] });
  let text = '';
  let err = '';
  let wake = () => {};
  child.stdout.on('data', (d) => { text += d; wake(); });
  child.stderr.on('data', (d) => { err += d; wake(); });
  child.stdin.write(".timeout 10000\nBEGIN IMMEDIATE;\nSELECT 'lock' || 'ed';\n");
  await within(15, (async () => { while (!text.includes('locked') && !err) await new Promise((r) => { wake = r; }); })(), 'the lock on the database');
  if (err) { child.kill(); throw new Error(`the database could not be locked: ${err}`); }
  return {
    release: () => new Promise((resolve) => { child.once('exit', resolve); child.stdin.end('ROLLBACK;\n'); }),
  };
}

/**
 * Starts lighttpd and its worker.
 *  settings   KEY: value for the settings file (on top of TEST_SETTINGS; undefined removes one)
 *  auth       true: Basic sign-in for alice and bob (password = name)
 *  workers    number of worker processes (default: what lighttpd.conf says)
 *  dir        a directory to keep things in (default: a new one, removed by stop())
 *  env        more environment; unprivileged: run as nobody when we are root; limits: prefix command, such as ['prlimit','--nofile=64']
 *  ready      false: do not wait for /health
 */
export async function startServer({ settings = {}, auth = false, workers, dir, env = {}, unprivileged = false, prefix = [], ready = true, conf } = {}) {
  if (!existsSync(PROGRAM)) throw new Error(`${PROGRAM} is not there: run make first`);
  const own = !dir;
  dir ??= mkdtempSync(path.join(tmpdir(), 'parley-test-'));
  mkdirSync(dir, { recursive: true });
  const db = settings.PARLEY_DB ?? path.join(dir, 'parley.db');
  const file = path.join(dir, 'run.env');
  writeFileSync(file, settingsText({ PARLEY_DB: db, ...TEST_SETTINGS, ...settings }), { mode: 0o600 });
  chmodSync(file, 0o600);
  const htpasswd = path.join(dir, 'htpasswd');
  if (auth) {
    writeFileSync(htpasswd, ['alice', 'bob'].map((u) => `${u}:{SHA}${createHash('sha1').update(u).digest('base64')}\n`).join(''), { mode: 0o600 });
  }
  let confFile = conf ?? path.join(REPO, 'lighttpd.conf');
  if (auth || workers) {
    confFile = path.join(dir, 'lighttpd.conf');
    writeFileSync(confFile, confText({ auth, workers }));
  }
  // nobody may not be able to read the repository: a copy of what is needed
  let root = REPO, program = PROGRAM;
  if (unprivileged && process.getuid() === 0) {
    root = path.join(dir, 'root');
    cpSync(path.join(REPO, 'www'), path.join(root, 'www'), { recursive: true });
    program = path.join(root, 'chat.fcgi');
    copyFileSync(PROGRAM, program);
    const copy = path.join(root, 'lighttpd.conf');
    copyFileSync(confFile, copy);
    confFile = copy;
  }
  const drop = unprivileged && process.getuid() === 0 ? { uid: 65534, gid: 65534 } : {};
  if (drop.uid) for (const f of [dir, file, htpasswd, confFile, db]) if (f.startsWith(dir) && existsSync(f)) chownSync(f, 65534, 65534);

  const s = { dir, db, settingsFile: file, stopped: false, restarts: 0 };
  let text = '';
  s.log = () => text;
  const logWaiters = new Set();

  for (let attempt = 0; ; attempt++) {
    s.port = await freePort();
    s.url = `http://127.0.0.1:${s.port}`;
    const from = text.length;
    const [cmd, ...args] = [...prefix, LIGHTTPD, '-D', '-f', confFile];
    const child = spawn(cmd, args, {
      cwd: root, stdio: ['ignore', 'pipe', 'pipe'], ...drop,
      env: cleanEnv({ PARLEY_ROOT: root, PARLEY_PROGRAM: program, PARLEY_VAR: dir, APP_HOST: '127.0.0.1', APP_PORT: String(s.port), PARLEY_CONFIG: file, PARLEY_HTPASSWD: htpasswd, ...sanitizerLogs(dir), ...env }),
    });
    const take = (d) => { text += d; for (const f of logWaiters) f(); };
    child.stdout.on('data', take);
    child.stderr.on('data', take);
    s.child = child;
    s.exited = new Promise((r) => child.once('exit', (code, signal) => { s.exit = { code, signal }; r(s.exit); }));
    s.closed = new Promise((r) => child.once('close', r));            // all that held our stderr are gone
    child.once('error', (e) => take(`cannot start lighttpd: ${e.message}\n`));
    if (!ready) break;
    const until = performance.now() + 20 * SCALE * 1000;
    let up = false;
    while (!s.exit && performance.now() < until) {
      try {
        const r = await request(`${s.url}/health`, { seconds: 5, auth: auth ? 'alice' : undefined });
        if (r.status === 200 && r.json?.status === 'healthy') { up = true; break; }
      } catch { /* not yet */ }
      await Promise.race([sleep(0.02), s.exited]);
    }
    if (up && !s.exit) break;
    const said = text.slice(from);
    await s.stop?.();
    if (!s.exit) { child.kill('SIGTERM'); await s.exited; }
    if (attempt < 3 && /address already in use/i.test(said)) continue;
    if (own) rmSync(dir, { recursive: true, force: true });
    throw new Error(`lighttpd is not up (${JSON.stringify(s.exit)}):\n${said.slice(-4000)}`);
  }

  s.pid = s.child.pid;
  const reports = () => readdirSync(dir).filter((f) => f.startsWith('sanitizer.')).map((f) => readFileSync(path.join(dir, f), 'utf8')).join('\n');
  /** Worker processes of this server, as pids. */
  s.workers = () => [...processes()].filter(([, p]) => p.ppid === s.pid && p.state !== 'Z' && /chat\.fcgi/.test(p.cmd)).map(([pid, p]) => ({ pid, start: p.start }));
  s.workerPids = () => s.workers().map((w) => w.pid);
  /** Resolves when the log has a line like this. */
  s.logged = (pattern, seconds = 10) => within(seconds, new Promise((resolve) => {
    const look = () => { if (pattern.test(text)) { logWaiters.delete(look); resolve(); } };
    logWaiters.add(look);
    look();
  }), `${pattern} in the log`);
  /** Open descriptors of the first worker. */
  s.descriptors = (pid = s.workerPids()[0]) => readdirSync(`/proc/${pid}/fd`).map((fd) => { try { return readlinkSync(`/proc/${pid}/fd/${fd}`); } catch { return ''; } });
  /** Resident kilobytes of a worker. */
  s.rss = (pid = s.workerPids()[0]) => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1] ?? 0);

  /**
   * Ends lighttpd and its workers, by pid, and looks at what they left: exit status, sanitizer reports, keys in the
   * log, a sound database, no answer left 'streaming'.
   */
  s.stop = async ({ check = true, checkDb = true, exitCode = 0 } = {}) => {
    if (s.stopped) return s.exit;
    s.stopped = true;
    const problems = [];
    const mine = s.workers();
    if (!s.exit) s.child.kill('SIGTERM');
    try { await within(15, s.exited, 'the end of lighttpd'); } catch (e) { problems.push(e.message); s.child.kill('SIGKILL'); await s.exited; }
    for (const w of mine) {
      const end = performance.now() + 40 * SCALE * 1000;
      while (alive(w.pid, w.start) && performance.now() < end) await sleep(0.02);
      if (alive(w.pid, w.start)) {
        problems.push(`worker ${w.pid} still runs after lighttpd ended`);
        process.kill(w.pid, 'SIGKILL');
      }
    }
    try { await within(10, s.closed, 'the last writer of the log'); } catch (e) { problems.push(e.message); }
    // lighttpd 1.4.69 ends with 1 instead of 0 when a connection was open within the last second; it did stop in good order
    const orderly = s.exit.code === 1 && /server stopped by/.test(text);
    if (s.exit.code !== exitCode && !orderly && s.exit.signal !== 'SIGTERM') problems.push(`lighttpd ended with ${JSON.stringify(s.exit)}`);
    const said = reports();
    if (said) text += `\n${said}`;
    const spoken = SANITIZER.exec(text);
    if (spoken) problems.push(`a sanitizer spoke: ${text.slice(Math.max(0, spoken.index - 200), spoken.index + 6000)}`);
    if (text.includes(SECRET)) problems.push(`the provider key is in the log: ${text.slice(Math.max(0, text.indexOf(SECRET) - 200), text.indexOf(SECRET) + 80)}`);
    if (check && checkDb && existsSync(db)) {
      try { problems.push(...dbProblems(db)); } catch (e) { problems.push(`the database cannot be looked at: ${e.message}`); }
    }
    if (own) rmSync(dir, { recursive: true, force: true });
    if (check && problems.length) throw new Error(`${problems.join('\n')}\n--- log ---\n${text.slice(-6000)}`);
    return s.exit;
  };
  return s;
}

/**
 * A provider and a server for the length of one function; both are stopped and looked at afterwards.
 *   await withServer({settings: {…}}, async (s, p) => { … })
 */
export async function withServer(opts, fn) {
  const p = await startProvider();
  let s;
  let failed = true;
  try {
    s = await startServer({ ...opts, settings: { LLM_BASE_URL: p.url, ...opts.settings } });
    const r = await fn(s, p);
    failed = false;
    return r;
  } catch (e) {
    if (s && !/--- log ---/.test(e.message)) { try { e.message += `\n--- log ---\n${s.log().slice(-3000)}`; } catch { /* fixed message */ } }
    throw e;
  } finally {
    if (!failed) {                                   // waiting answers are let go by the provider first
      try { await s.stop(opts.stop); } finally { await p.stop(); }
    } else {
      await p.stop().catch(() => {});
      await s?.stop({ check: false }).catch(() => {});
    }
  }
}

/** One provider and one server for a whole file: const at = shared(before, after); then at.s and at.p in the tests. */
export function shared({ before, after, beforeEach }, opts = {}) {
  const at = { s: null, p: null };
  before(async () => {
    at.p = await startProvider();
    try {
      at.s = await startServer({ ...opts, settings: { LLM_BASE_URL: at.p.url, ...opts.settings } });
    } catch (e) {
      await at.p.stop();                              // or its listener would keep this file running for ever
      at.p = null;
      throw e;
    }
  });
  beforeEach?.(() => at.p.reset(null));
  after(async () => {
    try { await at.s?.stop(opts.stop); } finally { await at.p?.stop(); }
  });
  return at;
}
