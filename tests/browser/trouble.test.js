// The page on its bad days: providers that fail, connections that break, servers that say no. Nothing typed is ever lost.
// Neighbours: stand.js starts the real server and the proxy that spoils answers; chat.test.js has the good days.
import assert from 'node:assert/strict';
import { describe } from 'node:test';
import { gate, held, simple } from '../provider/provider.js';
import { answerIs, eventually, idle, partsOf, say, stand, startProxy, test } from './stand.js';

const at = stand({ settings: { RETRIES: '0' } });

const FAILED_LOAD = /Failed to load resource|net::ERR_/;    // the browser's own line for each failed request
const failing = (status) => async (req, io) => io.json({ error: { message: 'the engine is broken', type: 'server_error' } }, status);

/** A page behind a proxy whose `change` the test gives. */
async function openSpoiled(t, change) {
  const proxy = await startProxy(at.s.url, { change });
  return at.open(t, { proxy, allow: FAILED_LOAD });
}

const isAsk = (req) => req.method === 'POST' && req.url === '/chat/stream';
const isRead = (req) => req.method === 'GET' && /^\/conversations\/[^/?]+$/.test(req.url);

function refuse(res, status, body, headers = {}) {
  res.writeHead(status, { 'content-type': 'application/json', ...headers });
  res.end(typeof body === 'string' ? body : JSON.stringify(body));
}

describe('no answer begins', () => {
  test('the failure stands in place, the text is in the box, over a reload too, and Retry asks again', async (t) => {
    at.p.respond(failing(400));
    const page = await at.open(t, { allow: FAILED_LOAD });
    const { box, questions, answers, retry, alert } = partsOf(page);
    await say(page, 'Precious words');
    await retry.waitFor();
    assert.equal(await answers.getAttribute('data-status'), 'error');
    assert.ok((await answers.locator('.message-note').textContent()).length > 10);
    await eventually(async () => (await alert.textContent()).length > 10, 'the failure is announced');
    assert.equal(await box.inputValue(), 'Precious words');
    await page.reload();
    await idle(page);
    assert.equal(await box.inputValue(), 'Precious words');
    await box.press('Enter');
    await eventually(async () => await questions.count() === 2 && await retry.count() === 1, 'the second one has failed too');
    at.p.respond(simple('At last'));
    await retry.click();
    await answerIs(page, 'At last');
    await idle(page);
    assert.equal(await box.inputValue(), '');
    assert.equal(await questions.count(), 2); // the one that failed before the reload stays in its conversation
    await page.reload();
    await answerIs(page, 'At last');
  });

  test('in the middle of a conversation, the retry takes the place of what failed', async (t) => {
    const page = await at.open(t, { allow: FAILED_LOAD });
    const { questions, retry, box } = partsOf(page);
    at.p.enqueue(simple('Fine'));
    await say(page, 'First');
    await answerIs(page, 'Fine');
    await idle(page);
    at.p.respond(failing(400));
    await say(page, 'Second');
    await retry.waitFor();
    await box.fill('Second, in other words');
    at.p.respond(simple('Better'));
    await box.press('Enter');
    await answerIs(page, 'Better');
    await idle(page);
    const said = at.p.chats.at(-1).body.messages.filter((m) => m.role !== 'system').map((m) => m.content);
    assert.deepEqual(said, ['First', 'Fine', 'Second, in other words']);
    await page.reload();
    await answerIs(page, 'Better');
    assert.deepEqual(await questions.locator('.message-text').allTextContents(), ['First', 'Second, in other words']);
  });

  test('without a connection the text stays, and Retry works when it is back', async (t) => {
    at.p.respond(simple('Back'));
    const page = await at.open(t, { allow: FAILED_LOAD });
    const { box, retry } = partsOf(page);
    await page.context().setOffline(true);
    await say(page, 'Anybody there?');
    await page.getByText('The server cannot be reached').first().waitFor();
    assert.equal(await box.inputValue(), 'Anybody there?');
    await page.context().setOffline(false);
    await retry.click();
    await answerIs(page, 'Back');
    assert.equal(await box.inputValue(), '');
  });

  test('the first question of a conversation is refused: the retry stays in that conversation', async (t) => {
    at.p.enqueue((req, io) => io.json({ error: { message: 'no' } }, 401)); // not tried again by the server
    at.p.respond(simple('Mended'));
    const page = await at.open(t, { allow: FAILED_LOAD });
    const count = async () => (await fetch(`${at.s.url}/conversations?limit=200`).then((r) => r.json())).conversations.length;
    const before = await count();
    await say(page, 'Stay here');
    await partsOf(page).retry.click();
    await answerIs(page, 'Mended');
    assert.equal(await count(), before + 1);
    assert.equal(await partsOf(page).questions.count(), 1);
    assert.equal(await partsOf(page).box.inputValue(), '');
  });

  const REFUSALS = {
    'a rate limit says when to try again': [429, { error: { code: 'rate_limited', message: 'Too many questions.' } }, { 'retry-after': '7' }, 'Too many questions. Try again in 7 s.'],
    'signed out': [401, { error: { code: 'unauthorized', message: 'no' } }, {}, 'You are signed out.'],
    'an error page in HTML': [503, '<html><h1>503</h1></html>', { 'content-type': 'text/html' }, 'The server answered with status 503.'],
    'a page where a stream was expected': [200, '<html>hello</html>', { 'content-type': 'text/html' }, 'does not understand'],
  };
  for (const [name, [status, body, headers, sentence]] of Object.entries(REFUSALS)) {
    test(name, async (t) => {
      const page = await openSpoiled(t, (req, res, pass) => (isAsk(req) ? refuse(res, status, body, headers) : pass()));
      await say(page, 'Please');
      const note = page.locator('.message-note');
      await note.waitFor();
      assert.ok((await note.textContent()).includes(sentence), await note.textContent());
      assert.equal(await partsOf(page).box.inputValue(), 'Please');
    });
  }

  test('a conversation that is answered in another tab: a clear sentence, and the retry comes after it', async (t) => {
    at.p.enqueue(simple('One'));
    const page = await at.open(t);
    await say(page, 'Start');
    await answerIs(page, 'One');
    await idle(page);
    const other = await at.open(t, { context: page.context(), path: `/${new URL(page.url()).hash}`, allow: FAILED_LOAD });
    await answerIs(other, 'One');
    const g = gate();
    at.p.enqueue(held('Two', g, ' and more'));
    await say(page, 'From the first tab');
    await answerIs(page, 'Two');
    await say(other, 'From the second tab');
    await other.getByText('The last answer in this conversation is still being written.').first().waitFor();
    assert.equal(await partsOf(other).box.inputValue(), 'From the second tab');
    g.open();
    await idle(page);
    at.p.enqueue(simple('Three'));
    await partsOf(other).retry.click();
    await answerIs(other, 'Three');
    assert.deepEqual(await partsOf(other).questions.locator('.message-text').allTextContents(), ['Start', 'From the first tab', 'From the second tab']);
    assert.equal(await partsOf(other).box.inputValue(), '');
  });
});

describe('an answer that breaks off', () => {
  test('an error in mid-answer keeps the partial text; Retry replaces the failed turn', async (t) => {
    const g = gate();
    at.p.enqueue(async (req, io) => {
      io.role(); io.token('Half an ans');
      await g.wait();
      io.chunk({ error: { message: 'engine died', type: 'server_error', code: 500 } });
      await io.end();
    });
    const page = await at.open(t);
    const { answers, questions, retry, box } = partsOf(page);
    await say(page, 'A hard one');
    await answerIs(page, 'Half an ans');
    g.open();
    await retry.waitFor();
    await answerIs(page, 'Half an ans');
    assert.equal(await answers.getAttribute('data-status'), 'error');
    assert.equal(await box.inputValue(), '', 'the server has the question');
    await page.reload();
    await answerIs(page, 'Half an ans');
    assert.equal(await answers.getAttribute('data-status'), 'error');
    at.p.enqueue(simple('A whole answer'));
    await retry.click();
    await answerIs(page, 'A whole answer');
    await idle(page);
    assert.equal(await questions.count(), 1);
    assert.deepEqual(at.p.chats[1].body.messages.filter((m) => m.role !== 'system').map((m) => m.content), ['A hard one']);
    await page.reload();
    await answerIs(page, 'A whole answer');
    assert.equal(await questions.count(), 1);
    assert.equal(await retry.count(), 0);
  });

  test('the stream breaks but the server goes on: the whole answer comes', async (t) => {
    const g = gate();
    const line = breakable();
    at.p.respond(held('Part one', g, ', part two'));
    const page = await openSpoiled(t, (req, res, pass) => { line.see(req, res); pass(); });
    await say(page, 'Hello');
    await answerIs(page, 'Part one');
    line.cut();
    await page.getByText('Still being written…').waitFor();
    await answerIs(page, 'Part one');
    g.open();
    await answerIs(page, 'Part one, part two');
    await idle(page);
    assert.equal(await partsOf(page).answers.getAttribute('data-status'), 'done');
  });

  test('the stream breaks and the server cannot be asked: interrupted, text kept, Retry', async (t) => {
    const g = gate();
    const line = breakable();
    const page = await openSpoiled(t, (req, res, pass) => {
      if (isRead(req)) return res.destroy();
      line.see(req, res);
      return pass();
    });
    at.p.enqueue(held('One two three', g));
    const { answers, retry, questions } = partsOf(page);
    await say(page, 'Count');
    await answerIs(page, 'One two three');
    line.cut();
    await page.getByText('The answer broke off before its end.').first().waitFor();
    await answerIs(page, 'One two three');
    assert.equal(await answers.getAttribute('data-status'), 'interrupted');
    assert.equal(await questions.count(), 1);
    await retry.waitFor();
    g.open();
  });

  test('a stream that ends politely without a last event is no complete answer', async (t) => {
    const page = await openSpoiled(t, (req, res, pass) => {
      if (isRead(req)) return refuse(res, 503, { error: { code: 'store_unavailable', message: 'no' } });
      return pass(isAsk(req) ? (piece, to) => (String(piece).includes('event: done') ? to.end() : to.write(piece)) : undefined);
    });
    const g = gate();
    at.p.enqueue(held('All of it', g));
    await say(page, 'Hello');
    await answerIs(page, 'All of it');
    g.open();
    await page.getByText('The answer broke off before its end.').first().waitFor();
    await answerIs(page, 'All of it');
  });

  test('the provider ends in silence: the partial text is kept as interrupted', async (t) => {
    at.p.respond(async (req, io) => { io.role(); io.token('Half'); await io.end(); });
    const page = await at.open(t);
    await say(page, 'Hello');
    await partsOf(page).retry.waitFor();
    await answerIs(page, 'Half');
    assert.match(await partsOf(page).answers.getAttribute('data-status'), /^(interrupted|error)$/);
  });
});

describe('the rest', () => {
  test('a conversation that does not exist says so, and a new one can begin', async (t) => {
    at.p.respond(simple('Here'));
    const page = await at.open(t, { path: '/#c=nonsense', allow: FAILED_LOAD });
    await page.getByText('This conversation does not exist.').waitFor();
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
    await page.getByRole('button', { name: 'Delete “Sticky”' }).click();
    await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
    await page.locator('nav').getByText('“Sticky” could not be deleted. The database is locked.').waitFor();
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

  test('a stop that fails says so, and can be pressed again', async (t) => {
    let down = true;
    at.p.respond(held('On and on', gate(), ' never'));
    const page = await openSpoiled(t, (req, res, pass) => (req.url.endsWith('/stop') && down ? refuse(res, 500, { error: { code: 'internal', message: 'Sorry.' } }) : pass()));
    const { stop, answers } = partsOf(page);
    await say(page, 'Go');
    await answerIs(page, 'On and on');
    await stop.click();
    await page.getByText('Could not stop the answer. Sorry.').first().waitFor();
    down = false;
    await stop.click();
    await idle(page);
    assert.equal(await answers.getAttribute('data-status'), 'stopped');
  });
});

// Remembers the stream of the last question, to break its connection when the test says so.
function breakable() {
  let stream;
  return {
    see: (req, res) => { if (isAsk(req)) stream = res; },
    cut: () => stream.destroy(),
  };
}
