// Judges from the times of the test stream whether something on the way holds streams back. Pure functions.
// Neighbours: diagnose.js notes the times, advice.js finds the words. Tested by tests/browser/judge.test.js.
// Leaves out: where the delay arises. The times cannot tell; the name of the server helps (advice.js).

const TICKS = 6;
const LATE = 100;             // ms that a tick may be late
const SLACK = 300;            // ms that the whole may take longer or shorter than it was sent
const CLUMP = 0.25;           // of the time between two sendings: what arrives closer together arrived as one piece

/**
 * `ticks`: [{n, sent, arrived}] in the order they came, in ms, on two clocks that have nothing in common;
 * `done`: the stream came to its last event. Gives {kind, median, rows: [{n, sent, arrived, late}]}, where `arrived` is put on the
 * clock of `sent` by taking the quickest tick as in time. The kinds:
 * "live"     as it was sent
 * "uneven"   one after the other, but late: a slow line rather than a buffer
 * "clumped"  some together
 * "held"     all together
 * "cut"      not all came
 * "nothing"  none came
 */
export function judge({ ticks, done }) {
  const rows = compare(ticks);
  const median = middle(rows.map((row) => row.late));
  return { kind: kindOf(rows, median, done), median, rows };
}

function compare(ticks) {
  const best = Math.min(...ticks.map(({ sent, arrived }) => arrived - sent));
  return ticks.map(({ n, sent, arrived }) => ({ n, sent, arrived: arrived - best, late: arrived - best - sent }));
}

function kindOf(rows, median, done) {
  if (rows.length === 0) return "nothing";
  if (rows.length < TICKS || !done) return "cut";
  const pieces = piecesIn(rows);
  if (pieces === 1) return "held";
  if (pieces < rows.length - 1) return "clumped";
  return median < LATE && keepsPace(rows) ? "live" : "uneven";
}

// How many pieces the ticks arrived in.
function piecesIn(rows) {
  const apart = rows.filter((row, at) => at > 0 && row.arrived - rows[at - 1].arrived >= CLUMP * (row.sent - rows[at - 1].sent));
  return 1 + apart.length;
}

function keepsPace(rows) {
  const [first, last] = [rows[0], rows.at(-1)];
  return Math.abs((last.arrived - first.arrived) - (last.sent - first.sent)) <= SLACK;
}

function middle(numbers) {
  if (numbers.length === 0) return 0;
  const sorted = [...numbers].sort((a, b) => a - b);
  const half = sorted.length / 2;
  return (sorted[Math.ceil(half) - 1] + sorted[Math.floor(half)]) / 2;
}
