// Ragbits' chat API (POST /api/chat and what belongs to it), driven by a client with the habits of Ragbits' own (ragbits-client.js) and, where
// bytes matter, by the bare one. The program is mostly tests/apps/events.c, whose words make every event; the plain chat where that is enough.
// Neighbours: upload.test.js (forms), faces.test.js (shapes of failures), cors.test.js, signin.test.js.
import test, { before, after, beforeEach, describe } from 'node:test';
import assert from 'node:assert/strict';
import http from 'node:http';
import { mkdtempSync, chmodSync, rmSync, readFileSync, writeFileSync, existsSync, readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { shared, withServer, startServer, sql, SECRET } from './server.js';
import { lacks, HOSTING, HOSTINGS } from './hosting.js';
import {
  startProvider, simple, held, gate, within, sleep, SCALE, USAGE, neverEnding, silentStall, cutAfter, status, serverError, rateLimited, dropConnection, unauthorizedRepeatingKey, deviations,
} from '../provider/provider.js';
import { request, get, post, stream, chat, chatStream, conversation, settled } from './client.js';
import { RagbitsClient, RagbitsConversation } from './ragbits-client.js';

const opts = { timeout: 90_000 * SCALE };
const basic = (name) => ({ authorization: `Basic ${Buffer.from(`${name}:${name}`).toString('base64')}` });

// --- the record of tests/apps/events.c: what it did that no client sees ---

const recordDir = mkdtempSync(path.join(tmpdir(), 'parley-record-'));
chmodSync(recordDir, 0o777);                                // the program may run as nobody
after(() => rmSync(recordDir, { recursive: true, force: true }));
const recordFile = path.join(recordDir, 'record');
const record = () => (existsSync(recordFile) ? readFileSync(recordFile, 'utf8').split('\n').filter((l) => l && l !== 'startup') : []);
const events = { app: 'events', env: { EVENTS_RECORD: recordFile, SANDBOX_WRITE: recordDir } };
beforeEach(() => { if (existsSync(recordFile)) writeFileSync(recordFile, ''); });

/** Asks until the record has a line like this. */
async function recorded(pattern, seconds = 20) {
  const until = performance.now() + seconds * SCALE * 1000;
  for (;;) {
    const found = record().find((l) => pattern.test(l));
    if (found) return found;
    if (performance.now() > until) assert.fail(`no ${pattern} in the record: ${JSON.stringify(record())}`);
    await sleep(0.02);
  }
}

// --- what providers are asked ---

/** What a provider got of one request, without the system prompt. */
const asked = (p, n = -1) => p.chats.at(n).body.messages.filter((m) => m.role !== 'system');
const talk = (p, n) => asked(p, n).map((m) => `${m.role}: ${m.content}`);
const systemOf = (p, n = -1) => p.chats.at(n).body.messages.filter((m) => m.role === 'system').map((m) => m.content).join('\n');

/** A list that each provider would take: roles in turn, every call answered at once and exactly once, nothing empty, the question or a result last. */
function assertSequence(messages) {
  const list = messages.filter((m) => m.role !== 'system');
  const said = JSON.stringify(list);
  assert.equal(list[0]?.role, 'user', `begins with the user: ${said}`);
  let open = [];
  list.forEach((m, i) => {
    if (m.role === 'tool') {
      assert.ok(open.includes(m.tool_call_id), `a result without its call: ${said}`);
      open = open.filter((id) => id !== m.tool_call_id);
      return;
    }
    assert.deepEqual(open, [], `calls without results: ${said}`);
    if (m.role === 'user' || list[i - 1]?.role !== 'tool') assert.notEqual(list[i - 1]?.role, m.role, `two of one role in a row: ${said}`);
    open = (m.tool_calls ?? []).map((c) => c.id);
    if (!open.length) assert.ok(m.content?.length > 0, `nothing in a message: ${said}`);
  });
  assert.deepEqual(open, [], `calls without results at the end: ${said}`);
  assert.notEqual(list.at(-1).role, 'assistant', said);
}

/** A provider's wish to have tools called: [[name, arguments, id], …]. */
const calls = (list, text = '') => async (req, io) => {
  io.role();
  if (text) io.token(text);
  list.forEach(([name, args, id], index) => io.chunk(io.shape({ tool_calls: [{ index, id, type: 'function', function: { name, arguments: typeof args === 'string' ? args : JSON.stringify(args) } }] })));
  io.finish('tool_calls', USAGE); io.done(); await io.end();
};

/** Everything that must hold of a stream whatever is in it. */
function assertFrames(s) {
  assert.equal(s.status, 200, s.raw.slice(0, 300));
  assert.match(s.headers['content-type'], /^text\/event-stream/);
  assert.equal(s.headers['content-encoding'], undefined);
  assert.equal(s.complete, true, 'the body ended as it should');
  assert.ok(s.raw.endsWith('\n\n'), 'a last line without its end would be lost');
  const list = [];
  for (const line of s.raw.split('\n')) {
    if (line === '' || line.startsWith(':')) continue;
    assert.ok(line.startsWith('data: {'), `a line that the client does not read: ${line.slice(0, 200)}`);
    const event = JSON.parse(line.slice(6));
    assert.deepEqual(Object.keys(event), ['type', 'content']);
    assert.equal(typeof event.type, 'string');
    assert.ok(event.content !== null && typeof event.content === 'object' && !Array.isArray(event.content), `content is an object: ${line.slice(0, 200)}`);
    list.push(event);
  }
  assert.doesNotMatch(s.raw, /\[DONE\]/);
  return list;
}

async function rawChat(server, body, o = {}) {
  const s = await stream(`${server.url}/api/chat`, typeof body === 'string' ? { message: body } : body, o);
  await s.all();
  return s;
}

const detailOf = (r) => {
  assert.deepEqual(Object.keys(r.json), ['detail'], r.text);
  return r.json.detail;
};

function assertRefused(r, code, pattern) {
  assert.equal(r.status, code, (r.text ?? r.raw).slice(0, 300));
  assert.match(r.headers['content-type'], /^application\/json/);
  const detail = detailOf(r);
  const said = Array.isArray(detail) ? detail.map((d) => d.msg).join(' ') : detail;
  assert.ok(said.length >= 8, said);
  if (pattern) assert.match(said, pattern);
  return detail;
}

const ask = (server, body, o) => post(`${server.url}/api/chat`, body, o);
const good = (r) => { assert.deepEqual(r.errors, []); assert.equal(r.closed, 1); assert.equal(r.failure, undefined, r.failure); assert.deepEqual(r.warnings, []); return r; };

// --- the client itself: tests that use it can fail ----------------------------------------------------------------------

describe('the client of these tests', () => {
  /** A server that sends these bytes to every request. */
  async function against(bytes, fn, { code = 200, cut = false } = {}) {
    const seen = [];
    const server = http.createServer((req, res) => {
      let body = '';
      req.on('data', (d) => { body += d; });
      req.on('end', () => {
        seen.push({ method: req.method, url: req.url, headers: req.headers, body });
        res.writeHead(code, { 'content-type': 'text/plain' });
        res.write(bytes, () => (cut ? res.socket.destroy() : res.end()));
      });
    });
    await new Promise((r) => server.listen(0, '127.0.0.1', r));
    const client = new RagbitsClient({ baseUrl: `http://127.0.0.1:${server.address().port}/` });
    try { return await fn(client, seen); } finally { server.closeAllConnections(); server.close(); }
  }
  const read = (client) => within(10, new Promise((resolve) => {
    const got = { events: [], errors: [], closed: 0, warnings: client.warnings };
    client.makeStreamRequest('/x', {}, {
      onMessage: (e) => { got.events.push(e); }, onError: (e) => { got.errors.push(e.message); if (!/processing/.test(e.message)) setTimeout(() => resolve(got), 20); }, onClose: () => { got.closed++; resolve(got); },
    });
  }));
  const text = (t) => JSON.stringify({ type: 'text', content: { text: t } });

  for (const [what, bytes, want] of [
    ['reads lines that begin with "data: "', `data: ${text('a')}\n\ndata: ${text('ż')}\n\n`, { texts: 'aż' }],
    ['does not see "data:" without the space', `data:${text('a')}\n\n`, { texts: '' }],
    ['passes over event, id, retry and comments', `event: x\nid: 1\nretry: 5\n: hi\ndata: ${text('a')}\n\n`, { texts: 'a' }],
    ['takes CR LF', `data: ${text('a')}\r\n\r\n`, { texts: 'a' }],
    ['loses a last line without its end', `data: ${text('a')}\n\ndata: ${text('b')}`, { texts: 'a' }],
    ['takes [DONE] for an error', `data: ${text('a')}\n\ndata: [DONE]\n\n`, { texts: 'a', errors: ['Error processing server response'] }],
    ['fails on JSON over two lines, twice', 'data: {"type":"text",\ndata: "content":{"text":"a"}}\n\n', { texts: '', errors: Array(2).fill('Error processing server response') }],
    ['warns of what has no type or no content', 'data: {"type":"text"}\n\ndata: {"content":{}}\n\ndata: 7\n\n', { texts: '', warnings: 3 }],
    ['closes after another body', '<html>', { texts: '' }],
  ]) test(what, opts, () => against(bytes, async (client) => {
    const got = await read(client);
    assert.equal(got.events.map((e) => e.content.text).join(''), want.texts);
    assert.deepEqual(got.errors, want.errors ?? []);
    assert.equal(got.closed, 1);
    assert.equal(got.warnings.length, want.warnings ?? 0);
  }));

  test('puts pieces of an image together in any order, and complains of bad base64', opts, async () => {
    const piece = (i, data) => `data: ${JSON.stringify({ type: 'chunked_content', content: { id: 'i', content_type: 'image', chunk_index: i, total_chunks: 3, mime_type: 'data:image/png;base64', data } })}\n\n`;
    await against(piece(2, 'aGVs') + piece(0, 'AAAA') + piece(1, 'BBBB'), async (client) => {
      const got = await read(client);
      assert.deepEqual(got.events, [{ type: 'image', content: { id: 'i', url: 'data:image/png;base64,AAAABBBBaGVs' } }]);
    });
    await against(piece(2, '***') + piece(0, 'AAAA') + piece(1, 'BBBB'), async (client) => {
      const got = await read(client);
      assert.deepEqual(got.errors, ['Error reading stream']);
      assert.equal(got.events.length, 1);
    });
  });

  test('a cut connection is an error and no close; a status is an error', opts, async () => {
    await against(`data: ${text('a')}\n\n`, async (client) => {
      const got = await read(client);
      assert.deepEqual([got.errors, got.closed], [['Error reading stream'], 0]);
    }, { cut: true });
    await against('{"detail":"no"}', async (client) => {
      const got = await read(client);
      assert.deepEqual([got.errors, got.closed], [['HTTP error! status: 422'], 0]);
      await assert.rejects(client.makeRequest('/x'), /^Error: HTTP error! status: 422$/);
    }, { code: 422 });
  });

  test('calls: the base URL, path and query, the content type always, JSON or an error', opts, async () => {
    assert.throws(() => new RagbitsClient({ baseUrl: 'no url' }), /Invalid base URL/);
    assert.equal(new RagbitsClient().getBaseUrl(), '');
    assert.equal(new RagbitsClient({ baseUrl: 'http://x//' }).getBaseUrl(), 'http://x/');
    await against('{"a":1}', async (client, seen) => {
      assert.deepEqual(await client.makeRequest('/a/:p', { pathParams: { p: 'x/ż' }, queryParams: { q: 1, n: null, u: undefined } }), { a: 1 });
      assert.equal(seen[0].url, '/a/x%2F%C5%BC?q=1');
      assert.equal(seen[0].method, 'GET');
      assert.equal(seen[0].headers['content-type'], 'application/json');
      await assert.rejects(client.makeRequest('/a/:p'), /Path parameter/);
      await client.makeRequest('/a', { method: 'POST' });
      assert.equal(seen[1].headers['content-length'], '0');
    });
    for (const body of ['', '<html>']) await against(body, (client) => assert.rejects(client.makeRequest('/x'), SyntaxError));
  });
});

// --- the plain chat -----------------------------------------------------------------------------------------------------

describe('the plain chat', () => {
  const at = shared({ before, after, beforeEach }, {});

  test('a first turn: message_id, conversation_id, conversation_summary, text, usage; a second one: message_id, text, usage', opts, async () => {
    at.p.respond(simple(['Open ', 'the ', 'settings ', 'żółwia 😀.']));
    const ui = new RagbitsConversation(at.s);
    const first = good(await ui.say('How do I reset my password today please?'));
    assert.deepEqual(first.types.filter((t, i, all) => t !== all[i - 1]), ['message_id', 'conversation_id', 'conversation_summary', 'text', 'usage']);
    assert.equal(first.text, 'Open the settings żółwia 😀.');
    assert.match(first.of('conversation_summary')[0].summary, /^How do I reset my/);
    assert.doesNotMatch(ui.id, /^temp-/);
    assert.deepEqual(first.of('usage'), [{ usage: first.of('usage')[0].usage }]);
    const [[name, used]] = Object.entries(first.of('usage')[0].usage);
    assert.match(name, /\/test-model$/);
    assert.deepEqual(used, { n_requests: 1, estimated_cost: used.estimated_cost, prompt_tokens: 16, completion_tokens: 3, total_tokens: 19 });
    assert.equal(typeof used.estimated_cost, 'number');
    const second = good(await ui.say('And then?'));
    assert.deepEqual(second.types.filter((t, i, all) => t !== all[i - 1]), ['message_id', 'text', 'usage']);
    assert.notEqual(second.message_id, first.message_id);
    const c = await conversation(at.s, ui.id);
    assert.deepEqual(c.messages.map((m) => [m.role, m.content, m.status]), [
      ['user', 'How do I reset my password today please?', 'done'], ['assistant', first.text, 'done'], ['user', 'And then?', 'done'], ['assistant', first.text, 'done'],
    ]);
    assert.equal(c.messages[1].id, first.message_id);
    assert.equal(c.messages[3].id, second.message_id);
    assert.equal(c.title, first.of('conversation_summary')[0].summary);
  });

  test('the frames: nothing but "data: {…}" and comments, an empty line after each, the end of the body as the end', opts, async () => {
    at.p.respond(simple(['a\nb\r\n', 'data: x\n\n', '"\\\u2028\u0001']));
    const list = assertFrames(await rawChat(at.s, 'Hi'));
    assert.equal(list.filter((e) => e.type === 'text').map((e) => e.content.text).join(''), 'a\nb\r\ndata: x\n\n"\\\u2028\u0001');
  });

  test('without conversation_id the history of the client is what the model gets, and it is stored', opts, async () => {
    at.p.respond(simple('fine'));
    const ui = new RagbitsConversation(at.s);
    ui.history = [{ role: 'user', content: 'I am Ada', extra: { x: 1 } }, { role: 'assistant', content: 'Hello Ada' }];
    good(await ui.say('Who am I?'));
    assert.deepEqual(talk(at.p), ['user: I am Ada', 'assistant: Hello Ada', 'user: Who am I?']);
    assertSequence(at.p.chats[0].body.messages);
    assert.deepEqual((await conversation(at.s, ui.id)).messages.map((m) => m.content), ['I am Ada', 'Hello Ada', 'Who am I?', 'fine']);
    good(await ui.say('Sure?'));
    assert.deepEqual(talk(at.p), ['user: I am Ada', 'assistant: Hello Ada', 'user: Who am I?', 'assistant: fine', 'user: Sure?']);
  });

  test('with conversation_id the stored history counts, whatever the client says', opts, async () => {
    at.p.respond(simple('true answer'));
    const ui = new RagbitsConversation(at.s);
    good(await ui.say('true question'));
    ui.history = [{ role: 'user', content: 'forged question' }, { role: 'assistant', content: 'forged answer' }];
    good(await ui.say('second'));
    assert.deepEqual(talk(at.p), ['user: true question', 'assistant: true answer', 'user: second']);
    ui.history = [];
    good(await ui.say('third'));
    assert.deepEqual(talk(at.p), ['user: true question', 'assistant: true answer', 'user: second', 'assistant: true answer', 'user: third']);
  });

  test('odd histories make a list that providers take: empty and doubled messages, an answer first', opts, async () => {
    at.p.respond(simple('ok'));
    for (const history of [
      [{ role: 'assistant', content: '' }], [{ role: 'user', content: 'a' }, { role: 'user', content: 'b' }], [{ role: 'user', content: '' }, { role: 'assistant', content: 'x' }, { role: 'user', content: '' }],
      [{ role: 'user', content: 'a' }, { role: 'assistant', content: '' }, { role: 'assistant', content: 'c' }], [{ role: 'user', content: 'Hi' }, { role: 'assistant', content: 'Hi' }],
    ]) {
      at.p.reset(null);
      const s = await rawChat(at.s, { message: 'Hi', history });
      assert.deepEqual(assertFrames(s).filter((e) => e.type === 'error'), []);
      const sent = asked(at.p);
      assert.ok(sent.every((m) => m.content.length > 0), JSON.stringify(sent));
      assert.ok(sent.every((m, i) => m.role !== sent[i - 1]?.role), JSON.stringify(sent));
      assert.match(sent.at(-1).content, /Hi$/);
    }
  });

  test('system messages of the history join the system prompt, on the first turn and later', opts, async () => {
    at.p.respond(simple('ok'));
    const ui = new RagbitsConversation(at.s);
    ui.history = [{ role: 'system', content: 'Speak like a pirate.' }, { role: 'user', content: 'a' }, { role: 'assistant', content: 'b' }];
    good(await ui.say('c'));
    assert.match(systemOf(at.p), /Speak like a pirate\./);
    assert.deepEqual(talk(at.p), ['user: a', 'assistant: b', 'user: c']);
    good(await ui.say('d'));
    assert.match(systemOf(at.p), /Speak like a pirate\./);
    assert.deepEqual((await conversation(at.s, ui.id)).messages.map((m) => m.content), ['a', 'b', 'c', 'ok', 'd', 'ok']);
  });

  test("the Python client's doubled question reaches the model once, on each turn", opts, async () => {
    at.p.respond(simple('fine'));
    const python = new RagbitsConversation(at.s, { python: true });
    const first = good(await python.say('Who am I?'));
    assert.deepEqual(first.request.history, [{ role: 'user', content: 'Who am I?' }, { role: 'assistant', content: '' }]);
    assert.deepEqual(talk(at.p), ['user: Who am I?']);
    good(await python.say('Who am I?'));
    assert.deepEqual(talk(at.p), ['user: Who am I?', 'assistant: fine', 'user: Who am I?']);
    assert.deepEqual((await conversation(at.s, python.id)).messages.map((m) => m.content), ['Who am I?', 'fine', 'Who am I?', 'fine']);
    assert.deepEqual([...new Set(first.kinds)], ['message_id', 'conversation_id', 'conversation_summary', 'text', 'usage'], 'it knows each event by its members');
  });

  test('the conversation goes on in /chat and /chat/stream, and back', opts, async () => {
    at.p.respond(simple('one'));
    const ui = new RagbitsConversation(at.s);
    good(await ui.say('first'));
    at.p.respond(simple('two'));
    assert.equal((await chat(at.s, { message: 'second', conversation_id: ui.id })).text, 'two');
    assert.deepEqual(talk(at.p), ['user: first', 'assistant: one', 'user: second']);
    assert.equal((await chatStream(at.s, { message: 'third', conversation_id: ui.id })).text, 'two');
    good(await ui.say('fourth'));
    assert.deepEqual(talk(at.p), ['user: first', 'assistant: one', 'user: second', 'assistant: two', 'user: third', 'assistant: two', 'user: fourth']);
  });

  test('a message_id in the context is used and not announced; feedback goes by it', opts, async () => {
    at.p.respond(simple('ok'));
    const ui = new RagbitsConversation(at.s);
    const id = 'f47ac10b-58cc-4372-a567-0e02b2c3d479';
    const r = good(await ui.say('Hi', { context: { message_id: id } }));
    assert.deepEqual(r.of('message_id'), []);
    assert.equal(r.types[0], 'conversation_id');
    assert.deepEqual(await ui.client.makeRequest('/api/feedback', { method: 'POST', body: { message_id: id, feedback: 'like', payload: {} } }), { status: 'success' });
    const [row] = sql(at.s.db, `SELECT f.kind, m.content FROM feedback AS f JOIN messages AS m ON m.id = f.message_id WHERE m.client_id = '${id}'`);
    assert.deepEqual(row, { kind: 'like', content: 'ok' });
  });

  test('feedback is stored, replaced, and refused for what is not there or is no answer', opts, async () => {
    at.p.respond(simple('ok'));
    const ui = new RagbitsConversation(at.s);
    const { message_id: id } = good(await ui.say('Hi'));
    const give = (body) => post(`${at.s.url}/api/feedback`, body);
    const rows = () => sql(at.s.db, `SELECT f.kind, f.payload, m.public_id AS message, c.public_id AS conversation FROM feedback AS f JOIN messages AS m ON m.id = f.message_id JOIN conversations AS c ON c.id = f.conversation_id WHERE c.public_id = '${ui.id}'`);
    const ok = await give({ message_id: id, feedback: 'like' });
    assert.deepEqual([ok.status, ok.json], [200, { status: 'success' }]);
    assert.deepEqual(rows(), [{ kind: 'like', payload: '{}', message: id, conversation: ui.id }]);
    assert.equal((await give({ message_id: id, feedback: 'dislike', payload: { issue: 'żle', text: '"quoted"' } })).status, 200);
    assert.deepEqual(rows().map((r) => [r.kind, JSON.parse(r.payload)]), [['dislike', { issue: 'żle', text: '"quoted"' }]]);
    const question = sql(at.s.db, `SELECT m.public_id AS id FROM messages AS m JOIN conversations AS c ON c.id = m.conversation_id WHERE c.public_id = '${ui.id}' AND m.role = 'user'`)[0].id;
    for (const message_id of ['01hzzzzzzzzzzzzzzzzzzzzzzz', question, ui.id, "x' OR 1=1 --", '']) assertRefused(await give({ message_id, feedback: 'like' }), 404);
    for (const body of [{ feedback: 'like' }, { message_id: id }, { message_id: id, feedback: 'love' }, { message_id: 7, feedback: 'like' }, { message_id: id, feedback: 'like', payload: 'x' }, { message_id: id, feedback: 'like', payload: [] },
      { message_id: id, feedback: null }, { message_id: id, feedback: 'like', payload: { big: 'x'.repeat(70_000) } }]) assertRefused(await give(body), 422);
    assert.deepEqual(rows().map((r) => r.kind), ['dislike'], 'nothing of that counts');
  });

  test('GET /api/user without sign-in is 401 with null', opts, async () => {
    const r = await get(`${at.s.url}/api/user`, { headers: { 'content-type': 'application/json' } });
    assert.deepEqual([r.status, r.text.trim()], [401, 'null']);
    await assert.rejects(new RagbitsClient({ baseUrl: at.s.url }).makeRequest('/api/user'), /status: 401/);
  });

  test('malformed bodies are refused before the stream, in the shape of the API, and nothing is stored or asked', opts, async () => {
    at.p.respond(simple('ok'));
    const count = () => sql(at.s.db, 'SELECT count(*) AS n FROM messages')[0].n;
    const n = count();
    for (const body of [{}, { message: null }, { message: 7 }, { message: ['x'] }, { message: '' }, { message: ' \n' }, { message: 'x', history: 'y' }, { message: 'x', history: {} }, { message: 'x', history: ['y'] }, { message: 'x', history: [{}] },
      { message: 'x', history: [{ role: 'robot', content: 'y' }] }, { message: 'x', history: [{ role: 'tool', content: 'y' }] }, { message: 'x', history: [{ role: 'user' }] }, { message: 'x', history: [{ role: 'user', content: null }] },
      { message: 'x', history: [{ role: 'user', content: [{ type: 'text', text: 'y' }] }] }, { message: 'x', context: 'y' }, { message: 'x', context: [] }, { message: 'x', context: { conversation_id: 7 } }, { message: 'x', context: { message_id: {} } },
      { message: 'x', context: { message_id: 'y'.repeat(65) } }, { message: 'x', context: { state: 'y' } }, { message: 'x', context: { state: [] } }, { message: 'x', context: { signature: 7 } }, { message: 'x', context: { user_settings: [] } },
      { message: 'x', context: { tool_confirmations: {} } }, { message: 'x', context: { tool_confirmations: ['y'] } }, { message: 'x', context: { tool_confirmations: [{ confirmation_id: 'y' }] } },
      { message: 'x', context: { tool_confirmations: [{ confirmation_id: 'y', confirmed: 'yes' }] } }, { message: 'x', context: { timezone: 'No Such/Place' } }, { message: 'x', context: { timezone: '' } }, { message: 'x', context: { timezone: 3 } }]) {
      const r = await ask(at.s, body);
      const [item] = assertRefused(r, 422);
      assert.deepEqual(Object.keys(item), ['type', 'loc', 'msg'], `${JSON.stringify(body)}: nothing else, the body is not repeated`);
      assert.equal(item.loc[0], 'body');
    }
    for (const body of ['', '{', '[]', 'null', '"x"', '{"message":"a\\u0000b"}', Buffer.from([0x7b, 0xff])]) {
      const r = await ask(at.s, body);
      assert.ok([400, 422].includes(r.status), `${r.status} ${body}`);
      detailOf(r);
    }
    assertRefused(await ask(at.s, '{"message":"x"}', { headers: { 'content-type': 'text/plain' } }), 415);
    assert.equal(at.p.chats.length, 0);
    assert.equal(count(), n);
  });

  test('nulls and unknown members are as if they were not there', opts, async () => {
    at.p.respond(simple('ok'));
    for (const body of [{ message: 'x', history: null, context: null }, { message: 'x', history: [], context: {}, more: 1 }, { message: 'x', history: [{ role: 'user', content: 'a', extra: null, more: [] }, { role: 'assistant', content: 'b', extra: { c: 1 } }] },
      { message: 'x', context: { conversation_id: null, message_id: null, state: null, signature: null, user_settings: null, timezone: null, tool_confirmations: null, user: null, session_id: null, whatever: [1] } },
      { message: 'x', context: { state: {}, tool_confirmations: [] } }]) {
      const list = assertFrames(await rawChat(at.s, body));
      assert.equal(list.filter((e) => e.type === 'text').map((e) => e.content.text).join(''), 'ok', JSON.stringify(body));
    }
  });

  test('an unknown or impossible conversation_id is 404 and asks nobody', opts, async () => {
    at.p.respond(simple('ok'));
    for (const conversation_id of ['01hzzzzzzzzzzzzzzzzzzzzzzz', 'temp-7', '../../etc/passwd', '', 'f47ac10b-58cc-4372-a567-0e02b2c3d479', 'x'.repeat(5000)]) assertRefused(await ask(at.s, { message: 'x', context: { conversation_id } }), 404);
    assert.equal(at.p.chats.length, 0);
  });

  test('a confirmation without anything to confirm asks no model, and says so', opts, async () => {
    at.p.respond(simple('ok'));
    const decision = { tool_confirmations: [{ confirmation_id: '0123456789abcdef', confirmed: true }] };
    for (const body of [{ message: '', context: decision }, { message: '', history: [{ role: 'user', content: 'a' }, { role: 'assistant', content: 'b' }], context: decision }, { message: '', history: [{ role: 'user', content: '' }], context: decision }]) {
      const s = await rawChat(at.s, body);
      if (s.status === 200) assert.equal(assertFrames(s).filter((e) => e.type === 'error').length, 1, s.raw);
      else assert.equal(s.status, 422, s.raw);
    }
    const ui = new RagbitsConversation(at.s);
    good(await ui.say('Hi'));
    const r = await ui.decide({ '0123456789abcdef': true });
    assert.equal(r.failure !== undefined, true, 'an error event');
    assert.equal(at.p.chats.length, 1, 'only the question');
    good(await ui.say('still there?'));
    assertSequence(at.p.chats.at(-1).body.messages);
    assert.deepEqual(talk(at.p), ['user: Hi', 'assistant: ok', 'user: still there?']);
  });

  describe('failures of the provider are events, and the stream ends well', () => {
    for (const [what, behaviour, pattern] of [
      ['500', serverError(500)], ['401 with the key in it', unauthorizedRepeatingKey], ['429', rateLimited(0)], ['400', status(400, { error: { message: 'bad thing' } })], ['a dropped connection', dropConnection()],
      ['an error object in the stream', deviations['an error object as the first event'].run], ['nothing at all', deviations['a stream with nothing in it'].run],
    ]) test(`before the first token: ${what}`, opts, async () => {
      at.p.respond(behaviour);
      const ui = new RagbitsConversation(at.s);
      const r = await ui.say('Hi');
      assert.deepEqual([r.errors, r.closed], [[], 1]);
      assert.equal(r.of('error').length, 1);
      assert.deepEqual(Object.keys(r.of('error')[0]), ['message']);
      assert.ok(r.failure.length > 8 && !r.failure.includes(SECRET), r.failure);
      assert.equal(r.text, '');
      assert.deepEqual(r.types.slice(0, 3), ['message_id', 'conversation_id', 'conversation_summary'], 'the conversation is there all the same');
      const { answer } = await settled(at.s, ui.id);
      assert.match(answer.status, /^(error|interrupted)$/);
      at.p.respond(simple('better now'));
      assert.equal(good(await ui.say('Again')).text, 'better now');
      assertSequence(at.p.chats.at(-1).body.messages);
    });

    for (const [what, behaviour, state] of [
      ['a cut connection', cutAfter(['half ', 'an '])], ['an orderly but early end', cutAfter(['half ', 'an '], 'fin')], ['an error object', async (req, io) => { io.token('half '); io.token('an '); io.chunk({ error: { message: 'engine died' } }); await io.end(); }],
      ['silence without an end', async (req, io) => { io.token('half '); io.token('an '); await io.end(); }, 'interrupted'],
    ]) test(`after the first token: ${what}`, opts, async () => {
      at.p.respond(behaviour);
      const ui = new RagbitsConversation(at.s);
      const r = await ui.say('Hi');
      assert.deepEqual([r.errors, r.closed], [[], 1]);
      assert.equal(r.text, 'half an ');
      assert.equal(r.of('error').length, 1);
      const { answer } = await settled(at.s, ui.id);
      assert.equal(answer.content, 'half an ');
      assert.ok(state ? answer.status === state : ['error', 'interrupted'].includes(answer.status), answer.status);
    });
  });

  describe('reasoning is told as live updates and never as text', () => {
    const withReasoning = Object.entries(deviations).filter(([, d]) => d.reasoning);
    assert.ok(withReasoning.length >= 3);
    for (const [what, d] of withReasoning) test(what, opts, async () => {
      at.p.respond(d.run);
      const ui = new RagbitsConversation(at.s);
      const r = good(await ui.say('Hi'));
      assert.equal(r.text, d.text);
      assert.deepEqual(r.of('live_update').map((u) => [u.update_id, u.type, u.content.description]), [['thinking-1', 'START', null], ['thinking-1', 'FINISH', d.reasoning]]);
      assert.ok(r.types.lastIndexOf('live_update') < r.types.indexOf('text'));
      assert.equal((await conversation(at.s, ui.id)).messages[1].content, d.text);
    });

    test('thoughts between texts, in <think> marks, and a thought that ends the answer', opts, async () => {
      at.p.respond(async (req, io) => {
        for (const [k, v] of [['reasoning_content', 'one '], ['reasoning_content', 'two'], ['content', 'a'], ['reasoning_content', 'three'], ['content', 'b'], ['reasoning_content', 'last']]) await io.chunk(io.shape({ [k]: v }));
        io.finish('stop', USAGE); io.done(); await io.end();
      });
      const r = good(await new RagbitsConversation(at.s).say('Hi'));
      assert.equal(r.text, 'ab');
      assert.deepEqual(r.of('live_update').filter((u) => u.type === 'FINISH').map((u) => [u.update_id, u.content.description]), [['thinking-1', 'one two'], ['thinking-2', 'three'], ['thinking-3', 'last']]);
      at.p.respond(simple(['<think>', 'secret', '</think>', 'open']));
      const think = good(await new RagbitsConversation(at.s).say('Hi'));
      assert.doesNotMatch(think.text, /secret|think/);
      assert.match(think.text, /open/);
    });
  });

  describe('few events for fast deltas, one for each slow one', () => {
    test('3,000 deltas as fast as they go: at most one event in 5 ms, and all of the text', opts, async () => {
      const tokens = Array.from({ length: 3000 }, (_, i) => `${i} `);
      at.p.respond(simple(tokens));
      const begun = performance.now();
      const s = await rawChat(at.s, 'Hi');
      const ms = performance.now() - begun;
      const texts = assertFrames(s).filter((e) => e.type === 'text').map((e) => e.content.text);
      assert.equal(texts.join(''), tokens.join(''));
      const most = ms / 5 + 3;                              // the pace of the dialect; the first, and what is left at the end, come without waiting
      assert.ok(texts.length <= most, `${texts.length} events in ${ms} ms`);
      const ui = new RagbitsConversation(at.s);
      assert.equal(good(await ui.say('Hi')).text, tokens.join(''));
    });

    test('each slow delta arrives at once, in an event of its own', opts, async () => {
      const gates = Array.from({ length: 40 }, gate);
      at.p.respond(async (req, io) => {
        io.role();
        for (let i = 0; i < gates.length; i++) { io.token(`d${i} `); await Promise.race([gates[i].wait(), io.closed]); }
        io.finish('stop', USAGE); io.done(); await io.end();
      });
      const s = await stream(`${at.s.url}/api/chat`, { message: 'Hi' });
      for (let i = 0; i < gates.length; i++) {
        const e = await s.until((x) => JSON.parse(x.data).type === 'text');
        assert.deepEqual(JSON.parse(e.data).content, { text: `d${i} ` });
        gates[i].open();                                    // the next is not sent before this one was read
      }
      await s.all();
      assert.equal(assertFrames(s).filter((e) => e.type === 'text').length, gates.length);
    });
  });

  test('upload without a handler is 400, and the client throws', opts, async () => {
    const form = new FormData();
    form.append('file', new Blob(['x']), 'x.txt');
    await assert.rejects(new RagbitsClient({ baseUrl: at.s.url }).makeRequest('/api/upload', { method: 'POST', body: form }), /status: 400/);
  });

  // --- the checklist of what a compatible server needs at least ---

  test('checklist 1: GET /api/config is complete, with explicit nulls and without sign-in', opts, async () => {
    const config = await new RagbitsClient({ baseUrl: at.s.url }).makeRequest('/api/config');
    assert.deepEqual(Object.keys(config).sort(), ['authentication', 'conversation_history', 'customization', 'debug_mode', 'feedback', 'parley', 'show_usage', 'supports_upload', 'user_settings']);
    for (const kind of ['like', 'dislike']) assert.ok('form' in config.feedback[kind] && 'enabled' in config.feedback[kind]);
    assert.ok('form' in config.user_settings);
    assert.deepEqual(Object.keys(config.authentication), ['enabled', 'auth_types', 'oauth2_providers']);
  });

  test('checklist 2: a flush for each event, the end by closing the body', opts, async () => {
    const g = gate();
    at.p.respond(held('now ', g, 'later'));
    const s = await stream(`${at.s.url}/api/chat`, { message: 'Hi' });
    await s.until((e) => /"now "/.test(e.data));            // it is here while the answer goes on
    g.open();
    await s.all();
    assertFrames(s);
  });

  test('checklist 3: what is announced on the first turn and on later ones, also under a client that keeps no ids', opts, async () => {
    at.p.respond(simple('ok'));
    for (let i = 0; i < 2; i++) {
      const ui = new RagbitsConversation(at.s);
      const first = good(await ui.say('Hi'));
      assert.deepEqual([first.of('message_id').length, first.of('conversation_id').length], [1, 1]);
      for (let turn = 0; turn < 2; turn++) {
        const r = good(await ui.say('more'));
        assert.deepEqual([r.of('message_id').length, r.of('conversation_id').length, r.of('conversation_summary').length], [1, 0, 0]);
      }
    }
  });

  test('checklist 4: refusals before the first byte have a status, later problems are events', opts, async () => {
    const told = [];
    await within(10, new Promise((resolve) => new RagbitsClient({ baseUrl: at.s.url }).makeStreamRequest('/api/chat', { message: 7 }, { onMessage: () => told.push('message'), onClose: () => told.push('close'), onError: (e) => { told.push(e.message); resolve(); } })));
    assert.deepEqual(told, ['HTTP error! status: 422']);
    assertRefused(await ask(at.s, { message: 'x', context: { state: { a: 1 }, signature: 'AAAA' } }), 400, /^Invalid state signature$/);
  });

  test('checklist 5 and 6: every JSON endpoint has a JSON body, and a POST without one is taken', opts, async () => {
    const client = new RagbitsClient({ baseUrl: at.s.url });
    assert.deepEqual(await client.makeRequest('/api/auth/logout', { method: 'POST' }), { success: true });
    for (const [method, at_] of [['POST', '/api/auth/login'], ['GET', '/api/auth/authorize/google'], ['GET', '/api/auth/callback/google?code=x&state=y']]) {
      const r = await request(at.s.url + at_, { method, body: method === 'POST' ? { username: 'a', password: 'hunter2' } : undefined });
      assert.equal(r.status, 404);
      assert.equal(typeof detailOf(r), 'string');
      assert.doesNotMatch(r.text, /hunter2/);
      assert.equal(r.headers['set-cookie'], undefined);
    }
  });

  // checklist 7 is with the users below. Checklist 8 (the page for /login and /conversation/*) is of Ragbits' own page, which is not served here: ours has no such addresses.
  // Checklist 9 is 'a client that leaves' below.
});

// --- an application -----------------------------------------------------------------------------------------------------

describe('an application', () => {
  const at = shared({ before, after, beforeEach }, events);
  const fresh = (o) => new RagbitsConversation(at.s, o);
  const contents = async (words, type, o) => { const r = good(await fresh().say(words, o)); return type ? r.of(type) : r; };
  const stored = async (id) => (await conversation(at.s, id)).messages.at(-1);

  describe('events', () => {
    test('text and textf, short and long, in order', opts, async () => {
      assert.equal((await contents('text textf much')).text, `some text 7% of all ${'0'.repeat(4999)}7`);
    });
    test('reference, with and without an address', opts, async () => {
      assert.deepEqual(await contents('reference bare', 'reference'), [{ title: 'A title', content: 'What it says: "ż"', url: 'https://example.invalid/a?b=c&d=e' }, { title: 'Bare', content: '', url: null }]);
    });
    test('image by http(s) and relative address', opts, async () => {
      assert.deepEqual(await contents('image image=/static/a.png', 'image'), [{ id: 'img-1', url: 'https://example.invalid/cat.png' }, { id: 'img-1', url: '/static/a.png' }]);
    });
    test('an address that runs something is no image', opts, async () => {
      for (const url of ['javascript:alert(1)', 'data:text/html,x', 'file:///etc/passwd', 'vbscript:x']) {
        const r = await fresh().say(`text image=${url}`);
        assert.deepEqual([r.of('image'), r.of('chunked_content'), r.closed], [[], [], 1]);
        assert.ok(r.failure, 'the application had it wrong: an error event');
      }
    });
    test('an image as data of more than 250 KB comes in pieces of 102,400 and is whole again', opts, async () => {
      const list = assertFrames(await rawChat(at.s, 'large small'));
      const pieces = list.filter((e) => e.type === 'chunked_content').map((e) => e.content);
      assert.equal(list.some((e) => e.type === 'image'), false, 'data is never sent as an image');
      const large = pieces.filter((c) => c.id === 'img-2');
      assert.equal(large.length, 4);
      large.forEach((c, i) => {
        assert.deepEqual(Object.keys(c), ['id', 'content_type', 'chunk_index', 'total_chunks', 'mime_type', 'data']);
        assert.deepEqual([c.content_type, c.chunk_index, c.total_chunks, c.mime_type, c.data.length], ['image', i, 4, 'data:image/png;base64', i < 3 ? 102400 : 400000 - 3 * 102400]);
      });
      assert.deepEqual(pieces.filter((c) => c.id === 'img-3').map((c) => [c.chunk_index, c.total_chunks, c.data]), [[0, 1, 'R0lGODlhAQABAAAAACw=']]);
      const [image, small] = await contents('large small', 'image');
      const [head, data] = image.url.split(',');
      assert.equal(head, 'data:image/png;base64');
      const bytes = Buffer.from(data, 'base64');
      assert.equal(bytes.length, 300000);
      assert.ok(bytes.every((b, i) => b === i % 251));
      assert.equal(small.url, 'data:image/gif;base64,R0lGODlhAQABAAAAACw=');
    });
    test('live_update, START and FINISH, also FINISH alone', opts, async () => {
      assert.deepEqual(await contents('start text finish', 'live_update'), [
        { update_id: 'search', type: 'START', content: { label: 'Searching', description: 'in all books' } }, { update_id: 'search', type: 'FINISH', content: { label: 'Searched', description: null } },
      ]);
      assert.equal((await contents('finish', 'live_update')).length, 1);
    });
    test('followup_messages', opts, async () => {
      assert.deepEqual(await contents('text followups', 'followup_messages'), [{ messages: ['And then?', 'Why "so"?', 'Na żółwia?'] }]);
    });
    test('plan_item, as it goes on', opts, async () => {
      const tasks = (await contents('plan', 'plan_item')).map(({ task }) => [task.id, task.description, task.status, task.result]);
      assert.deepEqual(tasks, [['1', 'Look it up', 'pending', null], ['2', 'Write it down', 'pending', null], ['1', 'Look it up', 'in_progress', null], ['1', 'Look it up', 'completed', 'Found żółw'], ['2', 'Write it down', 'failed', null]]);
    });
    test('clear_message between texts: the answer begins anew, and has its id again', opts, async () => {
      const ui = fresh();
      const r = good(await ui.say('text=before reference clear text=after'));
      assert.equal(r.text, 'after');
      assert.deepEqual(r.of('clear_message'), [{}]);
      const ids = r.of('message_id').map((c) => c.message_id);
      assert.equal(ids.length, 2);
      assert.equal(ids[0], ids[1]);
      assert.equal(r.message_id, ids[0], 'or there would be no feedback any more');
      assert.equal((await stored(ui.id)).content, 'after', 'what is stored is what is shown');
      assert.equal(good(await ui.say('history')).text, '[user: text=before reference clear text=after][assistant: after]');
    });
    test('types of its own', opts, async () => {
      const content = { points: [1, 2.5, -3], name: 'Wękres', nested: { empty: {}, none: null } };
      const r = await contents('custom custom=x9');
      assert.deepEqual([r.of('chart_data'), r.of('x9')], [[content], [content]]);
    });
    test('reserved and impossible names are not sent, and nothing breaks', opts, async () => {
      const r = good(await fresh().say('reserved'));
      assert.equal(r.text, 'still here ');
      assert.deepEqual([...new Set(r.types)], ['message_id', 'conversation_id', 'conversation_summary', 'text']);
      const lines = record().filter((l) => l.startsWith('reserved'));
      assert.equal(lines.length, 19);
      for (const l of lines) assert.match(l, /^reserved \d+ 0 failure$/);
    });
    test('refuse ends the turn with one error, and what comes after it is not said', opts, async () => {
      const ui = fresh();
      const r = await ui.say('text refuse after');
      assert.deepEqual([r.errors, r.closed, r.text], [[], 1, 'some text ']);
      assert.deepEqual(r.of('error'), [{ message: 'Not today.' }]);
      assert.deepEqual([...new Set(r.types)], ['message_id', 'conversation_id', 'conversation_summary', 'text', 'error']);
      assert.deepEqual(record(), ['after text 0', 'after textf 0', 'after event 0', 'after followups 0', 'after state 0', 'after answer 0', 'after ask 0', 'after failure Not today.']);
      assert.equal(at.p.chats.length, 0);
      assert.equal((await stored(ui.id)).status, 'error');
    });
    test('refuse before anything is still a stream with one error', opts, async () => {
      const r = await fresh().say('refuse');
      assert.deepEqual([r.errors, r.closed, r.text, r.failure], [[], 1, '', 'Not today.']);
    });
    test('title: announced, stored, and later turns do not repeat it', opts, async () => {
      const ui = fresh();
      const r = good(await ui.say('title=All_about_żółwie text'));
      assert.equal(r.of('conversation_summary').at(-1).summary, 'All about żółwie');
      assert.equal((await conversation(at.s, ui.id)).title, 'All about żółwie');
      assert.deepEqual(good(await ui.say('text')).of('conversation_summary'), []);
    });
    test('usage of two models and of a question apart, one event at the end', opts, async () => {
      at.p.respond(simple('said'));
      const r = await contents('answer answer=second-model ask answer');
      assert.equal(r.text, 'saidsaid(said)said');
      assert.deepEqual(r.types.filter((t) => t === 'usage'), ['usage']);
      assert.equal(r.types.at(-1), 'usage');
      const used = Object.fromEntries(Object.entries(r.of('usage')[0].usage).map(([k, v]) => [k.replace(/^.*\//, ''), v]));
      assert.deepEqual(Object.keys(used).sort(), ['second-model', 'test-model']);
      assert.equal(used['second-model'].n_requests, 1);
      assert.deepEqual([used['test-model'].n_requests, used['test-model'].completion_tokens], [3, 9]);
      assert.deepEqual(at.p.chats.map((c) => c.body.model), ['test-model', 'second-model', 'test-model', 'test-model']);
    });
    test('follow-up questions by the model', opts, async () => {
      at.p.enqueue(simple('an answer'), simple('1. Why?\n- "How?"\n\nWhen?'));
      const r = await contents('answer suggest');
      assert.deepEqual(r.of('followup_messages'), [{ messages: ['Why?', 'How?'] }]);
      assert.equal(r.text, 'an answer');
      assertSequence(at.p.chats[1].body.messages);
    });
    test('after a failed model the application may go on, and the answer is good', opts, async () => {
      at.p.respond(status(400, { error: { message: 'no' } }));
      const ui = fresh();
      assert.equal(good(await ui.say('orelse')).text, 'I know it by heart.');
      assert.match(record()[0], /^failed: \S/);
      assert.equal((await stored(ui.id)).status, 'done');
    });
    test('all of them in one answer, in their order; kept ones are in the conversation', opts, async () => {
      at.p.respond(simple('model '));
      const ui = fresh();
      const r = good(await ui.say('start text reference image large plan finish custom answer followups state title=T'));
      assert.deepEqual(r.types.slice(3).filter((t, i, all) => t !== all[i - 1]), ['live_update', 'text', 'reference', 'image', 'plan_item', 'live_update', 'chart_data', 'text', 'followup_messages', 'state_update', 'text', 'conversation_summary', 'usage']);
      assert.equal(r.text, 'some text model turn 1 ');
      const kept = (await stored(ui.id)).events ?? [];
      assert.deepEqual(kept.map((e) => e.type), ['live_update', 'reference', 'image', 'image', 'plan_item', 'plan_item', 'chart_data', 'followup_messages']);
    });
    test('what the application learns: message, history, time zone, settings, context; no user', opts, async () => {
      const ui = fresh();
      good(await ui.say('text=one'));
      const r = good(await ui.say('history rest', { context: { user_settings: { tone: 'kind' }, more: [1] } }));
      assert.match(r.text, /^\[user: text=one\]\[assistant: one\]user= timezone=Europe\/Warsaw settings=\{"tone":"kind"\} context=\{/);
      assert.deepEqual(JSON.parse(r.text.slice(r.text.indexOf('context=') + 8)), r.request.context);
    });
    test('system and rewrite are for the model only', opts, async () => {
      at.p.respond(simple('ok'));
      const ui = fresh();
      good(await ui.say('system=Be_kind rewrite=Other_words answer'));
      assert.match(systemOf(at.p), /Be kind/);
      assert.deepEqual(talk(at.p), ['user: Other words']);
      assert.equal((await conversation(at.s, ui.id)).messages[0].content, 'system=Be_kind rewrite=Other_words answer');
    });
    test('the Python client takes every event', opts, async () => {
      const python = fresh({ python: true });
      const r = await python.say('start text reference image large plan followups custom clear text state title=T refuse');
      assert.deepEqual([r.errors, r.closed, r.failure], [[], 1, 'Not today.']);
      assert.deepEqual(new Set(r.kinds), new Set(['message_id', 'conversation_id', 'conversation_summary', 'live_update', 'text', 'reference', 'image', 'plan_item', 'followup_messages', 'clear_message', 'state_update', 'error']));
      good(await python.say('state history'));
      assert.equal(python.state.turns, 2);
    });
  });

  describe('confirmation', () => {
    const DELETE = ['delete_file', { what: 'a "b" ż', n: 1.0 }, 'call_1'];
    const MAIL = ['send_mail', '{ "what": "hello" }', 'call_2'];
    const askTwo = async (ui, list = [DELETE]) => {
      at.p.reset(simple('Done.'));
      at.p.enqueue(calls(list, 'I will. '));
      const r = good(await ui.say('tools'));
      return [r, r.of('confirmation_request').map((c) => c.confirmation_request)];
    };

    test('asked: the stream ends with what is to be confirmed, and nothing has run', opts, async () => {
      const [r, requests] = await askTwo(fresh());
      assert.equal(r.text, 'I will. ');
      assert.equal(requests.length, 1);
      assert.match(requests[0].confirmation_id, /^[0-9a-f]{16}$/);
      assert.deepEqual(requests[0], { confirmation_id: requests[0].confirmation_id, tool_name: 'delete_file', tool_description: 'Deletes a file.', arguments: { what: 'a "b" ż', n: 1 } });
      assert.deepEqual(record(), []);
      assert.equal(at.p.chats.length, 1);
      assert.deepEqual(at.p.chats[0].body.tools.map((t) => t.function.name), ['delete_file', 'send_mail', 'look', 'slow', 'failing']);
    });

    test('confirmed: the tool runs once, with the stored arguments, whatever the client says; the model gets a good list', opts, async () => {
      const ui = fresh();
      const [, [wish]] = await askTwo(ui);
      ui.history = [{ role: 'assistant', content: 'forged', extra: { arguments: { what: 'everything' } } }];
      const r = good(await ui.decide({ [wish.confirmation_id]: true }, { context: { arguments: { what: 'everything' } } }));
      assert.equal(r.text, 'Done.');
      assert.deepEqual(r.of('confirmation_request'), []);
      assert.equal(r.of('message_id').length, 1);
      assert.deepEqual(record(), ['tool delete_file {"what":"a \\"b\\" ż","n":1}']);
      const sent = at.p.chats[1].body.messages;
      assertSequence(sent);
      assert.deepEqual(sent.filter((m) => m.role === 'tool').map((m) => [m.tool_call_id, m.content]), [['call_1', 'done: delete_file']]);
      assert.equal(JSON.parse(sent.find((m) => m.tool_calls).tool_calls[0].function.arguments).what, 'a "b" ż');
      // the same decision again, and once more with a question: it is over
      await ui.decide({ [wish.confirmation_id]: true });
      assert.match((await ui.say('answer', { context: { tool_confirmations: [{ confirmation_id: wish.confirmation_id, confirmed: true }] } })).errors[0], /422/);
      good(await ui.say('answer'));
      assert.equal(record().length, 1, 'not twice');
      assertSequence(at.p.chats.at(-1).body.messages);
    });

    test('declined: the tool does not run, and the model is told', opts, async () => {
      const ui = fresh();
      const [, [wish]] = await askTwo(ui);
      const r = good(await ui.decide({ [wish.confirmation_id]: false }));
      assert.equal(r.text, 'Done.');
      assert.deepEqual(record(), []);
      assertSequence(at.p.chats[1].body.messages);
      assert.match(at.p.chats[1].body.messages.find((m) => m.role === 'tool').content, /declined/);
    });

    test('two at once: one confirmed, one declined, in one request; each has an id of its own', opts, async () => {
      const ui = fresh();
      const [, wishes] = await askTwo(ui, [DELETE, MAIL, ['look', {}, 'call_3']]);
      assert.deepEqual(wishes.map((w) => w.tool_name), ['delete_file', 'send_mail']);
      assert.notEqual(wishes[0].confirmation_id, wishes[1].confirmation_id);
      assert.deepEqual(record(), ['tool look {}'], 'what needs no confirmation has run');
      const r = good(await ui.decide({ [wishes[1].confirmation_id]: true, [wishes[0].confirmation_id]: false }));
      assert.equal(r.text, 'Done.');
      assert.deepEqual(record(), ['tool look {}', 'tool send_mail {"what":"hello"}']);
      const sent = at.p.chats[1].body.messages;
      assertSequence(sent);
      const results = Object.fromEntries(sent.filter((m) => m.role === 'tool').map((m) => [m.tool_call_id, m.content]));
      assert.match(results.call_1, /declined/);
      assert.deepEqual([results.call_2, results.call_3], ['done: send_mail', 'done: look']);
    });

    test('both confirmed at once run once each', opts, async () => {
      const ui = fresh();
      const [, wishes] = await askTwo(ui, [DELETE, MAIL]);
      good(await ui.decide(Object.fromEntries(wishes.map((w) => [w.confirmation_id, true]))));
      assert.equal(record().length, 2);
      assertSequence(at.p.chats[1].body.messages);
    });

    test('one decision at a time: the model is asked after the last, each runs once', opts, async () => {
      const ui = fresh();
      const [, wishes] = await askTwo(ui, [DELETE, MAIL]);
      const first = good(await ui.decide({ [wishes[1].confirmation_id]: true }));
      assert.equal(record().length, 1);
      assert.equal(at.p.chats.length, 1);
      assert.equal(JSON.stringify(first).includes('confirmation_request'), false, 'the other is not asked about again');
      good(await ui.decide({ [wishes[0].confirmation_id]: false }));
      assert.equal(record().length, 1);
      assert.equal(at.p.chats.length, 2);
      const sent = at.p.chats[1].body.messages;
      assertSequence(sent);
      assert.deepEqual(sent.filter((m) => m.role === 'tool').map((m) => /declined/.test(m.content)).sort(), [false, true]);
      good(await ui.say('answer'));
      assertSequence(at.p.chats.at(-1).body.messages);
    });

    test('an unknown id confirms nothing, and the user is asked again', opts, async () => {
      const ui = fresh();
      const [, wishes] = await askTwo(ui);
      const again = good(await ui.decide({ ffffffffffffffff: true }));
      assert.deepEqual(record(), []);
      assert.equal(at.p.chats.length, 1);
      assert.ok(JSON.stringify(again).includes(wishes[0].confirmation_id));
      good(await ui.decide({ [wishes[0].confirmation_id]: true }));
      assert.equal(record().length, 1);
    });

    test('the id of a call in another conversation confirms nothing here, though the call is the same', opts, async () => {
      const [, [theirs]] = await askTwo(fresh());
      const ui = fresh();
      const [, [mine]] = await askTwo(ui);
      assert.notEqual(theirs.confirmation_id, mine.confirmation_id);
      good(await ui.decide({ [theirs.confirmation_id]: true }));
      assert.deepEqual(record(), []);
    });

    for (const word of ['tools', 'answer']) test(`a later turn after a call that was never confirmed (${word}): the model gets a good list, nothing runs, then or later`, opts, async () => {
      const ui = fresh();
      const [, wishes] = await askTwo(ui, [DELETE, MAIL]);
      good(await ui.say(`text=never_mind ${word}`));
      assertSequence(at.p.chats[1].body.messages);
      assert.deepEqual(at.p.chats[1].body.messages.filter((m) => m.role === 'tool').length, 2);
      await ui.decide({ [wishes[0].confirmation_id]: true });
      good(await ui.say(word));
      assertSequence(at.p.chats.at(-1).body.messages);
      assert.deepEqual(record(), []);
    });

    test('the same decision twice at the same moment, as by a double click: the tool runs once', opts, async () => {
      for (let i = 0; i < 5; i++) {
        const ui = fresh();
        const [, [wish]] = await askTwo(ui);
        const body = { message: '', context: { conversation_id: ui.id, tool_confirmations: [{ confirmation_id: wish.confirmation_id, confirmed: true }] } };
        for (const s of await Promise.all([rawChat(at.s, body), rawChat(at.s, body)])) if (s.status === 200) assertFrames(s);
        assert.equal(record().length, i + 1);
        for (const c of at.p.chats) assertSequence(c.body.messages);
      }
    });

    test('when the model fails after the tool has run, another try does not run it again', opts, async () => {
      const ui = fresh();
      const [, [wish]] = await askTwo(ui);
      at.p.enqueue(status(400, { error: { message: 'no' } }));
      assert.ok((await ui.decide({ [wish.confirmation_id]: true })).failure);
      assert.equal(good(await ui.decide({ [wish.confirmation_id]: true })).text, 'Done.');
      assert.equal(record().length, 1);
      const sent = at.p.chats.at(-1).body.messages;
      assertSequence(sent);
      assert.equal(sent.find((m) => m.role === 'tool').content, 'done: delete_file');
    });

    test('after a confirmation the model may call again, and that is asked again', opts, async () => {
      const ui = fresh();
      const [, [wish]] = await askTwo(ui);
      at.p.enqueue(calls([['delete_file', { what: 'another' }, 'call_9']]));
      const again = good(await ui.decide({ [wish.confirmation_id]: true }));
      const [next] = again.of('confirmation_request').map((c) => c.confirmation_request);
      assert.deepEqual(next.arguments, { what: 'another' });
      assert.notEqual(next.confirmation_id, wish.confirmation_id);
      good(await ui.decide({ [next.confirmation_id]: true }));
      assert.equal(record().length, 2);
      assertSequence(at.p.chats.at(-1).body.messages);
    });

    test('a tool that fails, one that is not there, and arguments that are no JSON go back to the model', opts, async () => {
      at.p.enqueue(calls([['failing', {}, 'c1'], ['nothing', {}, 'c2'], ['look', 'no json', 'c3']]));
      at.p.respond(simple('Well.'));
      const r = good(await fresh().say('tools'));
      assert.equal(r.text, 'Well.');
      assertSequence(at.p.chats[1].body.messages);
      assert.deepEqual(at.p.chats[1].body.messages.filter((m) => m.role === 'tool').map((m) => m.content.replace(/^.*(it is broken|no such tool|done: look).*$/s, '$1')), ['it is broken', 'no such tool', 'done: look']);
      assert.deepEqual(r.of('tool_result').map((c) => [c.id, c.is_error]), [['c1', true], ['c2', true], ['c3', false]]);
    });
  });

  describe('state', () => {
    test('comes signed, goes through JavaScript and back, and counts', opts, async () => {
      const ui = fresh();
      for (let turn = 1; turn <= 4; turn++) {
        const r = good(await ui.say('state'));
        assert.equal(r.text, `turn ${turn} `);
        assert.deepEqual(Object.keys(r.of('state_update')[0]), ['state', 'signature']);
        assert.equal(ui.state.turns, turn);
      }
      assert.equal(ui.state.large, 1e16);
      assert.equal(JSON.stringify({ state: ui.state }).includes('10000000000000000'), true, 'JavaScript writes it otherwise');
    });
    test('members in another order, other spaces and escapes, 1.0 and 1e0: the same state', opts, async () => {
      const ui = fresh();
      good(await ui.say('state'));
      const turned = (v) => (v && typeof v === 'object' && !Array.isArray(v) ? Object.fromEntries(Object.entries(v).reverse().map(([k, x]) => [k, turned(x)])) : v);
      const send = (text) => ask(at.s, `{"message":"tellstate","context":{"conversation_id":"${ui.id}","signature":"${ui.signature}","state":${text}}}`);
      const text = JSON.stringify(ui.state);
      assert.match(text, /"one":1,/);
      for (const [what, other] of [['as it is', text], ['order', JSON.stringify(turned(ui.state))], ['spaces', JSON.stringify(ui.state, null, 3)], ['1.0', text.replace('"one":1,', '"one":1.0,')], ['1e0', text.replace('"one":1,', '"one":1e0,')], ['10E-1', text.replace('"one":1,', '"one":10E-1,')],
        ['1e16', text.replace('10000000000000000', '1e+16')], ['1e20', text.replace('100000000000000000000', '1e20')], ['-0', text.replace('"minus":0', '"minus":-0.0')],
        ['escapes', text.replace(/[^\x20-\x7e]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`).replaceAll('/', '\\/')]]) {
        if (what !== 'as it is' && what !== '-0') assert.notEqual(other, text, what);
        assert.equal((await send(other)).status, 200, `${what}: ${other}`);
      }
    });
    test('a change of any part is 400, and nothing is asked or stored', opts, async () => {
      const ui = fresh();
      good(await ui.say('state'));
      const n = sql(at.s.db, 'SELECT count(*) AS n FROM messages')[0].n;
      const { state, signature, id } = ui;
      const refused = async (what, s, sig, conversation_id = id) => {
        const r = await ask(at.s, { message: 'tellstate', context: { conversation_id, state: s, signature: sig } });
        assert.equal(r.status, 400, `${what}: ${r.text.slice(0, 200)}`);
        assert.deepEqual(r.json, { detail: 'Invalid state signature' });
      };
      const edit = (fn) => { const copy = structuredClone(state); fn(copy); return copy; };
      for (const [what, fn] of Object.entries({
        'a digit': (s) => { s.turns = 7; }, 'a small digit': (s) => { s.tenth = 0.1000000000000001; }, 'a sign': (s) => { s.turns = -1; }, 'a text for a number': (s) => { s.turns = '1'; }, 'a truth for a number': (s) => { s.turns = true; },
        'the other truth': (s) => { s['10'] = false; }, 'null for something': (s) => { s.turns = null; }, 'something for null': (s) => { s.nested.a = 0; }, 'a letter': (s) => { s['ż'] = s['ż'].replace('w', 'v'); }, 'a letter beyond ASCII': (s) => { s['ż'] = s['ż'].replace('ż', 'z'); },
        'an emoji': (s) => { s['ż'] = s['ż'].replace('😀', '😁'); }, 'a control character': (s) => { s['a/b'] = s['a/b'].replace('\t', ' '); }, 'a slash': (s) => { s['a/b'] = s['a/b'].replace('/', '\\'); }, 'a space at the end': (s) => { s['a/b'] += ' '; },
        'a name': (s) => { s.Turns = s.turns; delete s.turns; }, 'a member more': (s) => { s.admin = true; }, 'a member less': (s) => { delete s.tenth; }, 'a deep member': (s) => { s.nested.z[1].deep.push([]); }, 'an order in a list': (s) => { s.nested.z.reverse(); },
        'a list for an object': (s) => { s.nested.z[1].deep[1] = []; }, 'everything': (s) => { for (const k of Object.keys(s)) delete s[k]; },
      })) await refused(what, edit(fn), signature);
      const swap = (i, c) => signature.slice(0, i) + c + signature.slice(i + 1);
      for (let i = 0; i < signature.length; i++) await refused(`signature, character ${i}`, state, swap(i, signature[i] === 'A' ? 'B' : 'A'));
      for (const other of ['', signature.slice(1), signature.slice(0, -1), `${signature}A`, `${signature} `, ` ${signature}`, signature.toUpperCase() === signature ? signature.toLowerCase() : signature.toUpperCase(), signature.split('').reverse().join(''), 'A'.repeat(signature.length), 'ż'.repeat(40), '='])
        await refused(`signature ${other}`, state, other);
      const unsigned = await ask(at.s, { message: 'x', context: { conversation_id: id, state } });
      assert.deepEqual([unsigned.status, unsigned.json], [400, { detail: 'Invalid state signature' }]);
      assert.equal(sql(at.s.db, 'SELECT count(*) AS n FROM messages')[0].n, n);
      assert.equal(good(await ui.say('state')).text, 'turn 2 ', 'the true one is good still');
    });
    test('a good pair is worth nothing in another conversation, or in none', opts, async () => {
      const ui = fresh(), other = fresh();
      good(await ui.say('state'));
      good(await other.say('text'));
      for (const conversation_id of [other.id, undefined]) assertRefused(await ask(at.s, { message: 'tellstate', context: { conversation_id, state: ui.state, signature: ui.signature } }), 400, /^Invalid state signature$/);
    });
    test('clients that send no state have theirs from the last turn; an older pair of the same conversation goes back to it', opts, async () => {
      const ui = fresh();
      good(await ui.say('state'));
      const [state, signature] = [ui.state, ui.signature];
      good(await ui.say('state'));
      ui.signature = undefined;
      assert.equal(good(await ui.say('state')).text, 'turn 3 ');
      const r = await chat(at.s, { message: 'state', conversation_id: ui.id });
      assert.equal(r.text, 'turn 4 ');
      Object.assign(ui, { state, signature });
      assert.equal(good(await ui.say('state')).text, 'turn 2 ');
    });
  });

  test('upload: the application has the file, the client its name', opts, async () => {
    const client = new RagbitsClient({ baseUrl: at.s.url });
    const bytes = Buffer.from(Array.from({ length: 100_000 }, (_, i) => (i * 7) % 256));
    const form = new FormData();
    form.append('file', new Blob([bytes], { type: 'application/pdf' }), 'größe żółw.pdf');
    assert.deepEqual(await client.makeRequest('/api/upload', { method: 'POST', body: form }), { status: 'success', filename: 'größe żółw.pdf' });
    const sum = bytes.reduce((a, b) => (Math.imul(a, 31) + b) >>> 0, 0);
    assert.deepEqual(record(), [`upload user= name=größe żółw.pdf type=application/pdf len=100000 sum=${sum}`]);
    const unwanted = new FormData();
    unwanted.append('file', new Blob(['secret bytes']), 'unwanted.txt');
    await assert.rejects(client.makeRequest('/api/upload', { method: 'POST', body: unwanted }), /status: 422/);
  });

  test('feedback reaches the application after it is stored; what it does not take is a failure', opts, async () => {
    const ui = fresh();
    const { message_id: id } = good(await ui.say('text'));
    const give = (body) => ui.client.makeRequest('/api/feedback', { method: 'POST', body });
    assert.deepEqual(await give({ message_id: id, feedback: 'like' }), { status: 'success' });
    assert.deepEqual(record(), [`feedback user= conversation=${ui.id} message=${id} like=1 payload={}`]);
    await assert.rejects(give({ message_id: id, feedback: 'dislike', payload: { fail: 1 } }), /status: 500/);
    assert.equal(record().length, 2);
    await assert.rejects(give({ message_id: '01hzzzzzzzzzzzzzzzzzzzzzzz', feedback: 'like' }), /status: 404/);
    assert.equal(record().length, 2, 'feedback about nothing does not reach it');
  });
});

test('an application whose startup fails serves nothing', { ...opts, skip: HOSTINGS[HOSTING].mode !== 'fastcgi' && 'a program that does not start is looked for where a worker stays' }, async () => {
  await assert.rejects(async () => {
    const s = await startServer({ ...events, env: { ...events.env, EVENTS_BROKEN: '1' }, ready: false });
    try {
      await s.logged(/its own startup function has failed/, 20);
      assert.equal((await request(`${s.url}/health`, { seconds: 10 }).catch(() => ({ status: 0 }))).status === 200, false);
    } finally { await s.stop({ check: false }).catch(() => {}); }
    throw new Error('as it should be');
  }, /as it should be/);
});

// --- several processes, one after the other or at the same time ---------------------------------------------------------

/** A folder for a server that is started more than once. */
async function withDir(fn) {
  const dir = mkdtempSync(path.join(tmpdir(), 'parley-again-'));
  chmodSync(dir, 0o777);
  try { await fn(dir); } finally { rmSync(dir, { recursive: true, force: true }); }
}

test('the key of states outlives the program; SECRET_KEY is taken in its place, and another one is another key', opts, () => withDir(async (dir) => {
  const start = (settings = {}) => startServer({ ...events, dir, settings });
  const replay = async (s, ui) => { ui.client = new RagbitsClient({ baseUrl: s.url }); return ui.say('state'); };
  let s = await start();
  after(() => s.stop({ check: false }));                    // when the test fails half-way
  const ui = new RagbitsConversation(s);
  good(await ui.say('state'));
  await s.stop();
  s = await start();
  assert.equal(good(await replay(s, ui)).text, 'turn 2 ');
  await s.stop();
  s = await start({ SECRET_KEY: 'k'.repeat(40) });
  assert.deepEqual((await replay(s, ui)).errors, ['HTTP error! status: 400']);
  const other = new RagbitsConversation(s);
  good(await other.say('state'));
  await s.stop();
  s = await start({ RAGBITS_SECRET_KEY: 'k'.repeat(40) });
  assert.equal(good(await replay(s, other)).text, 'turn 2 ', 'under its other name');
  assert.equal(s.log().includes('kkkkkkkk'), false, 'it is not in the log');
  await s.stop();
}));

test('all processes have the same key and the same conversations, from the first request on', opts, () => withServer({ ...events, workers: 3 }, async (s, p) => {
  const many = await Promise.all(Array.from({ length: 12 }, async () => {
    const ui = new RagbitsConversation(s);
    good(await ui.say('state'));                            // the key is made in this moment, perhaps by several at once
    return ui;
  }));
  p.respond(simple('ok'));
  for (let turn = 2; turn <= 3; turn++) await Promise.all(many.map(async (ui) => assert.match(good(await ui.say('state answer')).text, new RegExp(`^turn ${turn} ok$`))));
}));

// --- a client that leaves (checklist 9) ---------------------------------------------------------------------------------

describe('a client that leaves', () => {
  const at = shared({ before, after, beforeEach }, { ...events, settings: { HEARTBEAT_SECONDS: '0.2' } });
  const open = async (message) => {
    const s = await stream(`${at.s.url}/api/chat`, { message });
    const { data } = await s.until((e) => JSON.parse(e.data).type === 'conversation_id');
    return [s, JSON.parse(data).content.conversation_id];
  };

  for (const how of ['fin', 'rst']) {
    test(`in the middle (${how}): the provider is left, and the text so far is kept as stopped`, opts, async () => {
      at.p.respond(held('seen ', gate(), 'never'));
      const [s, id] = await open('answer');
      await s.until((e) => /seen/.test(e.data));
      s.close(how);
      await at.p.waitForClosed(1, 30);
      const { answer } = await settled(at.s, id, { seconds: 30 });
      assert.deepEqual([answer.status, answer.content], ['stopped', 'seen ']);
    });

    test(`before the first token (${how})`, opts, async () => {
      at.p.respond(silentStall);
      const [s, id] = await open('answer');
      await at.p.waitForChat(1);
      s.close(how);
      await at.p.waitForClosed(1, 30);
      const { answer } = await settled(at.s, id, { seconds: 30 });
      assert.deepEqual([answer.status, answer.content], ['stopped', '']);
    });

    test(`while text is coming all the time (${how}): it is a write that finds out, not a ping`, opts, async () => {
      at.p.respond(async (req, io) => { io.role(); while (!io.isClosed) { if (!await io.token('on and on ')) return; await sleep(0.003); } });
      const [s, id] = await open('answer');
      await s.until((e) => /on and on/.test(e.data));
      s.close(how);
      await at.p.waitForClosed(1, 30);
      const { answer } = await settled(at.s, id, { seconds: 30 });
      assert.equal(answer.status, 'stopped');
      assert.match(answer.content, /^(on and on )+$/);
    });
  }

  for (const how of ['fin', 'rst']) test(`in a flood of events (${how}), ten times`, opts, async () => {
    for (let i = 0; i < 10; i++) {
      const [s, id] = await open('text flood');
      await s.until((e) => /drop/.test(e.data));
      s.close(how);
      assert.equal(await recorded(/^flooded/, 30), 'flooded 1 1');
      assert.equal((await settled(at.s, id, { seconds: 30 })).answer.status, 'stopped');
      writeFileSync(recordFile, '');
    }
  });

  test('by the abort of the client: neither an error nor a close, and the server stops', opts, async () => {
    at.p.respond(neverEnding());
    const ui = new RagbitsConversation(at.s);
    const leave = new AbortController();
    const r = await ui.say('answer', { signal: leave.signal, onEvent: (e) => { if (e.type === 'text') leave.abort(); } });
    assert.deepEqual([r.errors, r.closed], [[], 0]);
    await at.p.waitForClosed(1, 30);
    assert.equal((await settled(at.s, ui.id, { seconds: 30 })).answer.status, 'stopped');
    at.p.respond(simple('there again'));
    assert.equal(good(await ui.say('answer')).text, 'there again');
    assertSequence(at.p.chats.at(-1).body.messages);
  });

  test('while the application does something of its own: it is told', opts, async () => {
    const [s, id] = await open('text wait');
    await s.until((e) => /some text/.test(e.data));
    s.close();
    assert.equal(await recorded(/^stopped/, 30), 'stopped 1 0');
    const { answer } = await settled(at.s, id, { seconds: 30 });
    assert.deepEqual([answer.status, answer.content], ['stopped', 'some text ']);
  });

  test('a client that only stops reading does not stop the answer', opts, async () => {
    const g = gate();
    at.p.respond(held('a ', g, 'b'));
    let id;
    await within(20, new Promise((resolve) => {
      const stop = new RagbitsClient({ baseUrl: at.s.url }).makeStreamRequest('/api/chat', { message: 'answer' }, {
        onMessage: (e) => { if (e.type === 'conversation_id') id = e.content.conversation_id; if (e.type === 'text') { stop(); resolve(); } },
      });
    }));
    g.open();
    assert.equal((await settled(at.s, id, { seconds: 30 })).answer.content, 'a b');
  });

  test('Stop of our own page ends it too: the stream closes in good order', opts, async () => {
    at.p.respond(held('a ', gate(), 'b'));
    const [s, id] = await open('answer');
    await s.until((e) => /"a "/.test(e.data));
    assert.equal((await post(`${at.s.url}/conversations/${id}/stop`)).status, 200);
    await s.all();
    assert.deepEqual(assertFrames(s).filter((e) => e.type === 'error'), []);
    assert.equal((await settled(at.s, id)).answer.status, 'stopped');
  });
});

// --- users --------------------------------------------------------------------------------------------------------------

describe('with sign-in by the host server (checklist 7)', () => {
  const at = shared({ before, after, beforeEach }, { ...events, auth: true });
  const alice = { headers: basic('alice') }, bob = { headers: basic('bob') };
  const of = (who) => new RagbitsConversation(at.s, who);

  test('401 without a name on chat, feedback, upload and user; the client hears of it', opts, async () => {
    for (const [method, p, body] of [['POST', '/api/chat', { message: 'Hi' }], ['POST', '/api/feedback', { message_id: 'x', feedback: 'like' }], ['GET', '/api/user'], ['POST', '/api/upload', 'x']]) assert.equal((await request(at.s.url + p, { method, body })).status, 401, p);
    let told = 0;
    const client = new RagbitsClient({ baseUrl: at.s.url, auth: { onUnauthorized: () => { told++; } } });
    await assert.rejects(client.makeRequest('/api/user'), /status: 401/);
    assert.deepEqual(await within(10, new Promise((resolve) => client.makeStreamRequest('/api/chat', { message: 'Hi' }, { onMessage: () => resolve('message'), onError: (e) => resolve(e.message) }))), 'HTTP error! status: 401');
    assert.equal(told, 2);
    assert.equal(at.p.chats.length, 0);
  });

  test('GET /api/user says who is signed in', opts, async () => {
    const user = await new RagbitsClient({ baseUrl: at.s.url }).makeRequest('/api/user', alice);
    assert.deepEqual(user, { user_id: 'alice', username: 'alice', email: null, full_name: null, roles: ['user'], metadata: {} });
  });

  test("a state of alice's is worth nothing to bob", opts, async () => {
    const a = of(alice), b = of(bob);
    good(await a.say('state'));
    good(await b.say('state'));
    for (const conversation_id of [b.id, a.id, undefined]) {
      const r = await ask(at.s, { message: 'tellstate', context: { conversation_id, state: a.state, signature: a.signature } }, bob);
      assert.ok([400, 404].includes(r.status), r.text);
      assert.doesNotMatch(r.text, /turns/);
    }
    assert.equal(good(await a.say('state')).text, 'turn 2 ');
  });

  test("feedback of bob's about an answer of alice's is 404 and not stored, by either id", opts, async () => {
    const a = of(alice);
    const { message_id: id } = good(await a.say('text'));
    good(await a.say('text', { context: { message_id: 'alices-own-id' } }));
    for (const message_id of [id, 'alices-own-id']) assertRefused(await post(`${at.s.url}/api/feedback`, { message_id, feedback: 'like' }, bob), 404);
    assert.deepEqual(sql(at.s.db, 'SELECT * FROM feedback'), []);
    assert.equal((await post(`${at.s.url}/api/feedback`, { message_id: id, feedback: 'like' }, alice)).status, 200);
    assert.deepEqual(record(), [`feedback user=alice conversation=${a.id} message=${id} like=1 payload={}`]);
  });

  test("bob cannot confirm a call of alice's", opts, async () => {
    const a = of(alice);
    at.p.enqueue(calls([['delete_file', { what: 'x' }, 'call_1']]));
    const [{ confirmation_request: wish }] = good(await a.say('tools')).of('confirmation_request');
    const r = await ask(at.s, { message: '', context: { conversation_id: a.id, tool_confirmations: [{ confirmation_id: wish.confirmation_id, confirmed: true }] } }, bob);
    assertRefused(r, 404);
    assert.deepEqual(record(), []);
  });

  test('the same client id for a message is another message for each user', opts, async () => {
    const context = { message_id: 'same' };
    good(await of(alice).say('text=of_alice', { context }));
    good(await of(bob).say('text=of_bob', { context }));
    assert.equal((await post(`${at.s.url}/api/feedback`, { message_id: 'same', feedback: 'like' }, bob)).status, 200);
    assert.deepEqual(sql(at.s.db, "SELECT m.content FROM feedback AS f JOIN messages AS m ON m.id = f.message_id JOIN users AS u ON u.id = f.user_id WHERE u.name = 'bob'"), [{ content: 'of bob' }]);
  });

  test('weak point 1: upload asks who it is', opts, async () => {
    const form = () => { const f = new FormData(); f.append('file', new Blob(['x']), 'x.txt'); return f; };
    const client = new RagbitsClient({ baseUrl: at.s.url });
    await assert.rejects(client.makeRequest('/api/upload', { method: 'POST', body: form() }), /status: 401/);
    assert.deepEqual(record(), []);
    await client.makeRequest('/api/upload', { method: 'POST', body: form(), headers: alice.headers });
    assert.match(record()[0], /^upload user=alice name=x\.txt /);
  });

  test('weak point 3: nobody goes on with a conversation that is not theirs', opts, async () => {
    at.p.respond(simple('a secret'));
    const a = of(alice);
    good(await a.say('answer'));
    const was = await conversation(at.s, a.id, { auth: 'alice' });
    at.p.reset(simple('ok'));
    assertRefused(await ask(at.s, { message: 'answer', context: { conversation_id: a.id } }, bob), 404);
    assert.equal(at.p.chats.length, 0);
    assert.deepEqual(await conversation(at.s, a.id, { auth: 'alice' }), was);
  });

  test('weak point 6 (signed in): a user in the context is not who asks', opts, async () => {
    const r = good(await of(bob).say('rest', { context: { user: { user_id: 'alice', username: 'alice', roles: ['admin'] }, session_id: 'x' } }));
    assert.match(r.text, /^user=bob /);
  });
});

// --- weak points of the original, numbered as its list has them ---------------------------------------------------------
// Not here, because this program signs nobody in (the host server does): 8 (login tells unknown users from wrong passwords), 9 (OAuth2 state),
// 13 (the cookie's Secure; there is none). Of 10 there are no sessions to lose, only the signing key. 17's first half is the page's.

describe('weak points of the original', () => {
  const at = shared({ before, after, beforeEach }, events);
  const fresh = () => new RagbitsConversation(at.s);
  /** Everything that the program has written, as one text. */
  // Where each request is a process, the last one takes the -wal and -shm away with it.
  const contents = (file) => { try { return readFileSync(file, 'latin1'); } catch (e) { if (e.code === 'ENOENT') return ''; throw e; } };
  const written = () => readdirSync(at.s.dir, { recursive: true, withFileTypes: true }).filter((f) => f.isFile() && !/\.(fcgi|cgi|js|css|html|json|woff2|svg|png)$/.test(f.name)).map((f) => contents(path.join(f.parentPath ?? f.path, f.name))).join('\n') + at.s.log();

  test('weak point 2: a conversation_id is no path', opts, async () => {
    const before_ = readdirSync(at.s.dir).filter((f) => !/^parley\.db/.test(f));
    for (const conversation_id of ['../outside', '../../tmp/outside', '/tmp/outside', '..%2foutside', '.', 'a/b', '..\\outside', 'x\n', '01hzzzzzzzzzzzzzzzzzzzzzz/']) assertRefused(await ask(at.s, { message: 'text', context: { conversation_id } }), 404);
    assert.deepEqual(readdirSync(at.s.dir).filter((f) => !/^parley\.db/.test(f)), before_);
    assert.equal(existsSync(path.join(at.s.dir, '..', 'outside')), false);
  });

  test('weak point 4: neither cookies nor session ids are stored or logged', opts, async () => {
    const ui = fresh();
    ui.headers = { cookie: 'ragbits_session=COOKIE-VALUE-1234567890', authorization: 'Bearer TOKEN-VALUE-1234567890' };
    good(await ui.say('text', { context: { session_id: 'SESSION-VALUE-1234567890' } }));
    assert.doesNotMatch(written(), /(COOKIE|TOKEN|SESSION)-VALUE/);
  });

  test('weak point 5: a state without signature is refused, and a signature is bound to user and conversation', opts, async () => {
    for (const context of [{ state: { admin: true } }, { state: { admin: true }, signature: null }, { state: { admin: true }, signature: '' }]) assertRefused(await ask(at.s, { message: 'tellstate', context }), 400, /^Invalid state signature$/);
    // the binding: 'a good pair is worth nothing in another conversation' and "a state of alice's is worth nothing to bob" above
    assert.equal(good(await fresh().say('tellstate', { context: { state: {} } })).text, '{ }'.replace(' ', ''));
  });

  test('weak point 6: without sign-in, user and session_id of the context are nobody', opts, async () => {
    const ui = fresh();
    const r = good(await ui.say('rest', { context: { user: { user_id: 'alice', username: 'alice' }, session_id: 'x' } }));
    assert.match(r.text, /^user= timezone/);
    assert.deepEqual(sql(at.s.db, 'SELECT name FROM users'), [{ name: '' }]);
  });

  test('weak point 7: refusals do not repeat what was sent', opts, async () => {
    const secret = 'hunter2-SECRET';
    for (const [p, body] of [['/api/chat', { password: secret, history: secret }], ['/api/chat', { message: 'x', history: [{ role: secret, content: secret }] }], ['/api/chat', { message: 'x', context: { timezone: `${secret} ${secret}`, state: secret } }], ['/api/chat', `{"message": "${secret}`],
      ['/api/chat', { message: 'x', context: { conversation_id: secret } }], ['/api/feedback', { message_id: secret, feedback: secret }], ['/api/feedback', { message_id: secret, feedback: 'like' }], ['/api/auth/login', { password: secret }], ['/api/nothing', { secret }], ['/api/upload', secret]]) {
      const r = await post(at.s.url + p, body);
      assert.ok(r.status >= 400 && r.status < 500, `${p} ${r.status}`);
      assert.equal(r.text.includes(secret), false, r.text);
      assert.equal('body' in r.json, false);
    }
    const form = new FormData();
    form.append('file', new Blob([secret]), 'unwanted.txt');
    const r = await fetch(`${at.s.url}/api/upload`, { method: 'POST', body: form });
    assert.equal(r.status, 422);
    assert.doesNotMatch(await r.text(), /hunter2|unwanted/);
    assert.equal(at.s.log().includes(secret), false);
  });

  // weak point 10: 'the key of states outlives the program' and 'all processes have the same key' above
  test('weak point 10: a state is good in every process and after a restart, because the key is in the database', opts, async () => {
    good(await fresh().say('state'));
    const [{ n, size }] = sql(at.s.db, "SELECT count(*) AS n, max(length(value)) AS size FROM keys WHERE name = 'state'");
    assert.deepEqual([n, size], [1, 64]);
    assert.equal(at.s.log().includes(sql(at.s.db, "SELECT value FROM keys WHERE name = 'state'")[0].value), false, 'it is not in the log');
  });

  test('weak point 11: what fails in mid-stream is an error event, and the stream ends well', opts, async () => {
    at.p.respond(cutAfter(['half ']));
    const r = await fresh().say('text answer');
    assert.deepEqual([r.errors, r.closed, r.text], [[], 1, 'some text half ']);
    assert.ok(r.failure.length > 8);
  });

  test('weak point 12: an invalid time zone is 422, an unknown one no failure', opts, async () => {
    for (const timezone of ['Not A Zone', '../etc/passwd', '/etc/localtime', 'A//B', 'x'.repeat(65), 'Europe/Kraków', ';']) assertRefused(await ask(at.s, { message: 'text', context: { timezone } }), 422, /timezone/);
    for (const timezone of ['UTC', 'Etc/GMT+12', 'America/Argentina/Buenos_Aires', 'Mars/Olympus']) assert.match(good(await fresh().say('rest', { context: { timezone } })).text, new RegExp(`timezone=${timezone.replace('+', '\\+')} `));
  });

  test('weak point 13: no cookie is set at all', opts, async () => {
    for (const [method, p, body] of [['POST', '/api/chat', { message: 'text' }], ['GET', '/api/user'], ['POST', '/api/auth/login', {}], ['POST', '/api/auth/logout'], ['GET', '/']]) assert.equal((await request(at.s.url + p, { method, body })).headers['set-cookie'], undefined, p);
  });

  test('weak point 14: feedback is stored', opts, async () => {
    const ui = fresh();
    const { message_id } = good(await ui.say('text'));
    await ui.client.makeRequest('/api/feedback', { method: 'POST', body: { message_id, feedback: 'dislike', payload: { why: 'x' } } });
    assert.deepEqual(sql(at.s.db, `SELECT kind, payload FROM feedback AS f JOIN messages AS m ON m.id = f.message_id WHERE m.public_id = '${message_id}'`).map((r) => [r.kind, JSON.parse(r.payload)]), [['dislike', { why: 'x' }]]);
  });

  test('weak point 15: mistyped paths are 404 in JSON, and /health is no page', opts, async () => {
    for (const p of ['/api/confg', '/api/chats', '/api', '/api/user/', '/api/auth']) {
      const r = await get(at.s.url + p);
      assert.equal(r.status, 404, p);
      assert.equal(typeof detailOf(r), 'string');
    }
    assert.equal((await get(`${at.s.url}/api/chat`)).status, 405);
    const health = await get(`${at.s.url}/health`);
    assert.deepEqual([health.status, health.json], [200, { status: 'healthy' }]);
  });

  test('weak point 16: the page asks no other host', opts, async () => {
    const page = await get(`${at.s.url}/`);
    assert.equal(page.status, 200);
    assert.doesNotMatch(page.text, /(src|href)="(https?:)?\/\//);
    assert.match(page.headers['content-security-policy'], /default-src 'none'/);
  });

  test('weak point 17: feedback that fails does not look successful', opts, async () => {
    const ui = fresh();
    const { message_id } = good(await ui.say('text'));
    for (const body of [{ message_id: 'unknown', feedback: 'like' }, { message_id, feedback: 'like', payload: { fail: 1 } }, { message_id, feedback: 'maybe' }]) await assert.rejects(ui.client.makeRequest('/api/feedback', { method: 'POST', body }), /status: (404|422|500)/);
  });

  test('weak point 18: reasoning is no text, neither shown nor stored nor sent to the model as its answer', opts, async () => {
    at.p.respond(deviations['delta.reasoning (Groq, OpenRouter, Ollama)'].run);
    const ui = fresh();
    const r = good(await ui.say('answer'));
    assert.equal(r.text, 'ab');
    good(await ui.say('answer'));
    assert.equal(asked(at.p)[1].content, 'ab');
    assert.equal((await conversation(at.s, ui.id)).messages[1].content, 'ab');
  });
});
