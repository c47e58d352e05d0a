// OpenAI's own SDK for JavaScript against /v1: what it is given, what it makes of failures, what happens when it is aborted.
// Neighbours: seeds.test.js (clients of others), faces.test.js (failures where there is nothing). The SDK retries nothing here unless a test says so.
import test, { before, after, beforeEach, describe } from 'node:test';
import assert from 'node:assert/strict';
import OpenAI from 'openai';
import { makeParseableResponseFormat } from 'openai/lib/parser';
import { shared, withServer, sql, SECRET } from './server.js';
import { lacks } from './hosting.js';
import { SCALE, USAGE, simple, held, gate, calling, stallAfter, silentStall, rateLimited, serverError, serverErrorThenOk, unauthorizedRepeatingKey, cutAfter, dropConnection, errorObject200, startProvider, freePort } from '../provider/provider.js';
import { list, conversation, settled, get, sleep, within } from './client.js';

const opts = { timeout: 60_000 * SCALE };
const at = shared({ before, after, beforeEach });
const model = 'test-model';
const hi = [{ role: 'user', content: 'Hi' }];
const PIXEL = 'data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==';

const sdk = (s = at.s, more = {}) => new OpenAI({ baseURL: `${s.url}/v1`, apiKey: 'whatever-the-client-has', maxRetries: 0, ...more });
const completions = (s) => sdk(s).chat.completions;
const whole = (body, options) => completions().create({ model, messages: hi, ...body }, options);
const streamed = (body, options) => whole({ stream: true, ...body }, options);
/** What the provider was asked last. */
const asked = () => at.p.chats.at(-1).body;

async function all(stream) {
  const chunks = [];
  for await (const chunk of stream) chunks.push(chunk);
  return chunks;
}
const textOf = (chunks) => chunks.map((c) => c.choices[0]?.delta.content ?? '').join('');

describe('an answer', () => {
  const tokens = ['Zwölf', ' 🙂\n', '\n  data: [DONE]\n', '\u2028"quoted" \\n', ' end'];

  test('comes as chunks of OpenAI\'s shape', opts, async () => {
    at.p.respond(simple(tokens));
    const chunks = await all(await streamed());
    assert.equal(textOf(chunks), tokens.join(''));
    assert.deepEqual(chunks[0].choices, [{ index: 0, delta: { content: '', role: 'assistant' }, finish_reason: null }]);
    for (const c of chunks) {
      assert.deepEqual(Object.keys(c).sort(), ['choices', 'created', 'id', 'model', 'object'], 'nothing of ours, and no usage that was not asked for');
      assert.equal(c.object, 'chat.completion.chunk');
      assert.equal(c.id, chunks[0].id);
      assert.match(c.id, /^chatcmpl-./);
      assert.equal(c.model, model);
      assert.ok(Math.abs(c.created - Date.now() / 1000) < 300);
      assert.equal(c.choices.length, 1);
    }
    assert.deepEqual(chunks.map((c) => c.choices[0].finish_reason).filter(Boolean), ['stop']);
    assert.deepEqual(chunks.at(-1).choices[0], { index: 0, delta: {}, finish_reason: 'stop' });
  });

  test('with include_usage ends with one chunk of usage and no choice; before, usage is null', opts, async () => {
    at.p.respond(simple('One two three'));
    const chunks = await all(await streamed({ stream_options: { include_usage: true } }));
    const last = chunks.pop();
    assert.deepEqual(last.choices, []);
    assert.deepEqual(last.usage, USAGE);
    for (const c of chunks) {
      assert.equal(c.choices.length, 1);
      assert.equal(c.usage, null);
    }
    assert.equal(chunks.at(-1).choices[0].finish_reason, 'stop');
    assert.equal(textOf(chunks), 'One two three');
  });

  test('is put together by the SDK\'s stream()', opts, async () => {
    at.p.respond(simple(tokens));
    const deltas = [];
    const stream = completions().stream({ model, messages: hi, stream_options: { include_usage: true } }).on('content', (d) => deltas.push(d));
    assert.equal(await stream.finalContent(), tokens.join(''));
    assert.equal(deltas.join(''), tokens.join(''));
    const message = await stream.finalMessage();
    assert.equal(message.role, 'assistant');
    assert.equal(message.content, tokens.join(''));
    assert.deepEqual(await stream.totalUsage(), USAGE);
    assert.equal((await stream.finalChatCompletion()).choices[0].finish_reason, 'stop');
  });

  test('comes piece by piece, not at its end', opts, async () => {
    const g = gate();
    at.p.respond(held('first ', g, 'second'));
    let text = '';
    for await (const chunk of await streamed()) {
      text += chunk.choices[0].delta.content ?? '';
      if (text === 'first ') g.open();                       // nothing more comes before
    }
    assert.equal(text, 'first second');
  });

  test('comes whole', opts, async () => {
    at.p.respond(simple(tokens));
    const c = await whole();
    const { id, created, ...rest } = c;
    assert.match(id, /^chatcmpl-./);
    assert.ok(Math.abs(created - Date.now() / 1000) < 300);
    assert.deepEqual(rest, {
      object: 'chat.completion', model, usage: USAGE,
      choices: [{ index: 0, message: { role: 'assistant', content: tokens.join(''), refusal: null }, logprobs: null, finish_reason: 'stop' }],
    });
  });

  test('says why it ended', opts, async () => {
    for (const reason of ['length', 'content_filter']) {
      at.p.respond(simple('cut', { reason }));
      assert.equal((await whole()).choices[0].finish_reason, reason);
      assert.equal((await all(await streamed())).at(-1).choices[0].finish_reason, reason);
    }
  });

  test('has its thinking apart', opts, async () => {
    at.p.respond(async (req, io) => {
      io.role();
      io.chunk(io.shape({ reasoning_content: 'hm, ' }));
      io.chunk(io.shape({ reasoning_content: 'well' }));
      io.token('Yes');
      io.finish(); io.done(); await io.end();
    });
    const chunks = await all(await streamed());
    assert.equal(textOf(chunks), 'Yes');
    assert.equal(chunks.map((c) => c.choices[0].delta.reasoning_content ?? '').join(''), 'hm, well');
    const { message } = (await whole()).choices[0];
    assert.equal(message.content, 'Yes');
    assert.equal(message.reasoning_content, 'hm, well');
  });

  test('without a model in the request, or from another one', opts, async () => {
    at.p.respond(simple('x'));
    assert.equal((await whole({ model: undefined })).model, model);
    assert.equal((await whole({ model: 'other-model' })).model, 'other-model');
    assert.equal(asked().model, 'other-model');
  });
});

describe('a request', () => {
  test('brings its whole conversation; system and developer messages are one system message', opts, async () => {
    at.p.respond(simple('Alice.'));
    await whole({ messages: [
      { role: 'system', content: 'Be short.' },
      { role: 'user', content: 'My name is Alice' },
      { role: 'assistant', content: 'Hello Alice' },
      { role: 'developer', content: [{ type: 'text', text: 'Be kind.' }] },
      { role: 'user', name: 'alice', content: [{ type: 'text', text: 'What is' }, { type: 'text', text: 'my name?' }] },
    ] });
    assert.deepEqual(asked().messages, [
      { role: 'system', content: 'Be short.\n\nBe kind.' },
      { role: 'user', content: 'My name is Alice' },
      { role: 'assistant', content: 'Hello Alice' },
      { role: 'user', content: 'What is\nmy name?' },
    ]);
  });

  test('is not cut to HISTORY_MESSAGES, and nothing of earlier ones comes back', opts, () => withServer({ settings: { HISTORY_MESSAGES: '4', SYSTEM_PROMPT: 'House rules.' } }, async (s, p) => {
    p.respond(simple('ok'));
    const messages = Array.from({ length: 31 }, (_, i) => ({ role: i % 2 ? 'assistant' : 'user', content: `number ${i}` }));
    await completions(s).create({ model, messages });
    assert.deepEqual(p.chats[0].body.messages, [{ role: 'system', content: 'House rules.' }, ...messages]);
    await completions(s).create({ model, messages: hi });
    assert.deepEqual(p.chats[1].body.messages, [{ role: 'system', content: 'House rules.' }, ...hi]);
    await completions(s).create({ model, messages: [{ role: 'system', content: 'Mine.' }, ...hi] });
    assert.deepEqual(p.chats[2].body.messages, [{ role: 'system', content: 'Mine.' }, ...hi]);
  }));

  test('may bring images', opts, async () => {
    at.p.respond(simple('A pixel.'));
    const content = [{ type: 'text', text: 'What is this?' }, { type: 'image_url', image_url: { url: PIXEL, detail: 'low' } }];
    assert.equal((await whole({ messages: [{ role: 'user', content }] })).choices[0].message.content, 'A pixel.');
    assert.deepEqual(asked().messages, [{ role: 'user', content: [content[0], { type: 'image_url', image_url: { url: PIXEL } }] }]);
    await assert.rejects(whole({ messages: [{ role: 'user', content: [{ type: 'image_url', image_url: { url: 'https://example.invalid/a.png' } }] }] }), OpenAI.BadRequestError);
    assert.equal(at.p.chats.length, 1, 'no address is fetched');
  });

  test('says how the answer is to be made', opts, async () => {
    at.p.respond(simple('ok'));
    await whole({ temperature: 0, max_tokens: 17, stop: 'END', seed: 42, reasoning_effort: 'low' });
    const { temperature, max_tokens, stop, seed, reasoning_effort } = asked();
    assert.deepEqual({ temperature, max_tokens, stop, seed, reasoning_effort }, { temperature: 0, max_tokens: 17, stop: ['END'], seed: 42, reasoning_effort: 'low' });
    await whole({ max_completion_tokens: 18, stop: ['a', 'b'], seed: -1, reasoning_effort: 'minimal' });
    assert.equal(asked().max_tokens, 18);
    assert.deepEqual(asked().stop, ['a', 'b']);
    assert.equal(asked().seed, -1);
    assert.equal(asked().reasoning_effort, 'low');
    assert.equal(asked().temperature, 0.7, 'else as the settings say');
    await whole({ stop: null, seed: null, temperature: null, max_tokens: null, tools: undefined });
    for (const name of ['stop', 'seed', 'reasoning_effort', 'tools', 'tool_choice', 'response_format']) assert.equal(name in asked(), false, name);
  });

  test('may hold what no model here can be told', opts, async () => {
    at.p.respond(simple('ok'));
    const odd = { top_p: 0.5, presence_penalty: 1, frequency_penalty: -1, logit_bias: { 5: 1 }, user: 'u1', n: 1, logprobs: false, parallel_tool_calls: true, service_tier: 'auto', metadata: { a: 'b' }, verbosity: 'low', prompt_cache_key: 'k' };
    assert.equal((await whole(odd)).choices[0].message.content, 'ok');
    for (const name of Object.keys(odd)) assert.equal(name in asked(), false, name);
  });

  test('may ask for JSON, or for JSON after a schema, which the SDK parses', opts, async () => {
    at.p.respond(simple('{"n": 7}'));
    await whole({ response_format: { type: 'json_object' } });
    assert.deepEqual(asked().response_format, { type: 'json_object' });
    await whole({ response_format: { type: 'text' } });
    assert.equal('response_format' in asked(), false);
    const schema = { type: 'object', properties: { n: { type: 'integer' } }, required: ['n'], additionalProperties: false };
    const format = makeParseableResponseFormat({ type: 'json_schema', json_schema: { name: 'number', strict: true, schema } }, (text) => JSON.parse(text));
    const parsed = await completions().parse({ model, messages: hi, response_format: format });
    assert.deepEqual(parsed.choices[0].message.parsed, { n: 7 });
    assert.equal(asked().response_format.type, 'json_schema');
    assert.deepEqual(asked().response_format.json_schema.schema, schema);
    const stream = completions().stream({ model, messages: hi, response_format: format });
    assert.deepEqual((await stream.finalMessage()).parsed, { n: 7 });
  });
});

describe('tools', () => {
  const tools = ['weather', 'clock'].map((name) => ({ type: 'function', function: { name, description: `Tells the ${name}`, parameters: { type: 'object', properties: { place: { type: 'string' } }, required: ['place'] } } }));
  const calls = [{ id: 'call_1', name: 'weather', arguments: '{"place": "Bonn \\"am\\" Rhein"}' }, { id: 'call_2', name: 'clock', arguments: '{"place":"Köln"}' }];
  const asSdk = calls.map((c) => ({ id: c.id, type: 'function', function: { name: c.name, arguments: c.arguments } }));

  test('are offered, called and answered: whole', opts, async () => {
    at.p.enqueue(calling(calls), simple('It rains at nine.'));
    const first = await whole({ tools });
    assert.equal(first.choices[0].finish_reason, 'tool_calls');
    assert.deepEqual(first.choices[0].message, { role: 'assistant', content: null, refusal: null, tool_calls: asSdk });
    assert.deepEqual(asked().tools, tools);
    assert.equal('tool_choice' in asked(), false);
    const results = calls.map((c) => ({ role: 'tool', tool_call_id: c.id, content: `result of ${c.name}` }));
    const second = await whole({ tools, messages: [...hi, first.choices[0].message, ...results] });
    assert.equal(second.choices[0].message.content, 'It rains at nine.');
    assert.equal(second.choices[0].finish_reason, 'stop');
    assert.deepEqual(asked().messages, [...hi, { role: 'assistant', content: null, tool_calls: asSdk }, ...results]);
  });

  test('are called in a stream, with what was said before', opts, async () => {
    at.p.respond(calling(calls, { text: 'Let me see.' }));
    const chunks = await all(await streamed({ tools }));
    assert.equal(textOf(chunks), 'Let me see.');
    assert.deepEqual(chunks.flatMap((c) => c.choices[0].delta.tool_calls ?? []), asSdk.map((c, index) => ({ index, ...c })));
    assert.deepEqual(chunks.map((c) => c.choices[0].finish_reason).filter(Boolean), ['tool_calls']);
    const done = [];
    const stream = completions().stream({ model, messages: hi, tools }).on('tool_calls.function.arguments.done', (e) => done.push([e.index, e.name, e.arguments]));
    const message = await stream.finalMessage();
    assert.equal(message.content, 'Let me see.');
    assert.deepEqual(message.tool_calls.map(({ id, type, function: f }) => ({ id, type, function: { name: f.name, arguments: f.arguments } })), asSdk);
    assert.deepEqual(done, calls.map((c, i) => [i, c.name, c.arguments]));
    at.p.respond(simple('Thanks.'));
    const next = [...hi, message, ...calls.map((c) => ({ role: 'tool', tool_call_id: c.id, content: [{ type: 'text', text: 'fine' }] }))];
    assert.equal(await completions().stream({ model, messages: next, tools }).finalContent(), 'Thanks.');
    assert.deepEqual(asked().messages[1], { role: 'assistant', content: 'Let me see.', tool_calls: asSdk });
    assert.deepEqual(asked().messages.slice(2), calls.map((c) => ({ role: 'tool', tool_call_id: c.id, content: 'fine' })));
  });

  test('may be chosen', opts, async () => {
    at.p.respond(simple('ok'));
    const clock = { type: 'function', function: { name: 'clock' } };
    for (const [choice, sent] of [['none', 'none'], ['required', 'required'], [clock, clock], ['auto', undefined]]) {
      await whole({ tools, tool_choice: choice });
      assert.deepEqual(asked().tool_choice, sent);
    }
    const before = at.p.chats.length;
    for (const [body, param] of [[{ tools, tool_choice: { type: 'function', function: { name: 'other' } } }, 'tool_choice'], [{ tool_choice: 'required' }, 'tool_choice'], [{ tools, tool_choice: 'maybe' }, 'tool_choice'],
      [{ tools: [{ type: 'function', function: { name: 'has space' } }] }, 'tools'], [{ tools: [{ type: 'custom', custom: { name: 'x' } }] }, 'tools']]) {
      await assert.rejects(whole(body), (e) => e instanceof OpenAI.BadRequestError && e.param === param);
    }
    assert.equal(at.p.chats.length, before);
  });

  for (const stream of [false, true]) test(`are run by the SDK's runTools(), ${stream ? 'streamed' : 'whole'}`, opts, async () => {
    at.p.enqueue(calling([calls[0]]), calling([calls[1]]), simple('All done.'));
    const ran = [];
    const own = tools.map((t) => ({ ...t, function: { ...t.function, parse: JSON.parse, function: (args) => { ran.push([t.function.name, args]); return `${t.function.name} is fine`; } } }));
    const runner = completions().runTools({ model, messages: hi, tools: own, stream });
    assert.equal(await runner.finalContent(), 'All done.');
    assert.deepEqual(ran, calls.map((c) => [c.name, JSON.parse(c.arguments)]));
    assert.deepEqual(asked().messages.map((m) => m.role), ['user', 'assistant', 'tool', 'assistant', 'tool']);
    assert.deepEqual(asked().messages.filter((m) => m.role === 'tool').map((m) => m.content), ['weather is fine', 'clock is fine']);
  });
});

describe('errors', () => {
  /** The rejection, checked for what all of them have. */
  async function failure(promise, Class, status, type, code, param = null) {
    const e = await promise.then(() => assert.fail('it was answered'), (x) => x);
    assert.ok(e instanceof Class, `${e.constructor.name}, not ${Class.name}: ${e.message}`);
    assert.deepEqual({ status: e.status, type: e.type, code: e.code, param: e.param }, { status, type, code, param }, e.message);
    assert.ok(e.error.message.length > 8);
    assert.ok(!e.message.includes(SECRET));
    return e;
  }

  test('of the client are BadRequestErrors that name the field', opts, async () => {
    at.p.respond(simple('not reached'));
    const result = (id) => ({ role: 'tool', tool_call_id: id, content: 'x' });
    const calling2 = { role: 'assistant', content: null, tool_calls: ['a', 'b'].map((id) => ({ id, type: 'function', function: { name: 'f', arguments: '{}' } })) };
    for (const [body, param] of [
      [{ messages: [{ role: 'wizard', content: 'x' }] }, 'messages'], [{ messages: [] }, 'messages'], [{ messages: undefined }, 'messages'], [{ messages: [{ role: 'system', content: 'only' }] }, 'messages'],
      [{ messages: [...hi, { role: 'tool', tool_call_id: 'call_9', content: 'x' }] }, 'messages'], [{ messages: [{ role: 'user', content: 7 }] }, 'messages'],
      [{ messages: [...hi, calling2, ...hi] }, 'messages'], [{ messages: [...hi, calling2, result('a'), ...hi] }, 'messages'], [{ messages: [...hi, calling2, result('a'), result('a')] }, 'messages'],
      [{ n: 2 }, 'n'], [{ logprobs: true }, 'logprobs'], [{ temperature: 3 }, 'temperature'], [{ max_tokens: 0 }, 'max_tokens'], [{ seed: 1.5 }, 'seed'], [{ stop: [''] }, 'stop'], [{ modalities: ['text'], audio: { voice: 'alloy', format: 'wav' } }, 'audio'],
      [{ response_format: { type: 'json_schema' } }, 'response_format'], [{ reasoning_effort: 'enormous' }, 'reasoning_effort'], [{ model: 7 }, 'model'],
    ]) for (const stream of [false, true]) await failure(whole({ stream, ...body }), OpenAI.BadRequestError, 400, 'invalid_request_error', 'invalid_field', param);
    assert.equal(at.p.chats.length, 0);
  });

  test('that the provider blames on the request are the client\'s too: not worth another attempt', opts, async () => {
    for (const [status, type] of [[400, OpenAI.BadRequestError], [404, OpenAI.NotFoundError], [422, OpenAI.BadRequestError]]) {
      at.p.respond(async (req, io) => io.json({ error: { message: 'Invalid schema for function f' } }, status));
      for (const stream of [false, true]) await failure(whole({ stream }), type, status === 404 ? 404 : 400, 'invalid_request_error', 'provider_error');
    }
  });

  test('of an unknown path are NotFoundErrors', opts, async () => {
    await failure(sdk().post('/nothing', { body: {} }), OpenAI.NotFoundError, 404, 'invalid_request_error', 'not_found');
    await failure(sdk().images.generate({ prompt: 'a cat' }), OpenAI.NotFoundError, 404, 'invalid_request_error', 'not_found');
    await failure(sdk().embeddings.create({ model: 'x', input: 'y' }), OpenAI.NotFoundError, 404, 'invalid_request_error', 'not_found');
  });

  for (const stream of [false, true]) test(`of the provider before its first token, ${stream ? 'streamed' : 'whole'}`, opts, () => withServer({ settings: { RETRIES: '0' } }, async (s, p) => {
    const ask = (client = sdk(s)) => client.chat.completions.create({ model, messages: hi, stream });
    p.respond(rateLimited(7));
    const limited = await failure(ask(), OpenAI.RateLimitError, 429, 'rate_limit_error', 'provider_busy');
    assert.equal(limited.headers.get('retry-after'), '7');
    p.respond(serverError(500));
    await failure(ask(), OpenAI.InternalServerError, 502, 'api_error', 'provider_error');
    p.respond(unauthorizedRepeatingKey);
    await failure(ask(), OpenAI.InternalServerError, 502, 'api_error', 'provider_auth');
    p.respond(errorObject200);
    await failure(ask(), OpenAI.InternalServerError, 502, 'api_error', 'provider_error');
    p.respond(dropConnection());
    await failure(ask(), OpenAI.InternalServerError, 502, 'api_error', 'provider_error');
    p.respond(async (req, io) => io.json({ error: { message: 'This model\'s maximum context length is 10 tokens.', code: 'context_length_exceeded' } }, 400));
    await failure(ask(), OpenAI.BadRequestError, 400, 'invalid_request_error', 'provider_error');
    assert.equal((await list(s)).conversations.length, 0);
  }));

  test('of a provider that is not there', opts, async () => {
    const port = await freePort();
    await withServer({ settings: { RETRIES: '0', LLM_BASE_URL: `http://127.0.0.1:${port}/v1` } }, async (s) => {
      await failure(completions(s).create({ model, messages: hi }), OpenAI.InternalServerError, 502, 'api_error', 'provider_unreachable');
    });
  });

  test('429 is waited for by the SDK as its Retry-After says', opts, () => withServer({ settings: { RETRIES: '0' } }, async (s, p) => {
    p.enqueue(rateLimited(1));
    p.respond(simple('now'));
    const c = await sdk(s, { maxRetries: 1 }).chat.completions.create({ model, messages: hi });
    assert.equal(c.choices[0].message.content, 'now');
    assert.equal(p.chats.length, 2);
    assert.ok(p.chats[1].at - p.chats[0].at >= 950, `${p.chats[1].at - p.chats[0].at} ms`);
  }));

  test('of a body that is too large, and of a server that is full', opts, () => withServer({ settings: { MAX_BODY_BYTES: '4096', MAX_STREAMS: '1' } }, async (s, p) => {
    await failure(completions(s).create({ model, messages: [{ role: 'user', content: 'x'.repeat(5000) }] }), OpenAI.APIError, 413, 'invalid_request_error', 'too_large');
    const g = gate();
    p.respond(held('first ', g, 'second'));
    const full = { model, messages: hi, stream: true, store: true };   // behind CGI those are counted that are stored
    const first = await completions(s).create(full);
    await failure(completions(s).create(full), OpenAI.InternalServerError, 503, 'server_error', 'overloaded');
    g.open();
    assert.equal(textOf(await all(first)), 'first second');
  }));

  test('are not seen where we try again ourselves', opts, async () => {
    at.p.respond(serverErrorThenOk(1));
    assert.equal(textOf(await all(await streamed())), 'at last');
    assert.equal(at.p.chats.length, 2);
  });

  for (const [what, behaviour, code] of [
    ['the provider says so', async (req, io) => { io.role(); io.token('half '); io.chunk({ error: { message: 'The model crashed', code: 500 } }); await io.end(); }, 'provider_error'],
    ['the connection breaks', cutAfter('half '), 'provider_error'],
  ]) test(`in mid-stream are raised by the iterator: ${what}`, opts, async () => {
    at.p.respond(behaviour);
    let text = '';
    const e = await (async () => { for await (const c of await streamed({ stream_options: { include_usage: true } })) text += c.choices[0]?.delta.content ?? ''; })().then(() => assert.fail('no error'), (x) => x);
    assert.equal(text, 'half ');
    assert.ok(e instanceof OpenAI.APIError, e.message);
    assert.equal(e.code, code);
    assert.equal(e.type, 'api_error');
    assert.equal(e.status, undefined, 'the status was 200');
    await assert.rejects(completions().stream({ model, messages: hi }).finalContent(), OpenAI.APIError);
    const whole502 = await whole().then(() => assert.fail('no error'), (x) => x);
    assert.ok(whole502 instanceof OpenAI.InternalServerError, 'half an answer is no whole one');
    assert.equal(whole502.status, 502);
  });
});

describe('abort', () => {
  /** A server that notices soon who has left, whatever it runs behind. */
  const quick = (fn) => withServer({ settings: { HEARTBEAT_SECONDS: '0.2' } }, fn);
  /** Tokens without end, so slowly that no limit ends them. */
  const endless = (token) => async (req, io) => { for (io.role(); !io.isClosed; await sleep(0.02)) io.token(token); };
  const used = (s) => sql(s.db, 'SELECT sum(answers) AS answers, sum(completion_tokens) AS tokens FROM usage_days')[0];
  /** Asks until the answer that was stopped is counted. */
  async function counted(s) {
    const until = performance.now() + 10_000 * SCALE;
    while (!used(s).answers) {
      assert.ok(performance.now() < until, 'it is counted');
      await sleep(0.05);
    }
    return used(s);
  }

  for (const [what, behaviour] of [['while tokens come', endless('and on ')], ['while the provider says nothing', stallAfter('and on ')]]) {
    test(`of a stream ${what} stops the provider; nothing is stored, what was used is counted`, opts, () => quick(async (s, p) => {
      p.respond(behaviour);
      const controller = new AbortController();
      let text = '';
      const going = (async () => {
        for await (const c of await completions(s).create({ model, messages: hi, stream: true }, { signal: controller.signal })) {
          text += c.choices[0].delta.content ?? '';
          if (text) controller.abort();
        }
      })();
      await going.catch((e) => assert.ok(e instanceof OpenAI.APIUserAbortError, e));
      assert.match(text, /^and on /);
      await p.waitForClosed(1);
      const row = await counted(s);
      assert.equal(row.answers, 1);
      assert.ok(row.tokens > 0, 'by estimate: the provider had no chance to say');
      assert.deepEqual((await list(s)).conversations, []);
      assert.equal(sql(s.db, 'SELECT count(*) AS n FROM messages')[0].n, 0);
    }));
  }

  test('of a stream before its first token stops the provider', { ...opts, skip: lacks('seesSilentLeave') }, () => quick(async (s, p) => {
    p.respond(silentStall);
    const controller = new AbortController();
    const going = completions(s).create({ model, messages: hi, stream: true }, { signal: controller.signal });
    const failed = assert.rejects(going, OpenAI.APIUserAbortError);
    await p.waitForChat(1);
    controller.abort();
    await failed;
    await p.waitForClosed(1);
  }));

  test('of a whole answer stops the provider', { ...opts, skip: lacks('seesSilentLeave') }, () => quick(async (s, p) => {
    p.respond(endless('unseen '));
    const controller = new AbortController();
    const failed = assert.rejects(completions(s).create({ model, messages: hi }, { signal: controller.signal }), OpenAI.APIUserAbortError);
    await p.waitForChat(1);
    controller.abort();
    await failed;
    await p.waitForClosed(1);
    assert.equal((await counted(s)).answers, 1);
    assert.deepEqual((await list(s)).conversations, []);
  }));

  test('with "store" keeps what was said so far as stopped', opts, () => quick(async (s, p) => {
    p.respond(stallAfter('so far'));
    for await (const c of await completions(s).create({ model, messages: hi, stream: true, store: true })) if (c.choices[0].delta.content) break;
    await p.waitForClosed(1);
    const { conversation_id: id } = (await list(s)).conversations[0];
    const { answer } = await settled(s, id);
    assert.equal(answer.status, 'stopped');
    assert.equal(answer.content, 'so far');
  }));
});

describe('what is kept', () => {
  test('nothing, but what was used', opts, () => withServer({}, async (s, p) => {
    p.respond(simple('Hello'));
    await completions(s).create({ model, messages: hi });
    await all(await completions(s).create({ model, messages: hi, stream: true, store: false }));
    assert.deepEqual((await list(s)).conversations, []);
    for (const table of ['messages', 'conversations']) assert.equal(sql(s.db, `SELECT count(*) AS n FROM ${table}`)[0].n, 0, table);
    const used = () => sql(s.db, 'SELECT model, answers, prompt_tokens, completion_tokens FROM usage_days');
    await within(10, (async () => { while (used()[0]?.answers !== 2) await sleep(0.02); })(), 'the count of the second answer, which comes after its end');
    assert.deepEqual(used(), [{ model, answers: 2, prompt_tokens: 2 * USAGE.prompt_tokens, completion_tokens: 2 * USAGE.completion_tokens }]);
  }));

  test('with "store" a conversation, with the history that came along', opts, () => withServer({}, async (s, p) => {
    p.respond(simple('Your name is Alice.'));
    const messages = [{ role: 'system', content: 'Be short.' }, { role: 'user', content: 'I am Alice' }, { role: 'assistant', content: 'Hello' }, { role: 'user', content: 'Who am I?' }];
    await all(await completions(s).create({ model, messages, stream: true, store: true, metadata: { topic: 'names' } }));
    const page = await list(s);
    assert.equal(page.conversations.length, 1);
    const c = await conversation(s, page.conversations[0].conversation_id);
    assert.deepEqual(c.messages.map((m) => [m.role, m.content]), [['user', 'I am Alice'], ['assistant', 'Hello'], ['user', 'Who am I?'], ['assistant', 'Your name is Alice.']]);
    assert.equal(c.messages.at(-1).status, 'done');
    assert.deepEqual(c.messages.at(-1).usage.total_tokens, USAGE.total_tokens);
    assert.deepEqual(c.messages[2].metadata, { topic: 'names' });
    assert.equal(sql(s.db, 'SELECT sum(answers) AS n FROM usage_days')[0].n, 1);
  }));

  test('with "store" its images too', opts, () => withServer({}, async (s, p) => {
    p.respond(simple('A dot.'));
    await completions(s).create({ model, messages: [{ role: 'user', content: [{ type: 'text', text: 'What is this?' }, { type: 'image_url', image_url: { url: PIXEL } }] }], store: true });
    const c = await conversation(s, (await list(s)).conversations[0].conversation_id);
    assert.deepEqual(c.messages[0].attachments, [{ type: 'image', url: PIXEL }]);
  }));

  test('with "store" the question once, also when results of tools follow it, and whole when it came in two messages', opts, () => withServer({}, async (s, p) => {
    p.respond(simple('It rains.'));
    const call = { id: 'call_1', type: 'function', function: { name: 'weather', arguments: '{}' } };
    const tools = [{ type: 'function', function: { name: 'weather' } }];
    const kept = async (messages) => {
      await completions(s).create({ model, messages, tools, store: true });
      const { conversations } = await list(s);
      return (await conversation(s, conversations[0].conversation_id)).messages.map((m) => [m.role, m.content]);
    };
    const before = [{ role: 'user', content: 'Hello' }, { role: 'assistant', content: 'Hello!' }];
    const after = [{ role: 'assistant', content: 'Let me see.', tool_calls: [call] }, { role: 'tool', tool_call_id: 'call_1', content: 'rain' }];
    assert.deepEqual(await kept([...before, { role: 'user', content: 'How is it?' }, ...after]), [['user', 'Hello'], ['assistant', 'Hello!'], ['user', 'How is it?'], ['assistant', 'It rains.']]);
    assert.deepEqual(await kept([...before, { role: 'user', content: 'In Bonn:' }, { role: 'user', content: 'how is it?' }]), [['user', 'Hello'], ['assistant', 'Hello!'], ['user', 'In Bonn:\n\nhow is it?'], ['assistant', 'It rains.']]);
  }));

  test('belongs to who is signed in', opts, () => withServer({ auth: true }, async (s, p) => {
    p.respond(simple('Hello'));
    const as = (name) => sdk(s, { defaultHeaders: { authorization: `Basic ${Buffer.from(`${name}:${name}`).toString('base64')}` } });
    await as('alice').chat.completions.create({ model, messages: hi, store: true });
    assert.equal((await list(s, '', { auth: 'alice' })).conversations.length, 1);
    assert.equal((await list(s, '', { auth: 'bob' })).conversations.length, 0);
    await assert.rejects(completions(s).create({ model, messages: hi }), OpenAI.AuthenticationError, 'a key is no sign-in');
  }));
});

describe('models and embeddings', () => {
  test('models.list() names models as a request may name them', opts, async () => {
    at.p.respond(simple('ok'));
    const rows = await all(await sdk().models.list());
    assert.ok(rows.some((m) => m.id === `openai/${model}` && m.owned_by === 'openai'), JSON.stringify(rows));
    assert.equal((await whole({ model: rows[0].id })).choices[0].message.content, 'ok');
    assert.equal(`openai/${asked().model}`, rows[0].id);
    for (const m of rows) {
      assert.equal(m.object, 'model');
      assert.equal(typeof m.id, 'string');
      assert.equal(typeof m.created, 'number');
      assert.equal(typeof m.owned_by, 'string');
    }
    assert.equal((await get(`${at.s.url}/v1/models`)).json.object, 'list');
  });

  test('models.retrieve() finds one by its id, slash and all, and no other', opts, async () => {
    assert.deepEqual(await sdk().models.retrieve(`openai/${model}`), { id: `openai/${model}`, object: 'model', created: 0, owned_by: 'openai' });
    assert.equal((await get(`${at.s.url}/v1/models/openai/${model}`)).json.id, `openai/${model}`);
    for (const id of ['openai', `openai/${model}x`, `openai/${model}/`, '%', 'openai%2', model.slice(1)]) assert.equal((await get(`${at.s.url}/v1/models/${encodeURIComponent(id)}`)).status, 404, id);
  });

  test('embeddings.create() gives the vectors of the configured model, as numbers and as the SDK asks by itself', opts, async () => {
    const vector = (text) => [text.length, -0.5, 1 / 3, 1e-7];
    const close = (got, text) => {                           // vectors have the length 1 here, as OpenAI's have
      const wanted = vector(text).map((x) => x / Math.hypot(...vector(text)));
      assert.equal(got.length, wanted.length);
      got.forEach((x, i) => assert.ok(Math.abs(x - wanted[i]) < 1e-6, `${x}, not ${wanted[i]}`));
    };
    const p = await startProvider();                         // not the one that chats
    try {
      await withServer({ settings: { EMBEDDING_MODEL: 'openai/small-vectors', EMBEDDING_BASE_URL: p.url } }, async (s) => {
        p.embed(vector);
        const { embeddings } = sdk(s);
        const one = await embeddings.create({ model: 'small-vectors', input: 'four' });
        assert.equal(one.object, 'list');
        assert.equal(one.model, 'openai/small-vectors', 'as models are named here');
        assert.deepEqual(one.data.map(({ object, index }) => ({ object, index })), [{ object: 'embedding', index: 0 }]);
        close(one.data[0].embedding, 'four');
        assert.ok(one.usage.prompt_tokens > 0 && one.usage.total_tokens === one.usage.prompt_tokens);
        assert.equal(p.requests.at(-1).path, '/v1/embeddings');
        assert.deepEqual(p.requests.at(-1).body, { model: 'small-vectors', input: ['four'], encoding_format: 'float' });
        const texts = Array.from({ length: 300 }, (_, i) => 'ä'.repeat(i + 1));
        const many = await embeddings.create({ model: 'openai/small-vectors', input: texts, dimensions: 4 });
        assert.deepEqual(many.data.map((d) => d.index), texts.map((_, i) => i));
        many.data.forEach((d, i) => close(d.embedding, texts[i]));
        const numbers = await embeddings.create({ model: 'openai/small-vectors', input: texts, encoding_format: 'float' });
        assert.deepEqual(numbers.data.map((d) => Array.from(Float32Array.from(d.embedding))), many.data.map((d) => Array.from(d.embedding)), 'the same to the last bit');
        for (const [body, param] of [[{ input: [] }, 'input'], [{ input: [1, 2] }, 'input'], [{ input: '' }, 'input'], [{ input: 'x', encoding_format: 'hex' }, 'encoding_format'], [{ input: 'x', dimensions: 3 }, 'dimensions']]) {
          await assert.rejects(embeddings.create({ model: 'small-vectors', ...body }), (e) => e instanceof OpenAI.BadRequestError && e.param === param);
        }
        await assert.rejects(embeddings.create({ model: 'other', input: 'x' }), OpenAI.NotFoundError);
        p.embed(null);
        await assert.rejects(embeddings.create({ model: 'small-vectors', input: 'x' }), OpenAI.NotFoundError);
      });
    } finally {
      await p.stop();
    }
  });
});
