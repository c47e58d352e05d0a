// Code in answers: language, colours, Copy, Wrap, and marks that turn text around. Neighbours: www/js/code.js, www/vendor/highlight.js.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import nodeTest from 'node:test';
import { stand, test, eventually } from './stand.js';
import { openProse, draw } from './prose.js';

const at = stand();
const fence = (label, text) => `\`\`\`${label}\n${text}\n\`\`\``;
const codeOf = (page) => page.evaluate(() => window.place.querySelector('pre code').innerHTML);

nodeTest('the languages that are named are those that are there', async () => {
  const { languageOf, nameOf } = await import('../../www/js/code.js');
  const there = readdirSync(new URL('../../www/vendor/languages/', import.meta.url)).map((name) => name.replace('.js', ''));
  assert.ok(there.length >= 22);
  for (const name of there) assert.equal(languageOf(name), name);
  for (const [label, id] of Object.entries({ js: 'javascript', TS: 'typescript', py: 'python', sh: 'bash', html: 'xml', yml: 'yaml', 'c++': 'cpp', 'C#': 'csharp', rs: 'rust', jsonc: 'json', toml: 'ini' })) assert.equal(languageOf(label), id, label);
  for (const label of ['', 'text', 'cobol', 'constructor', '__proto__', 'hasOwnProperty', '../python']) assert.equal(languageOf(label), null, label);
  assert.deepEqual(['js', 'HTML', 'c++', 'brainfuck', 'text', ''].map(nameOf), ['JavaScript', 'HTML', 'C++', 'brainfuck', '', '']);
});

nodeTest('the colours of code can be read: 4.5:1 at least on their ground, light and dark', () => {
  const css = readFileSync(new URL('../../www/css/answer.css', import.meta.url), 'utf8');
  const colours = [...css.matchAll(/--code-(\w+): light-dark\((#\w{6}), (#\w{6})\)/g)].map(([, name, ...both]) => [name, both]);
  const light = (hex) => [1, 3, 5].map((from) => parseInt(hex.slice(from, from + 2), 16) / 255).map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4))
    .reduce((sum, part, index) => sum + part * [0.2126, 0.7152, 0.0722][index], 0);
  const ratio = (one, other) => (Math.max(light(one), light(other)) + 0.05) / (Math.min(light(one), light(other)) + 0.05);
  const ground = Object.fromEntries(colours).bg;
  const texts = colours.filter(([name]) => !['bg', 'line'].includes(name));
  assert.ok(texts.length >= 10);
  for (const [name, both] of texts) for (const scheme of [0, 1]) assert.ok(ratio(both[scheme], ground[scheme]) >= 4.5, `${name}: ${ratio(both[scheme], ground[scheme])}`);
});

test('every language is coloured, out of the token tree that highlight.js keeps', async (t) => {
  const page = await openProse(at, t);
  const samples = {
    bash: 'if true; then echo "$HOME"; fi', c: 'int main(void) { return 0; }', cpp: 'class A : public B {};', csharp: 'public class A { }', css: 'a { color: red }', diff: '+ added', dockerfile: 'FROM debian', go: 'func main() {}', ini: '[a]\nb = 1', java: 'public class A {}',
    javascript: 'const f = () => "x";', json: '{"a": 1}', kotlin: 'fun main() {}', lua: 'local x = 1', makefile: 'all: $(X)', markdown: '# a', perl: 'my $x = "a";', php: '<?php echo "a"; ?>', powershell: 'function x { "a" }', python: 'def f(): return "x"', ruby: 'def x; "a"; end',
    rust: 'fn main() {}', shell: '$ ls -l "x"', sql: "SELECT 'a'", swift: 'let x = "a"', typescript: 'let x: string = "a";', xml: '<a href="b">c</a>', yaml: 'a: "b"',
  };
  for (const [language, text] of Object.entries(samples)) {
    await draw(page, fence(language, text));
    assert.match(await codeOf(page), /<span class="hljs-/, language);
    assert.equal(await page.locator('.prose pre code').textContent(), text, language);
  }
  await draw(page, fence('python', 'class A(B):\n    x = f"{y}"'));
  assert.equal(await codeOf(page), '<span class="hljs-keyword">class</span> <span class="hljs-title class_">A</span>(<span class="hljs-title class_ inherited__">B</span>):\n    x = <span class="hljs-string">f"<span class="hljs-subst">{y}</span>"</span>');
  await draw(page, fence('html', '<style>a { color: red }</style>'));
  assert.match(await codeOf(page), /<span class="language-css"><span class="hljs-selector-tag">a<\/span>/);
});

test('no guessing, no colours beyond 50 KB, and nothing is fetched for either', async (t) => {
  const page = await openProse(at, t);
  const fetched = [];
  page.on('request', (request) => { if (request.url().includes('/vendor/')) fetched.push(request.url()); });
  await page.evaluate((text) => {
    const markdown = window.js.createMarkdown();
    window.place.replaceChildren(markdown.element);
    markdown.set(text);
  }, [fence('', 'def f(): return 1'), fence('nolanguage', 'def f(): return 1'), fence('python', 'x = 1\n'.repeat(9000)), '    def f(): return 1'].join('\n\n'));
  await page.waitForLoadState('networkidle');
  assert.equal(await page.locator('.prose pre span').count(), 0);
  assert.deepEqual(await page.locator('.code-name').allTextContents(), ['Text', 'nolanguage', 'Python', 'Text']);
  assert.deepEqual(fetched, []);
});

test('a language that cannot be fetched leaves the text plain', async (t) => {
  const page = await openProse(at, t, { allow: /Failed to load resource|404/ });
  await page.route('**/vendor/languages/python.js*', (route) => route.fulfill({ status: 404, body: '' }));
  await draw(page, fence('python', 'x = 1'));
  assert.equal(await page.locator('.prose pre code').textContent(), 'x = 1');
});

for (const [how, clipboard] of [['the clipboard', true], ['plain http, where there is none', false]]) {
  test(`Copy copies the code as it is, with ${how}, and says so`, async (t) => {
    const page = await openProse(at, t, { permissions: ['clipboard-read', 'clipboard-write'] });
    await page.evaluate(() => { window.board = navigator.clipboard; });
    if (!clipboard) await page.evaluate(() => Object.defineProperty(navigator, 'clipboard', { value: undefined }));
    const text = 'if (a < b) {\n\treturn "x\u202Ey";\n}';
    await draw(page, fence('js', text));
    const button = page.locator('.prose').getByRole('button', { name: 'Copy' });
    const { width } = await button.boundingBox();
    const said = page.locator('.prose').getByRole('button', { name: 'Copied' }).waitFor();      // it stands for a moment only
    await button.click();
    await said;
    assert.equal((await page.locator('.code-copy').boundingBox()).width, width, 'nothing moves');
    assert.equal(await page.evaluate(() => window.board.readText()), text);
    await eventually(async () => (await page.locator('#status').textContent()) === 'Copied', 'it is said to screen readers');
    await button.waitFor();
    assert.equal(await page.evaluate(() => document.activeElement.className), 'code-button code-copy', 'the focus stays');
  });
}

test('Wrap breaks long lines and is remembered by the button', async (t) => {
  const page = await openProse(at, t);
  await draw(page, fence('', 'word '.repeat(200)));
  const wide = () => page.locator('.prose pre').evaluate((pre) => pre.scrollWidth > pre.clientWidth);
  const button = page.locator('.prose').getByRole('button', { name: 'Wrap' });
  assert.equal(await wide(), true);
  assert.equal(await button.getAttribute('aria-pressed'), 'false');
  await button.click();
  assert.equal(await wide(), false);
  assert.equal(await button.getAttribute('aria-pressed'), 'true');
  await button.click();
  assert.equal(await wide(), true);
});

test('the code is reached by keyboard, has a name, and is not translated or turned around', async (t) => {
  const page = await openProse(at, t);
  await draw(page, fence('py', 'x = 1'));
  const code = page.locator('.prose').getByRole('group', { name: 'Code, Python' });
  assert.deepEqual(await code.evaluate((pre) => [pre.tabIndex, pre.dir, pre.getAttribute('translate')]), [0, 'ltr', 'no']);
});

test('marks that turn text around are shown, and turn nothing around', async (t) => {
  const page = await openProse(at, t);
  const text = 'if (level != "user\u202E \u2066// admin\u2069 \u2066") {';
  await draw(page, `${fence('js', text)}\n\nand \`a\u202Eb\``);
  assert.deepEqual(await page.locator('.code-turn').evaluateAll((marks) => marks.map((mark) => mark.dataset.mark)), ['U+202E', 'U+2066', 'U+2069', 'U+2066', 'U+202E']);
  assert.doesNotMatch(await page.locator('.prose').textContent(), /[\u202A-\u202E\u2066-\u2069]/);
  assert.equal(await page.locator('.code-warning').isVisible(), true);
  await draw(page, fence('js', 'let x = 1;'));
  assert.equal(await page.locator('.code-warning').isVisible(), false);
});

test('the tools of a code block are there from its first letter on, and nothing moves when it ends', async (t) => {
  const page = await openProse(at, t);
  const heights = await page.evaluate(async () => {
    const frame = () => new Promise((resolve) => requestAnimationFrame(() => resolve()));
    const markdown = window.js.createMarkdown();
    window.place.replaceChildren(markdown.element);
    await window.js.loadLanguage('python');
    const seen = [];
    for (const piece of ['```python\nx', ' = 1', '\n', '``', '`', '\n']) {
      markdown.append(piece);
      await frame();
      await frame();
      seen.push(markdown.element.querySelector('figure').offsetHeight);
    }
    markdown.finish();
    return [...seen, markdown.element.querySelector('figure').offsetHeight];
  });
  assert.equal(new Set(heights).size, 1, heights.join(' '));
});
