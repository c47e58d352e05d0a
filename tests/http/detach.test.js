// Questions as our own page asks them: everything with `detach`, and with it whatever else POST /chat takes, together; the answer is read from the stream that the 202 names.
import test, { after, before, beforeEach, describe } from 'node:test';
import assert from 'node:assert/strict';
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { shared, withServer } from './server.js';
import { simple, held, gate, SCALE, USAGE } from '../provider/provider.js';
import { post, stream, conversation, settled, readStream, assertError } from './client.js';

const opts = { timeout: 60_000 * SCALE };
const PNG = 'data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==';
const context = { timezone: 'Europe/Warsaw', user_settings: { tone: 'kind' } };

/** Asks and reads the answer: what the 202 said, and the stream. */
async function ask(s, body, headers) {
  const r = await post(`${s.url}/chat`, { context, ...body, detach: true }, { headers });
  if (r.status !== 202) return { status: r.status, json: r.json, headers: r.headers, text: r.text };
  assert.equal(r.headers.location, r.json.stream);
  const a = await stream(new URL(r.json.stream, s.url).href, undefined, { method: 'GET' });
  await a.all();
  return { ...r.json, question_id: r.headers['parley-question'], ...readStream(a) };
}

describe('with a model', () => {
  const at = shared({ before, after, beforeEach });
  const last = () => at.p.chats.at(-1).body;

  test('everything at once: model, system, temperature, length, image, metadata, branch, key', opts, async () => {
    at.p.respond(simple('first'));
    const first = await ask(at.s, { message: 'one' });
    at.p.respond(simple('a dot'));
    const body = {
      message: 'What is this?', conversation_id: first.conversation_id, parent_id: 'root', model: 'another-model', system: 'Be short.', temperature: 0.25, max_tokens: 77,
      attachments: [{ type: 'image', url: PNG }], metadata: { from: 'the page' },
    };
    const key = { 'idempotency-key': `all-${Date.now()}` };
    const r = await ask(at.s, body, key);
    assert.equal(r.text, 'a dot');
    assert.equal(r.terminal.status, 'done');
    assert.deepEqual([last().model, last().temperature, last().max_tokens ?? last().max_completion_tokens], ['another-model', 0.25, 77]);
    assert.match(JSON.stringify(last().messages[0]), /Be short\./);
    assert.deepEqual(last().messages.at(-1).content, [{ type: 'text', text: 'What is this?' }, { type: 'image_url', image_url: { url: PNG } }]);
    assert.equal(last().messages.filter((m) => m.role !== 'system').length, 1, 'a branch of its own');
    const c = await conversation(at.s, first.conversation_id);
    const [question, answer] = c.messages.slice(-2);
    assert.equal(question.parent_id, null);
    assert.equal(r.question_id, question.id);
    assert.deepEqual(question.attachments, body.attachments);
    assert.deepEqual(question.metadata, body.metadata);
    assert.deepEqual([answer.id, answer.model, answer.provider, answer.status], [r.message_id, 'another-model', 'openai', 'done']);
    assert.deepEqual([c.leaf_id, c.status, c.unread], [r.message_id, 'done', true]);
    const n = at.p.chats.length;
    const again = await ask(at.s, body, key);
    assert.deepEqual([again.message_id, again.text, at.p.chats.length], [r.message_id, 'a dot', n], 'the same key: the same answer');
    assertError(await ask(at.s, { ...body, temperature: 0.5 }, key), 422, 'invalid_field');
  });

  test('an answer that is stopped goes on, detached too, with settings and a key', opts, async () => {
    const g = gate();
    at.p.respond(held('half ', g, 'never'));
    const r = (await post(`${at.s.url}/chat`, { message: 'Hi', context, detach: true })).json;
    const s = await stream(new URL(r.stream, at.s.url).href, undefined, { method: 'GET' });
    await s.until((e) => e.event === 'token');
    assert.deepEqual((await post(`${at.s.url}/conversations/${r.conversation_id}/stop`)).json, { status: 'stopped' });
    await s.all();
    g.open();
    assert.equal((await settled(at.s, r.conversation_id)).answer.status, 'stopped');
    at.p.respond(simple('whole'));
    const key = { 'idempotency-key': `goes-on-${Date.now()}` };
    for (let i = 0; i < 2; i++) {
      const more = await post(`${at.s.url}/chat`, { continue: r.message_id, conversation_id: r.conversation_id, context, detach: true }, { headers: key });
      assert.equal(more.status, 202, more.text);
      assert.equal(more.json.message_id, r.message_id);
      const { answer } = await settled(at.s, r.conversation_id);
      assert.deepEqual([answer.content, answer.status], ['half whole', 'done']);
    }
  });

  test('what is refused is refused at once, not by the stream', opts, async () => {
    const image = { type: 'image', url: PNG };
    for (const [body, status, code] of [[{ message: '' }, 422, 'invalid_field'], [{ message: 'x', context: { timezone: '../etc' } }, 422, 'invalid_field'], [{ message: 'x', context: { user_settings: [] } }, 422, 'invalid_field'],
      [{ message: 'x', attachments: [{ ...image, url: 'https://example.org/a.png' }] }, 422, 'invalid_field'], [{ message: 'x', conversation_id: '01jd0000000000000000000000' }, 404, 'not_found']]) {
      assertError(await post(`${at.s.url}/chat`, { ...body, detach: true }), status, code);
    }
  });

  test('a second question while the first is being answered is busy; a branch of its own is not', opts, async () => {
    const g = gate();
    at.p.respond(held('slow ', g, 'end'));
    const one = (await post(`${at.s.url}/chat`, { message: 'one', context, detach: true })).json;
    assertError(await post(`${at.s.url}/chat`, { message: 'two', conversation_id: one.conversation_id, context, detach: true }), 409, 'busy');
    assert.equal((await post(`${at.s.url}/chat`, { message: 'two', conversation_id: one.conversation_id, parent_id: 'root', context, detach: true })).status, 202);
    g.open();
    await settled(at.s, one.conversation_id);
  });
});

test('a model without eyes: the stream of a detached question with an image says so', opts, () => withServer({ settings: { LLM_MODEL: 'openai/gpt-3.5-turbo', LLM_FALLBACKS: '' } }, async (s, p) => {
  p.respond(simple('never'));
  const r = await ask(s, { message: 'What is this?', attachments: [{ type: 'image', url: PNG }] });
  assert.equal(r.terminal.event, 'error');
  assert.equal(r.terminal.code, 'invalid_field');
  assert.match(r.terminal.message, /takes no images/);
  const { answer } = await settled(s, r.conversation_id);
  assert.deepEqual([answer.status, answer.error.code, p.chats.length], ['error', 'invalid_field', 0]);
}));

describe('with an application', () => {
  const dir = mkdtempSync(path.join(tmpdir(), 'parley-detach-'));
  chmodSync(dir, 0o777);                                   // the server may run as nobody
  after(() => rmSync(dir, { recursive: true, force: true }));
  const file = path.join(dir, 'record');
  const record = () => (existsSync(file) ? readFileSync(file, 'utf8').split('\n').filter((l) => l.startsWith('tool ')) : []);
  beforeEach(() => { if (existsSync(file)) writeFileSync(file, ''); });
  const at = shared({ before, after, beforeEach }, { app: 'events', env: { EVENTS_RECORD: file, SANDBOX_WRITE: dir } });
  const calls = async (req, io) => {
    io.role();
    io.token('I will. ');
    io.chunk(io.shape({ tool_calls: [{ index: 0, id: 'call_1', type: 'function', function: { name: 'delete_file', arguments: '{"what":"a"}' } }] }));
    io.finish('tool_calls', USAGE);
    io.done();
    await io.end();
  };

  test('settings and time zone reach it', opts, async () => {
    const r = await ask(at.s, { message: 'rest' });
    assert.match(r.text, /^user= timezone=Europe\/Warsaw settings=\{"tone":"kind"\} context=\{/);
  });

  for (const confirmed of [true, false]) test(`a call is ${confirmed ? 'confirmed' : 'declined'} by an empty message, detached, and by each decision once`, opts, async () => {
    at.p.reset(simple('Done.'));
    at.p.enqueue(calls);
    const asked = await ask(at.s, { message: 'tools' });
    assert.equal(asked.text, 'I will. ');
    const { confirmation_request: wish } = asked.typed.find((e) => e.event === 'confirmation_request').data;
    assert.deepEqual(record(), []);
    const decide = { message: '', conversation_id: asked.conversation_id, context: { ...context, tool_confirmations: [{ confirmation_id: wish.confirmation_id, confirmed }] } };
    const r = await ask(at.s, decide, { 'idempotency-key': `decided-${confirmed}` });
    assert.equal(r.text, 'Done.');
    assert.deepEqual(record(), confirmed ? ['tool delete_file {"what":"a"}'] : []);
    assert.equal((await ask(at.s, decide, { 'idempotency-key': `decided-${confirmed}` })).message_id, r.message_id);
    await ask(at.s, { ...decide, parent_id: asked.message_id });
    assert.equal(record().length, confirmed ? 1 : 0, 'not twice');
    const c = await conversation(at.s, asked.conversation_id);
    assert.deepEqual(c.messages.slice(0, 4).map((m) => [m.role, m.content]), [['user', 'tools'], ['assistant', 'I will. '], ['user', ''], ['assistant', 'Done.']]);
  });
});
