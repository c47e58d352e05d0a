// Asks the program without a host server in between: over FastCGI (its specification 1.0, sections 3 and 4), or as a plain CGI program. So a test says itself what the host would:
// REMOTE_ADDR, REMOTE_USER. Neighbours: server.js, for tests behind a host; client.js, whose readers take what ask() gives.
import { spawn } from 'node:child_process';
import { existsSync, linkSync, copyFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { startProvider, within, sleep } from '../provider/provider.js';
import { SseParser } from './client.js';
import { PROGRAM, SECRET, TEST_SETTINGS, dbProblems, sanitizerLogs, settingsText } from './server.js';

const BEGIN = 1, ABORT = 2, END = 3, PARAMS = 4, STDIN = 5, STDOUT = 6, STDERR = 7;

function record(type, content = Buffer.alloc(0)) {
  const head = Buffer.from([1, type, 0, 1, content.length >> 8, content.length & 255, 0, 0]);   // request 1, no padding
  return Buffer.concat([head, content]);
}

/** A stream of one type, in records of at most 65,535 bytes, with its empty end. */
function records(type, content) {
  const out = [];
  for (let at = 0; at < content.length; at += 65535) out.push(record(type, content.subarray(at, at + 65535)));
  return Buffer.concat([...out, record(type)]);
}

function pairs(variables) {
  const length = (n) => (n < 128 ? Buffer.from([n]) : Buffer.from([0x80 | (n >>> 24), (n >> 16) & 255, (n >> 8) & 255, n & 255]));
  return Buffer.concat(Object.entries(variables).flatMap(([name, value]) => {
    const n = Buffer.from(name), v = Buffer.from(String(value));
    return [length(n.length), length(v.length), n, v];
  }));
}

/** The variables of one request (RFC 3875 section 4.1). */
function variablesOf({ method = 'POST', path: target, body, address = '127.0.0.1', user, headers = {}, variables = {} }) {
  const [before, query = ''] = target.split('?');
  const all = {
    GATEWAY_INTERFACE: 'CGI/1.1', SERVER_PROTOCOL: 'HTTP/1.1', SERVER_SOFTWARE: 'test', SERVER_NAME: 'localhost', SERVER_PORT: '80',
    REQUEST_METHOD: method, REQUEST_URI: target, SCRIPT_NAME: '', PATH_INFO: before, QUERY_STRING: query, REMOTE_ADDR: address,
  };
  if (user) all.REMOTE_USER = user;
  if (body !== undefined) { all.CONTENT_TYPE = 'application/json'; all.CONTENT_LENGTH = Buffer.byteLength(body); }
  for (const [k, v] of Object.entries(headers)) all[`HTTP_${k.toUpperCase().replaceAll('-', '_')}`] = v;
  return { ...all, ...variables };
}

/** What comes back: a head as CGI programs write it (RFC 3875 section 6), then the body. */
class Answer {
  constructor(what) {
    Object.assign(this, { what, head: null, status: 0, headers: {}, text: '', fed: 0, raw: '', stderr: '', events: [], ended: false, complete: false, parser: new SseParser(), badUtf8: false });
    this.bytes = [];
    this.decoder = new TextDecoder('utf-8', { fatal: true });
    this.wakers = new Set();
    this.end = new Promise((r) => { this.finish = r; });
  }

  take(piece) {
    if (this.head === null) {
      this.bytes.push(piece);
      const all = Buffer.concat(this.bytes);
      const at = all.indexOf('\r\n\r\n');
      if (at < 0) return;
      this.head = all.subarray(0, at).toString('latin1');
      for (const line of this.head.split('\r\n')) {
        const colon = line.indexOf(':');
        this.headers[line.slice(0, colon).toLowerCase()] = line.slice(colon + 1).trim();
      }
      this.status = Number.parseInt(this.headers.status ?? '200', 10);
      piece = all.subarray(at + 4);
    }
    try { this.text += this.decoder.decode(piece, { stream: true }); } catch { this.badUtf8 = true; }
    this.raw = this.text;
    this.events.push(...this.parser.feed(this.text.slice(this.fed)));
    this.fed = this.text.length;
    this.wake();
  }

  wake() { for (const f of this.wakers) f(); }

  over(complete) {
    if (this.ended) return;
    this.ended = true;
    this.complete = complete;
    this.finish();
    this.wake();
  }

  /** Resolves when `test` says so; fails at the end of the answer. */
  until(test, seconds = 10) {
    let look;
    return within(seconds, new Promise((resolve, reject) => {
      look = () => { if (test(this)) resolve(this); else if (this.ended) reject(new Error(`the answer ended before: ${this.text.slice(-300)}${this.stderr.slice(-300)}`)); };
      this.wakers.add(look);
      look();
    }), this.what).finally(() => this.wakers.delete(look));
  }

  opened(seconds) { return this.until((a) => a.status, seconds); }
  async all(seconds = 30) { await within(seconds, this.end, `the end of ${this.what}`); return this; }
  get json() { try { return JSON.parse(this.text); } catch { return undefined; } }
}

/** One request over a connection of its own. The answer may be looked at while it comes; close() is a host server that hangs up. */
function askFastcgi(socket, options) {
  const body = options.body === undefined ? undefined : JSON.stringify(options.body);
  const answer = new Answer(`${options.method ?? 'POST'} ${options.path}`);
  const sock = net.connect(socket);
  let rest = Buffer.alloc(0);
  sock.on('data', (d) => {
    rest = Buffer.concat([rest, d]);
    while (rest.length >= 8) {
      const length = rest.readUInt16BE(4), padding = rest[6];
      if (rest.length < 8 + length + padding) break;
      const content = rest.subarray(8, 8 + length);
      if (rest[1] === STDOUT && length) answer.take(content);
      if (rest[1] === STDERR) answer.stderr += content;
      if (rest[1] === END) { answer.over(true); sock.end(); }
      rest = rest.subarray(8 + length + padding);
    }
  });
  sock.on('error', (e) => { answer.error = e; });
  sock.on('close', () => answer.over(false));
  const head = Buffer.concat([record(BEGIN, Buffer.from([0, 1, 0, 0, 0, 0, 0, 0])), records(PARAMS, pairs(variablesOf({ ...options, body })))]), stdin = records(STDIN, Buffer.from(body ?? ''));
  sock.write(options.holds ? head : Buffer.concat([head, stdin]));
  answer.sendBody = () => sock.write(stdin);       // with `holds`: now only
  answer.close = () => sock.destroy();
  answer.abort = () => sock.write(record(ABORT));
  return answer;
}

/** One request by a process of its own. */
function askCgi(program, env, options) {
  const body = options.body === undefined ? undefined : JSON.stringify(options.body);
  const answer = new Answer(`${options.method ?? 'POST'} ${options.path} by CGI`);
  const child = spawn(program, [], { env: { ...env, ...variablesOf({ ...options, body }) }, stdio: ['pipe', 'pipe', 'pipe'] });
  child.stdout.on('data', (d) => answer.take(d));
  child.stderr.on('data', (d) => { answer.stderr += d; });
  child.stdin.on('error', () => {});
  child.once('error', (e) => { answer.stderr += e.message; answer.over(false); });
  child.once('close', (code) => answer.over(code === 0));
  child.stdin.end(body ?? '');
  answer.close = () => child.kill('SIGTERM');
  return answer;
}

/** Whether somebody listens at this socket. */
function accepts(socket) {
  return new Promise((resolve) => {
    const sock = net.connect({ path: socket });
    sock.once('connect', () => { sock.destroy(); resolve(true); });
    sock.once('error', () => resolve(false));
  });
}

/**
 * A provider and the program for the length of one function: `await withWorker({settings, cgi: true}, async (w, p) => { … })`.
 * w.ask({method, path, body, address, user, headers, holds}) gives an Answer at once; w.get(path, more) and w.post(path, body, more) wait for its end. w.db is the database.
 */
export async function withWorker({ settings = {}, cgi = false, env: more = {} } = {}, fn) {
  const p = await startProvider();
  const dir = mkdtempSync(path.join(tmpdir(), 'parley-test-'));
  const w = { dir, db: path.join(dir, 'parley.db'), log: '' };
  const file = path.join(dir, 'run.env');
  writeFileSync(file, settingsText({ PARLEY_DB: w.db, ...TEST_SETTINGS, LLM_BASE_URL: p.url, ...settings }), { mode: 0o600 });
  const env = { PATH: process.env.PATH, PARLEY_CONFIG: file, ...sanitizerLogs(dir), ...more };
  let child, exited, failed = true;
  const answers = new Set();
  try {
    if (cgi) {
      const program = path.join(dir, 'chat.cgi');
      try { linkSync(PROGRAM, program); } catch { copyFileSync(PROGRAM, program); }
      w.ask = (options) => { const a = askCgi(program, env, options); answers.add(a); return a; };
    } else {
      const socket = path.join(dir, 'chat.sock');
      child = spawn(PROGRAM, ['--listen', `unix:${socket}`], { env, stdio: ['ignore', 'pipe', 'pipe'] });
      exited = new Promise((r) => { child.once('close', (code, signal) => r({ code, signal })); child.once('error', (e) => r({ code: e.message })); });
      for (const from of [child.stdout, child.stderr]) from.on('data', (d) => { w.log += d; });
      w.pid = child.pid;
      w.ask = (options) => { const a = askFastcgi(socket, options); answers.add(a); return a; };
      await within(20, (async () => { while (!await accepts(socket)) await sleep(0.02); })(), 'the socket of the worker');
    }
    w.get = (target, options) => w.ask({ method: 'GET', path: target, ...options }).all();
    w.post = (target, body, options) => w.ask({ path: target, body, ...options }).all();
    await fn(w, p);
    failed = false;
  } catch (e) {
    e.message += `\n--- log ---\n${w.log.slice(-3000)}`;
    throw e;
  } finally {
    for (const a of answers) if (!a.ended) a.close();
    await p.stop();
    let exit = { code: 0 };
    if (child) {
      child.kill('SIGTERM');
      exit = await within(40, exited, 'the end of the worker').catch(() => { child.kill('SIGKILL'); return { code: 'killed' }; });
    }
    const problems = failed || !existsSync(w.db) ? [] : dbProblems(w.db);
    for (const f of readdirSync(dir).filter((name) => name.startsWith('sanitizer.'))) problems.push(readFileSync(path.join(dir, f), 'utf8'));
    rmSync(dir, { recursive: true, force: true });
    if (!failed && exit.code !== 0) problems.push(`the worker ended with ${JSON.stringify(exit)}`);
    if (!failed && w.log.includes(SECRET)) problems.push('the provider key is in the log');
    if (problems.length) throw new Error(`${problems.join('\n')}\n--- log ---\n${w.log.slice(-3000)}`);
  }
}
