// The page on its bad days: servers that say no, providers that fail, lists that cannot be had. Nothing typed is ever lost, and nothing is asked twice.
// Neighbours: stand.js starts the real server and the proxy that spoils answers; stream.test.js has connections that break, chat.test.js the good days.
import assert from 'node:assert/strict';
import { describe } from 'node:test';
import { gate, held, simple } from '../provider/provider.js';
import { answerIs, choose, eventually, idle, partsOf, say, stand, startProxy, test, TEXTS } from './stand.js';

const at = stand({ settings: { RETRIES: '0' } });

const FAILED_LOAD = /Failed to load resource|net::ERR_/;    // the browser's own line for each failed request
const failing = (status) => async (req, io) => io.json({ error: { message: 'the engine is broken', type: 'server_error' } }, status);

/** A page behind a proxy whose `change` the test gives. */
async function openSpoiled(t, change) {
  const proxy = await startProxy(at.s.url, { change });
  return at.open(t, { proxy, allow: FAILED_LOAD });
}

const isAsk = (req) => req.method === 'POST' && req.url === '/chat';
const isRead = (req) => req.method === 'GET' && /^\/conversations\/[^/?]+$/.test(req.url);
const saidTo = (chat) => chat.body.messages.filter((m) => m.role !== 'system').map((m) => m.content);
const questionsOn = (page) => partsOf(page).questions.locator('.message-text').allTextContents();

function refuse(res, status, body, headers = {}) {
  res.writeHead(status, { 'content-type': 'application/json', ...headers });
  res.end(typeof body === 'string' ? body : JSON.stringify(body));
}

/** A page whose questions are refused with 503 until `mend()`. */
async function openRefusing(t) {
  let isBad = true;
  const page = await openSpoiled(t, (req, res, pass) => (isBad && isAsk(req) ? refuse(res, 503, { error: { code: 'store_unavailable', message: 'The database is locked.' } }) : pass()));
  return { page, mend: () => { isBad = false; }, spoil: () => { isBad = true; } };
}

describe('the server does not take a question', () => {
  test('the failure stands in its place and is announced, the text is in the box, over a reload too, and Retry asks', async (t) => {
    const { page, mend } = await openRefusing(t);
    const { box, questions, answers, retry, alert } = partsOf(page);
    await say(page, 'Precious words');
    await retry.waitFor();
    assert.equal(await answers.getAttribute('data-status'), 'error');
    assert.equal(await answers.locator('.message-note').textContent(), 'The database is locked.');
    await eventually(async () => (await alert.textContent()) === 'The database is locked.', 'the failure is announced');
    assert.equal(await box.inputValue(), 'Precious words');
    await page.reload();
    await idle(page);
    assert.equal(await box.inputValue(), 'Precious words');
    assert.equal(await questions.count(), 0, 'the server has nothing of it');
    await box.press('Enter');
    await retry.waitFor();
    mend();
    at.p.respond(simple('At last'));
    await retry.click();
    await answerIs(page, 'At last');
    await idle(page);
    assert.equal(await box.inputValue(), '');
    assert.equal(await questions.count(), 1);
    assert.equal(at.p.chats.length, 1);
    await page.reload();
    await answerIs(page, 'At last');
    assert.equal(await box.inputValue(), '');
  });

  test('the same words from the box are the same question; other words take the place of what failed', async (t) => {
    const { page, mend, spoil } = await openRefusing(t);
    const { questions, retry, box } = partsOf(page);
    mend();
    at.p.respond(simple('Fine'));
    await say(page, 'First');
    await answerIs(page, 'Fine');
    await idle(page);
    spoil();
    await say(page, 'Second');
    await retry.waitFor();
    await box.press('Enter');
    await eventually(async () => await questions.count() === 2 && await retry.isVisible(), 'it has failed once more, and stands there once');
    await box.fill('Second, in other words');
    mend();
    at.p.respond(simple('Better'));
    await box.press('Enter');
    await answerIs(page, 'Better');
    await idle(page);
    assert.deepEqual(saidTo(at.p.chats.at(-1)), ['First', 'Fine', 'Second, in other words']);
    assert.deepEqual(await questionsOn(page), ['First', 'Second, in other words']);
    await page.reload();
    await answerIs(page, 'Better');
    assert.deepEqual(await questionsOn(page), ['First', 'Second, in other words']);
  });

  test('what was typed meanwhile is not mixed up with what comes back', async (t) => {
    let refuseNow;
    const page = await openSpoiled(t, (req, res, pass) => {
      if (!isAsk(req)) return pass();
      refuseNow = () => refuse(res, 503, { error: { code: 'store_unavailable', message: 'The database is locked.' } });
      return undefined;
    });
    const { box, retry } = partsOf(page);
    await say(page, 'On its way');
    await eventually(() => refuseNow, 'the question is asked');
    await box.fill('the next thought');
    refuseNow();
    await retry.waitFor();
    assert.equal(await box.inputValue(), 'On its way\n\nthe next thought');
    refuseNow = null;
    await retry.click();
    await eventually(() => refuseNow, 'it is asked again');
    assert.equal(await box.inputValue(), 'the next thought');
  });

  test('a question that is refused while one looks elsewhere waits in the box of its conversation', async (t) => {
    const { page, mend, spoil } = await openRefusing(t);
    const { box, fresh, list } = partsOf(page);
    mend();
    at.p.respond(simple('Fine'));
    await say(page, 'Come back');
    await answerIs(page, 'Fine');
    await idle(page);
    spoil();
    await say(page, 'Follow me');
    await fresh.click();
    assert.equal(await box.inputValue(), '');
    await list.filter({ hasText: 'Come back' }).first().getByRole('link').click();
    await answerIs(page, 'Fine');
    await eventually(async () => await box.inputValue() === 'Follow me', 'the text is in its box');
  });

  test('without a connection the text stays, and Retry works when it is back', async (t) => {
    at.p.respond(simple('Back'));
    const page = await at.open(t, { allow: FAILED_LOAD });
    const { box, retry } = partsOf(page);
    await page.context().setOffline(true);
    await say(page, 'Anybody there?');
    await page.locator('.message-note').getByText(TEXTS['error.network']).waitFor();
    assert.equal(await box.inputValue(), 'Anybody there?');
    await page.context().setOffline(false);
    await retry.click();
    await answerIs(page, 'Back');
    assert.equal(await box.inputValue(), '');
    assert.equal(await partsOf(page).questions.count(), 1);
  });

  const REFUSALS = {
    'a rate limit says when to try again': [429, { error: { code: 'rate_limited', message: 'Too many questions.' } }, { 'retry-after': '7' }, `Too many questions. ${TEXTS['error.later.seconds'].other.replace('{count}', '7')}`],
    'signed out': [401, { error: { code: 'unauthorized', message: 'no' } }, {}, TEXTS['error.401']],
    'an error page in HTML': [503, '<html><h1>503</h1></html>', { 'content-type': 'text/html' }, TEXTS['error.status'].replace('{status}', '503')],
    'a page where JSON was expected': [200, '<html>hello</html>', { 'content-type': 'text/html' }, TEXTS['error.bad_answer']],
  };
  for (const [name, [status, body, headers, sentence]] of Object.entries(REFUSALS)) {
    test(name, async (t) => {
      const page = await openSpoiled(t, (req, res, pass) => (isAsk(req) ? refuse(res, status, body, headers) : pass()));
      await say(page, 'Please');
      const note = page.locator('.message-note');
      await note.waitFor();
      assert.equal(await note.textContent(), sentence);
      assert.equal(await partsOf(page).box.inputValue(), 'Please');
    });
  }

  test('a conversation that is answered in another tab: a clear sentence, and the retry comes after it', async (t) => {
    at.p.enqueue(simple('One'));
    const page = await at.open(t);
    await say(page, 'Start');
    await answerIs(page, 'One');
    await idle(page);
    const other = await at.open(t, { path: `/${new URL(page.url()).hash}`, allow: FAILED_LOAD });      // of another browser: in the same one they tell each other
    await answerIs(other, 'One');
    const g = gate();
    at.p.enqueue(held('Two', g, ' and more'));
    await say(page, 'From the first tab');
    await answerIs(page, 'Two');
    await say(other, 'From the second tab');
    await other.locator('.message-note').getByText(TEXTS['error.busy']).waitFor();
    assert.equal(await partsOf(other).box.inputValue(), 'From the second tab');
    g.open();
    await idle(page);
    at.p.enqueue(simple('Three'));
    await partsOf(other).retry.click();
    await answerIs(other, 'Three');
    assert.deepEqual(await questionsOn(other), ['Start', 'From the first tab', 'From the second tab']);
    assert.deepEqual(saidTo(at.p.chats.at(-1)), ['Start', 'One', 'From the first tab', 'Two and more', 'From the second tab']);
    assert.equal(await partsOf(other).box.inputValue(), '');
  });
});

describe('the provider fails', () => {
  test('before its first word: the question stays, the box is empty, Retry asks for another answer to it', async (t) => {
    at.p.respond(failing(400));
    const page = await at.open(t);
    const { box, questions, answers, retry, alert } = partsOf(page);
    await say(page, 'A hard one');
    await retry.waitFor();
    assert.equal(await answers.getAttribute('data-status'), 'error');
    const note = await answers.locator('.message-note').textContent();
    assert.ok(note.length > 10);
    await eventually(async () => (await alert.textContent()) === note, 'the failure is announced');
    assert.equal(await box.inputValue(), '', 'the server has the question');
    assert.equal(await page.getByRole('button', { name: TEXTS['message.continue'], exact: true }).isVisible(), false, 'there is nothing to continue');
    await page.reload();
    await retry.waitFor();
    assert.equal(await box.inputValue(), '');
    at.p.respond(simple('At last'));
    await retry.click();
    await answerIs(page, 'At last');
    await idle(page);
    assert.equal(await questions.count(), 1);
    assert.equal(await retry.isVisible(), false);
    assert.deepEqual(saidTo(at.p.chats.at(-1)), ['A hard one']);
    await page.reload();
    await answerIs(page, 'At last');
    assert.equal(await questions.count(), 1);
    assert.equal(await answers.count(), 1);
  });

  test('the first question of a conversation fails: the retry stays in that conversation', async (t) => {
    at.p.enqueue(failing(401)); // not tried again by the server
    at.p.respond(simple('Mended'));
    const page = await at.open(t);
    const count = async () => (await fetch(`${at.s.url}/conversations?limit=200`).then((r) => r.json())).conversations.length;
    const before = await count();
    await say(page, 'Stay here');
    await partsOf(page).retry.click();
    await answerIs(page, 'Mended');
    assert.equal(await count(), before + 1);
    assert.equal(await partsOf(page).questions.count(), 1);
  });

  test('instead of Retry one may ask something else: it comes after the failed answer', async (t) => {
    at.p.enqueue(failing(400));
    at.p.respond(simple('Easy'));
    const page = await at.open(t);
    await say(page, 'A hard one');
    await partsOf(page).retry.waitFor();
    await say(page, 'An easy one');
    await answerIs(page, 'Easy');
    await idle(page);
    assert.deepEqual(await questionsOn(page), ['A hard one', 'An easy one']);
    await page.reload();
    await answerIs(page, 'Easy');
    assert.deepEqual(await questionsOn(page), ['A hard one', 'An easy one']);
  });

  /** Says this and then fails. */
  const dying = (text, g) => async (req, io) => {
    io.role(); io.token(text);
    await g.wait();
    io.chunk({ error: { message: 'engine died', type: 'server_error', code: 500 } });
    await io.end();
  };

  test('in mid-answer: the text stays, Continue goes on where it broke off', async (t) => {
    const g = gate();
    at.p.enqueue(dying('Half an ans', g));
    const page = await at.open(t);
    const { answers, questions, retry, box } = partsOf(page);
    await say(page, 'A hard one');
    await answerIs(page, 'Half an ans');
    g.open();
    await retry.waitFor();
    await answerIs(page, 'Half an ans');
    assert.equal(await answers.getAttribute('data-status'), 'error');
    assert.equal(await box.inputValue(), '');
    await page.reload();
    await answerIs(page, 'Half an ans');
    const g2 = gate();
    at.p.enqueue(held('wer, and', g2, ' the rest'));
    await page.getByRole('button', { name: TEXTS['message.continue'], exact: true }).click();
    await answerIs(page, 'Half an answer, and');
    assert.equal(await partsOf(page).stop.isVisible(), true);
    g2.open();
    await answerIs(page, 'Half an answer, and the rest');
    await idle(page);
    assert.equal(await answers.getAttribute('data-status'), 'done');
    assert.equal(await answers.count(), 1);
    assert.equal(await questions.count(), 1);
    assert.equal(await page.locator('.message-foot').filter({ visible: true }).count(), 0);
    await page.reload();
    await answerIs(page, 'Half an answer, and the rest');
  });

  test('in mid-answer: Retry makes another answer, and the failed one can still be seen', async (t) => {
    const g = gate();
    g.open();
    at.p.enqueue(dying('Half an ans', g));
    const page = await at.open(t);
    const { answers, questions, retry } = partsOf(page);
    await say(page, 'A hard one');
    at.p.enqueue(simple('A whole answer'));
    await retry.click();
    await answerIs(page, 'A whole answer');
    await idle(page);
    assert.equal(await questions.count(), 1);
    assert.deepEqual(saidTo(at.p.chats[1]), ['A hard one']);
    assert.equal(await retry.isVisible(), false);
    await page.getByRole('button', { name: TEXTS['actions.previous'] }).click();
    await answerIs(page, 'Half an ans');
    assert.equal(await answers.getAttribute('data-status'), 'error');
  });

  test('a Retry that the server does not take leaves everything as it was, and says why', async (t) => {
    const { page, mend, spoil } = await openRefusing(t);
    const { answers, retry, questions, box } = partsOf(page);
    mend();
    at.p.enqueue(failing(400));
    await say(page, 'A hard one');
    await retry.waitFor();
    spoil();
    await retry.click();
    await page.locator('.message-note').getByText('The database is locked.').waitFor();
    assert.deepEqual([await questions.count(), await answers.count(), await box.inputValue()], [1, 1, '']);
    mend();
    at.p.enqueue(simple('At last'));
    await retry.click();
    await answerIs(page, 'At last');
  });

  test('it ends in silence: the partial text is kept as interrupted', async (t) => {
    at.p.respond(async (req, io) => { io.role(); io.token('Half'); await io.end(); });
    const page = await at.open(t);
    await say(page, 'Hello');
    await partsOf(page).retry.waitFor();
    await answerIs(page, 'Half');
    assert.match(await partsOf(page).answers.getAttribute('data-status'), /^(interrupted|error)$/);
  });

  test('its answer is cut at the longest length: a note says so, Continue goes on', async (t) => {
    at.p.enqueue(simple('A long', { reason: 'length' }));
    const page = await at.open(t);
    await say(page, 'Tell me all');
    await answerIs(page, 'A long');
    await page.locator('.message-note').getByText(TEXTS['message.cut']).waitFor();
    at.p.enqueue(simple(' story.'));
    await page.getByRole('button', { name: TEXTS['message.continue'], exact: true }).click();
    await answerIs(page, 'A long story.');
    await idle(page);
    assert.equal(await page.locator('.message-note').filter({ visible: true }).count(), 0);
  });
});

describe('the rest', () => {
  test('a conversation that does not exist says so, and a new one can begin', async (t) => {
    at.p.respond(simple('Here'));
    const page = await at.open(t, { path: '/#c=nonsense', allow: FAILED_LOAD });
    await page.getByText(TEXTS['page.gone']).first().waitFor();
    await page.getByRole('main').getByRole('button', { name: 'New conversation' }).click();
    await say(page, 'Hello');
    await answerIs(page, 'Here');
  });

  test('a conversation that cannot be fetched offers Retry, and keeps the draft', async (t) => {
    let down = false;
    const page = await openSpoiled(t, (req, res, pass) => (isRead(req) && down ? refuse(res, 503, { error: { code: 'store_unavailable', message: 'The database is locked.' } }) : pass()));
    at.p.respond(simple('Kept'));
    await say(page, 'Remember');
    await answerIs(page, 'Kept');
    await idle(page);
    down = true;
    await page.reload();
    await page.getByRole('main').getByText('The database is locked.').waitFor();
    await partsOf(page).box.fill('a thought');
    await partsOf(page).box.press('Enter');
    assert.equal(await partsOf(page).box.inputValue(), 'a thought');
    down = false;
    await partsOf(page).retry.click();
    await answerIs(page, 'Kept');
    assert.equal(await partsOf(page).box.inputValue(), 'a thought');
  });

  test('a deletion that fails says so and keeps the row', async (t) => {
    at.p.respond(simple('x'));
    const page = await openSpoiled(t, (req, res, pass) => (req.method === 'DELETE' ? refuse(res, 503, { error: { code: 'store_unavailable', message: 'The database is locked.' } }) : pass()));
    const { list } = partsOf(page);
    await say(page, 'Sticky');
    await idle(page);
    await list.filter({ hasText: 'Sticky' }).first().waitFor();
    await choose(page, 'Sticky', 'Delete');
    await eventually(async () => await list.filter({ hasText: 'Sticky' }).count() === 0, 'it goes at once');
    await page.locator('.toast').getByRole('button', { name: 'Close' }).click();
    await page.getByRole('alert').getByText('“Sticky” could not be deleted. The database is locked.').waitFor();
    assert.equal(await list.filter({ hasText: 'Sticky' }).count(), 1);
  });

  test('a list that cannot be fetched offers Retry', async (t) => {
    let down = true;
    const page = await openSpoiled(t, (req, res, pass) => (req.url.startsWith('/conversations?') && down ? refuse(res, 503, { error: { code: 'store_unavailable', message: 'The database is locked.' } }) : pass()));
    await page.locator('nav').getByText('The database is locked.').waitFor();
    down = false;
    await page.locator('nav').getByRole('button', { name: 'Retry' }).click();
    await page.locator('nav').getByText('The database is locked.').waitFor({ state: 'hidden' });
  });

  test('a conversation that the server never answers offers Retry after half a minute; what comes slowly is read to its end', async (t) => {
    let silent = true;
    let rest = null;
    at.p.respond(simple('Here it is'));
    const page = await openSpoiled(t, async (req, res, pass) => {
      if (!isRead(req)) return pass();
      if (silent) return;
      const body = await fetch(at.s.url + req.url).then((r) => r.text());
      res.writeHead(200, { 'content-type': 'application/json' });
      res.write(body.slice(0, 20));
      rest = () => res.end(body.slice(20));
    });
    const { retry, box } = partsOf(page);
    await say(page, 'Where?');
    await answerIs(page, 'Here it is');
    await idle(page);
    await page.clock.install();
    await page.reload();
    await page.locator('#page-note .skeleton').waitFor();
    await page.clock.fastForward(25_000);
    assert.equal(await retry.isVisible(), false);
    await page.clock.fastForward(6000);
    await page.locator('#page-note').getByText(TEXTS['error.network']).waitFor();
    silent = false;
    const begun = page.waitForResponse((response) => isRead({ method: response.request().method(), url: new URL(response.url()).pathname }));
    await retry.click();
    await begun;
    await page.evaluate(() => new Promise((resolve) => requestAnimationFrame(resolve)));
    await page.clock.fastForward(200_000);
    rest();
    await answerIs(page, 'Here it is');
    assert.equal(await box.isEnabled(), true);
  });

  test('lists that hang do not keep later ones from being fetched', async (t) => {
    let asked = 0;
    let silent = false;
    const page = await openSpoiled(t, (req, res, pass) => {
      const isList = req.url.startsWith('/conversations?');
      if (isList) asked += 1;
      if (!isList || !silent) pass();
    });
    await page.waitForLoadState('networkidle');
    await page.clock.install();
    silent = true;
    asked = 0;
    await page.evaluate(() => dispatchEvent(new Event('online')));
    await eventually(() => asked >= 2, 'it is looked at');
    silent = false;
    const before = asked;
    await page.evaluate(() => dispatchEvent(new Event('online')));
    await page.clock.fastForward(31_000);
    await eventually(() => asked > before, 'the next look is not kept waiting for ever');
  });

  test('a stop that fails says so, and can be pressed again', async (t) => {
    let down = true;
    at.p.respond(held('On and on', gate(), ' never'));
    const page = await openSpoiled(t, (req, res, pass) => (req.url.endsWith('/stop') && down ? refuse(res, 500, { error: { code: 'internal', message: 'Sorry.' } }) : pass()));
    const { stop, answers } = partsOf(page);
    await say(page, 'Go');
    await answerIs(page, 'On and on');
    await stop.click();
    await page.locator('.message-note').getByText('Could not stop the answer. Sorry.').waitFor();
    down = false;
    const read = page.waitForResponse((response) => response.request().method() === 'GET' && /\/conversations\/[0-9a-z]{26}$/.test(response.url()));
    await stop.click();
    await idle(page);
    assert.equal(await answers.getAttribute('data-status'), 'stopped');
    await (await read).finished();
    await page.evaluate(() => new Promise((resolve) => setTimeout(resolve)));
    assert.equal(await page.locator('.message-note').textContent(), TEXTS['message.stopped'], 'what failed before does not count any more');
  });
});
