// Hooks: small programs named in parley.json that see each question first. What they can do to a turn, and that none of them can hang or break one. (tests/unit/test_hook.c has how they are run.)
import test, { describe } from 'node:test';
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { withServer, settingsText, alive, PROGRAM, SCALE, SECRET } from './server.js';
import { simple, gate, within, sleep } from '../provider/provider.js';
import { post, request, stream, chat, chatStream, chatWhole, conversation, list, settled, assertError, readStream } from './client.js';

const opts = { timeout: 90_000 * SCALE };
const say = (object) => `printf '%s\\n' '${JSON.stringify(object)}'\n`;
const event = (type, content) => say({ event: type, content });
const act = (action, text) => say({ action, text });
const systemOf = (req) => req.body.messages.filter((m) => m.role === 'system').map((m) => m.content).join('\n\n');
const saidTo = (req) => req.body.messages.filter((m) => m.role !== 'system');
const parleyEvents = (r) => r.chunks.map((c) => c.parley).filter(Boolean);

/**
 * A server whose parley.json names these hooks: a script (a text), or {script, timeout_seconds, command}. `dir` is a folder that scripts may write to, $1 for them.
 * fn(s, p, dir)
 */
async function withHooks(hooks, fn, more = {}) {
  const dir = mkdtempSync(path.join(tmpdir(), 'parley-hooks-'));
  chmodSync(dir, 0o777);                                    // the program may run as nobody
  try {
    const entries = hooks.map((hook, i) => {
      const { script, timeout_seconds = 20 * SCALE, command } = typeof hook === 'string' ? { script: hook } : hook;
      const file = path.join(dir, `hook-${i + 1}.sh`);
      if (script !== undefined) {
        writeFileSync(file, `#!/bin/sh\n${script}`);
        chmodSync(file, 0o755);
      }
      return { command: command ?? [file, dir], timeout_seconds };
    });
    const json = path.join(dir, 'parley.json');
    writeFileSync(json, JSON.stringify({ hooks: entries }));
    chmodSync(json, 0o644);
    return await withServer({ ...more, settings: { PARLEY_JSON: json, ...more.settings } }, (s, p) => fn(s, p, dir));
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

/** The text of a file that a script writes, once all of it is there. */
async function written(file) {
  await within(10, (async () => { while (!existsSync(file) || !readFileSync(file, 'utf8').endsWith('\n')) await sleep(0.02); })(), file);
  return readFileSync(file, 'utf8');
}

async function ragbits(s, message, context = {}, o = {}) {
  const r = await stream(`${s.url}/api/chat`, { message, history: [], context }, o);
  await r.all();
  assert.equal(r.status, 200, r.raw.slice(0, 300));
  assert.equal(r.complete, true);
  return r.events.map((e) => JSON.parse(e.data));
}

describe('events', () => {
  test('are seen before the model has said anything, and kept', opts, () => withHooks([event('moderation', { allowed: true })], async (s, p) => {
    const g = gate();
    p.respond(async (req, io) => { await g.wait(); return simple('Hello.')(req, io); });
    for (const at of ['/chat', '/chat/stream', '/api/chat']) {
      const st = await stream(s.url + at, { message: 'Hi' });
      const e = await st.until((x) => x.data.includes('allowed'));
      assert.equal(g.isOpen, false);
      if (at === '/chat/stream') assert.deepEqual([e.event, JSON.parse(e.data)], ['moderation', { allowed: true }]);
      if (at === '/chat') assert.deepEqual(JSON.parse(e.data).parley, { type: 'moderation', content: { allowed: true } });
      if (at === '/api/chat') assert.deepEqual(JSON.parse(e.data), { type: 'moderation', content: { allowed: true } });
      st.close();
    }
    g.open();
    const r = await chatStream(s, 'Hi');
    assert.equal(r.text, 'Hello.');
    assert.deepEqual((await conversation(s, r.conversation_id)).messages[1].events, [{ type: 'moderation', content: { allowed: true } }]);
  }));

  test('come while the hook still runs', opts, () => withHooks([`${event('live_update', { update_id: 'a', type: 'START', content: { label: 'Looking' } })}while [ ! -e "$1/go" ]; do sleep 0.05; done\n${event('live_update', { update_id: 'a', type: 'FINISH', content: { label: 'Looked' } })}`], async (s, p, dir) => {
    p.respond(simple('Hello.'));
    const st = await stream(`${s.url}/chat/stream`, { message: 'Hi' });
    await st.until((e) => e.data.includes('Looking'));
    assert.equal(p.chats.length, 0, 'the model is asked when the hook is done');
    writeFileSync(path.join(dir, 'go'), '');
    await st.all();
    const r = readStream(st);
    assert.deepEqual(r.typed.map((e) => e.data.content.label), ['Looking', 'Looked']);
    assert.equal(r.text, 'Hello.');
  }));
});

describe('actions', () => {
  test('rewrite: models get other words, in later turns too, the user keeps their own', opts, () => withHooks([act('rewrite', 'Bonjour « à tous »\nici')], async (s, p) => {
    p.respond(simple('Salut.'));
    const r = await chat(s, 'Good morning everybody');
    assert.deepEqual(saidTo(p.chats[0]), [{ role: 'user', content: 'Bonjour « à tous »\nici' }]);
    const c = await conversation(s, r.conversation_id);
    assert.equal(c.messages[0].content, 'Good morning everybody');
    assert.equal(c.title, 'Good morning everybody');
    await chat(s, { message: 'Again', conversation_id: r.conversation_id });
    assert.deepEqual(saidTo(p.chats[1]).map((m) => m.content), ['Bonjour « à tous »\nici', 'Salut.', 'Bonjour « à tous »\nici']);
  }));

  test('rewrite of a question that is answered again: the hook sees the words of the user, and models what it makes of them now', opts, () => withHooks([`cat > "$1/input"\nn=$(ls "$1" | grep -c said); : > "$1/said-$n"\nprintf '{"action":"rewrite","text":"words %s"}\\n' "$n"\n`], async (s, p, dir) => {
    p.respond(simple('ok'));
    const first = await chat(s, 'Good morning');
    for (const n of [1, 2]) {
      await chat(s, { regenerate: first.message_id });
      assert.deepEqual(saidTo(p.chats.at(-1)), [{ role: 'user', content: `words ${n}` }]);
      const input = JSON.parse(readFileSync(path.join(dir, 'input'), 'utf8'));
      assert.equal(input.message, 'Good morning');
      assert.deepEqual(input.history, []);
    }
    const { messages } = await conversation(s, first.conversation_id);
    assert.deepEqual(messages.map((m) => m.content), ['Good morning', 'ok', 'ok', 'ok']);
    await chat(s, { message: 'Again', conversation_id: first.conversation_id });
    assert.deepEqual(saidTo(p.chats.at(-1)).map((m) => m.content), ['words 2', 'ok', 'words 3'], 'later turns have the newest words');
  }));

  test('system: the text is added to the system prompt', opts, () => withHooks([act('system', 'Rhyme.') + act('system', 'Always.')], async (s, p) => {
    p.respond(simple('ok'));
    await chat(s, 'Hi');
    assert.equal(systemOf(p.chats[0]), 'You are kind.\n\nRhyme.\n\nAlways.');
  }, { settings: { SYSTEM_PROMPT: 'You are kind.' } }));

  test('refuse: 403 with its sentence, the model is not asked, and what happened is kept', opts, () => withHooks([act('refuse', 'Not about that.')], async (s, p) => {
    p.respond(simple('never'));
    for (const r of [await chat(s, 'Hi'), await chatStream(s, 'Hi'), await chatWhole(s, 'Hi')]) assert.equal(assertError(r, 403, 'refused').message, 'Not about that.');
    const events = await ragbits(s, 'Hi');
    assert.deepEqual(events.at(-1), { type: 'error', content: { message: 'Not about that.' } });
    assert.equal(p.chats.length, 0);
    const all = (await list(s)).conversations;
    assert.equal(all.length, 4);
    for (const { conversation_id } of all) {
      const [question, answer] = (await conversation(s, conversation_id)).messages;
      assert.deepEqual([question.content, question.status, answer.content, answer.status], ['Hi', 'done', '', 'error']);
    }
  }));

  test('refuse after an event is an error in the stream; the words may be left out', opts, () => withHooks([event('moderation', { allowed: false }) + act('refuse', '')], async (s, p) => {
    const r = await chatStream(s, 'Hi');
    assert.equal(r.typed[0].event, 'moderation');
    assert.deepEqual([r.terminal.event, r.terminal.code], ['error', 'refused']);
    assert.ok(r.terminal.message.length > 8);
    const a = await chat(s, 'Hi');
    assert.equal(a.error.code, 'refused');
    assert.equal(p.chats.length, 0);
  }));

  test('hooks run in their order: each gets the words of the one before, none runs after a refusal', opts, () => withHooks([
    act('rewrite', 'second words'),
    `cat > "$1/input"\n${act('refuse', 'That is enough.')}`,
    'echo ran > "$1/third"\n',
  ], async (s, p, dir) => {
    assertError(await chatWhole(s, 'first words'), 403, 'refused');
    assert.equal(JSON.parse(await written(path.join(dir, 'input'))).message, 'second words');
    assert.equal(existsSync(path.join(dir, 'third')), false);
  }));

  test('a hook that says nothing changes nothing', opts, () => withHooks(['', 'exec cat > /dev/null\n'], async (s, p) => {
    p.respond(simple('Hello.'));
    const r = await chat(s, 'Hi');
    assert.equal(r.text, 'Hello.');
    assert.deepEqual(parleyEvents(r), []);
    assert.deepEqual(p.chats[0].body.messages, [{ role: 'user', content: 'Hi' }]);
  }));
});

describe('what a hook gets', () => {
  const KEEP = 'cat > "$1/input"\n';

  test('the message, what was said before, who asks, and the context', opts, () => withHooks([KEEP], async (s, p, dir) => {
    p.respond(simple('Hello.'));
    const first = await chat(s, 'Hi "you"\n😀', { auth: 'alice' });
    const r = await chat(s, { message: 'And now?', conversation_id: first.conversation_id, context: { timezone: 'Europe/Warsaw', mine: [1] } }, { auth: 'alice' });
    const text = await written(path.join(dir, 'input'));
    assert.equal(text.indexOf('\n'), text.length - 1, 'one line');
    const input = JSON.parse(text);
    assert.deepEqual(Object.keys(input), ['message', 'history', 'user', 'context']);
    assert.equal(input.message, 'And now?');
    assert.deepEqual(input.history, [{ role: 'user', content: 'Hi "you"\n😀' }, { role: 'assistant', content: 'Hello.' }]);
    assert.deepEqual(input.user, { user_id: 'alice' });
    assert.equal(input.context.conversation_id, r.conversation_id);
    assert.equal(input.context.message_id, r.message_id);
    assert.equal(input.context.timezone, 'Europe/Warsaw');
    assert.deepEqual(input.context.mine, [1]);
  }, { auth: true }));

  test('without sign-in there is no user; none of the keys is in its variables', opts, () => withHooks([`${KEEP}env > "$1/env"\necho >> "$1/env"\n`], async (s, p, dir) => {
    p.respond(simple('Hello.'));
    await ragbits(s, 'Hi', { user: { user_id: 'root' }, conversation_id: null });
    const input = JSON.parse(await written(path.join(dir, 'input')));
    assert.equal(input.user, null);
    assert.deepEqual(input.history, []);
    const env = await written(path.join(dir, 'env'));
    assert.ok(!env.includes(SECRET));
    assert.doesNotMatch(env, /^(PARLEY|OPENAI|HTTP|QUERY|GATEWAY)/m);
  }));
});

describe('a hook that fails', () => {
  const FAILING = {
    'ends with another status than 0': 'echo secret-of-the-hook >&2\nexit 3\n',
    'is ended by a signal': 'kill -9 $$\n',
    'answers with something else than JSON': 'echo "Traceback: secret-of-the-hook"\n',
    'answers with an unknown action': act('shout', 'x'),
    'makes an event that is not understood': event('reference', { url: 'x' }),
    'makes an event of the program\'s own': event('token', { text: 'x' }),
    'cannot be run': { command: ['/nonexistent/secret-of-the-hook'] },
    'does not end': { script: 'exec sleep 600\n', timeout_seconds: 0.3 * SCALE },
    'goes on saying nothing to what ends it': { script: 'trap "" TERM\nwhile :; do sleep 600; done\n', timeout_seconds: 0.3 * SCALE },
  };
  for (const [what, hook] of Object.entries(FAILING)) test(`${what}: 502 hook_failed, and the model is not asked`, opts, () => withHooks([hook], async (s, p) => {
    p.respond(simple('never'));
    const begun = performance.now();
    const e = assertError(await chatWhole(s, 'Hi'), 502, 'hook_failed');
    assert.doesNotMatch(e.message, /secret|hook-1|\//, 'neither paths nor what the hook said');
    assert.ok(performance.now() - begun < 8000 * SCALE);
    const events = await ragbits(s, 'Hi');
    assert.deepEqual([events.at(-1).type, events.at(-1).content.message], ['error', e.message]);
    assert.equal(p.chats.length, 0);
    const { answer } = await settled(s, (await list(s)).conversations[0].conversation_id);
    assert.equal(answer.status, 'error');
    await s.logged(/hook/);
  }));

  test('after an event: the stream ends with the error', opts, () => withHooks([`${event('moderation', { allowed: true })}exit 1\n`], async (s, p) => {
    const r = await chatStream(s, 'Hi');
    assert.deepEqual([r.terminal.event, r.terminal.code], ['error', 'hook_failed']);
    assert.equal((await chat(s, 'Hi')).error.code, 'hook_failed');
    assert.equal(p.chats.length, 0);
  }));

  test('--check names it', opts, async () => {
    const dir = mkdtempSync(path.join(tmpdir(), 'parley-program-'));
    try {
      const json = path.join(dir, 'parley.json');
      const file = path.join(dir, 'run.env');
      writeFileSync(json, JSON.stringify({ hooks: [{ command: ['/nonexistent/guard'] }] }));
      writeFileSync(file, settingsText({ PARLEY_DB: path.join(dir, 'parley.db'), PARLEY_JSON: json, LLM_MODEL: 'demo' }), { mode: 0o600 });
      const r = await new Promise((resolve) => { execFile(PROGRAM, ['--check', '--config', file], { env: { PATH: process.env.PATH } }, (e, out) => resolve({ code: e?.code ?? 0, out })); });
      assert.equal(r.code, 1);
      assert.match(r.out, /hooks: .*\/nonexistent\/guard/);
    } finally {
      rmSync(dir, { recursive: true, force: true });
    }
  });
});

test('Stop ends a hook that runs, with all that it has started', opts, () => withHooks([`${event('moderation', { allowed: true })}sleep 600 &\necho "$$ $!" > "$1/pids"\nwait\n`], async (s, p, dir) => {
  p.respond(simple('never'));
  const st = await stream(`${s.url}/chat/stream`, { message: 'Hi' });
  const { conversation_id } = JSON.parse((await st.next()).data);
  await st.until((e) => e.event === 'moderation');
  const pids = (await written(path.join(dir, 'pids'))).trim().split(' ').map(Number);
  assert.ok(pids.every((pid) => alive(pid)));
  const r = await request(`${s.url}/conversations/${conversation_id}/stop`, { method: 'POST' });
  assert.ok(r.status < 300, r.text);
  await st.all();
  assert.deepEqual([readStream(st).terminal.event, readStream(st).terminal.status], ['done', 'stopped']);
  await within(10, (async () => { while (pids.some((pid) => alive(pid))) await sleep(0.02); })(), 'the end of the hook');
  assert.equal((await settled(s, conversation_id)).answer.status, 'stopped');
  assert.equal(p.chats.length, 0);
}));

describe('other APIs and programs', () => {
  const ask = (s, more = {}) => post(`${s.url}/v1/chat/completions`, { model: 'test-model', messages: [{ role: 'system', content: 'Be kind.' }, { role: 'user', content: 'one' }, { role: 'assistant', content: 'two' }, { role: 'user', content: 'three' }], ...more });

  test('hooks see what is asked through /v1/chat/completions', opts, () => withHooks([`cat > "$1/input"\n${event('moderation', { allowed: true })}${act('rewrite', 'four')}${act('system', 'Rhyme.')}`], async (s, p, dir) => {
    p.respond(simple('five'));
    const r = await ask(s);
    assert.equal(r.json.choices[0].message.content, 'five');
    assert.ok(!r.text.includes('allowed'));
    assert.deepEqual(saidTo(p.chats[0]).map((m) => m.content), ['one', 'two', 'four']);
    assert.match(systemOf(p.chats[0]), /Be kind\.\n\nRhyme\./);
    const input = JSON.parse(await written(path.join(dir, 'input')));
    assert.equal(input.message, 'three');
    assert.deepEqual(input.history, [{ role: 'user', content: 'one' }, { role: 'assistant', content: 'two' }]);
    assert.equal(input.context.conversation_id, null);
    assert.equal((await list(s)).conversations.length, 0);
  }));

  test('a refusal and a failure have OpenAI\'s shape there', opts, async () => {
    await withHooks([act('refuse', 'Not about that.')], async (s, p) => {
      const r = await ask(s);
      assert.deepEqual([r.status, r.json.error.message, r.json.error.code], [403, 'Not about that.', 'refused']);
      assert.equal(p.chats.length, 0);
    });
    await withHooks(['exit 1\n'], async (s, p) => {
      const r = await ask(s);
      assert.deepEqual([r.status, r.json.error.code], [502, 'hook_failed']);
      assert.equal(p.chats.length, 0);
    });
  });

  test('an application is asked after them, with the words that they leave', opts, () => withHooks([act('rewrite', 'You blockhead!')], async (s, p) => {
    assert.match(assertError(await chatWhole(s, 'Good morning'), 403, 'refused').message, /polite/);
    assert.equal(p.chats.length, 0);
  }, { app: 'moderation' }));
});
