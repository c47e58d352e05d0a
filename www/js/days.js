// Sorts what has a time into the days of a reader: today, yesterday, the previous 7 and 30 days, then months.
// Neighbours: sidebar.js puts the headings into words. Tested by tests/browser/days.test.js.
// Leaves out: words and languages; the time zone is the browser's own.

/**
 * A function from a time in ms to the key of its day, as seen at `now`: "today", "yesterday", "week" (the 7 days before today),
 * "month" (the 30 days), or a month such as "2026-03". Times to come (clocks differ) are today's.
 */
export function createDays(now = new Date()) {
  const [today, yesterday, week, month] = [0, 1, 7, 30].map((days) => startOfDay(now, days));
  let last = { from: 0, to: 0, key: "" };   // the month of the last answer: the next time is mostly in it, too

  return (time) => {
    if (time >= today) return "today";
    if (time >= yesterday) return "yesterday";
    if (time >= week) return "week";
    if (time >= month) return "month";
    if (time < last.from || time >= last.to) last = monthAround(new Date(time));
    return last.key;
  };
}

// Midnight so many days ago. By the calendar: days of 23 and 25 hours exist.
function startOfDay(now, daysAgo) {
  return new Date(now.getFullYear(), now.getMonth(), now.getDate() - daysAgo).getTime();
}

function monthAround(date) {
  const [year, month] = [date.getFullYear(), date.getMonth()];
  return { from: new Date(year, month, 1).getTime(), to: new Date(year, month + 1, 1).getTime(), key: `${year}-${String(month + 1).padStart(2, "0")}` };
}

/** The first day of a month's key, null for the other keys. */
export function monthOf(key) {
  const [, year, month] = /^(\d+)-(\d\d)$/.exec(key) ?? [];
  return year ? new Date(Number(year), Number(month) - 1, 1) : null;
}

/** Rows that have a `time`, newest first, as [{key, rows}]: one group for each run of the same day. */
export function groupByDay(rows, now) {
  const keyOf = createDays(now);
  const groups = [];
  for (const row of rows) {
    const key = keyOf(row.time);
    if (groups.at(-1)?.key !== key) groups.push({ key, rows: [] });
    groups.at(-1).rows.push(row);
  }
  return groups;
}
