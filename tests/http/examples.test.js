// The programs of docs/examples/, as their readers will run them: what they say in each API, what the models are sent, what is kept. And titles that a model thinks of.
import test, { describe } from 'node:test';
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { chmodSync, cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { withServer, appProgram, settingsText, sql, REPO, SCALE } from './server.js';
import { HOSTING, lacks } from './hosting.js';
import { simple, held, calling as wantsCalls, serverError, silentStall, gate, within, startProvider, USAGE } from '../provider/provider.js';
import { get, post, patch, stream, chat, chatStream, chatWhole, conversation, list, assertDetail, assertError, readStream, sleep } from './client.js';

const opts = { timeout: 90_000 * SCALE };

/** The model wants these tools called, after a few words. */
const calling = (...calls) => wantsCalls(calls.map(([id, name, args]) => ({ id, name, arguments: JSON.stringify(args) })), { text: 'One moment. ' });

const systemOf = (req) => req.body.messages.filter((m) => m.role === 'system').map((m) => m.content).join('\n\n');
const saidTo = (req) => req.body.messages.filter((m) => m.role !== 'system');

/** POST /api/chat, read to its end: the events, and the texts joined. */
async function ragbits(s, message, context = {}, o = {}) {
  const r = await stream(`${s.url}/api/chat`, { message, history: [], context }, o);
  await r.all();
  assert.equal(r.status, 200, r.raw.slice(0, 300));
  assert.equal(r.complete, true);
  const events = r.events.map((e) => JSON.parse(e.data));
  for (const e of events) assert.deepEqual(Object.keys(e), ['type', 'content']);
  const of = (type) => events.filter((e) => e.type === type).map((e) => e.content);
  return { events, of, text: of('text').map((c) => c.text).join(''), conversation_id: of('conversation_id')[0]?.conversation_id, message_id: of('message_id')[0]?.message_id };
}

const parleyEvents = (r) => r.chunks.map((c) => c.parley).filter(Boolean);
const named = (r, name) => r.typed.filter((e) => e.event === name).map((e) => e.data);
const lastMessage = async (s, id, o) => (await conversation(s, id, o)).messages.at(-1);

describe('streaming.c', () => {
  test('streams what the model says, after its system prompt and with what was said before', opts, () => withServer({ app: 'streaming' }, async (s, p) => {
    const g = gate();
    p.respond(held(['Hel', 'lo'], g, ['!']));
    const first = await stream(`${s.url}/chat`, { message: 'Hi' });
    await first.until((e) => e.data.includes('"Hel'));
    assert.equal(g.isOpen, false);
    g.open();
    await first.all();
    const id = JSON.parse(first.events[0].data).conversation_id;
    assert.match(systemOf(p.chats[0]), /friendly/);
    assert.deepEqual(saidTo(p.chats[0]), [{ role: 'user', content: 'Hi' }]);
    p.respond(simple('Fine.'));
    assert.equal((await chatStream(s, { message: 'And you?', conversation_id: id })).text, 'Fine.');
    assert.deepEqual(saidTo(p.chats[1]), [{ role: 'user', content: 'Hi' }, { role: 'assistant', content: 'Hello!' }, { role: 'user', content: 'And you?' }]);
    assert.equal((await chatWhole(s, { message: 'Really?', conversation_id: id })).json.response, 'Fine.');
    const r = await ragbits(s, 'And here?');
    assert.equal(r.text, 'Fine.');
    assert.deepEqual(r.events.map((e) => e.type).filter((t) => t !== 'text'), ['message_id', 'conversation_id', 'conversation_summary', 'usage']);
  }));

  test('a model that fails is the client\'s error and the program\'s log line', opts, () => withServer({ app: 'streaming', settings: { RETRIES: '0' } }, async (s, p) => {
    p.respond(serverError(500));
    assertError(await chatWhole(s, 'Hi'), 502, 'provider_error');
    await s.logged(/conversation \S+ has no answer: /);
  }));

  test('a copy in cgi-bin/ is built by make, into a FastCGI and a CGI program', { ...opts, timeout: 300_000 * SCALE,
    skip: (HOSTING !== 'lighttpd-fastcgi' && 'it is the same everywhere') || (process.env.PARLEY_TEST_BUILD && 'the build has flags of its own') || false }, async () => {
    const dir = mkdtempSync(path.join(tmpdir(), 'parley-make-'));
    const p = await startProvider();
    const run = (cmd, args, o = {}, input) => new Promise((resolve) => {
      const child = execFile(cmd, args, { cwd: dir, ...o }, (e, out, err) => resolve({ code: e ? e.code : 0, out, err }));
      if (input !== undefined) child.stdin.end(input);
    });
    try {
      mkdirSync(path.join(dir, 'cgi-bin'));
      const keep = { recursive: true, preserveTimestamps: true };
      for (const name of ['Makefile', 'schema.sql', 'src', 'www', 'tests/page.sh', 'tests/vendor.sh', 'build/src', 'build/libparley.a', ...readdirSync(path.join(REPO, 'build')).filter((f) => f.endsWith('.inc')).map((f) => `build/${f}`)]) {
        if (existsSync(path.join(REPO, name))) cpSync(path.join(REPO, name), path.join(dir, name), keep);
      }
      cpSync(path.join(REPO, 'docs/examples/streaming.c'), path.join(dir, 'cgi-bin/mybot.c'));
      const made = await run('make', [], { env: { PATH: process.env.PATH } });
      assert.equal(made.code, 0, made.err);
      assert.equal(made.err, '', 'no warnings');
      assert.deepEqual(readdirSync(path.join(dir, 'cgi-bin')).sort(), ['mybot.c', 'mybot.cgi', 'mybot.fcgi']);
      assert.match((await run(path.join(dir, 'cgi-bin/mybot.fcgi'), ['--version'])).out, /^streaming \d/);
      writeFileSync(path.join(dir, '.env'), settingsText({ PARLEY_DB: path.join(dir, 'parley.db'), LLM_MODEL: 'test-model', LLM_BASE_URL: p.url }), { mode: 0o600 });
      p.respond(simple('I am a bot.'));
      const body = JSON.stringify({ message: 'Who are you?', stream: false });
      const asked = await run(path.join(dir, 'cgi-bin/mybot.cgi'), [], { env: {
        GATEWAY_INTERFACE: 'CGI/1.1', REQUEST_METHOD: 'POST', SCRIPT_NAME: '/cgi-bin/mybot.cgi', PATH_INFO: '/chat', CONTENT_TYPE: 'application/json', CONTENT_LENGTH: String(body.length), SERVER_PROTOCOL: 'HTTP/1.1',
      } }, body);
      assert.match(asked.out, /^Status: 200/, asked.err);
      assert.match(asked.out, /"response":\s?"I am a bot\."/);
      assert.match(systemOf(p.chats[0]), /friendly/);
    } finally {
      await p.stop();
      rmSync(dir, { recursive: true, force: true });
    }
  });
});

describe('moderation.c', () => {
  const REFUSAL = 'This message was refused. Please be polite.';
  const MOOD = { name: 'cheerful', level: 7 };

  test('a rude message is refused in every API, in small or capital letters, and the model is not asked', opts, () => withServer({ app: 'moderation' }, async (s, p) => {
    p.respond(simple('never said'));
    for (const r of [await chat(s, 'You BLOCKhead!'), await chatWhole(s, 'blockhead'), await chatStream(s, 'What a Blockhead.')]) assert.equal(assertError(r, 403, 'refused').message, REFUSAL);
    const v1 = await post(`${s.url}/v1/chat/completions`, { model: 'test-model', messages: [{ role: 'user', content: 'blockhead' }] });
    assert.equal(v1.status, 403);
    assert.equal(v1.json.error.message, REFUSAL);
    const r = await ragbits(s, 'blockhead');
    assert.deepEqual(r.of('error'), [{ message: REFUSAL }]);
    assert.equal(r.events.at(-1).type, 'error');
    assert.equal(r.text, '');
    assert.equal(p.chats.length, 0);
    const kept = await lastMessage(s, r.conversation_id);
    assert.equal(kept.status, 'error');
    assert.equal(kept.content, '');
    p.respond(simple('Good.'));
    assert.equal((await chat(s, { message: 'Sorry.', conversation_id: r.conversation_id })).text, 'Good.');
  }));

  test('its own event is told in every API that has events, before the answer, and kept', opts, () => withServer({ app: 'moderation' }, async (s, p) => {
    p.respond(simple('Good day.'));
    const a = await chat(s, 'Hello');
    assert.deepEqual(parleyEvents(a), [{ type: 'mood', content: MOOD }]);
    assert.ok(a.raw.indexOf('cheerful') < a.raw.indexOf('Good'));
    const b = await chatStream(s, 'Hello');
    assert.deepEqual(b.typed, [{ event: 'mood', data: MOOD }]);
    const c = await ragbits(s, 'Hello');
    assert.deepEqual(c.of('mood'), [MOOD]);
    assert.deepEqual((await chatWhole(s, 'Hello')).json.events, [{ type: 'mood', content: MOOD }]);
    const v1 = await post(`${s.url}/v1/chat/completions`, { model: 'test-model', messages: [{ role: 'user', content: 'Hello' }] });
    assert.equal(v1.json.choices[0].message.content, 'Good day.');
    assert.ok(!v1.text.includes('cheerful'));
    assert.deepEqual((await lastMessage(s, a.conversation_id)).events, [{ type: 'mood', content: MOOD }]);
  }));

  test('its settings are defaults: the file of settings wins', opts, async () => {
    const origin = { headers: { origin: 'https://shop.example' } };
    await withServer({ app: 'moderation' }, async (s, p) => {
      p.respond(simple('ok'));
      await chat(s, 'Hi');
      assert.equal(systemOf(p.chats[0]), 'Answer politely and in a few sentences.');
      assert.equal((await get(`${s.url}/health`, origin)).headers['access-control-allow-origin'], 'https://shop.example');
    });
    await withServer({ app: 'moderation', settings: { SYSTEM_PROMPT: 'Be brief.', CORS_ORIGINS: 'https://other.example' } }, async (s, p) => {
      p.respond(simple('ok'));
      await chat(s, 'Hi');
      assert.equal(systemOf(p.chats[0]), 'Be brief.');
      assert.equal((await get(`${s.url}/health`, origin)).headers['access-control-allow-origin'], undefined);
    });
  });

  test('--settings and --check show them', opts, async () => {
    const dir = mkdtempSync(path.join(tmpdir(), 'parley-program-'));
    const file = path.join(dir, 'run.env');
    writeFileSync(file, settingsText({ PARLEY_DB: path.join(dir, 'parley.db'), LLM_MODEL: 'demo' }), { mode: 0o600 });
    const run = (env, ...args) => new Promise((resolve) => { execFile(appProgram('moderation'), [...args, '--config', file], { env: { PATH: process.env.PATH, ...env } }, (e, out, err) => resolve({ code: e?.code ?? 0, out, err })); });
    try {
      assert.match((await run({}, '--settings')).out, /\| `SYSTEM_PROMPT` \| `?Answer politely and in a few sentences\.`? \|/);
      assert.match((await run({}, '--check')).out, /Answer politely and in a few sentences\./);
      const other = await run({ SYSTEM_PROMPT: 'Be brief.' }, '--check');
      assert.match(other.out, /Be brief\./);
      assert.doesNotMatch(other.out, /Answer politely/);
    } finally {
      rmSync(dir, { recursive: true, force: true });
    }
  });

  test('its page texts and theme are defaults: parley.json wins, member by member', opts, async () => {
    const dir = mkdtempSync(path.join(tmpdir(), 'parley-page-'));
    chmodSync(dir, 0o755);
    const file = path.join(dir, 'parley.json');
    try {
      writeFileSync(path.join(dir, 'theme.json'), JSON.stringify({ themes: { light: { colors: { primary: '#123456' } }, dark: { colors: {} } } }));
      await withServer({ app: 'moderation', settings: { PARLEY_JSON: file } }, async (s) => {
        const ui = (await get(`${s.url}/api/config`)).json.customization;
        assert.equal(ui.header.title, 'The Polite Chat');
        assert.equal(ui.welcome_message, 'Ask me about **manners**.');
        assert.equal(ui.starter_questions.length, 2);
        assert.equal(ui.meta.page_title, 'Polite');
        const theme = await get(`${s.url}/api/theme`);
        assert.equal(theme.status, 200, theme.text);
        assert.match(theme.text, /#123456/);
      });
      writeFileSync(file, JSON.stringify({ ui: { header: { title: 'Ours' } } }));
      await withServer({ app: 'moderation', settings: { PARLEY_JSON: file } }, async (s) => {
        const ui = (await get(`${s.url}/api/config`)).json.customization;
        assert.equal(ui.header.title, 'Ours');
        assert.equal(ui.welcome_message, null);
        assert.equal((await get(`${s.url}/api/theme`)).status, 200, 'the theme is another member');
      });
    } finally {
      rmSync(dir, { recursive: true, force: true });
    }
  });
});

describe('files.c', { skip: lacks('threadedWorker') }, () => {
  const upload = (s, name, bytes, auth) => {
    const body = Buffer.concat([Buffer.from(`--AaB03x\r\nContent-Disposition: form-data; name="file"; filename="${name}"\r\nContent-Type: text/plain\r\n\r\n`), Buffer.from(bytes), Buffer.from('\r\n--AaB03x--\r\n')]);
    return post(`${s.url}/api/upload`, body, { headers: { 'content-type': 'multipart/form-data; boundary=AaB03x' }, auth });
  };
  const refused = (r) => {
    assert.equal(r.status, 422, r.text);
    assert.match(JSON.stringify(r.json), /not taken/);
  };

  test('what was uploaded is before the model with each question', opts, () => withServer({ app: 'files' }, async (s, p) => {
    p.respond(simple('I see.'));
    assert.equal((await get(`${s.url}/api/config`)).json.supports_upload, true);
    const r = await upload(s, 'größe.txt', 'The key is under the mat. ü');
    assert.deepEqual([r.status, r.json], [200, { status: 'success', filename: 'größe.txt' }]);
    await upload(s, 'two.txt', 'Second file');
    await chat(s, 'Where is the key?');
    const system = systemOf(p.chats[0]);
    assert.match(system, /File: größe\.txt\n\nThe key is under the mat\. ü\n\n/);
    assert.match(system, /File: two\.txt\n\nSecond file/);
    await upload(s, 'größe.txt', 'The key is gone.');
    await ragbits(s, 'And now?');
    assert.match(systemOf(p.chats[1]), /The key is gone\./);
    assert.doesNotMatch(systemOf(p.chats[1]), /under the mat/);
    assert.deepEqual(saidTo(p.chats[1]), [{ role: 'user', content: 'And now?' }]);
  }));

  test('files are their owner\'s', opts, () => withServer({ app: 'files', auth: true }, async (s, p) => {
    p.respond(simple('I see.'));
    assert.equal((await upload(s, 'a.txt', 'Secret of Alice', 'alice')).status, 200);
    await chat(s, 'Hi', { auth: 'bob' });
    await chat(s, 'Hi', { auth: 'alice' });
    assert.doesNotMatch(systemOf(p.chats[0]), /Secret/);
    assert.match(systemOf(p.chats[1]), /Secret of Alice/);
  }));

  test('what is no text, too large, or one file too many is not taken; broken characters do no harm', opts, () => withServer({ app: 'files' }, async (s, p) => {
    p.respond(simple('I see.'));
    refused(await upload(s, 'a.bin', 'a\0b'));
    refused(await upload(s, 'large.txt', Buffer.alloc(100_001, 'x')));
    for (const i of [1, 2, 3, 4]) assert.equal((await upload(s, `${i}.txt`, `number ${i}`)).status, 200);
    assert.equal((await upload(s, 'bad.txt', Buffer.from([0x61, 0xff, 0xc3, 0x62]))).status, 200);
    refused(await upload(s, '6.txt', 'one too many'));
    assert.equal((await chat(s, 'Hi')).text, 'I see.');
    assert.match(systemOf(p.chats[0]), /number 4/);
    assert.match(systemOf(p.chats[0]), /a\ufffd+b/);
    assert.equal(Buffer.byteLength(p.chats[0].raw), Number(p.chats[0].headers['content-length']), 'the provider got UTF-8: reading it changed nothing');
    assert.doesNotMatch(systemOf(p.chats[0]), /too many/);
  }));

  test('uploads and questions at the same time', opts, () => withServer({ app: 'files' }, async (s, p) => {
    p.respond(simple('I see.'));
    const all = await Promise.all(Array.from({ length: 40 }, (_, i) => (i % 2 ? chat(s, 'Hi').then((r) => r.text === 'I see.') : upload(s, `${i % 5}.txt`, `${'x'.repeat(50_000)} ${i}`).then((r) => r.status === 200))));
    assert.ok(all.every(Boolean));
  }));
});

describe('tool.c', () => {
  const lookUp = (id, number) => [id, 'look_up_order', { number }];
  const cancel = (id, number) => [id, 'cancel_order', { number }];

  test('a tool runs between two requests; call and result are told, kept, and known to later turns', opts, () => withServer({ app: 'tool' }, async (s, p) => {
    p.enqueue(calling(lookUp('call_1', '1001')), simple('It is a teapot.'), simple('Yes.'));
    const r = await chatStream(s, 'What about 1001?');
    assert.equal(r.text, 'One moment. It is a teapot.');
    assert.deepEqual(r.typed.map((e) => e.event).filter((e) => e !== 'conversation_summary'), ['tool_call', 'tool_result', 'followup_messages']);
    assert.deepEqual(named(r, 'tool_call'), [{ id: 'call_1', name: 'look_up_order', arguments: { number: '1001' } }]);
    const result = 'Order 1001: a teapot, on its way.';
    assert.deepEqual(named(r, 'tool_result'), [{ id: 'call_1', name: 'look_up_order', content: result, is_error: false }]);
    assert.deepEqual(p.chats[0].body.tools.map((t) => t.function.name), ['look_up_order', 'cancel_order']);
    assert.equal(p.chats[0].body.tools[0].function.parameters.required[0], 'number');
    const [question, call, answer] = saidTo(p.chats[1]);
    assert.equal(question.content, 'What about 1001?');
    assert.equal(call.tool_calls[0].id, 'call_1');
    assert.deepEqual(JSON.parse(call.tool_calls[0].function.arguments), { number: '1001' });
    assert.deepEqual([answer.role, answer.tool_call_id, answer.content], ['tool', 'call_1', result]);

    await chat(s, { message: 'Is that all?', conversation_id: r.conversation_id });
    assert.deepEqual(saidTo(p.chats[2]).map((m) => m.role), ['user', 'assistant', 'tool', 'assistant', 'user']);
    assert.equal(saidTo(p.chats[2])[2].content, result);
    const kept = (await conversation(s, r.conversation_id)).messages[1];
    assert.deepEqual(kept.events.map((e) => e.type), ['tool_call', 'tool_result', 'followup_messages']);
    assert.deepEqual(kept.events[2].content.messages.length, 2);
    assert.equal(kept.content, 'One moment. It is a teapot.');
  }));

  test('the usage of both requests is counted', opts, () => withServer({ app: 'tool' }, async (s, p) => {
    p.enqueue(calling(lookUp('call_1', '1001')), simple('Yes.'));
    const r = await chat(s, 'Look up 1001');
    assert.equal(r.usage.prompt_tokens, 2 * USAGE.prompt_tokens);
    assert.equal(r.usage.completion_tokens, 2 * USAGE.completion_tokens);
  }));

  test('what goes wrong in a tool is for the model to read', opts, () => withServer({ app: 'tool' }, async (s, p) => {
    p.enqueue(calling(lookUp('a', '2001'), ['b', 'fly', {}], ['c', 'look_up_order', {}]), simple('No.'));
    const r = await ragbits(s, 'Whose is 2001?');
    assert.deepEqual(r.of('tool_result').map((c) => c.is_error), [true, true, true]);
    const results = saidTo(p.chats[1]).filter((m) => m.role === 'tool');
    assert.deepEqual(results.map((m) => m.tool_call_id), ['a', 'b', 'c']);
    assert.match(results[0].content, /no such order/);
    assert.match(results[1].content, /no such tool/);
    assert.equal(r.text, 'One moment. No.');
  }));

  test('orders are their owner\'s, whatever the model asks for', opts, () => withServer({ app: 'tool', auth: true }, async (s, p) => {
    for (const [auth, is_error] of [['alice', false], ['bob', true]]) {
      p.enqueue(calling(lookUp('a', '2001')), simple('There.'));
      const r = await chatStream(s, 'Look up 2001', { auth });
      assert.equal(named(r, 'tool_result')[0].is_error, is_error);
    }
  }));

  /** Has the model want order 1002 cancelled: the conversation and the confirmation's id. */
  async function askToCancel(s, p) {
    p.enqueue(calling(cancel('call_9', '1002')));
    const r = await chat(s, 'Please cancel 1002');
    assert.equal(r.text, 'One moment. ');
    assert.equal(r.finish_reason, 'stop');
    const events = parleyEvents(r).filter((e) => e.type !== 'conversation_summary');
    assert.deepEqual(events.map((e) => e.type), ['confirmation_request'], 'nothing more is said while the user is asked');
    const { confirmation_id, ...rest } = events[0].content.confirmation_request;
    assert.deepEqual(rest, { tool_name: 'cancel_order', tool_description: 'Cancels an order of the user\'s.', arguments: { number: '1002' } });
    assert.match(confirmation_id, /^[0-9a-f]{16}$/);
    assert.equal(p.chats.length, 1, 'the model waits, too');
    return { conversation_id: r.conversation_id, message_id: r.message_id, confirmation_id };
  }

  test('a tool that needs the user is made when the user has agreed, with the arguments of the question', opts, () => withServer({ app: 'tool' }, async (s, p) => {
    const { conversation_id, confirmation_id } = await askToCancel(s, p);
    p.enqueue(simple('It is cancelled.'));
    const r = await chat(s, { message: '', conversation_id, context: { tool_confirmations: [{ confirmation_id, confirmed: true }] } });
    assert.equal(r.text, 'It is cancelled.');
    assert.deepEqual(parleyEvents(r).map((e) => e.type), ['tool_call', 'tool_result', 'followup_messages']);
    assert.equal(parleyEvents(r)[1].content.content, 'Order 1002: six cups, cancelled.');
    const told = saidTo(p.chats[1]);
    assert.deepEqual(told.map((m) => m.role), ['user', 'assistant', 'tool']);
    assert.equal(told[2].content, 'Order 1002: six cups, cancelled.');
    p.enqueue(simple('Done.'));
    await chat(s, { message: 'Thanks', conversation_id });
    assert.deepEqual(saidTo(p.chats[2]).map((m) => m.role), ['user', 'assistant', 'tool', 'assistant', 'user']);
  }));

  test('a tool that the user has declined, or said nothing about, is not made, and the model is told', opts, () => withServer({ app: 'tool' }, async (s, p) => {
    const { conversation_id, confirmation_id } = await askToCancel(s, p);
    p.enqueue(simple('Then not.'));
    const r = await ragbits(s, '', { conversation_id, tool_confirmations: [{ confirmation_id, confirmed: false }] });
    assert.equal(r.text, 'Then not.');
    assert.match(saidTo(p.chats[1])[2].content, /declined/);
    assert.deepEqual(r.of('tool_call'), [], 'it was not called');
    p.enqueue(calling(lookUp('x', '1002')), simple('On its way.'));
    const after = await chat(s, { message: 'Look it up', conversation_id });
    assert.match(parleyEvents(after).find((e) => e.type === 'tool_result').content.content, /on its way/);

    p.reset();
    const other = await askToCancel(s, p);
    p.enqueue(simple('As you like.'));
    await chat(s, { message: 'Something else', conversation_id: other.conversation_id });
    const told = saidTo(p.chats[1]);
    assert.deepEqual(told.map((m) => m.role), ['user', 'assistant', 'tool', 'user'], 'each call has a result');
  }));

  test('of two calls the one that needs nobody is made at once, the other one when the user has agreed, and once', opts, () => withServer({ app: 'tool' }, async (s, p) => {
    p.enqueue(calling(lookUp('a', '1001'), cancel('b', '1002')));
    const r = await ragbits(s, 'Look up 1001, cancel 1002');
    assert.deepEqual(r.events.map((e) => e.type).filter((t) => /tool|confirm|follow/.test(t)), ['tool_call', 'tool_result', 'confirmation_request']);
    const { confirmation_id } = r.of('confirmation_request')[0].confirmation_request;
    const context = { conversation_id: r.conversation_id, tool_confirmations: [{ confirmation_id, confirmed: true }] };
    p.enqueue(simple('Both done.'));
    const done = await ragbits(s, '', context);
    assert.deepEqual(done.of('tool_call').map((c) => c.id), ['b']);
    assert.equal(done.text, 'Both done.');
    assert.deepEqual(saidTo(p.chats[1]).map((m) => [m.role, m.tool_call_id]), [['user', undefined], ['assistant', undefined], ['tool', 'a'], ['tool', 'b']]);
    const again = await ragbits(s, '', context);
    assert.deepEqual(again.of('tool_call'), []);
    assert.equal(again.events.at(-1).type, 'error');
    assert.equal(p.chats.length, 2);
  }));

  test('through /v1/chat/completions nobody can be asked: the call is not made, and the answer ends', opts, () => withServer({ app: 'tool' }, async (s, p) => {
    p.enqueue(calling(cancel('b', '1002')));
    const r = await post(`${s.url}/v1/chat/completions`, { model: 'test-model', messages: [{ role: 'user', content: 'Cancel 1002' }] });
    assert.deepEqual([r.status, r.json.choices[0].message.content, r.json.choices[0].finish_reason, r.json.choices[0].message.tool_calls], [200, 'One moment. ', 'stop', undefined]);
    p.enqueue(calling(lookUp('c', '1002')), simple('Here.'));
    assert.match((await chatWhole(s, 'Look up 1002')).json.events.find((e) => e.type === 'tool_result').content.content, /on its way/);
  }));

  test('a model that never stops calling is stopped', opts, () => withServer({ app: 'tool' }, async (s, p) => {
    p.respond((req, io) => calling(lookUp(`call_${p.chats.length}`, '1001'))(req, io));
    const r = await chatStream(s, 'Look up 1001');
    assert.deepEqual([r.terminal.event, r.terminal.code], ['error', 'provider_error']);
    assert.ok(p.chats.length > 5 && p.chats.length <= 50, `${p.chats.length} requests`);
  }));

  test('Stop between two requests to the model keeps what is there', opts, () => withServer({ app: 'tool' }, async (s, p) => {
    const g = gate();
    p.enqueue(calling(lookUp('a', '1001')), held('It is', g));
    const st = await stream(`${s.url}/chat/stream`, { message: 'Look up 1001' });
    const { conversation_id } = JSON.parse((await st.next()).data);
    await st.until((e) => e.event === 'token' && e.data.startsWith('It'));
    assert.ok((await post(`${s.url}/conversations/${conversation_id}/stop`)).status < 300);
    await st.all();
    assert.equal(readStream(st).terminal.status, 'stopped');
    p.enqueue(simple('Right.'));
    await chat(s, { message: 'Go on', conversation_id });
    assert.deepEqual(saidTo(p.chats[2]).map((m) => m.role), ['user', 'assistant', 'tool', 'assistant', 'user']);
    g.open();
  }));

  test('a call that was made counts as made when Stop was pressed meanwhile', opts, () => withServer({ app: 'events' }, async (s, p) => {
    p.enqueue(wantsCalls([{ id: 'call_1', name: 'slow', arguments: '{}' }]));
    const st = await stream(`${s.url}/chat/stream`, { message: 'tools' });
    const { data } = await st.until((e) => e.event === 'tool_call');
    assert.equal(JSON.parse(data).name, 'slow');
    const { conversation_id } = JSON.parse(st.events[0].data);
    assert.deepEqual((await post(`${s.url}/conversations/${conversation_id}/stop`)).json, { status: 'stopped' });
    await st.all();
    p.respond(simple('ok'));
    await chat(s, { message: 'answer', conversation_id });
    assert.equal(p.chats.at(-1).body.messages.find((m) => m.role === 'tool').content, 'slow and done');
  }));

  test('a call is confirmed once, whichever way it is asked for again', opts, () => withServer({ app: 'tool' }, async (s, p) => {
    const { conversation_id, confirmation_id, message_id } = await askToCancel(s, p);
    p.respond(simple('Done.'));
    const body = { message: '', conversation_id, parent_id: message_id, context: { tool_confirmations: [{ confirmation_id, confirmed: true }] } };
    const answers = await Promise.all([chat(s, body), chat(s, body)]);
    assert.deepEqual(answers.map((r) => r.status).sort(), [200, 422]);
    assertError(await chat(s, body), 422, 'invalid_field');
    const made = answers.flatMap((r) => (r.status === 200 ? parleyEvents(r) : [])).filter((e) => e.type === 'tool_call');
    assert.equal(made.length, 1);
  }));

  test('a confirmation brings no words: they would be an answer to the question and a new one', opts, () => withServer({ app: 'tool' }, async (s, p) => {
    const { conversation_id, confirmation_id } = await askToCancel(s, p);
    const context = { tool_confirmations: [{ confirmation_id, confirmed: true }] };
    assertError(await chat(s, { message: 'Yes please', conversation_id, context }), 422, 'invalid_field');
    assertDetail(await post(`${s.url}/api/chat`, { message: 'Yes please', context: { ...context, conversation_id } }), 422);
    assert.equal(p.chats.length, 1);
  }));

  test('what was confirmed and is answered again: the question is asked anew, and the call again only after another confirmation', opts, () => withServer({ app: 'tool' }, async (s, p) => {
    const { conversation_id, confirmation_id, message_id } = await askToCancel(s, p);
    const confirm = (id) => ({ message: '', conversation_id, context: { tool_confirmations: [{ confirmation_id: id, confirmed: true }] } });
    p.enqueue(simple('Done.'));
    const done = await chat(s, confirm(confirmation_id));
    assert.equal(done.text, 'Done.');
    const [question] = (await conversation(s, conversation_id)).messages;
    let last;
    for (const named of [done.message_id, message_id, question.id]) {
      p.enqueue(calling(cancel(`again_${named}`, '1002')));
      const r = await chat(s, { regenerate: named, context: confirm(confirmation_id).context });
      assert.deepEqual(saidTo(p.chats.at(-1)), [{ role: 'user', content: 'Please cancel 1002' }]);
      const events = parleyEvents(r);
      assert.deepEqual(events.map((e) => e.type), ['confirmation_request'], 'the decision of before is none about this call');
      last = events[0].content.confirmation_request.confirmation_id;
      assert.notEqual(last, confirmation_id);
      assert.equal((await lastMessage(s, conversation_id)).parent_id, question.id);
    }
    p.enqueue(simple('Done again.'));
    const r = await chat(s, confirm(last));
    assert.deepEqual(parleyEvents(r).filter((e) => e.type.startsWith('tool')).map((e) => e.type), ['tool_call', 'tool_result'], 'the newest answer is the one that goes on');
    assert.equal(r.text, 'Done again.');
  }));

  test('a confirmation of something else confirms nothing', opts, () => withServer({ app: 'tool' }, async (s, p) => {
    const { conversation_id, confirmation_id } = await askToCancel(s, p);
    p.enqueue(simple('Done.'));
    const confirm = (...tool_confirmations) => chat(s, { message: '', conversation_id, context: { tool_confirmations } });
    assertError(await confirm({ confirmation_id, confirmed: 'yes' }), 422, 'invalid_field');
    assertError(await confirm({ confirmed: true }), 422, 'invalid_field');
    assert.equal(p.chats.length, 1);
    const r = await confirm({ confirmation_id: '0'.repeat(16), confirmed: true });
    assert.deepEqual(parleyEvents(r).map((e) => [e.type, e.content.confirmation_request?.confirmation_id]), [['confirmation_request', confirmation_id]], 'the user is asked again');
    assert.equal(p.chats.length, 1);
    assert.deepEqual(parleyEvents(await confirm({ confirmation_id, confirmed: true })).map((e) => e.type), ['tool_call', 'tool_result', 'followup_messages']);
    const late = await confirm({ confirmation_id, confirmed: true });
    assert.equal(late.error?.code, 'invalid_field', 'the question is no longer open');
  }));

  test('the conversation is called what its function says, or by its first words', opts, () => withServer({ app: 'tool' }, async (s, p) => {
    p.respond(simple('ok'));
    await chat(s, 'What about the order 1001?');
    await chat(s, 'Good morning to you');
    const wanted = async () => (await list(s)).conversations.map((c) => c.title).sort();
    for (let i = 0; i < 100 * SCALE && !(await wanted()).includes('Order 1001'); i++) await sleep(0.05);
    assert.deepEqual(await wanted(), ['Good morning to you', 'Order 1001']);
  }));
});

describe('two_models.c', () => {
  /** The small model is asked where the other one is: `small` and `large` are what each of them does. */
  const withTwo = (fn) => withServer({ app: 'two_models', settings: { RETRIES: '0' } }, (s, p) => {
    const isSmall = (req) => req.body.model === 'gpt-4o-mini';
    const model = (test) => ({ get chats() { return p.chats.filter(test); }, respond(f) { this.behaviour = f; }, behaviour: null });
    const small = model(isSmall);
    const large = model((req) => !isSmall(req));
    p.respond((req, io) => (isSmall(req) ? small : large).behaviour(req, io));
    return fn(s, large, small);
  });

  test('one model drafts, the other one answers; what is done is told and kept', opts, () => withTwo(async (s, p, small) => {
    small.respond(simple('- blue\n- red'));
    p.respond(simple('Blue and red.'));
    const r = await ragbits(s, 'Which colours?');
    assert.deepEqual([p.chats.length, small.chats.length], [1, 1]);
    assert.match(systemOf(small.chats[0]), /note form/);
    assert.deepEqual(saidTo(small.chats[0]), [{ role: 'user', content: 'Which colours?' }]);
    assert.match(systemOf(p.chats[0]), /colleague[^]*- blue\n- red/);
    assert.equal(r.text, 'Blue and red.');
    assert.deepEqual(r.of('plan_item').map((c) => `${c.task.id} ${c.task.status}`), ['draft in_progress', 'final pending', 'draft completed', 'final in_progress', 'final completed']);
    assert.deepEqual(r.of('live_update').map((c) => `${c.update_id} ${c.type} ${c.content.label}`), ['count FINISH Counted', 'draft START Drafting', 'draft FINISH Drafted']);
    assert.deepEqual(r.of('reference'), [{ title: 'Draft', content: '- blue\n- red', url: null }]);
    const used = r.of('usage')[0].usage;
    assert.equal(Object.keys(used).length, 2, 'both models are counted');
    const kept = await lastMessage(s, r.conversation_id);
    assert.deepEqual(kept.events.map((e) => [e.type, e.content.task?.status ?? e.content.type]), [['live_update', 'FINISH'], ['plan_item', 'completed'], ['plan_item', 'completed'], ['live_update', 'FINISH'], ['reference', undefined]]);
  }));

  test('its state counts the turns of a conversation, kept here or carried by the client', opts, () => withTwo(async (s, p, small) => {
    small.respond(simple('notes'));
    p.respond(simple('ok'));
    const first = await ragbits(s, 'Hi');
    assert.deepEqual(first.of('state_update')[0].state, { turns: 1 });
    const { state, signature } = first.of('state_update')[0];
    const conversation_id = first.conversation_id;
    const carried = await ragbits(s, 'Again', { conversation_id, state, signature });
    assert.deepEqual(carried.of('state_update')[0].state, { turns: 2 });
    const kept = await chatStream(s, { message: 'Once more', conversation_id });
    assert.equal(named(kept, 'live_update').find((c) => c.update_id === 'count').content.description, 'We go on');
    assert.equal(sql(s.db, 'SELECT app_state FROM messages WHERE app_state IS NOT NULL ORDER BY id DESC LIMIT 1')[0].app_state.replace(/\s/g, ''), '{"turns":3}');
    assert.deepEqual((await ragbits(s, 'New')).of('state_update')[0].state, { turns: 1 });
    const bad = await post(`${s.url}/api/chat`, { message: 'Mine', history: [], context: { conversation_id, state: { turns: 99 }, signature } });
    assert.equal(bad.status, 400);
  }));

  test('without a draft the other model answers alone; without that one the turn fails', opts, () => withTwo(async (s, p, small) => {
    small.respond(serverError(500));
    p.respond(simple('Alone.'));
    const r = await chatStream(s, 'Hi');
    assert.equal(r.text, 'Alone.');
    assert.deepEqual(named(r, 'plan_item').filter((c) => c.task.id === 'draft').at(-1).task.status, 'failed');
    assert.doesNotMatch(systemOf(p.chats[0]), /colleague/);
    p.respond(serverError(500));
    const failed = await chatStream(s, 'Hi');
    assert.equal(failed.terminal.event, 'error');
    assert.deepEqual(named(failed, 'plan_item').filter((c) => c.task.id === 'final').at(-1).task.status, 'in_progress');
  }));
});

describe('the start', () => {
  test('a program whose startup function fails does not serve, and the log says why', opts, async () => {
    const dir = mkdtempSync(path.join(tmpdir(), 'parley-program-'));
    const file = path.join(dir, 'run.env');
    writeFileSync(file, settingsText({ PARLEY_DB: path.join(dir, 'parley.db'), LLM_MODEL: 'demo' }), { mode: 0o600 });
    try {
      const r = await within(20, new Promise((resolve) => {
        execFile(appProgram('nostart'), ['--listen', `unix:${path.join(dir, 'socket')}`, '--config', file], { env: { PATH: process.env.PATH } }, (e, out, err) => resolve({ code: e?.code ?? 0, err }));
      }), 'the end of the program');
      assert.equal(r.code, 1);
      assert.match(r.err, /there is no catalogue here/);
      assert.match(r.err, /nostart does not start: its own startup function has failed/);
    } finally {
      rmSync(dir, { recursive: true, force: true });
    }
  });
});

describe('parley_title()', () => {
  for (const [what, word, title] of [['is told and stored', 'title=Of_cats', 'Of cats'], ['that is not UTF-8 is repaired', 'badtitle', 'Half a ü, and half \ufffd']])
    test(`a title of an application's ${what}`, opts, () => withServer({ app: 'events' }, async (s) => {
      const r = await chatStream(s, `${word} text`);
      assert.deepEqual(named(r, 'conversation_summary'), [{ summary: title }]);
      assert.equal(r.text, 'some text ');
      assert.equal((await conversation(s, r.conversation_id)).title, title);
    }));
});

describe('TITLE_MODEL', () => {
  const settings = { TITLE_MODEL: 'title-model', RETRIES: '0' };
  const titles = (p) => p.chats.filter((r) => r.body.model === 'title-model');
  /** `answer` for the chat, `title` for the title. */
  const both = (answer, title) => (req, io) => (req.body.model === 'title-model' ? title : answer)(req, io);
  const titleOf = async (s, id) => (await conversation(s, id)).title;
  /** Resolves when a title was thought of and not taken: the log says so, or, where a host has lost it by then, the process has ended. */
  const isOver = async (s) => {
    if (!lacks('residentWorker')) return s.logged(/the title of conversation \S+ stays/);
    return within(10, (async () => { while (s.workerPids().length) await sleep(0.02); })(), 'the end of the process');
  };
  const becomes = async (s, id, title) => {
    for (let i = 0; i < 200 * SCALE && await titleOf(s, id) !== title; i++) await sleep(0.05);
    assert.equal(await titleOf(s, id), title);
  };

  test('is asked beside the answer, once, with the message only; the title is told and stored', opts, () => withServer({ settings }, async (s, p) => {
    const g = gate();
    p.respond(both(held('I will ', g, 'say.'), simple('"Paint and Colours"\nAnd more.')));
    const st = await stream(`${s.url}/chat/stream`, { message: 'Please tell me which colours there are in your shop' });
    const told = await st.until((e) => e.event === 'conversation_summary');
    assert.deepEqual(JSON.parse(told.data), { summary: 'Paint and Colours' });
    assert.equal(g.isOpen, false, 'while the answer is still being made');
    g.open();
    await st.all();
    const r = readStream(st);
    assert.equal(r.text, 'I will say.');
    assert.equal(await titleOf(s, r.conversation_id), 'Paint and Colours');
    assert.deepEqual(saidTo(titles(p)[0]), [{ role: 'user', content: 'Please tell me which colours there are in your shop' }]);
    assert.match(systemOf(titles(p)[0]), /title/);
    await chat(s, { message: 'More?', conversation_id: r.conversation_id });
    assert.equal(titles(p).length, 1, 'not for later turns');
    assert.deepEqual((await lastMessage(s, r.conversation_id)).events, undefined, 'it is no event of the message');
  }));

  test('is told to Ragbits\' clients, too', opts, () => withServer({ settings }, async (s, p) => {
    const g = gate();
    p.respond(both(async (req, io) => { await g.wait(); return simple('Hello.')(req, io); }, simple('A Greeting')));
    const st = await stream(`${s.url}/api/chat`, { message: 'Good morning', history: [], context: {} });
    await st.until((e) => e.data.includes('A Greeting'));
    g.open();
    await st.all();
    const summaries = st.events.map((e) => JSON.parse(e.data)).filter((e) => e.type === 'conversation_summary');
    assert.deepEqual(summaries.map((e) => e.content.summary), ['Good morning', 'A Greeting']);
  }));

  test('takes no place of MAX_STREAMS while it is thought about', opts, () => withServer({ settings: { ...settings, MAX_STREAMS: '2' } }, async (s, p) => {
    const g = gate();
    p.respond(both(simple('Hello.'), async (req, io) => { await g.wait(); return simple('Late')(req, io); }));
    const first = await chat(s, 'Good morning');
    for (let i = 0; i < 4; i++) assert.equal((await chat(s, `Good morning ${i}`)).text, 'Hello.'); // an answer's own place is free a moment after its end
    g.open();
    await becomes(s, first.conversation_id, 'Late');
  }));

  test('does not hold up the end of the program', { ...opts, skip: lacks('threadedWorker') }, () => withServer({ settings: { ...settings, SHUTDOWN_SECONDS: '60' } }, async (s, p) => {
    p.respond(both(simple('Hello.'), silentStall));
    const r = await chat(s, 'Good morning');
    await p.until(() => titles(p).length === 1, 'the question for a title');
    const [pid] = s.workerPids();
    process.kill(pid, 'SIGTERM');
    await within(5, (async () => { while (s.workerPids().includes(pid)) await sleep(0.02); })(), 'the end of the worker');
    await within(10, (async () => { while ((await get(`${s.url}/health`)).status !== 200) await sleep(0.05); })(), 'the next worker');
    assert.equal(await titleOf(s, r.conversation_id), 'Good morning');
  }));

  test('is not waited for by the client', opts, () => withServer({ settings }, async (s, p) => {
    const g = gate();
    p.respond(both(simple('Hello.'), async (req, io) => { await g.wait(); return simple('A Late Title')(req, io); }));
    const r = await chat(s, 'Good morning');
    assert.equal(g.isOpen, false);
    assert.equal(r.text, 'Hello.');
    assert.equal(await titleOf(s, r.conversation_id), 'Good morning');
    g.open();
    await becomes(s, r.conversation_id, 'A Late Title');
  }));

  test('gives way to a title that the user has given meanwhile', opts, () => withServer({ settings }, async (s, p) => {
    const g = gate();
    p.respond(both(simple('Hello.'), async (req, io) => { await g.wait(); return simple('Of the Model')(req, io); }));
    const r = await chat(s, 'Good morning');
    assert.equal((await patch(`${s.url}/conversations/${r.conversation_id}`, { title: 'Of the user' })).status, 200);
    g.open();
    await isOver(s);
    assert.equal(await titleOf(s, r.conversation_id), 'Of the user');
  }));

  test('changes nothing when it fails', opts, () => withServer({ settings }, async (s, p) => {
    const ids = [];
    for (const failing of [simple('""'), simple(''), serverError(500)]) {
      p.reset(both(simple('Hello.'), failing));
      const r = await chatStream(s, 'Good morning');
      assert.equal(r.terminal.status, 'done');
      assert.deepEqual(r.typed, []);
      await p.until(() => titles(p).length === 1);
      ids.push(r.conversation_id);
    }
    if (!lacks('residentWorker')) await s.logged(/no title for conversation/);          // a CGI program that goes on after its answer has no log on some hosts
    for (const id of ids) assert.equal(await titleOf(s, id), 'Good morning');
  }));

  test('a conversation deleted meanwhile stays deleted', opts, () => withServer({ settings }, async (s, p) => {
    const g = gate();
    p.respond(both(simple('Hello.'), async (req, io) => { await g.wait(); return simple('Too Late')(req, io); }));
    const r = await chat(s, 'Good morning');
    await fetch(`${s.url}/conversations/${r.conversation_id}`, { method: 'DELETE' });
    g.open();
    await isOver(s);
    assert.equal((await list(s)).conversations.length, 0);
  }));
});
