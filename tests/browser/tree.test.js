// The path through a tree of messages that the page shows.
// Neighbours: www/js/tree.js. Needs neither browser nor server.
import test from 'node:test';
import assert from 'node:assert/strict';
import { newestPath, parentFor, pathTo } from '../../www/js/tree.js';

const message = (id, parent_id, second = 0) => ({ id, parent_id, created_at: `2026-11-21T10:00:${String(second).padStart(2, '0')}Z` });
const ids = (path) => path.map((m) => m.id).join(' ');

test('nothing', () => assert.deepEqual(newestPath([]), []));

test('a straight conversation', () => {
  assert.equal(ids(newestPath([message('a', null, 1), message('b', 'a', 2), message('c', 'b', 3)])), 'a b c');
});

test('a retry: the newer branch is shown', () => {
  const tree = [message('a', null, 1), message('b', 'a', 2), message('a2', null, 3), message('b2', 'a2', 4)];
  assert.equal(ids(newestPath(tree)), 'a2 b2');
});

test('the newest leaf decides, not the order of the list', () => {
  const tree = [message('a2', null, 3), message('b2', 'a2', 4), message('a', null, 1), message('b', 'a', 2)];
  assert.equal(ids(newestPath(tree)), 'a2 b2');
});

test('of equal times the later row wins; fractions of seconds count', () => {
  assert.equal(ids(newestPath([message('a', null), message('b', 'a'), message('c', 'a')])), 'a c');
  const early = { id: 'x', parent_id: null, created_at: '2026-11-21T10:00:05Z' };
  const late = { id: 'y', parent_id: null, created_at: '2026-11-21T10:00:05.250Z' };
  assert.equal(ids(newestPath([late, early])), 'y');
});

test('a missing parent and a circle end the path', () => {
  assert.equal(ids(newestPath([message('b', 'gone', 1), message('c', 'b', 2)])), 'b c');
  const circle = [message('a', 'b', 1), message('b', 'a', 2)];
  assert.equal(ids(pathTo(circle, circle[0])), 'b a');
});

test('the parent for a retry', () => {
  assert.equal(parentFor(message('a', null)), 'root');
  assert.equal(parentFor(message('b', 'a')), 'a');
});
