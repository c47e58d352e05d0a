// Kills worker processes at random moments (SIGKILL, as the kernel does when memory is out) while writers talk to them, and checks that nothing that was acknowledged is lost.
//
//   make crash ROUNDS=200 WRITERS=20 SEED=7        prints a line for each ten rounds and one at the end; status 1 and what is wrong, if something is
//
// A writer notes what it was told: the ids of a `start` event or of an answer, each piece of text with its time, `done`, a new title, a deletion. After a kill it looks at its
// conversation through the next worker: the question has to be there, whole; an answer that was done too; of another one all that had been seen a quarter of a second before the kill,
// and nothing that the model did not say; no message doubled. Then it goes on with the stream
// that was cut off. (A quarter of a second, and twice the time that a write and fdatasync(2) of
// our own took at that moment: on a busy machine everything waits.) Which operations come, their lengths and pauses follow from SEED; moments do not. Neighbours: tests/http/crash.test.js (a few
// rounds with every `make test`, and kills at named points).
import { existsSync } from 'node:fs';
import { open } from 'node:fs/promises';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { withServer, sql, dbProblems, alive, SCALE } from '../http/server.js';
import { get, post, patch, del, stream } from '../http/client.js';
import { sleep, USAGE } from '../provider/provider.js';

/** Random numbers from a seed, 0 up to 1 (mulberry32). */
function numbers(seed) {
  let a = seed >>> 0;
  return () => {
    a = (a + 0x6D2B79F5) >>> 0;
    let t = Math.imul(a ^ (a >>> 15), a | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

const hash = (text) => [...text].reduce((h, c) => (Math.imul(h, 31) + c.codePointAt(0)) >>> 0, 7);

/** What the model says to a question: follows from the question, so that both sides know it. */
const tagOf = (question) => question.match(/w\d+n\d+s\d+/g)?.at(-1) ?? 'none';    // the last: a question that got no answer is sent again with the next one
export function wordsFor(question) {
  const tag = tagOf(question);
  return Array.from({ length: 3 + hash(tag) % 60 }, (_, i) => `${tag}.${i} ${['é', '🙂', 'n\u0303', 'plain'][i % 4]} `);
}
export const answerFor = (question) => wordsFor(question).join('');

/** A model that takes 2 to 30 ms for a word. */
export async function model(req, io) {
  const question = req.body.messages.at(-1).content;
  const pause = 0.002 + (hash(`${tagOf(question)}!`) % 28) / 1000;
  io.role();
  for (const word of wordsFor(question)) { if (io.isClosed) return; io.token(word); await sleep(pause); }
  io.finish('stop', USAGE);
  io.done();
  await io.end();
}

/** Settings under which the writers are not held back. */
export const SETTINGS = { MAX_STREAMS: '200', LOG_LEVEL: 'info', SHUTDOWN_SECONDS: '2', MAX_STREAMS_PER_USER: '0', MAX_STREAMS_PER_ADDRESS: '0', REQUESTS_PER_MINUTE: '0' };

/** The next look at a conversation whose worker may have been killed a moment ago: [status, object]. Waits for a worker to be there. */
async function look(s, id, seconds = 30) {
  const until = performance.now() + seconds * SCALE * 1000;
  for (;;) {
    try {
      const r = await get(`${s.url}/conversations/${id}`, { seconds: 10 });
      const going = r.status === 200 && r.json.messages.some((m) => m.status === 'streaming');
      if ((r.status === 200 && !going) || r.status === 404) return [r.status, r.json];
      if (performance.now() > until) return [r.status, r.json];
    } catch (e) {
      if (performance.now() > until) throw new Error(`no worker after ${seconds * SCALE} s: ${e.message}`);
    }
    await sleep(0.05);
  }
}

class Run {
  constructor(s, o) {
    Object.assign(this, { s, ...o, problems: [], kills: [], ended: false, most: 0, slowest: 0, probes: [], counts: { turns: 0, repeated: 0, reattached: 0, done: 0, broken: 0, unacknowledged: 0, changes: 0, deleted: 0 } });
  }

  problem(text) {
    this.problems.push(text);
    if (this.problems.length <= 20) console.error(`  ${text}`);
  }

  /** The time of the last kill before `at`, at most five seconds before. */
  killBefore(at) { return this.kills.filter((k) => k <= at && at - k < 5000 * SCALE).at(-1); }

  /** One turn in `c`, {id, turns, titles}; what came of it is noted in c.turns. With a key it is sent until it is acknowledged. False: it did not end well. */
  async turn(c, question, random) {
    const kind = random();
    const key = random() < 0.5 ? `key-${question.split(' ')[0]}` : null;
    const turn = { question, acknowledged: false, done: false };
    const body = { message: question, ...(c.id ? { conversation_id: c.id } : {}) };
    c.turns.push(turn);
    for (let i = 0; i === 0 || (key && !turn.acknowledged && !turn.done && i < 100 && !this.ended); i++) {
      if (i > 0) { this.counts.repeated++; await sleep(0.1); }
      await this.ask(c, turn, body, kind, key ? { 'idempotency-key': key } : {});
    }
    if (turn.done) this.counts.done++; else if (turn.acknowledged) this.counts.broken++; else this.counts.unacknowledged++;
    if (turn.done && turn.text !== answerFor(question)) this.problem(`an answer that was done came as ${JSON.stringify(turn.text?.slice(-80))}`);
    return turn.done;
  }

  async ask(c, turn, body, kind, headers) {
    const o = { seconds: 20, headers };
    Object.assign(turn, { seen: [], length: 0, text: undefined });
    const acknowledge = (id, answer) => {
      turn.acknowledged = true;
      turn.answer = answer;
      if (c.id && c.id !== id) this.problem(`a question in ${c.id} was stored in ${id}`);
      c.id = id;
      this.counts.turns++;
    };
    try {
      if (kind < 0.25) {
        const r = await post(`${this.s.url}/chat`, { ...body, stream: false }, o);
        if (r.status !== 200) return;
        acknowledge(r.json.conversation_id, r.json.message_id);
        turn.text = r.json.response;
        turn.done = true;
      } else {
        const st = await stream(`${this.s.url}/chat/stream`, body, o);
        if (st.status !== 200) { st.close(); return; }
        for (let e; (e = await st.next(30)) !== null;) {
          if (e.event === 'start') { const d = JSON.parse(e.data); acknowledge(d.conversation_id, d.message_id); }
          if (e.event === 'token') { turn.length += e.data.length; turn.seen.push({ at: e.at, length: turn.length }); turn.after = e.id; turn.text = (turn.text ?? '') + e.data; }
          if (e.event === 'done') turn.done = true;
        }
        turn.brokenAt = performance.now();
      }
    } catch { turn.brokenAt = performance.now(); }
  }

  /** Compares what is stored with what its writer was told. */
  check(c, status, stored) {
    if (c.deleted) {
      if (status !== 404) this.problem(`${c.id} was deleted, and is ${status}`);
      return;
    }
    if (status === 404 && c.maybeDeleted) { c.deleted = true; return; }
    if (status !== 200) { this.problem(`${c.id} is ${status}`); return; }
    if (!c.titles.some((t) => t === null || t === stored.title)) this.problem(`${c.id} is called ${stored.title}, not ${c.titles}`);
    const questions = stored.messages.filter((m) => m.role === 'user');
    const known = new Map(c.turns.map((t) => [t.question, t]));
    for (const m of questions) {
      if (!known.has(m.content)) this.problem(`${c.id} holds a question that nobody asked: ${m.content.slice(0, 60)}`);
      if (questions.filter((x) => x.content === m.content).length > 1) this.problem(`${c.id} holds a question twice: ${m.content.slice(0, 60)}`);
    }
    for (const t of c.turns.filter((x) => x.acknowledged)) this.checkTurn(c, t, stored.messages);
    for (const m of stored.messages) {
      if (m.role !== 'assistant') continue;
      const of = stored.messages.find((x) => x.id === m.parent_id);
      if (!of) this.problem(`${c.id}: answer ${m.id} follows nothing`);
      else if (!answerFor(of.content).startsWith(m.content)) this.problem(`${c.id}: ${m.id} holds what the model did not say: ${JSON.stringify(m.content.slice(-80))}`);
      if (m.status === 'done' && of && m.content !== answerFor(of.content)) this.problem(`${c.id}: ${m.id} is done and not whole`);
      if (!['done', 'interrupted', 'error'].includes(m.status)) this.problem(`${c.id}: ${m.id} is ${m.status}`);
    }
  }

  checkTurn(c, t, messages) {
    if (!messages.some((m) => m.role === 'user' && m.content === t.question)) { this.problem(`${c.id} has lost the question ${t.question.slice(0, 60)}`); return; }
    const m = messages.find((x) => x.id === t.answer);
    if (!m) { this.problem(`${c.id} has lost the answer ${t.answer}`); return; }
    if (t.done) {
      if (m.status !== 'done' || m.content !== answerFor(t.question)) this.problem(`${c.id}: ${t.answer} was done, and is ${m.status} with ${m.content.length} of ${answerFor(t.question).length} characters`);
      return;
    }
    const kill = this.killBefore(t.brokenAt ?? Infinity);
    if (kill === undefined) { this.problem(`${c.id}: ${t.answer} broke off without a kill`); return; }
    const lost = t.seen.find((x) => x.length > m.content.length && x.at < kill);
    if (!lost) return;
    const ms = kill - lost.at, slow = this.slowness(kill);
    if (ms > this.most) { this.most = ms; this.slowest = slow; }
    if (ms > this.loss + 2 * slow) this.problem(`${c.id}: ${t.answer} lost text that was seen ${Math.round(ms)} ms before the kill, while a write took up to ${Math.round(slow)} ms`);
  }

  /** How long writing a little to the disk took at most in the second before `at`: a busy machine holds up the journal as it holds up us. */
  slowness(at) { return Math.max(0, ...this.probes.filter((x) => x.end > at - 1000 && x.begin < at).map((x) => x.end - x.begin)); }

  /** Measures that, until the run ends. */
  async probe() {
    const file = await open(path.join(this.s.dir, 'probe'), 'w');
    while (!this.ended) {
      const begin = performance.now();
      await file.write('x'.repeat(4096), 0);
      await file.datasync();
      this.probes.push({ begin, end: performance.now() });
      await sleep(0.03);
    }
    await file.close();
  }

  /** A writer: until the run ends. */
  async writer(number) {
    const random = numbers(this.seed * 1000 + number);
    const all = [];
    for (let n = 0; !this.ended; n++) {
      const old = all.filter((c) => c.id && !c.deleted && !c.maybeDeleted);
      let c = random() < 0.5 && old.length ? old[Math.floor(random() * Math.min(old.length, 5))] : null;
      if (!c) { c = { id: null, turns: [], titles: [null] }; all.push(c); }
      const what = random();
      let good = true;
      if (c.id && what < 0.15) good = await this.rename(c, `${number}-${n} è`);
      else if (c.id && what < 0.2) good = await this.remove(c);
      else good = await this.turn(c, `w${number}n${n}s${this.seed} ${'What do you think, naïve reader? '.repeat(Math.floor(random() * 40))}`, random);
      if (good) continue;
      if (c.id) {
        try {
          const [status, stored] = await look(this.s, c.id);
          this.check(c, status, stored);
          if (status === 200) await this.reattach(c, stored);
        } catch (e) { this.problem(e.message); }
      }
      await sleep(0.05 + random() * 0.1);                             // while lighttpd has no worker it says 503 at once
    }
    return all;
  }

  /** A client whose stream was cut off goes on where it was: what it had and what it gets now are what is stored. */
  async reattach(c, stored) {
    const t = c.turns.at(-1);
    const m = stored.messages.find((x) => x.id === t?.answer);
    if (!t?.after || t.done || t.again || !m) return;
    t.again = true;
    for (let i = 0; i < 50; i++) {
      let rest = '', last = null;
      try {
        const st = await stream(`${this.s.url}/conversations/${c.id}/stream?after=${encodeURIComponent(t.after)}`, undefined, { method: 'GET', seconds: 10 });
        if ([500, 502, 503].includes(st.status)) { await st.all(10).catch(() => {}); if (st.status === 503 || st.json()?.error?.code === undefined) throw new Error('the worker was killed'); }       // said by lighttpd, not by us
        if (st.status !== 200) { this.problem(`${c.id}: its stream is ${st.status}`); st.close(); return; }
        for (let e; (e = await st.next(10)) !== null;) { if (e.event === 'token') rest += e.data; last = e; }
      } catch { await sleep(0.1); continue; }
      if (last === null || !['done', 'error'].includes(last.event)) { await sleep(0.1); continue; }    // another kill
      const had = t.text.slice(0, m.content.length);                      // the last moment may be gone: then there is nothing to add
      if (had + rest !== m.content) this.problem(`${c.id}: ${t.answer} was gone on with as ${JSON.stringify((had + rest).slice(-60))}, and is ${JSON.stringify(m.content.slice(-60))}`);
      if ((last.event === 'done') !== (m.status === 'done')) this.problem(`${c.id}: the stream of ${t.answer}, which is ${m.status}, ended with ${last.event}`);
      this.counts.reattached++;
      return;
    }
    if (!this.ended) this.problem(`${c.id}: its stream could not be had again`);
  }

  async rename(c, title) {
    c.titles.push(title);
    try {
      const r = await patch(`${this.s.url}/conversations/${c.id}`, { title }, { seconds: 20 });
      if (r.status !== 200) return false;
    } catch { return false; }
    c.titles = [title];
    this.counts.changes++;
    return true;
  }

  async remove(c) {
    c.maybeDeleted = true;
    try {
      const r = await del(`${this.s.url}/conversations/${c.id}`, { seconds: 20 });
      if (r.status !== 200) return false;
    } catch { return false; }
    c.deleted = true;
    this.counts.deleted++;
    return true;
  }

  async healthy(seconds = 30) {
    const until = performance.now() + seconds * SCALE * 1000;
    while (performance.now() < until) {
      try { if ((await get(`${this.s.url}/ready`, { seconds: 5 })).status === 200) return; } catch { /* not yet */ }
      await sleep(0.02);
    }
    throw new Error(`no worker after ${seconds * SCALE} s\n${this.s.log().slice(-2000)}`);
  }

  /** Kills all workers, or one of them; waits until the next ones serve. */
  async round(random) {
    await sleep(0.1 + random() * 1.2);
    const workers = this.s.workers();
    const victims = random() < 0.6 ? workers : workers.slice(0, 1);
    const at = performance.now();
    for (const w of victims) process.kill(w.pid, 'SIGKILL');
    this.kills.push(at);
    while (victims.some((w) => alive(w.pid, w.start))) await sleep(0.005);
    await this.healthy();
  }
}

/** All conversations of the list, page by page. */
async function everything(s) {
  const ids = [];
  for (let before = ''; before !== null;) {
    const r = await get(`${s.url}/conversations?limit=100${before ? `&before=${encodeURIComponent(before)}` : ''}`, { seconds: 20 });
    if (r.status !== 200) throw new Error(`the list is ${r.status}: ${r.raw?.slice(0, 200)}`);
    ids.push(...r.json.conversations.map((c) => c.conversation_id));
    before = r.json.next ?? null;
  }
  return ids;
}

/** The whole thing. Resolves with {problems, line}. `loss`: how many milliseconds of text a kill may cost. */
export function crash({ rounds = 200, writers = 20, seed = 1, loss = 250, quiet = false } = {}) {
  return withServer({ settings: SETTINGS, workers: 2, hosting: 'lighttpd-fastcgi' }, async (s, p) => {
    const begun = performance.now();
    p.respond(model);
    const run = new Run(s, { seed, loss });
    const random = numbers(seed);
    const probing = run.probe();
    const working = Array.from({ length: writers }, (_, i) => run.writer(i));
    for (let i = 1; i <= rounds && run.problems.length < 20; i++) {
      await run.round(random);
      p.requests.length = 0;
      p.ios.length = 0;
      if (i % 10 === 0 || i === rounds) {
        for (const bad of dbProblems(s.db)) run.problem(bad);
        if (!quiet) console.log(`  ${i} of ${rounds} rounds, ${run.counts.turns} turns acknowledged, ${run.counts.broken} of them cut off`);
      }
    }
    run.ended = true;
    const all = (await Promise.all(working)).flat();
    await probing;
    await run.healthy();
    for (const c of all) if (c.id) run.check(c, ...await look(s, c.id));
    for (const id of await everything(s)) await look(s, id);          // those too whose writers were told nothing
    const left = sql(s.db, "SELECT count(*) AS n FROM messages WHERE status = 'streaming'")[0].n;
    if (left) run.problem(`${left} answers are still 'streaming' after each conversation was looked at`);
    for (const bad of dbProblems(s.db)) run.problem(bad);
    const { n } = sql(s.db, 'SELECT count(*) AS n FROM messages')[0];
    const c = run.counts;
    const line = `crash: ${run.kills.length} kills, ${writers} writers, seed ${seed}, ${Math.round((performance.now() - begun) / 1000)} s: ${c.turns} turns acknowledged (${c.done} done, ${c.broken} cut off, `
      + `at most ${Math.round(run.most)} ms of text lost, when a write of our own took up to ${Math.round(run.slowest)} ms), ${c.unacknowledged} not acknowledged, ${c.repeated} repeated by key, ${c.reattached} streams gone on with, ${c.changes} titles, ${c.deleted} deletions, ${n} messages; ${run.problems.length} problems`;
    return { problems: run.problems, line, counts: c, kills: run.kills.length };
  });
}

if (process.argv[1] && existsSync(process.argv[1]) && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const number = (name, standard) => Number(process.env[name] || standard);
  const seed = number('SEED', Math.floor(Math.random() * 1e6));
  const { problems, line } = await crash({ rounds: number('ROUNDS', 200), writers: number('WRITERS', 20), seed, loss: number('LOSS_MS', 250) });
  console.log(line);
  if (problems.length) process.exitCode = 1;
}
