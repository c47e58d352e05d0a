// What the panel of events remembers: events in order, with the time since their request, tokens in a row as one. Nothing here touches the page.
// Neighbours: debug.js shows it. Tested by tests/browser/debug.test.js.
// Leaves out: where events come from.

const MERGED = ["token", "reasoning"];

/**
 * {entries, add(event), clear()}, of the newest `limit` entries: {type, id, data, at, since, until, count}. `at` is a time in ms, `since`
 * the ms from the beginning of the answer to the event, `until` those to the last of `count` that were merged.
 */
export function createEventLog(limit = 2000) {
  const entries = [];
  let start = null;

  /** Gives the entry and what became of it: {entry, isNew, dropped}. */
  function add({ type, id = null, data = null, at = Date.now() }) {
    const last = entries.at(-1);
    if (start === null || begins(type, last)) start = at;
    const since = at - start;
    if (last && last.type === type && MERGED.includes(type)) return { entry: merge(last, id, data, since), isNew: false, dropped: 0 };
    const entry = { type, id, data, at, since, until: since, count: 1 };
    entries.push(entry);
    return { entry, isNew: true, dropped: entries.splice(0, Math.max(0, entries.length - limit)).length };
  }

  function clear() {
    entries.length = 0;
    start = null;
  }

  return { entries, add, clear };
}

// The clock begins with the request; where nobody says that there was one, with the answer.
function begins(type, last) {
  return type === "request" || (type === "start" && last?.type !== "request");
}

function merge(entry, id, data, since) {
  entry.data = joined(entry.data, data);
  entry.id = id;
  entry.until = since;
  entry.count += 1;
  return entry;
}

// A token is text, a piece of reasoning {text}.
function joined(a, b) {
  if (typeof a === "string" && typeof b === "string") return a + b;
  return { ...a, ...b, text: (a?.text ?? "") + (b?.text ?? "") };
}
