// Scrolls as people expect: a question goes near the top and its answer grows below it; the view follows until somebody reads elsewhere or selects text.
// Neighbours: www/js/transcript.js; chat.test.js has the wheel and the conversation that is opened, light.test.js that nothing moves by itself.
import assert from 'node:assert/strict';
import { describe } from 'node:test';
import { gate, simple } from '../provider/provider.js';
import { answerIs, eventually, idle, isStill, partsOf, say, stand, test } from './stand.js';

const at = stand({ settings: { RETRIES: '0' } });

const NEAR = 80;           // px below the upper edge that are still "near the top"
const lines = (n, of = 'line') => Array.from({ length: n }, (_, i) => `${of} ${i}\n\n`).join('');

/** Answers in pieces, the next one when `next()` is called. */
function inPieces(...pieces) {
  const gates = pieces.slice(1).map(() => gate());
  at.p.respond(async (req, io) => {
    io.role();
    for (const [n, piece] of pieces.entries()) {
      if (n > 0) await Promise.race([gates[n - 1].wait(), io.closed]);
      if (io.isClosed) return;
      for (const line of piece.match(/.+\s*/g)) io.token(line);
    }
    io.finish(); io.done(); await io.end();
  });
  let passed = 0;
  return { pieces, text: () => pieces.slice(0, passed + 1).join(''), next: () => { gates[passed].open(); passed += 1; } };
}

/** How far the top of the last question is below the upper edge of the view. */
const topOfQuestion = (page) => page.evaluate(() => [...document.querySelectorAll('article[data-role="user"]')].at(-1).getBoundingClientRect().top - document.querySelector('#scroller').getBoundingClientRect().top);
const fromEnd = (page) => page.locator('#scroller').evaluate((e) => e.scrollHeight - e.clientHeight - e.scrollTop);
const scrolled = (page) => page.locator('#scroller').evaluate((e) => e.scrollTop);
/** When all that changes sizes has been seen and answered: observers run before each painting. */
const painted = (page) => page.evaluate(() => new Promise((resolve) => { requestAnimationFrame(() => requestAnimationFrame(resolve)); }));
const isAtEnd = (page) => eventually(async () => await fromEnd(page) <= 1, async () => `it is at the end, and not ${await fromEnd(page)} px above it`);

/** With the button, because Enter is a new line on phones. */
async function ask(page, text) {
  await partsOf(page).box.fill(text);
  await partsOf(page).send.click();
}

/** A page with a conversation that is longer than the view, and a long answer to its second question of which the first piece is there. */
async function openLong(t, pieces, options = {}) {
  at.p.respond(simple(lines(60, 'before')));
  const page = await at.open(t, options);
  await ask(page, 'First');
  await answerIs(page, lines(60, 'before'));
  await idle(page);
  const answer = inPieces(...pieces);
  await ask(page, 'Second');
  await answerIs(page, answer.text());
  return { page, ...answer };
}

describe('room for the answer', () => {
  test('a question goes near the top of the view, and stays there while its answer grows into the room below', async (t) => {
    const { page, text, next } = await openLong(t, [lines(1), lines(4), lines(2)]);
    await isAtEnd(page);
    const top = await topOfQuestion(page);
    assert.ok(top >= 0 && top <= NEAR, `the question is ${top} px below the edge`);
    for (let piece = 1; piece <= 2; piece += 1) {
      next();
      await answerIs(page, text());
      await painted(page);
      assert.equal(await topOfQuestion(page), top, 'nothing moves');
    }
    await idle(page);
    await painted(page);
    assert.ok(Math.abs(await topOfQuestion(page) - top) <= 1, `nor at the end: ${await topOfQuestion(page)} px, and before ${top}`);
  });

  test('a long question is seen from its beginning', async (t) => {
    const { page } = await openLong(t, [lines(1)]);
    await idle(page);
    const answer = inPieces(lines(1), lines(1));
    await say(page, `Third\n${lines(8, 'and more')}`);
    await answerIs(page, answer.text());
    await isAtEnd(page);
    const top = await topOfQuestion(page);
    assert.ok(top >= 0 && top <= NEAR, `the question is ${top} px below the edge`);
    answer.next();
    await idle(page);
  });

  test('on a phone too', async (t) => {
    const { page, next } = await openLong(t, [lines(1), lines(1)], { viewport: { width: 360, height: 640 }, hasTouch: true, isMobile: true });
    await isAtEnd(page);
    const top = await topOfQuestion(page);
    assert.ok(top >= 0 && top <= NEAR, `the question is ${top} px below the edge`);
    next();
    await idle(page);
  });

  test('an answer that is longer than the room is followed to its end', async (t) => {
    const { page, text, next } = await openLong(t, [lines(1), lines(60)]);
    next();
    await answerIs(page, text());
    await isAtEnd(page);
    assert.ok(await topOfQuestion(page) < 0, 'the question has left the view');
    assert.equal(await partsOf(page).jump.isVisible(), false);
  });
});

describe('following', () => {
  /** The view does not move while the next piece comes. */
  async function staysWhile(page, { text, next }) {
    const before = await scrolled(page);
    next();
    await answerIs(page, text());
    await painted(page);
    assert.equal(await scrolled(page), before, 'the view stays');
    assert.ok(await fromEnd(page) > 100, 'there is more below');
  }

  for (const [how, up] of Object.entries({
    'the wheel': async (page) => { await page.mouse.move(700, 400); await page.mouse.wheel(0, -200); },
    'a key': async (page) => { await page.locator('#scroller').focus(); await page.keyboard.press('PageUp'); },
    'going to a message': async (page) => { await page.locator('#scroller').focus(); await page.keyboard.press('Alt+ArrowUp'); await page.keyboard.press('Alt+ArrowUp'); },
  })) {
    test(`stops with ${how}, and begins again with "Jump to latest"`, async (t) => {
      const { page, ...answer } = await openLong(t, [lines(60), lines(20), lines(20)]);
      const { jump } = partsOf(page);
      await isAtEnd(page);
      const end = await scrolled(page);
      await up(page);
      await jump.waitFor();
      await eventually(async () => await scrolled(page) < end, 'it has scrolled');
      await isStill(page);
      await staysWhile(page, answer);
      await jump.click();
      await isAtEnd(page);
      assert.equal(await jump.isVisible(), false);
      answer.next();
      await answerIs(page, answer.text());
      await isAtEnd(page);
    });
  }

  test('begins again when the reader is back at the end', async (t) => {
    const { page, ...answer } = await openLong(t, [lines(60), lines(20), lines(20)]);
    const { jump } = partsOf(page);
    await isAtEnd(page);
    await page.locator('#scroller').focus();
    await page.keyboard.press('Home');
    await jump.waitFor();
    await eventually(async () => await scrolled(page) === 0, 'it is at the beginning');
    await staysWhile(page, answer);
    await page.keyboard.press('End');
    await isAtEnd(page);
    await jump.waitFor({ state: 'hidden' });
    answer.next();
    await answerIs(page, answer.text());
    await isAtEnd(page);
  });

  test('stops when text of the answer is selected, and what is selected stays so', async (t) => {
    const { page, ...answer } = await openLong(t, [lines(60), lines(20), lines(20)]);
    await isAtEnd(page);
    await partsOf(page).answers.last().getByText('line 57', { exact: true }).dblclick({ position: { x: 8, y: 10 } });
    const selected = () => page.evaluate(() => document.getSelection().toString().trim());
    const was = await selected();
    assert.notEqual(was, '');
    await staysWhile(page, answer);
    assert.equal(await selected(), was);
    await partsOf(page).jump.click();
    answer.next();
    await answerIs(page, answer.text());
    await isAtEnd(page);
  });

  test('text that is selected in the box does not stop it', async (t) => {
    const { page, text, next } = await openLong(t, [lines(60), lines(20)]);
    await partsOf(page).box.fill('half a thought');
    await partsOf(page).box.selectText();
    next();
    await answerIs(page, text());
    await isAtEnd(page);
  });
});

test('who wishes for more contrast gets stronger lines, and secondary words as dark as the others', async (t) => {
  at.p.respond(simple('Some `code`:\n\n```js\n// quiet\nlet a = 1;\n```'));
  const page = await at.open(t, { contrast: 'no-preference' });
  await say(page, 'Hello');
  await page.locator('.code').waitFor();
  await idle(page);
  const looks = () => page.evaluate(() => {
    const style = (selector) => getComputedStyle(document.querySelector(selector));
    return {
      hint: style('.hint').color, note: style('.details').color, text: style('body').color, bar: style('.topbar').borderBottomColor, aside: style('.aside').borderInlineEndColor,
      code: style('.code').borderTopColor, strong: style('.composer').borderTopColor,
    };
  });
  const usual = await looks();
  await page.locator('#scroller').focus();                // so that the box has its own border, and not that of the focus
  for (const colorScheme of ['light', 'dark']) {
    await page.emulateMedia({ colorScheme, contrast: 'more' });
    const more = await looks();
    assert.deepEqual([more.hint, more.note], [more.text, more.text], colorScheme);
    assert.deepEqual([more.bar, more.aside, more.code], [more.strong, more.strong, more.strong], colorScheme);
  }
  assert.notEqual(usual.hint, usual.text);
  assert.notEqual(usual.bar, usual.strong);
});
