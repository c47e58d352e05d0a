// Trouble with the SQLite file: locked, read-only, full, not a database, newer. A clear sentence, nothing half-written.
import test, { describe } from 'node:test';
import assert from 'node:assert/strict';
import { writeFileSync, readFileSync, mkdtempSync, mkdirSync, chmodSync, chownSync, rmSync, statSync, existsSync } from 'node:fs';
import { execFileSync } from 'node:child_process';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { withServer, startServer, lockDatabase, sql, dbProblems } from './server.js';
import { lacks } from './hosting.js';
import { simple, held, gate, SCALE, startProvider, sleep, within } from '../provider/provider.js';
import { get, post, patch, del, stream, chat, chatStream, chatWhole, conversation, list, settled, assertError, readStream, readChat } from './client.js';

const opts = { timeout: 90_000 * SCALE };

/** Asks everything that needs the store; each is 503 store_unavailable with a sentence. Health stays 200. */
async function allUnavailable(s, p, says) {
  const n = p.chats.length;
  for (const r of [await chatWhole(s, 'Hi'), await post(`${s.url}/chat`, { message: 'Hi' }), await post(`${s.url}/chat/stream`, { message: 'Hi' }), await get(`${s.url}/conversations`), await get(`${s.url}/conversations?q=x`),
    await post(`${s.url}/conversations`, { title: 'x' })]) {
    const e = assertError(r, 503, 'store_unavailable');
    if (says) assert.match(e.message, says);
  }
  assert.equal(p.chats.length, n, 'the provider is not asked when the question cannot be stored');
  assert.deepEqual((await get(`${s.url}/health`)).json, { status: 'healthy' });
  const ready = await get(`${s.url}/ready`);
  assert.equal(ready.status, 503);
  assert.equal(ready.json.status, 'not_ready');
}

describe('the database is locked by another process', () => {
  for (const path of ['/chat', '/chat/stream']) test(`for less than the busy limit: POST ${path} waits and answers`, opts, () => withServer({}, async (s, p) => {
    p.respond(simple('patient answer'));
    await chat(s, 'warm');
    const lock = await lockDatabase(s.db);
    const t0 = performance.now();
    const going = (path === '/chat' ? chat : chatStream)(s, 'Hi');
    await sleep(1.2);
    assert.equal(p.chats.length, 1, 'the provider is not asked before the question is stored');
    await lock.release();
    const r = await going;
    assert.equal(r.text, 'patient answer', JSON.stringify(r.error));
    assert.ok(performance.now() - t0 >= 1100);
    assert.equal((await conversation(s, r.conversation_id)).messages[1].content, 'patient answer');
  }));

  test('for longer than the busy limit: 503 store_unavailable, the provider is not asked, nothing is stored; afterwards all works', opts, () => withServer({ settings: { DB_BUSY_SECONDS: '0.5' } }, async (s, p) => {
    p.respond(simple('ok'));
    const first = await chat(s, 'warm');
    const n = sql(s.db, 'SELECT (SELECT count(*) FROM messages) AS m, (SELECT count(*) FROM conversations) AS c')[0];
    const lock = await lockDatabase(s.db);
    try {
      for (const r of [await chatWhole(s, 'Hi'), await post(`${s.url}/chat`, { message: 'Hi' }), await post(`${s.url}/chat/stream`, { message: 'Hi', conversation_id: first.conversation_id }),
        await post(`${s.url}/conversations`, { title: 'x' }), await patch(`${s.url}/conversations/${first.conversation_id}`, { title: 'x' }), await del(`${s.url}/conversations/${first.conversation_id}`)]) {
        assertError(r, 503, 'store_unavailable');
      }
      assert.equal(p.chats.length, 1);
      assert.equal((await list(s)).conversations.length, 1, 'readers go on');
      assert.equal((await conversation(s, first.conversation_id)).messages.length, 2);
    } finally { await lock.release(); }
    assert.deepEqual(sql(s.db, 'SELECT (SELECT count(*) FROM messages) AS m, (SELECT count(*) FROM conversations) AS c')[0], n, 'nothing half-written');
    const again = await chat(s, { message: 'Hi', conversation_id: first.conversation_id });
    assert.equal(again.text, 'ok');
  }));

  test('for 5 s by default: waits up to the busy limit, else 503 in bounded time', opts, () => withServer({}, async (s, p) => {
    p.respond(simple('ok'));
    await chat(s, 'warm');
    const lock = await lockDatabase(s.db);
    try {
      const t0 = performance.now();
      assertError(await chatWhole(s, 'Hi', { seconds: 40 }), 503, 'store_unavailable');
      const took = (performance.now() - t0) / 1000;
      assert.ok(took >= 4 && took < 12 * SCALE, `after ${took} s`);
    } finally { await lock.release(); }
    assert.equal((await chat(s, 'Hi')).text, 'ok');
  }));

  for (const path of ['/chat', '/chat/stream']) test(`while an answer streams on ${path}: no token waits for it, and the answer is stored`, opts, () => withServer({}, async (s, p) => {
    const g = [gate(), gate()];
    p.respond(async (req, io) => { io.token('one '); await g[0].wait(); io.token('two '); await g[1].wait(); io.token('three'); io.finish(); io.done(); await io.end(); });
    const c = await stream(`${s.url}${path}`, { message: 'Hi' });
    await c.until((e) => /one/.test(e.data));
    const lock = await lockDatabase(s.db);
    g[0].open();
    const t0 = performance.now();
    await c.until((e) => /two/.test(e.data));
    assert.ok(performance.now() - t0 < 4000 * SCALE, 'the token did not wait for DB_BUSY_SECONDS');
    g[1].open();
    await c.until((e) => /three/.test(e.data));
    await sleep(0.3);
    await lock.release();
    await c.all();
    const r = (path === '/chat' ? readChat : readStream)(c);
    assert.equal(r.text, 'one two three');
    const { answer } = await settled(s, r.conversation_id);
    assert.equal(answer.content, 'one two three');
    assert.equal(answer.status, 'done');
  }));
});

describe('the database is not usable', () => {
  const inDir = async (prepare, settings, fn) => {
    const dir = mkdtempSync(path.join(tmpdir(), 'parley-store-'));
    const db = path.join(dir, 'data', 'parley.db');
    mkdirSync(path.dirname(db));
    try { prepare(db, dir); await withServer({ settings: { PARLEY_DB: db, DB_BUSY_SECONDS: '0.5', ...settings }, stop: { checkDb: false } }, (s, p) => fn(s, p, db)); } finally { rmSync(dir, { recursive: true, force: true }); }
  };

  test('a file that is not a database: 503 store_unavailable, and the file is left as it is', opts, () => {
    const bytes = 'This is my diary, not a database.\n'.repeat(1000);
    return inDir((db) => writeFileSync(db, bytes), {}, async (s, p, db) => {
      p.respond(simple('ok'));
      await allUnavailable(s, p, /database/i);
      assert.equal(readFileSync(db, 'utf8'), bytes, 'never written over');
    });
  });

  test('a database of a newer version: 503 with a sentence that says so, and the file is left as it is', opts, () => {
    let bytes;
    return inDir((db) => { execFileSync('sqlite3', [db, 'PRAGMA user_version=9999; CREATE TABLE future(x); INSERT INTO future VALUES (42);']); bytes = readFileSync(db); }, {}, async (s, p, db) => {
      p.respond(simple('ok'));
      await allUnavailable(s, p, /newer/i);
      assert.equal(sql(db, 'PRAGMA user_version')[0].user_version, 9999);
      assert.deepEqual(sql(db, 'SELECT x FROM future'), [{ x: 42 }]);
      assert.deepEqual(sql(db, "SELECT name FROM sqlite_master WHERE type='table'").map((r) => r.name), ['future']);
    });
  });

  test('a newer database made from a real one keeps every row', opts, async () => {
    const dir = mkdtempSync(path.join(tmpdir(), 'parley-store-'));
    const db = path.join(dir, 'parley.db');
    try {
      await withServer({ settings: { PARLEY_DB: db } }, async (s, p) => { p.respond(simple('ok')); await chat(s, 'kept'); });
      const was = sql(db, 'SELECT id, content FROM messages ORDER BY id');
      assert.equal(was.length, 2);
      const version = sql(db, 'PRAGMA user_version')[0].user_version;
      sql(db, 'PRAGMA user_version=9999', { readonly: false });
      await withServer({ settings: { PARLEY_DB: db } }, async (s, p) => { p.respond(simple('ok')); await allUnavailable(s, p, /newer/i); });
      sql(db, `PRAGMA user_version=${version}`, { readonly: false });
      assert.deepEqual(sql(db, 'SELECT id, content FROM messages ORDER BY id'), was);
      await withServer({ settings: { PARLEY_DB: db } }, async (s, p) => { p.respond(simple('ok')); assert.equal((await list(s)).conversations.length, 1); assert.equal((await chat(s, 'more')).text, 'ok'); });
    } finally { rmSync(dir, { recursive: true, force: true }); }
  });

  test('a directory that is not there: 503 with the path in the log, not in the answer, or it is made', opts, () => inDir(() => {}, { PARLEY_DB: '/proc/nowhere/parley.db' }, async (s, p) => {
    p.respond(simple('ok'));
    await allUnavailable(s, p);
    assert.match(s.log(), /\/proc\/nowhere\/parley\.db/);
  }));

  test('an empty file becomes a database', opts, () => inDir((db) => writeFileSync(db, ''), {}, async (s, p, db) => {
    p.respond(simple('ok'));
    assert.equal((await chat(s, 'Hi')).text, 'ok');
    assert.deepEqual(dbProblems(db), []);
  }));

  test('a broken page: 503 or 500 with a sentence, no crash, health stays', opts, async () => {
    const dir = mkdtempSync(path.join(tmpdir(), 'parley-store-'));
    const db = path.join(dir, 'parley.db');
    try {
      await withServer({ settings: { PARLEY_DB: db } }, async (s, p) => { p.respond(simple('ok '.repeat(3000))); for (let i = 0; i < 10; i++) await chat(s, `m${i}`); });
      sql(db, 'PRAGMA wal_checkpoint(TRUNCATE)', { readonly: false });
      const bytes = readFileSync(db);
      bytes.fill(0xa5, 4096, bytes.length - 4096);
      writeFileSync(db, bytes);
      await withServer({ settings: { PARLEY_DB: db }, stop: { checkDb: false } }, async (s, p) => {
        p.respond(simple('ok'));
        const pids = s.workerPids();
        for (const r of [await get(`${s.url}/conversations`), await chatWhole(s, 'Hi'), await get(`${s.url}/conversations?q=ok`)]) assertError(r, [500, 503]);
        assert.equal((await get(`${s.url}/health`)).status, 200);
        s.noneEnded(pids);                                   // nobody crashed
      });
    } finally { rmSync(dir, { recursive: true, force: true }); }
  });
});

test('a read-only database: reading goes on or is 503, writing is 503 with a clear sentence, nothing changes', opts, async () => {
  // as root the permissions mean nothing: then everything runs as nobody
  const dir = mkdtempSync(path.join(tmpdir(), 'parley-store-'));
  const db = path.join(dir, 'parley.db');
  const p = await startProvider();
  p.respond(simple('ok'));
  try {
    let id;
    const a = await startServer({ dir, settings: { LLM_BASE_URL: p.url, PARLEY_DB: db } });
    try { id = (await chat(a, 'written before')).conversation_id; } finally { await a.stop(); }
    sql(db, 'PRAGMA wal_checkpoint(TRUNCATE)', { readonly: false });
    for (const f of ['-wal', '-shm']) rmSync(db + f, { force: true });
    const before = readFileSync(db);
    const locked = path.join(dir, 'locked');
    mkdirSync(locked);
    const moved = path.join(locked, 'parley.db');
    writeFileSync(moved, before);
    chmodSync(moved, 0o444);
    chmodSync(locked, 0o555);
    const run = path.join(dir, 'run2');
    mkdirSync(run);
    chmodSync(dir, 0o755);
    const s = await startServer({ dir: run, unprivileged: true, settings: { LLM_BASE_URL: p.url, PARLEY_DB: moved } });
    try {
      p.reset(simple('ok'));
      for (const r of [await chatWhole(s, 'Hi'), await post(`${s.url}/chat`, { message: 'Hi', conversation_id: id }), await post(`${s.url}/chat/stream`, { message: 'Hi' }), await post(`${s.url}/conversations`, {}),
        await patch(`${s.url}/conversations/${id}`, { title: 'x' }), await del(`${s.url}/conversations/${id}`)]) assertError(r, 503, 'store_unavailable');
      assert.equal(p.chats.length, 0);
      const r = await get(`${s.url}/conversations`);
      if (r.status === 200) assert.deepEqual(r.json.conversations.map((c) => c.conversation_id), [id]);
      else assertError(r, 503, 'store_unavailable');
      assert.equal((await get(`${s.url}/health`)).status, 200);
    } finally { await s.stop({ checkDb: false }); }
    assert.deepEqual(readFileSync(moved), before);
    chmodSync(locked, 0o755);
  } finally { await p.stop(); rmSync(dir, { recursive: true, force: true }); }
});

/** A file system of so many bytes, or null where we may not mount one. */
function smallDisk(bytes) {
  const dir = mkdtempSync(path.join(tmpdir(), 'parley-disk-'));
  try { execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${bytes},mode=0777`, 'parley-test', dir], { stdio: 'pipe' }); } catch { rmSync(dir, { recursive: true }); return null; }
  return { dir, free: () => { try { execFileSync('umount', ['-l', dir], { stdio: 'pipe' }); } catch { /* busy */ } rmSync(dir, { recursive: true, force: true }); } };
}

describe('the disk is full', () => {
  test('before a turn: 503 store_unavailable, the provider is not asked; when there is room again everything works, without a restart', opts, async (t) => {
    const disk = smallDisk(3 << 20);
    if (!disk) return t.skip('no right to mount a small file system');
    const db = path.join(disk.dir, 'parley.db');
    const filler = path.join(disk.dir, 'filler');
    try {
      await withServer({ settings: { PARLEY_DB: db } }, async (s, p) => {
        p.respond(simple('ok'));
        const first = await chat(s, 'while there is room');
        assert.equal(first.text, 'ok', JSON.stringify(first.error));
        const n = sql(db, 'SELECT count(*) AS n FROM messages')[0].n;
        try { writeFileSync(filler, Buffer.alloc(8 << 20)); } catch (e) { assert.equal(e.code, 'ENOSPC'); }
        p.reset(simple('ok'));
        const e = assertError(await chatWhole(s, 'x'.repeat(90_000)), 503, 'store_unavailable');
        assert.match(e.message, /full|space|disk/i);
        assertError(await post(`${s.url}/chat`, { message: 'y'.repeat(90_000) }), 503, 'store_unavailable');
        assert.equal(p.chats.length, 0);
        assert.equal((await conversation(s, first.conversation_id)).messages.length, 2, 'reading goes on');
        rmSync(filler);
        assert.equal(sql(db, 'SELECT count(*) AS n FROM messages')[0].n, n, 'nothing half-written');
        const again = await chat(s, { message: 'room again', conversation_id: first.conversation_id });
        assert.equal(again.text, 'ok', JSON.stringify(again.error));
        assert.deepEqual(dbProblems(db), []);
      });
    } finally { disk.free(); }
  });

  for (const way of ['/chat', '/chat/stream']) test(`while an answer streams on ${way}: the client gets every token and no false success, the question is kept`, opts, async (t) => {
    const disk = smallDisk(3 << 20);
    if (!disk) return t.skip('no right to mount a small file system');
    const db = path.join(disk.dir, 'parley.db');
    const filler = path.join(disk.dir, 'filler');
    const text = Array.from({ length: 200 }, (_, i) => `${i} ${'z'.repeat(1000)} `);
    try {
      await withServer({ settings: { PARLEY_DB: db } }, async (s, p) => {
        const g = gate();
        p.respond(held(['first '], g, text));
        const c = await stream(`${s.url}${way}`, { message: 'Hi' });
        await c.until((e) => /first/.test(e.data));
        try { writeFileSync(filler, Buffer.alloc(8 << 20)); } catch (e) { assert.equal(e.code, 'ENOSPC'); }
        g.open();
        await c.all();
        const r = (way === '/chat' ? readChat : readStream)(c);
        assert.equal(r.text, `first ${text.join('')}`);
        const success = way === '/chat' ? !r.error : r.terminal.event === 'done' && r.terminal.status === 'done';
        rmSync(filler);
        const m = (await conversation(s, r.conversation_id)).messages;
        assert.equal(m[0].content, 'Hi');
        if (success) assert.equal(m[1].content, r.text, 'a success means stored');
        else assert.equal((way === '/chat' ? r.error : r.terminal).code, 'store_unavailable');
        p.reset(simple('ok'));
        assert.equal((await chat(s, 'and on')).text, 'ok');
        assert.deepEqual(dbProblems(db), []);
      });
    } finally { disk.free(); }
  });
});

test('two worker processes share one file: no row is lost or doubled, nobody sees a busy database', { ...opts, skip: lacks('severalWorkers') }, () => withServer({ workers: 2 }, async (s, p) => {
  p.respond(async (req, io) => simple(`echo ${req.body.messages.at(-1).content}`)(req, io));
  const jobs = Array.from({ length: 8 }, async (_, c) => {
    let id;
    for (let i = 0; i < 15; i++) {
      const r = await chat(s, { message: `c${c} m${i}`, conversation_id: id });
      assert.equal(r.text, `echo c${c} m${i}`, JSON.stringify(r.error));
      id = r.conversation_id;
    }
    return id;
  });
  const ids = await Promise.all(jobs);
  for (const [c, id] of ids.entries()) {
    const { messages } = await conversation(s, id);
    assert.deepEqual(messages.map((m) => m.content), Array.from({ length: 15 }, (_, i) => [`c${c} m${i}`, `echo c${c} m${i}`]).flat());
  }
  assert.equal(sql(s.db, 'SELECT count(*) AS n FROM messages')[0].n, 240);
}));

test('an acknowledged message is there after kill -9 of the worker', { ...opts, skip: lacks('residentWorker') }, () => withServer({}, async (s, p) => {
  p.respond(simple('survivor'));
  const r = await chat(s, 'will I survive?');
  const [pid] = s.workerPids();
  process.kill(pid, 'SIGKILL');
  let c;
  await within(15, (async () => { for (;;) { try { c = await conversation(s, r.conversation_id); return; } catch { await sleep(0.05); } } })(), 'the next worker');
  assert.deepEqual(c.messages.map((m) => m.content), ['will I survive?', 'survivor']);
  assert.notEqual(s.workerPids()[0], pid);
}));
