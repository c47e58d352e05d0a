// Which provider answers, and what it cost: the catalogue, parley.json, fallbacks, providers that rest, usage, the window, keys. The upstream is tests/provider/wires.js.
import test, { describe } from 'node:test';
import assert from 'node:assert/strict';
import { writeFileSync, mkdtempSync, chmodSync, rmSync, readFileSync, readdirSync } from 'node:fs';
import { execFile } from 'node:child_process';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { startServer, sql, settingsText, REPO, PROGRAM, SCALE, SECRET } from './server.js';
import { lacks } from './hosting.js';
import { startUpstream, answer, overloaded, limited, quota, badKey, overflow, saying, text, said, gate, sigv4Problems, within, sleep, USAGE } from '../provider/wires.js';
import { get, stream, chat, chatStream, chatWhole, conversation, list, assertError, readStream } from './client.js';

/** A folder that the server may read into, whoever it runs as. */
function readableDir(name) {
  const dir = mkdtempSync(path.join(tmpdir(), name));
  chmodSync(dir, 0o755);
  return dir;
}

const opts = { timeout: 90_000 * SCALE };
const NOTHING = { OPENAI_API_KEY: undefined, LLM_BASE_URL: undefined };
const PROVIDERS = JSON.parse(readFileSync(path.join(REPO, 'src/llm/providers.json'), 'utf8')).providers;
const MODELS = JSON.parse(readFileSync(path.join(REPO, 'src/llm/models.json'), 'utf8')).models;

/** An upstream and a server with settings(u.origin) and, as parley.json, json(u.origin). */
async function withUpstream({ settings = () => ({}), json, ...more }, fn) {
  const u = await startUpstream();
  const own = readableDir('parley-models-');
  let s;
  let good = false;
  try {
    const file = path.join(own, 'parley.json');
    if (json) writeFileSync(file, typeof json(u.origin) === 'string' ? json(u.origin) : JSON.stringify(json(u.origin)));
    s = await startServer({ ...more, settings: { ...NOTHING, PARLEY_JSON: file, ...settings(u.origin) } });
    const r = await fn(s, u);
    good = true;
    return r;
  } catch (e) {
    if (s) e.message += `\n--- log ---\n${s.log().slice(-2000)}`;
    throw e;
  } finally {
    try { await s?.stop({ check: good }); } finally { await u.stop().catch((e) => { if (good) throw e; }); rmSync(own, { recursive: true, force: true }); }
  }
}

/** The program with an argument: {code, out, err}. */
const program = (args, settings, { seconds = 60, env = {} } = {}) => {
  const dir = mkdtempSync(path.join(tmpdir(), 'parley-program-'));
  const file = path.join(dir, 'run.env');
  writeFileSync(file, settingsText({ PARLEY_DB: path.join(dir, 'parley.db'), PARLEY_JSON: path.join(dir, 'parley.json'), ...settings }), { mode: 0o600 });
  return within(seconds, new Promise((resolve) => {
    execFile(PROGRAM, [...args, '--config', file], { env: { PATH: process.env.PATH, ...env } }, (e, out, err) => resolve({ code: e ? e.code : 0, out, err }));
  }), `${args}`).finally(() => rmSync(dir, { recursive: true, force: true }));
};

const row = (s, id) => sql(s.db, `SELECT * FROM messages WHERE public_id = '${id}'`)[0];
const openai = (u, more = {}) => ({ LLM_MODEL: 'openai/first-model', OPENAI_API_KEY: SECRET, OPENAI_BASE_URL: `${u}/openai/v1x`, ...more });
/** A second and third provider, each at a path of its own. */
const anthropic = (u) => ({ ANTHROPIC_API_KEY: 'anthropic-key-000111222333', ANTHROPIC_BASE_URL: `${u}/anthropic/v1` });
const gemini = (u) => ({ GEMINI_API_KEY: 'gemini-key-000111222333', GEMINI_API_BASE: `${u}/gemini/v1beta` });

// ---------------------------------------------------------------- the catalogue

describe('the catalogue', () => {
  const speaking = PROVIDERS.filter((p) => p.wire === 'openai' && p.chat !== false);
  const keyOf = (p) => (p.keys ? `key-of-${p.keys[0]}-0123456789` : undefined);

  test('has more than a hundred providers that chat, each with an id of its own and an address or the variable for one', () => {
    assert.ok(PROVIDERS.filter((p) => p.chat !== false).length > 100);
    assert.equal(new Set(PROVIDERS.map((p) => p.id)).size, PROVIDERS.length);
    for (const p of PROVIDERS) {
      assert.match(p.id, /^[A-Za-z0-9._-]+$/);
      assert.ok(p.url || p.url_from?.length || p.chat === false, `${p.id} has no address`);
      if (p.url && !p.local && !/localhost|127\.0\.0\.1/.test(p.url)) assert.match(p.url, /^https:\/\//, `${p.id}: ${p.url}`);
      for (const [, part] of (p.url ?? '').matchAll(/\{(\w+)\}/g)) assert.ok(p.url_parts?.[part]?.length, `${p.id}: {${part}}`);
      for (const name of [...(p.keys ?? []), ...(p.url_from ?? []), ...(p.bearer_keys ?? []), ...(p.sigv4 ?? [])]) assert.match(name, /^[A-Z0-9_]+$/, p.id);
    }
  });

  /** Asks id/vendor/model:tag of each, and looks at what arrived. */
  async function askAll(s, u, providers, at) {
    const wrong = [];
    u.respond(text('it is me'));
    for (const p of providers) {
      u.requests.length = 0;
      const r = await chat(s, { message: 'Hi', model: `${p.id}/vendor/model-7:tag` });
      const req = u.chats[0];
      const key = keyOf(p);
      const shown = p.key_header ? req?.headers[p.key_header] : p.auth === 'api-key' ? req?.headers['api-key'] : req?.headers.authorization?.replace(/^Bearer /, '');
      if (r.text !== 'it is me') wrong.push(`${p.id}: ${JSON.stringify(r.error)}`);
      else if (req.path !== `${at(p)}/chat/completions`) wrong.push(`${p.id}: at ${req.path}`);
      else if (shown !== key) wrong.push(`${p.id}: key ${shown}, not ${key}`);
      else if (req.body.model !== 'vendor/model-7:tag') wrong.push(`${p.id}: model ${req.body.model}`);
      else if (row(s, r.message_id).provider !== p.id) wrong.push(`${p.id}: stored as ${row(s, r.message_id).provider}`);
    }
    assert.deepEqual(wrong, []);
  }

  test('ids with a variable for their address need that and their key, nothing else', opts, () => {
    const some = speaking.filter((p) => p.url_from && !p.alias_of);
    const place = (p) => `/of/${p.url_from[0]}/v9`;
    return withUpstream({ settings: (u) => {
      const set = { LLM_MODEL: 'openai/first-model' };
      for (const p of some) {
        if (p.keys) set[p.keys[0]] = keyOf(p);
        set[p.url_from[0]] = `${u}${place(p)}/`;              // a slash at the end does no harm
      }
      return set;
    } }, (s, u) => askAll(s, u, some, place));
  });

  test('ids without such a variable need their key; parley.json moves them', opts, () => {
    const some = speaking.filter((p) => !p.url_from && (p.keys || p.url));
    assert.ok(some.length + speaking.filter((p) => p.url_from).length >= 100);
    const place = (p) => `/at/${p.id}`;
    return withUpstream({
      settings: (u) => ({ ...openai(u), ...Object.fromEntries(some.filter((p) => p.keys).map((p) => [p.keys[0], keyOf(p)])) }),
      json: (u) => ({ providers: some.map((p) => ({ id: p.id, url: `${u}${place(p)}` })) }),
    }, (s, u) => askAll(s, u, some.filter((p) => p.keys), place));
  });

  test('LLM_BASE_URL is the address of whatever provider LLM_MODEL names, with that provider\'s key', opts, async () => {
    for (const id of ['groq', 'moonshot_cn', 'byteplus', 'zhipu']) {
      const p = PROVIDERS.find((x) => x.id === id);
      await withUpstream({ settings: (u) => ({ LLM_MODEL: `${id}/some-model`, LLM_BASE_URL: `${u}/elsewhere`, [p.keys[0]]: keyOf(p), OPENAI_API_KEY: SECRET }) }, async (s, u) => {
        u.respond(text('moved'));
        assert.equal((await chat(s, 'Hi')).text, 'moved');
        assert.equal(u.chats[0].path, '/elsewhere/chat/completions');
        assert.equal(u.chats[0].headers.authorization, `Bearer ${keyOf(p)}`);
        assert.equal(u.chats[0].body.model, 'some-model');
      });
    }
  });

  test('with LLM_BASE_URL a provider\'s other credentials come before OPENAI_API_KEY', opts, async () => {
    await withUpstream({ settings: (u) => ({ LLM_MODEL: 'anthropic/claude-haiku-4-5', LLM_BASE_URL: u, OPENAI_API_KEY: SECRET, ANTHROPIC_AUTH_TOKEN: 'ant-token-cccc3333dddd' }) }, async (s, u) => {
      u.respond(text('ok'));
      await chat(s, 'Hi');
      assert.equal(u.chats[0].headers.authorization, 'Bearer ant-token-cccc3333dddd');
      assert.equal(u.chats[0].headers['x-api-key'], undefined);
    });
    await withUpstream({ settings: (u) => ({ LLM_MODEL: 'bedrock/eu.amazon.nova-lite-v1:0', LLM_BASE_URL: u, OPENAI_API_KEY: SECRET, AWS_ACCESS_KEY_ID: 'AKIAKKKK0000LLLL1111', AWS_SECRET_ACCESS_KEY: 'aws/secret+mmmm2222', AWS_REGION: 'eu-test-1' }) }, async (s, u) => {
      u.respond(text('ok'));
      await chat(s, 'Hi');
      assert.match(u.chats[0].headers.authorization, /^AWS4-HMAC-SHA256 /);
    });
  });

  test('Anthropic\'s token is a bearer', opts, () => withUpstream({ settings: (u) => ({ LLM_MODEL: 'anthropic/claude-haiku-4-5', ANTHROPIC_BASE_URL: u, ANTHROPIC_AUTH_TOKEN: 'ant-token-cccc3333dddd' }) }, async (s, u) => {
    u.respond(text('ok'));
    assert.equal((await chat(s, 'Hi')).text, 'ok');
    assert.equal(u.chats[0].headers.authorization, 'Bearer ant-token-cccc3333dddd');
  }));

  test('a provider without a key that runs on the user\'s machine is asked without one', opts, () => withUpstream({ settings: (u) => ({ LLM_MODEL: 'hosted_vllm/facebook/opt-125m', HOSTED_VLLM_API_BASE: `${u}/v1` }) }, async (s, u) => {
    u.respond(text('local'));
    assert.equal((await chat(s, 'Hi')).text, 'local');
    assert.equal(u.chats[0].headers.authorization, undefined);
    assert.equal(u.chats[0].body.model, 'facebook/opt-125m');
  }));

  test('well-known names need no provider before them', opts, () => withUpstream({ settings: (u) => ({ LLM_MODEL: 'claude-haiku-4-5', ...anthropic(u), ...gemini(u) }) }, async (s, u) => {
    u.respond(text('me'));
    await chat(s, 'Hi');
    await chat(s, { message: 'Hi', model: 'gemini-2.5-flash' });
    assert.deepEqual(u.chats.map((r) => r.wire.name), ['anthropic', 'gemini']);
  }));

  for (const [asked, nearest] of [['antropic/claude-x', 'anthropic'], ['open-router/some/model', 'openrouter'], ['mistrall/large', 'mistral'], ['ollma/qwen3', 'ollama']]) {
    test(`LLM_MODEL=${asked}: the error names ${nearest}, and so does --check`, opts, async () => {
      await withUpstream({ settings: () => ({ LLM_MODEL: asked, OPENAI_API_KEY: SECRET }) }, async (s) => {
        const e = assertError(await chatWhole(s, 'Hi'), 422, 'invalid_field');
        assert.ok(e.message.includes(nearest), e.message);
        assert.ok(e.message.includes(asked.split('/')[0]), e.message);
        assertError(await chatStream(s, 'Hi'), 422, 'invalid_field');
      });
      const r = await program(['--check'], { LLM_MODEL: asked, OPENAI_API_KEY: SECRET });
      assert.notEqual(r.code, 0);
      assert.ok(r.out.includes(nearest), r.out.slice(-500));
    });
  }

  test('a provider that LLM_MODEL names and that lacks something says which variable, instead of being the demo', opts, async () => {
    for (const [settings, name] of [[{ LLM_MODEL: 'groq/llama' }, 'GROQ_API_KEY'], [{ LLM_MODEL: 'bedrock/x', AWS_BEARER_TOKEN_BEDROCK: 'bearer-000111' }, 'AWS_REGION'], [{ LLM_MODEL: 'azure/x', AZURE_API_KEY: 'azure-000111' }, 'AZURE_']]) {
      await withUpstream({ settings: () => settings }, async (s) => {
        const r = await chatWhole(s, 'Hi');
        assert.ok(r.status >= 400, r.text);
        assert.ok(r.json.error.message.includes(name), r.json.error.message);
      });
      const r = await program(['--check'], settings);
      assert.notEqual(r.code, 0);
      assert.ok(r.out.includes(`needs`) && r.out.includes(name), r.out.slice(-300));
    }
  });

  test('usual names of other tools are read: the region of the AWS command line, Ollama\'s host without a port', opts, async () => {
    await withUpstream({ json: (u) => ({ providers: [{ id: 'bedrock', url: u }] }), settings: () => ({ LLM_MODEL: 'bedrock/eu.amazon.nova-lite-v1:0', AWS_ACCESS_KEY_ID: 'AKIAKKKK0000LLLL1111', AWS_SECRET_ACCESS_KEY: 'aws/secret+mmmm2222', AWS_DEFAULT_REGION: 'eu-test-2' }) }, async (s, u) => {
      u.respond(text('ok'));
      assert.equal((await chat(s, 'Hi')).text, 'ok');
      assert.deepEqual(sigv4Problems(u.chats[0], { accessKey: 'AKIAKKKK0000LLLL1111', secretKey: 'aws/secret+mmmm2222', region: 'eu-test-2' }), []);
    });
    for (const [host, address] of [['127.0.0.1', 'http://127.0.0.1:11434'], ['127.0.0.1:9', 'http://127.0.0.1:9'], ['http://127.0.0.1:9/', 'http://127.0.0.1:9']]) {
      const r = await program(['--check'], { LLM_MODEL: 'ollama/x', OLLAMA_HOST: host, CONNECT_TIMEOUT_SECONDS: '0.3' });
      assert.ok(r.out.includes(`provider: ollama, model x, ${address}: `), r.out.slice(-300));
    }
  });

  test('a request\'s name with a slash that is no provider is a name of the configured provider\'s', opts, () => withUpstream({ settings: (u) => openai(u) }, async (s, u) => {
    u.respond(text('ok'));
    await chat(s, { message: 'Hi', model: 'meta-llama/Llama-3-8B' });
    assert.equal(u.chats[0].body.model, 'meta-llama/Llama-3-8B');
    assert.equal(u.chats[0].headers.authorization, `Bearer ${SECRET}`);
  }));
});

// ---------------------------------------------------------------- parley.json

describe('parley.json', () => {
  test('adds a provider: wire, address, key, headers of its own with values from variables', opts, () => withUpstream({
    settings: (u) => ({ ...openai(u), CORP_KEY_API_KEY: 'corp-key-000111222333', CORP_TENANT: 'tenant-seven-000111', LLM_MODEL: 'corp/team/model' }),
    json: (u) => ({ providers: [{ id: 'corp', name: 'Our gateway', wire: 'openai', url: `${u}/corp/v1`, keys: ['CORP_KEY_API_KEY'], headers: { 'X-Tenant': '$CORP_TENANT', 'X-App': 'parley', 'X-Absent': '$NOT_SET_AT_ALL' } }] }),
    env: { CORP_TENANT: 'tenant-seven-000111' },
  }, async (s, u) => {
    u.respond(text('corporate'));
    assert.equal((await chat(s, 'Hi')).text, 'corporate');
    const r = u.chats[0];
    assert.equal(r.path, '/corp/v1/chat/completions');
    assert.equal(r.headers.authorization, 'Bearer corp-key-000111222333');
    assert.equal(r.headers['x-tenant'], 'tenant-seven-000111');
    assert.equal(r.headers['x-app'], 'parley');
    assert.equal(r.headers['x-absent'], undefined);
    assert.equal(r.body.model, 'team/model');
  }));

  test('adds one that speaks another wire, with its kind of key', opts, () => withUpstream({
    settings: () => ({ LLM_MODEL: 'mirror/claude-haiku-4-5', MIRROR_API_KEY: 'mirror-key-000111222333' }),
    json: (u) => ({ providers: [{ id: 'mirror', wire: 'anthropic', url: `${u}/mirror/v1`, keys: ['MIRROR_API_KEY'], auth: 'x-api-key' }] }),
  }, async (s, u) => {
    u.respond(text('mirrored'));
    assert.equal((await chat(s, 'Hi')).text, 'mirrored');
    assert.equal(u.chats[0].path, '/mirror/v1/messages');
    assert.equal(u.chats[0].headers['x-api-key'], 'mirror-key-000111222333');
  }));

  test('overrides an address and keeps the rest; a variable still wins', opts, async () => {
    const json = (u) => ({ providers: [{ id: 'groq', url: `${u}/moved/v1` }] });
    await withUpstream({ json, settings: () => ({ LLM_MODEL: 'groq/llama', GROQ_API_KEY: 'groq-key-000111222333' }) }, async (s, u) => {
      u.respond(text('ok'));
      await chat(s, 'Hi');
      assert.equal(u.chats[0].path, '/moved/v1/chat/completions');
      assert.equal(u.chats[0].headers.authorization, 'Bearer groq-key-000111222333');
    });
    await withUpstream({ json, settings: (u) => ({ LLM_MODEL: 'groq/llama', GROQ_API_KEY: 'groq-key-000111222333', GROQ_API_BASE: `${u}/variable/v1` }) }, async (s, u) => {
      u.respond(text('ok'));
      await chat(s, 'Hi');
      assert.equal(u.chats[0].path, '/variable/v1/chat/completions');
    });
  });

  test('variables that parley.json names are not complained about, and are exported', opts, async () => {
    const own = mkdtempSync(path.join(tmpdir(), 'parley-names-'));
    try {
      const file = path.join(own, 'parley.json');
      writeFileSync(file, JSON.stringify({ providers: [{ id: 'corp', url: 'http://127.0.0.1:9/v1', keys: ['CORP_TOKEN'], url_from: ['CORP_ADDRESS'], headers: { 'X-Tenant': '$CORP_TENANT' } }] }));
      const set = { PARLEY_JSON: file, LLM_MODEL: 'corp/x', CORP_TOKEN: 'token-000111', CORP_ADDRESS: 'http://127.0.0.1:9/v2', CORP_TENANT: 'tenant-000111' };
      const r = await program(['--export'], set);
      for (const k of ['CORP_TOKEN', 'CORP_ADDRESS', 'CORP_TENANT']) assert.match(r.out, new RegExp(`^${k}="${set[k]}"$`, 'm'));
      assert.equal(r.err, '');
    } finally { rmSync(own, { recursive: true, force: true }); }
  });

  test('one that cannot be used is complained about in the log and hurts nothing else', opts, () => withUpstream({
    settings: (u) => openai(u), json: () => ({ providers: [{ id: 'odd', wire: 'carrier-pigeon' }, { wire: 'openai' }, 7] }),
  }, async (s, u) => {
    u.respond(text('ok'));
    assert.equal((await chat(s, 'Hi')).text, 'ok');
    assert.match(s.log(), /provider odd cannot be used/);
  }));

  test('a file that is no JSON is complained about, and --check fails', opts, async () => {
    await withUpstream({ settings: (u) => openai(u), json: () => '{"providers": [' }, async (s, u) => {
      u.respond(text('ok'));
      assert.equal((await chat(s, 'Hi')).text, 'ok');
      assert.match(s.log(), /parley\.json/);
      const r = await program(['--check'], { ...openai(u.origin), PARLEY_JSON: path.join(REPO, 'README.md') });
      assert.notEqual(r.code, 0);
      assert.match(r.out, /README\.md is not usable/);
    });
  });

  test('adds what a model takes and costs', opts, () => withUpstream({
    settings: (u) => openai(u), json: () => ({ models: [{ id: 'openai/first-model', context: 5000, input: 1000, output: 2000 }] }),
  }, async (s, u) => {
    u.respond(text('ok', { usage: { prompt: 1000, completion: 500 } }));
    const r = await chat(s, 'Hi');
    assert.equal(r.usage.cost, 2);
  }));
});

// ---------------------------------------------------------------- fallbacks

describe('fallbacks', () => {
  const chain = (u) => ({ ...openai(u), ...anthropic(u), ...gemini(u), RETRIES: '0', LLM_FALLBACKS: ' anthropic/claude-haiku-4-5 ,, gemini/gemini-2.5-flash' });
  const asked = (u) => u.chats.map((r) => `${r.wire.name} ${r.model}`);
  /** A behaviour for each wire. */
  const by = (table) => async (req, io) => (table[req.wire.name] ?? table.else)(req, io);

  test('are asked in their order, across wires; the message says who answered', opts, () => withUpstream({ settings: chain }, async (s, u) => {
    u.respond(by({ openai: badKey(), anthropic: overloaded(), else: text('third time lucky') }));
    const r = await chatStream(s, 'Hi');
    assert.equal(r.text, 'third time lucky', JSON.stringify(r.error ?? r.terminal));
    assert.deepEqual(asked(u), ['openai first-model', 'anthropic claude-haiku-4-5', 'gemini gemini-2.5-flash']);
    assert.deepEqual(u.chats.map((q) => said(q).messages), Array(3).fill([{ role: 'user', text: 'Hi' }]));
    const m = row(s, r.message_id);
    assert.equal(m.provider, 'gemini');
    assert.equal(m.model, 'gemini-2.5-flash');
    assert.equal(m.status, 'done');
    assert.equal(sql(s.db, 'SELECT * FROM usage_days').length, 1);
    assert.equal(sql(s.db, 'SELECT * FROM usage_days')[0].provider, 'gemini');
    assert.equal((await conversation(s, r.conversation_id)).messages.length, 2);
  }));

  test('a client of /chat/stream is told by live_update events before the first token', opts, () => withUpstream({ settings: chain }, async (s, u) => {
    u.respond(by({ openai: quota(), anthropic: badKey(), else: text('here') }));
    const r = await chatStream(s, 'Hi');
    const updates = r.typed.filter((e) => e.event === 'live_update');
    assert.equal(updates.length, 2, JSON.stringify(r.typed));
    for (const e of updates) {
      assert.equal(typeof e.data.update_id, 'string');
      assert.equal(e.data.type, 'FINISH');
      assert.equal(typeof e.data.content.label, 'string');
    }
    assert.match(updates[0].data.content.description, /first-model.*claude-haiku-4-5/);
    assert.match(updates[1].data.content.description, /gemini-2\.5-flash/);
    assert.ok(r.events.findIndex((e) => e.event === 'live_update') < r.events.findIndex((e) => e.event === 'token'));
  }));

  test('a client of /chat is told in the member `parley`, and OpenAI\'s clients see an empty delta', opts, () => withUpstream({ settings: chain }, async (s, u) => {
    u.respond(by({ openai: badKey(), else: text('here') }));
    const r = await chat(s, 'Hi');
    assert.equal(r.text, 'here');
    const told = r.chunks.filter((c) => c.parley);
    assert.equal(told.length, 1);
    assert.equal(told[0].parley.type, 'live_update');
    assert.match(told[0].parley.content.content.description, /claude-haiku-4-5/);
    assert.deepEqual(told[0].choices[0].delta, {});
    const w = await chatWhole(s, 'Hi');
    assert.equal(w.json.model, 'claude-haiku-4-5');
  }));

  test('when all fail, it is the last one\'s failure, with its status', opts, () => withUpstream({ settings: chain }, async (s, u) => {
    u.respond(by({ openai: badKey(), anthropic: badKey(), else: overloaded() }));
    for (const ask of [chatWhole, chatStream, chat]) {
      const r = await ask(s, 'Hi');
      assertError(r, 429, 'provider_busy');
    }
    assert.deepEqual([...new Set(asked(u))].length, 3);
    const c = await conversation(s, (await list(s)).conversations[0].conversation_id);
    assert.equal(c.messages[1].status, 'error');
    assert.equal(c.messages[1].content, '');
  }));

  test('a failed answer with fallbacks has used nothing', opts, () => withUpstream({ settings: chain }, async (s, u) => {
    u.respond(badKey());
    await chatWhole(s, 'Hi');
    const m = sql(s.db, "SELECT * FROM messages WHERE role = 'assistant'")[0];
    assert.equal(m.prompt_tokens, null);
    assert.equal(m.completion_tokens, null);
    assert.equal(m.usage_estimated, 0);
  }));

  test('retries come before fallbacks', opts, () => withUpstream({ settings: (u) => ({ ...chain(u), RETRIES: '1' }) }, async (s, u) => {
    u.respond(by({ openai: limited(), else: text('next') }));
    assert.equal((await chat(s, 'Hi')).text, 'next');
    assert.deepEqual(asked(u), ['openai first-model', 'openai first-model', 'anthropic claude-haiku-4-5']);
  }));

  test('an answer that has begun is never begun again elsewhere', opts, () => withUpstream({ settings: chain }, async (s, u) => {
    u.respond(by({ openai: answer({ text: ['shown'], cut: 'clean' }), else: text('NEVER') }));
    const r = await chatStream(s, 'Hi');
    assert.equal(r.text, 'shown');
    assert.equal(u.chats.length, 1);
  }));

  test('the window is halved before another model is asked', opts, () => withUpstream({ settings: chain }, async (s, u) => {
    u.respond(text('well, well, well.'));
    let id;
    for (let i = 0; i < 4; i++) id = (await chat(s, { message: `part ${i} of what I say`, conversation_id: id })).conversation_id;
    u.reset(text('half')).enqueue(overflow());
    assert.equal((await chat(s, { message: 'now', conversation_id: id })).text, 'half');
    assert.deepEqual(asked(u), ['openai first-model', 'openai first-model']);
  }));

  test('Stop during a fallback ends it', opts, () => withUpstream({ settings: chain }, async (s, u) => {
    const never = gate();
    u.respond(by({ openai: badKey(), anthropic: answer({ text: ['x'], hold: never }), else: text('NEVER') }));
    const st = await stream(`${s.url}/chat/stream`, { message: 'Hi' });
    const start = JSON.parse((await st.until((e) => e.event === 'start')).data);
    await st.until((e) => e.event === 'token');
    const { post } = await import('./client.js');
    await post(`${s.url}/conversations/${start.conversation_id}/stop`, {});
    await st.all();
    assert.equal(readStream(st).terminal.status, 'stopped');
    assert.equal(u.chats.length, 2);
    never.open();
  }));

  test('a fallback that is not set up is passed over', opts, () => withUpstream({ settings: (u) => ({ ...openai(u), ...anthropic(u), RETRIES: '0', LLM_FALLBACKS: 'groq/llama-x,nosuchprovider/model,anthropic/claude-haiku-4-5' }) }, async (s, u) => {
    u.respond(by({ openai: overloaded(), else: text('the one that is') }));
    assert.equal((await chat(s, 'Hi')).text, 'the one that is');
    assert.deepEqual(asked(u), ['openai first-model', 'anthropic claude-haiku-4-5'], 'names of others are not sent to the provider that has failed');
  }));
});

// ---------------------------------------------------------------- providers that rest

describe('a provider that fails again and again', { skip: lacks('threadedWorker') }, () => {
  const pair = (more) => (u) => ({ ...openai(u), ...anthropic(u), RETRIES: '0', LLM_FALLBACKS: 'anthropic/claude-haiku-4-5', PROVIDER_FAILURES: '3', PROVIDER_REST_SECONDS: '60', ...more });
  const one = { workers: 1 };
  const first = (u) => u.chats.filter((r) => r.wire.name === 'openai').length;
  const by = (table) => async (req, io) => (table[req.wire.name] ?? table.else)(req, io);

  test('is not asked any more while another one answers, and is asked again later', opts, () => withUpstream({ ...one, settings: pair({ PROVIDER_REST_SECONDS: '4' }) }, async (s, u) => {
    u.respond(by({ openai: overloaded(), else: text('second') }));
    for (let i = 0; i < 5; i++) assert.equal((await chat(s, 'Hi')).text, 'second');
    assert.equal(first(u), 3);
    assert.match(s.log(), /provider openai has failed 3 times in a row/);
    u.respond(by({ openai: text('first'), else: text('second') }));
    await sleep(4.2);
    assert.equal((await chat(s, 'Hi')).text, 'first');
    u.respond(by({ openai: overloaded(), else: text('second') }));
    for (let i = 0; i < 2; i++) await chat(s, 'Hi');
    assert.equal(first(u), 6, 'a good answer counts the failures from nothing');
  }));

  test('is asked all the same when there is no other one', opts, () => withUpstream({ ...one, settings: (u) => ({ ...pair()(u), LLM_FALLBACKS: undefined }) }, async (s, u) => {
    u.respond(overloaded());
    for (let i = 0; i < 5; i++) assertError(await chatWhole(s, 'Hi'), 429);
    assert.equal(first(u), 5);
  }));

  test('is asked when all others rest too', opts, () => withUpstream({ ...one, settings: pair({ PROVIDER_FAILURES: '1' }) }, async (s, u) => {
    u.respond(overloaded());
    for (let i = 0; i < 3; i++) assertError(await chatWhole(s, 'Hi'), 429);
    u.respond(text('back'));
    assert.equal((await chat(s, 'Hi')).text, 'back');
  }));

  test('a conversation that is too long is not the provider\'s failure', opts, () => withUpstream({ ...one, settings: pair() }, async (s, u) => {
    u.respond(overflow());
    for (let i = 0; i < 4; i++) await chatWhole(s, 'Hi');
    u.respond(text('fine'));
    const before = first(u);
    assert.equal((await chat(s, 'Hi')).text, 'fine');
    assert.equal(first(u), before + 1, 'the configured provider is asked');
  }));

  test('an answer that is longer than this server allows is not the provider\'s failure', opts, () => withUpstream({ ...one, settings: pair({ MAX_ANSWER_BYTES: '64' }) }, async (s, u) => {
    u.respond(text('x'.repeat(200)));
    for (let i = 0; i < 4; i++) await chatWhole(s, 'Hi');
    u.respond(text('fine'));
    const before = first(u);
    assert.equal((await chat(s, 'Hi')).text, 'fine');
    assert.equal(first(u), before + 1, 'the configured provider is asked');
  }));
});

// ---------------------------------------------------------------- usage and cost

describe('usage and cost', () => {
  const price = MODELS.find((m) => m.id === 'openai/gpt-4o-mini');

  test('the table of prices says what an answer cost, cached tokens at their own price', opts, () => withUpstream({ settings: (u) => ({ ...openai(u), LLM_MODEL: 'openai/gpt-4o-mini' }) }, async (s, u) => {
    u.respond(text('ok', { usage: { prompt: 1_000_000, completion: 100_000, cached: 400_000 }, model: 'gpt-4o-mini-2024-07-18' }));
    const r = await chat(s, 'Hi');
    const want = 0.6 * price.input + 0.4 * price.cached + 0.1 * price.output;
    assert.ok(Math.abs(r.usage.cost - want) < 1e-9, `${r.usage.cost}, not ${want}`);
    assert.ok(Math.abs(row(s, r.message_id).cost - want) < 1e-9);
    assert.equal(row(s, r.message_id).cached_tokens, 400_000);
    assert.equal(r.usage.estimated, undefined);
  }));

  test('what the provider says it cost wins (OpenRouter)', opts, () => withUpstream({ settings: (u) => ({ LLM_MODEL: 'openrouter/openai/gpt-4o-mini', OPENROUTER_API_KEY: 'or-key-000111222333', OPENROUTER_API_BASE: `${u}/api/v1` }) }, async (s, u) => {
    u.respond(text('ok', { usage: { ...USAGE, cost: 0.0125 } }));
    const r = await chatStream(s, 'Hi');
    assert.equal(r.terminal.usage.cost, 0.0125);
    assert.equal(row(s, r.message_id).cost, 0.0125);
    u.respond(text('ok', { usage: { ...USAGE, cost: 0 } }));
    assert.equal((await chatStream(s, 'Hi')).terminal.usage.cost, 0, 'nothing is a price, too');
  }));

  test('a model without a price has no cost', opts, () => withUpstream({ settings: (u) => openai(u) }, async (s, u) => {
    u.respond(text('ok'));
    const r = await chat(s, 'Hi');
    assert.equal('cost' in r.usage, false);
    assert.equal(row(s, r.message_id).cost, null);
  }));

  test('a provider that does not count is counted for, at the table\'s price, and marked', opts, () => withUpstream({ settings: (u) => ({ ...openai(u), LLM_MODEL: 'openai/gpt-4o-mini' }) }, async (s, u) => {
    u.respond(answer({ text: ['word '.repeat(400)], usage: undefined }));
    const r = await chat(s, 'question '.repeat(100));
    assert.equal(r.usage.estimated, true);
    assert.ok(r.usage.completion_tokens > 300 && r.usage.completion_tokens < 800, `${r.usage.completion_tokens}`);
    assert.ok(r.usage.prompt_tokens > 100 && r.usage.prompt_tokens < 400, `${r.usage.prompt_tokens}`);
    const m = row(s, r.message_id);
    assert.equal(m.usage_estimated, 1);
    assert.ok(m.cost > 0);
    assert.equal((await chat(s, 'x')).usage.estimated, true);
  }));

  test('sums per user, model and day; deleting conversations takes nothing away', opts, () => withUpstream({ auth: true, settings: (u) => ({ ...openai(u), ...anthropic(u), LLM_MODEL: 'openai/gpt-4o-mini' }) }, async (s, u) => {
    const each = { prompt: 1_000_000, completion: 1_000_000 };
    u.respond(text('ok', { usage: each }));
    const day = Math.floor(Date.now() / 86_400_000);
    await chat(s, 'one', { auth: 'alice' });
    const { conversation_id } = await chat(s, 'two', { auth: 'alice' });
    await chat(s, { message: 'three', model: 'anthropic/claude-haiku-4-5' }, { auth: 'alice' });
    await chat(s, 'four', { auth: 'bob' });
    u.respond(badKey());
    await chat(s, 'five', { auth: 'bob' });
    const { del } = await import('./client.js');
    assert.ok((await del(`${s.url}/conversations/${conversation_id}`, { auth: 'alice' })).status < 300);
    const rows = sql(s.db, 'SELECT name, day, provider, model, answers, prompt_tokens, completion_tokens, cost FROM usage_days JOIN users ON users.id = user_id ORDER BY name, provider');
    const haiku = MODELS.find((m) => m.id === 'anthropic/claude-haiku-4-5');
    const sum = (n, m) => ({ prompt_tokens: n * 1e6, completion_tokens: n * 1e6, cost: n * (m.input + m.output) });
    assert.ok(rows.every((r) => r.day === day || r.day === day + 1));
    const bob = rows.filter((r) => r.name === 'bob').reduce((a, r) => ({ prompt_tokens: a.prompt_tokens + r.prompt_tokens, completion_tokens: a.completion_tokens + r.completion_tokens, cost: a.cost + r.cost }));
    const alice = rows.filter((r) => r.name === 'alice');
    assert.deepEqual(alice.map((r) => [r.provider, r.model, r.answers]), [['anthropic', 'claude-haiku-4-5', 1], ['openai', 'gpt-4o-mini', 2]]);
    for (const [r, want] of [[alice[0], sum(1, haiku)], [alice[1], sum(2, price)], [bob, sum(1, price)]]) {
      assert.equal(r.prompt_tokens, want.prompt_tokens);
      assert.equal(r.completion_tokens, want.completion_tokens);
      assert.ok(Math.abs(r.cost - want.cost) < 1e-9, `${r.cost}, not ${want.cost}`);
    }
  }));
});

// ---------------------------------------------------------------- the window

describe('the window', () => {
  /** Six turns of about 60 tokens each way, then a question. */
  async function talk(s, u, last = 'the last question') {
    u.respond(text(`answer ${'blah '.repeat(40)}`));
    let id;
    for (let i = 0; i < 6; i++) id = (await chat(s, { message: `question ${i} ${'blah '.repeat(40)}`, conversation_id: id })).conversation_id;
    u.requests.length = 0;
    u.respond(text('done'));
    assert.equal((await chat(s, { message: last, conversation_id: id })).text, 'done');
    return said(u.chats[0]);
  }

  test('without a bound all is sent', opts, () => withUpstream({ settings: (u) => openai(u, { MAX_TOKENS: '50' }) }, async (s, u) => {
    assert.equal((await talk(s, u)).messages.length, 13);
  }));

  test('MODEL_CONTEXT drops the oldest messages, and begins with a question', opts, () => withUpstream({ settings: (u) => openai(u, { MODEL_CONTEXT: '400', MAX_TOKENS: '50', SYSTEM_PROMPT: 'Be brief.' }) }, async (s, u) => {
    const { messages, system } = await talk(s, u);
    assert.ok(messages.length >= 3 && messages.length < 13, `${messages.length}`);
    assert.equal(messages[0].role, 'user');
    assert.equal(messages.at(-1).text, 'the last question');
    assert.match(messages.at(-3).text, /^question 5/);
    assert.equal(system, 'Be brief.');
    const tokens = messages.reduce((n, m) => n + m.text.length / 4 + 4, 0);
    assert.ok(tokens <= 350, `${tokens} tokens are sent`);
  }));

  test('a question that fits nowhere is sent all the same, alone', opts, () => withUpstream({ settings: (u) => openai(u, { MODEL_CONTEXT: '100', MAX_TOKENS: '50' }) }, async (s, u) => {
    const { messages } = await talk(s, u, 'long question '.repeat(100));
    assert.equal(messages.length, 1);
    assert.equal(messages[0].role, 'user');
    assert.match(messages[0].text, /^long question/);
  }));

  test('the table\'s length counts before MODEL_CONTEXT', opts, () => withUpstream({
    settings: (u) => openai(u, { MODEL_CONTEXT: '100', MAX_TOKENS: '50' }), json: () => ({ models: [{ id: 'openai/first-model', context: 100_000 }] }),
  }, async (s, u) => {
    assert.equal((await talk(s, u)).messages.length, 13);
  }));
});

// ---------------------------------------------------------------- keys

describe('the keys of all configured providers', () => {
  const secrets = {
    OPENAI_API_KEY: SECRET, ANTHROPIC_API_KEY: 'sk-ant-aaaa1111bbbb2222', ANTHROPIC_AUTH_TOKEN: 'ant-token-cccc3333dddd', GEMINI_API_KEY: 'AIzaSyEEEE4444ffff5555', GROQ_API_KEY: 'gsk_gggg6666hhhh7777',
    AZURE_API_KEY: 'azure-iiii8888jjjj9999', AWS_ACCESS_KEY_ID: 'AKIAKKKK0000LLLL1111', AWS_SECRET_ACCESS_KEY: 'aws/secret+mmmm2222nnnn3333', AWS_SESSION_TOKEN: 'aws-session-token-oooo4444', COHERE_API_KEY: 'co-pppp5555qqqq6666',
    CORP_API_KEY: 'corp-rrrr7777ssss8888', CORP_TENANT_API_KEY: 'tenant-tttt9999uuuu0000',
  };
  const models = ['openai/first-model', 'anthropic/claude-haiku-4-5', 'gemini/gemini-2.5-flash', 'groq/llama', 'azure/deployment', 'bedrock/eu.amazon.nova-lite-v1:0', 'cohere/command-a-03-2025', 'corp/model'];
  const settings = (u) => ({
    ...secrets, LLM_MODEL: 'openai/first-model', RETRIES: '0', OPENAI_BASE_URL: `${u}/v1`, ANTHROPIC_BASE_URL: u, GEMINI_API_BASE: u, GROQ_API_BASE: `${u}/v1`, AZURE_API_BASE: u, COHERE_API_BASE: u, AWS_REGION: 'eu-test-1',
  });
  const json = (u) => ({ providers: [{ id: 'bedrock', url: u, models: '/models' }, { id: 'corp', wire: 'openai', url: `${u}/corp`, keys: ['CORP_API_KEY'], headers: { 'X-Tenant': '$CORP_TENANT_API_KEY', 'X-Literal': 'literal-vvvv1111wwww2222' } }] });
  const all = { ...secrets, 'a header\'s value in parley.json': 'literal-vvvv1111wwww2222' };
  const found = (what) => Object.entries(all).filter(([, v]) => what.includes(v)).map(([k]) => k);

  test('are in no answer, log line, stored byte, page or number, also when a provider repeats them', opts, () => withUpstream({ settings, json }, async (s, u) => {
    let seen = '';
    const arrived = new Set();
    const repeating = [
      (v) => saying(`Invalid key ${v} for you`, 400), (v) => saying(v, 401), (v) => saying(`${v}`, 500), (v) => saying(`${'x'.repeat(290)}${v}`, 400),
      (v) => async (req, io) => io.json(`no object: ${v}`, 502),
      (v) => async (req, io) => { io.open(); io.res.write(`<html>${v}</html>\n\n`); return io.end(); },
      (v) => async (req, io) => { io.open(); io.res.write(`data: {"error":{"message":"${v}`); return io.end(); },
    ];
    for (const model of models) for (const behaviour of repeating) for (const v of Object.values(all)) {
      u.respond(behaviour(v));
      const r = await chatWhole(s, { message: 'Hi', model });
      seen += r.text + JSON.stringify(r.headers);
      for (const k of found(JSON.stringify(u.requests.at(-1).headers))) arrived.add(k);
      u.requests.length = 0;
    }
    for (const k of Object.keys(all)) if (!/ANTHROPIC_AUTH_TOKEN|AWS_SECRET/.test(k)) assert.ok(arrived.has(k), `${k} was used`);
    for (const model of models) {
      u.respond(saying(Object.values(all).join(' '), 400));
      const r = await chatStream(s, { message: 'Hi', model });
      seen += r.raw + JSON.stringify(r.headers);
    }
    for (const page of ['/metrics', '/ready', '/health', '/', '/conversations', '/diagnose.html']) seen += (await get(`${s.url}${page}`)).text;
    for (const c of (await list(s, '?limit=100')).conversations.slice(0, 20)) seen += JSON.stringify(await conversation(s, c.conversation_id));
    assert.deepEqual(found(seen), [], 'in answers');
    for (const f of readdirSync(s.dir)) if (/parley\.db/.test(f)) assert.deepEqual(found(readFileSync(path.join(s.dir, f), 'latin1')), [], `in ${f}`);
    assert.deepEqual(found(s.log()), [], 'in the log');
  }));

  test('--check asks every provider that is set up, in bounded time, and shows no key', opts, async () => {
    const u = await startUpstream();
    const own = mkdtempSync(path.join(tmpdir(), 'parley-check-'));
    try {
      const file = path.join(own, 'parley.json');
      writeFileSync(file, JSON.stringify(json(u.origin)));
      const r = await program(['--check'], { ...settings(u.origin), PARLEY_JSON: file }, { seconds: 60 });
      assert.deepEqual(found(r.out + r.err), []);
      for (const id of ['openai', 'anthropic', 'gemini', 'groq', 'azure', 'bedrock', 'cohere', 'corp']) assert.match(r.out, new RegExp(`(provider:|also set:) ${id}, model [^\\n]*: ok\\n`), r.out.slice(-2500));
      const asked = Object.fromEntries(u.requests.map((q) => [`${q.method} ${q.path}`, q.headers]));
      assert.ok(asked['GET /v1/models'], Object.keys(asked).join(', '));
    } finally { await u.stop(); rmSync(own, { recursive: true, force: true }); }
  });

  test('--check takes a list of models at an address of its own (Bedrock\'s control plane)', opts, async () => {
    const u = await startUpstream();
    const own = mkdtempSync(path.join(tmpdir(), 'parley-check-'));
    try {
      const file = path.join(own, 'parley.json');
      writeFileSync(file, JSON.stringify({ providers: [{ id: 'bedrock', url: `${u.origin}/runtime`, models: `${u.origin}/control-{region}/foundation-models` }] }));
      const r = await program(['--check'], { LLM_MODEL: 'bedrock/x', AWS_ACCESS_KEY_ID: secrets.AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY: secrets.AWS_SECRET_ACCESS_KEY, AWS_REGION: 'eu-test-1', PARLEY_JSON: file });
      assert.deepEqual(u.requests.map((q) => q.path), ['/control-eu-test-1/foundation-models'], r.out.slice(-300));
      assert.deepEqual(sigv4Problems(u.requests[0], { accessKey: secrets.AWS_ACCESS_KEY_ID, secretKey: secrets.AWS_SECRET_ACCESS_KEY, region: 'eu-test-1' }), []);
      assert.match(r.out, /provider: bedrock, model x, [^\n]*: ok/);
    } finally { await u.stop(); rmSync(own, { recursive: true, force: true }); }
  });

  test('--check says it when one of them is not reachable, without its key', opts, async () => {
    const u = await startUpstream();
    try {
      const r = await program(['--check'], { LLM_MODEL: 'openai/first-model', OPENAI_API_KEY: SECRET, OPENAI_BASE_URL: `${u.origin}/v1`, GROQ_API_KEY: secrets.GROQ_API_KEY, GROQ_API_BASE: 'http://127.0.0.1:9/v1' });
      assert.notEqual(r.code, 0);
      assert.match(r.out, /provider: openai, model first-model, [^\n]*: ok/);
      assert.match(r.out, /also set: groq, [^\n]*cannot be reached/);
      assert.deepEqual(found(r.out + r.err), []);
    } finally { await u.stop(); }
  });

  test('--export writes them, and what it writes is read again', opts, async () => {
    const set = { ...settings('http://127.0.0.1:9'), PARLEY_JSON: '/nonexistent/parley.json' };
    delete set.CORP_API_KEY;
    delete set.CORP_TENANT_API_KEY;
    const first = await program(['--export'], set);
    assert.equal(first.code, 0, first.err);
    assert.equal(first.err, '', 'no complaint about names that belong to providers');
    const lines = Object.fromEntries(first.out.trim().split('\n').map((l) => [l.slice(0, l.indexOf('=')), l.slice(l.indexOf('=') + 1)]));
    for (const [k, v] of Object.entries(set)) assert.equal(lines[k], `"${v}"`, k);
    assert.equal(first.out.trim().split('\n').length, new Set(Object.keys(lines)).size, 'each once');
    const dir = mkdtempSync(path.join(tmpdir(), 'parley-export-'));
    const again = path.join(dir, 'again.env');
    writeFileSync(again, first.out, { mode: 0o600 });
    const second = await within(10, new Promise((resolve) => execFile(PROGRAM, ['--export', '--config', again], { env: {} }, (e, out) => resolve(out))));
    rmSync(dir, { recursive: true, force: true });
    assert.equal(second, first.out);
  });

  test('the environment is exported, too, and wins over the file', opts, async () => {
    const r = await program(['--export'], { GROQ_API_KEY: 'of-the-file-000111' }, { env: { GROQ_API_KEY: 'of-the-environment-000111', MISTRAL_API_KEY: 'mistral-000111' } });
    assert.match(r.out, /^GROQ_API_KEY="of-the-environment-000111"$/m);
    assert.match(r.out, /^MISTRAL_API_KEY="mistral-000111"$/m);
  });

  test('names in the settings file: every provider\'s are known, others are told', opts, async () => {
    const names = new Set();
    for (const p of PROVIDERS) {
      for (const k of ['keys', 'bearer_keys', 'url_from', 'sigv4', 'version_from']) for (const n of p[k] ?? []) names.add(n);
      for (const l of Object.values(p.url_parts ?? {})) for (const n of l) names.add(n);
    }
    const r = await program(['--export'], Object.fromEntries([...names].map((n) => [n, `value-of-${n}`])));
    assert.equal(r.err, '');
    for (const n of names) assert.match(r.out, new RegExp(`^${n}="value-of-${n}"$`, 'm'));
    const odd = await program(['--export'], { LLM_MODLE: 'x', GROQ_API_KEY: 'y' });
    assert.match(odd.err, /LLM_MODLE is not a setting/);
    assert.doesNotMatch(odd.err, /GROQ/);
  });
});
