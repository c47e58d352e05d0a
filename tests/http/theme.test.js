// How the page looks and what it offers: GET /api/config and GET /api/theme, from parley.json and theme.json.
import test, { describe } from 'node:test';
import assert from 'node:assert/strict';
import { writeFileSync, mkdtempSync, chmodSync, rmSync, mkdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { execFileSync } from 'node:child_process';
import { startServer, PROGRAM, SCALE } from './server.js';
import { lacks } from './hosting.js';
import { get, post, request, assertDetail } from './client.js';

const opts = { timeout: 60_000 * SCALE };

/** A server whose parley.json is `json` (a text as it is; undefined: there is none), in a folder with `files`. */
async function withConfig({ json, files = {}, ...more }, fn) {
  const own = mkdtempSync(path.join(tmpdir(), 'parley-theme-'));
  chmodSync(own, 0o755);                                   // the server may run as nobody
  const write = (name, text) => writeFileSync(path.join(own, name), typeof text === 'string' ? text : JSON.stringify(text));
  let s;
  let good = false;
  try {
    for (const [name, text] of Object.entries(files)) write(name, text);
    if (json !== undefined) write('parley.json', json);
    s = await startServer({ ...more, settings: { PARLEY_JSON: path.join(own, 'parley.json'), ...more.settings } });
    const r = await fn(s, { dir: own, write });
    good = true;
    return r;
  } catch (e) {
    if (s) e.message += `\n--- log ---\n${s.log().slice(-2000)}`;
    throw e;
  } finally {
    try { await s?.stop({ check: good }); } finally { rmSync(own, { recursive: true, force: true }); }
  }
}

/** GET /api/config, which is always whole. */
async function config(s) {
  const r = await get(`${s.url}/api/config`);
  assert.equal(r.status, 200, r.text);
  assert.match(r.headers['content-type'], /^application\/json/);
  assert.match(r.headers['cache-control'], /no-store/);
  return r.json;
}

const EMPTY = {
  feedback: { like: { enabled: true, form: null }, dislike: { enabled: true, form: null } },
  customization: null,
  user_settings: { form: null },
  supports_upload: false,
  debug_mode: false,
  conversation_history: true,
  show_usage: true,
  authentication: { enabled: false, auth_types: [], oauth2_providers: [] },
  parley: { version: execFileSync(PROGRAM, ['--version'], { encoding: 'utf8' }).trim().split(' ').at(-1), theme: false, user: null, model: 'openai/test-model' },
};
const NO_UI = { header: { title: null, subtitle: null, logo: null }, welcome_message: null, starter_questions: null, meta: { favicon: null, page_title: null } };
const FORM = { title: 'Why?', type: 'object', required: ['reason'], properties: { reason: { type: 'string', title: 'Reason', enum: ['wrong', 'née'], default: 'wrong' }, n: { anyOf: [{ type: 'integer' }, { type: 'null' }], minimum: 1.5 } } };

describe('GET /api/config', () => {
  test('without a parley.json every field is there, with what holds then', opts, () => withConfig({}, async (s) => {
    assert.deepEqual(await config(s), EMPTY);
  }));

  test('what parley.json says is what comes, in the order of a form', opts, () => {
    const ui = {
      header: { title: 'Ask Ada', subtitle: 'of the library', logo: '📚' }, welcome_message: '# Welcome\n\n*née* <b>', starter_questions: ['What is open?', ''],
      meta: { favicon: 'icons/a.svg', page_title: 'Ada' },
    };
    return withConfig({
      json: { ui: { ...ui, debug_mode: true, show_usage: false, conversation_history: false }, feedback: { like: { enabled: false }, dislike: { form: FORM } }, user_settings: { form: FORM } },
    }, async (s) => {
      const c = await config(s);
      assert.deepEqual(c, {
        ...EMPTY, customization: ui, debug_mode: true, show_usage: false, conversation_history: false, user_settings: { form: FORM },
        feedback: { like: { enabled: false, form: null }, dislike: { enabled: true, form: FORM } },
      });
      assert.deepEqual(Object.keys(c.user_settings.form.properties), ['reason', 'n']);
      assert.doesNotMatch(s.log(), /is ignored/);
      assert.deepEqual(await config(s), c);                // the second answer is no other
    });
  });

  test('with some of "ui" the rest of it is null', opts, () => withConfig({ json: { ui: { header: { title: 'Only this' } } } }, async (s) => {
    assert.deepEqual((await config(s)).customization, { ...NO_UI, header: { title: 'Only this', subtitle: null, logo: null } });
  }));

  test('an empty "ui" is one, and null members are absent ones', opts, () => withConfig({ json: { ui: { header: null, meta: {}, starter_questions: null, debug_mode: null }, feedback: null, user_settings: null } }, async (s) => {
    assert.deepEqual(await config(s), { ...EMPTY, customization: NO_UI });
    assert.doesNotMatch(s.log(), /is ignored/);
  }));

  test('wrong types count as absent, and are said once', { ...opts, skip: lacks('threadedWorker') }, () => withConfig({
    json: {
      ui: { header: 'x', welcome_message: ['a'], starter_questions: ['good', 7, null, { a: 1 }], meta: { favicon: 1, page_title: true }, debug_mode: 'yes', show_usage: 0, conversation_history: {}, titel: 'typo' },
      feedback: { like: { enabled: 'no', form: 'f' }, dislike: [], love: {} }, user_settings: { form: [] },
    },
  }, async (s) => {
    for (let i = 0; i < 3; i++) assert.deepEqual(await config(s), { ...EMPTY, customization: { ...NO_UI, starter_questions: ['good'] } });
    for (const name of ['ui.header', 'ui.welcome_message', 'ui.meta.favicon', 'ui.meta.page_title', 'ui.debug_mode', 'ui.show_usage', 'ui.conversation_history', 'ui.titel',
      'feedback.like.enabled', 'feedback.like.form', 'feedback.dislike', 'feedback.love', 'user_settings.form']) {
      await s.logged(new RegExp(`\\\\"${name.replaceAll('.', '\\.')}\\\\" in parley.json is ignored`));
      assert.equal(s.log().split(`\\"${name}\\" in parley.json`).length - 1, 1, name);
    }
    await s.logged(/starter_questions\\" in parley.json: number 4 is ignored/);
  }));

  test('sections that are no objects never spoil the answer', opts, async () => {
    for (const wrong of [7, 'x', [], true]) await withConfig({ json: { ui: wrong, feedback: wrong, user_settings: wrong, theme: typeof wrong === 'string' ? 7 : wrong } }, async (s) => {
      assert.deepEqual(await config(s), EMPTY);
      assertDetail(await get(`${s.url}/api/theme`), 404);
    });
  });

  test('a parley.json that cannot be used counts as none', opts, () => withConfig({ json: '{"ui":' }, async (s) => {
    assert.deepEqual(await config(s), EMPTY);
    await s.logged(/parley.json is not usable/);
  }));

  test('"parley" says who asks, what answers and whether there is a theme', opts, async () => {
    await withConfig({ json: { theme: 'missing.json' }, auth: true }, async (s) => {
      for (const auth of ['alice', 'bob', 'alice']) {
        const { parley } = (await get(`${s.url}/api/config`, { auth })).json;
        assert.deepEqual(parley, { ...EMPTY.parley, user: auth, theme: true });
        assert.equal(parley.model, (await get(`${s.url}/v1/models`, { auth })).json.data[0].id);
      }
    });
    await withConfig({ settings: { OPENAI_API_KEY: undefined, LLM_BASE_URL: undefined, LLM_MODEL: 'demo' } }, async (s) => assert.equal((await config(s)).parley.model, 'demo/demo'));
    await withConfig({ settings: { OPENAI_API_KEY: undefined, LLM_BASE_URL: undefined, LLM_MODEL: 'mistral/no-key' } }, async (s) => assert.equal((await config(s)).parley.model, null));
    for (const theme of ['', null, 7]) await withConfig({ json: { theme } }, async (s) => assert.equal((await config(s)).parley.theme, false));
  });

  test('texts are data, whatever is in them', opts, () => {
    const evil = '"><img src=x onerror=alert(1)></title></script>\u2028\r\n\u0001\\';
    const ui = { header: { title: evil, subtitle: evil, logo: evil }, welcome_message: evil, starter_questions: [evil, evil], meta: { favicon: evil, page_title: evil } };
    const form = { title: evil, type: 'object', properties: { [evil]: { type: 'string', description: evil, enum: [evil] } } };
    return withConfig({ json: { ui, feedback: { like: { form }, dislike: { form } }, user_settings: { form } } }, async (s) => {
      const r = await get(`${s.url}/api/config`);
      assert.equal(r.headers['x-content-type-options'], 'nosniff');
      assert.match(r.headers['content-type'], /^application\/json/);
      assert.deepEqual(r.json.customization, ui);
      for (const f of [r.json.feedback.like.form, r.json.feedback.dislike.form, r.json.user_settings.form]) assert.deepEqual(f, form);
    });
  });

  test('nobody needs to be signed in, and only GET is taken', opts, () => withConfig({}, async (s) => {
    const r = await post(`${s.url}/api/config`, {});
    assertDetail(r, 405);
    assert.equal(r.headers.allow, 'GET');
    assert.equal((await request(`${s.url}/api/config`, { method: 'HEAD' })).status, 200);
  }));
});

const coffee = {
  themes: {
    light: { colors: { primary: { DEFAULT: '#db924b', foreground: '#fff' }, background: '#fffbf6', foreground: '#a27225', content1: { DEFAULT: '#fff2e0' }, content2: '#ffe9cc', content3: '#ffe0b8', content4: '#ffd7a3', focus: '#db924b' } },
    dark: { colors: { primary: '#db924b', background: '#20161F', foreground: '#c59f60', content1: '#2c1f2b' } },
  },
  layout: { disabledOpacity: '0.5', radius: { small: '3px' } },
};
const themed = (text, more = {}) => ({ json: { theme: 'theme.json' }, files: { 'theme.json': text }, ...more });
const theme = (s, headers) => get(`${s.url}/api/theme`, { headers });

/** The values that stand after --name, in the order of the style sheet. */
const values = (css, name) => [...css.matchAll(new RegExp(`^ +--${name}: (.*);$`, 'gm'))].map((m) => m[1]);

describe('GET /api/theme', () => {
  test('without a theme there is none', opts, () => withConfig({ json: { ui: {} } }, async (s) => {
    const r = await theme(s);
    assert.equal(assertDetail(r, 404), 'No theme is configured.');
    assert.match(r.headers['cache-control'], /no-store/);
  }));

  test('a theme beside parley.json becomes a style sheet for both schemes', opts, () => withConfig(themed(coffee), async (s) => {
    const r = await theme(s);
    assert.equal(r.status, 200, r.text);
    assert.equal(r.headers['content-type'], 'text/css; charset=utf-8');
    assert.equal(r.headers['cache-control'], 'no-cache');
    assert.equal(r.headers['x-content-type-options'], 'nosniff');
    assert.match(r.headers.etag, /^"[^"]+"$/);
    for (const block of [':root {', '@media (prefers-color-scheme: dark) {\n  :root:not([data-theme="light"]) {', ':root[data-theme="dark"] {', '.dark {', 'body {']) assert.ok(r.text.includes(`${block}`), block);
    assert.deepEqual(values(r.text, 'bg'), ['#fffbf6', '#20161f', '#20161f', '#20161f']);
    assert.deepEqual(values(r.text, 'accent'), Array(4).fill('#db924b'));
    assert.deepEqual(values(r.text, 'r-s'), Array(4).fill('3px'));
    assert.equal(values(r.text, 'heroui-background')[0], '33.3333 100% 98.2353%');
    assert.equal(values(r.text, 'heroui-disabled-opacity')[0], '0.5');
    assert.notEqual(values(r.text, 'link')[0], '#db924b');   // it could not be read on that ground
    await s.logged(/light: links \(made of primary\) on content\d: #db924b has a contrast of/);
  }));

  test('an absolute path is one', opts, async () => {
    const dir = mkdtempSync(path.join(tmpdir(), 'parley-theme-at-'));
    chmodSync(dir, 0o755);
    try {
      writeFileSync(path.join(dir, 'mine.json'), JSON.stringify(coffee));
      await withConfig({ json: { theme: path.join(dir, 'mine.json') } }, async (s) => assert.equal((await theme(s)).status, 200));
    } finally { rmSync(dir, { recursive: true, force: true }); }
  });

  test('who has it already is told so', opts, () => withConfig(themed(coffee), async (s) => {
    const { headers: { etag } } = await theme(s);
    const inner = etag.slice(1, -1);
    for (const tags of [etag, `W/${etag}`, `"other", ${etag}`, '*', `"${inner}-gzip"`]) {
      const r = await theme(s, { 'If-None-Match': tags });
      assert.equal(r.status, 304, tags);
      assert.equal(r.raw.length, 0);
      if (r.headers.etag !== undefined) assert.equal(r.headers.etag, etag);
      assert.equal(r.headers['content-type'], undefined);
    }
    for (const tags of ['"other"', '""', inner, `"${inner}`.slice(0, -2), `"x${inner}"`, ',,,', 'W/', `"${inner}x"`]) assert.equal((await theme(s, { 'If-None-Match': tags })).status, 200, tags);
  }));

  test('a changed file shows at once, under another tag', opts, () => withConfig(themed(coffee), async (s, at) => {
    const first = await theme(s);
    at.write('theme.json', { themes: { light: { colors: { background: '#123456' } } } });
    const second = await theme(s, { 'If-None-Match': first.headers.etag });
    assert.equal(second.status, 200);
    assert.equal(values(second.text, 'bg')[0], '#123456');
    assert.notEqual(second.headers.etag, first.headers.etag);
    at.write('theme.json', { themes: { light: { colors: { background: '#654321' } } } });   // the same size
    assert.equal(values((await theme(s)).text, 'bg')[0], '#654321');
    at.write('theme.json', coffee);
    assert.equal((await theme(s, { 'If-None-Match': first.headers.etag })).status, 304);
  }));

  test('a file that cannot be used is an error of ours, with the reason in the log, until it is good again', opts, () => withConfig(themed(coffee), async (s, at) => {
    for (const [text, reason] of [['export default {}', /it is JavaScript/], ['{"themes":', /cut short or not well-formed/], ['[]', /no JSON object/], [' '.repeat(300_000), /too large/], ['{}\u0000', /NUL/]]) {
      at.write('theme.json', text);
      const r = await theme(s, { 'If-None-Match': '*' });
      assertDetail(r, 500);
      assert.match(r.headers['cache-control'], /no-store/);
      assert.equal(r.headers.etag, undefined);
      assert.doesNotMatch(r.text, /theme\.json|\/tmp/);                                     // where files are is nobody's business
      await s.logged(new RegExp(`theme\\.json is not usable: [^"]*${reason.source}`));
    }
    rmSync(path.join(at.dir, 'theme.json'));
    assertDetail(await theme(s), 500);
    await s.logged(/theme\.json cannot be read: No such file/);
    mkdirSync(path.join(at.dir, 'theme.json'));
    assertDetail(await theme(s), 500);
    await s.logged(/theme\.json cannot be read: it is no file/);
    rmSync(path.join(at.dir, 'theme.json'), { recursive: true });
    at.write('theme.json', coffee);
    assert.equal((await theme(s)).status, 200);
  }));

  test('nothing of the file is copied into the style sheet', opts, () => {
    const evil = ['red;} body{display:none', '</style><img src=x onerror=alert(1)>', 'url(//evil.example/x)', '#fff/*', '1e999px', '"><img src=x onerror=alert(1)>'];
    const colors = Object.fromEntries(['background', 'foreground', 'divider', 'focus', 'overlay'].map((k, i) => [k, evil[i]]));
    const scale = Object.fromEntries(['50', 'DEFAULT', 'foreground', evil[0], evil[1]].map((k, i) => [k, evil[i]]));
    return withConfig(themed({
      themes: { light: { colors: { ...colors, primary: scale, [evil[1]]: evil[1] } }, dark: { colors: { content1: evil[5] } }, [evil[0]]: { colors: { background: '#fff' } } },
      layout: { radius: { small: evil[4], [evil[0]]: '1px' }, boxShadow: { small: `0 0 ${evil[2]}` }, disabledOpacity: evil[3], [evil[5]]: 1 },
    }), async (s) => {
      const r = await theme(s);
      assert.equal(r.status, 200);
      assert.doesNotMatch(r.text, /evil|img|alert|display|url|1e999|[<>'\\]/);
      assert.deepEqual(values(r.text, 'bg').slice(0, 2), ['#ffffff', '#000000']);           // HeroUI's own where the file's cannot be used
      await s.logged(/themes\.light\.colors\.background is ignored/);
    });
  });

  test('what a load had to say is said once', { ...opts, skip: lacks('threadedWorker') }, () => withConfig(themed(coffee), async (s, at) => {
    const count = () => s.log().split('links (made of primary)').length - 1;
    await theme(s);
    await s.logged(/dark: /);
    const said = count();
    assert.ok(said > 0);
    for (let i = 0; i < 5; i++) await theme(s);
    at.write('theme.json', { ...coffee, layout: {} });
    await theme(s);
    await s.logged(new RegExp(`(links \\(made of primary\\)[\\s\\S]*){${2 * said}}`));
    assert.equal(count(), 2 * said);
  }));

  test('it needs no sign-in of ours; many may ask at once while the file changes', opts, () => withConfig(themed(coffee), async (s, at) => {
    const all = [];
    for (let i = 0; i < 30; i++) {
      all.push(theme(s));
      if (i % 10 === 5) at.write('theme.json', { ...coffee, layout: { radius: { small: `${i}px` } } });
    }
    // a reader may meet a file that is half written: that is said as such, never worse
    for (const r of await Promise.all(all)) assert.ok(r.status === 200 || r.status === 500, `${r.status}`);
    const r = await theme(s);
    assert.equal(values(r.text, 'r-s')[0], '25px');
  }));
});
