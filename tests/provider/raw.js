// Upstreams below HTTP: every byte of the answer as a test wants it, with TLS or without, and over HTTP/2.
//
//   const r = await startRaw(async (req, c) => { await c.write('HTTP/1.0 200 OK\r\n\r\n…'); c.fin(); }, { tls: ca.issue() });
//   const h = await startHttp2(async (req, stream) => { … }, ca.issue());
//   r.url / h.url end in /v1; r.requests are {head, body, raw}; await r.stop().
//
// Neighbours: provider.js (behaviours in HTTP/1.1), certificate.js.
import http2 from 'node:http2';
import net from 'node:net';
import tls from 'node:tls';

/** One connection: what is written is on its way when write() resolves. */
class Connection {
  constructor(socket, bare) { this.socket = socket; this.bare = bare; this.closed = new Promise((r) => bare.once('close', r)); }
  write(bytes) { return new Promise((r) => { if (this.socket.destroyed) r(false); else this.socket.write(bytes, (e) => r(!e)); }); }
  /** The end of what is sent, as TLS and TCP say it. */
  fin() { this.socket.end(); }
  /** The end of the connection without a word of TLS about it. */
  drop() { this.bare.destroy(); }
  rst() { this.bare.resetAndDestroy(); }
}

/** `fn(req, c)` for each request that came whole; the connection stays until fn ends it. tls: {cert, key}. */
export async function startRaw(fn, { tls: identity, host = '127.0.0.1' } = {}) {
  const sockets = new Set();
  const r = { requests: [], connections: 0, errors: [] };
  const secureContext = identity && tls.createSecureContext(identity);
  const server = net.createServer({ noDelay: true }, (bare) => {
    r.connections++;
    sockets.add(bare);
    bare.on('error', () => {});
    bare.on('close', () => sockets.delete(bare));
    const socket = identity ? new tls.TLSSocket(bare, { isServer: true, secureContext, ALPNProtocols: ['http/1.1'] }) : bare;
    socket.on('error', () => {});
    const c = new Connection(socket, bare);
    let got = Buffer.alloc(0);
    socket.on('data', (d) => {
      got = Buffer.concat([got, d]);
      for (;;) {
        const at = got.indexOf('\r\n\r\n');
        if (at < 0) return;
        const head = got.subarray(0, at).toString('latin1');
        const length = Number(/^content-length: *(\d+)/im.exec(head)?.[1] ?? 0);
        if (got.length < at + 4 + length) return;
        const raw = got.subarray(at + 4, at + 4 + length).toString('utf8');
        got = got.subarray(at + 4 + length);
        const req = { head, raw, path: head.split(' ')[1], body: undefined, at: performance.now() };
        try { req.body = JSON.parse(raw); } catch { /* none */ }
        r.requests.push(req);
        Promise.resolve(fn(req, c)).catch((e) => { r.errors.push(e); c.rst(); });
      }
    });
  });
  await new Promise((resolve, reject) => { server.once('error', reject); server.listen({ port: 0, host, backlog: 1024 }, resolve); });
  r.port = server.address().port;
  r.url = `${identity ? 'https' : 'http'}://${host}:${r.port}/v1`;
  r.open = () => sockets.size;
  r.stop = async () => {
    for (const s of sockets) s.destroy();
    await new Promise((done) => server.close(done));
    if (r.errors.length) throw new Error(`the raw upstream failed: ${r.errors[0].stack}`);
  };
  return r;
}

/** HTTP/2 over TLS: `fn(req, stream)`, the stream as node:http2 has it, its headers not yet sent. */
export async function startHttp2(fn, identity) {
  const sessions = new Set();
  const h = { requests: [], sessions: 0, errors: [] };
  const server = http2.createSecureServer({ ...identity, allowHTTP1: false });
  server.on('session', (s) => { h.sessions++; sessions.add(s); s.on('error', () => {}); s.on('close', () => sessions.delete(s)); });
  server.on('stream', (stream, headers) => {
    stream.on('error', () => {});
    const pieces = [];
    stream.on('data', (d) => pieces.push(d));
    stream.on('end', () => {
      const raw = Buffer.concat(pieces).toString('utf8');
      const req = { headers, path: headers[':path'], raw, body: undefined };
      try { req.body = JSON.parse(raw); } catch { /* none */ }
      req.closed = new Promise((r) => stream.once('close', () => r(stream.rstCode)));
      h.requests.push(req);
      Promise.resolve(fn(req, stream)).catch((e) => { h.errors.push(e); stream.destroy(); });
    });
  });
  server.on('sessionError', () => {});
  await new Promise((resolve, reject) => { server.once('error', reject); server.listen(0, '127.0.0.1', resolve); });
  h.url = `https://127.0.0.1:${server.address().port}/v1`;
  h.open = () => sessions;
  h.stop = async () => {
    for (const s of sessions) s.destroy();
    await new Promise((done) => server.close(done));
    if (h.errors.length) throw new Error(`the HTTP/2 upstream failed: ${h.errors[0].stack}`);
  };
  return h;
}
