// GET /usage: what the models were used for, by day; days that are none.
import test, { before, after, beforeEach } from 'node:test';
import assert from 'node:assert/strict';
import { shared, sql, withServer } from './server.js';
import { simple, USAGE, SCALE } from '../provider/provider.js';
import { get, post, del, chat, assertError, waitUntil } from './client.js';

const opts = { timeout: 60_000 * SCALE };
const at = shared({ before, after, beforeEach });
const DAY = 86400e3;
const iso = (ms) => new Date(ms).toISOString().slice(0, 10);
const usage = (query = '', s = at.s, more) => get(`${s.url}/usage${query}`, more);
const fill = (s, user, day, provider, model, more = '1, 10, 20, 0.5') => sql(s.db,
  `INSERT INTO usage_days (user_id, day, provider, model, answers, prompt_tokens, completion_tokens, cost) SELECT id, ${Math.floor(Date.parse(day) / DAY)}, '${provider}', '${model}', ${more} FROM users WHERE name = '${user}'`, { readonly: false });

test('answers of today are there, and stay when their conversation is deleted', opts, () => withServer({}, async (s, p) => {
  const begun = Date.now();
  p.respond(simple('ok'));
  const first = await chat(s, 'one');
  await chat(s, 'two');
  await post(`${s.url}/v1/chat/completions`, { messages: [{ role: 'user', content: 'not stored' }], model: 'another' });
  await del(`${s.url}/conversations/${first.conversation_id}`);
  let r = await usage('', s);
  await waitUntil(10, async () => (r = await usage('', s)).json?.rows.length === 2, 'the count of the answer that is not stored, which comes after its end');
  assert.equal(r.status, 200, r.text);
  if (iso(begun) !== iso(Date.now())) return;              // it is midnight: the answers are of two days
  const row = (model, n) => ({ day: iso(begun), provider: 'openai', model, answers: n, prompt_tokens: n * USAGE.prompt_tokens, completion_tokens: n * USAGE.completion_tokens, cost: 0 });
  assert.deepEqual(r.json, { from: iso(begun - 29 * DAY), to: iso(begun), rows: [row('another', 1), row('test-model', 2)] });
}));

test('both ends are included, and rows are in order', opts, () => withServer({}, async (s) => {
  await usage('', s);                                      // its user is there now
  for (const day of ['2024-02-28', '2024-02-29', '2024-03-01', '2024-03-02']) fill(s, '', day, 'p', 'm');
  fill(s, '', '2024-02-29', 'p', 'a', '3, 1, 2, 0');
  fill(s, '', '2024-02-29', 'b', 'z', '4, 5, 6, 0.25');
  const rows = async (query) => (await usage(query, s)).json.rows.map((r) => `${r.day} ${r.provider}/${r.model}`);
  assert.deepEqual(await rows('?from=2024-02-29&to=2024-03-01'), ['2024-02-29 b/z', '2024-02-29 p/a', '2024-02-29 p/m', '2024-03-01 p/m']);
  assert.deepEqual(await rows('?from=2024-03-02&to=2024-03-02'), ['2024-03-02 p/m']);
  assert.deepEqual(await rows('?to=2024-02-28'), ['2024-02-28 p/m']);
  assert.deepEqual(await rows(''), []);
  const { json } = await usage('?to=2024-02-29', s);
  assert.deepEqual([json.from, json.to], ['2024-01-31', '2024-02-29']);
  assert.deepEqual(json.rows.find((r) => r.model === 'z'), { day: '2024-02-29', provider: 'b', model: 'z', answers: 4, prompt_tokens: 5, completion_tokens: 6, cost: 0.25 });
}));

test('everybody has their own', opts, () => withServer({ auth: true }, async (s) => {
  for (const auth of ['alice', 'bob']) await usage('', s, { auth });
  fill(s, 'alice', '2024-05-05', 'p', 'hers');
  fill(s, 'bob', '2024-05-05', 'p', 'his');
  for (const [auth, model] of [['alice', 'hers'], ['bob', 'his']]) assert.deepEqual((await usage('?to=2024-05-05', s, { auth })).json.rows.map((r) => r.model), [model]);
  assert.equal((await usage('', s)).status, 401);
}));

const today = iso(Date.now());
for (const query of ['from=2024-02-30', 'from=2023-02-29', 'to=2024-13-01', 'to=2024-00-01', 'to=2024-01-00', 'to=2024-04-31', 'from=2024-1-1', 'from=24-01-01', 'from=2024/01/01', 'from=', 'to=x', 'to=2024-01-01T00:00', 'from=+2024-01-01', 'to=12024-01-01',
  'from=2024-03-01&to=2024-02-29', 'from=2023-01-01&to=2024-01-02', `from=${iso(Date.now() + 2 * DAY)}`, 'from=2020-01-01']) {
  test(`?${query} is refused`, opts, async () => assert.match(assertError(await usage(`?${query}`), 422, 'invalid_field').message, /"(from|to)"/));
}

test('a year and a leap day is the most, and the first and last days there are', opts, async () => {
  for (const query of ['from=2024-01-01&to=2024-12-31', 'from=2023-03-01&to=2024-02-29', 'from=9999-12-31&to=9999-12-31', 'from=1970-01-01&to=1970-01-01', `from=${today}`, 'from=1970-01-01&to=1971-01-01', 'to=9999-12-31', 'from=0001-01-01&to=0001-01-02', 'to=1969-12-31']) {
    const r = await usage(`?${query}`);
    assert.equal(r.status, 200, `${query}: ${r.text}`);
    for (const [, name, day] of query.matchAll(/(from|to)=([^&]*)/g)) assert.equal(r.json[name], day);
  }
});
