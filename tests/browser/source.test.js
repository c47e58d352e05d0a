// What the files of www/ promise: no HTML strings, no inline code, nothing from other hosts, a comment on top of each.
// Neighbours: www/. Needs neither browser nor server.
import test from 'node:test';
import assert from 'node:assert/strict';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';

const WWW = path.resolve(fileURLToPath(import.meta.url), '../../../www');
const SINKS = /innerHTML|outerHTML|insertAdjacentHTML|document\.write|srcdoc|setHTMLUnsafe|DOMParser|createContextualFragment|\beval\b|new Function/;

function filesIn(folder) {
  return readdirSync(folder).filter((name) => name !== 'vendor' && name !== 'node_modules').flatMap((name) => {
    const full = path.join(folder, name);
    return statSync(full).isDirectory() ? filesIn(full) : [full];
  });
}

const files = filesIn(WWW).filter((file) => !file.endsWith('.json')).map((file) => ({ name: path.relative(WWW, file), text: readFileSync(file, 'utf8') }));
const PAGES = files.filter((file) => file.name.endsWith('.html'));
const policyOf = (html) => html.match(/<meta http-equiv="Content-Security-Policy"[^>]*>/)?.[0];

test('no HTML strings and no code from strings', () => {
  for (const { name, text } of files) assert.doesNotMatch(text, SINKS, name);
});

test('nothing inline in the pages', () => {
  for (const { name, text } of PAGES) assert.doesNotMatch(text, /<style|\sstyle=|\son[a-z]+=|javascript:|<script(?![^>]*\ssrc=)/i, name);
});

test('the policy comes first in the head, with Trusted Types, and is the same for all pages', () => {
  for (const { name, text } of PAGES) {
    assert.match(text, /<head>\s*<meta http-equiv="Content-Security-Policy" content="default-src 'none'; script-src 'self'; [^"]*require-trusted-types-for 'script'; trusted-types app">/, name);
    assert.ok(Buffer.from(text).subarray(0, 1024).includes('<meta charset="utf-8">'), `${name}: the charset is within the first 1024 bytes`);
    assert.equal(policyOf(text), policyOf(PAGES[0].text), name);
  }
});

test('every address is relative and every file named is there', () => {
  for (const page of PAGES) {
    const addresses = [...page.text.matchAll(/\s(?:src|href)="([^"#]+)"/g)].map((match) => match[1]);
    assert.ok(addresses.length > 5, page.name);
    for (const address of addresses) {
      assert.doesNotMatch(address, /^(\/|[a-z]+:)/, address);
      assert.ok(statSync(path.join(WWW, address)), address);
    }
  }
  for (const { name, text } of files) assert.doesNotMatch(text.replaceAll('http://www.w3.org/2000/svg', ''), /https?:\/\//, name);
});

// The modules that `name` imports, directly or not, without itself.
function importsOf(name, seen = new Set()) {
  const { text } = files.find((file) => file.name === name);
  for (const [, other] of text.matchAll(/^import [^;]*?from "\.\/([^"]+)";/gm)) {
    const full = `js/${other}`;
    if (!seen.has(full)) importsOf(full, seen.add(full));
  }
  return seen;
}

test('each page preloads every static import, and nothing else', () => {
  for (const { name, text } of PAGES) {
    const start = text.match(/<script type="module" src="([^"]+)">/)[1];
    const preloads = [...text.matchAll(/<link rel="modulepreload" href="([^"]+)">/g)].map((match) => match[1]);
    assert.deepEqual(preloads.sort(), [...importsOf(start)].sort(), name);
  }
});

test('no module is left over', () => {
  const used = new Set(PAGES.flatMap(({ text }) => [...text.matchAll(/(?:src|href)="(js\/[^"]+)"/g)].map((match) => match[1])));
  for (const { name } of files.filter((file) => file.name.startsWith('js/'))) assert.ok(used.has(name), name);
});

test('every file opens with a comment', () => {
  for (const { name, text } of files) assert.match(text, /^(?:\/\/ |# |\/\* |(?:<!doctype html>\n)?<!-- )/, name);
});

test('all of it is light: at most 100 KB gzip', () => {
  const bytes = files.reduce((sum, { text }) => sum + gzipSync(text).length, 0);
  assert.ok(bytes <= 100_000, `${bytes} bytes`);
});
