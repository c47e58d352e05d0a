// GET /metrics: valid Prometheus text, true numbers, summed over all processes, for this machine only.
import test, { before, after, beforeEach } from 'node:test';
import assert from 'node:assert/strict';
import { shared, withServer } from './server.js';
import { simple, stallAfter, serverError, SCALE, USAGE, sleep, within } from '../provider/provider.js';
import { get, post, request, stream, chat, assertError } from './client.js';

const opts = { timeout: 60_000 * SCALE };
const at = shared({ before, after, beforeEach });

/** The page of metrics, taken apart by the letter of the format: {name{labels}: number}; fails on anything that is not in it. */
async function metrics(s) {
  const r = await get(`${s.url}/metrics`);
  assert.equal(r.status, 200, r.text);
  assert.match(r.headers['content-type'], /^text\/plain; version=0\.0\.4/);
  const values = {};
  const families = {};
  let family = null;
  for (const line of r.text.split('\n')) {
    if (line === '') continue;
    const head = /^# (HELP|TYPE) (\w+) (.+)$/.exec(line);
    if (head) {
      if (head[1] === 'TYPE') { assert.equal(families[head[2]], undefined, `${head[2]} comes once`); families[head[2]] = head[3]; }
      family = head[2];
      continue;
    }
    const m = /^([a-z_]+)(\{[a-z]+="[^"\\]*"\})? (-?\d+(?:\.\d+)?)$/.exec(line);
    assert.ok(m, `a line of the format: ${line}`);
    assert.ok(m[1] === family || (families[family] === 'histogram' && [`${family}_bucket`, `${family}_sum`, `${family}_count`].includes(m[1])), `${line} stands in ${family}`);
    assert.equal(values[m[1] + (m[2] ?? '')], undefined, `${line} comes once`);
    values[m[1] + (m[2] ?? '')] = Number(m[3]);
  }
  return values;
}

/** Polls until the numbers are as the test wants: processes of CGI add theirs when they end. */
const until = (s, ready) => within(15, (async () => {
  for (;;) {
    const now = await metrics(s);
    if (ready(now)) return now;
    await sleep(0.05);
  }
})(), 'the expected numbers');

test('answers, tokens and times are counted, by all processes together', opts, async () => {
  const start = await metrics(at.s);
  at.p.respond(simple('one two'));
  for (let i = 0; i < 3; i++) assert.equal((await chat(at.s, 'Hi')).text, 'one two');
  at.p.respond(serverError(401));
  assert.equal((await post(`${at.s.url}/chat`, { message: 'Hi' })).status, 502);
  const end = await until(at.s, (m) => m['parley_answers_total{status="done"}'] === start['parley_answers_total{status="done"}'] + 3 && m['parley_answers_total{status="error"}'] > start['parley_answers_total{status="error"}']);
  const grown = (name) => end[name] - start[name];
  assert.equal(grown('parley_answers_total{status="error"}'), 1);
  assert.equal(grown('parley_answer_failures_total{code="provider_auth"}'), 1);
  assert.equal(grown('parley_error_responses_total{code="provider_auth"}'), 1);
  assert.equal(grown('parley_tokens_total{kind="completion"}'), 3 * USAGE.completion_tokens);
  assert.equal(grown('parley_tokens_total{kind="prompt"}'), 3 * USAGE.prompt_tokens);
  assert.equal(grown('parley_first_token_seconds_count'), 3);
  assert.equal(grown('parley_answer_seconds_count'), 4);
  assert.equal(end['parley_answer_seconds_bucket{le="+Inf"}'], end['parley_answer_seconds_count']);
  const buckets = Object.entries(end).filter(([k]) => k.startsWith('parley_answer_seconds_bucket')).map(([, v]) => v);
  for (let i = 1; i < buckets.length; i++) assert.ok(buckets[i] >= buckets[i - 1], 'buckets are cumulated');
  assert.ok(end['parley_database_bytes{file="database"}'] + end['parley_database_bytes{file="log"}'] > 4096);
});

test('an answer that runs is seen by whichever process is asked', opts, async () => {
  at.p.respond(stallAfter('and then '));
  const c = await stream(`${at.s.url}/chat/stream`, { message: 'Hi' });
  const { conversation_id: id } = JSON.parse((await c.next()).data);
  assert.equal((await metrics(at.s)).parley_answers_running, 1);
  await request(`${at.s.url}/conversations/${id}/stop`, { method: 'POST' });
  await c.all();
  await until(at.s, (m) => m.parley_answers_running === 0);
});

test('refused requests are counted by their code', opts, async () => {
  const name = 'parley_error_responses_total{code="not_found"}';
  const start = (await metrics(at.s))[name];
  for (let i = 0; i < 3; i++) assert.equal((await get(`${at.s.url}/conversations/nope`)).status, 404);
  await until(at.s, (m) => m[name] === start + 3);
});

test('requests that a proxy forwarded get no metrics, whatever they claim', opts, async () => {
  for (const headers of [{ 'x-forwarded-for': '127.0.0.1' }, { forwarded: 'for=127.0.0.1' }, { via: '1.1 proxy' }, { 'x-real-ip': '::1' }]) assertError(await get(`${at.s.url}/metrics`, { headers }), 403, 'forbidden');
});

test('metrics of a database that cannot be used are 503', opts, () => withServer({ settings: { PARLEY_DB: '/proc/no/such/folder/parley.db' } }, async (s) => {
  assertError(await get(`${s.url}/metrics`), 503, 'store_unavailable');
  assert.equal((await get(`${s.url}/health`)).status, 200);
}));
