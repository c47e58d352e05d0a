// How fast the list and the search are over a long history: 1,000,000 messages of 1,000 users, asked for by the user who has most of them.
//
//   node tests/bench/history.js               HISTORY_MESSAGES=200000: fewer; HISTORY_DB=FILE: keeps the database there, or uses the one that is there
//
// The text is made up: words by Zipf's law, a part of it Chinese, a few long answers. The server is lighttpd with the worker, as in the HTTP tests. Times are those of whole
// requests, as a client sees them. It is no test: the table says what is missed.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { withServer, REPO } from '../http/server.js';
import { get } from '../http/client.js';

const MESSAGES = Number(process.env.HISTORY_MESSAGES ?? 1_000_000), USERS = 1000, BUSIEST = 0.134, WORDS = 30_000;
const NOW = Date.now();

/** The same numbers every time (mulberry32). */
let state = 7;
function random() {
  state = (state + 0x6d2b79f5) | 0;
  let t = Math.imul(state ^ (state >>> 15), 1 | state);
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
  return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
}
const below = (n) => Math.floor(random() * n);
const zipf = (n) => Math.min(n - 1, Math.floor(n ** random()) - 1 + (random() < 0.5 ? 0 : 1));

const SYLLABLES = ['ka', 'lo', 'mi', 'ren', 'sta', 'ver', 'to', 'nal', 'is', 'che', 'ü', 'gra', 'pel', 'or', 'un', 'de', 'zi', 'qua', 'é', 'bur'];
const vocabulary = Array.from({ length: WORDS }, (_, i) => {
  let word = '';
  for (let n = i + 20; n > 0; n = Math.floor(n / SYLLABLES.length)) word += SYLLABLES[n % SYLLABLES.length];
  return word;
});
const han = () => String.fromCharCode(0x4e00 + zipf(3000));

function latin(words) {
  const out = [];
  for (let i = 0; i < words; i++) out.push(vocabulary[zipf(WORDS)] + (i % 12 === 11 ? '.\n' : ''));
  return out.join(' ');
}

function chinese(chars) {
  let out = '';
  for (let i = 0; i < chars; i++) out += i % 15 === 14 ? '，' : han();
  return out;
}

const quote = (text) => `'${text.replaceAll("'", "''")}'`;
const apart = (text) => [...text].join(' ');

/** The SQL of all rows, in pieces. */
function* rows() {
  yield 'PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -400000; BEGIN;\n';
  yield `INSERT INTO users (id, name, created_at) VALUES ${Array.from({ length: USERS }, (_, i) => `(${i + 1}, ${quote(i ? `user${i}` : '')}, 1)`).join(',')};\n`;
  let message = 0;
  for (let c = 1; message < MESSAGES; c++) {
    const user = random() < BUSIEST ? 1 : 2 + zipf(USERS - 1), turns = 1 + below(9), isChinese = random() < 0.28, at = NOW - 400 * 86400e3 + c * 300;
    const text = (n) => (isChinese ? chinese(n * 3) : latin(n));
    const title = text(5);
    let sql = `INSERT INTO conversations (id, public_id, user_id, title, title_search, pinned, archived, created_at, updated_at) VALUES (${c}, 'c${c}', ${user}, ${quote(title)}, `
      + `${isChinese ? quote(apart(title)) : 'NULL'}, ${c % 500 === 0 ? 1 : 0}, ${random() < 0.3 ? 1 : 0}, ${at}, ${at});\nINSERT INTO messages (id, public_id, conversation_id, user_id, seq, parent_id, role, content, search_text, created_at) VALUES `;
    for (let seq = 1; seq <= turns * 2; seq++) {
      const content = text(seq % 2 ? 5 + below(20) : random() < 0.02 ? 1500 : 10 + below(80));
      message++;
      sql += `${seq > 1 ? ',' : ''}(${message}, 'm${message}', ${c}, ${user}, ${seq}, ${seq > 1 ? message - 1 : 'NULL'}, '${seq % 2 ? 'user' : 'assistant'}', ${quote(content)}, ${isChinese ? quote(apart(content)) : 'NULL'}, ${at})`;
    }
    yield `${sql};\nUPDATE conversations SET leaf_id = ${message} WHERE id = ${c};\n`;
  }
  yield 'COMMIT; PRAGMA journal_mode = WAL;\n';
}

async function make(file) {
  const shell = spawn('sqlite3', ['-batch', file], { stdio: ['pipe', 'ignore', 'inherit'] });
  shell.stdin.write(readFileSync(path.join(REPO, 'schema.sql')));
  for (const sql of rows()) if (!shell.stdin.write(sql)) await once(shell.stdin, 'drain');
  shell.stdin.end();
  const [code] = await once(shell, 'close');
  if (code !== 0) throw new Error(`sqlite3 ended with ${code}`);
}

const middle = (times) => times[Math.floor(times.length / 2)];

/** Asks each address three times; the row is of all answers but those that came first of their kind, which say what is cold. */
async function measure(s, what, queries, bar) {
  const times = [];
  let first = 0, found = 0;
  for (let round = 0; round < 4; round++) {
    for (const q of queries) {
      const t0 = performance.now();
      const r = await get(`${s.url}/conversations${q}`);
      const ms = performance.now() - t0;
      if (r.status !== 200) throw new Error(`${q}: ${r.status} ${r.text}`);
      if (round === 0) { first = Math.max(first, ms); found += r.json.conversations.length; } else times.push(ms);
    }
  }
  times.sort((a, b) => a - b);
  console.log(`${what.padEnd(44)} ${String(queries.length).padStart(4)} queries, ${(found / queries.length).toFixed(0).padStart(3)} rows:  p50 ${middle(times).toFixed(1).padStart(6)} ms  worst ${times.at(-1).toFixed(1).padStart(6)} ms  `
    + `first ${first.toFixed(1).padStart(6)} ms  (p50 ≤ ${bar}, worst ≤ 150) ${middle(times) <= bar && times.at(-1) <= 150 ? 'met' : 'MISSED'}`);
}

/** The cursors of some pages, from the newest to the oldest. */
async function cursors(s, query, count) {
  const all = [''];
  for (let next = ''; all.length < count;) {
    next = (await get(`${s.url}/conversations?limit=200${query}${next && `&before=${next}`}`)).json.next;
    if (!next) break;
    all.push(`&before=${next}`);
  }
  return all;
}

async function run(file) {
  await withServer({ settings: { PARLEY_DB: file } }, async (s) => {
    const q = (list) => list.map((text) => `?q=${encodeURIComponent(text)}`);
    const some = (from, to, count) => Array.from({ length: count }, (_, i) => vocabulary[from + Math.floor((i * (to - from)) / count)]);
    for (const filter of ['', '&archived=false', '&archived=false&pinned=false', '&pinned=true', '&archived=true']) {
      await measure(s, `a page${filter.replaceAll('&', ' ')}`, (await cursors(s, filter, 30)).map((c) => `?limit=50${filter}${c}`), 5);
    }
    await measure(s, 'a page of 200', (await cursors(s, '', 30)).map((c) => `?limit=200${c}`), 20);
    await measure(s, 'search: common words', q(some(0, 30, 30)), 20);
    await measure(s, 'search: words', q(some(100, 5000, 60)), 20);
    await measure(s, 'search: rare words', q(some(10000, 29000, 40)), 20);
    await measure(s, 'search: missing words', q(['zzzzzz', 'xyzxyz', '龘龘']), 20);
    await measure(s, 'search: two words', q(some(100, 2000, 30).map((w, i) => `${w} ${vocabulary[i]}`)), 20);
    await measure(s, 'search: Chinese', q(Array.from({ length: 40 }, () => han() + han())), 20);
    await measure(s, 'search: one Chinese character', q(Array.from({ length: 20 }, () => han())), 20);
    await measure(s, 'search: phrases', q(some(0, 300, 20).map((w, i) => `"${w} ${vocabulary[i % 7]}"`)), 20);
    await measure(s, 'search: beginnings of words', q(some(8000, 29000, 30).map((w) => w.slice(0, 4))), 20);
    await measure(s, 'search: common words, not archived', q(some(0, 30, 30)).map((x) => `${x}&archived=false`), 20);
    await measure(s, 'search: words, a page of 200', q(some(100, 5000, 30)).map((x) => `${x}&limit=200`), 50);
  });
}

const dir = mkdtempSync(path.join(tmpdir(), 'parley-history-'));
const file = process.env.HISTORY_DB ?? path.join(dir, 'history.db');
try {
  if (!existsSync(file)) {
    console.log(`making ${MESSAGES} messages …`);
    await make(file);
  }
  await run(file);
} finally { rmSync(dir, { recursive: true, force: true }); }
