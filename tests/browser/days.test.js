// Into which days conversations are sorted.
// Neighbours: www/js/days.js. Needs neither browser nor server.
import test from 'node:test';
import assert from 'node:assert/strict';
import { createDays, groupByDay, monthOf } from '../../www/js/days.js';

const inZone = (zone, run) => {
  const before = process.env.TZ;
  process.env.TZ = zone;
  try { run(); } finally {
    if (before === undefined) delete process.env.TZ;
    else process.env.TZ = before;
  }
};
const at = (...parts) => new Date(parts[0], parts[1] - 1, ...parts.slice(2));
const keyAt = (now, time) => createDays(now)(time.getTime());

test('each day begins at midnight', () => {
  const now = at(2026, 11, 22, 15, 30);
  for (const [time, key] of [
    [at(2026, 11, 22, 15, 30), 'today'], [at(2026, 11, 22, 0, 0), 'today'],
    [at(2026, 11, 21, 23, 59, 59, 999), 'yesterday'], [at(2026, 11, 21, 0, 0), 'yesterday'],
    [at(2026, 11, 20, 23, 59), 'week'], [at(2026, 11, 15, 0, 0), 'week'],
    [at(2026, 11, 14, 23, 59), 'month'], [at(2026, 10, 23, 0, 0), 'month'],
    [at(2026, 10, 22, 23, 59), '2026-10'], [at(2026, 9, 1), '2026-09'], [at(2025, 11, 22), '2025-11'],
  ]) assert.equal(keyAt(now, time), key, String(time));
});

test('what is to come is today, what has no time is long ago', () => {
  assert.equal(keyAt(at(2026, 11, 22), at(2026, 11, 25)), 'today');
  assert.equal(keyAt(at(2026, 11, 22), at(2030, 1, 1)), 'today');
  assert.match(createDays(at(2026, 11, 22))(0), /^19(70-01|69-12)$/);
});

test('days are those of the reader\'s zone, also when they have 23 or 25 hours', () => {
  const time = Date.parse('2026-11-21T23:30:00Z');
  inZone('UTC', () => assert.equal(createDays(new Date('2026-11-22T01:00:00Z'))(time), 'yesterday'));
  inZone('Europe/Berlin', () => assert.equal(createDays(new Date('2026-11-22T01:00:00Z'))(time), 'today'));
  inZone('America/New_York', () => assert.equal(createDays(new Date('2026-11-22T01:00:00Z'))(time), 'today'));
  inZone('Europe/Berlin', () => {
    assert.equal(keyAt(at(2026, 3, 30, 0, 30), at(2026, 3, 29, 0, 10)), 'yesterday', 'the day of 23 hours');
    assert.equal(keyAt(at(2026, 3, 30, 0, 30), at(2026, 3, 28, 23, 50)), 'week');
    assert.equal(keyAt(at(2026, 10, 26, 0, 30), at(2026, 10, 25, 0, 10)), 'yesterday', 'the day of 25 hours');
    assert.equal(keyAt(at(2026, 10, 26, 0, 30), at(2026, 10, 24, 23, 50)), 'week');
  });
});

test('the first days of a year reach into the old one', () => {
  const now = at(2026, 1, 1, 12);
  assert.equal(keyAt(now, at(2025, 12, 31, 8)), 'yesterday');
  assert.equal(keyAt(now, at(2025, 12, 25)), 'week');
  assert.equal(keyAt(now, at(2025, 12, 2)), 'month');
  assert.equal(keyAt(now, at(2025, 12, 1)), '2025-12');
});

test('groups keep the order, and there are no empty ones', () => {
  const now = at(2026, 11, 22, 12);
  const rows = [at(2026, 11, 22, 9), at(2026, 11, 22, 8), at(2026, 11, 18), at(2026, 8, 5), at(2026, 8, 1), at(2025, 8, 1)].map((date, n) => ({ id: n, time: date.getTime() }));
  assert.deepEqual(groupByDay(rows, now).map(({ key, rows: own }) => [key, own.map((row) => row.id)]),
    [['today', [0, 1]], ['week', [2]], ['2026-08', [3, 4]], ['2025-08', [5]]]);
  assert.deepEqual(groupByDay([], now), []);
});

test('a month\'s key is a month again', () => {
  assert.deepEqual([monthOf('2026-08').getFullYear(), monthOf('2026-08').getMonth()], [2026, 7]);
  assert.equal(monthOf('today'), null);
});
