// Branches over HTTP: which one is open, a copy of one as a conversation of its own, deleting one, also while an answer is being written in it.
import test, { before, after, beforeEach, describe } from 'node:test';
import assert from 'node:assert/strict';
import { shared, sql } from './server.js';
import { simple, held, gate, SCALE } from '../provider/provider.js';
import { get, post, patch, del, stream, chat, conversation, list, settled, assertError, assertDetail, waitUntil } from './client.js';

const opts = { timeout: 60_000 * SCALE };
const at = shared({ before, after, beforeEach });
const U = (p = '') => `${at.s.url}/conversations${p}`;
const UNKNOWN = '01jd0000000000000000000000';
const PNG = 'data:image/png;base64,iVBORw0KGgo=';

const say = (message, more = {}) => { at.p.respond(simple(`answer to ${message}`)); return chat(at.s, { message, ...more }); };
const texts = (c) => c.messages.map((m) => m.content);
/** What the model was sent last, without the system's. */
const sent = () => at.p.chats.at(-1).body.messages.filter((m) => m.role !== 'system').map((m) => m.content);

describe('the open branch', () => {
  test('PATCH leaf_id opens another branch, and the next question follows it', opts, async () => {
    const one = await say('one');
    const { conversation_id: id } = one;
    const two = await say('two', { conversation_id: id, parent_id: 'root' });
    assert.equal((await conversation(at.s, id)).leaf_id, two.message_id);
    const r = await patch(U(`/${id}`), { leaf_id: one.message_id });
    assert.equal(r.status, 200, r.text);
    assert.equal(r.json.leaf_id, one.message_id);
    assert.equal((await list(at.s)).conversations.find((c) => c.conversation_id === id).leaf_id, one.message_id);
    await say('three', { conversation_id: id });
    assert.deepEqual(sent(), ['one', 'answer to one', 'three']);
  });

  test('what is no message of the conversation is refused, and nothing changes', opts, async () => {
    const { conversation_id: id, message_id: leaf } = await say('here');
    const elsewhere = await say('elsewhere');
    for (const leaf_id of [elsewhere.message_id, UNKNOWN, '', 'x', id, 'root']) assertError(await patch(U(`/${id}`), { leaf_id, title: 'changed' }), 422, 'invalid_field');
    for (const leaf_id of [7, true, [], 'x'.repeat(65)]) assertError(await patch(U(`/${id}`), { leaf_id }), 422, 'invalid_field');
    assertError(await patch(U(`/${UNKNOWN}`), { leaf_id: leaf }), 404, 'not_found');
    const c = await conversation(at.s, id);
    assert.equal(c.leaf_id, leaf);
    assert.equal(c.title, 'here');
    assert.equal((await patch(U(`/${id}`), { leaf_id: null })).json.leaf_id, leaf);
  });
});

describe('POST /conversations {fork_of}', () => {
  test('copies what leads to a message, with all that it shows, and goes on by itself', opts, async () => {
    const one = await say('one', { attachments: [{ type: 'image', url: PNG }], metadata: { k: 1 } });
    const { conversation_id: id } = one;
    await patch(U(`/${id}`), { title: 'The title', metadata: { a: 1 }, pinned: true });
    const two = await say('twofold', { conversation_id: id });
    await say('three', { conversation_id: id });
    await post(`${at.s.url}/api/feedback`, { message_id: one.message_id, feedback: 'like', payload: {} });
    const used = sql(at.s.db, 'SELECT sum(answers) AS n FROM usage_days')[0].n;
    const r = await post(U(), { fork_of: two.message_id });
    assert.equal(r.status, 201, r.text);
    assert.equal(r.headers.location, `/conversations/${r.json.conversation_id}`);
    assert.equal(r.json.title, 'The title');
    assert.deepEqual(r.json.metadata, { a: 1 });
    assert.deepEqual([r.json.pinned, r.json.unread, r.json.status], [false, false, 'done']);
    const [was, is] = [await conversation(at.s, id), await conversation(at.s, r.json.conversation_id)];
    const plain = ({ id: own, parent_id: parent, feedback, ...rest }) => ({ ...rest, parent: parent !== null });
    assert.deepEqual(is.messages.map(plain), was.messages.slice(0, 4).map(plain));
    assert.deepEqual(is.messages.map((m) => m.parent_id), [null, ...is.messages.slice(0, 3).map((m) => m.id)]);
    assert.equal(is.messages.some((m) => was.messages.some((w) => w.id === m.id)), false, 'they are other messages');
    assert.deepEqual(is.messages[0].attachments, [{ type: 'image', url: PNG }]);
    assert.equal('feedback' in is.messages[1], false);
    assert.equal(is.leaf_id, is.messages[3].id);
    assert.equal(sql(at.s.db, 'SELECT sum(answers) AS n FROM usage_days')[0].n, used, 'it was used once');
    await say('onwards', { conversation_id: is.conversation_id });
    assert.equal(sent().length, 5);
    assert.equal((await conversation(at.s, id)).messages.length, 6, 'the old one stays as it was');
    assert.deepEqual((await list(at.s, '?q=twofold')).conversations.map((c) => c.conversation_id).sort(), [id, is.conversation_id].sort());
  });

  test('title and metadata may be given, by the rules of any other', opts, async () => {
    const one = await say('given');
    const r = await post(U(), { fork_of: one.message_id, title: 'Mine', metadata: { b: 2 } });
    assert.equal(r.json.title, 'Mine');
    assert.deepEqual(r.json.metadata, { b: 2 });
    assertError(await post(U(), { fork_of: one.message_id, title: 'x'.repeat(401) }), 422, 'invalid_field');
    assertError(await post(U(), { fork_of: one.message_id, metadata: { x: 'x'.repeat(17000) } }), 422, 'invalid_field');
  });

  test('what is not there is 404, and what is no id is refused', opts, async () => {
    const { conversation_id: id } = await say('there');
    const n = (await list(at.s, '?limit=200')).conversations.length;
    for (const fork_of of [UNKNOWN, id, '', 'x', 'root']) assertError(await post(U(), { fork_of }), 404, 'not_found');
    for (const fork_of of [7, {}, 'x'.repeat(65)]) assertError(await post(U(), { fork_of }), 422, 'invalid_field');
    assert.equal((await list(at.s, '?limit=200')).conversations.length, n, 'nothing was made');
    assert.equal((await post(U(), { fork_of: null })).status, 201, 'null is a member that is not given');
  });

  test('an answer that is being written is busy; one that was lost is not', opts, async () => {
    const g = gate();
    at.p.respond(held('part ', g, 'rest'));
    const { json: { conversation_id: id, message_id: message } } = await post(`${at.s.url}/chat`, { message: 'slow', detach: true });
    assertError(await post(U(), { fork_of: message }), 409, 'busy');
    const { messages: [question] } = await conversation(at.s, id);
    assert.deepEqual(texts(await conversation(at.s, (await post(U(), { fork_of: question.id })).json.conversation_id)), ['slow']);
    g.open();
    await settled(at.s, id);
    assert.equal((await post(U(), { fork_of: message })).status, 201);
    sql(at.s.db, `UPDATE messages SET status = 'streaming', process = 'gone', seen_at = 1000 WHERE public_id = '${message}'`, { readonly: false });
    const r = await post(U(), { fork_of: message });
    assert.equal(r.status, 201, r.text);
    assert.equal((await conversation(at.s, r.json.conversation_id)).messages[1].status, 'interrupted');
  });
});

describe('DELETE /conversations/{id}/messages/{message_id}', () => {
  test('deletes it and all that follow; the newest branch beside it is open', opts, async () => {
    const one = await say('one');
    const { conversation_id: id } = one;
    const two = await say('two', { conversation_id: id });
    const again = await say('two again', { conversation_id: id, parent_id: one.message_id });
    await say('unfindablelater', { conversation_id: id });
    const c = await conversation(at.s, id);
    const question = c.messages.find((m) => m.content === 'two again');
    const r = await del(U(`/${id}/messages/${question.id}`));
    assert.equal(r.status, 200, r.text);
    assert.deepEqual(r.json, { status: 'deleted' });
    const now = await conversation(at.s, id);
    assert.deepEqual(texts(now), ['one', 'answer to one', 'two', 'answer to two']);
    assert.equal(now.leaf_id, two.message_id);
    assert.equal(now.unread, false);
    assert.deepEqual((await list(at.s, '?q=unfindablelater')).conversations, []);
    assertDetail(await post(`${at.s.url}/api/feedback`, { message_id: again.message_id, feedback: 'like' }), 404);
    assertError(await del(U(`/${id}/messages/${question.id}`)), 404, 'not_found');
    await say('three', { conversation_id: id });
    assert.deepEqual(sent(), ['one', 'answer to one', 'two', 'answer to two', 'three']);
    assert.equal((await del(U(`/${id}/messages/${now.messages[0].id}`))).status, 200);
    assert.deepEqual(await conversation(at.s, id).then((x) => [x.messages, x.leaf_id, x.status]), [[], null, null]);
    await say('fresh', { conversation_id: id });
    assert.deepEqual(sent(), ['fresh']);
  });

  test('what is not in it is 404', opts, async () => {
    const { conversation_id: id, message_id: message } = await say('stays');
    const other = await say('other');
    for (const [c, m] of [[id, other.message_id], [other.conversation_id, message], [UNKNOWN, message], [id, UNKNOWN], [id, 'x'], [id, id]]) assertError(await del(U(`/${c}/messages/${m}`)), 404, 'not_found');
    assert.equal((await conversation(at.s, id)).messages.length, 2);
    const r = await get(U(`/${id}/messages/${message}`));
    assertError(r, 405, 'method_not_allowed');
    assert.equal(r.headers.allow, 'DELETE');
  });

  test('an answer that is written below it is stopped and leaves nothing; one in another branch goes on', opts, async () => {
    const one = await say('one');
    const { conversation_id: id } = one;
    const [g, h] = [gate(), gate()];
    const [goesOn, ends] = [held('kept ', g, 'to its end'), held('lost ', h, 'more')];
    at.p.respond((req, io) => (req.body.messages.at(-1).content === 'below' ? ends : goesOn)(req, io));
    const kept = (await post(`${at.s.url}/chat`, { message: 'beside', conversation_id: id, parent_id: one.message_id, detach: true })).json;
    const s = await stream(`${at.s.url}/chat/stream`, { message: 'below', conversation_id: id, parent_id: one.message_id });
    await s.until((e) => e.event === 'token');
    const question = (await conversation(at.s, id)).messages.find((m) => m.content === 'below');
    const begun = performance.now();
    assert.equal((await del(U(`/${id}/messages/${question.id}`))).status, 200);
    await s.all();                                         // though the provider has not gone on
    assert.match(s.events.at(-1).event, /^(done|error)$/);
    assert.ok(performance.now() - begun < 5000 * SCALE);
    h.open();
    g.open();
    let c;
    await waitUntil(10, async () => { c = await conversation(at.s, id); return c.messages.find((m) => m.id === kept.message_id).status !== 'streaming'; }, 'the end of the other answer');
    assert.deepEqual(texts(c), ['one', 'answer to one', 'beside', 'kept to its end']);
    assert.equal(c.messages.at(-1).status, 'done');
    assert.equal(sql(at.s.db, 'SELECT count(*) AS n FROM journal')[0].n, 0);
  });
});
