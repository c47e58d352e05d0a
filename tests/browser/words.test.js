// The texts of the page: every language says everything that English says, and English says what the page asks for.
// Neighbours: www/i18n, www/js/i18n.js. Needs neither browser nor server. Leaves out: whether a translation is a good one.
import test from 'node:test';
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { LANGUAGES } from '../../www/js/i18n.js';

const WWW = new URL('../../www/', import.meta.url);
const read = (path) => readFileSync(new URL(path, WWW), 'utf8');
const texts = Object.fromEntries(Object.keys(LANGUAGES).map((tag) => [tag, JSON.parse(read(`i18n/${tag}.json`))]));
const { en: english, ...translations } = texts;
const scripts = readdirSync(new URL('js/', WWW)).map((name) => ({ name, text: read(`js/${name}`) }));
const pageName = existsSync(new URL('page.html', WWW)) ? 'page.html' : 'index.html';
const page = read(pageName);

// Keys that scripts put together: as it is written there, and what it can become.
const DYNAMIC = {
  'actions.${kind}': /^actions\.(like|dislike)$/,
  'answer.plan.${PLAN_ICONS[status] ? status : "pending"}': /^answer\.plan\.(pending|in_progress|completed|failed)$/,
  'confirm.${state}': /^confirm\.(pending|confirmed|declined|skipped)$/,
  'error.${code}': /^error\.(busy|network|interrupted|bad_answer|no_program)$/,
  'error.${status}': /^error\.\d{3}$/,
  'form.not_${field.kind === "text" ? field.input : field.kind}': /^form\.not_(number|integer|email|url|date|time|json)$/,
  'keys.${key}': /^keys\.(ctrl|alt|shift|enter|escape)$/,
  'keys.${parts[at]}': /^keys\.arrow(up|down|left|right)$/,
  'prefs.${name}': /^prefs\.(look|keys|readers|developers|enterSends|shortcuts|debug)$/,
  'prefs.${name}_help': /^prefs\.(enterSends|shortcuts|debug)_help$/,
  'prefs.announce_${value}': /^prefs\.announce_(blocks|end|off)$/,
  'prefs.scheme_${value}': /^prefs\.scheme_(system|light|dark)$/,
  'sidebar.${key}': /^sidebar\.(today|yesterday|week|month)$/,
  'state.${state}': /^state\.(reconnecting|offline|wait|poll)$/,
  'usage.${name}_by_day': /^usage\.(tokens|cost)_by_day$/,
};

const sections = new Set(Object.keys(english).map((key) => key.split('.')[0]));
const formsOf = (text) => (typeof text === 'string' ? { text } : text);
const namesIn = (form) => [...form.matchAll(/\{(\w+)\}/g)].map((match) => match[1]).sort();
const sorted = (list) => [...list].sort();

// ---- the files

test('each language has a file, and boot.js knows it', () => {
  assert.deepEqual(sorted(readdirSync(new URL('i18n/', WWW))), sorted(Object.keys(LANGUAGES).map((tag) => `${tag}.json`)));
  const known = JSON.parse(read('js/boot.js').match(/const languages = (\[[^\]]*\])/)[1]);
  assert.deepEqual(sorted(known), sorted(Object.keys(LANGUAGES)));
});

test('no key twice, and a newline at the end', () => {
  for (const tag of Object.keys(texts)) {
    const file = read(`i18n/${tag}.json`);
    const keys = [...file.matchAll(/^ {2}"([^"]+)":/gm)].map((match) => match[1]);
    assert.deepEqual(keys, Object.keys(texts[tag]), tag);
    assert.match(file, /[^\n]\n$/, tag);
  }
});

test('every language has the keys of English, in the same order', () => {
  for (const [tag, own] of Object.entries(translations)) assert.deepEqual(Object.keys(own), Object.keys(english), tag);
});

test('no text is empty or has spaces around it', () => {
  eachForm((form, where) => assert.ok(form !== '' && form === form.trim(), where));
});

test('plural forms are those of the language', () => {
  for (const [tag, own] of Object.entries(texts)) {
    const categories = sorted(new Intl.PluralRules(tag).resolvedOptions().pluralCategories);
    for (const [key, text] of Object.entries(own)) {
      assert.equal(typeof text, typeof english[key], `${tag} ${key}`);
      if (typeof text === 'object') assert.deepEqual(sorted(Object.keys(text)), categories, `${tag} ${key}`);
    }
  }
});

// In a form for one number alone the number may be in the words: "one day".
test('every text has the {names} of English', () => {
  const withoutCount = (names) => names.filter((name) => name !== 'count');
  eachForm((form, where, key, category) => {
    const wanted = namesIn(formsOf(english[key]).text ?? english[key].other);
    const given = namesIn(form);
    const mayLackCount = ['zero', 'one', 'two'].includes(category) && !given.includes('count');
    assert.deepEqual(given, mayLackCount ? withoutCount(wanted) : wanted, where);
  });
});

// ---- typography

test('quotes and dots are typographic', () => {
  eachForm((form, where) => assert.doesNotMatch(form, /["']|\.\.\./, where));
});

test('each language has its own signs', () => {
  const wrong = {
    de: /[“”](?=\p{L}|\{)|[«»]|[^\u00a0]…$/u,            // „…“, a space before an ellipsis
    fr: /[^\u202f][:;?!»](?!\/)|«[^\u202f]|[“”]/u,       // narrow no-break spaces inside « » and before : ; ? !
    es: /[“”]|^[^¿]*\?$|^[^¡]*!$/u,
    zh: /\p{Script=Han}[,.;:?!()]|[,;:?!()]\p{Script=Han}|\.{3}/u,
    ar: /\p{Script=Arabic}[,;?]|[“”]/u,
  };
  for (const [tag, pattern] of Object.entries(wrong)) eachForm((form, where) => assert.doesNotMatch(form, pattern, where), { [tag]: texts[tag] });
});

// U+2066 and U+2068 keep what is written from left to right in its own order, up to U+2069.
test('isolates are closed', () => {
  eachForm((form, where) => assert.match(form, /^([^\u2066-\u2069]|[\u2066\u2068][^\u2066-\u2069]+\u2069)*$/u, where));
});

// ---- what the page asks for

test('the page has the words of English beside each key', () => {
  let count = 0;
  for (const [, attributes, after] of page.matchAll(/<[a-z][\w-]*((?:\s+[\w-]+(?:="[^"]*")?)*)\s*\/?>([^<]*)/g)) {
    const given = Object.fromEntries([...attributes.matchAll(/([\w-]+)(?:="([^"]*)")?/g)].map(([, name, value]) => [name, plain(value ?? '')]));
    for (const [name, key] of Object.entries(given).filter(([each]) => /^data-t(-|$)/.test(each))) {
      const written = { 'data-t': plain(after), 'data-t-label': given['aria-label'], 'data-t-placeholder': given.placeholder, 'data-t-title': given.title }[name];
      assert.equal(written, english[key], `${pageName} ${name}="${key}"`);
      count += 1;
    }
    for (const [name, key] of [['aria-label', 'data-t-label'], ['placeholder', 'data-t-placeholder'], ['title', 'data-t-title']]) {
      assert.ok(!given[name] || given[key], `${pageName}: ${name}="${given[name]}" has no ${key}`);
    }
  }
  assert.ok(count > 30, `${count} keys`);
});

test('every key in the scripts is there', () => {
  for (const { name, text } of scripts) {
    for (const [, key] of text.matchAll(/\bt\("([^"]+)"/g)) assert.ok(key in english, `${name}: ${key}`);
    for (const key of literalKeys(text)) assert.ok(key in english, `${name}: ${key}`);
  }
});

test('keys that scripts put together are those listed here', () => {
  const templates = scripts.flatMap(({ text }) => [...text.matchAll(/`([a-z]+\.(?:[^`$]|\$\{[^`}]*\})*)`/g)].map((match) => match[1]));
  const found = templates.filter((template) => template.includes('${') && sections.has(template.split('.')[0]));
  assert.deepEqual(sorted(new Set(found)), sorted(Object.keys(DYNAMIC)));
  for (const pattern of Object.values(DYNAMIC)) assert.ok(Object.keys(english).some((key) => pattern.test(key)), String(pattern));
});

test('no key is left over', () => {
  const used = new Set([...scripts.flatMap(({ text }) => literalKeys(text)), ...[...page.matchAll(/data-t(?:-\w+)?="([^"]+)"/g)].map((match) => match[1])]);
  const isUsed = (key) => used.has(key) || Object.values(DYNAMIC).some((pattern) => pattern.test(key));
  assert.deepEqual(Object.keys(english).filter((key) => !isUsed(key)), []);
});

// What looks like a key: a string that begins with the name of a section and a dot.
function literalKeys(text) {
  return [...text.matchAll(/"([a-z]+)(\.[\w.]*\w)"/g)].filter(([, section]) => sections.has(section)).map(([, section, rest]) => section + rest);
}

function plain(text) {
  return text.replaceAll('&quot;', '"').replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&amp;', '&');
}

// `check(form, where, key, category)` for each text, and each form of those with plurals.
function eachForm(check, of = texts) {
  for (const [tag, own] of Object.entries(of)) {
    for (const [key, text] of Object.entries(own)) {
      for (const [category, form] of Object.entries(formsOf(text))) check(form, `${tag} ${key} ${category}: ${form}`, key, category);
    }
  }
}
