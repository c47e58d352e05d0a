// Workers that are killed (SIGKILL): at named points of a turn, and at random moments while others write (the long version is `make crash`). What was acknowledged is there
// afterwards, and nothing is left half-made that cannot be asked again.
import test, { describe } from 'node:test';
import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { startServer, sql, dbProblems, SCALE } from './server.js';
import { HOSTING } from './hosting.js';
import { startProvider, slow, sleep, within } from '../provider/provider.js';
import { chat, chatStream, stream, get, conversation } from './client.js';
import { crash } from '../crash/crash.js';

const skip = HOSTING !== 'lighttpd-fastcgi' && 'the kills are the same everywhere; what a host makes of an ended process is in hosting.test.js';
const opts = { timeout: 120_000 * SCALE, skip };

test('six rounds of kills with eight writers: nothing that was acknowledged is lost', { ...opts, timeout: 300_000 * SCALE }, async () => {
  const { problems, counts, line } = await crash({ rounds: 6, writers: 8, seed: 11, quiet: true });
  assert.deepEqual(problems, [], line);
  assert.ok(counts.turns > 10 && counts.done > 0 && counts.broken > 0, line);
});

const words = Array.from({ length: 60 }, (_, i) => `w${i}é `);

/** Writes a little to the disk again and again; the function that it returns ends that and tells how long one took at most, in ms. */
function measureWrites(dir) {
  let most = 0, ended = false;
  const loop = (async () => {
    const file = await open(path.join(dir, 'probe'), 'w');
    while (!ended) {
      const t0 = performance.now();
      await file.write('x'.repeat(4096), 0);
      await file.datasync();
      most = Math.max(most, performance.now() - t0);
      await sleep(0.01);
    }
    await file.close();
  })();
  return async () => { ended = true; await loop; return most; };
}

/**
 * A program that dies at `point` when it is asked a question, and then one that does not. fn({s, p, st, id}): st is the stream that was cut off, or null; id the conversation (from the
 * database, if the client was told nothing); `late` what a write took at most meanwhile, in ms.
 */
async function crashed(point, fn, { seconds = 0.005 } = {}) {
  const dir = mkdtempSync(path.join(tmpdir(), 'parley-crash-'));
  chmodSync(dir, 0o755);
  const p = await startProvider();
  let s;
  try {
    p.respond(slow(words, seconds));
    s = await startServer({ dir, app: 'crash', env: { PARLEY_CRASH_AT: point }, settings: { LLM_BASE_URL: p.url } });
    const [pid] = s.workerPids();
    let st = null;
    const slowness = measureWrites(dir);
    try {
      st = await stream(`${s.url}/chat/stream`, { message: 'Count to sixty' }, { seconds: 20 });
      await st.all();
    } catch { /* the host's own way of saying that the program is gone */ }
    const cut = performance.now();
    const late = await slowness();
    await within(10, (async () => { while (s.workerPids().includes(pid)) await sleep(0.02); })(), `the end of the worker at ${point}`);
    await s.stop({ check: false });
    s = await startServer({ dir, settings: { LLM_BASE_URL: p.url } });
    p.reset(slow(words, 0.001));
    const rows = (await get(`${s.url}/conversations`)).json.conversations;
    await fn({ s, p, st, cut, late, id: rows[0]?.conversation_id, rows });
    assert.deepEqual(dbProblems(s.db), []);
    assert.deepEqual(sql(s.db, "SELECT id FROM messages WHERE status = 'streaming'"), []);
    await s.stop();
  } finally {
    await s?.stop({ check: false });
    await p.stop();
    rmSync(dir, { recursive: true, force: true });
  }
}

/** The conversation, once the answer of the dead process has been found. */
async function found(s, id) {
  return within(30, (async () => { for (;;) { const c = await conversation(s, id); if (!c.messages.some((m) => m.status === 'streaming')) return c; await sleep(0.1); } })(), 'the lost answer to be found');
}

/** A question whose answer was cut off can be seen as such, and asked again. */
async function canBeAskedAgain(s, id) {
  const c = await found(s, id);
  assert.equal(c.messages.length, 2);
  const [question, answer] = c.messages;
  assert.equal(question.content, 'Count to sixty');
  assert.equal(answer.status, 'interrupted');
  assert.ok(words.join('').startsWith(answer.content), answer.content);
  const again = await chatStream(s, { message: question.content, conversation_id: id, parent_id: question.parent_id ?? 'root' });
  assert.equal(again.text, words.join(''));
  return answer;
}

describe('killed at a named point', () => {
  test('after a connection was accepted: nothing is stored, and nothing is in the way', opts, () => crashed('accepted:2', async ({ s, st, rows }) => {
    assert.ok(!st || st.status >= 500, 'the client is told that it failed');
    assert.deepEqual(rows, []);
    assert.equal((await chat(s, 'Hi')).text, words.join(''));
  }));

  test('after the question was stored', opts, () => crashed('question_stored', async ({ s, st, id }) => {
    assert.ok(!st || st.status >= 500);
    assert.equal((await canBeAskedAgain(s, id)).content, '');
  }));

  test('when the first token came', opts, () => crashed('token', async ({ s, id }) => { await canBeAskedAgain(s, id); }));

  test('in the middle of the answer', opts, () => crashed('token:40', async ({ s, st, id }) => {
    const seen = st.events.filter((e) => e.event === 'token').map((e) => e.data).join('');
    assert.ok(seen.length > 0 && words.join('').startsWith(seen), 'the client had a part of it');
    assert.ok(!st.events.some((e) => e.event === 'done' || e.event === 'error'));
    await canBeAskedAgain(s, id);
  }, { seconds: 0.02 }));

  for (const point of ['before_journal:3', 'after_journal:3']) {
    test(`${point.startsWith('b') ? 'before' : 'after'} a part of the answer was stored: what a client saw a quarter of a second before is kept`, opts, () => crashed(point, async ({ s, st, id, cut, late }) => {
      const seen = st.events.filter((e) => e.event === 'token' && e.at < cut - 300 * SCALE - 2 * late).map((e) => e.data).join('');
      const { content } = await canBeAskedAgain(s, id);
      assert.ok(content.length > 0 && content.startsWith(seen), `${seen.length} seen, ${content.length} kept`);
    }, { seconds: 0.02 }));
  }

  test('before the end was stored: the client was not told that it is done', opts, () => crashed('before_end', async ({ s, st, id }) => {
    assert.ok(!st.events.some((e) => e.event === 'done'));
    await canBeAskedAgain(s, id);
  }));

  test('after the end was stored: the answer is whole', opts, () => crashed('after_end', async ({ s, st, id }) => {
    assert.ok(!st.events.some((e) => e.event === 'done'), 'the worker was gone before it could say so');
    const c = await conversation(s, id);
    assert.deepEqual(c.messages.map((m) => [m.status, m.content]), [['done', 'Count to sixty'], ['done', words.join('')]]);
  }));
});
