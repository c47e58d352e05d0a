// What Markdown becomes: the elements, their names and directions. Neighbours: www/js/render.js; xss.test.js has what must not appear.
import assert from 'node:assert/strict';
import { stand, test } from './stand.js';
import { openProse, draw } from './prose.js';

const at = stand();
const DOT = 'data:image/gif;base64,R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7';
const LINK = 'target="_blank" rel="noopener noreferrer nofollow"';
const TABLE = '<div class="table" role="group" tabindex="0" aria-label="Table">';

const DRAWN = {
  '# One\n## Two\n### Three\n#### Four\n###### Six': '<h3 dir="auto">One</h3><h4 dir="auto">Two</h4><h5 dir="auto">Three</h5><h6 dir="auto">Four</h6><h6 dir="auto">Six</h6>',
  'a **b** *c* ~~d~~ `e`  \nf': '<p dir="auto">a <strong>b</strong> <em>c</em> <s>d</s> <code dir="ltr" translate="no">e</code><br>f</p>',
  '- a\n- b\n  1. c': '<ul dir="auto"><li>a</li><li>b<ol><li>c</li></ol></li></ul>',
  '- a\n\n- b': '<ul dir="auto"><li><p>a</p></li><li><p>b</p></li></ul>',
  '3. a\n4. b': '<ol start="3" dir="auto"><li>a</li><li>b</li></ol>',
  '- [ ] a\n- [x] **b**\n- [y] c\n- d [x]': '<ul dir="auto"><li class="task"><input type="checkbox" disabled="" aria-label="To do">a</li><li class="task"><input type="checkbox" disabled="" checked="" aria-label="Done"><strong>b</strong></li><li>[y] c</li><li>d [x]</li></ul>',
  '- [x] a\n\n  b': '<ul dir="auto"><li class="task"><p><input type="checkbox" disabled="" checked="" aria-label="Done">a</p><p>b</p></li></ul>',
  '> a\n>\n> > b': '<blockquote dir="auto"><p>a</p><blockquote><p>b</p></blockquote></blockquote>',
  '---': '<hr>',
  '|a|b|c|d|\n|-|:-|:-:|-:|\n|1|2|3|4|': `${TABLE}<table dir="auto"><thead><tr><th>a</th><th class="align-left">b</th><th class="align-center">c</th><th class="align-right">d</th></tr></thead><tbody><tr><td>1</td><td class="align-left">2</td><td class="align-center">3</td><td class="align-right">4</td></tr></tbody></table></div>`,
  '- |a|\n  |-|\n  |1|': `<ul dir="auto"><li>${TABLE}<table><thead><tr><th>a</th></tr></thead><tbody><tr><td>1</td></tr></tbody></table></div></li></ul>`,
  '[a](https://example.com "t")': `<p dir="auto"><a href="https://example.com/" title="t" ${LINK}>a<span class="link-host" dir="ltr">(example.com)</span></a></p>`,
  '[a](/relative) [b](ftp://x) [c](mailto:a@example.com)': `<p dir="auto">a b <a href="mailto:a@example.com" ${LINK}>c<span class="link-host" dir="ltr">(a@example.com)</span></a></p>`,
  'README.md main.py www.example.com a@example.com': '<p dir="auto">README.md main.py www.example.com a@example.com</p>',
  [`![dot](${DOT})`]: `<p dir="auto"><img decoding="async" src="${DOT}" alt="dot"></p>`,
  '![a cat](https://example.com/cat.png)': `<p dir="auto"><a href="https://example.com/cat.png" ${LINK} class="image-link">Picture: a cat<span class="link-host" dir="ltr">(example.com)</span></a></p>`,
  '![](https://example.com/cat.png) ![b](x.png)': `<p dir="auto"><a href="https://example.com/cat.png" ${LINK} class="image-link">Picture: unnamed picture<span class="link-host" dir="ltr">(example.com)</span></a> b</p>`,
  '[![a](https://example.com/a.png)](https://example.org)': `<p dir="auto"><a href="https://example.org/" ${LINK}>a<span class="link-host" dir="ltr">(example.org)</span></a></p>`,
  '<b>a</b> &amp; &lt;': '<p dir="auto">&lt;b&gt;a&lt;/b&gt; &amp; &lt;</p>',
};

test('Markdown becomes these elements', async (t) => {
  const page = await openProse(at, t);
  for (const [text, html] of Object.entries(DRAWN)) assert.equal(await draw(page, text), html, text);
});

test('each block has the direction of its own text', async (t) => {
  const page = await openProse(at, t);
  await draw(page, 'שלום `code` עולם\n\n- قائمة\n- two\n\nplain\n\n| a | ב |\n|---|---|\n| 1 | ש |\n\n```\nקוד\n```');
  const directions = await page.evaluate(() => [...window.place.querySelectorAll('p, ul, table, pre, p code')].map((each) => `${each.localName} ${getComputedStyle(each).direction}`));
  assert.deepEqual(directions, ['p rtl', 'code ltr', 'ul rtl', 'p ltr', 'table ltr', 'pre ltr']);
});

test('tables scroll by keyboard where they are wide, and the page does not', async (t) => {
  const page = await openProse(at, t, { viewport: { width: 320, height: 640 } });
  await draw(page, `| ${'wide-cell | '.repeat(12)}\n|${'---|'.repeat(12)}\n| ${'1 | '.repeat(12)}`);
  const table = page.locator('.prose').getByRole('group', { name: 'Table' });
  await table.focus();
  await page.keyboard.press('ArrowRight');
  await page.waitForFunction(() => document.querySelector('.table').scrollLeft > 0);
  assert.equal(await page.evaluate(() => document.querySelector('#scroller').scrollWidth <= document.querySelector('#scroller').clientWidth), true);
});
