// Pages of other sites: who is let in by CORS_ORIGINS, what the answers say, preflights, and what is refused.
import test, { before, after, beforeEach, describe } from 'node:test';
import assert from 'node:assert/strict';
import { shared } from './server.js';
import { simple, serverError, SCALE } from '../provider/provider.js';
import { request, get, post, stream, chat, chatWhole, assertDetail, assertError, rawRequest } from './client.js';

const opts = { timeout: 60_000 * SCALE };
const GOOD = 'https://app.example.org';
const ODD = 'http://127.0.0.1:3000';
const FOREIGN = { 'sec-fetch-site': 'cross-site' };
const hooks = { before, after, beforeEach };

const varies = (r) => (r.headers.vary ?? '').toLowerCase().split(/\s*,\s*/);
const corsHeaders = (r) => Object.keys(r.headers).filter((h) => h.startsWith('access-control-'));

function assertOpen(r, origin = GOOD) {
  assert.equal(r.headers['access-control-allow-origin'], origin);
  assert.equal(r.headers['access-control-allow-credentials'], 'true');
  assert.deepEqual(r.headers['access-control-expose-headers'].split(/,\s*/), ['Parley-Conversation', 'Parley-Message', 'Parley-Question', 'Retry-After', 'Location', 'ETag']);
  assert.ok(varies(r).includes('origin'), `Vary: ${r.headers.vary}`);
}
function assertClosed(r) {
  assert.deepEqual(corsHeaders(r), [], 'no CORS header');
}
const preflight = (url, origin, { method = 'POST', names = 'content-type', headers = {}, ...more } = {}) =>
  request(url, { method: 'OPTIONS', headers: { origin, 'access-control-request-method': method, ...(names === null ? {} : { 'access-control-request-headers': names }), 'content-length': null, ...headers }, ...more });

// what looks like an allowed origin and is none
const NEAR = ['null', 'https://app.example.org.evil.test', 'https://evil-app.example.org', 'https://evilapp.example.org', 'https://app.example.or', 'https://app.example.orgs', 'https://pp.example.org', 'https://example.org',
  'http://app.example.org', 'HTTPS://app.example.org', 'https://app.example.org:443', 'https://app.example.org:8443', 'https://app.example.org:', 'https://app.example.org.', 'https://app.example.org/', 'https://app.example.org/path',
  'https://user@app.example.org', 'https://app.example.org@evil.test', 'https://app.example.org#x', 'https://app_example.org', 'https://appxexample.org', 'app.example.org', '//app.example.org', 'https:app.example.org',
  'http://127.0.0.1:3001', 'http://127.0.0.1', 'http://127.0.0.1:30000', 'http://127.0.0.1:300', 'https://127.0.0.1:3000', 'http://localhost:3000', '*', `${GOOD} ${ODD}`, `${GOOD}, ${ODD}`, `${GOOD},${GOOD}`, 'https://'];

describe('with two origins', () => {
  const at = shared(hooks, { settings: { CORS_ORIGINS: `${GOOD}/, ${ODD}` } });

  test('an allowed origin is named on every kind of answer', opts, async () => {
    at.p.respond(simple('hello'));
    const headers = { origin: GOOD, ...FOREIGN };
    const answers = {
      json: await get(`${at.s.url}/health`, { headers }),
      list: await get(`${at.s.url}/conversations`, { headers }),
      made: await post(`${at.s.url}/conversations`, { title: 'x' }, { headers }),
      head: await request(`${at.s.url}/health`, { method: 'HEAD', headers }),
      missing: await get(`${at.s.url}/no/such`, { headers }),
      method: await request(`${at.s.url}/chat`, { method: 'PUT', body: {}, headers }),
      json400: await post(`${at.s.url}/chat`, '{', { headers }),
      field: await post(`${at.s.url}/chat`, { message: 7 }, { headers }),
      whole: await chatWhole(at.s, 'Hi', { headers }),
    };
    const statuses = { json: 200, list: 200, made: 201, head: 200, missing: 404, method: 405, json400: 400, field: 422, whole: 200 };
    for (const [name, r] of Object.entries(answers)) {
      assert.equal(r.status, statuses[name], name);
      assertOpen(r);
    }
    for (const path of ['/chat', '/chat/stream']) {
      const s = await stream(`${at.s.url}${path}`, { message: 'Hi' }, { headers });
      await s.all();
      assert.equal(s.status, 200);
      assertOpen(s);
    }
    const s = await stream(`${at.s.url}/diagnose/stream`, undefined, { method: 'GET', headers });
    assertOpen(s);
    await s.all();
  });

  test('a provider\'s failure before the first word has them too', opts, async () => {
    at.p.respond(serverError());
    const s = await stream(`${at.s.url}/chat`, { message: 'Hi' }, { headers: { origin: ODD } });
    await s.all();
    assert.ok(s.status >= 500, `${s.status}`);
    assertOpen(s, ODD);
  });

  test('without an Origin all is as ever, but Vary names it', opts, async () => {
    at.p.respond(simple('hello'));
    for (const r of [await get(`${at.s.url}/health`), await get(`${at.s.url}/no/such`), await request(`${at.s.url}/chat`, { method: 'PUT', body: {} }), await stream(`${at.s.url}/chat`, { message: 'Hi' })]) {
      assertClosed(r);
      for (const name of ['origin', ...(/event-stream/.test(r.headers['content-type']) ? [] : ['cookie', 'authorization'])]) assert.ok(varies(r).includes(name), r.headers.vary);
      await r.all?.();
    }
  });

  test('the case of the host does not matter', opts, async () => {
    const r = await get(`${at.s.url}/health`, { headers: { origin: 'https://APP.Example.org' } });
    assertOpen(r, 'https://APP.Example.org');
  });

  for (const origin of NEAR) test(`a near miss gets nothing: ${origin}`, opts, async () => {
    const r = await get(`${at.s.url}/health`, { headers: { origin } });
    assert.equal(r.status, 200);
    assertClosed(r);
    assert.ok(varies(r).includes('origin'));
    const asked = await preflight(`${at.s.url}/chat`, origin);
    assertClosed(asked);
    assertError(asked, 403, 'forbidden');
    const done = await post(`${at.s.url}/conversations`, {}, { headers: { origin, ...FOREIGN } });
    assertClosed(done);
    assertError(done, 403, 'forbidden');
  });

  test('an Origin that is sent twice is none', opts, async () => {
    for (const [a, b] of [[GOOD, 'https://evil.test'], ['https://evil.test', GOOD], [GOOD, GOOD]]) {
      const text = await rawRequest(at.s, `POST /conversations HTTP/1.1\r\nHost: 127.0.0.1:${at.s.port}\r\nConnection: close\r\nSec-Fetch-Site: cross-site\r\nOrigin: ${a}\r\norigin: ${b}\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}`);
      assert.match(text, /^HTTP\/1\.1 4\d\d/);
      assert.doesNotMatch(text, /access-control-/i);
    }
  });

  test('a page of an allowed origin may change things; others\' may not, and are told so', opts, async () => {
    at.p.respond(simple('hello'));
    assert.equal((await post(`${at.s.url}/conversations`, {}, { headers: { origin: GOOD, cookie: 'a=b', ...FOREIGN } })).status, 201);
    assert.equal((await chat(at.s, 'Hi', { headers: { origin: ODD, ...FOREIGN } })).text, 'hello');
    assertError(await post(`${at.s.url}/conversations`, {}, { headers: FOREIGN }), 403, 'forbidden');
    assert.equal((await post(`${at.s.url}/conversations`, {}, { headers: { 'sec-fetch-site': 'same-origin', origin: at.s.origin } })).status, 201);
    assert.equal((await post(`${at.s.url}/conversations`, {})).status, 201);
  });

  test('a preflight is answered with what is allowed', opts, async () => {
    for (const path of ['/chat', '/conversations/x', '/no/such', '/', '/v1/chat/completions', '/api/config']) for (const method of ['GET', 'POST', 'DELETE']) {
      const r = await preflight(`${at.s.url}${path}`, GOOD, { method, names: 'content-type,authorization , X-Other' });
      assert.equal(r.status, 204, `${path} ${r.text.slice(0, 300)}`);
      assert.equal(r.headers['access-control-allow-origin'], GOOD);
      assert.equal(r.headers['access-control-allow-credentials'], 'true');
      assert.deepEqual(r.headers['access-control-allow-methods'].split(/,\s*/), ['GET', 'HEAD', 'POST', 'PATCH', 'DELETE']);
      assert.deepEqual(r.headers['access-control-allow-headers'].split(/\s*,\s*/), ['content-type', 'authorization', 'X-Other']);
      assert.equal(r.headers['access-control-max-age'], '600');
      assert.ok(varies(r).includes('origin'));
      assert.equal(r.text, '');
    }
    const bare = await preflight(`${at.s.url}/chat`, GOOD, { names: null });
    assert.equal(bare.status, 204);
    assert.equal('access-control-allow-headers' in bare.headers, false);
  });

  test('a preflight is for the address that is asked, not a request that does something', opts, async () => {
    const before = (await get(`${at.s.url}/conversations`)).json.conversations.length;
    const r = await preflight(`${at.s.url}/conversations`, GOOD);
    assert.equal(r.status, 204);
    assert.equal((await get(`${at.s.url}/conversations`)).json.conversations.length, before);
  });

  for (const names of ['a b', 'x-a,,x-b', 'x-a;q=1', 'x(a)', ',', 'x'.repeat(1100), 'x-a, "b"', 'é']) test(`names that are no header names are not said again: ${names.slice(0, 20)}`, opts, async () => {
    const r = await preflight(`${at.s.url}/chat`, GOOD, { names: Buffer.from(names).toString('latin1') });
    assert.equal(r.status, 400);
    assert.equal('access-control-allow-headers' in r.headers, false);
  });

  test('an OPTIONS that is no preflight is what it was', opts, async () => {
    const plain = await request(`${at.s.url}/chat`, { method: 'OPTIONS', headers: { 'content-length': null } });
    const half = await request(`${at.s.url}/chat`, { method: 'OPTIONS', headers: { origin: GOOD, 'content-length': null } });
    for (const r of [plain, half]) {
      assertError(r, 405, 'method_not_allowed');
      assert.equal('access-control-allow-methods' in r.headers, false);
    }
  });
});

describe('by default', () => {
  const at = shared(hooks);

  test('no site is let in', opts, async () => {
    for (const origin of [GOOD, ODD, 'null', at.s.origin]) {
      const r = await get(`${at.s.url}/health`, { headers: { origin } });
      assertClosed(r);
      assert.equal(varies(r).includes('origin'), false);
      const asked = await preflight(`${at.s.url}/chat`, origin);
      assertClosed(asked);
      assertError(asked, 403, 'forbidden');
    }
    assertError(await post(`${at.s.url}/conversations`, {}, { headers: { origin: GOOD, ...FOREIGN } }), 403, 'forbidden');
    assert.equal((await post(`${at.s.url}/conversations`, {}, { headers: { 'sec-fetch-site': 'same-origin', origin: at.s.origin } })).status, 201);
  });
});

describe('with *', () => {
  const at = shared(hooks, { settings: { CORS_ORIGINS: '*' } });

  test('every origin reads, never with credentials', opts, async () => {
    at.p.respond(simple('hello'));
    const s = await stream(`${at.s.url}/chat`, { message: 'Hi' }, { headers: { origin: GOOD, ...FOREIGN } });
    await s.all();
    assert.equal(s.status, 200);
    for (const r of [s, await get(`${at.s.url}/health`, { headers: { origin: 'http://else.test' } }), await get(`${at.s.url}/no/such`, { headers: { origin: GOOD, cookie: 'a=b' } }), await preflight(`${at.s.url}/chat`, GOOD)]) {
      assert.equal(r.headers['access-control-allow-origin'], '*');
      assert.equal('access-control-allow-credentials' in r.headers, false);
      assert.ok(varies(r).includes('origin'));
    }
    assertClosed(await get(`${at.s.url}/health`, { headers: { origin: 'null' } }));
  });

  test('a change in the visitor\'s name is refused', opts, async () => {
    const make = (headers) => post(`${at.s.url}/conversations`, {}, { headers: { origin: GOOD, ...headers } });
    for (const credentials of [{ cookie: 'parley=1' }, { authorization: 'Basic eDp5' }]) for (const site of [{ 'sec-fetch-site': 'cross-site' }, { 'sec-fetch-site': 'same-site' }, {}]) {
      const r = await make({ ...credentials, ...site });
      assertError(r, 403, 'forbidden');
      assert.equal('access-control-allow-credentials' in r.headers, false);
    }
    assert.equal((await make(FOREIGN)).status, 201);
    assert.equal((await make({ authorization: 'Bearer key', ...FOREIGN })).status, 201, 'a key that the page has is not the visitor\'s');
    assert.equal((await make({})).status, 201);
    for (const site of [{ 'sec-fetch-site': 'same-origin' }, {}]) assert.equal((await make({ origin: at.s.origin, cookie: 'parley=1', ...site })).status, 201);
    assert.equal((await post(`${at.s.url}/conversations`, {}, { headers: { cookie: 'parley=1' } })).status, 201);
    assertError(await make({ origin: 'null', ...FOREIGN }), 403, 'forbidden');
  });
});

describe('browsers that do not say where a request comes from, as over plain http', () => {
  const at = shared(hooks, { auth: true });
  const make = (headers, body) => post(`${at.s.url}/conversations`, body, { auth: 'alice', headers });

  test('what a page of any site can send without asking is refused where its Origin is another', opts, async () => {
    for (const origin of ['https://evil.test', 'null', `${at.s.origin}0`, 'http://evil.test@127.0.0.1']) {
      assertError(await make({ origin }), 403, 'forbidden');
      assertError(await make({ origin, 'content-type': 'text/plain' }, '{}'), 403, 'forbidden');
      assertDetail(await post(`${at.s.url}/api/upload`, 'x', { auth: 'alice', headers: { origin, 'content-type': 'multipart/form-data; boundary=x' } }), 403);
    }
  });

  test('our own page, one behind a proxy, and programs are let through', opts, async () => {
    assert.equal((await make({ origin: at.s.origin })).status, 201);
    assert.equal((await make({ origin: 'https://chat.example', 'x-forwarded-host': 'chat.example' })).status, 201);
    assert.equal((await make({})).status, 201);
    assert.equal((await make({ origin: 'https://evil.test' }, {})).status, 201, 'JSON: a browser has asked first, and was told no');
  });
});

describe('with sign-in', () => {
  const at = shared(hooks, { auth: true, settings: { CORS_ORIGINS: GOOD } });

  test('a preflight passes without a name and password, and nothing else does', opts, async () => {
    for (const path of ['/chat', '/conversations', '/conversations/x', '/no/such']) {
      const r = await preflight(`${at.s.url}${path}`, GOOD);
      assert.equal(r.status, 204, `${path}: ${r.text.slice(0, 300)}`);
      assert.equal(r.headers['access-control-allow-origin'], GOOD);
      assertError(await preflight(`${at.s.url}${path}`, 'https://evil.test'), 403, 'forbidden');
    }
    for (const [method, path] of [['GET', '/conversations'], ['HEAD', '/conversations'], ['POST', '/conversations'], ['PUT', '/conversations'], ['PATCH', '/conversations/x'], ['DELETE', '/conversations/x'], ['POST', '/chat'], ['PROPFIND', '/conversations'], ['GET', '/'], ['GET', '/js/app.js'], ['GET', '/login'], ['GET', '/conversation/x'], ['GET', '/conversation/js/app.js']]) {
      for (const headers of [{}, { origin: GOOD, 'access-control-request-method': 'POST' }, { origin: GOOD, 'x-http-method-override': 'OPTIONS' }, { 'redirect-request-method': 'OPTIONS', redirect_request_method: 'OPTIONS' }]) {
        assert.equal((await request(`${at.s.url}${path}`, { method, headers })).status, 401, `${method} ${path} ${JSON.stringify(headers)}`);
      }
    }
    const r = await get(`${at.s.url}/conversations`, { auth: 'alice', headers: { origin: GOOD } });
    assert.equal(r.status, 200);
    assertOpen(r);
  });
});

describe('with sign-in and *', () => {
  const at = shared(hooks, { auth: true, settings: { CORS_ORIGINS: '*' } });

  test('who is signed in does not act for a page of another site', opts, async () => {
    const r = await post(`${at.s.url}/conversations`, {}, { auth: 'alice', headers: { origin: GOOD, ...FOREIGN } });
    assertError(r, 403, 'forbidden');
    assert.equal((await post(`${at.s.url}/conversations`, {}, { auth: 'alice', headers: { origin: at.s.origin, 'sec-fetch-site': 'same-origin' } })).status, 201);
  });
});

describe('a host of another name, to which a page of any site can have its own name lead (DNS rebinding)', () => {
  const page = (host) => ({ host, origin: `http://${host}`, 'sec-fetch-site': 'same-origin' });
  const FIXED = ['127.0.0.1', '127.0.0.1:8000', 'localhost', 'LocalHost:8000', 'localhost.', 'chat.localhost:3000', '[::1]', '[::1]:8000', '192.168.1.5:8000'];
  const OTHERS = ['evil.test', 'evil.test:8000', 'EVIL.test.', 'localhost.evil.test', '127.0.0.1.evil.test', 'notlocalhost', '127.0.0.1x', 'x127.0.0.1', '127.1.evil', 'evil.test@127.0.0.1', `${'a'.repeat(300)}.test`];

  describe('without sign-in', () => {
    const at = shared(hooks);
    test('from this machine only localhost and addresses are served, whatever the page says', opts, async () => {
      at.p.respond(simple('hello'));
      for (const host of FIXED) assert.equal((await get(`${at.s.url}/conversations`, { headers: page(host) })).status, 200, host);
      const before = (await get(`${at.s.url}/conversations`)).json.conversations.length;
      for (const host of OTHERS) {
        for (const r of [await get(`${at.s.url}/conversations`, { headers: page(host) }), await post(`${at.s.url}/chat`, { message: 'Hi' }, { headers: page(host) }), await post(`${at.s.url}/conversations`, {}, { headers: page(host) }),
          await post(`${at.s.url}/v1/chat/completions`, { messages: [{ role: 'user', content: 'Hi' }], model: 'test-model' }, { headers: page(host) })]) {
          assert.equal(r.status, 400, `${host}: ${r.text.slice(0, 200)}`);
          if (r.json) assert.equal(JSON.stringify(r.json).includes('evil'), false);       // some of them the host server refuses by itself
        }
      }
      assert.equal(at.p.chats.length, 0, 'the provider was not asked');
      assert.equal((await get(`${at.s.url}/conversations`)).json.conversations.length, before, 'nothing was stored');
      const r = await post(`${at.s.url}/chat`, { message: 'Hi' }, { headers: page('evil.test') });
      assert.match(assertError(r, 400, 'bad_request').message, /HOST_NAMES/, 'and an administrator is told what to do');
    });
  });

  describe('with HOST_NAMES', () => {
    const at = shared(hooks, { settings: { HOST_NAMES: 'chat.example.org, Other.example.org' } });
    test('these are served too, in any case and at any port, and no others', opts, async () => {
      for (const host of [...FIXED, 'chat.example.org', 'CHAT.example.org:8443', 'other.example.org.']) assert.equal((await get(`${at.s.url}/conversations`, { headers: page(host) })).status, 200, host);
      for (const host of [...OTHERS, 'chat.example.or', 'chat.example.orgs', 'xchat.example.org', 'chat.example.org.evil.test', 'example.org']) assert.equal((await get(`${at.s.url}/conversations`, { headers: page(host) })).status, 400, host);
    });
  });

  describe('with sign-in', () => {
    const at = shared(hooks, { auth: true });
    test('any name is served: a browser signs in by name, and a page of another site cannot', opts, async () => {
      assert.equal((await get(`${at.s.url}/conversations`, { auth: 'alice', headers: page('chat.example.org') })).status, 200);
      assert.equal((await get(`${at.s.url}/conversations`, { headers: page('evil.test') })).status, 401);
    });
  });
});

describe('below a prefix', () => {
  const at = shared(hooks, { mount: '/parley', settings: { CORS_ORIGINS: GOOD, PARLEY_PREFIX: '/parley' } });

  test('preflights and answers', opts, async () => {
    assert.equal((await preflight(`${at.s.url}/chat`, GOOD)).status, 204);
    assertOpen(await get(`${at.s.url}/health`, { headers: { origin: GOOD } }));
  });
});
