// A shelf of conversations that answers as the server does (docs/api.md), for what is hard to bring about with a real one: old days, answers that
// stream elsewhere, failures, many thousand rows. Goes between page and server as the `change` of a proxy.
// Neighbours: stand.js has the proxy. Leaves out: messages; reading a conversation gives an empty one.
import { createHash } from 'node:crypto';

export const DAY = 86_400_000;

/** An id of the shape that the server's have. */
export const idOf = (name) => createHash('sha256').update(name).digest('hex').slice(0, 32);

/** One row; `age` in ms. */
export function conversation(title, age = 0, more = {}) {
  const time = new Date(Date.now() - age).toISOString();
  return { conversation_id: idOf(title), title, created_at: time, updated_at: time, pinned: false, archived: false, metadata: {}, status: 'done', unread: false, ...more };
}

/**
 * `all` has the rows by id and `seen` the requests as "METHOD /path?query". `answer(req, res)` may answer first, and returns true when it has;
 * it may be a promise.
 */
export function createShelf(...rows) {
  const all = new Map(rows.map((row) => [row.conversation_id, row]));
  const shelf = { all, seen: [], answer: () => false, change, named: (title) => [...all.values()].find((row) => row.title === title) };

  async function change(req, res, pass) {
    const url = new URL(req.url, 'http://shelf');
    const [, kind, id, rest] = url.pathname.split('/');
    if (kind !== 'conversations' || rest) return pass();
    const body = await bodyOf(req);
    shelf.seen.push(`${req.method} ${req.url}${body ? ` ${JSON.stringify(body)}` : ''}`);
    if (await shelf.answer(req, res)) return undefined;
    if (!id) return reply(res, 200, list(Object.fromEntries(url.searchParams)));
    const row = all.get(id);
    if (!row) return reply(res, 404, { error: { code: 'not_found', message: 'There is no such conversation.' } });
    if (req.method === 'PATCH') all.set(id, { ...row, ...body });
    if (req.method === 'DELETE') all.delete(id);
    return reply(res, 200, req.method === 'GET' ? { ...row, messages: [] } : { ...row, ...body });
  }

  function list({ limit = 50, before, q, pinned, archived }) {
    const wanted = [...all.values()]
      .filter((row) => (pinned === undefined || String(row.pinned) === pinned) && (archived === undefined || String(row.archived) === archived))
      .map((row) => (q === undefined ? row : find(row, q))).filter(Boolean)
      .sort((a, b) => Date.parse(b.updated_at) - Date.parse(a.updated_at) || (b.conversation_id < a.conversation_id ? -1 : 1));
    const from = before === undefined ? 0 : wanted.findIndex((row) => row.conversation_id === before) + 1;
    const page = wanted.slice(from, from + Number(limit));
    return { conversations: page, ...(wanted.length > from + page.length && { next: page.at(-1).conversation_id }) };
  }

  return shelf;
}

// What was found is in the title, or in `text`, which only the shelf's rows have.
function find(row, words) {
  for (const [text, message_id] of [[row.title, null], [row.text ?? '', 'message-1']]) {
    const at = text.toLowerCase().indexOf(words.toLowerCase());
    if (at < 0) continue;
    const snippet = [{ text: text.slice(0, at) }, { text: text.slice(at, at + words.length), hit: true }, { text: text.slice(at + words.length) }].filter((piece) => piece.text);
    return { ...row, snippet, message_id };
  }
  return null;
}

async function bodyOf(req) {
  let text = '';
  for await (const piece of req) text += piece;
  return text && JSON.parse(text);
}

/** Answers with JSON. */
export function reply(res, status, body) {
  res.writeHead(status, { 'content-type': 'application/json' });
  res.end(JSON.stringify(body));
  return true;
}

/** For `answer`: refuses what `test(req)` is true for. */
export const refuse = (test, message = 'The database is locked.') => (req, res) => test(req) && reply(res, 503, { error: { code: 'store_unavailable', message } });
