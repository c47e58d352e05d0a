// The clients that the documents of the product's model APIs show, as scripts that people will run against us: a Python and a JavaScript reader of POST /api/v1/chat, a Python reader of POST /chat/stream
// (made for Streamlit), and curl.
//
// The scripts are written anew and take the same steps. Where such a client has a fault of its own, it is run as it stands for the answers that it can read, its fault is pinned down, and a mended one
// beside it reads everything; what was mended is said at each. Neighbours: openai.test.js (OpenAI's own SDK), chat.test.js and stream.test.js (the same paths, looked at closely).
import test, { before, after, beforeEach, describe } from 'node:test';
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { shared, withServer, REPO } from './server.js';
import { SCALE, simple, held, gate, serverError, within } from '../provider/provider.js';

const opts = { timeout: 60_000 * SCALE };
const at = shared({ before, after, beforeEach });

/** Runs a program to its end: {code, out, err}. `seen(out)` is told what it has printed so far. */
function run(command, args, seen = () => {}) {
  const child = spawn(command, args, { env: { PATH: process.env.PATH, LANG: 'C.UTF-8', PYTHONIOENCODING: 'utf-8', NO_PROXY: '*' }, stdio: ['ignore', 'pipe', 'pipe'] });
  const said = { out: '', err: '' };
  for (const [stream, name] of [[child.stdout, 'out'], [child.stderr, 'err']]) stream.setEncoding('utf8').on('data', (d) => { said[name] += d; if (name === 'out') seen(said.out); });
  return within(30, new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, ...said }));
  }), `the end of ${command}`).catch((e) => { child.kill('SIGKILL'); throw e; });
}
const python = (script, args, seen) => run('python3', ['-c', script, ...args], seen);
const node = (script, args, seen) => run(process.execPath, ['--input-type=module', '-e', script, ...args], seen);
const curl = (args, seen) => run('curl', ['-sS', '--noproxy', '*', ...args], seen);
const JSON_TYPE = ['-H', 'Content-Type: application/json'];

function ended({ code, out, err }) {
  assert.equal(code, 0, err);
  return out;
}

/** The client shows the first words while the provider still holds back the others. */
async function isLive(client) {
  const g = gate();
  at.p.respond(held('first ', g, 'second'));
  const r = await client((out) => { if (out.includes('first')) g.open(); });
  assert.ok(g.isOpen);
  return r;
}

const EASY = ['Retrieval', '-augmented', ' generation', '.'];
const HARD = ['  {"a": ', '1}\n\n', 'data: [DONE]\n', '[DONE]', '{', 'Grüße 🙂', ' ', '\t', '\n', '\u2028', '"\\', ' \n end  '];

// ---------------------------------------------------------------- POST /api/v1/chat

/** What both clients begin with: passages for the store, without a look at what that gives. */
const PASSAGES = '{"documents": ["One passage about a framework.", "Another about retrieval."]}';

describe('the Python reader of POST /api/v1/chat', () => {
  const ask = `
import json, sys, requests
url = sys.argv[1]
requests.post(url + '/api/v1/documents/add', json=json.loads('${PASSAGES}'))
answer = requests.post(url + '/api/v1/chat', json={'messages': [{'role': 'user', 'content': 'What is that?'}], 'stream': True}, stream=True)
`;
  // Its fault: the mark [DONE] is compared only after it went through the JSON parser, which does not take it. All text has been printed by then.
  const asItStands = `${ask}
for raw in answer.iter_lines():
    text = raw.decode('utf-8')
    if text.startswith('data: '):
        piece = json.loads(text[6:])
        if piece != '[DONE]':
            print(piece['content'], end='', flush=True)
`;
  // Mended: [DONE] is looked for in the bare text, a status that is no 200 is not read as a stream, and an error in the stream is one.
  const mended = `${ask}
if answer.status_code != 200:
    sys.exit('refused: %d %s' % (answer.status_code, answer.json()['detail']))
for raw in answer.iter_lines():
    text = raw.decode('utf-8')
    if not text.startswith('data: ') or text == 'data: [DONE]':
        continue
    piece = json.loads(text[6:])
    if 'error' in piece:
        sys.exit('failed: ' + piece['error']['code'])
    print(piece['content'], end='', flush=True)
`;

  test('as it stands prints every answer, and falls over the mark at its end', opts, async () => {
    for (const tokens of [EASY, HARD]) {
      at.p.respond(simple(tokens));
      const r = await python(asItStands, [at.s.url]);
      assert.equal(r.out, tokens.join(''));
      assert.equal(r.code, 1);
      assert.match(r.err, /JSONDecodeError/);
    }
    assert.deepEqual(at.p.chats[0].body.messages, [{ role: 'user', content: 'What is that?' }]);
  });

  test('mended prints every answer and ends well', opts, async () => {
    for (const tokens of [EASY, HARD]) {
      at.p.respond(simple(tokens));
      assert.equal(ended(await python(mended, [at.s.url])), tokens.join(''));
    }
  });

  test('prints at once what comes', opts, async () => {
    assert.equal((await isLive((seen) => python(asItStands, [at.s.url], seen))).out, 'first second');
    assert.equal(ended(await isLive((seen) => python(mended, [at.s.url], seen))), 'first second');
  });

  test('mended tells of failures, before the first word and after it', opts, async () => {
    at.p.respond(serverError(401));
    const refused = await python(mended, [at.s.url]);
    assert.match(refused.err, /refused: 502 .*key/);
    at.p.respond(async (req, io) => { io.role(); io.token('half '); io.chunk({ error: { message: 'crashed' } }); await io.end(); });
    const failed = await python(mended, [at.s.url]);
    assert.equal(failed.out, 'half ');
    assert.match(failed.err, /failed: provider_error/);
    const stands = await python(asItStands, [at.s.url]);     // it has no word for an error
    assert.equal(stands.out, 'half ');
    assert.match(stands.err, /KeyError/);
  });
});

describe('the JavaScript reader of POST /api/v1/chat', () => {
  // Cutting into single bytes is what a network or a proxy may do at any time; here it is done at every place.
  const ask = `
const [url, cut] = process.argv.slice(1);
await fetch(url + '/api/v1/documents/add', { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: '${PASSAGES}' });
const answer = await fetch(url + '/api/v1/chat', {
  method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ messages: [{ role: 'user', content: 'What is that?' }], stream: true }),
});
const bytes = new TransformStream({ transform(piece, to) { for (let i = 0; i < piece.length; i++) to.enqueue(piece.subarray(i, i + 1)); } });
const reader = (cut ? answer.body.pipeThrough(bytes) : answer.body).getReader();
const decoder = new TextDecoder();
`;
  // Its faults: each read is taken for whole lines and whole characters, and [DONE] goes through JSON.parse, which throws, when all text has been printed.
  const asItStands = `${ask}
for (let read; !(read = await reader.read()).done;) {
  for (const line of decoder.decode(read.value).split('\\n')) {
    if (!line.startsWith('data: ')) continue;
    const piece = JSON.parse(line.slice(6));
    if (piece !== '[DONE]') process.stdout.write(piece.content);
  }
}
`;
  // Mended: the decoder is told that more comes, what follows the last line break waits for the next read, [DONE] is looked for in the bare text, and an error in the stream is one.
  const mended = `${ask}
let rest = '';
for (let read; !(read = await reader.read()).done;) {
  const lines = (rest + decoder.decode(read.value, { stream: true })).split('\\n');
  rest = lines.pop();
  for (const line of lines) {
    if (!line.startsWith('data: ') || line === 'data: [DONE]') continue;
    const piece = JSON.parse(line.slice(6));
    if (piece.error) throw new Error(piece.error.code);
    process.stdout.write(piece.content);
  }
}
`;

  test('as it stands prints an answer whose pieces come whole, and falls over the mark at its end', opts, async () => {
    at.p.respond(simple(EASY));
    const r = await node(asItStands, [at.s.url]);
    assert.equal(r.out, EASY.join(''));
    assert.equal(r.code, 1);
    assert.match(r.err, /SyntaxError/);
  });

  test('as it stands finds nothing in pieces that are cut', opts, async () => {
    at.p.respond(simple(EASY));
    assert.equal(ended(await node(asItStands, [at.s.url, 'cut'])), '');
  });

  test('mended prints every answer, however it is cut', opts, async () => {
    for (const tokens of [EASY, HARD]) for (const cut of [[], ['cut']]) {
      at.p.respond(simple(tokens));
      assert.equal(ended(await node(mended, [at.s.url, ...cut])), tokens.join(''));
    }
  });

  test('prints at once what comes', opts, async () => {
    assert.equal((await isLive((seen) => node(asItStands, [at.s.url], seen))).out, 'first second');
    assert.equal(ended(await isLive((seen) => node(mended, [at.s.url], seen))), 'first second');
  });

  test('mended throws what fails after the first word', opts, async () => {
    at.p.respond(async (req, io) => { io.role(); io.token('half '); io.chunk({ error: { message: 'crashed' } }); await io.end(); });
    const r = await node(mended, [at.s.url, 'cut']);
    assert.equal(r.out, 'half ');
    assert.match(r.err, /Error: provider_error/);
  });
});

test('curl asks POST /api/v1/chat for a whole answer, and whether the retrieval API lives', opts, async () => {
  at.p.respond(simple(HARD));
  const whole = JSON.parse(ended(await curl(['-X', 'POST', `${at.s.url}/api/v1/chat`, ...JSON_TYPE, '-d', '{"messages": [{"role": "user", "content": "What is that?"}], "stream": false}'])));
  assert.equal(whole.content, HARD.join(''));
  assert.equal(whole.role, 'assistant');
  assert.equal(JSON.parse(ended(await curl([`${at.s.url}/api/v1/health`]))).status, 'healthy');
});

// ---------------------------------------------------------------- POST /chat/stream

describe('the Python reader of POST /chat/stream, made for Streamlit', () => {
  const ask = `
import json, sys, requests
url, message = sys.argv[1:3]
conversation = sys.argv[3] if len(sys.argv) > 3 else None
answer = requests.post(url + '/chat/stream', json={'message': message, 'conversation_id': conversation}, stream=True)
shown = ''
def show(piece):
    global shown
    shown += piece
    print(json.dumps({'token': piece}), flush=True)
`;
  const end = `
print(json.dumps({'shown': shown, 'conversation': conversation}))
`;
  // Its faults: it takes the spaces off each data line and drops lines that are empty then, so words run together and lines are lost; whatever begins with "{" it takes for JSON of ours, so text that
  // does so is not shown, or is no JSON and ends the client; names of events are not looked at, so an error passes in silence. The tutorial's own example, tokens without spaces, it reads well.
  const asItStands = `${ask}
for raw in answer.iter_lines():
    text = raw.decode('utf-8')
    if not text.startswith('data:'):
        continue
    data = text[5:].strip()
    if data.startswith('{'):
        conversation = json.loads(data).get('conversation_id', conversation)
    elif data:
        show(data)
${end}`;
  // Mended: events are read as the HTML standard says ("Server-sent events", parsing an event stream): only one space after the colon is not data, lines of one event are joined by line breaks, an empty
  // line ends it; its name says whether it is text or JSON.
  const mended = `${ask}
if answer.status_code != 200:
    sys.exit('refused: ' + answer.json()['error']['code'])
event, data = '', []
for raw in answer.iter_lines():
    name, _, value = raw.decode('utf-8').partition(':')
    value = value[1:] if value.startswith(' ') else value
    if raw:
        if name == 'event':
            event = value
        elif name == 'data':
            data.append(value)
        continue
    if event == 'token':
        show('\\n'.join(data))
    elif event in ('start', 'done'):
        conversation = json.loads('\\n'.join(data))['conversation_id']
    elif event == 'error':
        sys.exit('failed: ' + json.loads('\\n'.join(data))['code'])
    event, data = '', []
${end}`;
  const last = (r) => JSON.parse(ended(r).trim().split('\n').at(-1));

  test('as it stands shows tokens without spaces, and goes on with the conversation', opts, async () => {
    at.p.respond(simple(['H', 'i', '!']));
    const first = last(await python(asItStands, [at.s.url, 'My name is Alice']));
    assert.equal(first.shown, 'Hi!');
    assert.ok(first.conversation);
    at.p.respond(simple(['Alice']));
    assert.deepEqual(last(await python(asItStands, [at.s.url, 'Who am I?', first.conversation])), { shown: 'Alice', conversation: first.conversation });
    assert.deepEqual(at.p.chats[1].body.messages.map((m) => m.content), ['My name is Alice', 'Hi!', 'Who am I?']);
  });

  test('as it stands loses spaces, lines and errors, and falls over braces', opts, async () => {
    at.p.respond(simple(['two ', 'words', '\n', 'and\n\n  more']));
    const { shown } = last(await python(asItStands, [at.s.url, 'x']));
    assert.equal(shown.replaceAll(' ', ''), 'twowordsandmore');   // which spaces are left depends on what came together in one event: see below for two that did not
    at.p.respond(simple(['{brace']));
    assert.match((await python(asItStands, [at.s.url, 'x'])).err, /JSONDecodeError/);
    at.p.respond(async (req, io) => { io.role(); io.token('half'); io.chunk({ error: { message: 'crashed' } }); await io.end(); });
    assert.equal(last(await python(asItStands, [at.s.url, 'x'])).shown, 'half');
  });

  test('mended shows every answer, and goes on with the conversation', opts, async () => {
    let conversation;
    for (const tokens of [['two ', 'words', '\n', 'and\n\n  more'], HARD]) {
      at.p.respond(simple(tokens));
      const r = last(await python(mended, [at.s.url, 'x', ...(conversation ? [conversation] : [])]));
      assert.equal(r.shown, tokens.join(''));
      conversation ??= r.conversation;
      assert.equal(r.conversation, conversation);
    }
    assert.equal(at.p.chats[1].body.messages.length, 3);
  });

  test('shows at once what comes, and no thinking', opts, async () => {
    assert.equal(last(await isLive((seen) => python(asItStands, [at.s.url, 'x'], seen))).shown, 'firstsecond');
    assert.equal(last(await isLive((seen) => python(mended, [at.s.url, 'x'], seen))).shown, 'first second');
    at.p.respond(async (req, io) => { io.chunk(io.shape({ reasoning_content: 'hm' })); io.token('yes'); io.finish(); io.done(); await io.end(); });
    for (const script of [asItStands, mended]) assert.equal(last(await python(script, [at.s.url, 'x'])).shown, 'yes');
  });

  test('mended tells of failures, before the first word and after it', opts, async () => {
    at.p.respond(serverError(401));
    assert.match((await python(mended, [at.s.url, 'x'])).err, /refused: provider_auth/);
    at.p.respond(async (req, io) => { io.role(); io.token('half'); io.chunk({ error: { message: 'crashed' } }); await io.end(); });
    const failed = await python(mended, [at.s.url, 'x']);
    assert.match(failed.out, /half/);
    assert.match(failed.err, /failed: provider_error/);
  });
});

test('curl asks POST /chat for a whole answer, POST /chat/stream for events, and then for the conversation, which it deletes', opts, async () => {
  at.p.respond(simple('Fine, thanks.'));
  const whole = JSON.parse(ended(await curl(['-X', 'POST', `${at.s.url}/chat`, ...JSON_TYPE, '-d', '{"message": "Hello! How are you?", "stream": false}'])));
  assert.equal(whole.response, 'Fine, thanks.');
  const events = ended(await curl(['-X', 'POST', `${at.s.url}/chat/stream`, ...JSON_TYPE, '-d', JSON.stringify({ message: 'Tell me a short joke', conversation_id: whole.conversation_id })])).split('\n\n').filter(Boolean);
  const named = (name) => events.filter((e) => e.startsWith(`event: ${name}\n`)).map((e) => e.split('\n').find((l) => l.startsWith('data: ')).slice(6));
  assert.equal(named('token').join(''), 'Fine, thanks.');
  assert.deepEqual(named('done').map((d) => JSON.parse(d).conversation_id), [whole.conversation_id]);
  const address = `${at.s.url}/conversations/${whole.conversation_id}`;
  const kept = JSON.parse(ended(await curl([address])));
  assert.equal(kept.conversation_id, whole.conversation_id);
  assert.deepEqual(kept.messages.map((m) => [m.role, m.content]), [['user', 'Hello! How are you?'], ['assistant', 'Fine, thanks.'], ['user', 'Tell me a short joke'], ['assistant', 'Fine, thanks.']]);
  assert.deepEqual(JSON.parse(ended(await curl(['-X', 'DELETE', address]))), { status: 'deleted' });
  assert.match(ended(await curl(['-w', '%{http_code}', '-o', '/dev/null', address])), /404$/);
  assert.match(ended(await curl(['-w', '%{http_code}', '-o', '/dev/null', '-X', 'POST', `${at.s.url}/chat`, ...JSON_TYPE, '-d', '{"message": ""}'])), /422$/);
});

// ---------------------------------------------------------------- POST /chat, the backends' settings

describe('curl at POST /chat', () => {
  const ask = (s, message, seen) => curl(['-N', '-X', 'POST', `${s.url}/chat`, ...JSON_TYPE, '-d', JSON.stringify({ user_id: 'user123', message })], seen);
  /** What a reader makes of it that knows nothing but choices[0].delta.content and [DONE]. */
  function textOf(out) {
    const data = out.split('\n').filter(Boolean).map((line) => { assert.match(line, /^data: /); return line.slice(6); });
    assert.equal(data.pop(), '[DONE]');
    return data.map((d) => JSON.parse(d).choices[0].delta.content ?? '').join('');
  }

  test('gets chunks and [DONE], at once, and the same user goes on', opts, async () => {
    assert.equal(textOf(ended(await isLive((seen) => ask(at.s, 'My name is Alice', seen)))), 'first second');
    at.p.respond(simple(HARD));
    assert.equal(textOf(ended(await ask(at.s, 'Hello, who are you?'))), HARD.join(''));
    assert.deepEqual(at.p.chats[1].body.messages.map((m) => m.content), ['My name is Alice', 'first second', 'Hello, who are you?']);
  });

  test('GET /health and GET /ready', opts, async () => {
    const [health, ready] = await Promise.all(['health', 'ready'].map((path) => curl(['-f', `${at.s.url}/${path}`])));
    assert.equal(JSON.parse(ended(health)).status, 'healthy');
    const { status, store, provider } = JSON.parse(ended(ready));
    assert.deepEqual({ status, store, provider }, { status: 'ready', store: 'ok', provider: 'ok' });
  });

  for (const [name, model] of [['.env.vllm', 'facebook/opt-125m'], ['.env.ollama', undefined]]) test(`with the settings of ${name}, and a REDIS_URL that nobody needs any more`, opts, async () => {
    const lines = readFileSync(path.join(REPO, name), 'utf8').split('\n').filter((l) => /^\w+=/.test(l));
    const settings = Object.fromEntries(lines.map((l) => [l.slice(0, l.indexOf('=')), l.slice(l.indexOf('=') + 1)]));
    assert.deepEqual(Object.keys(settings).sort(), ['APP_PORT', 'LLM_BASE_URL', 'LLM_MODEL', 'LOG_LEVEL']);
    assert.match(settings.LLM_BASE_URL, /^http:\/\/127\.0\.0\.1:\d+\/v1$/);
    delete settings.LLM_BASE_URL;                            // the test's own server is asked
    await withServer({ settings: { OPENAI_API_KEY: undefined, ...settings, REDIS_URL: 'redis://redis:6379/0' } }, async (s, p) => {
      p.respond(simple('Hello'));
      assert.equal(textOf(ended(await ask(s, 'Hello, who are you?'))), 'Hello');
      assert.equal(p.chats[0].body.model, model ?? settings.LLM_MODEL);
      assert.equal(settings.LLM_MODEL, model ?? settings.LLM_MODEL);
      assert.equal('authorization' in p.chats[0].headers, false, 'such servers have no key');
    });
  });
});
