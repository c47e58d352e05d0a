// The worker ends: asked to in mid-answer, while idle, or killed.
import test, { describe } from 'node:test';
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, writeFileSync, rmSync, existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import net from 'node:net';
import path from 'node:path';
import { withServer, gone, settingsText, PROGRAM, REPO, TEST_SETTINGS, alive } from './server.js';
import { lacks } from './hosting.js';
import { freePort, simple, held, gate, SCALE, stallAfter, sleep, within } from '../provider/provider.js';
import { get, stream, chat, conversation, list, settled, readChat, readStream } from './client.js';

const opts = { timeout: 120_000 * SCALE };

/** The next answer of /health from a worker other than these. */
const restarted = (s, pids) => within(20, (async () => {
  for (;;) {
    const r = await get(`${s.url}/health`).catch(() => null);
    if (r?.status === 200 && (lacks('residentWorker') || s.workerPids().some((p) => !pids.includes(p)))) return;
    await sleep(0.05);
  }
})(), 'another worker');
/** All workers of the server (one, where they make many answers) get the signal. */
const signalAll = (s, signal) => { const pids = s.workerPids(); assert.ok(pids.length); for (const pid of pids) process.kill(pid, signal); return pids; };

for (const signal of ['SIGTERM', 'SIGUSR1']) {
  test(`${signal} in mid-answer: the answer gets SHUTDOWN_SECONDS, then is stored with its status; another worker comes`, opts, () => withServer({ workers: 1, settings: { SHUTDOWN_SECONDS: '0.7' } }, async (s, p) => {
    p.respond(stallAfter('as far as I '));
    const c = await stream(`${s.url}/chat/stream`, { message: 'Hi' });
    const { conversation_id: id } = JSON.parse((await c.next()).data);
    while (!/data: I |far as I/.test(c.raw)) await c.next();
    const t0 = performance.now();
    const pids = signalAll(s, signal);
    await c.all(20);
    const took = (performance.now() - t0) / 1000;
    assert.ok(took >= 0.5, `the answer had its grace: ${took} s`);
    const r = readStream(c);                               // so there is exactly one terminal event
    assert.ok(r.terminal.event === 'error' || r.terminal.status !== 'done', 'no false success');
    assert.equal(r.text, 'as far as I ');
    for (const pid of pids) await gone(pid, 10);
    await restarted(s, pids);
    const { answer, question } = await settled(s, id);
    assert.equal(question.content, 'Hi');
    assert.match(answer.status, /^(interrupted|stopped|error)$/);
    assert.equal(answer.content, 'as far as I ');
    p.reset(simple('back'));
    assert.equal((await chat(s, { message: 'again', conversation_id: id })).text, 'back');
  }));
}

test('SIGTERM in mid-answer: an answer that ends in time is done and whole', opts, () => withServer({ workers: 1, settings: { SHUTDOWN_SECONDS: '20' } }, async (s, p) => {
  const g = gate();
  p.respond(held('first half, ', g, 'second half'));
  const streams = [];
  for (const path of ['/chat', '/chat/stream', '/chat']) {
    const c = await stream(`${s.url}${path}`, { message: path });
    await c.until((e) => /half/.test(e.data));
    streams.push([path, c]);
  }
  const pids = signalAll(s, 'SIGTERM');
  await sleep(0.3);
  g.open();
  const ids = [];
  for (const [path, c] of streams) {
    await c.all();
    const r = (path === '/chat' ? readChat : readStream)(c);
    assert.equal(r.text, 'first half, second half');
    ids.push(r.conversation_id);
  }
  for (const pid of pids) await gone(pid, 10);
  await restarted(s, pids);
  for (const id of ids) {
    const { answer } = await settled(s, id);
    assert.equal(answer.status, 'done');
    assert.equal(answer.content, 'first half, second half');
  }
}));

test('the host server is ended in mid-answer: the answer is stored with its status', opts, async () => {
  const dir = mkdtempSync(path.join(tmpdir(), 'parley-shutdown-'));
  const settings = { PARLEY_DB: path.join(dir, 'parley.db'), SHUTDOWN_SECONDS: '0.5' };
  let id;
  try {
    await withServer({ settings }, async (s, p) => {
      p.respond(stallAfter('up to here '));
      const c = await stream(`${s.url}/chat/stream`, { message: 'Hi' });
      id = JSON.parse((await c.next()).data).conversation_id;
      while (!/here/.test(c.raw)) await c.next();
      await s.stop();                                      // looks at log, database and processes
    });
    await withServer({ settings }, async (s) => {
      const { answer } = await settled(s, id);
      assert.match(answer.status, /^(interrupted|stopped|error)$/);
      assert.equal(answer.content, 'up to here ');
    });
  } finally { rmSync(dir, { recursive: true, force: true }); }
});

test('kill -9 in mid-answer: the question is there, the answer is found interrupted, the stream ended visibly', opts, () => withServer({ workers: 1 }, async (s, p) => {
  p.respond(stallAfter('lost perhaps '));
  const c = await stream(`${s.url}/chat/stream`, { message: 'durable question' });
  const { conversation_id: id } = JSON.parse((await c.next()).data);
  while (!/perhaps/.test(c.raw)) await c.next();
  const pids = signalAll(s, 'SIGKILL');
  await c.all(20);
  assert.equal(c.events.some((e) => e.event === 'done'), false, 'no false success');
  if (!lacks('cutOnKill')) assert.equal(c.complete, false, 'HTTP tells that it was cut');
  await restarted(s, pids);
  assert.equal((await conversation(s, id)).messages[0].content, 'durable question');
  const { answer } = await settled(s, id, { seconds: 60 });
  assert.equal(answer.status, 'interrupted');
  p.reset(simple('back'));
  assert.equal((await chat(s, { message: 'again', conversation_id: id })).text, 'back');
}));

describe('the program by itself', () => {
  /** Runs the worker with --listen; gives the child and its log. */
  async function worker(dir, listen, settings = {}) {
    const file = path.join(dir, 'run.env');
    writeFileSync(file, settingsText({ PARLEY_DB: path.join(dir, 'parley.db'), ...TEST_SETTINGS, ...settings }), { mode: 0o600 });
    const env = { PATH: process.env.PATH, PARLEY_CONFIG: file, PARLEY_ROOT: REPO, PARLEY_VAR: dir };
    for (const k of ['ASAN_OPTIONS', 'UBSAN_OPTIONS', 'TSAN_OPTIONS', 'LSAN_OPTIONS']) if (process.env[k]) env[k] = process.env[k];
    const child = spawn(PROGRAM, ['--listen', listen], { cwd: dir, env, stdio: ['ignore', 'pipe', 'pipe'] });
    const w = { child, text: '' };
    child.stdout.on('data', (d) => { w.text += d; });
    child.stderr.on('data', (d) => { w.text += d; });
    w.exit = new Promise((r) => child.once('exit', (code, signal) => r({ code, signal })));
    return w;
  }
  const connects = (where) => within(15, (async () => {
    for (;;) {
      const ok = await new Promise((r) => { const s = net.connect(where); s.once('connect', () => { s.destroy(); r(true); }); s.once('error', () => r(false)); });
      if (ok) return;
      await sleep(0.02);
    }
  })(), 'a listening worker');

  for (const signal of ['SIGTERM', 'SIGUSR1', 'SIGINT']) test(`an idle worker (--listen unix:) ends with status 0 at ${signal}`, opts, async () => {
    const dir = mkdtempSync(path.join(tmpdir(), 'parley-worker-'));
    try {
      const sock = path.join(dir, 'w.sock');
      const w = await worker(dir, `unix:${sock}`);
      await connects({ path: sock });
      const t0 = performance.now();
      w.child.kill(signal);
      const e = await within(15, w.exit, 'the end of the worker').catch((x) => { w.child.kill('SIGKILL'); throw x; });
      assert.deepEqual(e, { code: 0, signal: null }, w.text);
      assert.ok(performance.now() - t0 < 5000 * SCALE, 'at once, as nothing runs');
      assert.doesNotMatch(w.text, /Sanitizer|runtime error/);
    } finally { rmSync(dir, { recursive: true, force: true }); }
  });

  test('a worker that takes the socket over from one that is still ending keeps it', opts, async () => {
    const dir = mkdtempSync(path.join(tmpdir(), 'parley-worker-'));
    try {
      const sock = path.join(dir, 'w.sock');
      const a = await worker(dir, `unix:${sock}`);
      await connects({ path: sock });
      const idle = net.connect({ path: sock });             // a request that never comes: the end of the first worker waits for it
      await new Promise((r) => idle.once('connect', r));
      await sleep(0.2);
      a.child.kill('SIGTERM');
      await within(10, (async () => { while (existsSync(sock)) await sleep(0.01); })(), 'the first worker to give up its address');
      assert.equal(a.child.exitCode, null, 'it has not ended yet');
      const b = await worker(dir, `unix:${sock}`);
      try {
        await connects({ path: sock });
        await within(20, a.exit, 'the end of the first worker');
        await connects({ path: sock });
      } finally { b.child.kill('SIGTERM'); idle.destroy(); }
      assert.equal((await within(15, b.exit, 'the end of the second worker')).code, 0, b.text);
    } finally { rmSync(dir, { recursive: true, force: true }); }
  });

  test('--listen 127.0.0.1:port listens there', opts, async () => {
    const dir = mkdtempSync(path.join(tmpdir(), 'parley-worker-'));
    try {
      const port = await freePort();
      const w = await worker(dir, `127.0.0.1:${port}`);
      try { await connects({ port, host: '127.0.0.1' }); } finally { w.child.kill('SIGTERM'); }
      assert.equal((await within(15, w.exit, 'the end of the worker')).code, 0, w.text);
    } finally { rmSync(dir, { recursive: true, force: true }); }
  });

  test('a socket file left by a dead worker does not keep the next from starting', opts, async () => {
    const dir = mkdtempSync(path.join(tmpdir(), 'parley-worker-'));
    try {
      const sock = path.join(dir, 'w.sock');
      const a = await worker(dir, `unix:${sock}`);
      await connects({ path: sock });
      a.child.kill('SIGKILL');
      await a.exit;
      assert.ok(existsSync(sock));
      const b = await worker(dir, `unix:${sock}`);
      try { await connects({ path: sock }); } finally { b.child.kill('SIGTERM'); }
      assert.equal((await within(15, b.exit, 'the end of the worker')).code, 0, b.text);
    } finally { rmSync(dir, { recursive: true, force: true }); }
  });

  const run = async (args, settings, env = {}) => {
    const dir = mkdtempSync(path.join(tmpdir(), 'parley-worker-'));
    const file = path.join(dir, 'run.env');
    writeFileSync(file, typeof settings === 'string' ? settings : settingsText({ PARLEY_DB: path.join(dir, 'parley.db'), ...TEST_SETTINGS, ...settings }), { mode: 0o600 });
    const child = spawn(PROGRAM, args, { cwd: dir, env: { PATH: process.env.PATH, PARLEY_CONFIG: file, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
    let out = '';
    let err = '';
    child.stdout.on('data', (d) => { out += d; });
    child.stderr.on('data', (d) => { err += d; });
    const code = await within(30, new Promise((r) => child.once('close', (c) => r(c))), PROGRAM).finally(() => child.kill('SIGKILL'));
    rmSync(dir, { recursive: true, force: true });
    return { code, out, err, all: out + err };
  };
  test('--version and --help say what they should and end with 0', opts, async () => {
    const v = await run(['--version'], {});
    assert.equal(v.code, 0);
    assert.match(v.out, /\d+\.\d+/);
    const h = await run(['--help'], {});
    assert.equal(h.code, 0);
    for (const o of ['--listen', '--check', '--version']) assert.ok(h.out.includes(o), o);
  });
  test('--check prints the settings in force with the key masked', opts, async () => {
    const r = await run(['--check'], { LLM_BASE_URL: 'http://127.0.0.1:9/v1', MAX_STREAMS: '77' });
    assert.match(r.all, /LLM_BASE_URL/);
    assert.match(r.all, /77/);
    assert.equal(r.all.includes(TEST_SETTINGS.OPENAI_API_KEY), false);
    assert.notEqual(r.code, 0, 'the provider cannot be reached');
  });
  test('unknown keys of the settings file are named with their line', opts, async () => {
    const r = await run(['--check'], 'LLM_MODEL=x\nLLM_BASE_URL=http://127.0.0.1:9/v1\nNO_SUCH_SETTING=1\n');
    assert.match(r.all, /NO_SUCH_SETTING/);
    assert.match(r.all, /line 3|:3\b/);
  });
});
