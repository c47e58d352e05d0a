// The verdict about a test stream, from the times alone.
// Neighbours: www/js/judge.js; diagnose.test.js has the page. Needs neither browser nor server.
import test from 'node:test';
import assert from 'node:assert/strict';
import { judge } from '../../www/js/judge.js';

const SENT = [0, 200, 400, 600, 800, 1000];

/** The verdict when the ticks arrived at these times. */
const verdict = (arrived, { sent = SENT, done = true } = {}) => judge({ ticks: arrived.map((at, i) => ({ n: i + 1, sent: sent[i], arrived: at })), done });
const kind = (...about) => verdict(...about).kind;
const later = (by, times = SENT) => times.map((at) => at + by);

test('as they were sent: live, on whatever clock', () => {
  assert.equal(kind(SENT), 'live');
  assert.equal(kind(later(81234.5)), 'live');
  assert.equal(kind([3, 204, 401, 609, 803, 1002]), 'live');
});

test('one slow piece, or two that come together once, are no buffer', () => {
  assert.equal(kind([0, 200, 400, 600, 800, 1250]), 'live');
  assert.equal(kind([0, 200, 600, 601, 800, 1000]), 'live');
  assert.equal(kind([400, 401, 402, 600, 800, 1000]), 'clumped');
});

test('a server that was slow to send is not held back', () => {
  const sent = [0, 200, 700, 900, 1100, 1300];
  assert.equal(kind(later(50, sent), { sent }), 'live');
});

test('all at the end: held', () => {
  assert.equal(kind([1001, 1001, 1001, 1001, 1002, 1002]), 'held');
  assert.equal(kind([1000, 1010, 1020, 1030, 1040, 1049]), 'held');
  assert.equal(kind([1001, 1001, 1001, 1001, 1002, 1002], { done: true }), 'held');
});

test('in pieces: clumped', () => {
  assert.equal(kind([400, 400, 400, 1000, 1000, 1000]), 'clumped');
  assert.equal(kind([200, 200, 600, 600, 1000, 1000]), 'clumped');
  assert.equal(kind([0, 1000, 1000, 1000, 1000, 1000]), 'clumped', 'the first came at once, the rest at the end');
});

test('one by one, but later and later: uneven', () => {
  assert.equal(kind([0, 500, 1000, 1500, 2000, 2500]), 'uneven');
  assert.equal(kind([0, 200, 400, 600, 800, 1900]), 'uneven');
});

test('not all: cut, even when what came was in time; none: nothing', () => {
  assert.equal(kind(SENT.slice(0, 3), { done: false }), 'cut');
  assert.equal(kind(SENT.slice(0, 5)), 'cut');
  assert.equal(kind(SENT, { done: false }), 'cut');
  assert.equal(kind([5], { done: false }), 'cut');
  assert.equal(kind([]), 'nothing');
  assert.equal(kind([], { done: false }), 'nothing');
});

test('the rows compare with the quickest piece', () => {
  const { rows, median } = verdict(later(5000, [1000, 1000, 1000, 1000, 1000, 1000]));
  assert.deepEqual(rows.map((row) => row.late), [1000, 800, 600, 400, 200, 0]);
  assert.deepEqual(rows.map((row) => row.arrived), [1000, 1000, 1000, 1000, 1000, 1000]);
  assert.equal(median, 500);
  assert.deepEqual(verdict([]).rows, []);
  assert.equal(verdict([]).median, 0);
});
