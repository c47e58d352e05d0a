// Starts the real thing for tests: a web server in the foreground from the repository's lighttpd.conf or apache.conf, and with
// it the program, with data in a directory of its own; and ends it again, looking at what it left behind.
// Which server and how it runs the program: hosting.js.
import { spawn, execFileSync } from 'node:child_process';
import { mkdtempSync, writeFileSync, readFileSync, existsSync, mkdirSync, rmSync, readdirSync, readlinkSync, chownSync, chmodSync, statSync, copyFileSync, linkSync, cpSync, openSync, readSync, closeSync } from 'node:fs';
import { createHash } from 'node:crypto';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePort, startProvider, SCALE, SECRET, within, sleep } from '../provider/provider.js';
import { request } from './client.js';
import { HOSTING, HOSTINGS } from './hosting.js';

export const REPO = path.resolve(fileURLToPath(import.meta.url), '../../..');
export const PROGRAM = process.env.PARLEY_PROGRAM ?? path.join(REPO, 'cgi-bin/chat.fcgi');
/** A program of docs/examples/ or tests/apps/, by its name: `make apps` builds them. */
export const appProgram = (name) => path.resolve(REPO, process.env.PARLEY_TEST_BUILD ?? 'build', 'apps', name, 'chat.fcgi');
export { SCALE, SECRET };

export const NOBODY = 65534;
export const APACHE = ['/usr/sbin/apache2', '/usr/sbin/httpd', '/usr/local/apache2/bin/httpd'].find(existsSync) ?? 'apache2';
export const MODULES = ['/usr/lib/apache2/modules', '/usr/lib64/httpd/modules', '/usr/local/apache2/modules'].find(existsSync) ?? 'modules';
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

/** Servers that run: none stays when the tests are ended by a signal. */
const running = new Set();
process.once('exit', () => { for (const child of running) child.kill('SIGTERM'); });
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(130));

/** Words in the log that mean a sanitizer spoke up. */
const SANITIZER = /ERROR: AddressSanitizer|ERROR: LeakSanitizer|runtime error:|WARNING: ThreadSanitizer|SUMMARY: /;

/** {state, ppid, start, cmd} of a process, null when it is gone. */
function processOf(pid) {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    const rest = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return { state: rest[0], ppid: Number(rest[1]), start: rest[19], cmd: readFileSync(`/proc/${pid}/cmdline`, 'latin1').replace(/\0/g, ' ').trim() };
  } catch {
    return null;
  }
}

/** pid → {ppid, start, cmd} of everything that runs. */
function processes() {
  const all = new Map();
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const found = processOf(name);
    if (found) all.set(Number(name), found);
  }
  return all;
}

/** Whether the process that had this pid and start time still runs. */
export function alive(pid, start) {
  const p = processOf(pid);
  return Boolean(p && p.state !== 'Z' && (start === undefined || p.start === start));
}

/** Resolves when pid is gone. */
export async function gone(pid, seconds = 10) {
  const start = processOf(pid)?.start;
  const end = performance.now() + seconds * SCALE * 1000;
  while (start !== undefined && alive(pid, start)) {
    if (performance.now() > end) throw new Error(`process ${pid} still runs after ${seconds * SCALE} s`);
    await sleep(0.02);
  }
}

export function settingsText(settings) {
  return Object.entries(settings).filter(([, v]) => v !== undefined && v !== null).map(([k, v]) => `${k}=${v}\n`).join('');
}

/** The repository's lighttpd.conf or apache.conf with the sign-in block uncommented and/or another number of workers. */
export function confText({ auth, workers, hosting = HOSTING }) {
  const { server } = HOSTINGS[hosting];
  let text = readFileSync(path.join(REPO, `${server}.conf`), 'utf8');
  if (auth) {
    let found = false;
    text = text.replace(/^([ \t]*# sign-in: begin[^\n]*\n)([\s\S]*?)(^[ \t]*# sign-in: end)/m, (_, a, block, z) => {
      found = true;
      return a + block.replace(/^([ \t]*)# ?/gm, '$1') + z;
    });
    if (!found) throw new Error(`${server}.conf has no block between '# sign-in: begin' and '# sign-in: end'`);
  }
  if (workers && hosting === 'lighttpd-fastcgi') {
    if (!/"max-procs"\s*=>\s*[^,)\s]+/.test(text)) throw new Error('lighttpd.conf has no "max-procs"');
    text = text.replace(/"max-procs"\s*=>\s*[^,)\s]+/g, `"max-procs" => ${workers}`);
  }
  return text;
}

/** Lines for the end of a conf: variables that reach the program where the server hands on nothing of its own environment. */
function environmentLines(hosting, env) {
  const entries = Object.entries(env).filter(([k, v]) => v && !/^(PATH|HOME|LANG|TMPDIR)$/.test(k));
  if (!entries.length) return '';
  if (hosting === 'lighttpd-cgi') {                      // its names have no case: http_proxy and HTTP_PROXY are one
    const once = [...new Map(entries.map(([k, v]) => [k.toLowerCase(), [k, v]])).values()];
    return `setenv.set-environment += ( ${once.map(([k, v]) => `"${k}" => "${v}"`).join(', ')} )\n`;
  }
  const directive = { 'apache-fcgid': 'FcgidInitialEnv', 'apache-cgi': 'SetEnv', 'apache-cgi-prefork': 'SetEnv' }[hosting];
  return directive ? entries.map(([k, v]) => `${directive} ${k} "${v}"\n`).join('') : '';
}

/** Gives what is there to nobody: the folder of a database with its files, and the way to it below the temporary folder. */
function giveAway(db) {
  const dir = path.dirname(db);
  if (!dir.startsWith(tmpdir()) || !existsSync(dir)) return;
  for (let up = dir; up.length > tmpdir().length; up = path.dirname(up)) chmodSync(up, statSync(up).mode | 0o011);
  chownSync(dir, NOBODY, NOBODY);
  for (const f of [db, `${db}-wal`, `${db}-shm`]) if (existsSync(f)) chownSync(f, NOBODY, NOBODY);
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
export function sanitizerLogs(dir) {
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
  for (const x of [child, child.stdin, child.stdout, child.stderr]) x.unref();    // a test that fails leaves it behind
  let text = '';
  let err = '';
  let wake = () => {};
  child.stdout.on('data', (d) => { text += d; wake(); });
  child.stderr.on('data', (d) => { err += d; wake(); });
  child.stdin.write(".timeout 10000\nBEGIN IMMEDIATE;\nSELECT 'lock' || 'ed';\n");
  await within(15, (async () => { while (!text.includes('locked') && !err) await new Promise((r) => { wake = r; }); })(), 'the lock on the database');
  if (err) { child.kill(); throw new Error(`the database could not be locked: ${err}`); }
  return {
    release: () => new Promise((resolve) => { child.ref(); if (child.exitCode !== null) return resolve(); child.once('exit', resolve); child.stdin.end('ROLLBACK;\n'); }),
  };
}

/**
 * Starts the server and the program.
 *  settings   KEY: value for the settings file (on top of TEST_SETTINGS; undefined removes one)
 *  auth       true: Basic sign-in for alice and bob (password = name)
 *  workers    number of worker processes where lighttpd starts them (default: what lighttpd.conf says)
 *  dir        a directory to keep things in (default: a new one, removed by stop())
 *  env        more environment; unprivileged: run as nobody when we are root; limits: prefix command, such as ['prlimit','--nofile=64']
 *  ready      false: do not wait for /health
 *  mount      where everything is, such as '/parley'; s.url has it at its end, s.origin has not
 *  hosting    one of HOSTINGS (default: the one the suite runs on)
 *  edit       a function that changes the text of the conf
 *  app        a program of docs/examples/ or tests/apps/ in place of the chat
 */
export async function startServer({ settings = {}, auth = false, workers, dir, env = {}, unprivileged = false, prefix = [], ready = true, conf, mount = '', hosting = HOSTING, edit, app } = {}) {
  if (!existsSync(PROGRAM)) throw new Error(`${PROGRAM} is not there: run make first`);
  const { server, mode, defines = [] } = HOSTINGS[hosting];
  const own = !dir;
  dir ??= mkdtempSync(path.join(tmpdir(), 'parley-test-'));
  mkdirSync(dir, { recursive: true });
  const db = settings.PARLEY_DB ?? path.join(dir, 'parley.db');
  const file = path.join(dir, 'run.env');
  const reporting = process.env.PARLEY_TEST_BUILD ? { SANDBOX_WRITE: dir } : {};    // a sanitizer opens its report late
  writeFileSync(file, settingsText({ PARLEY_DB: db, ...TEST_SETTINGS, ...reporting, ...settings }), { mode: 0o600 });
  chmodSync(file, 0o600);
  const htpasswd = path.join(dir, 'htpasswd');
  if (auth) {
    writeFileSync(htpasswd, ['alice', 'bob'].map((u) => `${u}:{SHA}${createHash('sha1').update(u).digest('base64')}\n`).join(''), { mode: 0o600 });
  }
  // Apache does not serve as root, and some tests want nobody in any case; nobody may not be able to read the repository: a copy of what is needed
  const asNobody = process.getuid() === 0 && (unprivileged || server === 'apache');
  let root = REPO, program = app ? appProgram(app) : PROGRAM;
  if (asNobody) {
    root = path.join(dir, 'root');
    cpSync(path.join(REPO, 'www'), path.join(root, 'www'), { recursive: true });
    mkdirSync(path.join(root, 'cgi-bin'), { recursive: true });
    program = path.join(root, 'cgi-bin/chat.fcgi');
    copyFileSync(app ? appProgram(app) : PROGRAM, program);
  }
  let cgi = program.replace(/\.fcgi$/, '.cgi');
  if (!existsSync(cgi)) {
    if (!asNobody) cgi = path.join(dir, 'chat.cgi');
    try { linkSync(program, cgi); } catch { copyFileSync(program, cgi); }
  }
  const handedOn = { ...sanitizerLogs(dir), ...env };
  for (const k of ['LSAN_OPTIONS', 'LD_PRELOAD']) if (process.env[k]) handedOn[k] ??= process.env[k];
  let confFile = conf ?? path.join(REPO, `${server}.conf`);
  const added = environmentLines(hosting, handedOn);
  if (auth || workers || added || edit || asNobody) {
    let text = conf ? readFileSync(conf, 'utf8') : confText({ auth, workers, hosting });
    if (edit) text = edit(text);
    confFile = path.join(dir, `${server}.conf`);
    writeFileSync(confFile, text + added);
  }
  const drop = asNobody ? { uid: NOBODY, gid: NOBODY } : {};
  if (asNobody) {
    for (const f of [dir, file, htpasswd, confFile]) if (existsSync(f)) chownSync(f, NOBODY, NOBODY);
    if (!unprivileged) giveAway(db);
    else if (db.startsWith(dir) && existsSync(db)) chownSync(db, NOBODY, NOBODY);
  }

  const s = { dir, db, hosting, settingsFile: file, stopped: false, restarts: 0 };
  let text = '';
  const logFile = path.join(dir, 'apache.log');          // Apache cannot open our pipe as its log
  let logRead = 0;
  /** Adds what Apache's log has more. */
  const pull = () => {
    if (server !== 'apache' || !existsSync(logFile)) return;
    const fd = openSync(logFile, 'r');
    const piece = Buffer.alloc(1 << 16);
    for (let n; (n = readSync(fd, piece, 0, piece.length, logRead)) > 0; logRead += n) text += piece.toString('utf8', 0, n);
    closeSync(fd);
  };
  s.log = () => { pull(); return text; };
  const logWaiters = new Set();
  const take = (d) => { text += d; for (const f of logWaiters) f(); };

  for (let attempt = 0; ; attempt++) {
    s.port = await freePort();
    s.origin = `http://127.0.0.1:${s.port}`;
    s.url = s.origin + mount;
    const from = s.log().length;
    const [cmd, ...args] = server === 'lighttpd' ? [...prefix, LIGHTTPD, '-D', '-f', confFile]
      : [...prefix, APACHE, '-f', confFile, '-DFOREGROUND', ...defines.flatMap((d) => ['-D', d])];
    const environment = cleanEnv({
      PARLEY_ROOT: root, PARLEY_PROGRAM: program, PARLEY_CGI: cgi, PARLEY_VAR: dir, PARLEY_MODE: mode, PARLEY_MODULES: MODULES, PARLEY_PREFIX: mount, PARLEY_LOG: logFile,
      APP_HOST: '127.0.0.1', APP_PORT: String(s.port), PARLEY_CONFIG: file, PARLEY_HTPASSWD: htpasswd, ...sanitizerLogs(dir), ...env,
    });
    if (hosting === 'apache-fastcgi') startWorker(s, [...prefix, program, '--listen', `unix:${path.join(dir, `chat-${s.port}.sock`)}`], { cwd: root, ...drop, env: { ...environment, GLIBC_TUNABLES: 'glibc.malloc.tcache_max=128' } }, take);
    // Apache with prefork ends its whole process group when it is told to stop: each gets one of its own
    const child = spawn(cmd, args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'], ...drop, env: environment, detached: server === 'apache' });
    running.add(child);
    child.once('exit', () => running.delete(child));
    child.stdout.on('data', take);
    child.stderr.on('data', take);
    s.child = child;
    s.exit = undefined;
    s.exited = new Promise((r) => child.once('exit', (code, signal) => { s.exit = { code, signal }; r(s.exit); }));
    s.closed = new Promise((r) => child.once('close', r));            // all that held our stderr are gone
    child.once('error', (e) => take(`cannot start ${server}: ${e.message}\n`));
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
    const said = s.log().slice(from);
    if (!s.exit) { child.kill('SIGTERM'); await s.exited; }
    await s.endWorker?.();
    if (attempt < 3 && /address already in use/i.test(said)) continue;
    if (own) rmSync(dir, { recursive: true, force: true });
    throw new Error(`${server} is not up (${JSON.stringify(s.exit)}):\n${said.slice(-4000)}`);
  }

  s.pid = s.child.pid;
  const reports = () => readdirSync(dir).filter((f) => f.startsWith('sanitizer.')).map((f) => readFileSync(path.join(dir, f), 'utf8')).join('\n');
  const programs = () => [...processes()].filter(([pid, p]) => p.state !== 'Z' && /^\S*chat\.f?cgi\b/.test(p.cmd) && hasVariable(pid, `PARLEY_CONFIG=${file}`));
  /** Processes of this server that make answers, as pids. A process whose only work is to stand before another one is not among them. */
  s.workers = () => {
    const found = programs();
    return found.filter(([pid]) => !found.some(([, p]) => p.ppid === pid)).map(([pid, p]) => ({ pid, start: p.start }));
  };
  s.workerPids = () => s.workers().map((w) => w.pid);
  /** Fails when one of these workers (from workerPids() before) has ended. Plain CGI processes come and go: a crash of one is an answer that is not whole. */
  s.noneEnded = (pids) => {
    if (mode === 'cgi') return;
    const now = s.workerPids();
    if (mode === 'fastcgi' && now.length !== pids.length) throw new Error(`workers ${pids} became ${now}`);
    for (const pid of pids) if (!now.includes(pid)) throw new Error(`worker ${pid} ended; there are ${now}`);
  };
  /** Resolves when the log has a line like this. */
  s.logged = (pattern, seconds = 10) => within(seconds, new Promise((resolve) => {
    const look = () => { if (pattern.test(text)) { logWaiters.delete(look); resolve(); } };
    logWaiters.add(look);
    look();
    const poll = setInterval(() => { if (logWaiters.has(look)) { pull(); look(); } else clearInterval(poll); }, 50);
    poll.unref();
  }), `${pattern} in the log`);
  /** Open descriptors of the first worker. */
  s.descriptors = (pid = s.workerPids()[0]) => readdirSync(`/proc/${pid}/fd`).map((fd) => { try { return readlinkSync(`/proc/${pid}/fd/${fd}`); } catch { return ''; } });
  /** Resident kilobytes of a worker. */
  s.rss = (pid = s.workerPids()[0]) => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1] ?? 0);

  /** Graceful: the server takes its configuration anew, or ends when its answers have; `kill` asks for the immediate end. */
  s.reload = () => s.child.kill('SIGUSR1');
  s.endGracefully = () => { s.ending = true; return s.child.kill(server === 'apache' ? 'SIGWINCH' : 'SIGINT'); };

  /**
   * Ends the server and its workers, by pid, and looks at what they left: exit status, sanitizer reports, keys in the
   * log, a sound database, no answer left 'streaming'.
   */
  s.stop = async ({ check = true, checkDb = true, exitCode = 0 } = {}) => {
    if (s.stopped) return s.exit;
    s.stopped = true;
    const problems = [];
    const mine = programs().map(([pid, p]) => ({ pid, start: p.start }));
    const worker = s.endWorker?.();
    if (s.exit && !s.ending) problems.push(`${server} had ended before it was asked to: ${JSON.stringify(s.exit)}`);
    if (!s.exit) s.child.kill('SIGTERM');
    try { await within(15, s.exited, `the end of ${server}`); } catch (e) { problems.push(e.message); s.child.kill('SIGKILL'); await s.exited; }
    // lighttpd that is told to end while it starts another worker in place of one that was killed forgets the new one
    if (hosting === 'lighttpd-fastcgi') for (const [pid, w] of programs()) if (!mine.some((m) => m.pid === pid)) { mine.push({ pid, start: w.start }); try { process.kill(pid, 'SIGTERM'); } catch { /* gone */ } }
    // processes that outlive the server by design, to finish their answers, are asked to stop as an administrator would
    if (mode !== 'fastcgi') for (const pid of s.workerPids()) { try { process.kill(pid, 'SIGTERM'); } catch { /* gone */ } }
    for (const w of mine) {
      const end = performance.now() + 40 * SCALE * 1000;
      while (alive(w.pid, w.start) && performance.now() < end) await sleep(0.02);
      if (alive(w.pid, w.start)) {
        problems.push(`worker ${w.pid} still runs after ${server} ended`);
        process.kill(w.pid, 'SIGKILL');
      }
    }
    const exit = await worker;
    if (exit && exit.code !== 0) problems.push(`the worker ended with ${JSON.stringify(exit)}`);
    try { await within(10, s.closed, 'the last writer of the log'); } catch (e) { problems.push(e.message); }
    pull();
    // lighttpd 1.4.69 ends with 1 instead of 0 when a connection was open within the last second; it did stop in good order
    const orderly = server === 'lighttpd' && s.exit.code === 1 && /server stopped by/.test(text);
    if (s.exit.code !== exitCode && !orderly && s.exit.signal !== 'SIGTERM') problems.push(`${server} ended with ${JSON.stringify(s.exit)}`);
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

/** Whether the process was started with this variable. */
function hasVariable(pid, text) {
  try { return `\0${readFileSync(`/proc/${pid}/environ`, 'latin1')}`.includes(`\0${text}\0`); } catch { return false; }
}

/** The worker that Apache only connects to: ours to start, to start again when it has ended, and to end (s.endWorker). */
function startWorker(s, [cmd, ...args], options, take) {
  let child;
  let exited;
  let ending = false;
  const start = () => {
    child = spawn(cmd, args, { ...options, stdio: ['ignore', 'pipe', 'pipe'] });
    child.stdout.on('data', take);
    child.stderr.on('data', take);
    exited = new Promise((r) => child.once('close', (code, signal) => {
      r({ code, signal });
      if (!ending) start();
    }));
    child.once('error', (e) => { ending = true; take(`cannot start the worker: ${e.message}\n`); });
  };
  start();
  s.endWorker = () => { ending = true; child.kill('SIGTERM'); return within(60, exited, 'the end of the worker').catch((e) => { child.kill('SIGKILL'); return { code: e.message }; }); };
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
