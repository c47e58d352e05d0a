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
const html = files.find((file) => file.name === 'index.html').text;

test('no HTML strings and no code from strings', () => {
  for (const { name, text } of files) assert.doesNotMatch(text, SINKS, name);
});

test('nothing inline in the page', () => {
  assert.doesNotMatch(html, /<style|\sstyle=|\son[a-z]+=|javascript:|<script(?![^>]*\ssrc=)/i);
});

test('the policy comes first in the head, with Trusted Types', () => {
  assert.match(html, /<head>\s*<meta http-equiv="Content-Security-Policy" content="default-src 'none'; script-src 'self'; [^"]*require-trusted-types-for 'script'; trusted-types app">/);
  assert.ok(Buffer.from(html).subarray(0, 1024).includes('<meta charset="utf-8">'), 'the charset is within the first 1024 bytes');
});

test('every address is relative and every file named is there', () => {
  const addresses = [...html.matchAll(/\s(?:src|href)="([^"#]+)"/g)].map((match) => match[1]);
  assert.ok(addresses.length > 5);
  for (const address of addresses) {
    assert.doesNotMatch(address, /^(\/|[a-z]+:)/, address);
    assert.ok(statSync(path.join(WWW, address)), address);
  }
  for (const { name, text } of files) assert.doesNotMatch(text.replaceAll('http://www.w3.org/2000/svg', ''), /https?:\/\//, name);
});

test('every static import is preloaded', () => {
  const modules = files.filter(({ name }) => name.endsWith('.js') && name !== 'js/app.js');
  for (const { name } of modules) assert.ok(html.includes(`<link rel="modulepreload" href="${name}">`), name);
});

test('every file opens with a comment', () => {
  for (const { name, text } of files) assert.match(text, /^(?:\/\/ |\/\* |(?:<!doctype html>\n)?<!-- )/, name);
});

test('the whole page is light: at most 100 KB gzip', () => {
  const bytes = files.reduce((sum, { text }) => sum + gzipSync(text).length, 0);
  assert.ok(bytes <= 100_000, `${bytes} bytes`);
});
