// The words of the page: how a text is chosen and filled, and that the files of all languages fit the code and each other.
// Neighbours: www/js/i18n.js, www/i18n/. Needs neither browser nor server; look.test.js has the page in another language.
import test, { beforeEach, describe } from 'node:test';
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { formatDay, formatList, formatMoney, formatNumber, LANGUAGES, t, useTexts } from '../../www/js/i18n.js';

const www = new URL('../../www/', import.meta.url);
const PAGE = existsSync(new URL('page.html', www)) ? 'page.html' : 'index.html';      // what `make` writes the other from
const read = (path) => readFileSync(new URL(path, www), 'utf8');

describe('a text', () => {
  const english = { plain: 'Hello', named: 'Hello {name}, {name}!', many: { one: '{count} answer', other: '{count} answers' }, only: 'Only English' };
  beforeEach(() => useTexts('en', english));

  test('is found by its key; a key that nobody knows is shown itself', () => {
    assert.equal(t('plain'), 'Hello');
    assert.equal(t('no.such.key'), 'no.such.key');
  });

  test('has its names filled in, each time; what is not given stays; what is filled in is not filled again', () => {
    assert.equal(t('named', { name: 'Ann' }), 'Hello Ann, Ann!');
    assert.equal(t('named'), 'Hello {name}, {name}!');
    assert.equal(t('named', { name: '{name} $& $1' }), 'Hello {name} $& $1, {name} $& $1!');
    assert.equal(t('named', { name: '' }), 'Hello , !');
  });

  test('holds what is filled in apart where it is written in the other direction', () => {
    assert.equal(t('named', { name: 'שלום' }), 'Hello \u2068שלום\u2069, \u2068שלום\u2069!');
    useTexts('ar', { named: 'مرحبا {name}', many: '{count} و {name}' }, english);
    assert.equal(t('named', { name: 'notes (2).txt' }), 'مرحبا \u2068notes (2).txt\u2069');
    assert.equal(t('named', { name: 'علي' }), 'مرحبا علي');
    assert.equal(t('many', { count: 1, name: '12:30' }), `${formatNumber(1)} و 12:30`);
  });

  test('has the plural of its language, and numbers as it writes them', () => {
    assert.equal(t('many', { count: 1 }), '1 answer');
    assert.equal(t('many', { count: 0 }), '0 answers');
    assert.equal(t('many', { count: 12345 }), '12,345 answers');
    useTexts('de', { many: { one: '{count} Antwort', other: '{count} Antworten' } }, english);
    assert.equal(t('many', { count: 12345 }), '12.345 Antworten');
    useTexts('fr', { many: { one: '{count} réponse', other: '{count} réponses' } }, english);
    assert.equal(t('many', { count: 0 }), '0 réponse', 'in French zero is singular');
    useTexts('ar', { many: { zero: 'z', one: 'one', two: 'two', few: 'few', many: 'many', other: 'other' } }, english);
    assert.deepEqual([0, 1, 2, 3, 11, 100].map((count) => t('many', { count })), ['z', 'one', 'two', 'few', 'many', 'other']);
    useTexts('ar', { many: { other: 'other' } }, english);
    assert.equal(t('many', { count: 2 }), 'other', 'a form that is missing is the general one');
  });

  test('that a language lacks is English, with English plurals; each key for itself', () => {
    useTexts('fr', { plain: 'Bonjour' }, english);
    assert.equal(t('plain'), 'Bonjour');
    assert.equal(t('only'), 'Only English');
    assert.equal(t('many', { count: 0 }), '0 answers');
    useTexts('fr', { plain: {} }, english);
    assert.equal(t('plain'), 'Hello', 'and so is one without a form');
  });
});

test('numbers, money, times and lists are written as the language does', () => {
  useTexts('en', {});
  const now = new Date('2026-11-22T12:00:00Z');
  assert.equal(formatNumber(1234.5), '1,234.5');
  assert.deepEqual([0, 0.00123, 0.05, 1.5, 1234].map(formatMoney), ['$0.00', '$0.0012', '$0.05', '$1.50', '$1,234.00']);
  assert.equal(formatList(['a', 'b', 'c']), 'a, b, and c');
  useTexts('de', {});
  assert.equal(formatNumber(1234.5), '1.234,5');
  assert.match(formatDay(now), /Sonntag/);
});

describe('the files of the languages', () => {
  const english = JSON.parse(read('i18n/en.json'));
  const names = (text) => [...new Set((typeof text === 'string' ? [text] : Object.values(text)).flatMap((form) => form.match(/\{\w+\}/g) ?? []))].sort();
  const tags = readdirSync(new URL('i18n/', www)).filter((name) => name.endsWith('.json')).map((name) => name.slice(0, -5));

  test('there is English, and every file is a language that can be chosen', () => {
    assert.ok(tags.includes('en'));
    for (const tag of tags) assert.ok(LANGUAGES[tag], `${tag} is not in LANGUAGES`);
    assert.match(read('js/boot.js'), new RegExp(`\\["${Object.keys(LANGUAGES).join('", "')}"\\]`), 'boot.js has the same languages');
  });

  for (const tag of tags) {
    test(`${tag}: no unknown keys, the same {names}, plural forms that the language has`, () => {
      const texts = JSON.parse(read(`i18n/${tag}.json`));
      const forms = new Intl.PluralRules(tag).resolvedOptions().pluralCategories;
      for (const [key, text] of Object.entries(texts)) {
        assert.ok(key in english, `${key} is not in en.json`);
        assert.equal(typeof text, typeof english[key], `${key}: one has plural forms, the other not`);
        assert.deepEqual(names(text), names(english[key]), `${key}: other {names}`);
        if (typeof text === 'string') continue;
        assert.ok(text.other, `${key} has no general form`);
        for (const form of Object.keys(text)) assert.ok(forms.includes(form), `${key}: ${tag} has no form "${form}"`);
        assert.deepEqual(names(text.other), names(english[key]), `${key}: the general form has all names`);
      }
      for (const text of Object.values(texts).flatMap((each) => (typeof each === 'string' ? [each] : Object.values(each)))) {
        assert.ok(text.trim() === text && text !== '', JSON.stringify(text));
        assert.doesNotMatch(text, /<|&[a-z]+;/, 'texts are no markup');
      }
    });
  }

  test('no key stands twice in a file', () => {
    for (const tag of tags) {
      const keys = [...read(`i18n/${tag}.json`).matchAll(/^ {2}"([^"]+)":/gm)].map(([, key]) => key);
      assert.deepEqual(keys.filter((key, at) => keys.indexOf(key) !== at), [], tag);
      assert.equal(keys.length, Object.keys(JSON.parse(read(`i18n/${tag}.json`))).length, `${tag}: one key a line`);
    }
  });

  test('every text that the page asks for is there', () => {
    const scripts = readdirSync(new URL('js/', www)).filter((name) => name.endsWith('.js')).map((name) => [name, read(`js/${name}`)]);
    for (const [name, code] of scripts) {
      for (const [, key] of code.matchAll(/\bt\("([^"]+)"/g)) assert.ok(key in english, `${name} asks for ${key}`);
      for (const [, begin] of code.matchAll(/\bt\(`([\w.]+)\$\{/g)) assert.ok(Object.keys(english).some((key) => key.startsWith(begin)), `${name} asks for ${begin}…`);
    }
    const page = read(PAGE);
    for (const [, key] of page.matchAll(/ data-t(?:-label|-placeholder|-title)?="([^"]+)"/g)) assert.ok(key in english, `${PAGE} asks for ${key}`);
  });

  test('what the page says in English is what en.json says', () => {
    const page = read(PAGE).replaceAll('&amp;', '&');
    for (const [, key, text] of page.matchAll(/ data-t="([^"]+)"[^>]*>([^<]+)</g)) assert.equal(text.trim(), english[key], key);
    for (const [, tag] of page.matchAll(/<(\w[^>]*data-t-[^>]*)>/g)) {
      for (const [, name, key] of tag.matchAll(/data-t-(label|placeholder|title)="([^"]+)"/g)) {
        const attribute = name === 'label' ? 'aria-label' : name;
        assert.equal(new RegExp(` ${attribute}="([^"]*)"`).exec(tag)?.[1], english[key], `${attribute} of ${key}`);
      }
    }
  });
});
