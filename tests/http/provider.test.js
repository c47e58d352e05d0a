// Trouble upstream: every row of it, before the first token and in mid-stream, with its status, code and what is kept.
import test, { before, after, beforeEach, describe } from 'node:test';
import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { shared, withServer, startServer, sql } from './server.js';
import * as P from '../provider/provider.js';
import { simple, gate, SCALE, SECRET, deviations, within, sleep } from '../provider/provider.js';
import { get, post, stream, chat, chatStream, chatWhole, conversation, list, settled, assertError, readChat, readStream } from './client.js';

const opts = { timeout: 90_000 * SCALE };
const at = shared({ before, after, beforeEach });

/** All ways to ask, each giving {status, code, message, text, retryAfter}: a failure is a status or an event, whatever came. */
const WAYS = {
  '/chat': async (s, body, o) => {
    const r = await chat(s, body, o);
    return { ...r, code: r.error?.code, message: r.error?.message, falseSuccess: r.status === 200 && !r.error && r.finish_reason === 'stop' };
  },
  '/chat/stream': async (s, body, o) => {
    const r = await chatStream(s, body, o);
    const e = r.status === 200 ? r.terminal : r.error;
    return { ...r, code: e?.code, message: e?.message, falseSuccess: r.status === 200 && e.event === 'done' && e.status === 'done' };
  },
  'stream:false': async (s, body, o) => {
    const r = await chatWhole(s, body, o);
    return { ...r, raw: r.text, text: r.json?.response ?? '', conversation_id: r.json?.conversation_id, code: r.json?.error?.code, message: r.json?.error?.message, falseSuccess: r.status === 200 };
  },
};

const newest = async (s) => conversation(s, (await list(s, '?limit=1')).conversations[0].conversation_id);

function clean(r) {
  assert.equal(JSON.stringify([r.raw, r.message, r.headers]).includes(SECRET), false, 'the key is in no text');
  if (r.message) assert.doesNotMatch(r.message, /<\/?[a-z!]/i, 'no HTML in the sentence');
}

/** A failure before any text: its status and code on all three ways; the question is kept, the answer marked. */
function failsFirst(name, behaviour, status, code, more = {}) {
  describe(name, () => {
    for (const [way, ask] of Object.entries(WAYS)) {
      test(`${name}: ${way} answers ${status} ${code}`, opts, async () => {
        const fn = async (s, p) => {
          p.respond(behaviour);
          const question = `question ${name} ${way}`;
          const t0 = performance.now();
          const r = await ask(s, question);
          if (more.seconds) assert.ok(performance.now() - t0 < more.seconds * SCALE * 1000, 'in time');
          clean(r);
          const statuses = [].concat(status);
          assert.ok(statuses.includes(r.status), `status ${r.status}, not ${statuses}: ${r.raw?.slice(0, 300)}`);
          assert.ok([].concat(code).includes(r.code), `code ${r.code}, not ${code}: ${r.message}`);
          assert.ok(r.message.length >= 8);
          assert.equal(r.falseSuccess && r.status !== 200, false);
          if (more.check) more.check(r, p);
          if (more.calls) assert.ok([].concat(more.calls).includes(p.chats.length), `${p.chats.length} calls, not ${more.calls}`);
          const c = await newest(s);
          assert.equal(c.messages[0].content, question, 'the question is kept');
          assert.equal(c.messages.length, 2);
          assert.match(c.messages[1].status, /^(error|interrupted)$/);
          assert.equal(c.messages[1].content, '');
          p.reset(simple('fine again'));
          const again = await ask(s, { message: 'next', conversation_id: c.conversation_id });
          assert.equal(again.text, 'fine again', 'the next request works');
        };
        if (more.settings) await withServer({ settings: more.settings }, fn);
        else await fn(at.s, at.p);
      });
    }
  });
}

const unretried = { calls: 1 };
const retried = { calls: 3 };
const hasRetryAfter = (r) => {
  assert.match(r.headers['retry-after'] ?? '', /^\d+$/, 'Retry-After is said');
  assert.ok(Number(r.headers['retry-after']) >= 1);
};

failsFirst('a provider that says 401', P.unauthorizedRepeatingKey, 502, 'provider_auth', unretried);
failsFirst('a provider that says 403', P.status(403), 502, 'provider_auth', unretried);
failsFirst('a provider that says 400', P.status(400, { error: { message: 'bad things', type: 'invalid_request_error' } }), 502, 'provider_error', unretried);
failsFirst('a provider that says 404', P.status(404, { error: { message: 'The model does not exist', code: 'model_not_found' } }), 502, 'provider_error', unretried);
failsFirst('a provider that says 422', P.status(422, { detail: [{ msg: 'extra fields are not permitted' }] }), 502, 'provider_error', unretried);
failsFirst('a provider that says 429 without Retry-After', P.rateLimited(), 429, ['provider_busy', 'rate_limited'], { calls: 3, check: hasRetryAfter });
failsFirst('a provider that says 429 with Retry-After of a day', P.rateLimited(86400), 429, ['provider_busy', 'rate_limited'], { calls: [1, 2, 3], check: hasRetryAfter, seconds: 15 });
failsFirst('a provider that says 429 with Retry-After as a date of tomorrow', P.rateLimited(new Date(Date.now() + 86_400_000).toUTCString()), 429, ['provider_busy', 'rate_limited'], { calls: [1, 2, 3], check: hasRetryAfter, seconds: 15 });
failsFirst('a provider that says 429 with a senseless Retry-After', P.rateLimited('soon, -1'), 429, ['provider_busy', 'rate_limited'], { calls: [1, 2, 3], check: hasRetryAfter });
failsFirst('a provider that says 429 insufficient_quota', P.outOfQuota, [429, 502], ['provider_busy', 'rate_limited', 'provider_error', 'provider_auth'], unretried);
failsFirst('a provider that says 500', P.serverError(500), 502, 'provider_error', retried);
failsFirst('a provider that says 502 in HTML', P.html502, 502, 'provider_error', retried);
failsFirst('a provider that says 503', P.serverError(503), [502, 429], ['provider_error', 'provider_busy'], retried);
failsFirst('a provider that says 504', P.serverError(504), [502, 504], ['provider_error', 'provider_timeout'], retried);
failsFirst('a provider that says 529', P.serverError(529), [502, 429], ['provider_error', 'provider_busy'], retried);
failsFirst('a provider that says 408', P.serverError(408), [502, 504], ['provider_error', 'provider_timeout'], retried);
failsFirst('a provider that says 500 and repeats the key', async (req, io) => io.json({ error: { message: `key ${SECRET} broke me, Bearer ${SECRET}` } }, 500), 502, 'provider_error');
failsFirst('a provider that sends HTML with status 200', P.html200, 502, 'provider_error');
failsFirst('a provider that sends HTML as an event stream', P.htmlAsStream, 502, 'provider_error');
failsFirst('a provider that sends garbage', P.garbage, 502, 'provider_error');
failsFirst('a provider that sends broken JSON in events', P.brokenJson, 502, 'provider_error');
failsFirst('a provider that sends a line of 20 MB', P.hugeLine(), SCALE > 1 ? [502, 200] : 502, 'provider_error');
failsFirst('a provider that sends an error object with status 200', P.errorObject200, 502, 'provider_error');
failsFirst('a provider that sends nothing with status 200', async (req, io) => { io._open(); await io.end(); }, 502, ['provider_error', 'provider_unreachable']);
failsFirst('a provider that closes without an answer', P.dropConnection('rst'), 502, ['provider_unreachable', 'provider_error']);
failsFirst('a provider that is silent before the headers', P.silentStall, 504, 'provider_timeout', { settings: { FIRST_TOKEN_TIMEOUT_SECONDS: '0.6' } });
failsFirst('a provider that is silent after the headers', P.headersThenSilence, 504, 'provider_timeout', { settings: { FIRST_TOKEN_TIMEOUT_SECONDS: '0.6' } });

describe('a provider that cannot be reached', () => {
  for (const [way, ask] of Object.entries(WAYS)) {
    test(`nobody listens: ${way} answers 502 provider_unreachable at once and keeps the question`, opts, async () => {
      const port = await P.freePort();
      await withServer({ settings: { LLM_BASE_URL: `http://127.0.0.1:${port}/v1` } }, async (s) => {
        const t0 = performance.now();
        const r = await ask(s, 'Anybody?');
        assert.equal(r.status, 502, r.raw);
        assert.equal(r.code, 'provider_unreachable');
        assert.ok(performance.now() - t0 < 8000 * SCALE);
        clean(r);
        const c = await newest(s);
        assert.equal(c.messages[0].content, 'Anybody?');
        assert.equal(c.messages[1].status, 'error');
      });
    });
  }
  test('a name that does not exist is 502 provider_unreachable', opts, () => withServer({ settings: { LLM_BASE_URL: 'http://parley-test.invalid/v1', CONNECT_TIMEOUT_SECONDS: '3', RETRIES: '0' } }, async (s) => {
    const r = await chatWhole(s, 'Anybody?', { seconds: 30 });
    assertError(r, [502, 504], ['provider_unreachable', 'provider_timeout']);
  }));
  test('a connection that never comes about ends at CONNECT_TIMEOUT_SECONDS', opts, async (t) => {
    const hole = await P.blackHole();
    try {
      if (!hole.full) return t.skip('this kernel lets every connection in');
      await withServer({ settings: { LLM_BASE_URL: hole.url, CONNECT_TIMEOUT_SECONDS: '0.5', RETRIES: '0' } }, async (s) => {
        const t0 = performance.now();
        const r = await chatWhole(s, 'Anybody?');
        assertError(r, [502, 504], ['provider_unreachable', 'provider_timeout']);
        const took = (performance.now() - t0) / 1000;
        assert.ok(took >= 0.4 && took < 5 * SCALE, `after ${took} s`);
      });
    } finally { await hole.stop(); }
  });
  test('a proxy of the environment is not used', opts, async () => {
    const canary = await P.startCanary();
    const p = await P.startProvider();
    p.respond(simple('direct'));
    const proxy = `http://127.0.0.1:${canary.port}`;
    const s = await startServer({ settings: { LLM_BASE_URL: p.url }, env: { http_proxy: proxy, HTTP_PROXY: proxy, https_proxy: proxy, HTTPS_PROXY: proxy, all_proxy: proxy, ALL_PROXY: proxy } });
    try {
      assert.equal((await chat(s, 'Hi')).text, 'direct');
      assert.equal(canary.seen.length, 0);
    } finally { await s.stop(); await p.stop(); await canary.stop(); }
  });
  test('a proxy of the environment is not used for a provider that is down either', opts, async () => {
    const canary = await P.startCanary();
    const proxy = `http://127.0.0.1:${canary.port}`;
    const s = await startServer({ settings: { LLM_BASE_URL: `http://parley-test.invalid:${await P.freePort()}/v1`, RETRIES: '0' }, env: { http_proxy: proxy, all_proxy: proxy, ALL_PROXY: proxy } });
    try {
      assertError(await chatWhole(s, 'Hi'), [502, 504]);
      assert.equal(canary.seen.length, 0);
    } finally { await s.stop(); await canary.stop(); }
  });
});

describe('a redirect', () => {
  for (const [way, ask] of Object.entries(WAYS)) test(`a 307 to another host is not followed: ${way} answers 502 provider_error`, opts, async () => {
    const canary = await P.startCanary();
    try {
      at.p.respond(P.redirect307(canary.url));
      const r = await ask(at.s, 'Hi');
      assert.equal(r.status, 502, r.raw);
      assert.equal(r.code, 'provider_error');
      assert.equal(canary.seen.length, 0, 'the other host was not asked');
      assert.doesNotMatch(r.text, /canary/);
    } finally { await canary.stop(); }
  });
});

describe('retries before the first token', () => {
  for (const code of [408, 429, 500, 502, 503, 504, 529]) test(`status ${code} once, then an answer: the client sees only the answer`, opts, async () => {
    at.p.enqueue(code === 429 ? P.rateLimited() : P.serverError(code)).respond(simple('at last'));
    const r = await chat(at.s, 'Hi');
    assert.equal(r.text, 'at last', JSON.stringify(r.error));
    assert.equal(at.p.chats.length, 2);
    assert.deepEqual(at.p.chats[0].body, at.p.chats[1].body);
    const c = await conversation(at.s, r.conversation_id);
    assert.equal(c.messages.length, 2, 'one answer');
    assert.equal(c.messages[1].status, 'done');
  });
  test('two failures, then an answer, is still an answer', opts, async () => {
    at.p.respond(P.serverErrorThenOk(2));
    assert.equal((await chatStream(at.s, 'Hi')).text, 'at last');
    assert.equal(at.p.chats.length, 3);
  });
  test('a connection that breaks before the answer is tried again', opts, async () => {
    at.p.enqueue(P.dropConnection('rst')).respond(simple('at last'));
    const r = await chat(at.s, 'Hi');
    assert.equal(r.text, 'at last', JSON.stringify(r.error));
    assert.equal((await conversation(at.s, r.conversation_id)).messages.length, 2);
  });
  test('RETRIES=0 tries once', opts, () => withServer({ settings: { RETRIES: '0' } }, async (s, p) => {
    p.respond(P.serverError(500));
    assertError(await chatWhole(s, 'Hi'), 502, 'provider_error');
    assert.equal(p.chats.length, 1);
  }));
  test('Retry-After is waited for', opts, () => withServer({ settings: { RETRY_CAP_SECONDS: '5' } }, async (s, p) => {
    p.enqueue(P.rateLimited(1)).respond(simple('at last'));
    assert.equal((await chat(s, 'Hi')).text, 'at last');
    const gap = p.chats[1].at - p.chats[0].at;
    assert.ok(gap >= 950, `the second try came after ${gap} ms`);
  }));
  test('retry-after-ms is waited for', opts, () => withServer({ settings: { RETRY_CAP_SECONDS: '5' } }, async (s, p) => {
    p.enqueue(P.status(429, { error: { message: 'slow down' } }, { 'retry-after-ms': '600' })).respond(simple('at last'));
    assert.equal((await chat(s, 'Hi')).text, 'at last');
    const gap = p.chats[1].at - p.chats[0].at;
    assert.ok(gap >= 550, `the second try came after ${gap} ms`);
  }));
  test('never after a token was shown', opts, async () => {
    const g = gate();
    at.p.enqueue(P.cutAfter('shown ', 'rst', g)).respond(simple('NEVER'));
    const s = await stream(`${at.s.url}/chat/stream`, { message: 'Hi' });
    await s.until((e) => e.event === 'token');
    g.open();
    await s.all();
    const r = readStream(s);
    assert.equal(r.text, 'shown ');
    assert.equal(at.p.chats.length, 1);
  });
  test('the failed tries are not shown: a client sees nothing before the answer', opts, async () => {
    at.p.enqueue(P.serverError(500)).respond(simple('x'));
    const r = await chatStream(at.s, 'Hi');
    assert.equal(r.events.filter((e) => e.event === 'start').length, 1);
    assert.deepEqual(r.typed.filter((e) => e.event === 'error'), []);
  });
});

describe('deviations of OpenAI-compatible servers', () => {
  for (const [name, d] of Object.entries(deviations)) for (const [way, ask] of Object.entries(WAYS)) {
    test(`${way} takes: ${name}`, opts, async () => {
      at.p.respond(d.run);
      const question = `deviation ${name}`;
      const r = await ask(at.s, question);
      clean(r);
      assert.doesNotMatch(JSON.stringify(r.text), /NO/);
      if (d.end === 'done') {
        assert.equal(r.status, 200, r.raw);
        assert.equal(r.code, undefined, r.message);
        assert.equal(r.text, d.text);
        if (way === '/chat') {
          assert.equal(r.finish_reason, d.finish ?? 'stop');
          if (d.usage) assert.equal(r.usage?.total_tokens, d.usage.total_tokens);
        }
        if (way === '/chat/stream') assert.equal(r.terminal.status, 'done');
        const c = await conversation(at.s, r.conversation_id);
        assert.equal(c.messages[1].content, d.text);
        assert.equal(c.messages[1].status, 'done');
        if (d.usage) assert.equal(c.messages[1].usage.total_tokens, d.usage.total_tokens);
        return;
      }
      const c = await newest(at.s);
      assert.equal(c.messages[0].content, question);
      assert.equal(c.messages[1].content, d.text, 'the partial text is kept');
      assert.match(c.messages[1].status, d.end === 'error' ? /^error$/ : /^(interrupted|error)$/);
      if (way === 'stream:false') {
        assertError(r, [502]);
      } else if (d.firstError) {
        assert.equal(r.status, 502, r.raw);
      } else if (r.status === 200) {
        assert.equal(r.falseSuccess, false, 'never a false success');
        assert.equal(r.text, d.text);
      } else assert.equal(r.status, 502);
      if (d.end === 'error') assert.equal(r.code, 'provider_error');
      if (d.says) assert.match(r.message, new RegExp(d.says), 'the words of the provider are passed on');
    });
  }
});

describe('events that are JSON but not what they should be', () => {
  for (const odd of ['null', '[]', '17', '""', 'true', '{"choices":17}', '{"choices":{}}', '{"choices":[17]}', '{"choices":[[]]}', '{"choices":[{"delta":17}]}', '{"choices":[{"delta":{"content":17}}]}', '{"choices":[{"delta":{"content":{}}}]}',
    '{"choices":[{"delta":{"content":"x"},"finish_reason":17}]}', '{"usage":17,"choices":[]}', '{"usage":{"prompt_tokens":-1,"completion_tokens":1e999,"total_tokens":"many"},"choices":[]}', '['.repeat(5000), '{"a":'.repeat(5000), '{"choices":[{"delta":{"content":"x","content":"y"}}]}']) {
    test(`${odd.slice(0, 70)} in mid-stream is skipped or an error, never a crash or text that nobody sent`, opts, async () => {
      const pids = at.s.workerPids();
      for (const way of ['/chat', '/chat/stream']) {
        at.p.respond(async (req, io) => { io.token('a'); io.data(odd); io.token('b'); io.finish(); io.done(); await io.end(); });
        const r = await WAYS[way](at.s, 'Hi');
        assert.ok(r.status === 200 || r.status === 502, r.raw);
        if (r.code) assert.equal(r.code, 'provider_error');
        else assert.match(r.text, /^a[xy]?(17)?b?$/);
        const c = await newest(at.s);
        assert.match(c.messages[1].status, r.code ? /^(error|interrupted)$/ : /^done$/);
        if (r.status === 200) assert.equal(c.messages[1].content, r.text);
      }
      at.s.noneEnded(pids);
    });
  }
});

describe('trouble in mid-stream', () => {
  const cases = {
    'a reset connection': { cut: 'rst', status: /^(interrupted|error)$/ },
    'a connection closed in the middle of the body': { cut: 'fin', status: /^(interrupted|error)$/ },
    'an error object': { then: async (io) => { io.chunk({ error: { message: 'engine died' } }); await io.end(); }, status: /^error$/, code: 'provider_error' },
    'garbage': { then: async (io) => { io.raw(Buffer.from([0, 1, 2, 255, 254, 10, 10])); io.data('}{'); await io.end(); }, status: /^(interrupted|error)$/ },
    'a line of 20 MB': { then: async (io) => { await P.hugeLine()(io.req, io); }, status: /^error$/, code: 'provider_error' },
    'the key in an error': { then: async (io) => { io.chunk({ error: { message: `bad key ${SECRET} (Bearer ${SECRET})` } }); await io.end(); }, status: /^error$/ },
  };
  for (const [name, c] of Object.entries(cases)) for (const path of ['/chat', '/chat/stream']) {
    test(`${name} after text on ${path}: an error event, the partial text kept with its status`, opts, async () => {
      const g = gate();
      at.p.respond(async (req, io) => {
        io.role(); await io.token('The partial '); await io.token('text');
        await g.wait();
        if (c.cut) io.cut(c.cut); else await c.then(io);
      });
      const s = await stream(`${at.s.url}${path}`, { message: 'Hi' });
      while (!(path === '/chat' ? /text/.test(s.raw) : /data: text|text$/m.test(s.raw))) await s.next();
      g.open();
      await s.all();
      assert.equal(s.complete, true, 'the HTTP body ended as it should');
      const r = path === '/chat' ? readChat(s) : readStream(s);
      const error = path === '/chat' ? r.error : r.terminal;
      if (path === '/chat') assert.ok(r.error || r.finish_reason !== 'stop', 'never a false success');
      else assert.ok(r.terminal.event === 'error' || r.terminal.status !== 'done', 'never a false success');
      if (c.code) assert.equal(error?.code, c.code);
      assert.equal(s.raw.includes(SECRET), false);
      assert.equal(r.text, 'The partial text');
      const { answer, question } = await settled(at.s, r.conversation_id);
      assert.match(answer.status, c.status);
      assert.equal(answer.content, 'The partial text');
      assert.equal(question.content, 'Hi');
      assert.equal(JSON.stringify(answer).includes(SECRET), false);
    });
  }

  for (const path of ['/chat', '/chat/stream']) {
    test(`a silent stall after text on ${path} ends at IDLE_TIMEOUT_SECONDS with provider_timeout`, opts, () => withServer({ settings: { IDLE_TIMEOUT_SECONDS: '0.6' } }, async (s, p) => {
      p.respond(P.stallAfter('some text'));
      const r = await WAYS[path](s, 'Hi');
      assert.equal(r.status, 200, r.raw);
      assert.equal(r.code, 'provider_timeout');
      assert.equal(r.text, 'some text');
      const { answer } = await settled(s, r.conversation_id);
      assert.match(answer.status, /^(error|interrupted)$/);
      assert.equal(answer.content, 'some text');
      await p.waitForClosed(1);                           // and the provider is let go
    }));
    test(`a stream that never ends on ${path} ends at MAX_ANSWER_BYTES with a terminal event, and the provider is let go`, opts, () => withServer({ settings: { MAX_ANSWER_BYTES: '100000' } }, async (s, p) => {
      p.respond(P.neverEnding('and so on, '));
      const r = await WAYS[path](s, 'Hi');
      assert.equal(r.status, 200, r.raw?.slice(0, 300));
      assert.equal(r.falseSuccess && r.finish_reason !== 'length', false, 'it says that something was wrong');
      assert.ok(Buffer.byteLength(r.text) <= 100_000 + 64 && Buffer.byteLength(r.text) >= 50_000, `${r.text.length} bytes`);
      await p.waitForClosed(1);
      const { answer } = await settled(s, r.conversation_id);
      assert.equal(answer.content, r.text);
    }));
  }
  test('a stream that never ends with stream:false ends at MAX_ANSWER_BYTES too', opts, () => withServer({ settings: { MAX_ANSWER_BYTES: '100000' } }, async (s, p) => {
    p.respond(P.neverEnding('and so on, '));
    const r = await chatWhole(s, 'Hi', { seconds: 60 });
    assert.ok([200, 502].includes(r.status), r.text.slice(0, 300));
    await p.waitForClosed(1);
    const { answer } = await settled(s, (await newest(s)).conversation_id);
    assert.ok(answer.content.length >= 50_000 && answer.content.length <= 100_064);
  }));
  test('an answer that takes longer than TOTAL_TIMEOUT_SECONDS ends with provider_timeout', opts, () => withServer({ settings: { TOTAL_TIMEOUT_SECONDS: '1' } }, async (s, p) => {
    p.respond(async (req, io) => { while (!io.isClosed) { io.token('tick '); await sleep(0.1); } });
    const r = await WAYS['/chat/stream'](s, 'Hi');
    assert.equal(r.code, 'provider_timeout');
    assert.match(r.text, /^tick /);
    await p.waitForClosed(1);
    const { answer } = await settled(s, r.conversation_id);
    assert.equal(answer.content, r.text);
    assert.match(answer.status, /^(error|interrupted)$/);
  }));
  test('comments keep a slow provider alive past the idle time-out', opts, () => withServer({ settings: { IDLE_TIMEOUT_SECONDS: '0.8', FIRST_TOKEN_TIMEOUT_SECONDS: '20' } }, async (s, p) => {
    p.respond(async (req, io) => {
      io.token('a');
      for (let i = 0; i < 12; i++) { await sleep(0.15); io.raw(': keep-alive\n\n'); }
      io.token('b'); io.finish(); io.done(); await io.end();
    });
    const r = await WAYS['/chat'](s, 'Hi');
    assert.equal(r.text, 'ab', r.message);
  }));
  test('the provider is not asked again and not left open after each of these endings', opts, () => withServer({}, async (s, p) => {
    for (const b of [P.errorObject200, P.html200, P.serverError(400), deviations['the stream ends in silence after text (Ollama)'].run]) {
      p.reset(b);
      await WAYS['/chat'](s, 'Hi');
      await sleep(0.1);
      assert.equal(p.ios.filter((io) => !io.finished && !io.isClosed).length, 0);
    }
  }));
});

describe('the key', () => {
  test('is in no answer, no log line, no stored byte', opts, async () => {
    let text = '';
    const s = await startServer({ settings: { LLM_BASE_URL: at.p.url, LOG_LEVEL: 'debug' } });
    try {
      for (const b of [P.unauthorizedRepeatingKey, P.keyInStreamError, async (req, io) => io.json(`not json ${SECRET}`, 500), async (req, io) => { io.status(200, { 'content-type': 'text/html' }); io.raw(`<p>${SECRET}</p>`); await io.end(); },
        async (req, io) => { io.data(`{"error":{"message":"${SECRET}`); await io.end(); }, P.status(429, { error: { message: SECRET } }), P.redirect307(`http://127.0.0.1:9/${SECRET}`)]) {
        for (const [way, ask] of Object.entries(WAYS)) {
          at.p.reset(b);
          const r = await ask(s, 'Hi');
          text += r.raw + JSON.stringify(r.headers) + JSON.stringify(await newest(s));
        }
      }
      assert.ok(at.p.chats.length > 0 && at.p.chats[0].headers.authorization.includes(SECRET), 'the provider had it');
      text += (await get(`${s.url}/ready`)).text + (await get(`${s.url}/health`)).text;
      assert.equal(text.includes(SECRET), false, 'in no answer');
      for (const f of readdirSync(s.dir)) if (/parley\.db/.test(f)) assert.equal(readFileSync(path.join(s.dir, f)).includes(SECRET), false, `not in ${f}`);
    } finally { await s.stop(); }
    assert.equal(s.log().includes(SECRET), false, 'in no log line');
  });
  test('the prompt and the answer are in no log line', opts, async () => {
    const s = await startServer({ settings: { LLM_BASE_URL: at.p.url, LOG_LEVEL: 'debug' } });
    try {
      at.p.respond(simple('ANSWERCANARY77'));
      await chat(s, 'PROMPTCANARY88');
      at.p.respond(P.serverError(500));
      await chat(s, 'PROMPTCANARY88');
    } finally { await s.stop(); }
    assert.doesNotMatch(s.log(), /PROMPTCANARY88|ANSWERCANARY77/);
  });
  test('control characters of a provider do not reach the log', opts, async () => {
    const s = await startServer({ settings: { LLM_BASE_URL: at.p.url } });
    try {
      at.p.respond(P.status(400, { error: { message: 'evil \u001b[31mred\nforged line\r\u0007' } }));
      const r = await chatWhole(s, 'Hi');
      assertError(r, 502, 'provider_error');
    } finally { await s.stop(); }
    // eslint-disable-next-line no-control-regex
    assert.doesNotMatch(s.log(), /\u001b|\u0007|^forged line/m);
  });
});
