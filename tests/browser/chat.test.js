// The page on its good days: an answer that streams, Stop, conversations, reload, typing, scrolling, phones, prefixes.
// Neighbours: stand.js starts the real server, trouble.test.js has the bad days.
import assert from 'node:assert/strict';
import { describe } from 'node:test';
import { gate, held, simple, SCALE } from '../provider/provider.js';
import { answerIs, choose, eventually, idle, isStill, partsOf, say, stand, startProxy, test } from './stand.js';

const at = stand();

/** Sends one message and waits for its whole answer. */
async function exchange(page, question, answer) {
  at.p.enqueue(simple(answer));
  await say(page, question);
  await answerIs(page, answer);
  await idle(page);
}

describe('an answer', () => {
  test('a new page has a welcome, the cursor in the box and nothing to send', async (t) => {
    const page = await at.open(t);
    const { box, send, messages } = partsOf(page);
    await page.getByText('What would you like to talk about?').waitFor();
    assert.equal(await messages.count(), 0);
    assert.ok(await box.evaluate((element) => element === document.activeElement));
    assert.equal(await send.getAttribute('aria-disabled'), 'true');
  });

  test('streams token by token: each is on the page before the provider sends the next', async (t) => {
    const tokens = ['Once ', 'upon ', 'a ', 'time,\n', '\n', 'there ', 'was\r\n', 'a ', '世界', ' 😀.'];
    const gates = tokens.map(() => gate());
    at.p.respond(async (req, io) => {
      io.role();
      for (let n = 0; n < tokens.length; n++) { io.token(tokens[n]); await gates[n].wait(); }
      io.finish(); io.done(); await io.end();
    });
    const page = await at.open(t);
    const { answers, questions, stop, send, box, status } = partsOf(page);
    await say(page, 'Tell me a story');
    let text = '';
    for (let n = 0; n < tokens.length; n++) {
      text += tokens[n].replace('\r\n', '\n');
      await answerIs(page, text);
      assert.equal(await answers.getAttribute('aria-busy'), 'true');
      assert.equal(await stop.isVisible(), true);
      assert.equal(await send.isVisible(), false);
      gates[n].open();
    }
    await idle(page);
    assert.equal(await questions.locator('.message-text').textContent(), 'Tell me a story');
    assert.equal(await answers.getAttribute('aria-busy'), 'false');
    assert.equal(await answers.getAttribute('data-status'), 'done');
    assert.ok(await box.evaluate((element) => element === document.activeElement), 'the focus stays in the box');
    await eventually(async () => (await status.textContent()) === 'Answer complete.', 'the end is announced');
  });

  test('of 50,000 pieces is drawn in time that grows no faster than it does, and the page moves on meanwhile', async (t) => {
    const page = await at.open(t);
    const { answers } = partsOf(page);
    await page.evaluate(() => {
      window.longest = 0;
      let last = performance.now();
      const look = (now) => { window.longest = Math.max(window.longest, now - last); last = now; requestAnimationFrame(look); };
      requestAnimationFrame(look);
    });
    const took = {};
    for (const n of [12_500, 50_000]) {
      // marks of Markdown without an end among them: whoever reads them has much to do
      const pieces = Array.from({ length: n }, (_, i) => ['> ', '[', '**', `${i}\n`, 'text '][i % 5]);
      at.p.respond(async (req, io) => {
        io.role();
        for (let i = 0; i < n && !io.isClosed; i += 250) await io.raw(pieces.slice(i, i + 250).map((content) => `data: ${JSON.stringify(io.shape({ content }))}\n\n`).join(''));
        io.finish(); io.done(); await io.end();
      });
      await page.evaluate(() => { window.longest = 0; });
      const t0 = performance.now();
      await say(page, `${n} pieces, please`);
      await eventually(async () => (await answers.last().getAttribute('data-status')) === 'done', 'the end of the answer', 40);
      took[n] = performance.now() - t0;
      const last = pieces.findLast((piece) => /^\d/.test(piece)).trim();
      assert.ok((await answers.last().locator('.message-text').textContent()).includes(last), `the last number, ${last}, is there`);
    }
    const longest = await page.evaluate(() => window.longest);
    assert.ok(took[50_000] < 12 * Math.max(took[12_500], 300), JSON.stringify(took));
    t.diagnostic(`longest frame ${Math.round(longest)} ms`);
    assert.ok(longest < 3000 * SCALE, `a frame of ${longest} ms`);
  });

  test('before the first word a dot says that the answer is awaited, and only then', async (t) => {
    const first = gate();
    const second = gate();
    at.p.respond(async (req, io) => {
      io.role();
      await first.wait();
      io.token('One');
      await second.wait();
      io.token(' two'); io.finish(); io.done(); await io.end();
    });
    const page = await at.open(t);
    const dot = page.locator('.waiting');
    await say(page, 'Hi');
    await dot.waitFor();
    assert.match(await dot.textContent(), /Waiting/);
    first.open();
    await answerIs(page, 'One');
    assert.equal(await dot.isVisible(), false);
    second.open();
    await idle(page);
    assert.equal(await dot.isVisible(), false);
  });

  test('Stop keeps what had arrived, ends the provider, and gives the box back', async (t) => {
    at.p.respond(held('One two', gate(), ' never'));
    const page = await at.open(t);
    const { stop, answers, box } = partsOf(page);
    await say(page, 'Count');
    await answerIs(page, 'One two');
    await stop.click();
    await idle(page);
    await at.p.waitForClosed(1);
    await answerIs(page, 'One two');
    assert.equal(await answers.getAttribute('data-status'), 'stopped');
    assert.match(await answers.textContent(), /Stopped/);
    assert.ok(await box.evaluate((element) => element === document.activeElement));
    await page.reload();
    await answerIs(page, 'One two');
    assert.equal(await answers.getAttribute('data-status'), 'stopped');
  });

  test('Stop pressed before the first word, in a conversation that has no name yet', async (t) => {
    const g = gate();
    at.p.respond(async (req, io) => { await g.wait(); io.role(); io.token('One'); });
    const page = await at.open(t);
    const door = gate();
    await page.route(/\/chat$/, async (route) => { const response = await route.fetch(); await door.wait(); await route.fulfill({ response }); });
    await say(page, 'Never mind');
    await at.p.waitForChat(1);
    await partsOf(page).stop.click();
    door.open();
    g.open();
    await idle(page);
    await at.p.waitForClosed(1);
    assert.equal(await partsOf(page).answers.getAttribute('data-status'), 'stopped');
    assert.equal(await partsOf(page).box.inputValue(), '');
  });

  test('Esc stops too', async (t) => {
    at.p.respond(held('One', gate(), ' never'));
    const page = await at.open(t);
    await say(page, 'Count');
    await answerIs(page, 'One');
    await page.keyboard.press('Escape');
    await idle(page);
    assert.equal(await partsOf(page).answers.getAttribute('data-status'), 'stopped');
  });

  test('the next question carries the conversation to the provider', async (t) => {
    const page = await at.open(t);
    await exchange(page, 'My name is Alice', 'Hello Alice');
    await exchange(page, 'What is my name?', 'Alice');
    const said = at.p.chats[1].body.messages.filter((m) => m.role !== 'system').map((m) => m.content);
    assert.deepEqual(said, ['My name is Alice', 'Hello Alice', 'What is my name?']);
  });

  test('text that looks like HTML is shown as text, everywhere', async (t) => {
    const evil = '<img src=x onerror="document.title=\'owned\'"><script>document.title="owned"</script><svg onload=alert(1)>';
    const g = gate();
    at.p.respond(held([evil], g, [' </article>', '<b>x</b>']));
    const page = await at.open(t);
    await say(page, evil);
    await answerIs(page, evil);
    g.open();
    await idle(page);
    await answerIs(page, `${evil} </article><b>x</b>`);
    assert.equal(await partsOf(page).questions.locator('.message-text').textContent(), evil);
    assert.equal(await page.locator('.message-text').locator('img, script, svg, b').count(), 0);
    await eventually(async () => (await partsOf(page).list.first().textContent()).startsWith('<img src=x'), 'the title is in the list, as text');
    await page.reload();
    await answerIs(page, `${evil} </article><b>x</b>`);
    assert.equal(await page.locator('nav img, main img, main script').count(), 0);
    assert.doesNotMatch(await page.title(), /^owned/);
  });
});

describe('conversations', () => {
  test('New conversation, the list with the newest first, and back by click and by the back button', async (t) => {
    const page = await at.open(t);
    const { fresh, list, messages, box } = partsOf(page);
    await exchange(page, 'First topic', 'First answer');
    await fresh.click();
    assert.equal(await messages.count(), 0);
    assert.ok(await box.evaluate((element) => element === document.activeElement));
    await exchange(page, 'Second topic', 'Second answer');
    await eventually(async () => (await list.nth(0).textContent()) === 'Second topic' && (await list.nth(1).textContent()) === 'First topic', 'newest first');
    await list.nth(1).getByRole('link').click();
    await answerIs(page, 'First answer');
    assert.equal(await list.nth(1).getByRole('link').getAttribute('aria-current'), 'page');
    assert.equal(await page.getByRole('heading', { level: 1 }).textContent(), 'First topic');
    await page.goBack();
    await answerIs(page, 'Second answer');
    await exchange(page, 'More of it', 'Third answer');
    assert.equal(await messages.count(), 4);
  });

  test('reload keeps everything', async (t) => {
    const page = await at.open(t);
    const { messages, list, questions } = partsOf(page);
    await exchange(page, 'Line one', 'Answer\n\n  with spaces');
    await exchange(page, 'Again', 'Second answer');
    const address = page.url();
    await page.reload();
    await answerIs(page, 'Second answer');
    assert.equal(page.url(), address);
    assert.equal(await messages.count(), 4);
    assert.deepEqual(await questions.locator('.message-text').allTextContents(), ['Line one', 'Again']);
    await answerIs(page, 'Answer\n\n  with spaces', 0);
    await eventually(async () => (await list.first().textContent()) === 'Line one', 'the list is back');
  });

  test('a reload while the answer streams shows the question and, when it is there, the whole answer', async (t) => {
    const g = gate();
    at.p.respond(held('Half', g, ' and half'));
    const page = await at.open(t);
    const { questions, answers, stop } = partsOf(page);
    await say(page, 'Take your time');
    await answerIs(page, 'Half');
    await page.reload();
    await answerIs(page, 'Half');
    assert.equal(await answers.getAttribute('data-status'), 'streaming');
    assert.equal(await questions.locator('.message-text').textContent(), 'Take your time');
    assert.equal(await stop.isVisible(), true);
    assert.equal(await partsOf(page).box.inputValue(), '', 'the question is not in the box again');
    g.open();
    await answerIs(page, 'Half and half');
    await idle(page);
    assert.equal(await answers.getAttribute('data-status'), 'done');
  });

  test('Stop works after a reload', async (t) => {
    at.p.respond(held('Half', gate(), ' never'));
    const page = await at.open(t);
    await say(page, 'Take your time');
    await answerIs(page, 'Half');
    await page.reload();
    await partsOf(page).stop.click();
    await idle(page);
    await answerIs(page, 'Half');
    assert.equal(await partsOf(page).answers.getAttribute('data-status'), 'stopped');
  });

  test('leaving a streaming answer and coming back loses nothing', async (t) => {
    const g = gate();
    at.p.respond(held('Half', g, ' and half'));
    const page = await at.open(t);
    const { fresh, list, messages } = partsOf(page);
    await say(page, 'Leave me');
    await answerIs(page, 'Half');
    await fresh.click();
    assert.equal(await messages.count(), 0);
    await idle(page);
    await list.filter({ hasText: 'Leave me' }).first().getByRole('link').click();
    await answerIs(page, 'Half');
    g.open();
    await answerIs(page, 'Half and half');
  });

  test('Delete does not ask; the page shows a new conversation; when the time for Undo is over it is gone for good', async (t) => {
    const page = await at.open(t);
    const { list, fresh, messages } = partsOf(page);
    await exchange(page, 'To be kept', 'x');
    await fresh.click();
    await exchange(page, 'To be deleted', 'y');
    await eventually(async () => (await list.nth(0).textContent()) === 'To be deleted', 'it is in the list');
    await choose(page, 'To be deleted', 'Delete');
    await eventually(async () => await list.filter({ hasText: 'To be deleted' }).count() === 0, 'it is gone');
    assert.equal(await list.getByRole('link', { name: 'To be kept' }).first().evaluate((e) => e === document.activeElement), true);
    await eventually(async () => await messages.count() === 0, 'the page shows a new conversation');
    assert.doesNotMatch(page.url(), /#c=/);
    const told = page.waitForResponse((response) => response.request().method() === 'DELETE');
    await page.locator('.toast').getByRole('button', { name: 'Close' }).click();
    assert.equal((await told).status(), 200);
    await page.reload();
    await list.filter({ hasText: 'To be kept' }).first().waitFor();
    assert.equal(await list.filter({ hasText: 'To be deleted' }).count(), 0);
  });

  test('a long list comes in pages as one scrolls, each conversation once', async (t) => {
    for (let n = 0; n < 120; n++) {
      const made = await fetch(`${at.s.url}/conversations`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ title: `Paged ${n}` }) });
      assert.equal(made.status, 201);
    }
    const page = await at.open(t);
    const { list } = partsOf(page);
    await list.nth(49).waitFor();
    await eventually(async () => {
      await page.locator('.sidebar-scroll').evaluate((e) => e.scrollTo(0, e.scrollHeight));
      return await list.filter({ hasText: /^Paged \d+$/ }).count() === 120;
    }, 'all 120 are listed');
    const titles = (await list.allTextContents()).filter((title) => title.startsWith('Paged'));
    assert.equal(new Set(titles).size, 120);
  });
});

describe('the box', () => {
  test('Shift+Enter makes a new line, Enter sends, blank text does not', async (t) => {
    at.p.respond(simple('ok'));
    const page = await at.open(t);
    const { box, questions } = partsOf(page);
    await box.press('Enter');
    await say(page, '   ');
    assert.equal(await questions.count(), 0);
    await box.fill('');
    await box.pressSequentially('one');
    await box.press('Shift+Enter');
    await box.pressSequentially('two');
    await box.press('Enter');
    await idle(page);
    assert.equal(await questions.locator('.message-text').textContent(), 'one\ntwo');
    assert.equal(at.p.chats[0].body.messages.at(-1).content, 'one\ntwo');
  });

  test('Enter that confirms an input method sends nothing', async (t) => {
    at.p.respond(simple('ok'));
    const page = await at.open(t);
    const { box, questions } = partsOf(page);
    const devtools = await page.context().newCDPSession(page);
    await box.focus();
    await devtools.send('Input.imeSetComposition', { text: 'にほん', selectionStart: 3, selectionEnd: 3 });
    await devtools.send('Input.dispatchKeyEvent', { type: 'rawKeyDown', key: 'Process', code: 'Enter', windowsVirtualKeyCode: 229 });
    await devtools.send('Input.insertText', { text: '日本' });
    await box.evaluate((e) => e.dispatchEvent(new KeyboardEvent('keydown', { key: 'Enter', keyCode: 229, bubbles: true, cancelable: true })));
    assert.equal(await box.inputValue(), '日本');
    assert.equal(await questions.count(), 0);
    await box.press('Enter');
    await idle(page);
    assert.equal(await questions.locator('.message-text').textContent(), '日本');
  });

  test('a draft is kept for each conversation, over a reload too', async (t) => {
    const page = await at.open(t);
    const { box, fresh, list } = partsOf(page);
    await exchange(page, 'With a draft', 'x');
    await box.fill('half a thought');
    await fresh.click();
    assert.equal(await box.inputValue(), '');
    await box.fill('another');
    await page.reload();
    assert.equal(await box.inputValue(), 'another');
    await list.filter({ hasText: 'With a draft' }).first().getByRole('link').click();
    await eventually(async () => await box.inputValue() === 'half a thought', 'the draft is back');
  });

  test('Enter pressed twice, or by a held key, sends once', async (t) => {
    at.p.respond(simple('ok'));
    const page = await at.open(t);
    const { box, questions } = partsOf(page);
    await box.fill('Once');
    await box.evaluate((e) => { for (let n = 0; n < 5; n++) e.dispatchEvent(new KeyboardEvent('keydown', { key: 'Enter', bubbles: true, cancelable: true, repeat: n > 0 })); });
    await answerIs(page, 'ok');
    await idle(page);
    assert.equal(await questions.count(), 1);
    assert.equal(at.p.chats.length, 1);
  });

  test('what is sent before the rest of the page is there is asked once it is, and once', async (t) => {
    at.p.respond(simple('Good morning'));
    const door = gate();
    const proxy = await startProxy(at.s.url, { change: async (req, res, pass) => { if (/i18n|config/.test(req.url)) await door.wait(); pass(); } });
    const page = await at.open(t, { proxy, ready: 'box' });
    const { box, questions } = partsOf(page);
    await say(page, 'Early bird');
    assert.equal(await box.inputValue(), '');
    await say(page, 'and another');
    assert.equal(await box.inputValue(), 'and another', 'it waits its turn');
    assert.equal(at.p.chats.length, 0);
    door.open();
    await answerIs(page, 'Good morning');
    await idle(page);
    assert.equal(await questions.count(), 1);
    assert.equal(await box.inputValue(), 'and another');
    assert.equal(at.p.chats.length, 1);
  });

  test('a configuration that does not come keeps nobody waiting', async (t) => {
    at.p.respond(simple('Here'));
    const proxy = await startProxy(at.s.url, { change: (req, res, pass) => (req.url === '/api/config' ? undefined : pass()) });
    const page = await at.open(t, { proxy });
    await say(page, 'Hello');
    await answerIs(page, 'Here');
  });

  test('what is typed while an answer streams stays, and Enter does not send it', async (t) => {
    const g = gate();
    at.p.respond(held('One', g, ' two'));
    const page = await at.open(t);
    const { box, questions } = partsOf(page);
    await say(page, 'Hi');
    await answerIs(page, 'One');
    await box.fill('next');
    await box.press('Enter');
    assert.equal(await questions.count(), 1);
    g.open();
    await idle(page);
    assert.equal(await box.inputValue(), 'next');
  });
});

describe('scrolling', () => {
  const distance = (page) => page.locator('#scroller').evaluate((e) => e.scrollHeight - e.clientHeight - e.scrollTop);
  const lines = (n) => Array.from({ length: n }, (_, i) => `line ${i}\n\n`);

  test('follows at the bottom, not when one has scrolled up; "Jump to latest" goes there', async (t) => {
    const first = gate();
    const second = gate();
    at.p.respond(async (req, io) => {
      io.role();
      for (const line of lines(80)) io.token(line);
      await first.wait();
      for (const line of lines(40)) io.token(line);
      await second.wait();
      for (const line of lines(40)) io.token(line);
      io.finish(); io.done(); await io.end();
    });
    const page = await at.open(t);
    const { jump } = partsOf(page);
    await say(page, 'Long');
    await answerIs(page, lines(80).join(''));
    await eventually(async () => await distance(page) <= 1, 'it follows');
    assert.equal(await jump.isVisible(), false);
    await page.mouse.move(700, 400);
    await page.mouse.wheel(0, -300);
    await jump.waitFor();
    await isStill(page);
    const top = await page.locator('#scroller').evaluate((e) => e.scrollTop);
    first.open();
    await answerIs(page, lines(80).join('') + lines(40).join(''));
    assert.equal(await page.locator('#scroller').evaluate((e) => e.scrollTop), top, 'the view stays');
    await jump.click();
    await eventually(async () => await distance(page) <= 1, 'it is at the end');
    assert.equal(await jump.isVisible(), false);
    second.open();
    await idle(page);
    await eventually(async () => await distance(page) <= 1, 'it follows again');
    await page.keyboard.press('PageUp');
    await jump.waitFor();
  });

  test('an opened conversation stands at its end', async (t) => {
    const page = await at.open(t);
    await exchange(page, 'Long', lines(100).join(''));
    await page.reload();
    await answerIs(page, lines(100).join(''));
    await eventually(async () => await distance(page) <= 1, 'it is at the end');
  });
});

describe('places', () => {
  test('opened at /conversation/ID it shows that conversation, and goes on in it', async (t) => {
    at.p.enqueue(simple('First answer'));
    const made = await fetch(`${at.s.url}/chat`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"message": "First question", "stream": false}' }).then((r) => r.json());
    for (const proxy of [undefined, await startProxy(at.s.url, { prefix: '/tools/chat' })]) {
      const prefix = proxy ? '/tools/chat' : '';
      const page = await at.open(t, { proxy, path: `${prefix}/conversation/${made.conversation_id}` });
      await answerIs(page, proxy ? 'Second answer' : 'First answer');
      await eventually(() => page.url().endsWith(`${prefix}/#c=${made.conversation_id}`), 'the address is the page\'s own');
      await exchange(page, 'And then?', 'Second answer');
      assert.equal(await partsOf(page).answers.count(), proxy ? 3 : 2);
      await page.reload();
      await answerIs(page, 'Second answer');
      await partsOf(page).fresh.click();
      await eventually(() => page.url().endsWith(`${prefix}/`), 'a new conversation is at the page\'s own address');
    }
  });

  test('opened at /login it is the page', async (t) => {
    const page = await at.open(t, { path: '/login' });
    await page.getByText('What would you like to talk about?').waitFor();
    await exchange(page, 'Hello?', 'Here I am');
    await page.reload();
    await answerIs(page, 'Here I am');
  });

  test('works under any prefix', async (t) => {
    const proxy = await startProxy(at.s.url, { prefix: '/deep/parley' });
    const page = await at.open(t, { proxy, path: '/deep/parley/' });
    await exchange(page, 'Under a prefix', 'Works');
    await page.reload();
    await answerIs(page, 'Works');
    assert.match(page.url(), /\/deep\/parley\/#c=/);
    await choose(page, 'Under a prefix', 'Delete');
    await eventually(async () => await partsOf(page).messages.count() === 0, 'deleted');
  });

  test('on a phone the list is a drawer; nothing is wider than the screen', async (t) => {
    const page = await at.open(t, { viewport: { width: 320, height: 640 }, hasTouch: true, isMobile: true });
    const { list, messages, box, send } = partsOf(page);
    at.p.respond(simple(`${'long'.repeat(100)} ok`));
    await box.fill('From a phone');
    await box.press('Enter');
    assert.equal(await messages.count(), 0, 'on a touch screen Enter is a new line');
    await send.tap();
    await answerIs(page, `${'long'.repeat(100)} ok`);
    assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth && document.querySelector('#scroller').scrollWidth <= innerWidth));
    await page.getByRole('button', { name: 'Conversations' }).tap();
    const drawer = page.getByRole('dialog', { name: 'Conversations' });
    await drawer.waitFor();
    await page.keyboard.press('Escape');
    await drawer.waitFor({ state: 'hidden' });
    await page.getByRole('button', { name: 'Conversations' }).tap();
    await drawer.getByRole('link', { name: 'New conversation' }).tap();
    await drawer.waitFor({ state: 'hidden' });
    await eventually(async () => await messages.count() === 0, 'a new one');
    await page.getByRole('button', { name: 'Conversations' }).tap();
    await list.filter({ hasText: 'From a phone' }).first().getByRole('link').tap();
    await drawer.waitFor({ state: 'hidden' });
    await answerIs(page, `${'long'.repeat(100)} ok`);
  });

  test('one h1, a heading in each message, a name on each control', async (t) => {
    const page = await at.open(t);
    await exchange(page, 'Names', 'Yes');
    assert.equal(await page.getByRole('heading', { level: 1 }).count(), 1);
    assert.deepEqual(await page.locator('article h2').allTextContents().then((all) => all.map((text) => text.split(',')[0])), ['You', 'Assistant']);
    const nameless = await page.locator('button, a, textarea').evaluateAll((all) => all.filter((e) => !(e.getAttribute('aria-label') || e.labels?.length || e.textContent.trim())).map((e) => e.outerHTML));
    assert.deepEqual(nameless, []);
  });
});
