// What the page knows of the conversations: pages, a second look at them, and changes the server has not yet agreed to.
// Neighbours: www/js/history.js. Needs neither browser nor server; `serve()` plays the server.
import test from 'node:test';
import assert from 'node:assert/strict';
import { createHistory, listOf, LISTS } from '../../www/js/history.js';

const row = (id, second, more = {}) => ({ conversation_id: id, title: `Title ${id}`, updated_at: new Date(second * 1000).toISOString(), pinned: false, archived: false, status: 'done', unread: false, ...more });

/** A server with these rows: `page(name, cursor, limit)` answers as GET /conversations. */
function serve(...rows) {
  const all = new Map(rows.map((data) => [data.conversation_id, data]));
  return {
    all,
    page(name, cursor, limit = 3) {
      const own = [...all.values()].filter((data) => Object.entries(LISTS[name]).every(([flag, value]) => data[flag] === value))
        .sort((a, b) => Date.parse(b.updated_at) - Date.parse(a.updated_at));
      const begin = cursor ? own.findIndex((data) => Date.parse(data.updated_at) < Number(cursor)) : 0;
      const conversations = begin < 0 ? [] : own.slice(begin, begin + limit);
      return { conversations, next: begin >= 0 && own.length > begin + limit ? String(Date.parse(conversations.at(-1).updated_at)) : undefined };
    },
  };
}
const many = (count) => Array.from({ length: count }, (_, n) => row(`c${count - n}`, count - n));
const shown = (history, name = 'recent') => history.rows(name).map((one) => one.id).join(' ');

function loadNext(history, server, name = 'recent') {
  const mark = history.frontier(name);
  history.take(name, server.page(name, mark.cursor), mark);
}

test('pages follow one another until the last', () => {
  const server = serve(...many(8));
  const history = createHistory();
  assert.equal(history.frontier('recent').cursor, undefined);
  loadNext(history, server);
  assert.equal(shown(history), 'c8 c7 c6');
  loadNext(history, server);
  loadNext(history, server);
  assert.equal(shown(history), 'c8 c7 c6 c5 c4 c3 c2 c1');
  assert.equal(history.frontier('recent').cursor, null);
});

test('a second look at the top: what is new comes, what is gone goes, the rest stays the same objects', () => {
  const server = serve(...many(8));
  const history = createHistory();
  for (let n = 0; n < 3; n++) loadNext(history, server);
  const before = history.rows('recent');
  server.all.set('new', row('new', 100));
  server.all.delete('c8');
  server.all.set('c2', row('c2', 90));
  history.take('recent', server.page('recent'));
  assert.equal(shown(history), 'new c2 c7 c6 c5 c4 c3 c1');
  assert.equal(history.rows('recent')[2], before[1]);
  assert.equal(history.frontier('recent').cursor, null, 'the frontier stays');
});

test('a look at nothing new changes nothing', () => {
  const server = serve(...many(5));
  const history = createHistory();
  for (let n = 0; n < 2; n++) loadNext(history, server);
  const before = history.rows('recent');
  history.take('recent', server.page('recent'));
  history.rows('recent').forEach((one, n) => assert.equal(one, before[n]));
});

test('a look further down, at the page that is being read', () => {
  const server = serve(...many(12));
  const history = createHistory();
  for (let n = 0; n < 3; n++) loadNext(history, server);
  server.all.delete('c5');
  server.all.set('c6', row('c6', 6, { title: 'Another name' }));
  server.all.delete('c8');
  const mark = history.markOf('recent', 'c5');
  history.take('recent', server.page('recent', mark.cursor), mark);
  assert.equal(shown(history), 'c12 c11 c10 c9 c8 c7 c6 c4 c3', 'and it reached one further');
  assert.equal(history.get('c6').title, 'Another name');
  assert.equal(history.get('c8').id, 'c8', 'what is above was not looked at');
  for (let n = 0; n < 2; n++) loadNext(history, server);
  assert.equal(shown(history), 'c12 c11 c10 c9 c8 c7 c6 c4 c3 c2 c1');
});

test('a look that reaches beyond what was loaded goes on from there', () => {
  const server = serve(...many(8));
  const history = createHistory();
  loadNext(history, server);
  server.all.delete('c7');
  history.take('recent', server.page('recent'));
  assert.equal(shown(history), 'c8 c6 c5');
  loadNext(history, server);
  assert.equal(shown(history), 'c8 c6 c5 c4 c3 c2');
});

test('after a long absence the list begins anew, because between what is new and what is known something may be missing', () => {
  const server = serve(...many(8));
  const history = createHistory();
  for (let n = 0; n < 2; n++) loadNext(history, server);
  for (let n = 0; n < 5; n++) server.all.set(`n${n}`, row(`n${n}`, 100 + n));
  history.take('recent', server.page('recent'));
  assert.equal(shown(history), 'n4 n3 n2');
  for (let n = 0; n < 4; n++) loadNext(history, server);
  assert.equal(history.rows('recent').length, 13);
});

test('when everything is gone, everything goes', () => {
  const server = serve(...many(5));
  const history = createHistory();
  for (let n = 0; n < 2; n++) loadNext(history, server);
  server.all.clear();
  history.take('recent', server.page('recent'));
  assert.equal(shown(history), '');
});

test('pinned, recent and archived are lists of their own', () => {
  const server = serve(row('p', 1, { pinned: true }), row('r', 2), row('a', 3, { archived: true }), row('pa', 4, { pinned: true, archived: true }));
  const history = createHistory();
  for (const name of Object.keys(LISTS)) loadNext(history, server, name);
  assert.deepEqual(['pinned', 'recent', 'archived'].map((name) => shown(history, name)), ['p', 'r', 'pa a']);
  assert.equal(listOf(history.get('pa')), 'archived');
});

test('pinned elsewhere: it moves at the next look, in whatever order the pages come', () => {
  for (const order of [['recent', 'pinned'], ['pinned', 'recent']]) {
    const server = serve(...many(3));
    const history = createHistory();
    for (const name of order) loadNext(history, server, name);
    server.all.set('c2', row('c2', 2, { pinned: true }));
    for (const name of order) history.take(name, server.page(name));
    assert.equal(shown(history), 'c3 c1');
    assert.equal(shown(history, 'pinned'), 'c2');
    server.all.set('c2', row('c2', 2));
    for (const name of order) history.take(name, server.page(name));
    assert.equal(shown(history), 'c3 c2 c1');
    assert.equal(shown(history, 'pinned'), '');
  }
});

test('rows that do not belong to a list are left out, whatever the server says', () => {
  const history = createHistory();
  history.take('pinned', { conversations: [row('x', 1)] });
  assert.equal(shown(history, 'pinned'), '');
  assert.equal(shown(history), '');
});

test('of equal times none is lost', () => {
  const history = createHistory();
  history.take('recent', { conversations: [row('a', 5), row('b', 5)], next: 'x' });
  history.take('recent', { conversations: [row('c', 5), row('d', 5)], next: 'y' }, history.frontier('recent'));
  history.take('recent', { conversations: [row('e', 5)] }, history.frontier('recent'));
  history.take('recent', { conversations: [row('a', 5), row('b', 5)], next: 'x' });
  assert.equal(shown(history), 'a b c d e');
});

test('a change shows at once; kept or undone, and looks in between do not disturb it', () => {
  const server = serve(...many(3));
  const history = createHistory();
  loadNext(history, server);
  const first = history.begin('c2', { title: 'Mine' });
  history.take('recent', server.page('recent'));
  assert.equal(history.get('c2').title, 'Mine');
  first.undo();
  assert.equal(history.get('c2').title, 'Title c2');
  const second = history.begin('c2', { pinned: true });
  assert.equal(shown(history), 'c3 c1');
  assert.equal(shown(history, 'pinned'), 'c2');
  history.take('recent', server.page('recent'));
  assert.equal(shown(history, 'pinned'), 'c2');
  second.keep();
  assert.equal(shown(history, 'pinned'), 'c2');
});

test('two changes of one conversation: undoing the first keeps the second', () => {
  const history = createHistory();
  history.take('recent', { conversations: many(2) });
  const rename = history.begin('c1', { title: 'Mine' });
  const pin = history.begin('c1', { pinned: true });
  rename.undo();
  pin.keep();
  assert.deepEqual([history.get('c1').title, history.get('c1').pinned], ['Title c1', true]);
});

test('each change makes pages out of date that were asked for before', () => {
  const history = createHistory();
  history.take('recent', { conversations: many(2) });
  const versions = [history.version];
  const step = (run) => { const result = run(); versions.push(history.version); return result; };
  const change = step(() => history.begin('c1', { title: 'x' }));
  step(() => change.keep());
  step(() => history.remove('c2'));
  step(() => history.restore('c2'));
  step(() => history.set('c1', { status: 'streaming' }));
  assert.equal(new Set(versions).size, versions.length);
  const before = history.version;
  history.set('c1', { status: 'streaming' });
  history.take('recent', { conversations: many(2) });
  assert.equal(history.version, before, 'nothing was changed here');
});

test('deleted: gone from every list, also when the server still has it; undone it is back', () => {
  const server = serve(...many(3));
  const history = createHistory();
  loadNext(history, server);
  history.takeFound({ conversations: [row('c2', 2)] }, true);
  history.remove('c2');
  history.take('recent', server.page('recent'));
  assert.equal(shown(history), 'c3 c1');
  assert.equal(shown(history, 'found'), '');
  assert.equal(history.get('c2').title, 'Title c2', 'its name is still known');
  history.restore('c2');
  assert.equal(shown(history), 'c3 c2 c1');
});

test('bump: to the top, until the server says where', () => {
  const server = serve(...many(3));
  const history = createHistory();
  loadNext(history, server);
  history.bump('c1');
  assert.equal(shown(history), 'c1 c3 c2');
  history.bump('c1');
  history.bump('unknown');
  server.all.set('c1', row('c1', 3.5));
  history.take('recent', server.page('recent'));
  assert.equal(shown(history), 'c1 c3 c2');
  assert.equal(history.get('c1').time, 3500);
});

test('a search keeps the server\'s order and its own rows, and shows changes too', () => {
  const history = createHistory();
  history.take('recent', { conversations: many(2) });
  history.takeFound({ conversations: [row('old', 0.1, { snippet: [{ text: 'x', hit: true }] }), row('c2', 2)], next: 'n' }, true);
  assert.equal(shown(history, 'found'), 'old c2');
  assert.equal(shown(history), 'c2 c1', 'what was found is not in the list');
  history.takeFound({ conversations: [row('c2', 2), row('older', 0.05)] }, false);
  assert.equal(shown(history, 'found'), 'old c2 older');
  assert.equal(history.frontier('found').cursor, null);
  history.begin('old', { title: 'Renamed' }).keep();
  assert.equal(history.rows('found')[0].title, 'Renamed');
  assert.equal(history.rows('found')[0].snippet.length, 1);
  history.forgetFound();
  assert.equal(shown(history, 'found'), '');
  assert.equal(history.frontier('found').cursor, undefined);
});

test('10,000 are quick', () => {
  const all = many(10_000);
  const history = createHistory();
  const server = serve(...all);
  history.take('recent', server.page('recent', undefined, 10_000));
  const begun = performance.now();
  for (let n = 0; n < 10; n++) {
    history.take('recent', { conversations: all.slice(0, 50), next: String(Date.parse(all[49].updated_at)) });
    assert.equal(history.rows('recent').length, 10_000);
  }
  const each = (performance.now() - begun) / 10;
  assert.ok(each < 100, `${each} ms`);
});
