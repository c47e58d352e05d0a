// Bad input: every wrong body, field, method and path gets its status and one sentence; nothing is created, nobody is asked.
import test, { before, after, beforeEach, describe } from 'node:test';
import assert from 'node:assert/strict';
import { shared, withServer, sql } from './server.js';
import { simple, SCALE } from '../provider/provider.js';
import { request, get, post, patch, chat, chatWhole, rawRequest, assertError, conversation } from './client.js';

const opts = { timeout: 60_000 * SCALE };
const at = shared({ before, after, beforeEach });
const counts = () => JSON.stringify(sql(at.s.db, 'SELECT (SELECT count(*) FROM messages) AS m, (SELECT count(*) FROM conversations) AS c')[0]);

let warm = null;
/** The database is there and one good request went through, so that "nothing was created" means something. */
const ready = () => (warm ??= (async () => { at.p.respond(simple('ok')); assert.equal((await chat(at.s, 'warm')).text, 'ok'); at.p.reset(simple('ok')); })());

/** Sends a bad body to both chat endpoints; nothing may come of it. */
async function refused(body, status, code, { paths = ['/chat', '/chat/stream'], method = 'POST', headers, says } = {}) {
  await ready();
  at.p.respond(simple('ok'));
  const n = counts();
  for (const path of paths) {
    const r = await request(`${at.s.url}${path}`, { method, body, headers });
    const e = assertError(r, status, code);
    if (says) assert.match(e.message, says, 'the sentence names the field');
    assert.equal(e.message.includes('\n'), false, 'one sentence');
  }
  assert.equal(counts(), n, 'nothing was created');
  assert.equal(at.p.chats.length, 0, 'the provider was not asked');
}

describe('bodies that cannot be parsed are 400', () => {
  for (const [name, body] of Object.entries({
    'not JSON': 'hello', 'half JSON': '{"message": "Hi"', 'JSON and more': '{"message":"Hi"} trailing', 'two objects': '{"message":"Hi"}{"message":"Hi"}', 'single quotes': "{'message':'Hi'}",
    'a comma too many': '{"message":"Hi",}', 'a comment': '{"message":"Hi" /* x */}', 'an unquoted word': '{message:"Hi"}', 'an empty body': '', 'only spaces': '   ',
    'a raw newline inside a string': '{"message":"a\nb"}', 'form data': 'message=Hi',
  })) test(`${name} is 400`, opts, () => refused(body, 400, 'bad_json'));
  test('a number that JSON does not have is 400 or 422', opts, async () => {
    for (const v of ['NaN', 'Infinity', '-Infinity', '+1', '01', '1.', '0x10']) await refused(`{"message":"Hi","temperature":${v}}`, [400, 422]);
  });
  test('a byte that is not UTF-8 is 400', opts, async () => {
    for (const bytes of ['\xff', '\xc3\x28', '\xe2\x82', '\xed\xa0\x80', '\xf8\x88\x80\x80\x80', '\xc0\xaf', '\xf4\x90\x80\x80']) {
      await refused(Buffer.from(`{"message":"a${bytes}b"}`, 'latin1'), [400, 422]);
    }
  });
  test('a raw NUL byte is 400', opts, () => refused(Buffer.from('{"message":"a\0b"}'), [400, 422]));
  test('an escaped NUL in the message is 422 or 400', opts, () => refused('{"message":"a\\u0000b"}', [400, 422]));
  test('a lone surrogate escape is 400, 422 or made harmless', opts, async () => {
    await ready();
    at.p.respond(simple('ok'));
    const x = await post(`${at.s.url}/chat`, '{"message":"a\\ud800b","stream":false}');
    if (x.status === 200) {
      const c = await conversation(at.s, x.json.conversation_id);
      assert.doesNotMatch(c.messages[0].content, /[\ud800-\udfff]/);
    } else assertError(x, [400, 422]);
  });
  test('nesting that is too deep is 400', opts, async () => {
    for (const depth of [1000, 100000]) {
      await refused(`{"message":"Hi","metadata":${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}}`, [400, 422]);
      await refused(`${'['.repeat(depth)}${']'.repeat(depth)}`, [400, 422]);
      await refused('['.repeat(depth), [400, 422]);
    }
  });
});

describe('a body that is not an object is 422 or 400', () => {
  for (const body of ['null', '[]', '0', '"message"', 'true', '[{"message":"Hi"}]']) test(`the body ${body}`, opts, () => refused(body, [400, 422]));
});

describe('the message', () => {
  test('a missing message is 422 and the sentence names it', opts, () => refused({}, 422, 'invalid_field', { says: /message/ }));
  for (const v of ['', '   ', '\n\t ']) test(`the empty message ${JSON.stringify(v)} is 422`, opts, () => refused({ message: v }, 422, 'invalid_field', { says: /message/ }));
  for (const v of [null, 1, 0, true, false, [], {}, ['Hi'], { text: 'Hi' }]) test(`message ${JSON.stringify(v)} is 422 and the sentence names it`, opts, () => refused({ message: v }, 422, 'invalid_field', { says: /message/ }));
  test('a message of 100,000 characters is taken, of any script', opts, async () => {
    await ready();
    for (const ch of ['a', 'ä', '語', '😀']) {
      at.p.reset(simple('ok'));
      const r = await chatWhole(at.s, ch.repeat(100000));
      assert.equal(r.status, 200, r.text.slice(0, 300));
      assert.equal(at.p.chats[0].body.messages.at(-1).content, ch.repeat(100000));
    }
  });
  test('a message of 100,001 characters is 422 and the sentence names it', opts, async () => {
    await refused({ message: 'a'.repeat(100001) }, 422, 'invalid_field', { says: /message/ });
    await refused({ message: '語'.repeat(100001) }, 422, 'invalid_field', { says: /message/ });
  });
  test('MAX_MESSAGE_CHARS moves the limit', opts, () => withServer({ settings: { MAX_MESSAGE_CHARS: '10' } }, async (s, p) => {
    p.respond(simple('ok'));
    assert.equal((await chatWhole(s, '0123456789')).status, 200);
    assertError(await chatWhole(s, '0123456789a'), 422, 'invalid_field');
    assert.equal(p.chats.length, 1);
  }));
});

describe('wrong types of every other field are 422 and the sentence names the field', () => {
  const WRONG = {
    conversation_id: [1, true, [], {}, ['x']],
    parent_id: [1, true, [], {}],
    model: [1, true, [], {}],
    system: [1, true, [], {}],
    temperature: ['0.7', true, [], {}, -1, 2.1, 1e300],
    max_tokens: ['17', true, [], {}, -1, 0, 1.5, 1e300],
    stream: ['true', 1, 0, 'no', [], {}],
    user_id: [1, true, [], {}],
    attachments: ['x', 1, true, {}],
    metadata: ['x', 1, true, []],
  };
  for (const [field, values] of Object.entries(WRONG)) for (const v of values) {
    test(`${field}: ${JSON.stringify(v)}`, opts, () => refused({ message: 'Hi', [field]: v }, 422, 'invalid_field', { says: new RegExp(field) }));
  }
  test('detach that is not a boolean', opts, () => refused({ message: 'Hi', detach: 'yes' }, 422, 'invalid_field', { says: /detach/ }));
  test('null stands for a field that is not given', opts, async () => {
    await ready();
    at.p.respond(simple('ok'));
    const body = { message: 'Hi', stream: false };
    for (const f of ['conversation_id', 'parent_id', 'model', 'system', 'temperature', 'max_tokens', 'user_id', 'attachments', 'context', 'metadata']) body[f] = null;
    const r = await post(`${at.s.url}/chat`, body);
    assert.equal(r.status, 200, r.text);
  });
  test('a model that is not the configured one is refused or answered, never sent elsewhere', opts, async () => {
    await ready();
    for (const model of ['http://evil.invalid/x', '../x', 'a'.repeat(5000), 'openai/x@evil.invalid', 'x\r\nHost: evil']) {
      at.p.reset(simple('ok'));
      const r = await post(`${at.s.url}/chat`, { message: 'Hi', stream: false, model });
      assert.ok([200, 404, 422, 502].includes(r.status), `${r.status} ${r.text}`);
      assert.equal(r.headers.host, undefined);
    }
  });
});

describe('POST and PATCH /conversations check their fields', () => {
  for (const body of [{ title: 1 }, { title: [] }, { title: {} }, { metadata: 'x' }, { metadata: [] }, { metadata: 1 }]) {
    test(`POST ${JSON.stringify(body)} is 422`, opts, () => refused(body, 422, 'invalid_field', { paths: ['/conversations'], says: new RegExp(Object.keys(body)[0]) }));
  }
  for (const body of ['[]', '"x"', '17', 'nonsense', '{"title":']) test(`POST /conversations with the body ${body} is 400 or 422`, opts, () => refused(body, [400, 422], undefined, { paths: ['/conversations'] }));
  for (const change of [{ title: 1 }, { title: [] }, { pinned: 'yes' }, { pinned: 1 }, { archived: 'no' }, { archived: 0 }, { metadata: 'x' }, { metadata: [1] }]) {
    test(`PATCH ${JSON.stringify(change)} is 422 and changes nothing`, opts, async () => {
      const made = (await post(`${at.s.url}/conversations`, { title: 'kept' })).json;
      const e = assertError(await patch(`${at.s.url}/conversations/${made.conversation_id}`, { title: 'changed', ...change }), 422, 'invalid_field');
      assert.match(e.message, new RegExp(Object.keys(change)[0]));
      assert.equal((await conversation(at.s, made.conversation_id)).title, 'kept');
    });
  }
  test('a title of 1 MB is 422 or 413', opts, () => refused({ title: 'x'.repeat(1 << 20) }, [413, 422], undefined, { paths: ['/conversations'] }));
});

describe('size', () => {
  test('a body over MAX_BODY_BYTES is 413, and the next request works', opts, () => withServer({ settings: { MAX_BODY_BYTES: '65536' } }, async (s, p) => {
    p.respond(simple('ok'));
    for (const n of [70_000, 1_000_000, 4_000_000]) {
      const e = assertError(await post(`${s.url}/chat`, JSON.stringify({ message: 'a', context: { pad: 'x'.repeat(n) } })), 413, 'too_large');
      assert.ok(e.message.length > 10);
    }
    assert.equal(p.chats.length, 0);
    assert.equal((await chatWhole(s, 'Hi')).status, 200);
  }));
  test('a body over the default limit is 413', opts, () => withServer({}, async (s, p) => {
    p.respond(simple('ok'));
    const r = await post(`${s.url}/chat`, JSON.stringify({ message: 'a', context: { pad: 'x'.repeat(9 << 20) } }));
    assertError(r, 413, 'too_large');
    assert.equal((await chatWhole(s, 'Hi')).status, 200);
  }));
});

describe('content type', () => {
  for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x', 'text/json', 'application/jsonp', 'application/xml', null, '']) {
    test(`POST with Content-Type ${type} is 415`, opts, async () => {
      await refused(JSON.stringify({ message: 'Hi' }), 415, 'unsupported_type', { headers: { 'content-type': type } });
      await refused(JSON.stringify({ title: 'Hi' }), 415, 'unsupported_type', { paths: ['/conversations'], headers: { 'content-type': type } });
    });
  }
  for (const type of ['application/json', 'application/json; charset=utf-8', 'application/json;charset=UTF-8', 'Application/JSON']) {
    test(`POST with Content-Type ${type} is taken`, opts, async () => {
      at.p.respond(simple('ok'));
      const r = await post(`${at.s.url}/chat`, { message: 'Hi', stream: false }, { headers: { 'content-type': type } });
      assert.equal(r.status, 200, r.text);
    });
  }
  test('a compressed body is refused', opts, async () => {
    await refused(JSON.stringify({ message: 'Hi' }), [400, 415], undefined, { headers: { 'content-type': 'application/json', 'content-encoding': 'gzip' } });
  });
});

describe('wrong methods are 405 with Allow', () => {
  const ROUTES = {
    '/chat': ['POST'], '/chat/stream': ['POST'], '/conversations': ['GET', 'POST'], '/conversations/x': ['GET', 'PATCH', 'DELETE'], '/conversations/x/messages': ['DELETE'], '/conversations/x/messages/y': ['DELETE'], '/usage': ['GET'], '/conversations/x/stop': ['POST'],
    '/health': ['GET'], '/ready': ['GET'],
  };
  for (const [path, allowed] of Object.entries(ROUTES)) for (const method of ['GET', 'POST', 'PUT', 'PATCH', 'DELETE']) {
    if (allowed.includes(method)) continue;
    test(`${method} ${path} is 405`, opts, async () => {
      const r = await request(`${at.s.url}${path}`, { method, body: method === 'GET' || method === 'DELETE' ? undefined : {} });
      assertError(r, 405, 'method_not_allowed');
      const allow = (r.headers.allow ?? '').split(',').map((x) => x.trim());
      for (const m of allowed) assert.ok(allow.includes(m), `Allow: ${r.headers.allow} has ${m}`);
      assert.equal(allow.includes(method), false);
    });
  }
});

describe('unknown paths are 404 in JSON', () => {
  for (const path of ['/nothing', '/nothing/here', '/chat/x', '/chats', '/CHAT', '/chat/stream/x', '/health/x', '/conversations/a/b', '/conversations/a/messages/b/c', '/conversations/a/stop/b', '/metrics/x', '/apis', '/v2/x', '/chat%2fstream', '/chat;x=1']) {
    for (const method of ['GET', 'POST']) test(`${method} ${path}`, opts, async () => {
      const r = await request(`${at.s.url}${path}`, { method, body: method === 'POST' ? {} : undefined });
      assertError(r, path === '/chat%2fstream' ? [404, 405, 422] : 404);
    });
  }
});

describe('HTTP oddities', () => {
  const body = '{"message":"Hi","stream":false}';
  test('a chunked request body is read', opts, async () => {
    at.p.respond(simple('ok'));
    const r = await request(`${at.s.url}/chat`, { method: 'POST', body, headers: { 'transfer-encoding': 'chunked', 'content-type': 'application/json' } });
    assert.equal(r.status, 200, r.text);
    assert.equal(r.json.response, 'ok');
  });
  test('a query string on a route changes nothing', opts, async () => {
    at.p.respond(simple('ok'));
    assert.equal((await post(`${at.s.url}/chat?x=1&-h&--help`, body)).json?.response, 'ok');
    assert.equal((await get(`${at.s.url}/health?-h`)).json?.status, 'healthy');
  });
  test('HTTP/1.0 gets a whole answer', opts, async () => {
    at.p.respond(simple('ok'));
    const t = await rawRequest(at.s, `POST /chat HTTP/1.0\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
    assert.match(t, /^HTTP\/1\.[01] 200/);
    assert.match(t, /"response": ?"ok"/);
  });
  test('a body that ends before its Content-Length gets no answer that counts, and the next request works', opts, async () => {
    await ready();
    const n = counts();
    await rawRequest(at.s, `POST /chat HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n${body}`, { half: true, seconds: 10 }).catch(() => '');
    assert.equal(counts(), n);
    at.p.respond(simple('ok'));
    assert.equal((await chatWhole(at.s, 'Hi')).status, 200);
  });
  test('a body longer than its Content-Length counts up to there, and the next request works', opts, async () => {
    await ready();
    at.p.respond(simple('ok'));
    const t = await rawRequest(at.s, `POST /chat HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}{"message":"smuggled"}`);
    assert.match(t, /^HTTP\/1\.1 (200|400)/);
    assert.doesNotMatch(JSON.stringify(at.p.chats.map((c) => c.body)), /smuggled/);
    assert.equal((await chatWhole(at.s, 'Hi')).status, 200);
  });
  for (const [name, headers] of Object.entries({ 'no length': '', 'a length that is no number': 'Content-Length: many\r\n', 'a length below zero': 'Content-Length: -5\r\n', 'two lengths': `Content-Length: 5\r\nContent-Length: ${body.length}\r\n` })) test(`a body with ${name} is refused, and the next request works`, opts, async () => {
    await ready();
    const n = counts();
    const t = await rawRequest(at.s, `POST /chat HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\n${headers}\r\n${body}`, { half: true });
    assert.match(t, /^HTTP\/1\.1 4(00|11|13|22)/);
    assert.equal(counts(), n);
    at.p.respond(simple('ok'));
    assert.equal((await chatWhole(at.s, 'Hi')).status, 200);
  });
  test('Expect: 100-continue is answered, and the body read', opts, async () => {
    at.p.respond(simple('ok'));
    const t = await rawRequest(at.s, `POST /chat HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nExpect: 100-continue\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
    assert.match(t, /HTTP\/1\.1 200/);
    assert.match(t, /"response": ?"ok"/);
  });
  test('HEAD has the headers of GET and no body; OPTIONS and unknown methods have a status', opts, async () => {
    for (const where of ['/', '/health', '/conversations']) {
      const r = await request(`${at.s.url}${where}`, { method: 'HEAD' });
      assert.ok([200, 405].includes(r.status), `${where}: ${r.status}`);
      assert.equal(r.text, '');
    }
    for (const method of ['OPTIONS', 'PROPFIND', 'BREW']) {
      const t = await rawRequest(at.s, `${method} /conversations HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
      assert.match(t, /^HTTP\/1\.[01] (200|204|400|405|501)/, `${method}: ${t.slice(0, 100)}`);
    }
  });
  test('without Host, and with a whole URL as its address, a request is answered or refused', opts, async () => {
    assert.match(await rawRequest(at.s, 'GET /health HTTP/1.1\r\nConnection: close\r\n\r\n'), /^HTTP\/1\.1 (200|400)/);
    assert.match(await rawRequest(at.s, `GET http://127.0.0.1:${at.s.port}/health HTTP/1.1\r\nHost: 127.0.0.1:${at.s.port}\r\nConnection: close\r\n\r\n`), /^HTTP\/1\.1 (200|400)/);
    assert.equal((await get(`${at.s.url}/health`)).status, 200);
  });
  test('HTTP/1.0 gets a stream without frames', opts, async () => {
    at.p.respond(simple('one two three'));
    const t = await rawRequest(at.s, `POST /chat/stream HTTP/1.0\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 16\r\n\r\n{"message":"Hi"}`);
    assert.match(t, /^HTTP\/1\.[01] 200/);
    assert.doesNotMatch(t, /transfer-encoding: chunked/i);
    assert.match(t, /event: done\r?\n/);
  });
  test('a Proxy header has no effect', opts, async () => {
    at.p.respond(simple('ok'));
    const r = await post(`${at.s.url}/chat`, body, { headers: { proxy: 'http://127.0.0.1:9' } });
    assert.equal(r.json?.response, 'ok', r.text);
  });
  test('no input breaks a header of the answer', opts, async () => {
    at.p.respond(simple('ok'));
    for (const path of ['/conversations/%0d%0aSet-Cookie:%20x=y', '/conversations?before=%0d%0aSet-Cookie:%20x=y', '/%0d%0aSet-Cookie:%20x=y']) {
      const r = await get(`${at.s.url}${path}`);
      assert.equal(r.headers['set-cookie'], undefined);
      assert.ok(r.status >= 400 || r.status === 200);
    }
  });
  test('format strings in every field are only text', opts, async () => {
    const f = '%n%n%s%s%x%p %1000000d %*d';
    at.p.respond(simple([f, f]));
    const r = await chat(at.s, { message: f, system: f, user_id: f.slice(0, 20), metadata: { [f]: f } });
    assert.equal(r.text, f + f);
    assert.equal((await conversation(at.s, r.conversation_id)).messages[0].content, f);
    assertError(await get(`${at.s.url}/conversations/${encodeURIComponent(f)}`), 404);
  });
});

describe('addresses that are not UTF-8, and methods on files', () => {
  for (const [name, method, path, status, code] of [
    ['an id that is not UTF-8', 'GET', '/conversations/%ff', 404, 'not_found'],
    ['a search that is not UTF-8', 'GET', '/conversations?q=%ff', 400, 'bad_request'],
    ['a method that files do not take', 'DELETE', '/index.html', 404, 'not_found'],
    ['a file that is not there', 'GET', '/nothing.html', 404, 'not_found'],
  ]) test(`${name} is ${status} in JSON`, async () => {
    const r = await request(`${at.s.url}${path}`, { method });
    assertError(r, status, code);
  });
});
