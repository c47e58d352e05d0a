// Answers are not trusted: whatever a model says, only elements and attributes of a fixed list appear, nothing runs, and no host is asked for anything.
// Neighbours: payloads.js; www/js/render.js has the list that counts. stand.js fails the test on any CSP report, console error or request to another host.
import assert from 'node:assert/strict';
import { stand, test } from './stand.js';
import { openProse, draw, useFramesByHand } from './prose.js';
import { createRandom, randomPieces } from './documents.js';
import { PAYLOADS } from './payloads.js';

const at = stand();

const ALLOWED = {
  p: ['class'], h3: ['aria-level'], h4: ['aria-level'], h5: ['aria-level'], h6: ['aria-level'], ul: [], ol: ['start'], li: ['class'], blockquote: [], hr: [], br: [], em: [], strong: [], s: [], table: [], thead: [], tbody: [], tr: [], th: ['class'], td: ['class'],
  a: ['href', 'title', 'target', 'rel', 'class'], img: ['src', 'alt', 'title', 'decoding'], code: ['translate'], pre: ['translate', 'tabindex', 'role', 'aria-label'], figure: ['class'], figcaption: ['class'],
  span: ['class', 'translate', 'data-tex', 'data-mark', 'hidden'], button: ['type', 'class', 'aria-pressed'], svg: ['class', 'aria-hidden'], use: ['href'], div: ['class', 'role', 'tabindex', 'aria-label'], input: ['type', 'disabled', 'checked', 'aria-label'],
};
const MATHS = ['span', 'math', 'semantics', 'annotation', 'mrow', 'mi', 'mo', 'mn', 'ms', 'mtext', 'mspace', 'msup', 'msub', 'msubsup', 'mfrac', 'mstyle', 'mtable', 'mtr', 'mtd', 'mpadded', 'menclose', 'mover', 'munder', 'svg', 'path', 'line'];
const STYLES = ['color', 'height', 'width', 'min-width', 'top', 'bottom', 'left', 'vertical-align', 'margin-left', 'margin-right', 'border-color', 'border-bottom-width', 'border-right-width', 'border-top-width'];

// Runs in the page: what is there that should not be.
function problemsIn({ allowed, maths, styles }) {
  const problems = [];
  for (const element of window.place.querySelectorAll('*')) {
    const tag = element.localName;
    const isMaths = element.parentElement.closest('.formula');
    if (isMaths ? !maths.includes(tag) : !allowed[tag]) problems.push(`<${tag}>`);
    for (const { name, value } of element.attributes) {
      const isStyle = isMaths && name === 'style' && [...element.style].every((each) => styles.includes(each)) && !/url|expression/i.test(value);
      const isFine = isMaths ? isStyle || ['class', 'aria-hidden', 'encoding', 'xmlns', 'display', 'stretchy', 'mathvariant', 'mathcolor', 'height', 'width', 'voffset', 'viewBox', 'preserveAspectRatio', 'd', 'fence', 'separator', 'rowspacing', 'columnalign', 'columnspacing', 'scriptlevel', 'displaystyle', 'lspace', 'rspace', 'depth', 'mathbackground', 'accent', 'linethickness', 'minsize', 'maxsize'].includes(name) : name === 'dir' || allowed[tag]?.includes(name);
      if (!isFine) problems.push(`<${tag} ${name}="${value}">`);
      if (name === 'href' && tag === 'a' && !/^(https?:\/\/[^/]|mailto:)/.test(value)) problems.push(`link to ${value}`);
      if (name === 'src' && !/^data:image\/(png|jpeg|gif|webp)[;,]/.test(value)) problems.push(`image of ${value}`);
    }
    if (tag === 'a' && !(element.target === '_blank' && element.rel === 'noopener noreferrer nofollow')) problems.push('a link that hands on who is here');
  }
  return problems;
}

test(`${PAYLOADS.length} published payloads, whole and in pieces, give nothing but what is allowed`, async (t) => {
  assert.ok(new Set(PAYLOADS).size >= 100);
  const requests = [];
  const page = await openProse(at, t, { allow: /ERR_INVALID_URL data:image\/png/ });       // a picture that is none
  await page.evaluate(() => window.js.loadKatex());
  await page.waitForLoadState('networkidle');
  page.on('request', (request) => { if (!request.url().startsWith('data:image/')) requests.push(request.url()); });
  page.on('dialog', (dialog) => { requests.push(`dialog ${dialog.message()}`); dialog.dismiss(); });
  await useFramesByHand(page);
  const random = createRandom(7);
  for (const payload of PAYLOADS) {
    const pieces = randomPieces(random, payload);
    await page.evaluate(({ text, parts }) => {
      const whole = window.js.createMarkdown();
      const grown = window.js.createMarkdown();
      const among = window.js.createMarkdown();
      window.place.replaceChildren(whole.element, grown.element, among.element);
      whole.set(text);
      for (const part of parts) { grown.append(part); window.runFrames(); }
      among.set(`before ${text} after\n\n- ${text}\n\n> ${text}\n\n| ${text} |\n|---|\n| ${text} |`);
    }, { text: payload, parts: pieces });
    assert.deepEqual(await page.evaluate(problemsIn, { allowed: ALLOWED, maths: MATHS, styles: STYLES }), [], payload);
    await page.evaluate(() => window.place.offsetHeight);
  }
  await page.waitForLoadState('networkidle');
  const others = requests.filter((url) => !/\/vendor\/(?:languages\/[a-z]+\.js|highlight\.js|fonts\/[\w-]+\.woff2)$|\/conversations\?pinned=/.test(url));      // the page asks for its list now and then
  assert.deepEqual(others, []);
});

test('the test of payloads would notice', async (t) => {
  const page = await openProse(at, t);
  await page.evaluate(() => {
    const link = document.createElement('a');
    link.setAttribute('href', 'javascript:alert(1)');
    link.setAttribute('ping', 'x');
    window.place.replaceChildren(link, document.createElement('iframe'));
  });
  const problems = await page.evaluate(problemsIn, { allowed: ALLOWED, maths: MATHS, styles: STYLES });
  assert.deepEqual(problems, ['link to javascript:alert(1)', '<a ping="x">', 'a link that hands on who is here', '<iframe>']);
});

test('where a link really leads is shown unless its text says so', async (t) => {
  const page = await openProse(at, t);
  const hosts = {
    '[the manual](https://docs.example.org/a)': '(docs.example.org)', 'https://example.com/a': '', '<https://example.com>': '', '[example.com](https://www.example.com/)': '', '[example.com/a](https://example.com/b)': '', '[www.bank.example](https://evil.example)': '(evil.example)',
    '[https://bank.example](https://bank.example.evil.example)': '(bank.example.evil.example)', '[https://bank.example](https://bank.example@evil.example)': '(evil.example)', '<https://bank.example@evil.example>': '(evil.example)', '[bank.example ](https://evil.example)': '(evil.example)',
    '[exаmple.com](https://exаmple.com)': '(xn--exmple-4nf.com)', '[write](mailto:a@example.com)': '(a@example.com)', '[a@example.com](mailto:a@example.com)': '', '![cat](https://img.example/c.png)': '(img.example)', '[localhost:8080](http://localhost:8080/x)': '',
  };
  for (const [text, host] of Object.entries(hosts)) {
    await draw(page, text);
    assert.equal(await page.evaluate(() => window.place.querySelector('.link-host')?.textContent ?? ''), host, text);
  }
});
