// Measures the bars of the design that can be measured on one machine in a few minutes, and prints them as one table.
//
//   node tests/bench/bench.js [part …]        parts: idle cgi one first 100 cpu50 500 1000 flat answers fastapi; none named: all
//
// Provider, clients and yardstick are the C programs beside this file, built into build/bench. Servers are lighttpd with the repository's lighttpd.conf and PARLEY_PROGRAM
// (default cgi-bin/chat.fcgi) or the bare relay in its place, each started fresh in a folder of its own. What can be a ratio to something measured in the same minute is
// one: to the provider asked directly (time) and to the bare relay (CPU). It is no test: it always ends with 0, whatever the numbers; "others" says how much of the
// machine was used by programs that are not part of it. BENCH_SCALE=0.5 halves the times. Everything is ended by its pid.
import { spawn, execFileSync } from 'node:child_process';
import { mkdtempSync, writeFileSync, readFileSync, existsSync, mkdirSync, rmSync, readdirSync, openSync, closeSync, writeSync, fdatasyncSync, statSync, copyFileSync, linkSync } from 'node:fs';
import { tmpdir, cpus } from 'node:os';
import net from 'node:net';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const HERE = path.dirname(fileURLToPath(import.meta.url));
const REPO = path.resolve(HERE, '../..');
const OUT = path.join(REPO, 'build/bench');
const SCALE = Number(process.env.BENCH_SCALE ?? 1);
const LIGHTTPD = ['/usr/sbin/lighttpd', '/usr/local/sbin/lighttpd', '/sbin/lighttpd', '/usr/bin/lighttpd'].find(existsSync) ?? 'lighttpd';
const DIR = mkdtempSync(path.join(process.env.BENCH_DIR ?? tmpdir(), 'parley-bench-'));
const PROGRAM = path.join(DIR, 'chat.fcgi');   // a copy: a build in the middle of the run changes nothing
const CGI = path.join(DIR, 'chat.cgi');
const children = new Set();

const sleep = (seconds) => new Promise((r) => setTimeout(r, seconds * 1000));
const scaled = (seconds) => Math.max(1, seconds * SCALE);

// --- processes ---------------------------------------------------------------------------------------------------------

function start(cmd, args, options = {}) {
  const child = spawn(cmd, args, { stdio: ['ignore', 'pipe', 'inherit'], ...options });
  children.add(child);
  child.ended = new Promise((resolve) => child.once('exit', (code, signal) => { children.delete(child); resolve({ code, signal }); }));
  child.once('error', (e) => { console.error(`${cmd}: ${e.message}`); children.delete(child); });
  return child;
}

async function end(child, seconds = 5) {
  if (!children.has(child)) return;
  child.kill('SIGTERM');
  if (await Promise.race([child.ended, sleep(seconds)])) return;
  child.kill('SIGKILL');
  await child.ended;
}

function stat(pid) {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
    const rest = text.slice(text.lastIndexOf(')') + 2).split(' ');
    return { state: rest[0], ppid: Number(rest[1]), ticks: Number(rest[11]) + Number(rest[12]), start: rest[19] };
  } catch { return null; }
}

const childOf = (pid) => readdirSync('/proc').filter((n) => /^\d+$/.test(n)).map(Number).find((n) => stat(n)?.ppid === pid && stat(n).state !== 'Z');

function memory(pid) {
  const text = readFileSync(`/proc/${pid}/smaps_rollup`, 'latin1');
  const kb = (name) => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(text)[1]);
  return { rss: kb('Rss'), pss: kb('Pss'), dirty: kb('Private_Dirty'), own: kb('Private_Dirty') + kb('Private_Clean') };
}

/** Ticks that the whole machine worked. */
const busyTicks = () => {
  const f = readFileSync('/proc/stat', 'latin1').split('\n')[0].trim().split(/\s+/).slice(1).map(Number);
  return f[0] + f[1] + f[2] + f[5] + f[6];
};

async function freePort() {
  return new Promise((resolve, reject) => {
    const s = net.createServer();
    s.once('error', reject);
    s.listen(0, '127.0.0.1', () => { const { port } = s.address(); s.close(() => resolve(port)); });
  });
}

async function healthy(port, child, seconds = 15) {
  for (const until = Date.now() + seconds * 1000; Date.now() < until && children.has(child);) {
    try { if ((await fetch(`http://127.0.0.1:${port}/health`)).status < 500) return; } catch { /* not yet */ }
    await sleep(0.03);
  }
  throw new Error(`nothing answers at port ${port}`);
}

// --- what is measured --------------------------------------------------------------------------------------------------

let provider;

async function startProvider() {
  const child = start(path.join(OUT, 'provider'), []);
  const line = await new Promise((resolve) => child.stdout.once('data', (d) => resolve(String(d))));
  return { child, pid: child.pid, port: Number(/port (\d+)/.exec(line)[1]), path: '/v1/chat/completions', pids: {} };
}

/** lighttpd and a program behind it: the worker, or the bare relay. */
async function startServer(program, settings = {}, mode = 'fastcgi') {
  const dir = mkdtempSync(path.join(DIR, 's-'));
  const port = await freePort();
  const file = path.join(dir, 'run.env');
  const all = { PARLEY_DB: path.join(dir, 'parley.db'), LLM_BASE_URL: `http://127.0.0.1:${provider.port}/v1`, LLM_MODEL: 't1-r0', OPENAI_API_KEY: 'none', ...settings };
  writeFileSync(file, Object.entries(all).map(([k, v]) => `${k}=${v}\n`).join(''), { mode: 0o600 });
  const log = openSync(path.join(dir, 'log'), 'a');
  const child = start(LIGHTTPD, ['-D', '-f', path.join(REPO, 'lighttpd.conf')], {
    cwd: REPO, stdio: ['ignore', log, log],
    env: { PATH: process.env.PATH, PARLEY_ROOT: REPO, PARLEY_VAR: dir, PARLEY_MODE: mode, PARLEY_PROGRAM: program, PARLEY_CGI: CGI, PARLEY_PREFIX: '', PARLEY_CONFIG: file, APP_HOST: '127.0.0.1', APP_PORT: String(port), PARLEY_HTPASSWD: '/dev/null' },
  });
  closeSync(log);
  try {
    if (program === PROGRAM) await healthy(port, child);
    else await sleep(0.3);
  } catch (e) {
    throw new Error(`${e.message}\n${readFileSync(path.join(dir, 'log'), 'utf8').slice(-2000)}`);
  }
  const worker = mode === 'cgi' ? 0 : childOf(child.pid);
  const begun = stat(worker)?.start;
  const stop = async () => {
    await end(child);
    const runs = () => begun !== undefined && stat(worker)?.start === begun && stat(worker).state !== 'Z';
    for (let i = 0; i < 100 && runs(); i++) await sleep(0.05);
    if (runs()) process.kill(worker, 'SIGKILL');
    rmSync(dir, { recursive: true, force: true });
  };
  return { port, path: '/chat', pids: { worker, lighttpd: child.pid }, dir, stop };
}

const startWorker = (settings) => startServer(PROGRAM, settings);
const startCgi = (settings) => startServer(PROGRAM, settings, 'cgi');
const startBare = () => startServer(path.join(OUT, 'bare_relay'));

/** Runs the clients against a target; the result of load.c and how much of the machine others used. */
async function load(target, options) {
  const pids = Object.entries(target.pids);
  const args = ['--port', target.port, '--path', target.path, ...Object.entries(options).flatMap(([k, v]) => (v === true ? [`--${k}`] : [`--${k}`, v])), ...pids.flatMap(([n, p]) => ['--pid', `${n}=${p}`])].map(String);
  const mine = () => [process.pid, provider.pid, ...pids.map(([, p]) => p)].reduce((sum, p) => sum + (stat(p)?.ticks ?? 0), 0);
  const before = { busy: busyTicks(), mine: mine(), ms: Date.now() };
  const child = start(path.join(OUT, 'load'), args);
  let text = '';
  child.stdout.on('data', (d) => { text += d; });
  await new Promise((r) => { child.once('close', r); });
  const r = JSON.parse(text);
  const ticks = busyTicks() - before.busy - (mine() - before.mine) - r.load_cpu_us / 10000;
  r.others = Math.max(0, Math.round((100 * ticks) / (((Date.now() - before.ms) / 10) * cpus().length)));
  if (r.failures) notes.push(`${target.path}, ${options.streams} streams: ${r.failures} failures, the first: ${r.first_failure}`);
  if (process.env.BENCH_VERBOSE) console.error(JSON.stringify(options), JSON.stringify(r));
  return r;
}

async function using(server, fn) {
  try { return await fn(server); } finally { await server.stop(); }
}

// --- the table ---------------------------------------------------------------------------------------------------------

const rows = [];
const notes = [];
const add = (what, bar, measured, met, others) => {
  rows.push([what, bar, measured, met === null ? '-' : met ? 'met' : 'MISSED', others === undefined ? '' : `${others} %`]);
  console.error(`  ${rows.at(-1).join(' | ')}`);
};
const us = (n) => (n >= 1000 ? `${(n / 1000).toFixed(1)} ms` : `${Math.round(n)} µs`);
const mb = (kb) => `${(kb / 1024).toFixed(1)} MB`;
const whole = (r) => (r.failures ? `${r.failures} FAILED` : 'all whole, in order');
const perToken = (r, ...names) => names.reduce((sum, n) => sum + r[n].cpu_us, 0) / r.window_tokens;
const middle = (list) => [...list].sort((a, b) => a - b)[Math.floor(list.length / 2)];

function addCpu(what, r, bare) {
  const worker = perToken(r, 'worker') / perToken(bare, 'worker');
  const both = perToken(r, 'worker', 'lighttpd') / perToken(bare, 'worker', 'lighttpd');
  const f = (n) => n.toFixed(1);
  add(`${what}: CPU per token, worker : bare relay`, '≤ 1.5', `${worker.toFixed(2)} (${f(perToken(r, 'worker'))} : ${f(perToken(bare, 'worker'))} µs)`, worker <= 1.5, Math.max(r.others, bare.others));
  add(`${what}: CPU per token, both with lighttpd`, '≤ 1.3', `${both.toFixed(2)} (${f(perToken(r, 'worker', 'lighttpd'))} : ${f(perToken(bare, 'worker', 'lighttpd'))} µs)`, both <= 1.3, Math.max(r.others, bare.others));
}

// --- the parts ---------------------------------------------------------------------------------------------------------

const parts = {
  async idle() {
    await using(await startWorker(), async (s) => {
      await sleep(0.5);
      const threads = readdirSync(`/proc/${s.pids.worker}/task`).length;
      const m = memory(s.pids.worker);
      add(`idle worker, ${threads} threads so far: private`, '≤ 6 MB', `${mb(m.dirty)} written to (${mb(m.own)} with files that only it has open)`, m.dirty <= 6 * 1024);
      add(`idle worker, ${threads} threads so far: RSS`, '≤ 18 MB', mb(m.rss), m.rss <= 18 * 1024);
      await load(s, { streams: 256, tokens: 20, rate: 10, ramp: 300, timeout: 30 });
      await sleep(7);                               // five seconds after the last answer memory is given back
      const after = readdirSync(`/proc/${s.pids.worker}/task`).length;
      const n = memory(s.pids.worker);
      add(`idle again after 256 streams, ${after} threads: private, RSS`, '-', `${mb(n.dirty)}, ${mb(n.rss)}`, null);
    });
  },

  async cgi() {
    const times = async (s) => {
      const ms = [];
      for (let i = 0; i < Math.round(100 * scaled(1)); i++) {
        const t0 = performance.now();
        const r = await fetch(`http://127.0.0.1:${s.port}/health`);
        await r.text();
        if (r.status !== 200) throw new Error(`/health: ${r.status}`);
        ms.push(performance.now() - t0);
      }
      return middle(ms);
    };
    const fast = await using(await startWorker(), times);
    const cgi = await using(await startCgi(), times);
    add('/health through plain CGI (lighttpd), p50', '≤ 15 ms', `${us(cgi * 1000)} (FastCGI: ${us(fast * 1000)})`, cgi <= 15);
  },

  async one() {
    await using(await startWorker(), async (s) => {
      const options = { streams: 1, tokens: Math.round(250 * scaled(2)), rate: 250, timeout: 30 };
      const added = [];
      let others = 0;
      for (let i = 0; i < 3; i++) {                 // taking turns, and the middle one: the machine is not always the same
        const direct = await load(provider, options);
        const r = await load(s, options);
        added.push(r.token_us.p50 - direct.token_us.p50);
        others = Math.max(others, direct.others, r.others);
      }
      add('1 stream: added per token, p50', '≤ 90 µs', `${us(middle(added))} (three times: ${added.join(', ')})`, middle(added) <= 90, others);
    });
  },

  async first() {
    await using(await startWorker(), async (s) => {
      const options = { streams: 1, tokens: 1, rate: 0, seconds: scaled(2), timeout: 30 };
      const direct = await load(provider, options);
      const r = await load(s, options);
      const p50 = r.first_us.p50 - direct.first_us.p50;
      const p99 = r.first_us.p99 - direct.first_us.p99;
      const others = Math.max(r.others, direct.others);
      add('1-token answers, one client: first token added, p50', '≤ 1 ms', `${us(p50)} (${r.answers} turns, every commit synced; a sync of this disk: ${us(syncTime())})`, p50 <= 1000, others);
      add('1-token answers, one client: first token added, p99', '≤ 5 ms', us(p99), p99 <= 5000, others);
    });
  },

  async 100() {
    await using(await startWorker(), async (s) => {
      const options = { streams: 100, tokens: Math.round(50 * scaled(5)), rate: 50, ramp: 300, timeout: 40 };
      const direct = await load(provider, options);
      const r = await load(s, options);
      const others = Math.max(r.others, direct.others);
      const p50 = r.token_us.p50 - direct.token_us.p50;
      const p99 = r.token_us.p99 - direct.token_us.p99;
      add('100 streams × 50/s: added per token, p50', '≤ 1 ms', `${us(p50)}, ${whole(r)}`, p50 <= 1000 && !r.failures, others);
      add('100 streams × 50/s: added per token, p99', '≤ 10 ms', us(p99), p99 <= 10000, others);
    });
  },

  async cpu50() {
    const options = { streams: 50, tokens: Math.round(50 * scaled(5)), rate: 50, ramp: 300, timeout: 40 };
    const r = await using(await startWorker(), (s) => load(s, options));
    const bare = await using(await startBare(), (s) => load(s, options));
    addCpu('50 streams × 50/s', r, bare);
  },

  async 500() {
    const options = { streams: 500, tokens: Math.round(50 * scaled(10)), rate: 50, ramp: 1000, timeout: 50 };
    const direct = await load(provider, { ...options, tokens: Math.round(50 * scaled(4)) });
    const bare = await using(await startBare(), (s) => load(s, options));
    await using(await startWorker({ MAX_STREAMS: 520 }), async (s) => {
      const idle = memory(s.pids.worker);
      const r = await load(s, options);
      addMany('500 × 50/s', r, direct, bare, idle.rss, 500);
      addCpu('500 × 50/s', r, bare);
      const both = r.worker.pss_kb + r.lighttpd.pss_kb;
      add('500 × 50/s: worker + lighttpd', '≤ 35 MB', `${mb(both)} PSS (worker ${mb(r.worker.pss_kb)}, lighttpd ${mb(r.lighttpd.pss_kb)}; bare relay ${mb(bare.worker.pss_kb)}, ${mb(bare.lighttpd.pss_kb)})`, both <= 35 * 1024);
    });
  },

  async 1000() {
    const options = { streams: 1000, tokens: Math.round(20 * scaled(10)), rate: 20, ramp: 1500, timeout: 50 };
    const bare = await using(await startBare(), (s) => load(s, options));
    await using(await startWorker({ MAX_STREAMS: 1020 }), async (s) => {
      const idle = memory(s.pids.worker);
      addMany('1,000 × 20/s', await load(s, options), null, bare, idle.rss, 1000);
    });
  },

  async flat() {
    await using(await startWorker(), async (s) => {
      const options = { streams: 16, tokens: Math.round(30000 * scaled(3)), rate: 0, timeout: 40, whole: true };
      const r = await load(s, options);
      add('flat out, 16 streams', '≥ 250,000 tokens/s', `${r.tokens_per_s} tokens/s, ${whole(r)} (${(r.window_tokens / r.window_events).toFixed(0)} tokens an event; worker ${perToken(r, 'worker').toFixed(2)}, lighttpd ${perToken(r, 'lighttpd').toFixed(2)} µs a token)`,
        r.tokens_per_s >= 250000 && !r.failures, r.others);
    });
  },

  async answers() {
    for (const [sync, bar] of [['full', 1500], ['normal', 4000]]) {
      const sync_us = syncTime();
      await using(await startWorker({ DB_SYNC: sync }), async (s) => {
        const r = await load(s, { streams: 16, tokens: 1, rate: 0, seconds: scaled(5), timeout: 40 });
        const f = (n) => (r[n].cpu_us / r.answers).toFixed(0);
        add(`1-token answers, 16 clients, DB_SYNC=${sync}`, `≥ ${bar}/s`, `${r.answers_per_s}/s, first token p50 ${us(r.first_us.p50)} (CPU an answer: worker ${f('worker')}, lighttpd ${f('lighttpd')} µs; a sync of this disk: ${us(sync_us)})`,
          r.answers_per_s >= bar && !r.failures, r.others);
      });
    }
  },

  async fastapi() {
    const venv = path.join(DIR, 'venv');
    try {
      execFileSync('python3', ['-m', 'venv', venv], { stdio: 'ignore', timeout: 30000 });
      execFileSync(path.join(venv, 'bin/pip'), ['install', '--quiet', '--disable-pip-version-check', 'fastapi', 'uvicorn', 'httpx'], { stdio: 'ignore', timeout: 60000 });
    } catch {
      notes.push('the comparison with FastAPI was skipped: fastapi, uvicorn and httpx cannot be installed here');
      return;
    }
    const options = { streams: 50, tokens: Math.round(50 * scaled(5)), rate: 50, ramp: 1000, timeout: 40 };
    const port = await freePort();
    const child = start(path.join(venv, 'bin/python'), ['-m', 'uvicorn', 'fastapi_server:app', '--app-dir', HERE, '--port', port, '--log-level', 'warning', '--no-access-log'], {
      env: { ...process.env, PYTHONDONTWRITEBYTECODE: '1', LLM_BASE_URL: `http://127.0.0.1:${provider.port}/v1` },
    });
    let other;
    try {
      await healthy(port, child);
      other = await load({ port, path: '/chat', pids: { uvicorn: child.pid } }, options);
    } finally {
      await end(child);
    }
    const r = await using(await startWorker(), (s) => load(s, options));
    const ratio = perToken(other, 'uvicorn') / perToken(r, 'worker', 'lighttpd');
    add('50 streams × 50/s: CPU per token, FastAPI : worker with lighttpd', '≥ 3.5', `${ratio.toFixed(2)} (${perToken(other, 'uvicorn').toFixed(1)} : ${perToken(r, 'worker', 'lighttpd').toFixed(1)} µs)`, ratio >= 3.5, Math.max(r.others, other.others));
  },
};

function addMany(what, r, direct, bare, idleRss, streams) {
  const versus = direct ?? { token_us: { p99: 0 } };
  const added = r.token_us.p99 - versus.token_us.p99;
  const per = (r.worker.rss_kb - idleRss) / streams;
  const expected = r.tokens_per_s / (streams === 500 ? 25000 : 20000);
  add(`${what}: tokens/s`, streams === 500 ? '≥ 23,500' : '≥ 94 % of 20,000', `${r.tokens_per_s}, ${whole(r)}`, expected >= 0.94 && !r.failures, r.others);
  add(`${what}: added per token, p99`, '≤ 10 ms', `${us(added)} (p50 ${us(r.token_us.p50)}; bare relay p50 ${us(bare.token_us.p50)}, p99 ${us(bare.token_us.p99)}${direct ? `; direct p99 ${us(direct.token_us.p99)}` : ''})`, added <= 10000, Math.max(r.others, bare.others));
  add(`${what}: worker's RSS per stream`, '≤ 48 KB', `${per.toFixed(1)} KB over idle (${(r.worker.rss_kb / streams).toFixed(1)} KB all in all)`, per <= 48);
}

/** The middle of 50 syncs of a small append: what a commit with full durability costs at least. */
function syncTime() {
  const file = path.join(DIR, 'sync');
  const fd = openSync(file, 'w');
  const page = Buffer.alloc(4096, 1);
  const times = [];
  for (let i = 0; i < 50; i++) {
    const t = process.hrtime.bigint();
    writeSync(fd, page);
    fdatasyncSync(fd);
    times.push(Number(process.hrtime.bigint() - t) / 1000);
  }
  closeSync(fd);
  return middle(times);
}

// --- all of it ---------------------------------------------------------------------------------------------------------

function build() {
  mkdirSync(OUT, { recursive: true });
  for (const name of ['provider', 'load', 'bare_relay']) {
    const from = path.join(HERE, `${name}.c`);
    const to = path.join(OUT, name);
    if (existsSync(to) && [from, path.join(HERE, 'bench.h')].every((f) => statSync(f).mtimeMs < statSync(to).mtimeMs)) continue;
    execFileSync(process.env.CC ?? 'cc', ['-O2', '-std=c11', '-D_GNU_SOURCE', '-Wall', '-Wextra', '-Wconversion', '-Wshadow', '-o', to, from], { stdio: 'inherit' });
  }
  copyFileSync(process.env.PARLEY_PROGRAM ?? path.join(REPO, 'cgi-bin/chat.fcgi'), PROGRAM);
  linkSync(PROGRAM, CGI);
}

function print() {
  const head = ['what', 'bar', 'measured', '', 'others'];
  const widths = head.map((h, i) => Math.max(h.length, ...rows.map((r) => [...r[i]].length)));
  const line = (r) => r.map((c, i) => c + ' '.repeat(widths[i] - [...c].length)).join('  ').trimEnd();
  console.log([line(head), line(widths.map((w) => '-'.repeat(w))), ...rows.map(line), '', '"others": share of the machine that programs outside this benchmark used meanwhile', ...notes].join('\n'));
}

async function main() {
  const asked = process.argv.slice(2);
  const unknown = asked.filter((p) => !parts[p]);
  if (unknown.length) throw new Error(`unknown part: ${unknown.join(', ')}; there are: ${Object.keys(parts).join(' ')}`);
  build();
  provider = await startProvider();
  for (const name of ['idle', 'cgi', 'one', 'first', '100', 'cpu50', '500', '1000', 'flat', 'answers', 'fastapi'].filter((p) => !asked.length || asked.includes(p))) {
    try { await parts[name](); } catch (e) { notes.push(`${name}: ${e.message}`); }
  }
  print();
}

async function tidy() {
  await Promise.all([...children].map((c) => end(c)));
  rmSync(DIR, { recursive: true, force: true });
}

for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => tidy().then(() => process.exit(1)));
const watchdog = setTimeout(() => { notes.push('the run was ended: it took longer than four minutes'); print(); tidy().then(() => process.exit(0)); }, 240000);
try { await main(); } catch (e) { console.error(e.message); process.exitCode = 2; } finally { clearTimeout(watchdog); await tidy(); }
