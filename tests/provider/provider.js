// The upstream that misbehaves on order: an OpenAI-style provider for tests.
//
//   const p = await startProvider();
//   p.respond(simple('Hello'));                     what every chat request gets from now on
//   p.enqueue(serverError(500));                    what the next one gets, once
//   p.respond(async (req, io) => { io.token('a'); await g.wait(); io.finish(); io.done(); io.end(); });
//   p.embed((text) => [text.length, 1]);            the vector of each text (without it: no such route)
//   p.requests / p.chats                            everything that was asked / only chat completions
//   await p.stop();
//
// A behaviour is `async (req, io)`. Nothing is sent before it says so. When it returns without having ended the
// answer, the answer stays open (that is what a stall is) until io.end(), io.cut() or p.stop().
import http from 'node:http';
import net from 'node:net';
import { spawn } from 'node:child_process';

export const SCALE = Math.max(1, Number(process.env.PARLEY_TEST_TIMEOUT_SCALE || 1));

/** The key that tests configure; whoever finds it in a text or a log has found a leak. */
export const SECRET = 'sk-parley-test-4f9d2c7be1a84d60SECRET';

/** One-way door: wait() resolves once open() was called. */
export function gate() {
  let open;
  const promise = new Promise((resolve) => { open = resolve; });
  const g = { isOpen: false, wait: () => promise, open: (v) => { g.isOpen = true; open(v); } };
  return g;
}

/** Rejects with a sentence when `promise` does not settle in `seconds` (scaled). */
export function within(seconds, promise, what = 'the event') {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what}: nothing in ${seconds * SCALE} s`)), seconds * SCALE * 1000);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

export const sleep = (seconds) => new Promise((r) => setTimeout(r, seconds * 1000));

class Io {
  constructor(req, res, provider) {
    this.req = req;
    this.res = res;
    this.provider = provider;
    this.sent = 0;                       // pieces given to write
    this.finished = false;               // we ended it ourselves
    this.isClosed = false;               // the client left before that
    this.model = req.body?.model ?? 'test-model';
    this.id = `chatcmpl-${provider.requests.length}`;
    this.pending = new Set();            // writes that wait for the kernel
    this.closed = new Promise((resolve) => {
      res.on('close', () => {
        for (const f of this.pending) f(false);
        if (!this.finished) { this.isClosed = true; provider.closedCount++; provider._wake(); resolve(true); }
      });
    });
    res.on('error', () => {});
  }

  status(code = 200, headers = {}) {
    this.res.writeHead(code, headers);
    this.res.flushHeaders();
    return this;
  }

  _open() {
    if (!this.res.headersSent) this.status(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-cache' });
  }

  /** Bytes as they are. Resolves when they were handed to the kernel (or the client left). */
  raw(bytes) {
    this._open();
    this.sent++;
    if (this.isClosed || this.res.destroyed) return Promise.resolve(false);
    return new Promise((resolve) => {
      this.pending.add(resolve);
      this.res.write(typeof bytes === 'string' ? Buffer.from(bytes, 'utf8') : bytes, (e) => { this.pending.delete(resolve); resolve(!e); });
    });
  }

  /** Bytes cut into writes of n bytes, each of them a read of its own (as far as TCP lets one say so). */
  async drip(bytes, n = 1) {
    const buf = typeof bytes === 'string' ? Buffer.from(bytes, 'utf8') : bytes;
    for (let i = 0; i < buf.length && !this.isClosed; i += n) {
      await this.raw(buf.subarray(i, i + n));
      await new Promise((r) => setImmediate(r));
    }
  }

  data(line) { return this.raw(`data: ${line}\n\n`); }
  chunk(obj) { return this.data(JSON.stringify(obj)); }
  shape(delta, more = {}) {
    const { choice, ...top } = more;
    return {
      id: this.id, object: 'chat.completion.chunk', created: 1760000000, model: this.model,
      choices: [{ index: 0, delta, finish_reason: null, ...choice }], ...top,
    };
  }
  role() { return this.chunk(this.shape({ role: 'assistant', content: '' })); }
  token(text) { return this.chunk(this.shape({ content: text })); }
  finish(reason = 'stop', usage) {
    const r = this.chunk(this.shape({}, { choice: { finish_reason: reason } }));
    return usage ? this.usage(usage) : r;
  }
  usage(usage) {
    const { choices, ...rest } = this.shape({});
    return this.chunk({ ...rest, choices: [], usage });
  }
  done() { return this.data('[DONE]'); }

  end(bytes) {
    this.finished = true;
    return new Promise((resolve) => {
      if (this.res.destroyed) return resolve();
      this.res.once('close', resolve);
      this.res.once('finish', resolve);
      this.res.end(bytes);
    });
  }

  /** Breaks the connection: 'rst' (reset) or 'fin' (closed in the middle of the chunked body). */
  cut(how = 'rst') {
    this.finished = true;
    const socket = this.res.socket;
    if (!socket || socket.destroyed) return;
    if (how === 'rst' && socket.resetAndDestroy) socket.resetAndDestroy();
    else socket.end(() => socket.destroy());
  }

  json(obj, status = 200, headers = {}) {
    const body = Buffer.from(typeof obj === 'string' ? obj : JSON.stringify(obj));
    this.res.writeHead(status, { 'content-type': 'application/json', 'content-length': body.length, ...headers });
    return this.end(body);
  }
}

/** Starts the provider. `p.url` ends in /v1. */
export async function startProvider({ models = ['test-model'], host = '127.0.0.1' } = {}) {
  const queue = [];
  let waiters = [];
  const p = {
    requests: [], closedCount: 0, models, errors: [], ios: [],
    behaviour: null, vector: null,
    get chats() { return p.requests.filter((r) => r.method === 'POST' && r.path.endsWith('/chat/completions')); },
    respond(fn) { p.behaviour = fn; return p; },
    enqueue(...fns) { queue.push(...fns); return p; },
    embed(fn) { p.vector = fn; return p; },
    /** Forgets requests, queue and counters (between tests that share one provider). */
    reset(fn) { p.vector = null; p.requests.length = 0; queue.length = 0; p.ios.length = 0; p.closedCount = 0; p.behaviour = fn ?? p.behaviour; return p; },
    _wake() { const w = waiters; waiters = []; for (const f of w) f(); },
    /** Resolves once test() is true; looked at after each request and each departure. */
    async until(test, what = 'the provider', seconds = 10) {
      await within(seconds, (async () => {
        while (!test()) await new Promise((r) => waiters.push(r));
      })(), what);
    },
    /** The n-th chat request (1 is the first), as soon as it is there. */
    async waitForChat(n = 1, seconds = 10) {
      await p.until(() => p.chats.length >= n, `chat request ${n} to the provider`, seconds);
      return p.chats[n - 1];
    },
    async waitForClosed(n = 1, seconds = 10) { await p.until(() => p.closedCount >= n, `departure ${n} from the provider`, seconds); },
  };

  const server = http.createServer({ keepAliveTimeout: 120_000, requestTimeout: 0 }, (req, res) => {
    res.socket.setNoDelay(true);
    const pieces = [];
    req.on('error', () => {});
    req.on('data', (d) => pieces.push(d));
    req.on('end', () => {
      const raw = Buffer.concat(pieces).toString('utf8');
      let body;
      try { body = raw ? JSON.parse(raw) : undefined; } catch { body = undefined; }
      const entry = { method: req.method, path: req.url, headers: req.headers, body, raw, at: performance.now() };
      p.requests.push(entry);
      const io = new Io(entry, res, p);
      entry.io = io;
      if (req.method === 'GET' && /\/models(\?|$)/.test(req.url)) {
        io.json({ object: 'list', data: p.models.map((id) => ({ id, object: 'model', created: 1, owned_by: 'tests' })) });
        p._wake();
        return;
      }
      if (req.method === 'POST' && req.url.endsWith('/embeddings') && p.vector) {
        io.json(embeddings([body.input].flat().map(p.vector), body.model));
        p._wake();
        return;
      }
      if (req.method !== 'POST' || !req.url.endsWith('/chat/completions')) {
        io.json({ error: { message: `no such route ${req.url}`, type: 'invalid_request_error' } }, 404);
        p._wake();
        return;
      }
      p.ios.push(io);
      const fn = queue.shift() ?? p.behaviour;
      p._wake();
      if (!fn) { io.json({ error: { message: 'the test set no behaviour' } }, 500); return; }
      Promise.resolve(fn(entry, io)).catch((e) => { p.errors.push(e); io.cut(); });
    });
  });
  const sockets = new Set();
  server.on('connection', (s) => { sockets.add(s); s.on('error', () => {}); s.on('close', () => sockets.delete(s)); });
  server.on('clientError', (e, s) => s.destroy());
  await new Promise((resolve, reject) => { server.once('error', reject); server.listen({ port: 0, host, backlog: 4096 }, resolve); });
  p.port = server.address().port;
  p.origin = `http://${host}:${p.port}`;
  p.url = `${p.origin}/v1`;
  p.connections = () => sockets.size;
  p.stop = async () => {
    for (const s of sockets) s.destroy();
    await new Promise((r) => server.close(r));
    if (p.errors.length) throw new Error(`a behaviour of the test provider failed: ${p.errors[0].stack}`);
  };
  return p;
}

/** A server that must not be reached: remembers every connection and what it was sent. */
export async function startCanary() {
  const seen = [];
  const sockets = new Set();
  const server = net.createServer((s) => {
    const entry = { text: '' };
    seen.push(entry);
    sockets.add(s);
    s.on('error', () => {});
    s.on('close', () => sockets.delete(s));
    s.on('data', (d) => {
      entry.text += d;
      s.end('HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\ndata: {"choices":[{"index":0,"delta":{"content":"canary"},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n');
    });
  });
  await new Promise((r) => server.listen(0, '127.0.0.1', r));
  const port = server.address().port;
  return {
    seen, port, url: `http://localhost:${port}`,
    stop: () => { for (const s of sockets) s.destroy(); return new Promise((r) => server.close(r)); },
  };
}

/** A port on which nobody listens. */
export async function freePort() {
  // below the ephemeral range, so that no outgoing connection takes it meanwhile
  for (let i = 0; i < 200; i++) {
    const port = 12000 + Math.floor(Math.random() * 18000);
    const ok = await new Promise((resolve) => {
      const s = net.createServer();
      s.once('error', () => resolve(false));
      s.listen(port, '127.0.0.1', () => s.close(() => resolve(true)));
    });
    if (ok) return port;
  }
  throw new Error('no free port');
}

/** An address whose TCP handshake never ends: the listener's queue is full and its process is stopped. */
export async function blackHole() {
  const child = spawn(process.execPath, ['-e',
    "const s=require('net').createServer();s.listen({port:0,host:'127.0.0.1',backlog:1},()=>{process.send(s.address().port)})"],
  { stdio: ['ignore', 'ignore', 'ignore', 'ipc'] });
  const port = await within(10, new Promise((r) => child.once('message', r)), 'the black hole');
  process.kill(child.pid, 'SIGSTOP');
  const fill = [];
  let stuck = 0;
  for (let i = 0; i < 16 && stuck < 2; i++) {         // fill the queue until a connection hangs
    const s = net.connect(port, '127.0.0.1');
    s.on('error', () => {});
    fill.push(s);
    const ok = await Promise.race([new Promise((r) => s.once('connect', () => r(true))), sleep(0.3).then(() => false)]);
    if (!ok) stuck++;
  }
  return {
    port, url: `http://127.0.0.1:${port}/v1`, full: stuck > 0,
    stop: () => new Promise((r) => {
      for (const s of fill) s.destroy();
      child.once('exit', r);
      process.kill(child.pid, 'SIGKILL');
    }),
  };
}

// ---------------------------------------------------------------- behaviours

export const USAGE = { prompt_tokens: 16, completion_tokens: 3, total_tokens: 19 };

export const tokensOf = (text) => (Array.isArray(text) ? text : text.match(/\S+\s*|\s+/g) ?? [text]);

/** A good answer: a text (cut into words) or a list of tokens. */
export function simple(text = 'Hello, world!', { usage = USAGE, reason = 'stop' } = {}) {
  const tokens = tokensOf(text);
  return async (req, io) => {
    if (req.body?.stream !== true) return io.json(completion(tokens.join(''), { usage, reason }));
    io.role();
    for (const t of tokens) io.token(t);
    io.finish(reason, req.body?.stream_options?.include_usage ? usage : undefined);
    io.done();
    return io.end();
  };
}

/** A whole (not streamed) answer. */
export function completion(text, { usage = USAGE, reason = 'stop', model = 'test-model' } = {}) {
  return {
    id: 'chatcmpl-whole', object: 'chat.completion', created: 1760000000, model,
    choices: [{ index: 0, message: { role: 'assistant', content: text }, finish_reason: reason }], usage,
  };
}

/** The answer that holds these vectors. */
function embeddings(vectors, model) {
  return { object: 'list', model, data: vectors.map((embedding, index) => ({ object: 'embedding', index, embedding })), usage: { prompt_tokens: 5, total_tokens: 5 } };
}

/** The model wants tools called: [{id, name, arguments (JSON text)}]; the arguments come in pieces. */
export function calling(calls, { text, usage = USAGE } = {}) {
  return async (req, io) => {
    io.role();
    if (text) io.token(text);
    calls.forEach((c, index) => {
      io.chunk(io.shape({ tool_calls: [{ index, id: c.id, type: 'function', function: { name: c.name, arguments: '' } }] }));
      for (const piece of c.arguments.match(/[^]{1,5}/g) ?? []) io.chunk(io.shape({ tool_calls: [{ index, function: { arguments: piece } }] }));
    });
    io.finish('tool_calls', usage);
    io.done();
    return io.end();
  };
}

/** A good answer, one token each `seconds`. */
export function slow(tokens, seconds = 0.05) {
  return async (req, io) => {
    io.role();
    for (const t of tokensOf(tokens)) { if (io.isClosed) return; io.token(t); await sleep(seconds); }
    io.finish('stop', USAGE); io.done(); await io.end();
  };
}

/** Sends `before`, then waits for g.open(), then sends `after` and ends well. */
export function held(before, g, after = []) {
  return async (req, io) => {
    io.role();
    for (const t of tokensOf(before)) io.token(t);
    await Promise.race([g.wait(), io.closed]);
    if (io.isClosed) return;
    for (const t of tokensOf(after)) io.token(t);
    io.finish('stop', USAGE); io.done(); await io.end();
  };
}

export const html200 = async (req, io) => {
  io.status(200, { 'content-type': 'text/html' });
  io.raw('<!doctype html><html><head><title>502 Bad Gateway</title></head><body><h1>nginx</h1></body></html>');
  await io.end();
};
export const html502 = async (req, io) => {
  io.status(502, { 'content-type': 'text/html' });
  io.raw('<html><body><center><h1>502 Bad Gateway</h1></center></body></html>');
  await io.end();
};
/** HTML where a stream was announced. */
export const htmlAsStream = async (req, io) => { io.raw('<html><body>\n\nOops\n\n</body></html>\n\n'); await io.end(); };

export const garbage = async (req, io) => {
  const bytes = Buffer.alloc(65536);
  let x = 1;
  for (let i = 0; i < bytes.length; i++) { x = (Math.imul(x, 1103515245) + 12345) >>> 0; bytes[i] = x >>> 16; }
  io.raw(bytes);
  await io.end();
};
/** The right framing around things that are not JSON. */
export const brokenJson = async (req, io) => { io.data('{"choices":[{"delta":{"content":"x"'); io.data('}}}{{{'); await io.end(); };

/** One line without end: 20 MB. */
export const hugeLine = (bytes = 20 * 1024 * 1024) => async (req, io) => {
  const piece = Buffer.alloc(64 * 1024, 'a');
  await io.raw('data: {"choices":[{"index":0,"delta":{"content":"');
  for (let n = 0; n < bytes && !io.isClosed; n += piece.length) if (!await io.raw(piece)) return;
  await io.raw('"},"finish_reason":null}]}\n\n');
  io.finish(); io.done(); await io.end();
};

/** Tokens for ever, as fast as they are taken. */
export const neverEnding = (token = 'and so on, ') => async (req, io) => {
  io.role();
  while (!io.isClosed) {
    if (!await io.token(token)) return;
    await new Promise((r) => setImmediate(r));
  }
};

/** Reads the request and says nothing at all. */
export const silentStall = async () => {};
/** Says the headers and nothing else. */
export const headersThenSilence = async (req, io) => { io._open(); };
/** Says these tokens, then nothing; the connection stays. */
export const stallAfter = (tokens) => async (req, io) => { io.role(); for (const t of tokensOf(tokens)) io.token(t); };
/** Says nothing but comments. */
export const commentsForEver = (seconds = 0.1) => async (req, io) => { while (!io.isClosed) { await io.raw(': keep-alive\n\n'); await sleep(seconds); } };

export const errorObject200 = async (req, io) => io.json({ error: { message: 'The model crashed', type: 'server_error', code: 'server_error' } });
export const status = (code, body = { error: { message: `status ${code}`, type: 'test_error' } }, headers = {}) =>
  async (req, io) => io.json(body, code, headers);
export const serverError = (code = 500) => status(code, { error: { message: 'The server had an error', type: 'server_error' } });

export const redirect307 = (canaryUrl) => async (req, io) => {
  io.status(307, { location: `${canaryUrl}/v1/chat/completions`, 'content-length': 0 });
  await io.end();
};

export const rateLimited = (retryAfter) => status(429,
  { error: { message: 'Rate limit reached for requests', type: 'requests', code: 'rate_limit_exceeded' } },
  retryAfter === undefined ? {} : { 'retry-after': String(retryAfter) });
export const outOfQuota = status(429, { error: { message: 'You exceeded your current quota', type: 'insufficient_quota', code: 'insufficient_quota' } });

/** n times status `code`, then a good answer. */
export function serverErrorThenOk(n, text = 'at last', code = 500) {
  let left = n;
  const ok = simple(text);
  return (req, io) => (left-- > 0 ? serverError(code)(req, io) : ok(req, io));
}

/** 401 whose text repeats the key that was sent, as vendors do. */
export const unauthorizedRepeatingKey = async (req, io) => {
  const key = String(req.headers.authorization ?? '').replace(/^Bearer /, '');
  await io.json({ error: { message: `Incorrect API key provided: ${key}. You can find your API key at https://example.invalid/keys?key=${key}`, type: 'invalid_request_error', param: null, code: 'invalid_api_key' } }, 401);
};
/** The key again, this time inside a stream after text, and in a 500. */
export const keyInStreamError = async (req, io) => {
  const key = String(req.headers.authorization ?? '').replace(/^Bearer /, '');
  io.token('part '); io.data(JSON.stringify({ error: { message: `backend said: bad key ${key}`, code: 500 } })); await io.end();
};

/** Closes before a single byte of answer. */
export const dropConnection = (how = 'rst') => async (req, io) => io.cut(how);
/** Tokens, then the connection breaks once `g` opens (at once without one). */
export const cutAfter = (tokens, how = 'rst', g) => async (req, io) => {
  io.role();
  let last;
  for (const t of tokensOf(tokens)) last = io.token(t);
  await last;
  if (g) await g.wait();
  io.cut(how);
};

// ------------------------------------------------ deviations of "OpenAI-compatible" servers
// Each: { run: behaviour, text: what must be shown and stored, end: 'done' | 'error' | 'interrupted', … }
//   reasoning: text that must not be mixed into the answer; finish: the finish_reason; usage: what must come out;
//   firstError: the failure comes before any text (so it may be a status)

const D = {};
export const deviations = D;
const sse = (fn) => async (req, io) => { await fn(io, req); await io.end(); };
const T = { index: 0, finish_reason: null };

D['empty choices in the first chunk (Azure)'] = { text: 'ab', run: sse((io) => {
  io.chunk({ id: '', object: '', created: 0, model: '', choices: [], prompt_filter_results: [{ prompt_index: 0 }] });
  io.role(); io.token('a'); io.token('b'); io.finish('stop', USAGE); io.done();
}) };
D['usage null on every chunk and a padding field (OpenAI)'] = { text: 'ab', usage: USAGE, run: sse((io) => {
  for (const t of ['a', 'b']) io.chunk({ ...io.shape({ content: t }), usage: null, obfuscation: 'x9' });
  io.chunk({ ...io.shape({}, { choice: { finish_reason: 'stop' } }), usage: null });
  io.usage(USAGE); io.done();
}) };
D['comments at any time (OpenRouter, DeepSeek)'] = { text: 'ab', run: sse((io) => {
  io.raw(': OPENROUTER PROCESSING\n\n: keep-alive\n'); io.token('a'); io.raw(':\n\n:x\n'); io.token('b'); io.finish(); io.raw(': late\n\n'); io.done();
}) };
D['runs of blank lines'] = { text: 'ab', run: sse((io) => {
  io.raw('\n\n\n\n'); io.token('a'); io.raw('\n\n\n'); io.token('b'); io.raw('\n'); io.finish(); io.done(); io.raw('\n\n\n');
}) };
const framed = (io, eol, space = ' ') => ['a', 'b'].map((t) => JSON.stringify(io.shape({ content: t })))
  .concat(JSON.stringify(io.shape({}, { choice: { finish_reason: 'stop' } })), '[DONE]').map((d) => `data:${space}${d}${eol}${eol}`).join('');
D['CRLF line ends'] = { text: 'ab', run: sse((io) => io.raw(framed(io, '\r\n'))) };
D['lone CR line ends'] = { text: 'ab', run: sse((io) => io.raw(framed(io, '\r'))) };
D['CRLF cut between CR and LF'] = { text: 'ab', run: sse(async (io) => {
  for (const piece of framed(io, '\r\n').split(/(?<=\r)/)) await io.drip(piece, 1e9);
}) };
D['no space after data:'] = { text: 'ab', run: sse((io) => io.raw(framed(io, '\n', ''))) };
D['event, id and retry fields'] = { text: 'ab', run: sse((io) => {
  for (const t of ['a', 'b']) io.raw(`event: message\nid: 7\nretry: 10\ndata: ${JSON.stringify(io.shape({ content: t }))}\n\n`);
  io.finish(); io.done();
}) };
D['one object over several data lines'] = { text: 'ab', run: sse((io) => {
  for (const t of ['a', 'b']) io.raw(JSON.stringify(io.shape({ content: t }), null, 1).split('\n').map((l) => `data: ${l}\n`).join('') + '\n');
  io.finish(); io.done();
}) };
D['content as an array of parts with thinking (Mistral)'] = { text: 'ab', reasoning: 'hmm', run: sse((io) => {
  io.chunk(io.shape({ role: 'assistant', content: [{ type: 'thinking', thinking: [{ type: 'text', text: 'hmm' }] }] }));
  io.chunk(io.shape({ content: [{ type: 'text', text: 'a' }, { type: 'reference', reference_ids: [1] }] }));
  io.chunk(io.shape({ content: [{ type: 'text', text: 'b' }] }));
  io.finish(); io.done();
}) };
D['delta.reasoning (Groq, OpenRouter, Ollama)'] = { text: 'ab', reasoning: 'hmm', run: sse((io) => {
  io.chunk(io.shape({ role: 'assistant', content: '', reasoning: 'hm' }));
  io.chunk(io.shape({ reasoning: 'm' })); io.token('a'); io.token('b'); io.finish(); io.done();
}) };
D['delta.reasoning_content with content null (DeepSeek, Qwen, xAI)'] = { text: 'ab', reasoning: 'hmm', run: sse((io) => {
  io.chunk(io.shape({ role: 'assistant', content: null, reasoning_content: 'hm' }));
  io.chunk(io.shape({ content: null, reasoning_content: 'm' })); io.token('a'); io.token('b'); io.finish(); io.done();
}) };
D['delta.refusal is shown as the answer (OpenAI)'] = { text: 'I cannot', run: sse((io) => {
  io.chunk(io.shape({ role: 'assistant', content: '', refusal: null }));
  io.chunk(io.shape({ refusal: 'I ' })); io.chunk(io.shape({ refusal: 'cannot' })); io.finish(); io.done();
}) };
D['usage on the finish chunk (DeepSeek, Moonshot)'] = { text: 'ab', usage: USAGE, run: sse((io) => {
  io.token('a'); io.chunk({ ...io.shape({ content: 'b' }, { choice: { finish_reason: 'stop' } }), usage: USAGE }); io.done();
}) };
D['usage twice (Groq)'] = { text: 'ab', usage: USAGE, run: sse((io) => {
  io.token('a'); io.token('b');
  io.chunk({ ...io.shape({}, { choice: { finish_reason: 'stop' } }), usage: USAGE, x_groq: { id: 'req_1', usage: USAGE } }); io.done();
}) };
D['cumulative usage on every chunk, role on every delta (Perplexity)'] = { text: 'abc', usage: USAGE, run: sse((io) => {
  ['a', 'b', 'c'].forEach((t, i) => io.chunk({ ...io.shape({ role: 'assistant', content: t }), citations: ['https://example.invalid/1'],
    usage: { prompt_tokens: 16, completion_tokens: i + 1, total_tokens: 17 + i } }));
  io.chunk({ ...io.shape({ role: 'assistant', content: '' }, { choice: { finish_reason: 'stop' } }), object: 'chat.completion.done', usage: USAGE });
}) };
D['no finish_reason key until the end (xAI, Qwen)'] = { text: 'ab', run: sse((io) => {
  for (const t of ['a', 'b']) io.chunk({ id: 'x', choices: [{ index: 0, delta: { content: t } }] });
  io.finish(); io.done();
}) };
D['finish_reason length'] = { text: 'ab', finish: 'length', run: sse((io) => { io.token('a'); io.token('b'); io.finish('length'); io.done(); }) };
D['finish_reason stop with usage-only chunk and no id, created or model (Cohere, Cloudflare)'] = { text: 'ab', usage: USAGE, run: sse((io) => {
  for (const t of ['a', 'b']) io.chunk({ choices: [{ delta: { content: t } }] });
  io.chunk({ choices: [{ delta: {}, finish_reason: 'stop' }] }); io.chunk({ choices: [], usage: USAGE }); io.done();
}) };
D['integer ids'] = { text: 'ab', run: sse((io) => {
  for (const t of ['a', 'b']) io.chunk({ ...io.shape({ content: t }), id: 17, created: '1760000000' });
  io.finish(); io.done();
}) };
D['choices null'] = { text: 'ab', run: sse((io) => { io.chunk({ id: 'x', choices: null }); io.token('a'); io.chunk({ choices: null }); io.token('b'); io.finish(); io.done(); }) };
D['delta null'] = { text: 'ab', run: sse((io) => {
  io.chunk({ choices: [{ index: 0, delta: null, finish_reason: null }] }); io.token('a'); io.token('b');
  io.chunk({ choices: [{ index: 0, delta: null, finish_reason: 'stop' }] }); io.done();
}) };
D['tool_calls null and empty content at the end'] = { text: 'ab', run: sse((io) => {
  io.chunk(io.shape({ content: 'a', tool_calls: null, function_call: null })); io.chunk(io.shape({ content: 'b' }));
  io.chunk(io.shape({ content: '' }, { choice: { finish_reason: 'stop', logprobs: null } })); io.done();
}) };
D['chunks with nothing in them'] = { text: 'ab', run: sse((io) => {
  io.data('{}'); io.data('{"choices":[{}]}'); io.token('a'); io.data('{}'); io.data('{"id":null,"choices":[{"index":0}]}'); io.token('b'); io.finish(); io.done();
}) };
D['a second choice is ignored'] = { text: 'ab', run: sse((io) => {
  io.chunk({ choices: [{ ...T, delta: { content: 'a' } }, { index: 1, delta: { content: 'NO' }, finish_reason: null }] });
  io.chunk({ choices: [{ index: 1, delta: { content: 'NO' }, finish_reason: null }] });
  io.token('b'); io.finish(); io.done();
}) };
D['no [DONE] after finish_reason'] = { text: 'ab', run: sse((io) => { io.token('a'); io.token('b'); io.finish('stop', USAGE); }) };
D['[DONE] without finish_reason'] = { text: 'ab', run: sse((io) => { io.token('a'); io.token('b'); io.done(); }) };
D['[DONE] without a line end'] = { text: 'ab', run: sse((io) => { io.token('a'); io.token('b'); io.finish(); io.raw('data: [DONE]'); }) };
D['the last event without its blank line'] = { text: 'ab', finish: 'stop', run: sse((io) => {
  io.token('a'); io.raw(`data: ${JSON.stringify(io.shape({ content: 'b' }, { choice: { finish_reason: 'stop' } }))}`);
}) };
D['data after [DONE]'] = { text: 'ab', run: sse((io) => { io.token('a'); io.token('b'); io.finish(); io.done(); io.token('NO'); io.chunk({ error: { message: 'NO' } }); }) };
D['text after finish_reason'] = { text: 'ab', run: sse((io) => { io.token('a'); io.token('b'); io.finish(); io.token('NO'); io.done(); }) };
D['a byte order mark first'] = { text: 'ab', run: sse((io) => { io.raw('\ufeff'); io.token('a'); io.token('b'); io.finish(); io.done(); }) };
D['UTF-8 characters cut over two writes'] = { text: 'äöü€😀語', run: sse(async (io) => {
  const buf = Buffer.from(`data: ${JSON.stringify(io.shape({ content: 'äöü€😀語' }))}\n\n`);
  let cut = buf.findIndex((b) => b >= 0x80);
  await io.raw(buf.subarray(0, ++cut)); await sleep(0.01);
  for (; cut < buf.length; cut++) { await io.raw(buf.subarray(cut, cut + 1)); if (cut % 8 === 0) await sleep(0.002); }
  io.finish(); io.done();
}) };
D['one byte in each write'] = { text: 'Grüße, 世界 😀', run: sse(async (io) => {
  const doc = `data: ${JSON.stringify(io.shape({ content: 'Grüße, ' }))}\n\ndata: ${JSON.stringify(io.shape({ content: '世界 😀' }))}\n\n`;
  await io.drip(doc, 1); io.finish(); io.done();
}) };
D['everything in one write'] = { text: 'abcdef'.repeat(200), run: sse((io) => {
  let all = '';
  for (const t of 'abcdef'.repeat(200)) all += `data: ${JSON.stringify(io.shape({ content: t }))}\n\n`;
  io.raw(all + `data: ${JSON.stringify(io.shape({}, { choice: { finish_reason: 'stop' } }))}\n\ndata: [DONE]\n\n`);
}) };
D['everything escaped with \\u and a surrogate pair'] = { text: 'ä😀\n"\\/', run: sse((io) => {
  io.raw('data: {"choices":[{"index":0,"delta":{"content":"\\u00e4\\ud83d\\ude00\\u000a\\u0022\\u005c\\/"},"finish_reason":null}]}\n\n'); io.finish(); io.done();
}) };
D['keys in another order and unknown fields'] = { text: 'ab', run: sse((io) => {
  io.raw('data: {"choices":[{"finish_reason":null,"logprobs":{"content":[{"token":"NO","content":"NO"}]},"delta":{"x":{"content":"NO"},"content":"a","role":"assistant"},"index":0}],"content":"NO","timings":{"content":"NO"}}\n\n');
  io.raw('data:   { "choices" : [ { "delta" : { "content" : "b" } } ] }  \n\n'); io.finish(); io.done();
}) };
D['a JSON answer where a stream was asked for'] = { text: 'whole', usage: USAGE, run: async (req, io) => io.json(completion('whole')) };
D['a JSON answer after blank lines (DeepSeek)'] = { text: 'whole', run: async (req, io) => io.json('\n\n\n' + JSON.stringify(completion('whole'))) };
D['HTTP/1.0 with the end of the connection as the end'] = { text: 'ab', run: async (req, io) => {
  io.finished = true;
  const s = io.res.socket;
  s.write('HTTP/1.0 200 OK\r\nContent-Type: text/event-stream\r\n\r\n' + framed(io, '\n'));
  s.end();
} };
D['a stream with Content-Length'] = { text: 'ab', run: async (req, io) => {
  const body = Buffer.from(framed(io, '\n'));
  io.status(200, { 'content-type': 'text/event-stream; charset=utf-8', 'content-length': body.length }); io.raw(body); await io.end();
} };
D['no Content-Type at all'] = { text: 'ab', run: async (req, io) => { io.status(200); io.raw(framed(io, '\n')); await io.end(); } };

D['the stream ends in silence after text (Ollama)'] = { text: 'ab', end: 'interrupted', run: sse((io) => { io.token('a'); io.token('b'); io.token(''); }) };
D['an error chunk with finish_reason error (OpenRouter)'] = { text: 'ab', end: 'error', run: sse((io) => {
  io.token('a'); io.token('b');
  io.chunk({ ...io.shape({ content: '' }, { choice: { finish_reason: 'error', native_finish_reason: 'error' } }), provider: 'x', error: { code: 502, message: 'Provider disconnected' } }); io.done();
}) };
D['finish_reason error and nothing else (OpenRouter)'] = { text: 'ab', end: 'error', run: sse((io) => { io.token('a'); io.token('b'); io.finish('error'); io.done(); }) };
D['an error object in mid-stream, then [DONE] (vLLM)'] = { text: 'ab', end: 'error', run: sse((io) => {
  io.token('a'); io.token('b'); io.chunk({ error: { message: 'engine died', type: 'InternalServerError', param: null, code: 500 } }); io.done();
}) };
D['a flat error object in mid-stream (older vLLM, Mistral)'] = { text: 'ab', end: 'error', run: sse((io) => {
  io.token('a'); io.token('b'); io.chunk({ object: 'error', message: 'engine died', type: 'x', code: 500 }); io.done();
}) };
D['event: error in mid-stream'] = { text: 'ab', end: 'error', run: sse((io) => {
  io.token('a'); io.token('b'); io.raw('event: error\ndata: {"error":{"message":"engine died"}}\n\n');
}) };
D['a string error in mid-stream (Together, LM Studio)'] = { text: 'ab', end: 'error', run: sse((io) => { io.token('a'); io.token('b'); io.chunk({ error: 'engine died' }); }) };
D['error and code as strings with status 200 (xAI)'] = { text: '', end: 'error', firstError: true, run: async (req, io) => io.json({ code: 'Some resource failed', error: 'engine died' }) };
D['an error object as the first event'] = { text: '', end: 'error', firstError: true, run: sse((io) => { io.chunk({ error: { message: 'engine died', code: 'server_error' } }); }) };
D['an error object with status 200'] = { text: '', end: 'error', firstError: true, run: errorObject200 };
D['fault.faultstring (Fireworks)'] = { text: '', end: 'error', firstError: true, says: 'engine died', run: status(400, { fault: { faultstring: 'engine died', detail: {} } }) };
D['detail as an array (Mistral, FastAPI)'] = { text: '', end: 'error', firstError: true, says: 'engine died', run: status(422, { detail: [{ loc: ['body', 'x'], msg: 'engine died', type: 'extra' }] }) };
D['detail as a string'] = { text: '', end: 'error', firstError: true, says: 'engine died', run: status(400, { detail: 'engine died' }) };
D['an error string (Together)'] = { text: '', end: 'error', firstError: true, says: 'engine died', run: status(400, { error: 'engine died' }) };
D['message without a wrapper (Mistral)'] = { text: '', end: 'error', firstError: true, says: 'engine died', run: status(400, { object: 'error', message: 'engine died', type: 'x', code: 400 }) };
D['an error in an array (Gemini)'] = { text: '', end: 'error', firstError: true, says: 'engine died', run: status(400, [{ error: { code: 400, message: 'engine died', status: 'INVALID_ARGUMENT' } }]) };
D['a stream with nothing in it'] = { text: '', end: 'error', firstError: true, run: sse((io) => { io._open(); }) };
D['an empty body with status 200'] = { text: '', end: 'error', firstError: true, run: async (req, io) => { io.status(200, { 'content-length': 0 }); await io.end(); } };
for (const d of Object.values(D)) d.end ??= 'done';
