// What the tests of streams that survive have in common: several servers on one database, attaching to a stream and polling it, and the check that every position follows from the one before.
// Neighbours: reattach, killed, continue and repeat .test.js.
import assert from 'node:assert/strict';
import { startServer, sql } from './server.js';
import { startProvider, held, gate, sleep, within, SCALE } from '../provider/provider.js';
import { get, post, request, stream, conversation } from './client.js';
import { lacks } from './hosting.js';

export const opts = { timeout: 120_000 * SCALE };

/** Behind what is kept of an answer that was lost with its process, the positions make a jump at least so wide. */
export const JUMP = 1 << 22;

/** Several servers with the same provider and database, for a whole file: at.s is at.all[0], at.p the provider. */
export function several({ before, after, beforeEach }, count, options = {}) {
  const at = { s: null, p: null, all: [] };
  before(async () => {
    at.p = await startProvider();
    try {
      at.s = await startServer({ ...options, settings: { LLM_BASE_URL: at.p.url, ...options.settings } });
      at.all.push(at.s);
      while (at.all.length < count) at.all.push(await startServer({ ...options, settings: { LLM_BASE_URL: at.p.url, ...options.settings, PARLEY_DB: at.s.db } }));
    } catch (e) {
      for (const s of at.all) await s.stop({ check: false });
      await at.p.stop();
      throw e;
    }
  });
  beforeEach?.(() => at.p.reset(null));
  after(async () => {
    try {
      for (const s of at.all.slice().reverse()) await s.stop(options.stop);      // the first has the database
    } finally { await at.p?.stop(); }
  });
  return at;
}

export const path = (id) => `/conversations/${id}/stream`;
/** Attaches to a stream; `after` or `last` (as a browser sends it) is the last id that was seen. */
export const attach = (s, id, { after, last, ...more } = {}) =>
  stream(`${s.url}${path(id)}${after ? `?after=${after}` : ''}`, undefined, { method: 'GET', ...(last ? { headers: { 'Last-Event-ID': last } } : {}), ...more });
export const poll = (s, id, query, more) => get(`${s.url}${path(id)}?${query}`, more);
export const stop = (s, id, more) => post(`${s.url}/conversations/${id}/stop`, undefined, more);
export const posOf = (id) => Number(id.split(':')[1]);

/** Text and last id of events, checked: each position follows from the one before. Behind the jump after a lost answer only order is checked. `seams`: so many times the answer
    was ended and went on: each such end has a position of its own, which is not said again. */
export function follow(events, from = null, seams = 0) {
  let left = seams;
  let pos = from;
  let text = '';
  let last = null;
  for (const e of events) {
    if (e.event === 'ping') continue;
    const here = posOf(e.id);
    const data = typeof e.data === 'string' ? e.data : JSON.stringify(e.data);
    const step = e.event === 'token' ? Buffer.byteLength(data) : 1;
    while (pos !== null && left > 0 && here - pos > step && here - pos < JUMP) { pos++; left--; }
    if (pos !== null && here - pos < JUMP) assert.equal(here - pos, step, `position of ${JSON.stringify(e)} after ${pos}`);
    else if (pos !== null) assert.ok(here > pos);
    pos = here;
    last = e.id;
    if (e.event === 'token') text += data;
  }
  return { text, last, pos };
}

export const textOf = (events) => events.filter((e) => e.event === 'token').map((e) => e.data).join('');

/** An answer that is held after `before`, with its first client, who has seen all of that. */
export async function heldAnswer(s, p, before, afterwards, body = { message: 'Hi' }, more = {}) {
  const g = gate();
  p.respond(held(before, g, afterwards));
  const first = await stream(`${s.url}/chat/stream`, body, more);
  const start = JSON.parse((await first.until((e) => e.event === 'start')).data);
  let seen = '';
  const whole = [].concat(before).join('');
  while (seen.length < whole.length) seen += (await first.until((e) => e.event === 'token')).data;
  return { g, first, ...start, last: first.events.at(-1).id };
}

/** Waits until the journal has an answer's log up to a position. */
export async function journaled(s, message, pos) {
  await within(10, (async () => {
    for (;;) {
      const rows = sql(s.db, `SELECT j.pos, j.kind, length(CAST(j.data AS BLOB)) AS len FROM journal AS j JOIN messages AS m ON m.id = j.message_id WHERE m.public_id = '${message}'`);
      if (rows.some((r) => r.pos + (r.kind === 'text' ? r.len : 1) >= pos)) return;
      await sleep(0.02);
    }
  })(), `position ${pos} of ${message} in the journal`);
}

/** Kills all processes of a server that make answers. */
export function killWorkers(s) {
  const pids = s.workerPids();
  assert.ok(pids.length > 0, 'there is a process to kill');
  for (const pid of pids) process.kill(pid, 'SIGKILL');
  return pids;
}

/** Resolves when the server serves again, by other processes than these. */
export const restarted = (s, pids) => within(20, (async () => {
  for (;;) {
    const r = await request(`${s.url}/health`, { seconds: 5 }).catch(() => null);
    if (r?.status === 200 && (lacks('residentWorker') || s.workerPids().some((p) => !pids.includes(p)))) return;
    await sleep(0.03);
  }
})(), 'another worker');

/** The one answer of a conversation, or the last. */
export const lastAnswer = async (s, id, more) => (await conversation(s, id, more)).messages.at(-1);

/** Fails when the database says of a conversation that an answer is being written, or has a journal of it. */
export function assertNothingRuns(s, id) {
  const where = `m.conversation_id = (SELECT id FROM conversations WHERE public_id = '${id}')`;
  assert.deepEqual(sql(s.db, `SELECT public_id FROM messages AS m WHERE status = 'streaming' AND ${where}`), []);
  assert.deepEqual(sql(s.db, `SELECT DISTINCT message_id FROM journal AS j JOIN messages AS m ON m.id = j.message_id WHERE ${where}`), []);
}
