// Every wire through the real server: what is sent to a provider of that kind, and what becomes of what it says.
// The upstream is tests/provider/wires.js; one server for each row of CASES.
import test, { before, after, beforeEach, describe } from 'node:test';
import assert from 'node:assert/strict';
import { writeFileSync, mkdtempSync, chmodSync, rmSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { startServer, sql, REPO, SCALE } from './server.js';
import { startCanary } from '../provider/provider.js';
import { startUpstream, answer, overloaded, limited, quota, badKey, overflow, saying, text, said, gate, sigv4Problems, awsEvent, USAGE } from '../provider/wires.js';
import { post, stream, chat, chatStream, chatWhole, conversation, settled, assertError, readStream } from './client.js';

/** A folder that the server may read into, whoever it runs as. */
function readableDir(name) {
  const dir = mkdtempSync(path.join(tmpdir(), name));
  chmodSync(dir, 0o755);
  return dir;
}

const opts = { timeout: 60_000 * SCALE };
const KEY = 'key-of-the-wires-0123456789abcdef';
const AWS = { accessKey: 'AKIDPARLEYTESTS00001', secretKey: 'secret/of+the+wires/0123456789abcdefghij', region: 'eu-test-1' };

/** Settings that tests/http/server.js sets for others, and that must not help here. */
const NOTHING = { OPENAI_API_KEY: undefined, LLM_BASE_URL: undefined };
const openaiBody = (model, more = {}) => ({ model, messages: [], stream: true, stream_options: { include_usage: true }, temperature: 0.5, max_tokens: 77, ...more });

/**
 * What is set; how a request has to look; what the wire cannot tell.
 *  path, headers    what arrives
 *  body             (system, turns) → the request's body; turns: [role, text][]
 *  named            the model that the answer is said to be from (default: what the upstream says)
 *  usage            what is known of USAGE in the end
 *  early            what becomes of an error in a good stream before the first token: code and requests
 */
const known = { prompt_tokens: 120, completion_tokens: 30, total_tokens: 150 };
const cached = { prompt_tokens_details: { cached_tokens: 20 } };
const reasoned = { completion_tokens_details: { reasoning_tokens: 10 } };
const busy = { code: 'provider_busy', requests: 3 };
const chatOf = (system, turns) => [{ role: 'system', content: system }, ...turns.map(([role, content]) => ({ role, content }))];
const CASES = {
  openai: {
    settings: (u) => ({ LLM_MODEL: 'openai/gpt-4o-mini', OPENAI_API_KEY: KEY, OPENAI_BASE_URL: `${u}/v1` }),
    path: '/v1/chat/completions', headers: { authorization: `Bearer ${KEY}` },
    body: (system, turns) => openaiBody('gpt-4o-mini', { messages: chatOf(system, turns) }),
    usage: { ...known, ...cached, ...reasoned }, early: busy,
  },
  'azure, dated API': {
    settings: (u) => ({ LLM_MODEL: 'azure/my deployment', AZURE_API_KEY: KEY, AZURE_API_BASE: `${u}/`, AZURE_API_VERSION: '2024-10-21' }),
    path: '/openai/deployments/my%20deployment/chat/completions?api-version=2024-10-21', headers: { 'api-key': KEY, authorization: undefined },
    body: (system, turns) => openaiBody('my deployment', { messages: chatOf(system, turns) }),
    usage: { ...known, ...cached, ...reasoned }, early: busy,
  },
  'azure, v1 API': {
    settings: (u) => ({ LLM_MODEL: 'azure/my-deployment', AZURE_API_KEY: KEY, AZURE_API_BASE: u }),
    path: '/openai/v1/chat/completions', headers: { 'api-key': KEY, authorization: undefined },
    body: (system, turns) => openaiBody('my-deployment', { messages: chatOf(system, turns) }),
    usage: { ...known, ...cached, ...reasoned }, early: busy,
  },
  responses: {
    settings: (u) => ({ LLM_MODEL: 'openai/gpt-5-pro', OPENAI_API_KEY: KEY, OPENAI_BASE_URL: `${u}/v1` }),
    path: '/v1/responses', headers: { authorization: `Bearer ${KEY}` },
    body: (system, turns) => ({ model: 'gpt-5-pro', instructions: system, input: turns.map(([role, t]) => ({ role, content: role === 'user' ? t : [{ type: 'output_text', text: t }] })), stream: true, store: false }),
    partly: true, usage: { ...known, ...cached, ...reasoned }, early: busy, keepsState: true,
  },
  anthropic: {
    settings: (u) => ({ LLM_MODEL: 'anthropic/claude-haiku-4-5', ANTHROPIC_API_KEY: KEY, ANTHROPIC_BASE_URL: u }),
    path: '/v1/messages', headers: { 'x-api-key': KEY, 'anthropic-version': '2023-06-01', authorization: undefined },
    body: (system, turns) => ({ model: 'claude-haiku-4-5', max_tokens: 77, temperature: 0.5, stream: true, messages: turns.map(([role, t]) => ({ role, content: [{ type: 'text', text: t }] })) }),
    partly: true, usage: { ...known, ...cached }, early: busy,
  },
  gemini: {
    settings: (u) => ({ LLM_MODEL: 'gemini/gemini-2.5-flash', GEMINI_API_KEY: KEY, GEMINI_API_BASE: u }),
    path: '/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse', headers: { 'x-goog-api-key': KEY, authorization: undefined },
    body: (system, turns) => ({ systemInstruction: { parts: [{ text: system }] }, contents: turns.map(([role, t]) => ({ role: role === 'user' ? 'user' : 'model', parts: [{ text: t }] })) }),
    partly: true, usage: { ...known, ...cached, ...reasoned }, early: busy,
  },
  'bedrock, bearer key': {
    json: (u) => ({ providers: [{ id: 'bedrock', url: u }] }),
    settings: () => ({ LLM_MODEL: 'bedrock/us.anthropic.claude-sonnet-4-5-20250929-v1:0', AWS_BEARER_TOKEN_BEDROCK: KEY, AWS_REGION: AWS.region }),
    path: '/model/us.anthropic.claude-sonnet-4-5-20250929-v1%3A0/converse-stream', headers: { authorization: `Bearer ${KEY}` },
    body: (system, turns) => ({ system: [{ text: system }], messages: turns.map(([role, t]) => ({ role, content: [{ text: t }] })), inferenceConfig: { maxTokens: 77, temperature: 0.5 } }),
    named: 'us.anthropic.claude-sonnet-4-5-20250929-v1:0', usage: { ...known, ...cached }, early: busy,
  },
  'bedrock, signed': {
    json: (u) => ({ providers: [{ id: 'bedrock', url: u }] }),
    settings: () => ({ LLM_MODEL: 'bedrock/eu.amazon.nova-lite-v1:0', AWS_ACCESS_KEY_ID: AWS.accessKey, AWS_SECRET_ACCESS_KEY: AWS.secretKey, AWS_REGION: AWS.region }),
    path: '/model/eu.amazon.nova-lite-v1%3A0/converse-stream', headers: {}, check: (req) => {
      assert.deepEqual(sigv4Problems(req, AWS), []);
      assert.equal(sigv4Problems(req, { ...AWS, secretKey: 'another' }).length, 1, 'the check of the signature is one');
    },
    body: (system, turns) => ({ system: [{ text: system }], messages: turns.map(([role, t]) => ({ role, content: [{ text: t }] })), inferenceConfig: { maxTokens: 77, temperature: 0.5 } }),
    named: 'eu.amazon.nova-lite-v1:0', usage: { ...known, ...cached }, early: busy,
  },
  'bedrock, signed with a session token': {
    json: (u) => ({ providers: [{ id: 'bedrock', url: u }] }),
    settings: () => ({ LLM_MODEL: 'bedrock/arn:aws:bedrock:eu-test-1:123456789012:application-inference-profile/abc123', AWS_ACCESS_KEY_ID: AWS.accessKey, AWS_SECRET_ACCESS_KEY: AWS.secretKey, AWS_SESSION_TOKEN: 'token/of+a+session==', AWS_REGION: AWS.region }),
    path: '/model/arn%3Aaws%3Abedrock%3Aeu-test-1%3A123456789012%3Aapplication-inference-profile%2Fabc123/converse-stream', headers: {},
    check: (req) => assert.deepEqual(sigv4Problems(req, { ...AWS, token: 'token/of+a+session==' }), []),
    body: (system, turns) => ({ system: [{ text: system }], messages: turns.map(([role, t]) => ({ role, content: [{ text: t }] })), inferenceConfig: { maxTokens: 77, temperature: 0.5 } }),
    named: 'arn:aws:bedrock:eu-test-1:123456789012:application-inference-profile/abc123', usage: { ...known, ...cached }, early: busy,
  },
  ollama: {
    settings: (u) => ({ LLM_MODEL: 'ollama/qwen3:8b', OLLAMA_API_BASE: u }),
    path: '/api/chat', headers: { authorization: undefined },
    body: (system, turns) => ({ model: 'qwen3:8b', messages: chatOf(system, turns), stream: true }),
    partly: true, usage: known, early: { code: 'provider_error', requests: 1 },
  },
  cohere: {
    settings: (u) => ({ LLM_MODEL: 'cohere/command-a-03-2025', COHERE_API_KEY: KEY, COHERE_API_BASE: u }),
    path: '/v2/chat', headers: { authorization: `Bearer ${KEY}` },
    body: (system, turns) => ({ model: 'command-a-03-2025', messages: chatOf(system, turns), temperature: 0.5, max_tokens: 77, stream: true }),
    named: 'command-a-03-2025', usage: { ...known, ...cached }, early: { code: 'provider_error', requests: 3 },
  },
};

/** The text that everything is tried with: one, two, three and four bytes a character, marks of JSON and of event streams. */
const PIECES = ['Grüße, ', '世界! ', '👩‍👩‍👧 ', 'line\nbreak "quoted" \\ ', 'data: [DONE]\n\n', 'Ω'];
const TEXT = PIECES.join('');
const THOUGHTS = ['Let me ', 'überlegen 🤔.'];
const THOUGHT = THOUGHTS.join('');

/** `part` is in `whole`, member by member; arrays are as long. */
function includes(whole, part, where = 'the body') {
  if (part === null || typeof part !== 'object') return assert.deepEqual(whole, part, where);
  assert.ok(whole !== null && typeof whole === 'object', `${where} is ${JSON.stringify(whole)}`);
  if (Array.isArray(part)) assert.equal(whole.length, part.length, `${where} has ${whole.length} entries: ${JSON.stringify(whole)}`);
  for (const k of Object.keys(part)) includes(whole[k], part[k], `${where}.${k}`);
}

const withoutCost = ({ cost, ...usage }) => usage;
const row = (s, id) => sql(s.db, `SELECT * FROM messages WHERE public_id = '${id}'`)[0];

for (const [name, c] of Object.entries(CASES)) describe(name, () => {
  const at = {};
  before(async () => {
    at.u = await startUpstream();
    try {
      at.own = readableDir('parley-wires-');
      const file = path.join(at.own, 'parley.json');
      writeFileSync(file, JSON.stringify(c.json ? c.json(at.u.origin) : {}));
      at.s = await startServer({ settings: { ...NOTHING, TEMPERATURE: '0.5', MAX_TOKENS: '77', SYSTEM_PROMPT: 'Be terse, née.', PARLEY_JSON: file, ...c.settings(at.u.origin) } });
    } catch (e) {
      await at.u.stop();
      throw e;
    }
  });
  after(async () => {
    try {
      const log = at.s?.log() ?? '';
      await at.s?.stop();
      for (const secret of [KEY, AWS.secretKey]) assert.equal(log.includes(secret), false, 'the key is in the log');
    } finally {
      await at.u?.stop();
      if (at.own) rmSync(at.own, { recursive: true, force: true });
    }
  });
  beforeEach(() => at.u.reset());
  const title = (what) => `${name}: ${what}`;

  test(title('the request is in the wire\'s own form, at its address, with its key'), opts, async () => {
    at.u.respond(text('Guten Tag'));
    const first = await chat(at.s, 'Hallo, Wörld');
    assert.equal(first.text, 'Guten Tag', JSON.stringify(first.error));
    const one = at.u.chats[0];
    assert.equal(one.method, 'POST');
    assert.equal(one.path, c.path);
    assert.match(one.headers['content-type'], /^application\/json/);
    for (const [k, v] of Object.entries(c.headers)) assert.equal(one.headers[k], v, `header ${k}`);
    c.check?.(one);
    const look = c.partly ? includes : assert.deepEqual;
    look(one.body, c.body('Be terse, née.', [['user', 'Hallo, Wörld']]));
    assert.equal(said(one).system, 'Be terse, née.');
    const second = await chatStream(at.s, { message: 'Und jetzt?', conversation_id: first.conversation_id, system: 'Other words' });
    assert.equal(second.text, 'Guten Tag');
    const two = at.u.chats[1];
    look(two.body, c.body('Other words', [['user', 'Hallo, Wörld'], ['assistant', 'Guten Tag'], ['user', 'Und jetzt?']]));
    assert.equal(said(two).system, 'Other words');
    c.check?.(two);
  });

  for (const bytes of [undefined, 'unlucky', 'one']) {
    const how = { undefined: 'in whole events', unlucky: 'cut within characters', one: 'a byte at a time' }[bytes];
    test(title(`text and reasoning that come ${how} go apart, with usage and model`), opts, async () => {
      const model = `${at.u.chats[0]?.model ?? 'answering'}-2026`;
      at.u.respond(answer({ text: PIECES, reasoning: THOUGHTS, usage: USAGE, model, bytes }));
      const named = c.named ?? model;
      const a = await chat(at.s, 'Hi');
      assert.equal(a.error, null, JSON.stringify(a.error));
      assert.equal(a.text, TEXT);
      assert.equal(a.reasoning, THOUGHT);
      assert.equal(a.finish_reason, 'stop');
      assert.deepEqual(withoutCost(a.usage), c.usage);
      const b = await chatStream(at.s, 'Hi');
      assert.equal(b.terminal.event, 'done', JSON.stringify(b.terminal));
      assert.equal(b.text, TEXT);
      assert.equal(b.reasoning, THOUGHT);
      assert.deepEqual(withoutCost(b.terminal.usage), c.usage);
      const w = await chatWhole(at.s, 'Hi');
      assert.equal(w.status, 200, w.text);
      assert.equal(w.json.response, TEXT);
      assert.equal(w.json.reasoning, THOUGHT);
      assert.equal(w.json.model, named);
      assert.deepEqual(withoutCost(w.json.usage), c.usage);
      for (const id of [a.message_id, b.message_id, w.json.message_id]) {
        const r = row(at.s, id);
        assert.equal(r.content, TEXT);
        assert.equal(r.reasoning, THOUGHT);
        assert.equal(r.status, 'done');
        assert.equal(r.finish_reason, 'stop');
        assert.equal(r.model, named);
        assert.equal(r.provider, c.settings('').LLM_MODEL.split('/')[0]);
        assert.equal(r.prompt_tokens, 120);
        assert.equal(r.completion_tokens, 30);
        assert.equal(r.usage_estimated, 0);
      }
    });
  }

  test(title('an answer that is no stream is read all the same'), opts, async () => {
    at.u.respond(answer({ text: PIECES, usage: USAGE, whole: true }));
    const r = await chat(at.s, 'Hi');
    assert.equal(r.error, null, JSON.stringify(r.error));
    assert.equal(r.text, TEXT);
    assert.deepEqual(withoutCost(r.usage).total_tokens, 150);
  });

  test(title('an answer that was ended by its limit says so'), opts, async () => {
    at.u.respond(answer({ text: ['and then'], usage: USAGE, length: true }));
    const r = await chat(at.s, 'Hi');
    assert.equal(r.text, 'and then');
    assert.equal(r.finish_reason, 'length');
    assert.equal(row(at.s, r.message_id).finish_reason, 'length');
  });

  test(title('a provider that counts nothing is counted for, and that is marked'), opts, async () => {
    at.u.respond(answer({ text: ['eight tokens, or so, are in this.'], usage: undefined }));
    const r = await chat(at.s, 'Hi');
    assert.equal(r.usage.estimated, true, JSON.stringify(r.usage));
    assert.ok(r.usage.completion_tokens >= 4 && r.usage.completion_tokens <= 20);
    assert.ok(r.usage.prompt_tokens > 0);
    assert.equal(row(at.s, r.message_id).usage_estimated, 1);
  });

  for (const [what, failing, status, code, requests] of [
    ['overloaded', overloaded(), 429, 'provider_busy', 3],
    ['too many requests', limited(), 429, 'provider_busy', 3],
    ['no credit', quota(), 502, 'provider_error', 1],
    ['a bad key', badKey(), 502, 'provider_auth', 1],
    ['a conversation that is too long, of one message', overflow(), 502, 'provider_error', 1],
  ]) test(title(`${what} before the first token is ${status} ${code} after ${requests} requests`), opts, async () => {
    for (const ask of [chat, chatStream]) {
      at.u.reset(failing);
      const r = await ask(at.s, `question: ${what}`);
      const e = assertError(r, status, code);
      assert.equal(at.u.chats.length, requests);
      if (code === 'provider_busy') assert.match(r.headers['retry-after'] ?? '', /^[1-9]\d*$/);
      assert.equal(e.message.includes(KEY), false);
    }
    const w = await chatWhole(at.s, 'whole');
    assertError(w, status, code);
  });

  test(title('overloaded once, then an answer: only that is seen'), opts, async () => {
    at.u.enqueue(overloaded()).respond(text('at last'));
    const r = await chatStream(at.s, 'Hi');
    assert.equal(r.text, 'at last');
    assert.equal(at.u.chats.length, 2);
    assert.deepEqual(at.u.chats[0].body, at.u.chats[1].body);
    c.check?.(at.u.chats[1]);
  });

  test(title('an error in the stream before the first token is its status'), opts, async () => {
    at.u.respond(answer({ text: [], error: true }));
    const r = await chatStream(at.s, 'Hi');
    assertError(r, c.early.code === 'provider_busy' ? 429 : 502, c.early.code);
    assert.equal(at.u.chats.length, c.early.requests);
  });

  test(title('an error in the stream after text keeps the text and is told'), opts, async () => {
    at.u.respond(answer({ text: ['shown ', 'until here'], error: true }));
    const r = await chatStream(at.s, 'Hi');
    assert.equal(r.text, 'shown until here');
    assert.equal(r.terminal.event, 'error');
    assert.equal(r.terminal.code, c.early.code);
    assert.equal(at.u.chats.length, 1, 'never asked again after a token');
    const { answer: a } = await settled(at.s, r.conversation_id);
    assert.equal(a.content, 'shown until here');
    assert.match(a.status, /^(error|interrupted)$/);
  });

  for (const cut of ['clean', 'rst']) test(title(`a stream that is cut (${cut}) is interrupted, and what came is kept`), opts, async () => {
    at.u.respond(answer({ text: ['Grüße, ', '世'], reasoning: THOUGHTS, cut, hold: cut === 'rst' ? Object.assign(gate(), { wait: () => new Promise((r) => setTimeout(r, 200)) }) : undefined }));
    const r = await chatStream(at.s, 'Hi');
    assert.equal(r.status, 200, r.raw);
    assert.equal(r.text, 'Grüße, 世');
    assert.equal(r.terminal.event, 'error');
    assert.equal(r.terminal.code, 'provider_error');
    const { answer: a } = await settled(at.s, r.conversation_id);
    assert.equal(a.content, 'Grüße, 世');
    assert.equal(a.status, 'interrupted');
    assert.equal(at.u.chats.length, 1);
    at.u.respond(text('whole again'));
    const next = await chat(at.s, { message: 'go on', conversation_id: r.conversation_id });
    assert.equal(next.text, 'whole again');
    assert.deepEqual(said(at.u.chats[1]).messages.map((m) => m.text), ['Hi', 'Grüße, 世', 'go on'], 'the partial answer is part of the history');
  });

  test(title('a stream that is cut with nothing in it is an error and no answer'), opts, async () => {
    at.u.respond(answer({ text: [], cut: 'clean' }));
    assertError(await chat(at.s, 'Hi'), 502, 'provider_error');
  });

  test(title('a page instead of an answer, or nothing that makes sense, is an error'), opts, async () => {
    const page = '<!doctype html><html><head><title>502 Bad Gateway</title></head><body><h1>nginx</h1></body></html>\n\n';
    for (const [type, body] of [['text/html', page], [undefined, page], [undefined, '{"hello":"world"}\n\n'], [undefined, 'data: {"hello":\n\n'], [undefined, ''], [undefined, Buffer.alloc(5000, 0xfe)]]) {
      at.u.reset(async (req, io) => {
        io.res.writeHead(200, { 'content-type': type ?? io.wire.type });
        io.res.write(body);
        return io.end();
      });
      const r = await chatWhole(at.s, 'Hi');
      const e = assertError(r, 502, 'provider_error');
      assert.doesNotMatch(e.message, /nginx|doctype/i);
    }
  });

  test(title('a redirect is not followed: no key reaches another host'), opts, async () => {
    const canary = await startCanary();
    try {
      at.u.respond(async (req, io) => { io.finished = true; io.res.writeHead(307, { location: `${canary.url}/v1` }).end(); });
      assertError(await chatWhole(at.s, 'Hi'), 502, 'provider_error');
      assert.equal(canary.seen.length, 0);
      assert.equal(at.u.chats.length, 1);
    } finally { await canary.stop(); }
  });

  test(title('what the provider says about waiting is heeded'), opts, async () => {
    at.u.reset(overloaded({ 'retry-after': '3600' }));
    const r = await chatWhole(at.s, 'Hi');
    assertError(r, 429, 'provider_busy');
    assert.equal(r.headers['retry-after'], '3600');
    assert.equal(at.u.chats.length, 1, 'nobody waits an hour');
    at.u.reset(text('now')).enqueue(overloaded({ 'retry-after': '1' }));
    assert.equal((await chat(at.s, 'Hi')).text, 'now');
    assert.ok(at.u.chats[1].at - at.u.chats[0].at >= 950);
    at.u.reset(overloaded({ 'x-should-retry': 'false' }));
    assertError(await chatWhole(at.s, 'Hi'), 429, 'provider_busy');
    assert.equal(at.u.chats.length, 1);
  });

  test(title('a conversation that is too long is asked once more with about half of it'), opts, async () => {
    at.u.respond(text('So ist es, ganz genau so, wie gesagt.'));
    let id;
    for (let i = 1; i <= 6; i++) id = (await chat(at.s, { message: `Frage Nummer ${i}, nicht sehr lang`, conversation_id: id })).conversation_id;
    at.u.reset(text('It fits.')).enqueue(overflow());
    const r = await chatStream(at.s, { message: 'And now?', conversation_id: id });
    assert.equal(r.text, 'It fits.', JSON.stringify(r.error ?? r.terminal));
    assert.equal(at.u.chats.length, 2);
    const [all, half] = at.u.chats.map((q) => said(q).messages);
    assert.equal(all.length, 13);
    assert.ok(half.length >= 5 && half.length <= 8, `${half.length} messages`);
    assert.deepEqual(half, all.slice(-half.length), 'the newest ones');
    assert.equal(half[0].role, 'user');
    assert.equal(said(at.u.chats[1]).system, 'Be terse, née.');
    at.u.reset(overflow());
    assertError(await chatStream(at.s, { message: 'And now?', conversation_id: id }), 502, 'provider_error');
    assert.equal(at.u.chats.length, 2, 'once, and no more');
  });

  test(title('Stop ends it within a moment, and closes the connection to the provider'), opts, async () => {
    const never = gate();
    at.u.respond(answer({ text: ['begun '], hold: never }));
    const s = await stream(`${at.s.url}/chat/stream`, { message: 'Hi' });
    const start = JSON.parse((await s.until((e) => e.event === 'start')).data);
    await s.until((e) => e.event === 'token');
    const t0 = performance.now();
    const stopped = await post(`${at.s.url}/conversations/${start.conversation_id}/stop`, {});
    assert.ok(stopped.status < 300, stopped.text);
    await s.all();
    assert.ok(performance.now() - t0 < 5000 * SCALE);
    const r = readStream(s);
    assert.equal(r.terminal.event, 'done');
    assert.equal(r.terminal.status, 'stopped');
    await at.u.until(() => at.u.chats[0].left, 'the end of the connection to the provider');
    const { answer: a } = await settled(at.s, start.conversation_id);
    assert.equal(a.status, 'stopped');
    assert.equal(a.content, 'begun ');
    never.open();
  });

  test(title('what the provider repeats of the key is in no answer'), opts, async () => {
    for (const secret of [KEY, AWS.secretKey]) {
      if (!Object.values(c.settings('')).includes(secret)) continue;
      at.u.respond(saying(`a bad ${secret} came`));
      const r = await chatWhole(at.s, 'Hi');
      assert.match(assertError(r, 502, 'provider_error').message, /a bad \*+ came/);
      assert.equal(r.text.includes(secret), false);
    }
  });
});

test('temperatures are cut to the scale of the wire', opts, async () => {
  for (const [name, most] of [['openai', 2], ['anthropic', 1], ['gemini', 2], ['ollama', 2], ['cohere', 1]]) {
    const u = await startUpstream();
    const s = await startServer({ settings: { ...NOTHING, ...CASES[name].settings(u.origin) } });
    try {
      u.respond(text('ok'));
      for (const [asked, sent] of [[0, 0], [0.3, 0.3], [2, most]]) {
        u.requests.length = 0;
        await chat(s, { message: 'Hi', temperature: asked, max_tokens: 33 });
        assert.equal(said(u.chats[0]).temperature, sent, `${name}: ${asked}`);
        assert.equal(said(u.chats[0]).limit, 33, name);
      }
    } finally { await s.stop(); await u.stop(); }
  }
});

describe('what Google says in the details of an error', () => {
  const q = 'You exceeded your current quota, please check your plan and billing details.';
  const quotaOf = (id) => ({ '@type': 'type.googleapis.com/google.rpc.QuotaFailure', violations: [{ quotaId: id }] });
  const wait = (t) => ({ '@type': 'type.googleapis.com/google.rpc.RetryInfo', retryDelay: t });
  for (const [what, message, details, status, code, after] of [
    ['a limit per minute is one to wait for', q, [quotaOf('GenerateRequestsPerMinutePerProjectPerModel-FreeTier'), wait('47s')], 429, 'provider_busy', '47'],
    ['a limit per day is not', 'Resource has been exhausted', [quotaOf('GenerateRequestsPerDayPerProjectPerModel-FreeTier'), wait('3s')], 502, 'provider_error', undefined],
    ['a delay without more is heeded', 'Resource has been exhausted', [wait('47.5s')], 429, 'provider_busy', '48'],
  ]) test(`Gemini: ${what}`, opts, async () => {
    const u = await startUpstream();
    const s = await startServer({ settings: { ...NOTHING, ...CASES.gemini.settings(u.origin) } });
    try {
      u.respond(async (req, io) => io.json({ error: { code: 429, message, status: 'RESOURCE_EXHAUSTED', details } }, 429));
      const r = await chatWhole(s, 'Hi');
      assertError(r, status, code);
      assert.equal(r.headers['retry-after'], after);
      assert.equal(u.chats.length, 1);
    } finally { await s.stop(); await u.stop(); }
  });

  test('Gemini: a prompt that is not let through is told, not retried, and asked of no other model', opts, async () => {
    const u = await startUpstream();
    const s = await startServer({ settings: { ...NOTHING, ...CASES.gemini.settings(u.origin), ...CASES.anthropic.settings(u.origin), LLM_MODEL: 'gemini/gemini-2.5-flash', LLM_FALLBACKS: 'anthropic/claude-haiku-4-5' } });
    try {
      u.respond(async (req, io) => { io.open(); io.res.write(`data: ${JSON.stringify({ promptFeedback: { blockReason: 'SAFETY' }, usageMetadata: { promptTokenCount: 3 } })}\r\n\r\n`); return io.end(); });
      const e = assertError(await chatWhole(s, 'Hi'), 502, 'provider_error');
      assert.match(e.message, /declined/);
      assert.equal(u.chats.length, 1);
    } finally { await s.stop(); await u.stop(); }
  });
});

describe('frames of Bedrock', () => {
  const begin = [awsEvent('messageStart', { role: 'assistant' }), awsEvent('contentBlockDelta', { contentBlockIndex: 0, delta: { text: 'good ' } })];
  const bad = awsEvent('contentBlockDelta', { contentBlockIndex: 0, delta: { text: 'SPOILT' } });
  const end = [awsEvent('messageStop', { stopReason: 'end_turn' })];
  const spoil = (at, to = 0x01) => { const b = Buffer.from(bad); b[at < 0 ? b.length + at : at] ^= to; return b; };
  for (const [what, frames] of [
    ['a length that is not what its CRC says', [...begin, spoil(2), ...end]],
    ['a payload that is not what its CRC says', [...begin, spoil(-10), ...end]],
    ['a CRC that is wrong', [...begin, spoil(-1), ...end]],
    ['a frame that is cut', [...begin, bad.subarray(0, 40)]],
    ['an end within the last frame', [...begin, end[0].subarray(0, -1)]],
  ]) test(`${what}: what came before is kept, the answer is not whole`, opts, async () => {
    const u = await startUpstream();
    const own = readableDir('parley-frames-');
    const c = CASES['bedrock, bearer key'];
    writeFileSync(path.join(own, 'parley.json'), JSON.stringify(c.json(u.origin)));
    const s = await startServer({ settings: { ...NOTHING, PARLEY_JSON: path.join(own, 'parley.json'), ...c.settings(u.origin) } });
    try {
      u.respond(async (req, io) => { io.open(); await io.send(frames); return io.end(); });
      const r = await chatStream(s, 'Hi');
      assert.equal(r.text, 'good ');
      assert.equal(r.terminal.event, 'error');
      assert.equal(r.terminal.code, 'provider_error');
      assert.match((await settled(s, r.conversation_id)).answer.status, /^(error|interrupted)$/);
    } finally { await s.stop(); await u.stop(); rmSync(own, { recursive: true, force: true }); }
  });
});

test('the check of signatures knows the one that AWS publishes ("Signature Version 4", ListUsers)', () => {
  const req = {
    method: 'GET', path: '/?Action=ListUsers&Version=2010-05-08', bytes: Buffer.alloc(0),
    headers: {
      host: 'iam.amazonaws.com', 'content-type': 'application/x-www-form-urlencoded; charset=utf-8', 'x-amz-date': '20150830T123600Z',
      authorization: 'AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request, SignedHeaders=content-type;host;x-amz-date, Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7',
    },
  };
  const problems = sigv4Problems(req, { accessKey: 'AKIDEXAMPLE', secretKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY', region: 'us-east-1', service: 'iam' });
  assert.deepEqual(problems, ['x-amz-date is 20150830T123600Z, which is not now']);
});

describe('state that a provider wants back', () => {
  test('OpenAI Responses: encrypted reasoning comes back before the answer it belongs to', opts, async () => {
    const u = await startUpstream();
    const s = await startServer({ settings: { ...NOTHING, ...CASES.responses.settings(u.origin) } });
    try {
      u.respond(answer({ text: ['Two.'], reasoning: ['One and one.'], usage: USAGE }));
      const r = await chat(s, 'One and one?');
      const state = row(s, r.message_id);
      assert.equal(state.state_wire, 'responses');
      assert.match(state.state, /ENCRYPTED==/);
      await chat(s, { message: 'Sure?', conversation_id: r.conversation_id });
      const input = u.chats[1].body.input;
      const i = input.findIndex((x) => x.type === 'reasoning');
      assert.ok(i > 0, JSON.stringify(input));
      assert.equal(input[i].encrypted_content, 'ENCRYPTED==');
      assert.equal(input[i + 1].role, 'assistant');
      assert.equal(JSON.stringify(await conversation(s, r.conversation_id)).includes('ENCRYPTED=='), false, 'clients do not see it');
    } finally { await s.stop(); await u.stop(); }
  });

  test('Gemini: the signature of an answer comes back with it; another wire does not get it', opts, async () => {
    const u = await startUpstream();
    const s = await startServer({ settings: { ...NOTHING, ...CASES.gemini.settings(u.origin), ANTHROPIC_API_KEY: KEY, ANTHROPIC_BASE_URL: u.origin } });
    try {
      u.respond(text('Zwei.'));
      const r = await chat(s, 'Eins und eins?');
      assert.equal(row(s, r.message_id).state_wire, 'gemini');
      await chat(s, { message: 'Sicher?', conversation_id: r.conversation_id });
      assert.match(u.chats[1].raw, /"thoughtSignature":"THOUGHT=="/);
      await chat(s, { message: 'Ganz sicher?', conversation_id: r.conversation_id, model: 'anthropic/claude-haiku-4-5' });
      assert.equal(u.chats[2].wire.name, 'anthropic');
      assert.equal(u.chats[2].raw.includes('THOUGHT=='), false);
    } finally { await s.stop(); await u.stop(); }
  });

  test('OpenRouter: reasoning_details come back as they came, to the same model only', opts, async () => {
    const u = await startUpstream();
    const s = await startServer({ settings: { ...NOTHING, LLM_MODEL: 'openrouter/x/thinker', OPENROUTER_API_KEY: KEY, OPENROUTER_API_BASE: `${u.origin}/v1` } });
    try {
      const detail = { type: 'reasoning.encrypted', data: 'DETAIL==', id: 'r1', format: 'anthropic-claude-v1', index: 0 };
      u.respond(async (req, io) => {
        io.open();
        await io.send([...io.wire.begin({ model: req.model }), io.wire.shape({ model: req.model }, { content: '', reasoning: 'hm', reasoning_details: [detail] }), ...io.wire.text({ model: req.model }, 'Two.'), ...io.wire.end({ model: req.model, usage: USAGE })].map((x) => Buffer.from(x)));
        return io.end();
      });
      const r = await chat(s, 'One and one?');
      assert.equal(row(s, r.message_id).state_wire, 'openai');
      await chat(s, { message: 'Sure?', conversation_id: r.conversation_id });
      includes(u.chats[1].body.messages.find((m) => m.role === 'assistant').reasoning_details, [detail]);
      await chat(s, { message: 'And you?', conversation_id: r.conversation_id, model: 'openrouter/y/other' });
      assert.equal(JSON.stringify(u.chats[2].body.messages.slice(0, 2)).includes('DETAIL=='), false);
    } finally { await s.stop(); await u.stop(); }
  });
});

describe('docs/providers.md', () => {
  const table = readFileSync(path.join(REPO, 'docs/providers.md'), 'utf8').split('\n').filter((l) => l.startsWith('| ')).map((l) => l.split('|').slice(1, -1).map((c) => c.trim()));
  const from = table.findIndex((r) => r[0] === 'what');
  const cellOf = (feature, wire) => {
    const column = table[from].findIndex((h) => h.split(', ').includes(wire));
    const line = table.slice(from).find((r) => r[0] === feature);
    assert.ok(column > 0 && line, `docs/providers.md has ${feature} and ${wire}`);
    return line[column];
  };
  const wires = { openai: 'openai', azure: 'azure, v1 API', responses: 'responses', anthropic: 'anthropic', gemini: 'gemini', bedrock: 'bedrock, bearer key', ollama: 'ollama', cohere: 'cohere' };

  test('its table says of answers what the tests above show', () => {
    const words = (u) => ['prompt', 'completion', ...('prompt_tokens_details' in u ? ['cached'] : []), ...('completion_tokens_details' in u ? ['reasoning'] : [])].join(', ');
    for (const [wire, name] of Object.entries(wires)) {
      for (const feature of ['streaming', 'whole answer', 'reasoning']) assert.match(cellOf(feature, wire), /^yes/, `${feature}, ${wire}`);
      assert.equal(cellOf('usage', wire), words(CASES[name].usage), `usage, ${wire}`);
      assert.match(cellOf('cost', wire), /^openai|azure/.test(wire) ? /^the provider's own/ : /^the table's/, `cost, ${wire}`);
      assert.match(cellOf('the stream has ended with', wire), /^`/);
    }
  });

  for (const [wire, name] of Object.entries(wires)) test(`its row about state is right for ${wire}`, opts, async () => {
    const c = CASES[name];
    const u = await startUpstream();
    const own = readableDir('parley-state-');
    writeFileSync(path.join(own, 'parley.json'), JSON.stringify(c.json ? c.json(u.origin) : {}));
    const s = await startServer({ settings: { ...NOTHING, PARLEY_JSON: path.join(own, 'parley.json'), ...c.settings(u.origin) } });
    try {
      // all that a vendor's stream can have to be kept: signed or encrypted thinking, and a call that came of it
      const extra = {
        anthropic: ['content_block_start', { type: 'content_block_start', index: 2, content_block: { type: 'tool_use', id: 'toolu_1', name: 'f', input: {} } }, { type: 'content_block_stop', index: 2 }],
      }[wire];
      u.respond(async (req, io) => {
        const a = { text: ['Two.'], reasoning: ['One and one.'], model: req.model, usage: USAGE };
        const w = io.wire;
        const detail = /openai|azure/.test(wire) ? [w.shape(a, { reasoning_details: [{ type: 'reasoning.text', text: 'One', signature: 'S==', index: 0 }] })] : [];
        const more = extra ? extra.slice(1).map((o) => `event: ${o.type}\ndata: ${JSON.stringify(o)}\n\n`) : [];
        io.open();
        await io.send([...w.begin(a), ...w.reasoning(a, 'One and one.', 0, a.reasoning), ...detail, ...w.text(a, 'Two.', 0), ...more, ...w.end(a)].map((x) => Buffer.from(x)));
        return io.end();
      });
      const r = await chat(s, 'One and one?');
      assert.equal(r.text, 'Two.', JSON.stringify(r.error));
      const kept = row(s, r.message_id).state_wire;
      assert.equal(kept, /^yes/.test(cellOf('state sent back', wire)) ? wire : null);
    } finally { await s.stop(); await u.stop(); rmSync(own, { recursive: true, force: true }); }
  });
});
