// With the Basic sign-in of lighttpd: REMOTE_USER is the user; nobody sees, changes or stops what is another's.
import test, { before, after, beforeEach, describe } from 'node:test';
import assert from 'node:assert/strict';
import { shared, sql } from './server.js';
import { simple, held, gate, SCALE } from '../provider/provider.js';
import { request, get, post, del, stream, chat, chatStream, chatWhole, conversation, list, assertError, readStream } from './client.js';

const opts = { timeout: 60_000 * SCALE };
const at = shared({ before, after, beforeEach }, { auth: true });
const alice = { auth: 'alice' };
const bob = { auth: 'bob' };

test('without a name and password everything is 401 with WWW-Authenticate', opts, async () => {
  for (const [method, path, body] of [['GET', '/conversations'], ['POST', '/chat', { message: 'Hi' }], ['POST', '/chat/stream', { message: 'Hi' }], ['GET', '/conversations/x'], ['DELETE', '/conversations/x'], ['POST', '/conversations/x/stop']]) {
    for (const auth of [undefined, ['alice', 'wrong'], ['alice', ''], ['mallory', 'mallory'], ['', '']]) {
      const r = await request(`${at.s.url}${path}`, { method, body, auth });
      assert.equal(r.status, 401, `${method} ${path} ${auth}`);
      assert.match(r.headers['www-authenticate'] ?? '', /^Basic/);
    }
  }
  assert.equal(at.p.chats.length, 0);
});

test('a header of the client does not say who asks', opts, async () => {
  at.p.respond(simple('ok'));
  await chat(at.s, 'only for alice', alice);
  for (const headers of [{ remote_user: 'alice' }, { 'remote-user': 'alice' }, { 'x-remote-user': 'alice' }, { 'x-forwarded-user': 'alice' }, { redirect_remote_user: 'alice' }]) {
    assert.equal((await get(`${at.s.url}/conversations`, { headers })).status, 401);
    const l = await get(`${at.s.url}/conversations`, { headers, auth: 'bob' });
    assert.ok([200, 400].includes(l.status));
    assert.doesNotMatch(l.text, /only for alice/);
  }
});

test('alice and bob see their own conversations only', opts, async () => {
  at.p.respond(simple('sharedword'));
  const a = await chat(at.s, 'alice says sharedword', alice);
  const b = await chat(at.s, 'bob says sharedword', bob);
  const ids = async (who, q = '') => (await list(at.s, q, who)).conversations.map((c) => c.conversation_id);
  assert.ok((await ids(alice)).includes(a.conversation_id));
  assert.equal((await ids(alice)).includes(b.conversation_id), false);
  assert.ok((await ids(bob)).includes(b.conversation_id));
  assert.equal((await ids(bob)).includes(a.conversation_id), false);
  assert.deepEqual(await ids(alice, '?q=sharedword'), [a.conversation_id]);
  assert.deepEqual(await ids(bob, '?q=sharedword'), [b.conversation_id]);
});

test('every route answers 404 to bob for what is alice\'s, just as for what is not there, and changes nothing', opts, async () => {
  at.p.respond(simple('a secret of alice'));
  const a = await chat(at.s, 'secret question', alice);
  const id = a.conversation_id;
  const was = await conversation(at.s, id, alice);
  // an id that was good once: of a conversation that bob had and deleted
  const nowhere = (await post(`${at.s.url}/conversations`, {}, bob)).json.conversation_id;
  assert.equal((await del(`${at.s.url}/conversations/${nowhere}`, bob)).status, 200);
  at.p.reset(simple('ok'));
  const ROUTES = [['GET', '/conversations/ID'], ['PATCH', '/conversations/ID', { title: 'stolen' }], ['DELETE', '/conversations/ID'], ['DELETE', '/conversations/ID/messages'], ['POST', '/conversations/ID/stop'], ['POST', '/conversations/ID/stop', {}],
    ['POST', '/chat', { message: 'Hi', conversation_id: 'ID' }], ['POST', '/chat/stream', { message: 'Hi', conversation_id: 'ID' }], ['POST', '/chat', { message: 'Hi', conversation_id: 'ID', stream: false }],
    ['POST', '/chat', { message: 'Hi', conversation_id: 'ID', parent_id: a.message_id }], ['GET', '/conversations/ID/stream']];
  for (const [method, path, body] of ROUTES) {
    const ask = (x) => request(at.s.url + path.replace('ID', x), { method, body: body && JSON.parse(JSON.stringify(body).replace('ID', x)), ...bob });
    const foreign = await ask(id);
    assertError(foreign, 404, 'not_found');
    assert.doesNotMatch(foreign.text, /secret/);
    const missing = await ask(nowhere);
    assert.equal(missing.status, 404);
    assert.equal(foreign.text.replaceAll(id, 'X'), missing.text.replaceAll(nowhere, 'X'), 'foreign and missing look the same');
  }
  assert.equal(at.p.chats.length, 0);
  assert.deepEqual(await conversation(at.s, id, alice), was);
});

test('bob cannot hang his message under one of alice\'s', opts, async () => {
  at.p.respond(simple('ok'));
  const a = await chat(at.s, 'of alice', alice);
  const b = await chat(at.s, 'of bob', bob);
  at.p.reset(simple('ok'));
  assertError(await post(`${at.s.url}/chat`, { message: 'x', conversation_id: b.conversation_id, parent_id: a.message_id }, bob), [404, 422]);
  assertError(await post(`${at.s.url}/chat`, { message: 'x', parent_id: a.message_id }, bob), [404, 422]);
  assert.equal(at.p.chats.length, 0);
});

test('bob cannot stop alice\'s running answer', opts, async () => {
  const g = gate();
  at.p.respond(held('running ', g, 'to its end'));
  const s = await stream(`${at.s.url}/chat/stream`, { message: 'Hi' }, alice);
  const { conversation_id: id } = JSON.parse((await s.next()).data);
  await s.until((e) => e.event === 'token');
  const r = await request(`${at.s.url}/conversations/${id}/stop`, { method: 'POST', ...bob });
  const d = await del(`${at.s.url}/conversations/${id}`, bob);
  g.open();
  assertError(r, 404, 'not_found');
  assertError(d, 404, 'not_found');
  await s.all();
  assert.equal(readStream(s).text, 'running to its end');
});

test('another user_id than one\'s own is 403, and nothing is created or asked', opts, async () => {
  at.p.respond(simple('ok'));
  await chat(at.s, 'warm', alice);
  at.p.reset(simple('ok'));
  const n = sql(at.s.db, 'SELECT count(*) AS n FROM messages')[0].n;
  for (const path of ['/chat', '/chat/stream']) for (const user_id of ['bob', 'Alice', 'alice ', 'local', 'admin']) {
    assertError(await post(`${at.s.url}${path}`, { message: 'Hi', user_id }, alice), 403, 'forbidden');
  }
  assert.equal(at.p.chats.length, 0);
  assert.equal(sql(at.s.db, 'SELECT count(*) AS n FROM messages')[0].n, n);
});

test('one\'s own user_id selects one\'s rolling conversation', opts, async () => {
  at.p.respond(simple('ok'));
  const a = await chat(at.s, { message: 'My name is Alice', user_id: 'alice' }, alice);
  const b = await chat(at.s, { message: "What's my name?", user_id: 'alice' }, alice);
  const x = await chat(at.s, { message: 'I am Bob', user_id: 'bob' }, bob);
  assert.equal(a.conversation_id, b.conversation_id);
  assert.notEqual(x.conversation_id, a.conversation_id);
  assert.equal(at.p.chats[1].body.messages.filter((m) => m.role !== 'system').length, 3);
  assert.equal(at.p.chats[2].body.messages.filter((m) => m.role !== 'system').length, 1);
});

test('bodies cannot name an owner', opts, async () => {
  at.p.respond(simple('ok'));
  const r = await post(`${at.s.url}/conversations`, { title: 'planted', owner: 'alice', user_id: 'alice', user: 'alice' }, bob);
  if (r.status === 201) assert.equal((await get(`${at.s.url}/conversations/${r.json.conversation_id}`, alice)).status, 404);
  else assertError(r, [403, 422]);
});

test('the page and the password are not cached or open to strangers', opts, async () => {
  const r = await get(`${at.s.url}/conversations`, alice);
  assert.match(r.headers['cache-control'] ?? '', /no-store/);
});
