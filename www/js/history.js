// The conversations as this page knows them: pages of them as they come from the server, and on top of that what was changed here
// and is not yet agreed with the server.
// Neighbours: sidebar.js fetches, draws and changes. Tested by tests/browser/history.test.js.
// Leaves out: requests, the page, the days.
//
// A row is what the server says of one conversation, with `id` and `time` (updated_at in ms). Rows are never changed but replaced, and one that
// comes again as it was stays the same object: who draws can compare by ===.
//
// Paging is by position in time. `marks` are the positions where fetched pages began: the first is the top of the list, the last is the
// frontier, where the next page begins. What lies between two marks has been seen whole, so what a second look does not find there is gone.

/** What belongs to each list, by the rows' own flags; also the filters for the server. */
export const LISTS = {
  pinned: { pinned: true, archived: false },
  recent: { pinned: false, archived: false },
  archived: { archived: true },
};

const TOP = { cursor: undefined, time: Infinity };
const END = { cursor: null, time: -Infinity };

export function createHistory() {
  const known = new Map();       // id -> row, of all lists
  const marks = { pinned: [TOP], recent: [TOP], archived: [TOP], found: [TOP] };
  let pending = [];              // changes that the server has not agreed to: {id, change}, in their order
  const gone = new Set();        // ids of conversations that were deleted here
  let found = [];                // rows of a search, as the server ordered them
  let sorted = {};               // name of a list -> its rows as the server has them, newest first; made when needed
  let version = 0;               // grows with each change made here: a page asked for before it is out of date

  // ---- pages from the server

  /** Takes a page {conversations, next} of a list, fetched from `mark` on. */
  function take(name, page, mark = TOP) {
    const until = endOf(page);
    if (mark === TOP && until.time > list(name)[0]?.time) forget(name);   // so much is new that the rest does not follow on
    const rows = page.conversations.map(rowOf).filter((row) => belongs(row, name));
    const ids = new Set(rows.map((row) => row.id));
    for (const row of list(name)) {
      if (row.time <= until.time) break;
      if (row.time < mark.time && !ids.has(row.id)) drop(row);
    }
    for (const row of rows) put(row);
    if (until.time <= frontier(name).time) moveFrontier(name, until);
  }

  function endOf({ conversations, next }) {
    return next ? { cursor: next, time: rowOf(conversations.at(-1)).time } : END;
  }

  // The list begins anew.
  function forget(name) {
    for (const row of list(name)) drop(row);
    marks[name] = [TOP];
  }

  function moveFrontier(name, mark) {
    marks[name] = [...marks[name].filter((other) => other.time > mark.time), mark];
  }

  /** Where the next page of a list begins: its `cursor` is undefined before the first page and null after the last. */
  function frontier(name) {
    return marks[name].at(-1);
  }

  function put(row) {
    const old = known.get(row.id);
    if (old && isSame(old, row)) return;
    known.set(row.id, row);
    sorted = {};
  }

  function drop(row) {
    known.delete(row.id);
    sorted = {};
  }

  function list(name) {
    sorted[name] ??= [...known.values()].filter((row) => belongs(row, name)).sort(byTime);
    return sorted[name];
  }

  /** Takes a page of a search: the first one, or one that follows. */
  function takeFound(page, isFirst) {
    const before = isFirst ? [] : found;
    const ids = new Set(before.map((row) => row.id));
    found = [...before, ...page.conversations.map(rowOf).filter((row) => !ids.has(row.id))];
    marks.found = [page.next ? { cursor: page.next } : END];
  }

  /** Before another search. */
  function forgetFound() {
    found = [];
    marks.found = [TOP];
  }

  // ---- what is shown

  /** The rows of a list ("found" is that of the search), newest first, with what was changed here. The same array while nothing changes. */
  function rows(name) {
    const base = name === "found" ? found : list(name);
    if (pending.length === 0 && gone.size === 0) return base;
    const all = name === "found" || pending.length === 0 ? base.map(changed) : [...known.values()].map(changed).filter((row) => belongs(row, name)).sort(byTime);
    return all.filter((row) => !gone.has(row.id));
  }

  function changed(row) {
    if (pending.length === 0) return row;
    return pending.filter((entry) => entry.id === row.id).reduce((now, entry) => withChange(now, entry.change), row);
  }

  /** One conversation, undefined when it is not known; deleted ones are, until they are forgotten. */
  function get(id) {
    const row = known.get(id) ?? found.find((other) => other.id === id);
    return row && changed(row);
  }

  /** The mark of the page that a row of this list stands in. */
  function markOf(name, id) {
    const row = known.get(id);
    return row ? marks[name].findLast((mark) => mark.time > row.time) : TOP;
  }

  // ---- changes made here

  /** Shows a change before the server has agreed; then call `keep()` or `undo()` of what this returns. */
  function begin(id, change) {
    const entry = { id, change };
    pending.push(entry);
    version += 1;
    const end = () => { pending = pending.filter((other) => other !== entry); version += 1; };
    return { keep: () => { end(); set(id, change); }, undo: end };
  }

  /** Changes what is known of a conversation. Of one that is not known yet, what was asked for before does not count either. */
  function set(id, change) {
    const before = known.get(id);
    const after = before && withChange(before, change);
    if (after && after !== before) put(after);
    if (!before || after !== before) version += 1;
    if (found.some((row) => row.id === id)) found = found.map((row) => (row.id === id ? withChange(row, change) : row));
  }

  /** Puts a conversation at the top of its list, until the server says so itself. */
  function bump(id) {
    const row = known.get(id);
    const first = row && rows(listOf(row))[0];
    if (first && first.id !== id) set(id, { time: first.time + 1 });
  }

  /** Takes a conversation out of all lists; `restore()` brings it back. */
  function remove(id) {
    gone.add(id);
    version += 1;
  }

  function restore(id) {
    gone.delete(id);
    version += 1;
  }

  /** Takes a conversation that came by itself, not in a list. */
  function add(data) {
    put(rowOf(data));
  }

  return { take, takeFound, forgetFound, rows, get, frontier, markOf, begin, set, bump, remove, restore, add, get version() { return version; } };
}

function rowOf(data) {
  return { ...data, id: data.conversation_id, time: Date.parse(data.updated_at) || 0 };
}

function belongs(row, name) {
  const { pinned, archived } = LISTS[name];
  return Boolean(row.archived) === archived && (pinned === undefined || Boolean(row.pinned) === pinned);
}

const byTime = (a, b) => b.time - a.time;

// The row itself when nothing changes. What a search found in a title goes with the title.
function withChange(row, change) {
  if (Object.entries(change).every(([name, value]) => row[name] === value)) return row;
  const hit = change.title !== undefined && row.snippet && !row.message_id ? { snippet: [{ text: change.title }] } : {};
  return { ...row, ...change, ...hit };
}

/** The list that a row stands in. */
export function listOf(row) {
  return Object.keys(LISTS).find((name) => belongs(row, name));
}

const SHOWN = ["time", "title", "pinned", "archived", "status", "unread"];

function isSame(a, b) {
  return SHOWN.every((name) => a[name] === b[name]);
}
