// POST /chat: the shape of the stream, the whole answer, the curl lines of the seeds, conversations that remember.
import test, { before, after, beforeEach, describe } from 'node:test';
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { shared, withServer, startServer, sql } from './server.js';
import { simple, held, gate, USAGE, SCALE, SECRET, status, within } from '../provider/provider.js';
import { request, get, post, stream, chat, chatStream, chatWhole, conversation, list, settled, readChat, assertError } from './client.js';

const opts = { timeout: 60_000 * SCALE };
const at = shared({ before, after, beforeEach });

/** Runs curl as a person would, gives what it wrote. */
function curl(args, seconds = 20) {
  const child = spawn('curl', ['-sS', ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  let out = '';
  let err = '';
  child.stdout.on('data', (d) => { out += d; });
  child.stderr.on('data', (d) => { err += d; });
  return within(seconds, new Promise((resolve) => child.once('close', (code) => resolve({ code, out, err }))), 'curl').finally(() => child.kill());
}

const turns = (req) => req.body.messages.filter((m) => m.role !== 'system' && m.role !== 'developer').map((m) => [m.role, m.content]);

describe('POST /chat streaming', () => {
  test('the first chunk has role, empty content, conversation_id and message_id, the last finish_reason and usage, then [DONE]', opts, async () => {
    at.p.respond(simple('Hello, world!'));
    const r = await chat(at.s, 'Hi');                     // readChat checks each of these words
    assert.equal(r.text, 'Hello, world!');
    assert.equal(r.finish_reason, 'stop');
    assert.equal(r.error, null);
    assert.ok(r.conversation_id.length > 0);
    assert.ok(r.message_id.length > 0);
  });

  test('every chunk is a chat.completion.chunk with exactly one choice, though the provider sends chunks with none', opts, async () => {
    at.p.respond(async (req, io) => {
      io.chunk({ choices: [] }); io.role(); io.token('a'); io.chunk({ choices: [], usage: null }); io.token('b');
      io.finish('stop', USAGE); io.done(); await io.end();
    });
    const r = await chat(at.s, 'Hi');
    assert.equal(r.text, 'ab');
    for (const c of r.chunks) assert.equal(c.choices.length, 1);
    for (const c of r.chunks) { assert.equal(c.choices[0].index, 0); assert.equal(typeof c.id, 'string'); assert.equal(typeof c.model, 'string'); assert.equal(typeof c.created, 'number'); }
    assert.equal(new Set(r.chunks.map((c) => c.id)).size, 1, 'one id for the whole answer');
  });

  test('usage of the provider is in the last chunk', opts, async () => {
    at.p.respond(simple('a b c', { usage: USAGE }));
    const r = await chat(at.s, 'Hi');
    assert.equal(r.usage.prompt_tokens, 16);
    assert.equal(r.usage.completion_tokens, 3);
    assert.equal(r.usage.total_tokens, 19);
  });

  test('streaming is what happens when stream is not given, and with stream:true', opts, async () => {
    at.p.respond(simple('x'));
    for (const body of [{ message: 'Hi' }, { message: 'Hi', stream: true }]) {
      const s = await stream(`${at.s.url}/chat`, body);
      assert.match(s.headers['content-type'], /^text\/event-stream/);
      await s.all();
      readChat(s);
    }
  });

  test('text with line ends, quotes, emoji and control characters arrives and is stored as it was sent', opts, async () => {
    const text = 'Zeile 1\nZeile 2\r\n\t"quotes" \\ / \u2028 \u007f ä€😀 </script> \u0001 ende\n\n';
    at.p.respond(simple([...text.matchAll(/.{1,3}/gsu)].map((m) => m[0])));
    const r = await chat(at.s, 'Hi');
    assert.equal(r.text, text);
    const c = await conversation(at.s, r.conversation_id);
    assert.equal(c.messages[1].content, text);
  });

  test('half a surrogate pair and other broken text never make the stream invalid', opts, async () => {
    at.p.respond(async (req, io) => {
      io.raw('data: {"choices":[{"index":0,"delta":{"content":"a\\ud83c"},"finish_reason":null}]}\n\n');
      io.raw('data: {"choices":[{"index":0,"delta":{"content":"b\\u0000c"},"finish_reason":null}]}\n\n');
      io.raw(Buffer.from('data: {"choices":[{"index":0,"delta":{"content":"d\xff\xfee"},"finish_reason":null}]}\n\n', 'latin1'));
      io.token('f'); io.finish(); io.done(); await io.end();
    });
    for (const fn of [chat, chatStream]) {
      const r = await fn(at.s, 'Hi');                      // the reader refuses bytes that are not UTF-8
      assert.equal(r.status, 200, JSON.stringify(r.error));
      assert.match(r.text, /^a/);
      assert.ok(r.error || r.terminal?.event === 'error' || r.text.endsWith('f'), `either said to be broken, or read to the end: ${JSON.stringify(r.text)}`);
      const c = await conversation(at.s, r.conversation_id);
      assert.notEqual(c.messages[1].status, 'streaming');
    }
  });

  test('a turn stores the question and the answer with model, status and usage', opts, async () => {
    at.p.respond(simple('An answer.'));
    const r = await chat(at.s, 'A question?');
    const c = await conversation(at.s, r.conversation_id);
    assert.equal(c.conversation_id, r.conversation_id);
    assert.equal(c.messages.length, 2);
    const [q, a] = c.messages;
    assert.equal(q.role, 'user');
    assert.equal(q.content, 'A question?');
    assert.equal(a.role, 'assistant');
    assert.equal(a.content, 'An answer.');
    assert.equal(a.status, 'done');
    assert.equal(a.id, r.message_id);
    assert.equal(a.parent_id, q.id);
    assert.match(a.model, /test-model/);
    assert.equal(a.usage.total_tokens, 19);
    for (const m of [q, a]) assert.match(m.created_at, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/);
  });

  test('the question is durable before the provider is called', opts, async () => {
    const g = gate();
    let seen;
    at.p.respond(async (req, io) => { await g.wait(); io.token('x'); io.finish(); io.done(); await io.end(); });
    const going = chat(at.s, 'Durable question?');
    await at.p.waitForChat(1);
    try {
      const c = (await list(at.s)).conversations[0];
      seen = await conversation(at.s, c.conversation_id);
      assert.equal(seen.messages.length, 2);
      assert.equal(seen.messages[0].content, 'Durable question?');
      assert.equal(seen.messages[1].status, 'streaming');
    } finally { g.open(); }
    const r = await going;
    assert.equal(r.conversation_id, seen.conversation_id);
  });

  test('a title is made from the first words', opts, async () => {
    at.p.respond(simple('x'));
    const r = await chat(at.s, 'How do magnets work?');
    const c = await conversation(at.s, r.conversation_id);
    assert.match(c.title, /^How do magnets/);
    assert.equal(at.p.chats.length, 1, 'and nobody was asked for it');
  });
});

describe('POST /chat whole', () => {
  test('stream:false gives response, conversation_id, message_id, model and usage', opts, async () => {
    at.p.respond(simple('Hello, world!'));
    const r = await chatWhole(at.s, 'Hi');
    assert.equal(r.status, 200, r.text);
    assert.match(r.headers['content-type'], /^application\/json/);
    assert.equal(r.json.response, 'Hello, world!');
    assert.match(r.json.model, /test-model/);
    assert.equal(r.json.usage.total_tokens, 19);
    const c = await conversation(at.s, r.json.conversation_id);
    assert.equal(c.messages[1].id, r.json.message_id);
    assert.equal(c.messages[1].content, 'Hello, world!');
    assert.equal(c.messages[1].status, 'done');
  });

  test('stream:false of 1 MB of text is whole', opts, async () => {
    const piece = 'Grüße '.repeat(100);
    const tokens = Array.from({ length: 1500 }, (_, i) => `${i} ${piece}`);
    at.p.respond(simple(tokens));
    const r = await chatWhole(at.s, 'Hi');
    assert.equal(r.json.response, tokens.join(''));
    const c = await conversation(at.s, r.json.conversation_id);
    assert.equal(c.messages[1].content, tokens.join(''));
  });
});

describe('what the provider is asked', () => {
  test('the request has the model, a stream, usage wanted, and the key as bearer', opts, async () => {
    at.p.respond(simple('x'));
    await chat(at.s, 'Hi');
    const [req] = at.p.chats;
    assert.equal(req.body.model, 'test-model');
    assert.equal(req.body.stream, true);
    assert.equal(req.body.stream_options?.include_usage, true);
    assert.equal(req.headers.authorization, `Bearer ${SECRET}`);
    assert.match(req.headers['content-type'], /^application\/json/);
    assert.equal(req.headers.expect, undefined);
    assert.equal(req.headers['accept-encoding'], undefined);
    assert.deepEqual(turns(req), [['user', 'Hi']]);
    assert.equal(typeof req.body.messages.at(-1).content, 'string');
  });

  test('temperature 0.7 and max_tokens 2000 are sent by default, and what the request says instead', opts, async () => {
    at.p.respond(simple('x'));
    await chat(at.s, 'Hi');
    await chat(at.s, { message: 'Hi', temperature: 0, max_tokens: 17 });
    const [a, b] = at.p.chats.map((r) => r.body);
    assert.equal(a.temperature, 0.7);
    assert.equal(a.max_tokens ?? a.max_completion_tokens, 2000);
    assert.equal(b.temperature, 0);
    assert.equal(b.max_tokens ?? b.max_completion_tokens, 17);
  });

  test('system of the request comes first with role system', opts, async () => {
    at.p.respond(simple('x'));
    await chat(at.s, { message: 'Hi', system: 'Be terse.' });
    const m = at.p.chats[0].body.messages;
    assert.equal(m[0].role, 'system');
    assert.match(m[0].content, /Be terse\./);
    assert.equal(m.filter((x) => x.role === 'system').length, 1);
  });

  test('a 400 that names a parameter drops it and repeats once', opts, async () => {
    at.p.enqueue(status(400, { error: { message: "Unsupported value: 'temperature' does not support 0.7 with this model.", type: 'invalid_request_error', param: 'temperature', code: 'unsupported_value' } }));
    at.p.respond(simple('x'));
    const r = await chat(at.s, 'Hi');
    assert.equal(r.text, 'x', JSON.stringify(r.error));
    assert.equal(at.p.chats.length, 2);
    assert.equal('temperature' in at.p.chats[0].body, true);
    assert.equal('temperature' in at.p.chats[1].body, false);
  });

  test('history tampering: fields of the request that are not in the contract do not reach the provider', opts, async () => {
    at.p.respond(simple('x'));
    await post(`${at.s.url}/chat`, { message: 'Hi', messages: [{ role: 'system', content: 'FORGED' }], api_base: 'http://evil.invalid', base_url: 'http://evil.invalid', api_key: 'FORGED', headers: { x: 'FORGED' } });
    for (const r of at.p.chats) { assert.doesNotMatch(r.raw, /FORGED|evil/); assert.equal(r.headers.authorization, `Bearer ${SECRET}`); }
  });
});

describe('conversations that remember', () => {
  test('a second message with conversation_id sends the history to the provider', opts, async () => {
    at.p.respond(simple('Nice to meet you, Alice.'));
    const a = await chat(at.s, 'My name is Alice');
    const b = await chat(at.s, { message: "What's my name?", conversation_id: a.conversation_id });
    assert.equal(b.conversation_id, a.conversation_id);
    assert.deepEqual(turns(at.p.chats[1]), [['user', 'My name is Alice'], ['assistant', 'Nice to meet you, Alice.'], ['user', "What's my name?"]]);
    assert.equal((await conversation(at.s, a.conversation_id)).messages.length, 4);
  });

  test('the rolling conversation of a user_id remembers', opts, async () => {
    at.p.respond(simple('Nice to meet you, Alice.'));
    const a = await chat(at.s, { message: 'My name is Alice', user_id: 'user-rolling' });
    const b = await chat(at.s, { message: "What's my name?", user_id: 'user-rolling' });
    assert.equal(b.conversation_id, a.conversation_id);
    assert.deepEqual(turns(at.p.chats[1]), [['user', 'My name is Alice'], ['assistant', 'Nice to meet you, Alice.'], ['user', "What's my name?"]]);
  });

  test('rolling conversations of two user_ids are two', opts, async () => {
    at.p.respond(simple('ok'));
    const a = await chat(at.s, { message: 'I am one', user_id: 'user-one' });
    const b = await chat(at.s, { message: 'I am two', user_id: 'user-two' });
    assert.notEqual(a.conversation_id, b.conversation_id);
    assert.deepEqual(turns(at.p.chats[1]), [['user', 'I am two']]);
  });

  test('a conversation_id given beside user_id wins', opts, async () => {
    at.p.respond(simple('ok'));
    const a = await chat(at.s, 'first');
    const b = await chat(at.s, { message: 'second', user_id: 'user-three', conversation_id: a.conversation_id });
    assert.equal(b.conversation_id, a.conversation_id);
  });

  test('without conversation_id and user_id each message is a new conversation', opts, async () => {
    at.p.respond(simple('ok'));
    const a = await chat(at.s, 'one');
    const b = await chat(at.s, 'two');
    assert.notEqual(a.conversation_id, b.conversation_id);
    assert.deepEqual(turns(at.p.chats[1]), [['user', 'two']]);
  });

  test('parent_id makes a branch: the provider gets only the path from there', opts, async () => {
    at.p.respond(simple('ok'));
    const a = await chat(at.s, 'root');
    await chat(at.s, { message: 'left', conversation_id: a.conversation_id });
    await chat(at.s, { message: 'right', conversation_id: a.conversation_id, parent_id: a.message_id });
    assert.deepEqual(turns(at.p.chats[2]), [['user', 'root'], ['assistant', 'ok'], ['user', 'right']]);
    const c = await conversation(at.s, a.conversation_id);
    assert.equal(c.messages.length, 6);
    assert.equal(c.messages.filter((m) => m.parent_id === a.message_id).length, 2);
  });

  test('the window keeps the last 20 messages by default', opts, async () => {
    at.p.respond(simple('ok'));
    let id;
    for (let i = 0; i < 13; i++) id = (await chat(at.s, { message: `m${i}`, conversation_id: id })).conversation_id;
    const t = turns(at.p.chats[12]);
    assert.deepEqual(t.at(-1), ['user', 'm12']);
    assert.ok(t.length <= 21 && t.length >= 19, `${t.length} messages`);
    assert.equal(t.some(([, c]) => c === 'm0'), false);
    assert.equal(t.some(([, c]) => c === 'm4'), true);
    assert.equal((await conversation(at.s, id)).messages.length, 26);
  });

  test('HISTORY_MESSAGES shortens the window', opts, () => withServer({ settings: { HISTORY_MESSAGES: '2' } }, async (s, p) => {
    p.respond(simple('ok'));
    let id;
    for (let i = 0; i < 4; i++) id = (await chat(s, { message: `m${i}`, conversation_id: id })).conversation_id;
    const t = turns(p.chats[3]);
    assert.ok(t.length <= 3, JSON.stringify(t));
    assert.deepEqual(t.at(-1), ['user', 'm3']);
    assert.equal(t.some(([, c]) => c === 'm0' || c === 'm1'), false);
  }));

  test('a partial answer that failed is not lost from the history of the conversation', opts, async () => {
    at.p.enqueue(async (req, io) => { io.token('half an ans'); io.chunk({ error: { message: 'died' } }); await io.end(); });
    at.p.respond(simple('ok'));
    const a = await chat(at.s, 'first');
    assert.ok(a.error);
    const b = await chat(at.s, { message: 'second', conversation_id: a.conversation_id });
    assert.equal(b.text, 'ok');
    const t = turns(at.p.chats[1]);
    assert.deepEqual(t[0], ['user', 'first']);
    assert.deepEqual(t.at(-1), ['user', 'second']);
    assert.equal((await conversation(at.s, a.conversation_id)).messages.length, 4);
  });

  test('a POST while the last answer of that branch still streams is 409 busy', opts, async () => {
    const g = gate();
    at.p.respond(held('part ', g, 'rest'));
    const s = await stream(`${at.s.url}/chat`, { message: 'one' });
    const first = JSON.parse((await s.next()).data);
    const r = await post(`${at.s.url}/chat`, { message: 'two', conversation_id: first.conversation_id });
    g.open();
    assertError(r, 409, 'busy');
    await s.all();
    assert.equal(readChat(s).text, 'part rest');
    assert.equal((await conversation(at.s, first.conversation_id)).messages.length, 2, 'nothing of the second was stored');
    at.p.respond(simple('ok'));
    assert.equal((await chat(at.s, { message: 'two', conversation_id: first.conversation_id })).text, 'ok');
  });

  test('two POSTs at the same moment into one conversation: one answers, the other is 409, and nothing is mixed', opts, async () => {
    at.p.respond(simple('ok'));
    const { conversation_id } = await chat(at.s, 'root');
    for (let round = 0; round < 10; round++) {
      const before = (await conversation(at.s, conversation_id)).messages.length;
      const rs = await Promise.all(['a', 'b'].map((m) => chatWhole(at.s, { message: m, conversation_id })));
      const good = rs.filter((r) => r.status === 200).length;
      for (const r of rs) assert.ok(r.status === 200 || r.status === 409, r.text);
      assert.ok(good >= 1);
      const c = await conversation(at.s, conversation_id);
      assert.equal(c.messages.length, before + 2 * good);
      for (const m of c.messages) if (m.role === 'assistant') assert.equal(m.status, 'done');
    }
  });
});

describe('curl lines of the seeds, as printed (port aside)', () => {
  test('seed 002: curl -N -X POST /chat streams data lines up to [DONE]', opts, async () => {
    at.p.respond(simple(['Hello', '!']));
    const r = await curl(['-N', '-X', 'POST', `http://localhost:${at.s.port}/chat`, '-H', 'Content-Type: application/json', '-d', `{
    "user_id": "user123",
    "message": "Hello, who are you?"
  }`]);
    assert.equal(r.code, 0, r.err);
    const datas = r.out.split('\n').filter((l) => l.startsWith('data: ')).map((l) => l.slice(6));
    assert.equal(datas.at(-1), '[DONE]');
    // exactly what its client does: json.loads(line)["choices"][0]["delta"].get("content")
    assert.equal(datas.slice(0, -1).map((d) => JSON.parse(d).choices[0].delta.content ?? '').join(''), 'Hello!');
  });

  test('seed 002: GET /health and GET /ready', opts, async () => {
    const h = await get(`${at.s.url}/health`);
    assert.deepEqual(h.json, { status: 'healthy' });
    const r = await get(`${at.s.url}/ready`);
    assert.equal(r.status, 200, r.text);
    assert.equal(r.json.status, 'ready');
    assert.ok('store' in r.json && 'provider' in r.json);
  });

  test('seed 004: curl POST /chat with stream false gives one JSON answer', opts, async () => {
    at.p.respond(simple('I am fine.'));
    const r = await curl(['-X', 'POST', `http://localhost:${at.s.port}/chat`, '-H', 'Content-Type: application/json', '-d', '{"message": "Hello! How are you?", "stream": false}']);
    assert.equal(r.code, 0, r.err);
    assert.equal(JSON.parse(r.out).response, 'I am fine.');
  });

  test('seed 004: curl POST /chat/stream gives token events and done', opts, async () => {
    at.p.respond(simple('A short joke.'));
    const r = await curl(['-X', 'POST', `http://localhost:${at.s.port}/chat/stream`, '-H', 'Content-Type: application/json', '-d', '{"message": "Tell me a short joke"}']);
    assert.equal(r.code, 0, r.err);
    assert.match(r.out, /^event: start$/m);
    assert.match(r.out, /^event: token$/m);
    assert.match(r.out, /^event: done$/m);
  });
});

describe('health and readiness', () => {
  test('GET /ready is 503 with not_ready when the provider cannot be reached, GET /health stays 200', opts, async () => {
    const s = await startServer({ settings: { LLM_BASE_URL: 'http://127.0.0.1:9/v1' } });
    try {
      const r = await get(`${s.url}/ready`);
      assert.equal(r.status, 503);
      assert.equal(r.json.status, 'not_ready');
      assert.equal((await get(`${s.url}/health`)).status, 200);
    } finally { await s.stop(); }
  });

  test('GET /health asks neither store nor provider', opts, async () => {
    const n = at.p.requests.length;
    for (let i = 0; i < 5; i++) assert.deepEqual((await get(`${at.s.url}/health`)).json, { status: 'healthy' });
    assert.equal(at.p.requests.length, n);
  });
});

describe('the built-in demo model', () => {
  test('with no key and no address the demo model answers, streamed and stored', opts, async () => {
    const s = await startServer({ settings: { OPENAI_API_KEY: undefined, LLM_MODEL: undefined, LLM_BASE_URL: undefined } });
    try {
      const r = await chat(s, 'Hello');
      assert.equal(r.status, 200, JSON.stringify(r.error));
      assert.ok(r.text.length > 20);
      assert.ok(r.chunks.length > 5, 'streamed like a real one');
      assert.match(r.model, /demo/);
      const c = await conversation(s, r.conversation_id);
      assert.equal(c.messages[1].content, r.text);
      assert.equal(c.messages[1].status, 'done');
      const t = await chatStream(s, { message: 'again', conversation_id: r.conversation_id });
      assert.equal(t.terminal.status, 'done');
      const w = await chatWhole(s, 'Hello');
      assert.ok(w.json.response.length > 20);
      const ready = await get(`${s.url}/ready`);
      assert.equal(ready.status, 200, ready.text);
    } finally { await s.stop(); }
  });
});

test('what was stored is in the SQLite file', opts, async () => {
  at.p.respond(simple('Found in the file.'));
  const r = await chat(at.s, 'Where are you?');
  assert.equal(r.text, 'Found in the file.');
  const rows = sql(at.s.db, "SELECT role, content, status FROM messages WHERE content IN ('Found in the file.', 'Where are you?') ORDER BY role");
  assert.deepEqual(rows.map((x) => x.content), ['Found in the file.', 'Where are you?']);
  assert.equal(rows[0].status, 'done');
  assert.equal(sql(at.s.db, 'PRAGMA journal_mode')[0].journal_mode, 'wal');
});
