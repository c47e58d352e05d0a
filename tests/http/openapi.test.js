// www/openapi.json and docs/api.md against the program: the same addresses in all three, and what the file says about requests and answers is so, tried with random
// bodies, queries and paths made from its schemas. PARLEY_TEST_SEED repeats a run, PARLEY_TEST_CASES makes a longer one.
import test, { before, after, describe } from 'node:test';
import assert from 'node:assert/strict';
import http from 'node:http';
import { execFile, execFileSync } from 'node:child_process';
import { promisify } from 'node:util';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { shared, withServer, PROGRAM, REPO } from './server.js';
import { SCALE, USAGE, tokensOf } from '../provider/provider.js';
import { get, post, stream, chat, chatWhole, conversation, list } from './client.js';
import { check, resolve, validate } from './schema.js';
import { generate, mutate, random } from './generate.js';

const doc = JSON.parse(readFileSync(path.join(REPO, 'www/openapi.json'), 'utf8'));
const manual = readFileSync(path.join(REPO, 'docs/api.md'), 'utf8');
const METHODS = ['get', 'post', 'put', 'patch', 'delete', 'head', 'options', 'trace'];
const run = promisify(execFile);
const follow = (x) => (x?.$ref ? resolve(doc, x.$ref) : x);

const operations = Object.entries(doc.paths).flatMap(([pattern, item]) => METHODS.filter((m) => item[m]).map((m) => {
  const op = item[m];
  const body = follow(op.requestBody);
  return {
    name: op.operationId, method: m.toUpperCase(), pattern, route: `${m.toUpperCase()} ${pattern.replace(/\{\w+\}/g, '{}')}`, op, responses: op.responses,
    parameters: [...(item.parameters ?? []), ...(op.parameters ?? [])].map(follow), body, bodySchema: body?.content?.['application/json']?.schema,
  };
}));
const routes = execFileSync(PROGRAM, ['--routes'], { encoding: 'utf8' }).trim().split('\n').map((r) => r.replace('{*}', '{}'));     // {*}: with its slashes
// ---------------------------------------------------------------- the file by itself

describe('openapi.json', () => {
  test('it is OpenAPI 3.1 by its structure, and every schema is one that the tests can check', () => {
    const keys = (what, o, allowed, required = []) => {
      for (const k of Object.keys(o)) assert.ok(allowed.includes(k), `${what} has "${k}"`);
      for (const k of required) assert.ok(k in o, `${what} lacks "${k}"`);
    };
    keys('the document', doc, ['openapi', 'info', 'servers', 'security', 'tags', 'paths', 'components'], ['openapi', 'info', 'paths']);
    assert.equal(doc.openapi, '3.1.0');
    keys('info', doc.info, ['title', 'version', 'summary', 'description'], ['title', 'version']);
    assert.equal(doc.info.version, execFileSync(PROGRAM, ['--version'], { encoding: 'utf8' }).trim().split(' ').at(-1), 'the version is the program\'s');
    for (const s of doc.servers) assert.ok(!/^[a-z]+:/i.test(s.url), 'servers are relative');
    const schemes = Object.keys(doc.components.securitySchemes);
    const tags = doc.tags.map((t) => t.name);
    const media = (what, content) => {
      for (const [type, m] of Object.entries(content)) {
        assert.match(type, /^[a-z]+\/[a-z.+-]+$/, what);
        keys(`${what} ${type}`, m, ['schema'], ['schema']);
        check(doc, m.schema, `${what} ${type}`);
      }
    };
    const parameter = (what, p) => {
      keys(what, p, ['name', 'in', 'required', 'description', 'schema'], ['name', 'in', 'schema']);
      assert.ok(['query', 'path', 'header'].includes(p.in), what);
      if (p.in === 'path') assert.equal(p.required, true, what);
      check(doc, p.schema, what);
    };
    const header = (what, h) => { keys(what, h, ['description', 'schema'], ['schema']); check(doc, h.schema, what); };
    const response = (what, r) => {
      keys(what, r, ['description', 'headers', 'content'], ['description']);
      for (const [k, h] of Object.entries(r.headers ?? {})) header(`${what} ${k}`, follow(h));
      media(what, r.content ?? {});
    };
    const seen = new Set();
    for (const { name, op, pattern, parameters, body } of operations) {
      keys(name, op, ['operationId', 'tags', 'summary', 'description', 'security', 'parameters', 'requestBody', 'responses'], ['operationId', 'responses']);
      assert.match(name, /^[a-z][A-Za-z]+$/);
      assert.ok(!seen.has(name), `${name} is there once`);
      seen.add(name);
      for (const t of op.tags) assert.ok(tags.includes(t), `${name}: the tag ${t}`);
      for (const s of op.security ?? []) for (const k of Object.keys(s)) assert.ok(schemes.includes(k));
      for (const p of parameters) parameter(`${name} ${p.name}`, p);
      assert.deepEqual(parameters.filter((p) => p.in === 'path').map((p) => p.name), [...pattern.matchAll(/\{(\w+)\}/g)].map((m) => m[1]), `${name}: the parameters of the path`);
      if (body) { keys(`${name} body`, body, ['required', 'content', 'description'], ['content']); media(`${name} body`, body.content); }
      assert.ok(Object.keys(op.responses).length > 0);
      for (const [status, r] of Object.entries(op.responses)) { assert.match(status, /^[1-5]\d\d$/); response(`${name} ${status}`, follow(r)); }
    }
    keys('components', doc.components, ['securitySchemes', 'parameters', 'headers', 'requestBodies', 'responses', 'schemas']);
    for (const [k, s] of Object.entries(doc.components.schemas)) check(doc, s, k);
    for (const [k, r] of Object.entries(doc.components.responses)) response(k, r);
  });

  test('every reference leads somewhere, and every component is used', () => {
    const used = new Set();
    const walk = (x) => {
      if (typeof x !== 'object' || x === null) return;
      if (typeof x.$ref === 'string') { resolve(doc, x.$ref); used.add(x.$ref); }
      Object.values(x).forEach(walk);
    };
    walk(doc);
    for (const [kind, all] of Object.entries(doc.components)) if (kind !== 'securitySchemes') for (const k of Object.keys(all)) assert.ok(used.has(`#/components/${kind}/${k}`), `${kind}/${k} is used`);
  });

  test('a keyword that cannot be checked is refused', () => {
    for (const s of [{ typ: 'string' }, { items: { oneOf: [] } }, { type: 'text' }, { $ref: '#/components/schemas/None' }, { type: 'string', pattern: 'a', examples: ['b'] }, { then: {} }]) assert.throws(() => check(doc, s));
  });

  test('its paths are the table of the program', () => {
    const described = operations.map((o) => o.route);
    assert.deepEqual(routes.filter((r) => !described.includes(r)), [], 'in the program and not in openapi.json');
    assert.deepEqual(described.filter((r) => !routes.includes(r)), [], 'in openapi.json and not in the program');
  });

  test("README's table has addresses that exist", () => {
    const readme = readFileSync(path.join(REPO, 'README.md'), 'utf8');
    const described = operations.map((o) => o.method + ' ' + o.pattern);
    let methods = [], count = 0;
    for (const [, method, address] of readme.matchAll(/`(GET|POST|PATCH|DELETE)(?: (\/[\w/{}]*)[^`]*)?`/g)) {       // `GET`, `PATCH`, `DELETE /conversations/{id}` are three
      methods.push(method);
      if (!address) continue;
      for (const m of methods) { assert.ok(described.includes(`${m} ${address}`), `README: ${m} ${address}`); count++; }
      methods = [];
    }
    assert.ok(count >= 14, `${count} addresses`);
    assert.deepEqual(methods, []);
  });

  test('its error codes are those of the program, and docs/api.md has them with their statuses', () => {
    const table = readFileSync(path.join(REPO, 'src/base/outcome.c'), 'utf8');
    const codes = new Map([...table.matchAll(/\{(\d+), "(\w+)"\}/g)].map((m) => [m[2], m[1]]).filter(([code]) => code !== 'ok' && code !== 'stopped'));
    assert.ok(codes.size > 10);
    assert.deepEqual([...doc.components.schemas.ErrorCode.enum].sort(), [...codes.keys()].sort());
    for (const [code, status] of codes) assert.match(manual, new RegExp(`^\\| ${status} \\|[^|]*\`${code}\``, 'm'), `docs/api.md: ${status} ${code}`);
  });
});

// ---------------------------------------------------------------- one answer

/** Why an answer is not what the operation says; null when it is. */
function wrong(o, s) {
  const described = follow(o.responses[s.status]);
  if (!described) return `the status ${s.status} is not described`;
  if (!s.complete) return 'the body broke off';
  if (s.badUtf8) return 'the body is not UTF-8';
  const type = (s.headers['content-type'] ?? '').split(';')[0];
  const content = described.content ?? {};
  if (s.status === 304 || !Object.keys(content).length) return s.raw === '' ? null : 'a body came that is not described';
  if (!content[type]) return `the type ${type} is not described`;
  const { schema } = content[type];
  for (const [k, h] of Object.entries(described.headers ?? {})) {
    const text = s.headers[k.toLowerCase()];
    if (text === undefined) continue;
    const e = validate(doc, follow(h).schema, k === 'Retry-After' ? Number(text) : text);
    if (e) return `the header ${k}: ${e}`;
  }
  if (type === 'text/event-stream') {
    if (s.parser.bad.length) return `${JSON.stringify(s.parser.bad[0])} in the stream`;
    if (!s.events.length) return 'no events';
    for (const { event, data, id } of s.events) {
      const seen = { ...(event !== 'message' && { event }), ...(id !== undefined && { id }), data };
      const e = validate(doc, schema, seen);
      if (e) return `the event ${JSON.stringify(seen).slice(0, 300)}: ${e}`;
    }
    return null;
  }
  if (type !== 'application/json') return validate(doc, schema, s.raw);
  let json;
  try { json = JSON.parse(s.raw); } catch { return 'the body is not JSON'; }
  const e = validate(doc, schema, json);
  if (e) return e;
  const sentence = s.status < 400 ? '' : json?.error?.message ?? (Array.isArray(json?.detail) ? json.detail[0].msg : json?.detail) ?? '';
  if (/[\u0000-\u001f]|<\/?(html|body|h1)/i.test(sentence)) return `no sentence: ${JSON.stringify(sentence)}`;
  return null;
}

async function send(s, o, { address = o.pattern, body, headers, auth }) {
  const r = await stream(s.url + address, body, { method: o.method, headers, auth });
  await r.all(20);
  return r;
}

// ---------------------------------------------------------------- random requests

/** What good requests get where that is not success: the chat itself takes no files, has no theme and no sign-in of its own. */
const ALWAYS = { ragbitsUpload: 400, ragbitsTheme: 404, ragbitsLogin: 404, ragbitsAuthorize: 404, ragbitsCallback: 404, ragbitsUser: 401 };

/** What schemas cannot say: makes a good body one that means something here. */
const SETTLE = {
  chat: (b, r, env) => {
    if (b.conversation_id) b.conversation_id = env.conversation;
    if (typeof b.parent_id === 'string') b.parent_id = b.conversation_id ? 'root' : null;
    delete b.continue;                                       // there is no answer that was cut off
    delete b.regenerate;                                     // nor one for sure: others clear the conversation
    b.message ??= 'Hi';
    if (b.detach) b.conversation_id = b.user_id = b.parent_id = null;        // what comes next would find it busy
    settleContext(b);
  },
  createChatCompletion: (b, r) => {
    b.messages = settleMessages(b.messages, r);
    const names = (b.tools ?? []).map((t) => t.function.name);
    if (typeof b.tool_choice === 'object' && b.tool_choice) { if (names.length) b.tool_choice.function.name = r.pick(names); else delete b.tool_choice; }
    if (b.tool_choice === 'required' && !names.length) delete b.tool_choice;
  },
  contentChat: (b, r) => { b.messages = settleMessages(b.messages, r); },
  createEmbedding: (b, r) => {
    if ('model' in b) b.model = r.pick(['test-embedding', null]);
    if (b.dimensions) b.dimensions = 3;
  },
  ragbitsChat: (b, r, env) => {
    if (b.context?.conversation_id) b.context.conversation_id = env.conversation;
    settleContext(b);
  },
  ragbitsFeedback: (b, r, env) => { b.message_id = env.answer; },
  addConversation: (b, r, env) => { if (typeof b.fork_of === 'string') b.fork_of = env.answer; },
  changeConversation: (b, r, env) => { if (typeof b.leaf_id === 'string') b.leaf_id = env.answer; },
};
SETTLE.chatStream = SETTLE.chat;

/** A state needs its signature, and confirmations are of a question that was asked and come without a message: neither was given. */
function settleContext(b) {
  if (!b.message.trim()) b.message = 'Hi';
  const { context } = b;
  if (!context) return;
  if (context.state) context.state = {};
  delete context.signature;
  delete context.tool_confirmations;
}

function settleMessages(messages, r) {
  const out = messages.slice(0, 100).filter((m) => m.role !== 'tool' && (m.role !== 'assistant' || (m.content !== null && m.content !== undefined)));
  for (const m of out) if (m.role === 'assistant') delete m.tool_calls;
  if (r.chance(0.3)) {
    out.push({ role: 'user', content: 'What is the weather?' }, { role: 'assistant', content: null, tool_calls: [{ id: 'c1', type: 'function', function: { name: 'get_weather', arguments: '{}' } }] },
      { role: 'tool', tool_call_id: 'c1', content: 'rain' });
    if (r.chance(0.5)) return out;
  }
  out.push({ role: 'user', content: 'Hi' });
  return out;
}

/** Bodies that are broken as texts, with the statuses they may get (null: any that is described and no failure of the server's). */
function brokenText(text, r) {
  const bytes = (s) => Buffer.from(s, 'latin1');
  const deep = r.between(40, 20000);
  const inside = (s) => text.replace(/^\{/, `{"x":${s}${text === '{}' ? '' : ','}`);
  const refused = [400, 422];
  return r.pick([
    ['an empty body', '', refused], ['white space', ' \n', refused], ['half', text.slice(0, -1), refused], ['more behind it', `${text}x`, refused], ['twice', text + text, refused],
    ['a list', `[${text}]`, refused], ['a text', JSON.stringify(text), refused], ['null', 'null', refused], ['a number', '17', refused],
    ['no UTF-8', bytes(inside('"a\xffb"')), refused], ['an encoded surrogate', bytes(inside('"\xed\xa0\x80"')), refused], ['a NUL byte', inside('"a\0b"'), refused],
    ['an escaped NUL', inside('"a\\u0000b"'), refused], ['a lone surrogate', inside('"\\ud800"'), null], ['a lone surrogate in a key', text.replace(/^\{/, `{"\\udc00":1${text === '{}' ? '' : ','}`), null],
    ['the same key twice', text.replace(/\}$/, `${text === '{}' ? '' : ','}"message":1,"messages":1,"input":1,"title":1,"feedback":1}`), null],
    ['deep nesting', inside('['.repeat(deep) + ']'.repeat(deep)), refused], ['deep objects', inside('{"a":'.repeat(deep) + '1' + '}'.repeat(deep)), refused],
    ['open brackets', '['.repeat(deep), refused], ['a comment', text.replace(/\}$/, '/* */}'), refused], ['a comma too many', inside('[1,]'), refused],
    ['a number that is none', inside(r.pick(['NaN', '01', '1.', '+1', '0x1', '-'])), refused], ['a huge number', inside('9'.repeat(r.between(20, 5000))), null], ['a byte order mark', `\ufeff${text}`, refused],
    ['more than a body may have', inside(`"${'a'.repeat(MOST)}"`), [413]],
  ]);
}
const MOST = 2 * 1024 * 1024;

const BAD_IDS = ['x', '01jd0000000000000000000000', '01JD0000000000000000000000', '01jd000000000000000000000000', '%ff', '%F0%9F%98%80', '%22', '-', '0', "'%20OR%201=1", 'a'.repeat(2500), '%25n%25s', 'null'];
const JUNK_QUERIES = ['', '?', '?x=1', '?limit', '?%ff=%ff', '?&&&=', '?x=' + 'y'.repeat(3000)];

const daysAgo = (n) => new Date(Date.now() - n * 86400e3).toISOString().slice(0, 10);
/** The same for parameters. */
const PARAMETERS = { after: (r, env) => `${env.answer}:${r.between(0, 40)}`, from: (r) => daysAgo(r.between(100, 300)), to: (r) => daysAgo(r.between(0, 60)) };

/** A case of an operation: what to send and what may come back: a status, 'good' (success), or a test of statuses. */
async function makeCase(o, r, env) {
  const at = { address: o.pattern, headers: {} };
  const described = (status) => status < 500;
  const refused = (status) => status >= 400 && status < 500;
  let expect = 'good', kind = 'good';

  const bad = o.pattern.startsWith('/conversations/{id}') && r.chance(0.25);
  const copied = o.name === 'deleteMessage' && r.chance(0.5) ? await env.copy() : null;
  const other = (o.name === 'getModel' && r.chance(0.5)) || (o.name === 'deleteMessage' && !copied);
  if (bad || other) { kind = 'an unknown id'; expect = (status) => status === 404; }
  at.address = at.address.replace('{id}', bad ? r.pick(BAD_IDS) : o.name === 'deleteConversation' ? await env.fresh() : copied?.conversation_id ?? env.conversation).replace('{model}', other ? r.pick(['x', '%F0%9F%98%80', '%ff', 'openai', 'a/b/c/d/e/f/g/h/i/j', 'a'.repeat(1500)]) : env.model).replace('{message}', copied?.leaf_id ?? r.pick([...BAD_IDS, env.conversation])).replace('{provider}', r.pick(['google', 'x', '%F0%9F%98%80', '1']));

  const query = new URLSearchParams();
  const queries = o.parameters.filter((p) => p.in === 'query');
  for (const p of queries) if (r.chance(0.5)) query.set(p.name, PARAMETERS[p.name]?.(r, env) ?? String(generate(doc, p.schema, r)));
  let text = query.toString();
  if (o.name === 'listConversations' && r.chance(0.5)) {
    const [q, status] = r.pick([...['0', '-1', '201', 'x', '1.5', '', '9'.repeat(30), '1e2', '5x', '%205', '%2B5', '0x5', '%F0%9F%98%80'].map((v) => [`limit=${v}`, 422]),
      ...['x', '1', '1.', '.1', '1.x', '1.2.3', '-1.2', '1.%202', '%201.2', '9'.repeat(40) + '.1'].map((v) => [`before=${v}`, 422]),
      ...['%ff', 'a'.repeat(1025), '%F0%9F%98%80'.repeat(257)].map((v) => [`q=${v}`, 400]),
      ...['%', '%0', '%zz'].flatMap((v) => [[`q=${v}`, null], [`limit=${v}`, null], [`before=${v}`, null]]),         // some host servers put such a text right
      [`x=${'y'.repeat(7000)}`, 200]]);
    text = q;
    kind = `the query ${q.slice(0, 40)}`;
    expect = status ? (x) => x === status : described;
  }
  if (o.name === 'usage' && r.chance(0.5)) {
    text = r.pick(['from', 'to']) + '=' + r.pick(['', 'x', '2026-02-29', '2026-13-01', '2026-1-1', '2026-01-01T00:00:00Z', '%202026-01-01', '2026-01-01%20', '-2026-01-01', '20260101', '2026-00-10', '2026-01-00', '%D9%A2026-01-01']);
    kind = `the query ${text}`;
    expect = (status) => status === 422;
  }
  if (text || (!queries.length && o.method === 'GET')) at.address += text ? `?${text}` : r.pick(JUNK_QUERIES);

  if (o.bodySchema) {
    let body = generate(doc, o.bodySchema, r);
    SETTLE[o.name]?.(body, r, env);
    const still = validate(doc, o.bodySchema, body);
    assert.equal(still, null, `${o.name}: what was made good is not: ${still}`);
    const how = bad ? 0 : r.real();
    if (how < 0.35) {
      at.body = JSON.stringify(body);
      if (r.chance(0.2)) at.headers['content-type'] = r.pick(['application/json; charset=utf-8', 'APPLICATION/JSON', 'application/json;']);
    } else if (how < 0.75) {
      body = mutate(doc, o.bodySchema, body, r);
      at.body = JSON.stringify(body);
      const why = validate(doc, o.bodySchema, body);
      kind = why ? `a body that is wrong (${why.slice(0, 200)})` : 'a changed body';
      expect = why ? refused : described;
    } else if (how < 0.95) {
      const [name, broken, statuses] = brokenText(JSON.stringify(body), r);
      at.body = broken;
      kind = `a broken body (${name})`;
      expect = statuses ? (status) => statuses.includes(status) : described;
      if (broken === '' && !o.body.required) expect = 'good';
    } else {
      at.body = JSON.stringify(body);
      kind = 'another type';
      at.headers['content-type'] = r.pick(['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x', 'application/jsonx', 'x', null]);
      expect = (status) => status === 415;
    }
  } else if (o.method === 'POST' || o.method === 'DELETE') {
    if (r.chance(0.3)) at.body = r.pick(['{}', 'x', '\0', '{"a":', Buffer.from([0xff, 0xfe]), 'a'.repeat(100000)]);
  }
  return { ...at, kind, expect };
}

/** Answers with thinking, text of all kinds and usage; calls a tool when there are some, every other time. */
function script() {
  let n = 0;
  return async (req, io) => {
    n++;
    io.role();
    if (n % 3 === 0) io.chunk(io.shape({ reasoning_content: 'Let me think.\n' }));
    const tool = req.body?.tools?.[0]?.function?.name;
    if (tool && n % 2 === 0) {
      io.chunk(io.shape({ tool_calls: [{ index: 0, id: 'call_1', type: 'function', function: { name: tool, arguments: '{"a":' } }] }));
      io.chunk(io.shape({ tool_calls: [{ index: 0, function: { arguments: '1}' } }] }));
    } else for (const t of tokensOf('ok ä 語 😀\r\n"\\ data: x\n\n')) io.token(t);
    io.finish(tool && n % 2 === 0 ? 'tool_calls' : 'stop', n % 4 === 0 ? undefined : { ...USAGE, prompt_tokens_details: { cached_tokens: 3 } });
    io.done();
    await io.end();
  };
}

/** A provider of vectors with three numbers. */
function startEmbedder() {
  const server = http.createServer((req, res) => {
    let text = '';
    req.on('data', (d) => { text += d; });
    req.on('end', () => {
      const { input } = JSON.parse(text);
      res.setHeader('content-type', 'application/json');
      res.end(JSON.stringify({ object: 'list', model: 'test-embedding', data: [input].flat().map((_, index) => ({ object: 'embedding', index, embedding: [0.5, -1, 0.25] })), usage: { prompt_tokens: 1, total_tokens: 1 } }));
    });
  });
  return new Promise((ready) => { server.listen(0, '127.0.0.1', () => ready(server)); });
}

const SEED = process.env.PARLEY_TEST_SEED ?? String(Date.now() % 1e9);
const SECONDS = 20, LEAST = 12, MOST_CASES = Number(process.env.PARLEY_TEST_CASES ?? 120);      // cases of each operation, and for how long at most

/** Tries an operation with its case number `i`, which depends on the seed alone. */
async function tryCase(s, o, i, env) {
  const c = await makeCase(o, random(SEED, o.name, i), env);
  const say = () => `${o.name}, case ${i}, ${c.kind}: ${o.method} ${c.address.slice(0, 200)} ${JSON.stringify(c.headers)} ${(c.body ?? '').toString().slice(0, 1500)}\n(repeat with PARLEY_TEST_SEED=${SEED})\n`;
  let a;
  try { a = await send(s, o, c); } catch (e) { throw new Error(`${say()}${e.message}`); }
  const answer = `${a.status} ${a.raw.slice(0, 600)}`;
  const problem = wrong(o, a);
  assert.equal(problem, null, `${say()}${problem}: ${answer}`);
  const good = (status) => (ALWAYS[o.name] ? status === ALWAYS[o.name] : status >= 200 && status < 400);
  assert.ok((c.expect === 'good' ? good : c.expect)(a.status), `${say()}${answer}`);
  return c.kind;
}

describe('what the program does is what openapi.json says', () => {
  let embedder;
  before(async () => { embedder = await startEmbedder(); });
  after(() => embedder?.close());

  test('random requests', { timeout: 240_000 * SCALE }, async (t) => {
    const settings = { MAX_BODY_BYTES: String(MOST), EMBEDDING_MODEL: 'test-embedding', EMBEDDING_BASE_URL: `http://127.0.0.1:${embedder.address().port}/v1` };
    await withServer({ settings }, async (s, p) => {
      t.diagnostic(`PARLEY_TEST_SEED=${SEED}`);
      p.respond(script());
      const first = (await chatWhole(s, 'Hi')).json;
      const env = {
        conversation: first.conversation_id, answer: first.message_id, model: (await get(`${s.url}/v1/models`)).json.data[0].id,
        fresh: async () => (await post(`${s.url}/conversations`, {})).json.conversation_id,
        copy: async () => (await post(`${s.url}/conversations`, { fork_of: env.answer })).json,
      };
      const kept = (await chatWhole(s, 'kept')).json.conversation_id;
      const workers = s.workerPids();
      const until = performance.now() + (process.env.PARLEY_TEST_CASES ? Infinity : SECONDS * 1000 * SCALE);
      let count = 0;
      for (let i = 0; i < MOST_CASES && (i < LEAST || performance.now() < until); i++) {
        for (const o of operations) {
          if (i >= (o.name === 'diagnoseStream' ? 2 : o.name === 'clearConversation' || o.name === 'deleteMessage' || o.bodySchema || o.parameters.length ? MOST_CASES : LEAST)) continue;   // what takes nothing is soon tried
          await tryCase(s, o, i, env);
          count++;
          if (o.name === 'clearConversation') env.answer = (await chatWhole(s, { message: 'Hi', conversation_id: env.conversation })).json.message_id;
        }
      }
      t.diagnostic(`${count} requests`);
      s.noneEnded(workers);
      assert.equal((await get(`${s.url}/health`)).json.status, 'healthy');
      assert.match((await chat(s, 'still there?')).text, /^ok /);
      assert.equal((await conversation(s, kept)).messages.length, 2);
      assert.ok((await list(s, '?limit=200')).conversations.length > 1);
    });
  });

  test('with sign-in: the user, and another\'s name', { timeout: 60_000 * SCALE }, () => withServer({ auth: true }, async (s, p) => {
    p.respond(script());
    const of = (name) => operations.find((o) => o.name === name);
    const user = await send(s, of('ragbitsUser'), { auth: 'alice' });
    assert.equal(user.status, 200);
    assert.equal(wrong(of('ragbitsUser'), user), null);
    for (const name of ['chat', 'chatStream']) {
      const r = await send(s, of(name), { body: { message: 'Hi', user_id: 'bob' }, auth: 'alice' });
      assert.equal(r.status, 403);
      assert.equal(wrong(of(name), r), null);
    }
  }));

  test('events of every type, in every stream and as stored', { timeout: 60_000 * SCALE }, async () => {
    const dir = mkdtempSync(path.join(tmpdir(), 'parley-events-'));
    const contents = {
      reference: { title: 't', content: 'c', url: null }, live_update: { update_id: 'u', type: 'START', content: { label: 'l', description: null } }, followup_messages: { messages: ['a', 'b'] },
      image: { id: 'i', url: 'images/a.png' }, plan_item: { task: { id: '1', description: 'd', status: 'pending', result: null } },
      confirmation_request: { confirmation_request: { confirmation_id: 'c', tool_name: 'n', tool_description: 'd', arguments: {} } }, tool_call: { id: '1', name: 'n', arguments: { a: 1 } },
      tool_result: { id: '1', name: 'n', content: 'done' }, conversation_summary: { summary: 'Its title' }, chart_data: { any: ['thing'] },
    };
    const events = [...Object.entries(contents), ['image', { id: 'big', url: `data:image/png;base64,${'A'.repeat(300_000)}` }]];
    writeFileSync(path.join(dir, 'lines'), events.map(([event, content]) => `${JSON.stringify({ event, content })}\n`).join(''));
    writeFileSync(path.join(dir, 'parley.json'), JSON.stringify({ hooks: [{ command: ['/bin/cat', path.join(dir, 'lines')] }] }));
    chmodSync(dir, 0o755);
    try {
      await withServer({ settings: { PARLEY_JSON: path.join(dir, 'parley.json') } }, async (s, p) => {
        p.respond(script());
        const seen = async (name, body, typesIn) => {
          const o = operations.find((x) => x.name === name);
          const a = await send(s, o, { body });
          assert.equal(a.status, 200, a.raw.slice(0, 500));
          assert.equal(wrong(o, a), null, name);
          const types = typesIn(a);
          for (const t of Object.keys(contents)) if (t !== 'conversation_summary' || name !== 'chat') assert.ok(types.includes(t), `${name}: ${t} among ${types}`);
          return types;
        };
        const json = (a) => a.events.filter((e) => e.data !== '[DONE]').map((e) => JSON.parse(e.data));
        await seen('chat', { message: 'Hi' }, (a) => json(a).map((c) => c.parley?.type));
        await seen('chat', { message: 'Hi', stream: false }, (a) => JSON.parse(a.raw).events.map((e) => e.type));
        await seen('chatStream', { message: 'Hi' }, (a) => a.events.map((e) => e.event));
        const types = await seen('ragbitsChat', { message: 'Hi' }, (a) => json(a).map((e) => e.type));
        assert.equal(types.filter((t) => t === 'chunked_content').length, 3);
        const o = operations.find((x) => x.name === 'getConversation');
        const { conversations } = await list(s);
        for (const c of conversations) {
          const a = await send(s, o, { address: `/conversations/${c.conversation_id}` });
          assert.equal(wrong(o, a), null);
          assert.ok(JSON.parse(a.raw).messages[1].events.length >= 9);
        }
      });
    } finally { rmSync(dir, { recursive: true, force: true }); }
  });

  test('failures of the provider, before and after the first word', { timeout: 120_000 * SCALE }, () => withServer({ settings: { RETRIES: '0', PROVIDER_FAILURES: '1000' } }, async (s, p) => {
    const refusing = (status, headers) => async (req, io) => io.json({ error: { message: 'engine died', type: 'x', code: 'x' } }, status, headers);
    const before = [[refusing(500), [502]], [refusing(401), [502]], [refusing(429, { 'retry-after': '7' }), [429]], [async (req, io) => io.cut(), [502]], [async (req, io) => { io._open(); await io.end(); }, [502]]];
    const during = [async (req, io) => { await io.token('ok'); await io.chunk({ error: { message: 'engine died' } }); await io.end(); }, async (req, io) => { await io.token('ok'); io.cut(); }];
    for (const name of ['chat', 'chatStream', 'createChatCompletion', 'contentChat', 'ragbitsChat']) {
      const o = operations.find((x) => x.name === name);
      const body = { message: 'Hi', messages: [{ role: 'user', content: 'Hi' }] };
      for (const [behaviour, statuses] of before) for (const streaming of [true, false]) {
        p.respond(behaviour);
        const a = await send(s, o, { body: { ...body, stream: streaming } });
        assert.equal(wrong(o, a), null, `${name}: ${a.status} ${a.raw.slice(0, 500)}`);
        if (name === 'ragbitsChat') assert.match(a.raw, /"type":"error"/);
        else assert.ok(statuses.includes(a.status), `${name}: ${a.status} ${a.raw.slice(0, 500)}`);
      }
      for (const behaviour of during) {
        p.respond(behaviour);
        const a = await send(s, o, { body: { ...body, stream: true } });
        assert.equal(a.status, 200);
        assert.equal(wrong(o, a), null, `${name}: ${a.raw.slice(0, 500)}`);
        assert.match(a.raw, name === 'chatStream' ? /^event: error$/m : /"error"/);
      }
    }
    const o = operations.find((x) => x.name === 'getConversation');
    for (const c of (await list(s, '?limit=200')).conversations) {
      const a = await send(s, o, { address: `/conversations/${c.conversation_id}` });
      assert.equal(wrong(o, a), null, a.raw.slice(0, 500));
    }
  }));

  test('a check that lets everything through would not do', () => {
    const o = operations.find((x) => x.name === 'health');
    const answer = { status: 200, complete: true, badUtf8: false, headers: { 'content-type': 'application/json' }, raw: '{"status":"healthy"}' };
    assert.equal(wrong(o, answer), null);
    for (const change of [{ status: 500 }, { raw: '{"status":"ill"}' }, { raw: '{"status":"healthy","x":1}' }, { raw: '{' }, { headers: { 'content-type': 'text/html' } }, { complete: false }]) assert.notEqual(wrong(o, { ...answer, ...change }), null);
  });
});

// ---------------------------------------------------------------- the file as served, and the manual

describe('openapi.json and docs/api.md for people', () => {
  const at = shared({ before, after }, { settings: {} });

  test('the server has openapi.json', async () => {
    const r = await get(`${at.s.url}/openapi.json`);
    assert.equal(r.status, 200);
    assert.match(r.headers['content-type'], /^application\/json/);
    assert.deepEqual(r.json, doc);
  });

  test('docs/api.md has every address', () => {
    for (const o of operations) {
      const curl = new RegExp(`^    curl .*localhost:8000${o.pattern.replace(/\{\w+\}/g, '\\S+').replace(/\./g, '\\.')}(['"? ]|$)`, 'm');
      assert.ok(manual.replace(/\s+/g, ' ').includes(`\`${o.method} ${o.pattern}\``) && curl.test(manual), `docs/api.md: \`${o.method} ${o.pattern}\` and a line with curl`);
    }
  });

  test('every line with curl in docs/api.md works', { timeout: 120_000 * SCALE }, async () => {
    at.p.respond(script());
    const first = (await chatWhole(at.s, 'Hi')).json;
    const lines = manual.split('\n').filter((l) => l.startsWith('    curl '));
    assert.ok(lines.length >= operations.length);
    for (const line of lines) {
      const [, command, want] = /^ {4}(curl .*?)(?: +# (\d{3})(?: .*)?)?$/.exec(line);
      const made = (await post(`${at.s.url}/conversations`, { fork_of: first.message_id })).json;
      const shell = command.replace(/^curl /, 'curl -sS -m 20 -o /dev/null -w "%{http_code}" ').replaceAll('localhost:8000', at.s.url.replace('http://', ''));
      const env = { PATH: process.env.PATH, ...(/DELETE/.test(command) ? { ID: made.conversation_id, MESSAGE: made.leaf_id } : { ID: first.conversation_id, MESSAGE: first.message_id }), MODEL: (await get(`${at.s.url}/v1/models`)).json.data[0].id };
      const { stdout: status } = await run('sh', ['-c', shell], { env, cwd: REPO });      // the provider runs in this process: no waiting in the way of it
      if (want) assert.equal(status, want, line);
      else assert.match(status, /^[23]\d\d$/, line);
    }
  });
});
