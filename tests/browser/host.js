// A host server of the tests' own: the files of www/ under any prefix, the API wherever a test puts it, and test streams
// that arrive as a test says. It answers everything else with 404 (or another status) in HTML, as static servers do.
// Neighbours: stand.js opens pages at it (`proxy: host`). Leaves out: being fast or complete.
import http from 'node:http';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { forward } from './stand.js';

const WWW = path.resolve(fileURLToPath(import.meta.url), '../../../www');
const TYPES = { html: 'text/html; charset=utf-8', css: 'text/css', js: 'text/javascript', svg: 'image/svg+xml', json: 'application/json', webmanifest: 'application/manifest+json', png: 'image/png', woff2: 'font/woff2' };

/**
 * `page`: the path of the page's folder. `api`: the path below which requests go to `target`. `answer(req, res, path)` comes before
 * all that and returns true when it has answered; `refusal` is the status for what is unknown.
 * `seen` has "METHOD path" of each request that was for no file.
 */
export async function startHost({ page = '/', api = null, target = null, answer = () => false, refusal = 404 }) {
  const seen = [];
  const server = http.createServer((req, res) => {
    res.on('error', () => {});
    const { pathname } = new URL(req.url, 'http://host');
    if (req.method === 'GET' && serveFile(res, page, pathname)) return;
    seen.push(`${req.method} ${pathname}`);
    if (answer(req, res, pathname)) return;
    if (api && pathname.startsWith(api)) forward(req, res, new URL(`/${req.url.slice(api.length)}`, target));
    else refuse(req, res, refusal);
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    seen,
    url: `http://127.0.0.1:${server.address().port}`,
    stop: () => new Promise((resolve) => { server.close(resolve); server.closeAllConnections?.(); }),
  };
}

// Only files with a known ending: a request for the API is never one.
function serveFile(res, page, pathname) {
  if (!pathname.startsWith(page)) return false;
  const name = pathname.slice(page.length) || 'index.html';
  const type = TYPES[name.split('.').at(-1)];
  if (!type || name.includes('..') || !existsSync(path.join(WWW, name))) return false;
  res.writeHead(200, { 'content-type': type });
  res.end(readFileSync(path.join(WWW, name)));
  return true;
}

export function refuse(req, res, status, body = `<!doctype html><title>${status}</title><h1>${status}</h1>`, type = 'text/html') {
  req.resume();
  res.writeHead(status, { 'content-type': type });
  res.end(body);
}

/** The test stream as the program sends it: [{at, text}], ms from its start. */
export function testEvents({ server = 'lighttpd', mode = 'fastcgi' } = {}) {
  const event = (at, type, data) => ({ at, text: `event: ${type}\ndata: ${JSON.stringify(data)}\n\n` });
  const ticks = [1, 2, 3, 4, 5, 6].map((n) => event((n - 1) * 200, 'tick', { n, sent_ms: (n - 1) * 200 }));
  return [event(0, 'host', { mode, server, prefix: '', heartbeat_ms: 10000 }), ...ticks, event(1000, 'done', {})];
}

/** Writes events when they are due; `heldUntil(at)` says when something on the way lets an event through that was due `at`. */
export async function playEvents(res, events, heldUntil = (at) => at) {
  res.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8', 'cache-control': 'no-cache, no-transform' });
  res.flushHeaders();
  const began = performance.now();
  for (const { at, text } of events) {
    await sleepUntil(began + heldUntil(at));
    res.write(text);
  }
  res.end();
}

// To the millisecond: timers may be early by a part of one.
async function sleepUntil(time) {
  for (let left = time - performance.now(); left > 0; left = time - performance.now()) await new Promise((resolve) => setTimeout(resolve, left));
}
