// Formulas on the page: KaTeX comes when the first one does, and what it cannot draw is shown as it was written.
// Neighbours: www/js/formula.js, www/vendor/katex.js; maths.test.js has what is a formula.
import assert from 'node:assert/strict';
import { stand, test } from './stand.js';
import { openProse, draw } from './prose.js';

const at = stand();

test('KaTeX comes with the first formula, not before, and draws without HTML strings', async (t) => {
  const page = await openProse(at, t);
  const fetched = [];
  page.on('request', (request) => { if (request.url().includes('/vendor/')) fetched.push(request.url().replace(/.*\/vendor\//, '')); });
  await draw(page, 'no formula: $5 and $10');
  assert.deepEqual(fetched, []);
  await draw(page, '$E = mc^2$ and\n\n$$\n\\sqrt{\\frac{\\rule{1em}{50px}}{x}}\n$$');
  assert.deepEqual(fetched.filter((name) => /^katex/.test(name)).sort(), ['katex.css', 'katex.js']);
  assert.equal(await page.locator('.formula .katex').count(), 2);
  assert.ok(await page.locator('.formula-block').evaluate((block) => block.offsetHeight) > 50, 'styles are set by script, so sizes are right');
  assert.equal(await page.locator('.formula math').first().textContent(), 'E=mc2E = mc^2', 'for screen readers');
  assert.equal(await page.locator('.formula .katex-html').first().getAttribute('aria-hidden'), 'true');
});

test('wrong TeX and too long TeX are shown as they were written', async (t) => {
  const page = await openProse(at, t);
  await draw(page, 'a $\\frac{1$ b \\(\\nocommand\\) c');
  assert.equal(await page.locator('.prose').innerText(), 'a $\\frac{1$ b \\(\\nocommand\\) c');
  await draw(page, `$$\n${'x+\n'.repeat(50)}${'y'.repeat(10_001)}\n$$`);
  assert.equal(await page.locator('.formula .katex').count(), 0);
  assert.match(await page.locator('.formula-source').textContent(), /^\$\$x\+/);
});

test('without KaTeX formulas are shown as they were written', async (t) => {
  const page = await openProse(at, t, { allow: /Failed to load resource|404/ });
  await page.route('**/vendor/katex.js*', (route) => route.fulfill({ status: 404, body: '' }));
  await draw(page, 'so $x^2$ and \\[y\\]');
  assert.equal(await page.locator('.prose').textContent(), 'so $x^2$ and \\[y\\]');
});

test('a wide formula scrolls by itself', async (t) => {
  const page = await openProse(at, t, { viewport: { width: 320, height: 640 } });
  await draw(page, `$$\n${'a + b + '.repeat(60)}c\n$$\n\n| ${'wide cell | '.repeat(12)}\n|${'---|'.repeat(12)}\n\n\`\`\`\n${'long '.repeat(99)}\n\`\`\`\n\n${'unbroken'.repeat(40)}\n\n![a](https://${'a'.repeat(60)}.example/x)`);
  assert.equal(await page.evaluate(() => document.querySelector('#scroller').scrollWidth > document.querySelector('#scroller').clientWidth), false, 'the page does not');
});
