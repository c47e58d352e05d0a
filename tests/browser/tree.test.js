// Messages as a tree: the branch that is shown, its versions, what hangs on a message.
// Neighbours: www/js/tree.js. Needs neither browser nor server.
import test from 'node:test';
import assert from 'node:assert/strict';
import { branchFrom, newestBelow, openPath, parentFor, pathTo, siblingsOf } from '../../www/js/tree.js';

const user = (id, parent_id = null) => ({ id, parent_id, role: 'user' });
const answer = (id, parent_id = null) => ({ id, parent_id, role: 'assistant' });
const ids = (messages) => [...messages].map((m) => m.id).join(' ');

// q1 ─ a1 ─ q2 ─ a2
//   └ a1b ─ q3 ─ a3
//             └ a3b
const TREE = [user('q1'), answer('a1', 'q1'), user('q2', 'a1'), answer('a2', 'q2'), answer('a1b', 'q1'), user('q3', 'a1b'), answer('a3', 'q3'), answer('a3b', 'q3')];
const of = (id, tree = TREE) => tree.find((m) => m.id === id);

test('nothing', () => {
  assert.deepEqual(openPath([], null), []);
  assert.deepEqual(openPath([], 'a'), []);
});

test('a straight conversation is shown from its root to its end, whatever leaf is named', () => {
  const line = [user('a'), answer('b', 'a'), user('c', 'b')];
  for (const leaf of ['c', null, undefined, 'unknown']) assert.equal(ids(openPath(line, leaf)), 'a b c');
  assert.equal(ids(openPath(line, 'a')), 'a b c', 'on to the end of the branch');
});

test('without a leaf the newest message decides', () => {
  assert.equal(ids(openPath(TREE, null)), 'q1 a1b q3 a3b');
  assert.equal(ids(openPath([user('a'), answer('b', 'a'), user('a2'), answer('b2', 'a2')], null)), 'a2 b2');
});

test('a leaf chooses the branch, and what was written last on it', () => {
  assert.equal(ids(openPath(TREE, 'a2')), 'q1 a1 q2 a2');
  assert.equal(ids(openPath(TREE, 'a1')), 'q1 a1 q2 a2');
  assert.equal(ids(openPath(TREE, 'a3')), 'q1 a1b q3 a3');
  assert.equal(ids(openPath(TREE, 'q3')), 'q1 a1b q3 a3b');
});

test('versions: the same place, the same role, in the order of writing', () => {
  assert.equal(ids(siblingsOf(TREE, of('a1'))), 'a1 a1b');
  assert.equal(ids(siblingsOf(TREE, of('a1b'))), 'a1 a1b');
  assert.equal(ids(siblingsOf(TREE, of('q1'))), 'q1');
  const edited = [user('a'), answer('b', 'a'), user('a2'), { id: 'x', role: 'user' }];
  assert.equal(ids(siblingsOf(edited, of('a', edited))), 'a a2 x', 'no parent and null are the same');
  assert.equal(ids(siblingsOf([user('p'), answer('b', 'p'), user('c', 'p')], answer('b', 'p'))), 'b', 'one that is not in the list has only itself');
});

test('what hangs on a message', () => {
  assert.equal(ids(branchFrom(TREE, of('a1b'))), 'a1b q3 a3 a3b');
  assert.equal(ids(branchFrom(TREE, of('a2'))), 'a2');
  assert.equal(branchFrom(TREE, of('q1')).size, TREE.length);
});

test('missing parents end a path', () => {
  assert.equal(ids(openPath([answer('b', 'gone'), user('c', 'b')], null)), 'b c');
  assert.equal(ids(siblingsOf([answer('b', 'gone'), answer('c', 'gone'), answer('d', null)], answer('x', 'gone'))), 'x');
});

test('circles end, in every function', () => {
  const circle = [user('a', 'b'), answer('b', 'a')];
  assert.equal(ids(pathTo(circle, circle[0])), 'b a');
  assert.ok(['a', 'b'].includes(newestBelow(circle, circle[0]).id));
  assert.equal(openPath(circle, 'a').length, 2);
  assert.equal(branchFrom(circle, circle[1]).size, 2);
  const own = [user('a', 'a')];
  assert.equal(ids(openPath(own, 'a')), 'a');
  assert.equal(ids(branchFrom(own, own[0])), 'a');
});

test('the parent for a message beside another', () => {
  assert.equal(parentFor(user('a')), 'root');
  assert.equal(parentFor(user('b', 'a')), 'a');
});

// Random trees, some with parents that are not there. What must hold however they grew.
test('random trees: a path hangs together, ends at a leaf, goes through the message asked for; branches take all children along', () => {
  let seed = 1;
  const random = (n) => { seed = (seed * 48271) % 2147483647; return seed % n; };
  for (let round = 0; round < 300; round++) {
    const tree = [];
    for (let n = 0, count = 1 + random(30); n < count; n++) {
      const parent = random(8) === 0 || n === 0 ? null : random(20) === 0 ? 'gone' : tree[random(n)].id;
      tree.push({ id: `m${n}`, parent_id: parent, role: random(2) ? 'user' : 'assistant' });
    }
    const at = tree[random(tree.length)];
    const path = openPath(tree, at.id);
    assert.ok(path.includes(at), 'the message is on it');
    assert.ok(path.slice(1).every((m, n) => m.parent_id === path[n].id), 'each follows from the one before');
    assert.ok(!tree.some((m) => m.id === path[0].parent_id), 'it begins at a root');
    assert.ok(!tree.some((m) => m.parent_id === path.at(-1).id), 'it ends at a leaf');
    for (const m of path) {
      const siblings = siblingsOf(tree, m);
      assert.ok(siblings.includes(m) && siblings.every((s) => s.role === m.role && s.parent_id === m.parent_id));
      assert.deepEqual(siblings, tree.filter((s) => siblings.includes(s)), 'in the order of writing');
    }
    const branch = branchFrom(tree, at);
    for (const m of tree) assert.equal(branch.has(m), pathTo(tree, m).includes(at), 'exactly what has it among its ancestors');
    assert.equal(openPath(tree.filter((m) => !branch.has(m)), at.id).includes(at), false);
  }
});
