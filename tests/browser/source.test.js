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
  return readdirSync(folder).filter((name) => !['vendor', 'node_modules', 'assets', 'index.html'].includes(name)).flatMap((name) => {
    const full = path.join(folder, name);
    return statSync(full).isDirectory() ? filesIn(full) : [full];
  });
}

// What people write: index.html and assets/ are copies (tests/page.sh), vendor/ is other people's.
const files = filesIn(WWW).filter((file) => /(?:\.(?:html|css|js|svg)|\.htaccess)$/.test(file)).map((file) => ({ name: path.relative(WWW, file), text: readFileSync(file, 'utf8') }));
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
  for (const { name, text } of files) assert.doesNotMatch(text.replaceAll('http://www.w3.org/2000/svg', ''), /https?:\/\/[\w.[]/, name);
});

const read = (name) => readFileSync(path.join(WWW, name));
const addressesIn = (text, element) => [...text.matchAll(element)].map((match) => match[1]);

/** What a module names: `static` are its imports, `dynamic` the import("…") of a name that stands there (`again`: see insist() in dom.js). Paths below www/. */
function namesIn(module) {
  const text = read(module).toString();
  const resolve = (names) => names.map((name) => path.posix.join(path.posix.dirname(module), name));
  return {
    static: resolve(addressesIn(text, /^(?:import|export)\b[^;"'(]*?["'](\.{1,2}\/[^"']+)["']/gm)),
    dynamic: resolve(addressesIn(text, /\bimport\(["`](\.{1,2}\/[^"`$]+)(?:"|\$\{again\}`)\)/g)),
  };
}

/** These modules and all that they import: only what has to be there before they run, or also what they may ask for later. */
function withImports(modules, { dynamic = false } = {}) {
  const seen = new Set();
  const visit = (module) => {
    if (seen.has(module)) return;
    seen.add(module);
    const names = namesIn(module);
    for (const name of [...names.static, ...(dynamic ? names.dynamic : [])]) visit(name);
  };
  for (const module of modules) visit(module);
  return [...seen];
}

const scriptsOf = (page) => addressesIn(page.text, /<script[^>]*\ssrc="([^"]+)"/g);
const preloadsOf = (page) => addressesIn(page.text, /<link rel="modulepreload" href="([^"]+)">/g);

test('each page preloads every static import, and nothing else', () => {
  for (const page of PAGES) {
    const scripts = scriptsOf(page);
    assert.deepEqual(preloadsOf(page).sort(), withImports(scripts).filter((name) => !scripts.includes(name)).sort(), page.name);
  }
});

test('app.js fetches side by side all that chat.js imports and the page does not have yet', () => {
  const later = addressesIn(read('js/app.js').toString().match(/const LATER = \[([^\]]+)\]/)[1], /"([^"]+)"/g).map((name) => `js/${name}.js`);
  const there = withImports(scriptsOf(PAGES.find(({ name }) => name === 'page.html')));
  assert.deepEqual(later.sort(), withImports(['js/chat.js']).filter((name) => !there.includes(name)).sort());
});

test('no module is left over', () => {
  const used = withImports(PAGES.flatMap(scriptsOf), { dynamic: true });
  for (const { name } of files.filter((file) => file.name.startsWith('js/'))) assert.ok(used.includes(name), name);
});

test('every file opens with a comment', () => {
  for (const { name, text } of files) assert.match(text, /^(?:\/\/ |# |\/\* |(?:<!doctype html>\n)?<!-- )/, name);
});

/** Bytes of these files on their way, each compressed for itself. */
const weight = (names) => [...new Set(names)].reduce((sum, name) => sum + gzipSync(read(name)).length, 0);

test('what is loaded before the first use is light: at most 100 KB gzip', (t) => {
  const page = PAGES.find(({ name }) => name === 'page.html');
  const styles = addressesIn(page.text, /<link rel="(?:stylesheet|icon)" href="([^"]+)"/g);
  const first = ['page.html', 'i18n/en.json', ...styles, ...preloadsOf(page), ...withImports(scriptsOf(page))];
  const talking = [...first, ...withImports(['js/chat.js']), 'vendor/markdown-it.js'];
  const all = [...first, ...withImports(scriptsOf(page), { dynamic: true })];
  t.diagnostic(`before the first use ${weight(first)} bytes; to talk, with Markdown, ${weight(talking)}; with all modules that are named, each when it is needed, ${weight(all)}`);
  assert.ok(weight(first) <= 100_000, `${weight(first)} bytes`);
});

test('the icons of the installed page are small, and the manifest names those that are there', () => {
  const manifest = JSON.parse(read('manifest.webmanifest'));
  for (const member of ['start_url', 'scope']) assert.equal(manifest[member], './', `${member}: below any prefix`);
  assert.equal(manifest.id, undefined, 'or the host would be the id, whatever the prefix: without one it is start_url');
  assert.equal(manifest.display, 'standalone');
  assert.deepEqual(manifest.share_target, { action: './', method: 'GET', enctype: 'application/x-www-form-urlencoded', params: { text: 'q' } });
  const sizes = new Set();
  for (const { src, sizes: size, type, purpose } of manifest.icons) {
    assert.doesNotMatch(src, /^(\/|[a-z]+:)/, src);
    assert.ok(read(src).length < 10_000, src);
    if (type === 'image/png') assert.equal(pngSize(read(src)), size, src);
    sizes.add(`${size} ${purpose ?? 'any'}`);
  }
  for (const needed of ['192x192 any', '512x512 any', '512x512 maskable']) assert.ok(sizes.has(needed), needed);
  assert.equal(pngSize(read('icons/apple-touch-icon.png')), '180x180');
});

const pngSize = (png) => `${png.readUInt32BE(16)}x${png.readUInt32BE(20)}`;
