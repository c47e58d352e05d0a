// The routes under /conversations: make, list, page, search, read, change, clear, delete, stop; and 404 for all else.
import test, { before, after, beforeEach, describe } from 'node:test';
import assert from 'node:assert/strict';
import { shared, withServer, sql } from './server.js';
import { simple, held, gate, SCALE } from '../provider/provider.js';
import { request, get, post, patch, del, stream, chat, chatStream, conversation, list, settled, assertError } from './client.js';

const opts = { timeout: 60_000 * SCALE };
const at = shared({ before, after, beforeEach });
const U = (p = '') => `${at.s.url}/conversations${p}`;
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/;

async function make(body = {}) {
  const r = await post(U(), body);
  assert.equal(r.status, 201, r.text);
  return r.json;
}

function assertObject(c) {
  assert.equal(typeof c.conversation_id, 'string');
  assert.ok('title' in c);
  assert.match(c.created_at, TIME);
  assert.match(c.updated_at, TIME);
  assert.equal(c.pinned, false);
  assert.equal(c.archived, false);
  assert.ok('metadata' in c);
  assert.equal(c.status, null);
  assert.equal(c.unread, false);
  assert.equal(c.leaf_id, null);
}

describe('one conversation', () => {
  test('POST /conversations gives 201 and the object', opts, async () => {
    const c = await make({ title: 'My talk', metadata: { a: [1, 'ä', null], b: { c: true } } });
    assertObject(c);
    assert.equal(c.title, 'My talk');
    assert.deepEqual(c.metadata, { a: [1, 'ä', null], b: { c: true } });
  });

  test('POST /conversations takes an empty object', opts, async () => { assertObject(await make({})); });

  test('GET /conversations/{id} gives the object and its messages', opts, async () => {
    const made = await make({ title: 'T', metadata: { k: 'v' } });
    const c = await conversation(at.s, made.conversation_id);
    assertObject(c);
    assert.equal(c.conversation_id, made.conversation_id);
    assert.equal(c.title, 'T');
    assert.deepEqual(c.metadata, { k: 'v' });
    assert.deepEqual(c.messages, []);
  });

  test('messages have id, parent_id, role, content, status, model, usage and created_at', opts, async () => {
    at.p.respond(simple('pong'));
    const r = await chat(at.s, 'ping');
    const c = await conversation(at.s, r.conversation_id);
    for (const m of c.messages) for (const k of ['id', 'parent_id', 'role', 'content', 'status', 'provider', 'model', 'usage', 'created_at']) assert.ok(k in m, `${m.role} has ${k}`);
    assert.equal(c.messages[0].parent_id, null);
    assert.equal(c.messages[0].status, 'done');
    assert.deepEqual(c.messages.map((m) => m.provider), [null, 'openai']);
  });

  test('an answer has events and feedback where there are any, and else no such member', opts, async () => {
    at.p.respond(simple('pong'));
    const r = await chat(at.s, 'ping');
    const answer = async () => (await conversation(at.s, r.conversation_id)).messages[1];
    for (const nothing of ['NULL', "'[]'", "'{}'", "'broken'"]) {
      sql(at.s.db, `UPDATE messages SET events = ${nothing} WHERE public_id = '${r.message_id}'`, { readonly: false });
      const m = await answer();
      assert.ok(!('events' in m) && !('feedback' in m), JSON.stringify(m));
    }
    const events = [{ type: 'reference', content: { title: 'ä', url: null } }, { type: 'x', content: [1] }];
    sql(at.s.db, `UPDATE messages SET events = '${JSON.stringify(events)}' WHERE public_id = '${r.message_id}'; `
      + `INSERT INTO feedback (user_id, conversation_id, message_id, kind, created_at) SELECT user_id, conversation_id, id, 'dislike', 1 FROM messages WHERE public_id = '${r.message_id}'`,
    { readonly: false });
    const m = await answer();
    assert.deepEqual(m.events, events);
    assert.equal(m.feedback, 'dislike');
    assert.ok(!('feedback' in (await conversation(at.s, r.conversation_id)).messages[0]));
  });

  test('a chat goes into a conversation that was made first and keeps its title', opts, async () => {
    at.p.respond(simple('ok'));
    const made = await make({ title: 'Named by me' });
    const r = await chat(at.s, { message: 'Hello there', conversation_id: made.conversation_id });
    assert.equal(r.conversation_id, made.conversation_id);
    const c = await conversation(at.s, made.conversation_id);
    assert.equal(c.messages.length, 2);
    assert.equal(c.title, 'Named by me');
  });

  test('PATCH changes title, pinned, archived and metadata and gives the object', opts, async () => {
    const { conversation_id: id } = await make({ title: 'old', metadata: { x: 1 } });
    for (const [change, want] of [[{ title: 'new' }, { title: 'new' }], [{ pinned: true }, { pinned: true, title: 'new' }], [{ archived: true }, { archived: true, pinned: true }],
      [{ metadata: { y: 2 } }, { title: 'new' }], [{ pinned: false, archived: false, title: 'n2' }, { pinned: false, archived: false, title: 'n2' }]]) {
      const r = await patch(U(`/${id}`), change);
      assert.equal(r.status, 200, r.text);
      for (const [k, v] of Object.entries(want)) assert.deepEqual(r.json[k], v);
      const c = await conversation(at.s, id);
      for (const [k, v] of Object.entries(want)) assert.deepEqual(c[k], v);
    }
    assert.equal((await conversation(at.s, id)).metadata.y, 2);
  });

  test('PATCH never changes owner, id or times', opts, async () => {
    const made = await make({ title: 'mine' });
    const r = await patch(U(`/${made.conversation_id}`), { title: 'still mine', owner: 'eve', user_id: 'eve', id: 'x', conversation_id: 'x', created_at: '2000-01-01T00:00:00Z' });
    assert.ok([200, 422].includes(r.status), r.text);
    const c = await conversation(at.s, made.conversation_id);
    assert.equal(c.created_at, made.created_at);
    assert.equal(c.conversation_id, made.conversation_id);
  });

  test('DELETE /conversations/{id} deletes it', opts, async () => {
    at.p.respond(simple('ok'));
    const r = await chat(at.s, 'bye unforgettableword');
    const d = await del(U(`/${r.conversation_id}`));
    assert.equal(d.status, 200);
    assert.deepEqual(d.json, { status: 'deleted' });
    assertError(await get(U(`/${r.conversation_id}`)), 404, 'not_found');
    assertError(await del(U(`/${r.conversation_id}`)), 404, 'not_found');
    assertError(await post(`${at.s.url}/chat`, { message: 'x', conversation_id: r.conversation_id }), 404, 'not_found');
    assert.equal((await list(at.s)).conversations.some((c) => c.conversation_id === r.conversation_id), false);
    assert.deepEqual((await list(at.s, '?q=unforgettableword')).conversations, []);
  });

  test('DELETE /conversations/{id}/messages clears it; afterwards GET is 200 with []', opts, async () => {
    at.p.respond(simple('ok'));
    const r = await chat(at.s, 'clear me');
    const d = await del(U(`/${r.conversation_id}/messages`));
    assert.equal(d.status, 200);
    assert.deepEqual(d.json, { status: 'cleared' });
    const c = await conversation(at.s, r.conversation_id);
    assert.deepEqual(c.messages, []);
    const again = await chat(at.s, { message: 'fresh', conversation_id: r.conversation_id });
    assert.equal(again.text, 'ok');
    const sent = at.p.chats.at(-1).body.messages.filter((m) => m.role !== 'system');
    assert.deepEqual(sent.map((m) => m.content), ['fresh'], 'the history is gone');
    assert.equal((await conversation(at.s, r.conversation_id)).messages.length, 2);
  });

  test('clearing or deleting while an answer streams leaves nothing half-written', opts, async () => {
    for (const path of ['/messages', '']) {
      const g = gate();
      at.p.respond(held('part ', g, 'rest'));
      const s = await stream(`${at.s.url}/chat/stream`, { message: 'one' });
      const { conversation_id: id } = JSON.parse((await s.next()).data);
      const d = await del(U(`/${id}${path}`));
      g.open();
      assert.ok([200, 409].includes(d.status), d.text);
      await s.all();
      assert.match(s.events.at(-1).event, /^(done|error)$/);
      const r = await get(U(`/${id}`));
      if (d.status === 200 && path === '') assert.equal(r.status, 404);
      else if (d.status === 200) assert.deepEqual(r.json.messages, []);
      else assert.equal(r.json.messages.at(-1).content, 'part rest');
    }
  });
});

describe('the list', () => {
  test('GET /conversations gives objects, newest first, and next', opts, async () => {
    const a = await make({ title: 'first made' });
    const b = await make({ title: 'second made' });
    const l = await list(at.s);
    assert.ok('next' in l);
    for (const c of l.conversations) assertObjectLoose(c);
    const ids = l.conversations.map((c) => c.conversation_id);
    assert.ok(ids.indexOf(b.conversation_id) >= 0);
    assert.ok(ids.indexOf(b.conversation_id) < ids.indexOf(a.conversation_id));
  });
  const assertObjectLoose = (c) => { for (const k of ['conversation_id', 'title', 'created_at', 'updated_at', 'pinned', 'archived', 'metadata', 'status', 'unread', 'leaf_id']) assert.ok(k in c, k); };

  test('a conversation that is written to comes to the top', opts, async () => {
    at.p.respond(simple('ok'));
    const a = await make({ title: 'old one' });
    await make({ title: 'newer one' });
    await chat(at.s, { message: 'again', conversation_id: a.conversation_id });
    const l = (await list(at.s)).conversations.filter((c) => !c.pinned);
    assert.equal(l[0].conversation_id, a.conversation_id);
  });

  test('paging with limit and next shows every conversation once', opts, () => withServer({}, async (s) => {
    const all = [];
    for (let i = 0; i < 23; i++) all.push((await post(`${s.url}/conversations`, { title: `c${i}` })).json.conversation_id);
    const seen = [];
    let next = null;
    let pages = 0;
    do {
      const l = await list(s, `?limit=5${next ? `&before=${encodeURIComponent(next)}` : ''}`);
      assert.ok(l.conversations.length <= 5);
      seen.push(...l.conversations.map((c) => c.conversation_id));
      next = l.next;
      if (next) assert.equal(l.conversations.length, 5);
      assert.ok(++pages < 10);
    } while (next);
    assert.deepEqual(seen, all.reverse());
    assert.equal(pages, 5);
  }));

  test('a page is not disturbed by conversations that are made meanwhile', opts, () => withServer({}, async (s) => {
    const all = [];
    for (let i = 0; i < 6; i++) all.unshift((await post(`${s.url}/conversations`, { title: `c${i}` })).json.conversation_id);
    const one = await list(s, '?limit=3');
    await post(`${s.url}/conversations`, { title: 'meanwhile' });
    const two = await list(s, `?limit=3&before=${encodeURIComponent(one.next)}`);
    assert.deepEqual([...one.conversations, ...two.conversations].map((c) => c.conversation_id), all);
  }));

  test('fifty are shown by default', opts, () => withServer({}, async (s) => {
    for (let i = 0; i < 55; i++) await post(`${s.url}/conversations`, { title: `c${i}` });
    const l = await list(s);
    assert.equal(l.conversations.length, 50);
    assert.equal((await list(s, `?before=${encodeURIComponent(l.next)}`)).conversations.length, 5);
  }));

  test('?pinned= and ?archived= show those that are, or are not; pages and search too', opts, () => withServer({}, async (s, p) => {
    p.respond(simple('ok'));
    const ids = [];
    for (let i = 0; i < 12; i++) {
      const { conversation_id: id } = (await post(`${s.url}/conversations`, { title: `filterable c${i}` })).json;
      await patch(`${s.url}/conversations/${id}`, { pinned: i % 2 === 0, archived: i % 3 === 0 });
      ids.unshift({ id, pinned: i % 2 === 0, archived: i % 3 === 0 });
    }
    for (const pinned of [undefined, true, false]) for (const archived of [undefined, true, false]) for (const q of ['', '&q=filterable']) {
      const want = ids.filter((c) => (pinned === undefined || c.pinned === pinned) && (archived === undefined || c.archived === archived)).map((c) => c.id);
      const seen = [];
      let next = null;
      do {
        const l = await list(s, `?limit=2${q}${pinned === undefined ? '' : `&pinned=${pinned}`}${archived === undefined ? '' : `&archived=${archived}`}${next ? `&before=${next}` : ''}`);
        seen.push(...l.conversations.map((c) => c.conversation_id));
        next = l.next;
      } while (next);
      assert.deepEqual(seen, want, `pinned ${pinned}, archived ${archived} ${q}`);
    }
  }));

  for (const q of ['pinned=1', 'pinned=', 'pinned=TRUE', 'archived=yes', 'archived=null', 'archived=true%20']) {
    test(`?${q} is refused`, opts, async () => assert.match(assertError(await get(U(`?${q}`)), 422, 'invalid_field').message, /"(pinned|archived)" must be true or false/));
  }

  test('a row tells how its newest answer stands, and whether it was seen', opts, async () => {
    const row = async (id) => {
      const { status, unread } = (await list(at.s)).conversations.find((c) => c.conversation_id === id);
      const c = await conversation(at.s, id);
      assert.deepEqual({ status: c.status, unread: c.unread }, { status, unread });
      return `${status} ${unread}`;
    };
    const { conversation_id: id } = await make();
    assert.equal(await row(id), 'null false');
    const g = gate();
    at.p.respond(held('part ', g, 'rest'));
    const r = await post(`${at.s.url}/chat`, { message: 'one', conversation_id: id, detach: true });
    assert.equal(r.status, 202);
    assert.equal(await row(id), 'streaming false');
    g.open();
    await settled(at.s, id);
    assert.equal(await row(id), 'done true');
    assert.equal(await row(id), 'done true', 'to look at it by the API alone changes nothing');
    const seen = await patch(U(`/${id}`), { unread: false });
    assert.equal(seen.json.unread, false);
    assert.equal(await row(id), 'done false');
    await patch(U(`/${id}`), { title: 'x' });
    assert.equal(await row(id), 'done false');
    await patch(U(`/${id}`), { unread: true });
    assert.equal(await row(id), 'done true');
    at.p.respond(async (req, io) => io.json({ error: { message: 'no' } }, 400));
    await post(`${at.s.url}/chat`, { message: 'two', conversation_id: id, stream: false });
    assert.equal(await row(id), 'error true');
    await del(U(`/${id}/messages`));
    assert.equal(await row(id), 'null false');
    assertError(await patch(U(`/${id}`), { unread: 'no' }), 422, 'invalid_field');
  });

  test('an answer that was lost with its process is not shown as one that is being written', opts, async () => {
    at.p.respond(simple('whole'));
    const r = await chat(at.s, 'lost in the list');
    await patch(U(`/${r.conversation_id}`), { unread: false });
    sql(at.s.db, `UPDATE messages SET status = 'streaming', process = 'gone', seen_at = 1000 WHERE public_id = '${r.message_id}'`, { readonly: false });
    const row = (await list(at.s)).conversations.find((c) => c.conversation_id === r.conversation_id);
    assert.equal(row.status, 'interrupted');
    assert.equal(row.unread, true);
  });

  for (const q of ['limit=0', 'limit=-1', 'limit=abc', 'limit=1e9', 'limit=99999999999999999999', 'limit=', 'before=nonsense', 'before=%00', 'before=%27%3B--', 'before=..%2F..', 'limit=5&limit=7', 'q=%ff%fe']) {
    test(`?${q} is answered or refused with a sentence, never a 500`, opts, async () => {
      const r = await get(U(`?${q}`));
      if (r.status === 200) assert.ok(Array.isArray(r.json.conversations));
      else if (r.headers['content-type']?.startsWith('application/json')) assertError(r, [400, 404, 422]);
      else assert.equal(r.status, 400, r.text);            // lighttpd itself refuses %00
    });
  }
});

describe('search', () => {
  const stock = [
    ['de', 'Wo ist die Straßenbahnhaltestelle? Bitte um Überprüfung der Öffnungszeiten.', 'Die Haltestelle liegt am Münchner Hauptbahnhof.'],
    ['zh', '今天天气很好，我们去公园散步吧', '好的，北京的春天非常美丽'],
    ['ja', '東京タワーに行きました', 'それは素晴らしい観光地ですね'],
    ['th', 'สวัสดีชาวโลก วันนี้อากาศดี', 'ประเทศไทยเป็นเมืองร้อน'],
    ['en', 'The quick brown fox jumps over the lazy dog', 'Foxes are omnivorous mammals'],
    ['ru', 'Привет, как дела сегодня?', 'Всё хорошо, спасибо'],
  ];
  const ids = {};
  let filled = null;
  const fill = () => (filled ??= (async () => {
    for (const [lang, question, answer] of stock) {
      at.p.respond(simple(answer));
      ids[lang] = (await chat(at.s, question)).conversation_id;
    }
  })());
  const finds = (name, q, lang) => test(`search finds ${name}: ${q}`, opts, async () => {
    await fill();
    const l = await list(at.s, `?q=${encodeURIComponent(q)}`);
    assert.deepEqual(l.conversations.map((c) => c.conversation_id), [ids[lang]]);
  });
  finds('a German word', 'Straßenbahnhaltestelle', 'de');
  finds('a German word in other case', 'überprüfung', 'de');
  finds('a German word of the answer', 'Hauptbahnhof', 'de');
  finds('two German words', 'Haltestelle Münchner', 'de');
  finds('a Chinese word in the middle of a sentence', '天气', 'zh');
  finds('a Chinese word at the end', '散步', 'zh');
  finds('a Chinese word of the answer', '春天', 'zh');
  finds('a Japanese word in katakana', 'タワー', 'ja');
  finds('a Japanese word in kanji and katakana', '東京タワー', 'ja');
  finds('a Japanese word of the answer', '観光地', 'ja');
  finds('a Thai word at the start', 'สวัสดี', 'th');
  finds('a Thai word in the middle', 'ชาวโลก', 'th');
  finds('a Thai word of the answer', 'ไทย', 'th');
  finds('an English word', 'omnivorous', 'en');
  finds('an English word in other case', 'QUICK', 'en');
  finds('a Russian word in other case', 'ПРИВЕТ', 'ru');

  test('search finds a title', opts, async () => {
    const c = await make({ title: 'Quarkstrudel Rezepte' });
    assert.deepEqual((await list(at.s, '?q=Quarkstrudel')).conversations.map((x) => x.conversation_id), [c.conversation_id]);
    await patch(U(`/${c.conversation_id}`), { title: 'Apfelstrudel Rezepte' });
    assert.deepEqual((await list(at.s, '?q=Quarkstrudel')).conversations, []);
    assert.deepEqual((await list(at.s, '?q=Apfelstrudel')).conversations.map((x) => x.conversation_id), [c.conversation_id]);
  });

  /** A snippet as text, with [marks]. */
  const shown = (row) => row.snippet.map((p) => (p.hit ? `[${p.text}]` : p.text)).join('');

  test('rows of a search have where it was found first, marked, and no others have', opts, async () => {
    await fill();
    const row = async (q) => { const { conversations } = await list(at.s, `?q=${encodeURIComponent(q)}`); assert.equal(conversations.length, 1, q); return conversations[0]; };
    for (const [q, lang, role, want] of [['hauptbahnhof', 'de', 'assistant', 'Die Haltestelle liegt am Münchner [Hauptbahnhof].'], ['UBERPRUFUNG', 'de', null, /\[Überprüfung\]/], ['"北京的"', 'zh', 'assistant', '好的，[北京的]春天非常美丽'],
      ['タワー', 'ja', null, '東京[タワー]に行きました'], ['ประเทศไทย', 'th', 'assistant', '[ประเทศไทย]เป็นเมืองร้อน'], ['omni', 'en', 'assistant', 'Foxes are [omnivorous] mammals'], ['спасибо', 'ru', 'assistant', 'Всё хорошо, [спасибо]']]) {
      const r = await row(q);
      if (want instanceof RegExp) assert.match(shown(r), want); else assert.equal(shown(r), want);
      const c = await conversation(at.s, ids[lang]);
      assert.equal(r.message_id, role === null ? null : c.messages.find((m) => m.role === role).id, q);
      assert.ok(r.snippet.every((p) => Object.keys(p).join() === (p.hit ? 'text,hit' : 'text')));
    }
    for (const r of (await list(at.s)).conversations) assert.ok(!('snippet' in r) && !('message_id' in r));
  });

  test('a snippet of a long message is short, and cut where it may be', opts, async () => {
    const long = `${'Lorem ipsum dolor sit amet.\n'.repeat(2000)}the findableneedle\tis here 😀 ${'und danach ä 語 '.repeat(2000)}`;
    at.p.respond(simple('ok'));
    const r = await chat(at.s, { message: long });
    await patch(U(`/${r.conversation_id}`), { title: 'long' });
    const [row] = (await list(at.s, '?q=findableneedle')).conversations;
    const text = row.snippet.map((p) => p.text).join('');
    assert.match(shown(row), /^… .*amet\. the \[findableneedle\] is here 😀 und danach ä 語 .*…$/);
    assert.ok([...text].length > 120 && [...text].length < 160, text);
    assert.ok(!text.includes('\ufffd') && !/[\n\t]/.test(text));
    assert.equal(row.message_id, (await conversation(at.s, r.conversation_id)).messages[0].id);
    await del(U(`/${r.conversation_id}`));
  });

  test('search finds nothing where there is nothing', opts, async () => {
    await fill();
    for (const q of ['zzzunfindable', '天地', 'ฟฟฟ']) assert.deepEqual((await list(at.s, `?q=${encodeURIComponent(q)}`)).conversations, []);
  });

  test('search gives each conversation once, however often the word is in it', opts, async () => {
    at.p.respond(simple('repeatword repeatword'));
    const r = await chat(at.s, 'repeatword repeatword');
    await chat(at.s, { message: 'repeatword', conversation_id: r.conversation_id });
    assert.deepEqual((await list(at.s, '?q=repeatword')).conversations.map((c) => c.conversation_id), [r.conversation_id]);
  });

  test('search pages like the list', opts, async () => {
    at.p.respond(simple('ok'));
    const all = [];
    for (let i = 0; i < 7; i++) all.push((await chat(at.s, `pageableword ${i}`)).conversation_id);
    const seen = [];
    let next = null;
    let n = 0;
    do {
      const l = await list(at.s, `?q=pageableword&limit=3${next ? `&before=${encodeURIComponent(next)}` : ''}`);
      seen.push(...l.conversations.map((c) => c.conversation_id));
      next = l.next;
      assert.ok(++n < 6);
    } while (next);
    assert.deepEqual([...seen].sort(), [...all].sort());
    assert.equal(new Set(seen).size, 7);
  });

  for (const q of ['"', '"unclosed', '*', 'a*', 'AND', 'OR NOT', 'NEAR(a b)', 'NEAR(', '-fox', '^fox', 'title:fox', 'a AND', '(', ')', "'; DROP TABLE messages;--", '%', '_', '\\', 'fox"', '{a b}', ':', '+', 'x'.repeat(5000), '天', '\u0000', ' ', '😀', '"fox" OR "dog"']) {
    test(`search takes ${JSON.stringify(q.slice(0, 30))} as words, never as a query language`, opts, async () => {
      await fill();
      const r = await get(U(`?q=${encodeURIComponent(q)}`));
      assert.ok([200, 400, 422].includes(r.status), `${r.status} ${r.text}`);
      if (r.status === 200) assert.ok(Array.isArray(r.json.conversations));
      assert.ok(sql(at.s.db, 'SELECT count(*) AS n FROM messages')[0].n > 0);
    });
  }
});

describe('404 for what is not there', () => {
  const BAD = ['00000000000000000000000000000000', '00000000-0000-4000-8000-000000000000', 'nope', '0', '-1', '1', 'NULL', "x'%20OR%20'1'='1", '%25', '%F0%9F%98%80', 'a'.repeat(2000), 'x;y', '*', '..%252f..', '%22'];
  const ROUTES = [['GET', ''], ['PATCH', '', { title: 'x' }], ['DELETE', ''], ['DELETE', '/messages'], ['POST', '/stop']];
  for (const [method, tail, body] of ROUTES) {
    test(`${method} /conversations/{id}${tail} is 404 for ids that are unknown or malformed`, opts, async () => {
      at.p.respond(simple('ok'));
      const mine = await chat(at.s, 'there is something');
      for (const id of [...BAD, mine.message_id, `${mine.conversation_id}x`, mine.conversation_id.slice(0, -1)]) {
        const r = await request(U(`/${id}${tail}`), { method, body });
        assertError(r, 404, 'not_found');
      }
      assert.equal((await conversation(at.s, mine.conversation_id)).messages.length, 2);
    });
  }
  for (const path of ['/chat', '/chat/stream']) test(`POST ${path} with an unknown or malformed conversation_id is 404, and nothing is created or asked`, opts, async () => {
    at.p.respond(simple('ok'));
    const n = sql(at.s.db, 'SELECT (SELECT count(*) FROM messages) AS m, (SELECT count(*) FROM conversations) AS c')[0];
    for (const id of ['00000000000000000000000000000000', 'nope', '../..', "' OR 1=1 --", 'x'.repeat(5000), 'ä', 'a\u0001b']) {
      assertError(await post(`${at.s.url}${path}`, { message: 'Hi', conversation_id: id }), [404, 422]);
    }
    assert.equal((await post(`${at.s.url}${path}`, { message: 'Hi', conversation_id: 'nope' })).status, 404);
    assert.deepEqual(sql(at.s.db, 'SELECT (SELECT count(*) FROM messages) AS m, (SELECT count(*) FROM conversations) AS c')[0], n);
    assert.equal(at.p.chats.length, 0);
  });
  test('a parent_id that is unknown or of another conversation is 404 or 422, and nothing is created or asked', opts, async () => {
    at.p.respond(simple('ok'));
    const a = await chat(at.s, 'a');
    const b = await chat(at.s, 'b');
    at.p.reset(simple('ok'));
    for (const parent_id of ['nope', b.message_id, a.conversation_id]) {
      assertError(await post(`${at.s.url}/chat`, { message: 'Hi', conversation_id: a.conversation_id, parent_id }), [404, 422]);
    }
    assert.equal(at.p.chats.length, 0);
    assert.equal((await conversation(at.s, a.conversation_id)).messages.length, 2);
  });
});

describe('stop', () => {
  test('POST /conversations/{id}/stop with nothing running says not_running', opts, async () => {
    at.p.respond(simple('ok'));
    const r = await chat(at.s, 'Hi');
    for (const o of [{}, { body: {} }, { body: '', headers: { 'content-type': null } }]) {
      const x = await request(U(`/${r.conversation_id}/stop`), { method: 'POST', ...o });
      assert.equal(x.status, 200, x.text);
      assert.deepEqual(x.json, { status: 'not_running' });
    }
    const empty = await make({});
    assert.deepEqual((await request(U(`/${empty.conversation_id}/stop`), { method: 'POST' })).json, { status: 'not_running' });
  });
});
