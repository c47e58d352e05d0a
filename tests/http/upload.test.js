// POST /api/upload: the chat itself takes no files, and says so whatever is sent, once it has read the body away.
import test, { before, after, beforeEach } from 'node:test';
import assert from 'node:assert/strict';
import { shared } from './server.js';
import { simple, SCALE } from '../provider/provider.js';
import { request, get, post, chatWhole, rawRequest, assertDetail } from './client.js';

const opts = { timeout: 60_000 * SCALE };
const at = shared({ before, after, beforeEach });
const url = () => `${at.s.url}/api/upload`;
const TYPE = 'multipart/form-data; boundary=AaB03x';
const head = '--AaB03x\r\nContent-Disposition: form-data; name="file"; filename="größe.txt"\r\nContent-Type: text/plain\r\n\r\n';
const form = (data) => Buffer.concat([Buffer.from(head), Buffer.from(data), Buffer.from('\r\n--AaB03x--\r\n')]);
const send = (body, headers = {}) => post(url(), body, { headers: { 'content-type': TYPE, ...headers } });

function refused(r) {
  assert.equal(assertDetail(r, 400), 'File upload not supported');
}

test('a file is answered with 400 in JSON', opts, async () => {
  refused(await send(form('hello')));
  const data = new FormData();
  data.append('file', new Blob(['hello'], { type: 'text/plain' }), 'größe.txt');
  const r = await fetch(url(), { method: 'POST', body: data });
  refused({ status: r.status, headers: Object.fromEntries(r.headers), json: await r.json(), text: '' });
});

test('the body need not be a form, nor be there', opts, async () => {
  refused(await send('no form at all'));
  refused(await post(url(), '{"file": 1}'));
  refused(await post(url(), '{"file": 1}', { headers: { 'content-type': 'text/plain' } }));
  refused(await post(url()));
  refused(await send(form('hello'), { 'transfer-encoding': 'chunked' }));
});

test('a file larger than a body may be is read away, ten times in a row, and the next request works', opts, async () => {
  const body = form(Buffer.alloc(10_000_000, '\r\n--AaB03'));
  for (let i = 0; i < 10; i++) refused(await send(body));
  at.p.respond(simple('ok'));
  assert.equal((await chatWhole(at.s, 'Hi')).json.response, 'ok');
});

test('a body that ends before its Content-Length holds nothing up', opts, async () => {
  await rawRequest(at.s, `POST /api/upload HTTP/1.1\r\nHost: localhost\r\nContent-Type: ${TYPE}\r\nContent-Length: 500\r\n\r\n--AaB03x\r\n`, { half: true, seconds: 10 }).catch(() => '');
  refused(await send(form('hello')));
});

test('another method is 405 with Allow', opts, async () => {
  for (const method of ['GET', 'PUT', 'PATCH', 'DELETE']) {
    const r = await request(url(), { method });
    assertDetail(r, 405);
    assert.equal(r.headers.allow, 'POST');
  }
  assertDetail(await get(`${at.s.url}/api/upload/x`), 404);
});

test("another site's page may not upload", opts, async () => {
  assertDetail(await send(form('hello'), { 'sec-fetch-site': 'cross-site' }), 403);
});
