// Whose data: every route that the program has, as its owner, as another user, and with no name; ids of every kind; second ways in; what gets into the log.
// The list of routes comes from the program: a new one fails here until it is in the table below. What single routes do with others' data in particular is in signin.test.js.
import test, { describe, before, after, beforeEach } from 'node:test';
import assert from 'node:assert/strict';
import { readFileSync, readdirSync, statSync } from 'node:fs';
import { execFileSync } from 'node:child_process';
import path from 'node:path';
import { shared, sql, PROGRAM, REPO } from './server.js';
import { lacks } from './hosting.js';
import { simple, held, gate, SCALE } from '../provider/provider.js';
import { request, get, post, del, stream, chat, chatWhole, conversation, list, rawRequest, settled, waitUntil } from './client.js';

const opts = { timeout: 60_000 * SCALE };
const at = shared({ before, after, beforeEach }, { auth: true });
const alice = { auth: 'alice' };
const bob = { auth: 'bob' };

const PAGE = 'the page, the same for everybody';
const ABOUT = 'says what the server is, nothing of a user';
const LATER = 'a way of signing in that is not there yet';
const NONE = 'takes no id; what it lists is the asker\'s own';
/** For each route: what asks it for the conversation ID with its answer MESSAGE ([method, path, body]); or why it takes no id of a user's. */
const TABLE = {
  'POST /chat': [['POST', '/chat', { message: 'Hi', conversation_id: 'ID' }], ['POST', '/chat', { message: 'Hi', conversation_id: 'ID', stream: false }], ['POST', '/chat', { message: 'Hi', conversation_id: 'ID', parent_id: 'MESSAGE' }],
    ['POST', '/chat', { message: 'Hi', parent_id: 'MESSAGE' }]],
  'POST /chat/stream': [['POST', '/chat/stream', { message: 'Hi', conversation_id: 'ID' }], ['POST', '/chat/stream', { message: 'Hi', conversation_id: 'ID', parent_id: 'MESSAGE' }]],
  'GET /conversations': NONE,
  'POST /conversations': [['POST', '/conversations', { fork_of: 'MESSAGE' }]],
  'GET /conversations/{}': [['GET', '/conversations/ID']],
  'PATCH /conversations/{}': [['PATCH', '/conversations/ID', { title: 'stolen' }], ['PATCH', '/conversations/ID', { metadata: { a: 1 } }]],
  'DELETE /conversations/{}': [['DELETE', '/conversations/ID']],
  'DELETE /conversations/{}/messages': [['DELETE', '/conversations/ID/messages']],
  'DELETE /conversations/{}/messages/{}': [['DELETE', '/conversations/ID/messages/MESSAGE']],
  'POST /conversations/{}/stop': [['POST', '/conversations/ID/stop'], ['POST', '/conversations/ID/stop', {}]],
  'GET /conversations/{}/stream': [['GET', '/conversations/ID/stream'], ['GET', '/conversations/ID/stream?after=MESSAGE:0'], ['GET', '/conversations/ID/stream?poll=1']],
  'GET /usage': NONE,
  'POST /api/chat': [['POST', '/api/chat', { message: 'Hi', history: [], context: { conversation_id: 'ID' } }]],
  'POST /api/feedback': [['POST', '/api/feedback', { message_id: 'MESSAGE', feedback: 'like', payload: {} }]],
  'POST /api/upload': 'keeps nothing',
  'GET /api/user': 'says who asks',
  'POST /api/auth/login': LATER, 'POST /api/auth/logout': LATER, 'GET /api/auth/authorize/{}': LATER, 'GET /api/auth/callback/{}': LATER,
  'POST /api/v1/chat': NONE,
  'GET /api/v1/health': ABOUT,
  'POST /v1/chat/completions': NONE,
  'GET /v1/models': ABOUT, 'GET /v1/models/{*}': ABOUT,
  'POST /v1/embeddings': 'keeps nothing',
  'GET /': PAGE, 'GET /login': PAGE, 'GET /conversation/{}': PAGE,
  'GET /api/config': 'says who asks', 'GET /api/theme': ABOUT, 'GET /diagnose/stream': ABOUT, 'GET /metrics': ABOUT, 'GET /health': ABOUT, 'GET /ready': ABOUT,
};
const ROUTES = execFileSync(PROGRAM, ['--routes'], { encoding: 'utf8' }).trim().split('\n');

test('every route of the program is in the table', () => {
  assert.ok(ROUTES.length > 20);
  assert.deepEqual(ROUTES.filter((r) => !(r in TABLE)), [], 'new routes: say what asks them for somebody\'s data, or why there is none');
});

describe('ids of others', () => {
  const CASES = ROUTES.filter((r) => Array.isArray(TABLE[r])).flatMap((r) => TABLE[r].map((ask) => [r, ...ask]));
  /** Asks for this conversation and message; whole, also when it streams. */
  const ask = ([, method, where, body], id, message, who) => {
    const put = (text) => text.replaceAll('ID', () => id).replaceAll('MESSAGE', () => message);
    const inBody = (value) => JSON.parse(JSON.stringify(value).replaceAll('"ID"', JSON.stringify(id)).replaceAll('"MESSAGE"', JSON.stringify(message)));
    const inPath = (text) => put(text.replace('ID', encodeURIComponent(id)).replace('MESSAGE', encodeURIComponent(message)));
    return request(at.s.url + inPath(where), { method, body: body && inBody(body), ...who });
  };
  const of = async (who, text) => { at.p.respond(simple(`an answer with ${text}`)); const c = await chat(at.s, `a question with ${text}`, who); return [c.conversation_id, c.message_id]; };
  const titleOf = ([route, method, where, body]) => `${method} ${where}${body ? ` ${JSON.stringify(body)}` : ''}`;

  for (const one of CASES) test(`${titleOf(one)}: alice's is to bob what is not there, whatever was there once, and stays as it was`, opts, async () => {
    const [id, message] = await of(alice, 'ALICESECRET');
    const [gone, goneMessage] = await of(bob, 'deleted');
    assert.equal((await del(`${at.s.url}/conversations/${gone}`, bob)).status, 200);
    const was = await conversation(at.s, id, alice);
    const counts = () => sql(at.s.db, 'SELECT (SELECT count(*) FROM messages) AS m, (SELECT count(*) FROM conversations) AS c, (SELECT count(*) FROM feedback) AS f')[0];
    const n = counts();
    at.p.reset(simple('ok'));
    const foreign = await ask(one, id, message, bob);
    const missing = await ask(one, gone, goneMessage, bob);
    const lone = one[3]?.parent_id && !one[3].conversation_id;   // a message alone names no conversation that could be found or not
    assert.equal(foreign.status, lone ? 422 : 404, foreign.text.slice(0, 300));
    assert.equal(missing.status, foreign.status);
    assert.doesNotMatch(foreign.text + JSON.stringify(foreign.headers), /ALICESECRET/);
    assert.equal(foreign.text.replaceAll(id, 'X').replaceAll(message, 'Y'), missing.text.replaceAll(gone, 'X').replaceAll(goneMessage, 'Y'));
    const stranger = await ask(one, id, message, {});
    assert.equal(stranger.status, 401);
    assert.doesNotMatch(stranger.text, /ALICESECRET/);
    assert.deepEqual(counts(), n, 'nothing was made');
    assert.equal(at.p.chats.length, 0, 'no provider was asked');
    assert.deepEqual(await conversation(at.s, id, alice), was);
    const own = await ask(one, id, message, alice);            // so that the refusals mean something
    assert.ok(own.status < 300 || (lone && own.status === 422), `${own.status} ${own.text.slice(0, 300)}`);
  });

  const MALFORMED = ['x', '0', '-1', 'null', 'undefined', '%', '..', '../..', '*', "' OR 1=1 --", '"', '\u0000', 'A'.repeat(26), 'a'.repeat(5000), '😀', ' ', 'ID', '1e9', '9223372036854775808', '[object Object]'];
  for (const one of CASES) test(`${titleOf(one)}: ids of no known form are 404, or refused with a sentence`, opts, async () => {
    const [id] = await of(alice, 'ALICESECRET');
    for (const bad of [...MALFORMED, id.toUpperCase(), `${id} `, ` ${id}`, `${id}x`, id.slice(0, -1), `${id}\u0000`, `${id}/`]) {
      const r = await ask(one, bad, bad, bob);
      if (r.status === 200 && /^\.\.|^%|^\/|^ *$/.test(bad)) assert.match(r.headers['content-type'], /^text\/html/, 'the way up leads to the page');
      else assert.ok([400, 401, 403, 404, 405, 414, 422, 431].includes(r.status), `${JSON.stringify(bad.slice(0, 40))}: ${r.status} ${r.text.slice(0, 200)}`);
      assert.doesNotMatch(r.text, /ALICESECRET/);
    }
  });

  test('bob does not stop or follow an answer of alice that is being written', opts, async () => {
    const g = gate();
    at.p.respond(held(['ALICESECRET '], g, ['end']));
    const c = await stream(`${at.s.url}/chat/stream`, { message: 'Hi' }, alice);
    const id = JSON.parse((await c.next()).data).conversation_id;
    await c.until((e) => /ALICE/.test(e.data));
    for (const [method, where] of [['POST', `/conversations/${id}/stop`], ['GET', `/conversations/${id}/stream`], ['GET', `/conversations/${id}`]]) assert.equal((await request(at.s.url + where, { method, ...bob })).status, 404);
    g.open();
    await c.all();
    assert.equal((await settled(at.s, id, alice)).answer.status, 'done');
  });
});

describe('a second way in', () => {
  const FORGED = [{}, { 'x-api-key': 'x' }, { authorization: 'Bearer x' }, { authorization: 'Bearer alice' }, { authorization: 'Basic' }, { authorization: 'basic YWxpY2U6' }, { 'remote-user': 'alice' }, { remote_user: 'alice' }, { 'x-remote-user': 'alice' },
    { 'x-forwarded-user': 'alice' }, { 'x-forwarded-for': '127.0.0.1' }, { cookie: 'user=alice; session=alice; REMOTE_USER=alice' }, { 'proxy-authorization': 'Basic YWxpY2U6YWxpY2U=' }, { 'x-original-url': '/health' }, { 'x-rewrite-url': '/health' }];
  const SPELLINGS = ['/conversations', '//conversations', '/./conversations', '/x/../conversations', '/%63onversations', '/conversations/', '/CONVERSATIONS', '/conversations;x', '/conversations%2f', '/conversations%00', '/conversations?user_id=alice', '/health/../conversations',
    '/conversations%3fx', '/cgi-bin/chat.fcgi/conversations', '/cgi-bin/chat.cgi/conversations'];
  const secretOf = async () => { at.p.respond(simple('ok')); await chat(at.s, 'ALICESECRET is the title', alice); };

  test('no header, method or spelling gives a stranger anything of alice', opts, async () => {
    await secretOf();
    for (const headers of FORGED) for (const where of SPELLINGS) {
      const r = await get(at.s.url + where, { headers });
      assert.ok(r.status >= 400, `${where} with ${JSON.stringify(headers)}: ${r.status}`);
      assert.doesNotMatch(r.text, /ALICESECRET/);
    }
    for (const method of ['HEAD', 'OPTIONS', 'PUT', 'TRACE', 'PROPFIND', 'BREW']) {
      const r = await request(`${at.s.url}/conversations`, { method }).catch(() => ({ status: 400, text: '' }));
      assert.ok(r.status >= 400 || method === 'OPTIONS', `${method}: ${r.status}`);
      assert.doesNotMatch(r.text, /ALICESECRET/);
    }
  });

  test('no header, method or spelling shows bob anything of alice', opts, async () => {
    await secretOf();
    for (const headers of FORGED.filter((h) => !('authorization' in h))) for (const where of SPELLINGS) {
      const r = await get(at.s.url + where, { headers, ...bob });
      assert.doesNotMatch(r.text, /ALICESECRET/, `${where} with ${JSON.stringify(headers)}`);
    }
    const { conversations: [mine] } = await list(at.s, '', alice);
    for (const headers of [{ 'x-http-method-override': 'DELETE' }, { 'x-method-override': 'DELETE' }]) for (const where of [`/conversations/${mine.conversation_id}`, `/conversations/${mine.conversation_id}?_method=DELETE`]) {
      await request(at.s.url + where, { method: 'POST', headers, ...alice });
      assert.equal((await get(`${at.s.url}/conversations/${mine.conversation_id}`, alice)).status, 200, 'a POST does not delete');
    }
  });

  test('fields of a body never set an owner, an id, a role or a time', opts, async () => {
    at.p.respond(simple('ok'));
    const forged = { owner: 'alice', user: 'alice', user_id: undefined, id: 1, conversation: 'x', public_id: 'x', role: 'system', created_at: '1999-01-01T00:00:00Z', created: 1, updated_at: '1999-01-01T00:00:00Z', status: 'done', seq: 7, is_admin: true, '__proto__': { owner: 'alice' } };
    const made = await post(`${at.s.url}/conversations`, { title: 'mine', ...forged }, bob);
    if (made.status === 201) {
      assert.equal((await get(`${at.s.url}/conversations/${made.json.conversation_id}`, alice)).status, 404);
      assert.ok(Date.now() - Date.parse(made.json.created_at) < 60_000 * SCALE);
      assert.notEqual(made.json.conversation_id, 'x');
    } else assert.ok([400, 422].includes(made.status));
    const r = await chatWhole(at.s, { message: 'Hi', ...forged }, bob);
    if (r.status === 200) {
      const c = await conversation(at.s, r.json.conversation_id, bob);
      assert.deepEqual(c.messages.map((m) => m.role), ['user', 'assistant']);
      assert.ok(c.messages.every((m) => Date.now() - Date.parse(m.created_at) < 60_000 * SCALE));
      assert.equal((await get(`${at.s.url}/conversations/${r.json.conversation_id}`, alice)).status, 404);
      assert.deepEqual(at.p.chats.at(-1).body.messages.filter((m) => m.content === 'Hi').map((m) => m.role), ['user']);
    } else assert.ok([400, 422].includes(r.status));
  });
});

describe('the log', () => {
  test('control characters of a request do not reach it: each line is one JSON object', opts, async () => {
    at.p.respond(simple('\u001b[31mred\u001b[0m\n{"level":"error","message":"forged"}'));
    const nasty = '\u001b]0;title\u0007\u001b[2J\r\n{"level":"error","message":"forged"}\u009b31m';
    const from = at.s.log().length;
    await chatWhole(at.s, { message: nasty, model: nasty, system: nasty, user_id: nasty, metadata: { [nasty]: nasty } }, alice);
    await chatWhole(at.s, { message: nasty, system: nasty, metadata: { [nasty]: nasty } }, alice);
    for (const where of [`/conversations/${encodeURIComponent(nasty)}`, `/conversations?q=${encodeURIComponent(nasty)}`, `/${encodeURIComponent(nasty)}`, `/conversations?before=${encodeURIComponent(nasty)}`]) await get(at.s.url + where, alice);
    await rawRequest(at.s, `GET /health\u001b[2J HTTP/1.1\r\nHost: localhost\r\nX-Odd: \u001b[2J\r\nConnection: close\r\n\r\n`).catch(() => '');
    await get(`${at.s.url}/health`, alice);
    await waitUntil(10, async () => /GET \/health/.test(at.s.log().slice(from)), 'the line of the last request');
    const lines = at.s.log().slice(from).split('\n').slice(0, -1);
    for (const line of lines) {
      // eslint-disable-next-line no-control-regex
      assert.doesNotMatch(line, /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/, JSON.stringify(line));
      if (!line.startsWith('{')) continue;
      assert.notEqual(JSON.parse(line).message, 'forged', 'a line of somebody else\'s');
    }
  });
});

describe('the process', () => {
  test('starts no other process for a turn', { ...opts, skip: lacks('threadedWorker') }, async () => {
    const g = gate();
    at.p.respond(held(['one '], g, ['two']));
    const c = await stream(`${at.s.url}/chat/stream`, { message: 'Hi' }, alice);
    await c.until((e) => /one/.test(e.data));
    const [pid] = at.s.workerPids();
    const children = readdirSync(`/proc/${pid}/task`).map((t) => { try { return readFileSync(`/proc/${pid}/task/${t}/children`, 'latin1'); } catch { return ''; /* a thread that has ended */ } }).join('').trim();
    assert.equal(children, '');
    g.open();
    await c.all();
  });
  test('the socket, the database and what lies beside it are nobody else\'s', { ...opts, skip: lacks('residentWorker') }, () => {
    for (const name of readdirSync(at.s.dir)) {
      const file = path.join(at.s.dir, name);
      if (statSync(file).isSocket()) continue;               // the host server makes it, or --listen with 0660
      if (/parley\.db/.test(name)) assert.equal(statSync(file).mode & 0o077, 0, name);
    }
  });
});

test('what the page and the tests install is pinned with its hash, and runs nothing when it is installed', () => {
  for (const folder of ['tests', 'www']) {
    const lock = JSON.parse(readFileSync(path.join(REPO, folder, 'package-lock.json'), 'utf8'));
    for (const [name, one] of Object.entries(lock.packages)) {
      if (name === '') continue;
      assert.match(one.integrity ?? '', /^sha512-/, name);
      assert.notEqual(one.hasInstallScript, true, `${name} runs something when it is installed`);
      assert.equal(one.resolved, undefined, `${name} names a host`);
    }
  }
  const page = JSON.parse(readFileSync(path.join(REPO, 'www/package.json'), 'utf8'));
  assert.deepEqual(Object.keys(page.dependencies).sort(), ['@highlightjs/cdn-assets', 'katex', 'markdown-it']);
  assert.equal(page.scripts?.install ?? page.scripts?.postinstall, undefined);
});
