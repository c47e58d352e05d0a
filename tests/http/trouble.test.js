// Trouble around the program: two tabs at once, a machine without descriptors or threads, a database that is locked, broken, moved, upgraded, copied, or on a bad disk.
// What has to do with SQLite's file and no special tools is in store.test.js; clocks in clock.test.js; the files under a running program, in detail, in tests/unit/test_moved.c.
import test, { describe } from 'node:test';
import assert from 'node:assert/strict';
import { writeFileSync, readFileSync, mkdtempSync, mkdirSync, chmodSync, rmSync, existsSync, renameSync, copyFileSync, statSync, readdirSync } from 'node:fs';
import { execFileSync, spawn } from 'node:child_process';
import { tmpdir } from 'node:os';
import net from 'node:net';
import path from 'node:path';
import { withServer, startServer, lockDatabase, sql, dbProblems, PROGRAM, TEST_SETTINGS, settingsText, NOBODY } from './server.js';
import { lacks } from './hosting.js';
import { faults, noFaults, ERRNO, NFS } from './faults.js';
import { simple, held, gate, sleep, within, SCALE, startProvider } from '../provider/provider.js';
import { get, post, patch, del, stream, chat, chatStream, chatWhole, conversation, list, settled, assertError, readStream, waitUntil } from './client.js';

const opts = { timeout: 120_000 * SCALE };
const echo = async (req, io) => simple(`echo ${req.body.messages.at(-1).content}`)(req, io);

/** A folder of its own for the length of fn. */
async function inFolder(fn) {
  const dir = mkdtempSync(path.join(tmpdir(), 'parley-trouble-'));
  chmodSync(dir, 0o755);
  try { return await fn(dir); } finally { rmSync(dir, { recursive: true, force: true }); }
}

/** A copy of a database that is in use, as an administrator makes one. */
const backUp = (db, to) => execFileSync('sqlite3', ['-cmd', '.timeout 10000', db, `VACUUM INTO '${to}'`]);

describe('two tabs write into one conversation at once', () => {
  const N = 100;
  test(`${N} posts each: every one is refused with 409 or has its place, in one line, with its own answer`, { ...opts, skip: lacks('severalWorkers') }, () => withServer({ workers: 2 }, async (s, p) => {
    p.respond(echo);
    const { conversation_id: id } = await chat(s, 'first');
    const taken = [];
    let refused = 0;
    await Promise.all(['a', 'b'].map(async (tab) => {
      for (let i = 0; i < N; i++) {
        const r = await chatWhole(s, { message: `${tab}${i}`, conversation_id: id });
        if (r.status === 200) {
          assert.equal(r.json.response, `echo ${tab}${i}`);
          taken.push([`${tab}${i}`, r.json.message_id]);
        } else {
          assertError(r, 409, 'busy');
          refused++;
        }
      }
    }));
    assert.equal(taken.length + refused, 2 * N);
    assert.ok(taken.length >= 10, `${taken.length} were taken`);   // how many depends on how long an answer takes beside a refusal
    const { messages } = await conversation(s, id);
    assert.equal(messages.length, 2 * taken.length + 2, 'nothing is lost, nothing that was refused is there');
    for (let i = 0; i < messages.length; i++) {
      const m = messages[i];
      assert.equal(m.role, i % 2 ? 'assistant' : 'user');
      assert.equal(m.parent_id ?? null, i ? messages[i - 1].id : null, 'one line, each after the one before');
      if (i % 2) assert.equal(m.content, `echo ${messages[i - 1].content}`);
    }
    const places = new Map(messages.map((m) => [m.id, m]));
    for (const [text, answer] of taken) assert.equal(places.get(places.get(answer).parent_id).content, text);
    for (const asked of p.chats) {                          // what a model saw was never a half-written turn
      const seen = asked.body.messages;
      seen.forEach((m, i) => assert.equal(m.role, (seen.length - 1 - i) % 2 ? 'assistant' : 'user'));
    }
  }));

  test('with the same parent_id: each is a branch of its own with its own answer', { ...opts, skip: lacks('severalWorkers') }, () => withServer({ workers: 2 }, async (s, p) => {
    p.respond(echo);
    const first = await chat(s, 'first');
    const all = await Promise.all(Array.from({ length: 40 }, (_, i) => chatWhole(s, { message: `branch ${i}`, conversation_id: first.conversation_id, parent_id: first.message_id })));
    const { messages } = await conversation(s, first.conversation_id);
    const places = new Map(messages.map((m) => [m.id, m]));
    let taken = 0;
    all.forEach((r, i) => {
      if (r.status !== 200) return assertError(r, 409, 'busy');
      taken++;
      const answer = places.get(r.json.message_id);
      assert.equal(answer.content, `echo branch ${i}`);
      assert.equal(places.get(answer.parent_id).content, `branch ${i}`);
      assert.equal(places.get(answer.parent_id).parent_id, first.message_id);
    });
    assert.equal(messages.length, 2 + 2 * taken);
    assert.ok(taken >= 1);
  }));
});

describe('a machine that gives no more', () => {
  const limit = (pid, what, as = []) => execFileSync([...as, 'prlimit'][0], [...as, 'prlimit', '--pid', String(pid), ...what].slice(1)).toString().trim();
  const AS_NOBODY = ['setpriv', `--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups'];

  test('no descriptors: requests are answered or refused in JSON, none hangs, and all works when there are some again', { ...opts, skip: lacks('threadedWorker') }, () => withServer({ workers: 1, settings: { CONNECT_TIMEOUT_SECONDS: '2' } }, async (s, p) => {
    p.respond(simple('ok'));
    const { conversation_id: id } = await chat(s, 'warm');
    const [pid] = s.workerPids();
    const before = s.descriptors().length;
    limit(pid, [`--nofile=${before + 2}:`]);
    const all = await Promise.all(Array.from({ length: 12 }, (_, i) => (i % 3 === 2 ? get(`${s.url}/conversations/${id}`) : chatWhole(s, `few ${i}`)).catch((e) => ({ status: 0, text: e.message }))));
    for (const r of all) if (r.status !== 200) assertError(r, [502, 503]);
    limit(pid, ['--nofile=640:']);
    for (let i = 0; i < 3; i++) assert.equal((await chatWhole(s, 'many again')).status, 200);
    s.noneEnded([pid]);
    await waitUntil(10, async () => !(s.descriptors().length > before + 4), `descriptors to go back to ${before}`);
  }));

  test('no threads: an answer too many is 503 overloaded at once, lists go on, and all works when there are some again', { ...opts, skip: lacks('threadedWorker') || (process.getuid() !== 0 && 'only root can be somebody else, whose threads are counted apart') },
    () => withServer({ workers: 1, unprivileged: true }, async (s, p) => {
      const g = gate();
      p.respond(held(['begun '], g, ['ended']));
      const first = await stream(`${s.url}/chat/stream`, { message: 'warm' });
      await first.until((e) => /begun/.test(e.data));
      const [pid] = s.workerPids();
      const had = limit(pid, ['--nproc', '--raw', '--noheadings', '--output', 'SOFT'], AS_NOBODY);
      limit(pid, ['--nproc=1:'], AS_NOBODY);
      const going = [];
      let refused = 0;
      for (let i = 0; i < 8; i++) {
        const t0 = performance.now();
        const c = await stream(`${s.url}/chat/stream`, { message: `n ${i}` }, { seconds: 5 });
        if (c.status === 200) going.push(c);
        else {
          await c.all();
          assertError({ status: c.status, headers: c.headers, json: c.json() }, 503, 'overloaded');
          assert.ok(performance.now() - t0 < 2000 * SCALE, 'at once');
          refused++;
        }
      }
      assert.ok(refused > 0, 'there were no more threads');
      assert.equal((await get(`${s.url}/conversations`)).status, 200);
      assert.equal((await get(`${s.url}/health`)).status, 200);
      limit(pid, [`--nproc=${had}:`], AS_NOBODY);
      g.open();
      for (const c of [first, ...going]) { await c.all(); assert.equal(readStream(c).text, 'begun ended'); }
      const again = await Promise.all(Array.from({ length: 8 }, () => chatStream(s, 'again')));
      for (const r of again) assert.equal(r.text, 'begun ended', JSON.stringify(r.error));
      s.noneEnded([pid]);
    }));
});

describe('what a worker finds at its start', () => {
  const worker = (dir, listen) => {
    const file = path.join(dir, 'run.env');
    writeFileSync(file, settingsText({ PARLEY_DB: path.join(dir, 'parley.db'), ...TEST_SETTINGS }), { mode: 0o600 });
    const child = spawn(PROGRAM, ['--listen', listen], { cwd: dir, env: { PATH: process.env.PATH, PARLEY_CONFIG: file, ASAN_OPTIONS: process.env.ASAN_OPTIONS ?? '' }, stdio: ['ignore', 'ignore', 'pipe'] });
    let text = '';
    child.stderr.on('data', (d) => { text += d; });
    return within(20, new Promise((r) => child.once('close', (code) => r({ code, text }))), 'its end').finally(() => child.kill('SIGKILL'));
  };
  test('a file that is no socket at the socket\'s place is left alone, and named', opts, () => inFolder(async (dir) => {
    const place = path.join(dir, 'precious');
    writeFileSync(place, 'not yours');
    const r = await worker(dir, `unix:${place}`);
    assert.notEqual(r.code, 0);
    assert.match(r.text, /precious/);
    assert.equal(readFileSync(place, 'utf8'), 'not yours');
  }));
  test('a socket that another program serves is left alone, and named', opts, () => inFolder(async (dir) => {
    const place = path.join(dir, 'busy.sock');
    const other = net.createServer(() => {}).listen(place);
    await new Promise((r) => other.once('listening', r));
    try {
      const r = await worker(dir, `unix:${place}`);
      assert.notEqual(r.code, 0);
      assert.match(r.text, /another program serves at .*busy\.sock/);
      assert.ok(statSync(place).isSocket());
      await new Promise((resolve, reject) => { const c = net.connect(place, () => { c.destroy(); resolve(); }); c.once('error', reject); });
    } finally { other.close(); }
  }));
  test('a copy that was cut short before an upgrade does not count', opts, () => inFolder(async (dir) => {
    const db = path.join(dir, 'parley.db');
    await withServer({ settings: { PARLEY_DB: db } }, async (s, p) => { p.respond(simple('ok')); await chat(s, 'kept'); });
    writeFileSync(`${db}.4242.part`, 'half');
    await withServer({ settings: { PARLEY_DB: db } }, async (s) => { assert.equal((await list(s)).conversations.length, 1); });
  }));

  for (const [name, prepare, says] of [
    ['a folder that is a file', (dir) => { writeFileSync(path.join(dir, 'data'), 'a file'); return path.join(dir, 'data', 'parley.db'); }, /data/],
    ['a folder of somebody else', (dir) => { mkdirSync(path.join(dir, 'data'), { mode: 0o755 }); return path.join(dir, 'data', 'parley.db'); }, /data.*(writable|belong|user)/],
    ['a database that is a folder', (dir) => { mkdirSync(path.join(dir, 'data', 'parley.db'), { recursive: true }); return path.join(dir, 'data', 'parley.db'); }, /parley\.db/],
  ]) test(`${name}: 503 with a sentence, and the log says which path and what to do`, { ...opts, skip: process.getuid() !== 0 && 'only root can be somebody else' }, () => inFolder((dir) => {
    const db = prepare(dir);
    return withServer({ unprivileged: true, settings: { PARLEY_DB: db }, stop: { checkDb: false } }, async (s, p) => {
      p.respond(simple('ok'));
      const e = assertError(await chatWhole(s, 'Hi'), 503, 'store_unavailable');
      assert.equal(e.message.includes(dir), false, 'no path in the answer');
      await s.logged(says);
      assert.equal((await get(`${s.url}/health`)).status, 200);
      assert.equal((await get(`${s.url}/ready`)).json.status, 'not_ready');
      assert.equal(p.chats.length, 0);
    });
  }));
});

describe('a database that is locked for ten seconds', () => {
  test('at the end of an answer: the client has every token and pings go on, and the answer is stored when the lock is gone', opts, () => withServer({ settings: { HEARTBEAT_SECONDS: '0.3' } }, async (s, p) => {
    const g = gate();
    p.respond(held(['first '], g, ['and last']));
    const c = await stream(`${s.url}/chat/stream`, { message: 'Hi' });
    const id = JSON.parse((await c.next()).data).conversation_id;
    await c.until((e) => /first/.test(e.data));
    const lock = await lockDatabase(s.db);
    const t0 = performance.now();
    g.open();
    await c.until((e) => /last/.test(e.data));
    assert.ok(performance.now() - t0 < 4000 * SCALE, 'the token did not wait');
    let pings = 0;
    const reads = [];
    while (performance.now() - t0 < 10_000) {
      const e = c.ended ? null : await Promise.race([c.next(), sleep(0.5).then(() => undefined)]);
      if (e?.event === 'ping') pings++;
      if (c.ended) await sleep(0.5);
      reads.push((await conversation(s, id)).messages.length);
    }
    await lock.release();
    assert.ok(reads.every((n) => n === 2), 'readers went on');
    await c.all();
    const r = readStream(c);
    assert.equal(r.text, 'first and last');
    assert.ok(pings >= 4, `${pings} pings while it waited`);
    if (r.terminal.event === 'done') assert.equal(r.terminal.status, 'done');
    else assert.equal(r.terminal.code, 'store_unavailable');
    const { answer } = await settled(s, id);
    assert.equal(answer.content, 'first and last');
    assert.equal(answer.status, 'done');
  }));
});

describe('a program that is newer', () => {
  test('upgrades the file under a worker: that one writes nothing any more, says so, and ends for another', { ...opts, skip: lacks('residentWorker') }, () => withServer({ workers: 1 }, async (s, p) => {
    p.respond(simple('ok'));
    const { conversation_id: id } = await chat(s, 'old times');
    const [pid] = s.workerPids();
    const version = sql(s.db, 'PRAGMA user_version')[0].user_version;
    const dump = () => execFileSync('sqlite3', ['-readonly', s.db, 'SELECT * FROM messages']).toString();
    sql(s.db, `ALTER TABLE messages ADD COLUMN novelty TEXT NOT NULL DEFAULT 'new'; PRAGMA user_version=${version + 1}`, { readonly: false });
    const was = dump();
    const asked = p.chats.length;
    assert.match(assertError(await chatWhole(s, { message: 'Hi', conversation_id: id }), 503, 'store_unavailable').message, /newer program/);
    await waitUntil(20, async () => !(s.workerPids().includes(pid)), 'the end of the old worker');
    await waitUntil(20, async () => !((await get(`${s.url}/health`)).status !== 200), 'the next worker');
    const [next] = s.workerPids();                          // the same old program again, as here nobody has put another there
    for (const r of [await chatWhole(s, 'Hi'), await get(`${s.url}/conversations`), await post(`${s.url}/conversations`, {}), await del(`${s.url}/conversations/${id}`)]) assert.match(assertError(r, 503, 'store_unavailable').message, /newer/);
    assert.deepEqual(s.workerPids(), [next], 'it does not end again and again');
    assert.equal(p.chats.length, asked, 'the provider was not asked');
    assert.equal(dump(), was, 'no row was touched');
    sql(s.db, `PRAGMA user_version=${version}`, { readonly: false });
    assert.equal((await chat(s, { message: 'back', conversation_id: id })).text, 'ok');
  }));

  test('upgrades the file in mid-answer: the client gets every token and no false success', { ...opts, skip: lacks('residentWorker') }, () => withServer({ workers: 1, settings: { SHUTDOWN_SECONDS: '1' } }, async (s, p) => {
    const g = gate();
    p.respond(held(['first '], g, ['last']));
    const c = await stream(`${s.url}/chat/stream`, { message: 'Hi' });
    await c.until((e) => /first/.test(e.data));
    const version = sql(s.db, 'PRAGMA user_version')[0].user_version;
    sql(s.db, `PRAGMA user_version=${version + 1}`, { readonly: false });
    g.open();
    await c.all();
    const said = c.events.filter((e) => e.event === 'token').map((e) => e.data).join('');
    assert.ok(said === 'first last' || said === 'first ', said);
    const end = c.events.at(-1);
    assert.notEqual(end.event === 'done' && JSON.parse(end.data).status, 'done', 'it was not stored');
    assert.deepEqual(sql(s.db, 'SELECT content, status FROM messages WHERE role=\'user\'').map((m) => m.content), ['Hi']);
    sql(s.db, `PRAGMA user_version=${version}; UPDATE messages SET status='interrupted' WHERE status='streaming'`, { readonly: false });
  }));
});

describe('a file that is moved, replaced or broken under a running worker', () => {
  test('a backup that is put in its place in mid-traffic is what is read and written from then on', { ...opts, skip: lacks('severalWorkers') }, () => withServer({ workers: 2 }, async (s, p) => {
    p.respond(simple('ok'));
    const kept = await chat(s, 'in the backup');
    const copy = path.join(s.dir, 'copy.db');
    backUp(s.db, copy);
    if (process.getuid() === 0) execFileSync('chown', ['--reference', s.db, copy]);
    const lost = await chat(s, 'after the backup');
    let ending = false;
    const bad = [];
    const traffic = Array.from({ length: 4 }, async () => { while (!ending) { const r = await chatWhole(s, 'traffic'); if (r.status !== 200) bad.push(r); } });
    await sleep(0.3);
    renameSync(s.db, `${s.db}.old`);
    renameSync(copy, s.db);
    await sleep(0.5);
    ending = true;
    await Promise.all(traffic);
    for (const r of bad) assertError(r, 503, 'store_unavailable');
    const said = [...new Set(bad.map((r) => r.json.error.message))];
    assert.ok(bad.length <= 16, `${bad.length} requests met it: ${said}`);
    assert.equal((await conversation(s, kept.conversation_id)).messages.length, 2);
    assert.equal((await get(`${s.url}/conversations/${lost.conversation_id}`)).status, 404);
    assert.deepEqual(dbProblems(`${s.db}.old`), []);
    assert.equal(sql(`${s.db}.old`, `SELECT count(*) AS n FROM conversations WHERE public_id='${lost.conversation_id}'`)[0].n, 1, 'what was moved away is whole');
    const again = await chat(s, { message: 'and on', conversation_id: kept.conversation_id });
    assert.equal(again.text, 'ok');
    assert.deepEqual(dbProblems(s.db), []);
    s.log().includes('was moved, replaced or deleted') || assert.fail('nothing was logged');
  }));

  test('a file that is gone is not made again: 503 with a sentence, and it is used when it is back', { ...opts, skip: lacks('residentWorker') }, () => withServer({}, async (s, p) => {
    p.respond(simple('ok'));
    const { conversation_id: id } = await chat(s, 'Hi');
    renameSync(s.db, `${s.db}.away`);
    for (const r of [await chatWhole(s, 'lost'), await get(`${s.url}/conversations`)]) assert.match(assertError(r, 503, 'store_unavailable').message, /gone/);
    assert.equal((await get(`${s.url}/ready`)).json.status, 'not_ready');
    assert.equal(existsSync(s.db), false);
    renameSync(`${s.db}.away`, s.db);
    assert.equal((await conversation(s, id)).messages.length, 2);
    assert.equal((await chat(s, { message: 'and on', conversation_id: id })).text, 'ok');
  }));

  test('with bytes turned over in each page, cut off, or of random bytes: no route crashes, nothing is made over it, and a good file is used at once', opts, () => withServer({ settings: { LOG_LEVEL: 'error' } }, async (s, p) => {
    p.respond(simple('an answer to find '.repeat(20)));
    let id;
    for (let i = 0; i < 6; i++) id = (await chat(s, { message: `question ${i}`, conversation_id: id })).conversation_id;
    for (let i = 0; i < 12; i++) await post(`${s.url}/conversations`, { title: `title ${i}` });
    const good = path.join(s.dir, 'good.db');
    backUp(s.db, good);
    const bytes = readFileSync(good);
    const place = (data) => {                               // with nothing of the database before beside it
      const next = path.join(s.dir, 'next.db');
      writeFileSync(next, data, { mode: 0o600 });
      if (process.getuid() === 0) execFileSync('chown', ['--reference', s.dir, next]);
      renameSync(next, s.db);
    };
    const pids = s.workerPids();
    const routes = () => [() => get(`${s.url}/conversations`), () => get(`${s.url}/conversations/${id}`), () => get(`${s.url}/conversations?q=find`), () => chatWhole(s, { message: 'more', conversation_id: id }), () => chatWhole(s, 'new'),
      () => patch(`${s.url}/conversations/${id}`, { title: 'x' }), () => del(`${s.url}/conversations/${id}/messages`), () => get(`${s.url}/ready`)];
    const tryAll = async (what) => {
      for (const ask of routes()) {
        const r = await ask();
        assert.ok([200, 404, 409, 500, 502, 503].includes(r.status), `${what}: ${r.status} ${r.text.slice(0, 200)}`);
        assert.ok(r.json && typeof r.json === 'object', `${what}: JSON, not ${r.text.slice(0, 200)}`);
      }
      assert.equal((await get(`${s.url}/health`)).status, 200);
    };
    let seed = 1;
    const random = (n) => { seed = (Math.imul(seed, 1103515245) + 12345) >>> 0; return Math.floor((seed / 2 ** 32) * n); };
    const pages = bytes.length / 4096;
    for (let page = 0; page < pages; page++) {
      const broken = Buffer.from(bytes);
      for (let i = 0; i < 12; i++) broken[page * 4096 + random(page ? 4096 : 100) + (page && i < 4 ? -random(1) : 0)] ^= 1 + random(255);
      if (page) broken[page * 4096 + random(12)] ^= 255;    // its header too
      place(broken);
      await tryAll(`page ${page + 1} of ${pages}`);
    }
    for (const size of [0, 1, 99, 100, 1000, 4096, Math.floor(bytes.length / 2), bytes.length - 1]) {
      place(bytes.subarray(0, size));
      await tryAll(`cut to ${size}`);
      assert.ok(statSync(s.db).size >= Math.min(size, 512) && (size > 1000 || statSync(s.db).size === size), `a file of ${size} bytes was made over: ${statSync(s.db).size}`);
    }
    place(Buffer.from(Array.from({ length: 20000 }, () => random(256))));
    await tryAll('random bytes');
    assert.equal(statSync(s.db).size, 20000);
    s.noneEnded(pids);
    place(bytes);
    assert.equal((await conversation(s, id)).messages.length, 12);
    const on = await chat(s, { message: 'and on', conversation_id: id });
    assert.equal(on.status, 200, JSON.stringify(on.error));
  }));

  test('a backup in mid-traffic can be opened and has all that was acknowledged before', opts, () => withServer({}, async (s, p) => {
    p.respond(echo);
    let ending = false;
    const acknowledged = [];
    const traffic = Array.from({ length: 4 }, async (_, k) => { for (let i = 0; !ending; i++) { const r = await chatWhole(s, `k${k} ${i}`); assert.equal(r.status, 200, r.text); acknowledged.push(r.json.message_id); } });
    for (const [i, make] of [(to) => backUp(s.db, to), (to) => execFileSync('sqlite3', ['-cmd', '.timeout 10000', s.db, `.backup '${to}'`]), (to) => backUp(s.db, to)].entries()) {
      const seen = acknowledged.length;
      await waitUntil(20, () => acknowledged.length > seen, 'another answer is acknowledged');
      const before = [...acknowledged];
      const to = path.join(s.dir, `backup-${i}.db`);
      make(to);
      assert.deepEqual(dbProblems(to), []);
      const there = new Set(sql(to, "SELECT public_id AS id FROM messages WHERE status='done'").map((m) => m.id));
      for (const id of before) assert.ok(there.has(id), `message ${id} is missing in backup ${i}`);
    }
    ending = true;
    await Promise.all(traffic);
  }));
});

describe('a disk that fails', { skip: noFaults }, () => {
  const withFaults = async (settings, fn) => {
    const f = faults();
    try { await withServer({ env: f.env, settings }, (s, p) => fn(s, p, f)); } finally { f.end(); }
  };
  for (const [name, order] of [['writes give EIO', { writes: ERRNO.EIO }], ['syncs give EIO', { syncs: ERRNO.EIO }], ['writes give ENOSPC', { writes: ERRNO.ENOSPC }], ['writes are short', { short: 1 }]]) {
    test(`${name}: what cannot be stored is not said to be, reading goes on, and all works afterwards without a restart`, opts, () => withFaults({ SQLITE_TMPDIR: undefined }, async (s, p, f) => {
      p.respond(echo);
      const { conversation_id: id } = await chat(s, 'before');
      const pids = s.workerPids();
      const asked = p.chats.length;
      const kept = ['before'];
      f.set(order);
      for (let i = 0; i < 3; i++) {
        const r = await chatWhole(s, { message: `in trouble ${i}`, conversation_id: id });
        if (r.status === 200) kept.push(`in trouble ${i}`);
        else assertError(r, 503, 'store_unavailable');
        assert.equal((await conversation(s, id)).messages[0].content, 'before', 'reading goes on');
        assert.equal((await get(`${s.url}/health`)).status, 200);
      }
      if (!order.short) { assert.equal(kept.length, 1); assert.equal(p.chats.length, asked, 'the provider was not asked'); }
      f.set({ writes: 0, syncs: 0, short: 0 });
      assert.equal((await chat(s, { message: 'after', conversation_id: id })).text, 'echo after');
      kept.push('after');
      const said = (await conversation(s, id)).messages.filter((m) => m.role === 'user').map((m) => m.content);
      for (const text of kept) assert.ok(said.includes(text), `${text} of ${said}`);
      s.noneEnded(pids);
      assert.deepEqual(dbProblems(s.db), []);
    }));
  }

  test('it fails while an answer streams: the client gets every token and no false success, and the answer is stored when the disk is well', opts, () => withFaults({}, async (s, p, f) => {
    const g = gate();
    p.respond(held(['first '], g, ['last']));
    const c = await stream(`${s.url}/chat/stream`, { message: 'Hi' });
    const id = JSON.parse((await c.next()).data).conversation_id;
    await c.until((e) => /first/.test(e.data));
    f.set({ syncs: ERRNO.EIO, writes: ERRNO.EIO });
    g.open();
    await c.all();
    const r = readStream(c);
    assert.equal(r.text, 'first last');
    assert.equal(r.terminal.event, 'error');
    assert.equal(r.terminal.code, 'store_unavailable');
    f.set({ syncs: 0, writes: 0 });
    const { answer } = await settled(s, id);
    assert.equal(answer.content, 'first last');
    assert.equal(answer.status, 'done');
  }));

  test('a network file system: a rollback journal instead of WAL, with a warning, and all works, with several processes', opts, () => {
    const f = faults();
    f.set({ fileSystem: NFS });
    return withServer({ env: f.env, workers: 2 }, async (s, p) => {
      p.respond(echo);
      const all = await Promise.all(Array.from({ length: 8 }, (_, i) => chat(s, `m${i}`)));
      all.forEach((r, i) => assert.equal(r.text, `echo m${i}`, JSON.stringify(r.error)));
      assert.equal(sql(s.db, 'PRAGMA journal_mode')[0].journal_mode, 'delete');
      assert.equal(existsSync(`${s.db}-wal`), false);
      assert.match(s.log(), /network file system/);
      renameSync(s.db, `${s.db}.away`);
      assertError(await chatWhole(s, 'gone'), 503, 'store_unavailable');
      renameSync(`${s.db}.away`, s.db);
      assert.equal((await list(s)).conversations.length, 8);
    }).finally(() => f.end());
  });
});

describe('the disk is full', () => {
  test('reading, exporting and deleting go on, and what was deleted makes room', opts, async (t) => {
    const dir = mkdtempSync(path.join(tmpdir(), 'parley-disk-'));
    try { execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${6 << 20},mode=0777`, 'parley-test', dir], { stdio: 'pipe' }); } catch { rmSync(dir, { recursive: true }); return t.skip('no right to mount a small file system'); }
    const db = path.join(dir, 'parley.db');
    try {
      await withServer({ settings: { PARLEY_DB: db } }, async (s, p) => {
        p.respond(simple('z'.repeat(20_000)));
        const ids = [];
        for (let i = 0; i < 12; i++) ids.push((await chat(s, `question ${i} ${'y'.repeat(10_000)}`)).conversation_id);
        try { writeFileSync(path.join(dir, 'filler'), Buffer.alloc(16 << 20)); } catch (e) { assert.equal(e.code, 'ENOSPC'); }
        let full = 0;
        for (let i = 0; i < 60 && full < 2; i++) full += (await chatWhole(s, 'x'.repeat(60_000))).status === 503;
        assert.equal(full, 2, 'the disk is full now');
        assert.equal((await list(s)).conversations.length >= 12, true);
        assert.equal((await conversation(s, ids[3])).messages[0].content.slice(0, 10), 'question 3');
        for (const id of ids.slice(0, 6)) assert.equal((await del(`${s.url}/conversations/${id}`)).status, 200, 'deleting goes on');
        assert.equal((await get(`${s.url}/conversations/${ids[0]}`)).status, 404);
        p.reset(simple('ok'));
        assert.equal((await chatWhole(s, 'there is room again')).status, 200);
        assert.deepEqual(dbProblems(db), []);
      });
    } finally {
      try { execFileSync('umount', ['-l', dir], { stdio: 'pipe' }); } catch { /* busy */ }
      rmSync(dir, { recursive: true, force: true });
    }
  });

  test('a file that may not grow (ulimit -f) does not end the worker: the client gets every token and no false success', { ...opts, skip: lacks('threadedWorker') }, () => withServer({
    workers: 1, prefix: ['sh', '-c', 'ulimit -f 400; exec "$@"', 'sh'],            // blocks of 512 bytes
  }, async (s, p) => {
    const text = 'x'.repeat(600_000);
    p.respond(simple(text));
    const pids = s.workerPids();
    const r = await chatStream(s, 'Hi');
    assert.equal(r.text, text);
    assert.equal(r.terminal.code, 'store_unavailable');
    s.noneEnded(pids);
  }));
});

const PROCESSES = 8, TURNS = Number(process.env.PARLEY_TEST_TURNS ?? 100);
test(`${PROCESSES} processes of ${TURNS} turns each share one file: no row is lost or doubled, nobody sees a busy database`, { timeout: (120_000 + TURNS * 1000) * SCALE, skip: lacks('severalWorkers') }, () => withServer({ workers: PROCESSES, settings: { LOG_LEVEL: 'info' } }, async (s, p) => {
  p.respond(echo);
  const total = PROCESSES * TURNS, clients = 2 * PROCESSES, each = total / clients;
  const ids = await Promise.all(Array.from({ length: clients }, async (_, c) => {
    let id;
    for (let i = 0; i < each; i++) {
      const r = await chatWhole(s, { message: `c${c} m${i}`, conversation_id: id });
      assert.equal(r.status, 200, r.text);
      assert.equal(r.json.response, `echo c${c} m${i}`);
      id = r.json.conversation_id;
    }
    return id;
  }));
  for (const [c, id] of ids.entries()) assert.deepEqual(sql(s.db, `SELECT content FROM messages WHERE conversation_id=(SELECT id FROM conversations WHERE public_id='${id}') ORDER BY seq`).map((m) => m.content),
    Array.from({ length: each }, (_, i) => [`c${c} m${i}`, `echo c${c} m${i}`]).flat());
  assert.equal(sql(s.db, 'SELECT count(*) AS n FROM messages')[0].n, 2 * total);
  assert.doesNotMatch(s.log(), /database is locked/);
}));
