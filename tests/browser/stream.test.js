// An answer that the server is writing reaches the page whole, each character once, whatever happens on the way; and every page that shows it.
// Neighbours: www/js/stream.js, www/js/conversation.js; trouble.test.js has questions that fail. stand.js has the server and the proxies that spoil what passes.
import assert from 'node:assert/strict';
import nodeTest, { describe } from 'node:test';
import { positionOf } from '../../www/js/stream.js';
import { gate, held, simple } from '../provider/provider.js';
import { answerIs, eventually, idle, partsOf, say, stand, startProxy, test, TEXTS } from './stand.js';

const at = stand({ settings: { RETRIES: '0' } });

const FAILED_LOAD = /Failed to load resource|net::ERR_/;    // the browser's own line for each failed request
const HOLDS_BACK = TEXTS['state.wait'];
const RECONNECTING = TEXTS['state.reconnecting'];

const isStream = (req) => /\/stream\?after=/.test(req.url) && !/[?&](wait|poll)=/.test(req.url);
const isLongPoll = (req) => /\/stream\?.*[?&]wait=/.test(req.url);
const isPlainPoll = (req) => /\/stream\?.*[?&]poll=/.test(req.url);
const isAsk = (req) => req.method === 'POST' && req.url === '/chat';

/** A page behind a proxy whose `change` the test gives; `page.asked` are the requests it has seen. */
async function openSpoiled(t, change, more = {}) {
  const asked = [];
  const proxy = await startProxy(at.s.url, { change: (req, res, pass) => { asked.push(req); change(req, res, pass); } });
  const page = await at.open(t, { proxy, allow: FAILED_LOAD, ...more });
  return Object.assign(page, { asked });
}

function refuse(res, status, body, headers = {}) {
  res.writeHead(status, { 'content-type': 'application/json', ...headers });
  res.end(typeof body === 'string' ? body : JSON.stringify(body));
}

/** One paragraph of `count` words in several alphabets, each of them different. */
const wordsOf = (count) => Array.from({ length: count }, (_, n) => `${['word', 'Wörter', '言葉', 'слово', '😀🏽', 'كلمة'][n % 6]}${n} `);

/** Says the words one after the other, with a moment between them; `first` of them before the gate opens. */
const spoken = (words, { ms = 15, first = words.length, door = gate() } = {}) => async (req, io) => {
  io.role();
  for (const [n, word] of words.entries()) {
    if (n === first) await door.wait();
    io.token(word);
    await new Promise((resolve) => setTimeout(resolve, ms));
  }
  io.finish(); io.done(); await io.end();
};

/** From now on the page notes what the last answer looks like. The result tells whether it only ever grew, word by word, towards `text`. */
async function watchGrowth(page) {
  await page.evaluate(() => {
    window.seen = [];
    const look = () => {
      const text = [...document.querySelectorAll('article[data-role="assistant"] .message-text')].at(-1)?.textContent ?? '';
      if (text !== window.seen.at(-1)) window.seen.push(text);
    };
    new MutationObserver(look).observe(document.getElementById('messages'), { childList: true, subtree: true, characterData: true });
    look();
  });
  return async (text) => {
    const seen = await page.evaluate(() => window.seen);
    const wrong = seen.find((each) => !text.startsWith(each.trimEnd()));
    assert.equal(wrong, undefined, 'what was shown is not the beginning of the answer');
    const shrunk = seen.findIndex((each, n) => n > 0 && each.trimEnd().length < seen[n - 1].trimEnd().length);
    assert.equal(shrunk, -1, `what was shown became shorter: ${JSON.stringify(seen[shrunk - 1])} became ${JSON.stringify(seen[shrunk])}`);
    return seen.length;
  };
}

nodeTest('the position of an event is that of its own answer only', () => {
  assert.equal(positionOf('m1:17', 'm1'), 17);
  assert.equal(positionOf('m1:0', 'm1'), 0);
  for (const id of ['m2:17', 'm1', 'm1:', 'm1:x', 'm1:-1', 'm1:1:2', 'm1:1.5', '', undefined, null]) assert.equal(positionOf(id, 'm1'), null, String(id));
});

describe('connections that break', () => {
  test('a stream cut again and again, anywhere, also inside a character: each character once', async (t) => {
    const seed = Number(process.env.SEED ?? Date.now() % 1e6);
    let state = seed + 1;
    const random = (n) => { state = (state * 48271) % 2147483647; return state % n; };
    t.diagnostic(`SEED=${seed}`);
    let cuts = 0;
    const words = wordsOf(200);
    at.p.respond(spoken(words, { ms: 20 }));
    const page = await openSpoiled(t, (req, res, pass) => {
      if (!isStream(req)) return pass();
      let left = -1;                      // of what may still pass; the first event always does, or nothing would ever go on
      return pass((piece, to) => {
        const end = left < 0 ? piece.indexOf('\n\n', piece.indexOf('\nid:')) : 0;
        if (left < 0 && piece.includes('\nid:')) left = end + 2 + random(400);
        to.write(left < 0 ? piece : piece.subarray(0, left));
        if (left < 0) return;
        left -= piece.length;
        if (left > 0) return;
        left = 0;
        cuts += 1;
        setImmediate(() => to.destroy());
      });
    });
    await say(page, 'Many words');
    await partsOf(page).answers.waitFor();
    const grew = await watchGrowth(page);
    await eventually(() => at.p.ios[0]?.finished, 'all has been said', 40);
    await answerIs(page, words.join(''));
    await idle(page);
    await grew(words.join(''));
    assert.ok(cuts >= 4, `only ${cuts} cuts`);
    assert.equal(await partsOf(page).answers.getAttribute('data-status'), 'done');
    assert.equal(await page.locator('#connection').isVisible(), false);
    assert.equal(at.p.chats.length, 1);
  });

  test('503, pages in HTML, a program that is away: it is tried until it works, and a line says so', async (t) => {
    const door = gate();
    const words = wordsOf(30);
    at.p.respond(spoken(words, { first: 10, door }));
    let stream;
    const bad = [
      (res) => refuse(res, 503, { error: { code: 'busy_server', message: 'Later.' } }),
      (res) => refuse(res, 200, '<html>Please wait</html>', { 'content-type': 'text/html' }),
      (res) => refuse(res, 502, '<html>Bad gateway</html>', { 'content-type': 'text/html' }),
      (res) => res.destroy(),
      (res) => refuse(res, 200, 'event: token\nid: nonsense:5\ndata: not yours\n\nevent: token\ndata: nobody\'s\n\n', { 'content-type': 'text/event-stream' }),
    ];
    let tries = 0;
    const page = await openSpoiled(t, (req, res, pass) => {
      if (isStream(req) && stream && tries < bad.length) return bad[tries++](res);
      if (isStream(req)) stream = res;
      return pass();
    });
    await say(page, 'Hello');
    await answerIs(page, words.slice(0, 10).join(''));
    stream.destroy();
    await page.getByText(RECONNECTING).first().waitFor();
    assert.equal(await partsOf(page).stop.isVisible(), true, 'it is still being written');
    await eventually(() => tries === bad.length, 'all of them were tried', 30);
    door.open();
    await answerIs(page, words.join(''));
    await idle(page);
    assert.equal(await page.locator('#connection').isVisible(), false);
    assert.equal(await partsOf(page).answers.getAttribute('data-status'), 'done');
  });

  test('offline in mid-answer, and back: nothing is missing', async (t) => {
    const door = gate();
    const words = wordsOf(40);
    at.p.respond(spoken(words, { first: 12, door }));
    let stream;
    const page = await openSpoiled(t, (req, res, pass) => {
      if (isStream(req)) stream = res;
      pass();
    });
    await say(page, 'Hello');
    await answerIs(page, words.slice(0, 12).join(''));
    const grew = await watchGrowth(page);
    await page.context().setOffline(true);
    stream.destroy();                       // the browser only fails new requests
    await page.getByText(TEXTS['state.offline']).first().waitFor();
    door.open();
    await eventually(() => at.p.ios[0].finished, 'the end of the answer');
    await answerIs(page, words.slice(0, 12).join(''));
    await page.context().setOffline(false);
    await answerIs(page, words.join(''));
    await idle(page);
    await grew(words.join(''));
    assert.equal(await page.locator('#connection').isVisible(), false);
  });

  test('a connection that is dead without saying so is given up, also after a sleep', async (t) => {
    const context = await at.browser.newContext();
    t.after(() => context.close());
    await context.clock.install();
    const door = gate();
    let isDead = false;
    at.p.respond(held('Before', door, ' and after'));
    let streams = 0;
    const page = await openSpoiled(t, (req, res, pass) => {
      const isFirst = isStream(req) && ++streams === 1;
      if (isDead && (isFirst || isPlainPoll(req))) return undefined;           // swallowed
      return pass(isFirst ? (piece, to) => { if (!isDead) to.write(piece); } : undefined);
    }, { context });
    await say(page, 'Hello');
    await answerIs(page, 'Before');
    isDead = true;
    door.open();
    await eventually(async () => {
      if (streams > 1) return true;
      await page.clock.fastForward(20_000);
      return false;
    }, 'another stream');
    await answerIs(page, 'Before and after');
    await idle(page);
  });

  test('a page that comes back from the back-forward cache reads on', async (t) => {
    const door = gate();
    at.p.respond(held('Before', door, ' and after'));
    const page = await at.open(t);
    await say(page, 'Hello');
    await answerIs(page, 'Before');
    await page.evaluate(() => {
      dispatchEvent(new PageTransitionEvent('pagehide', { persisted: true }));
      dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true }));
    });
    door.open();
    await answerIs(page, 'Before and after');
    await idle(page);
  });
});

// With a server of its own, which is away for a moment.
describe('a server that is started again', () => {
  const own = stand({ settings: { RETRIES: '0' } });

  test('the host server takes its configuration anew: the answer is whole', async (t) => {
    const door = gate();
    const words = wordsOf(40);
    own.p.respond(spoken(words, { first: 12, door }));
    const page = await own.open(t, { allow: FAILED_LOAD });
    await say(page, 'Hello');
    await answerIs(page, words.slice(0, 12).join(''));
    own.s.reload();
        door.open();
    await answerIs(page, words.join(''));
    await idle(page);
    assert.equal(await partsOf(page).answers.getAttribute('data-status'), 'done');
  });

  test('the process that writes the answer dies: what had arrived stays, and it can go on from there', async (t) => {
    own.p.enqueue(held('The first half', gate()));
    const page = await own.open(t, { allow: FAILED_LOAD });
    const { answers, questions } = partsOf(page);
    await say(page, 'Hello');
    await answerIs(page, 'The first half');
    const stored = async () => (await (await fetch(`${own.s.url}/conversations/${new URL(page.url()).hash.slice(3)}`)).json()).messages.at(-1).content;
    await eventually(async () => await stored() === 'The first half', 'the journal has it (the last moment before a kill may be lost)');
    for (const pid of own.s.workerPids()) process.kill(pid, 'SIGKILL');
    await page.getByText(TEXTS['message.interrupted']).first().waitFor({ timeout: 60_000 });
    await answerIs(page, 'The first half');
    assert.equal(await answers.getAttribute('data-status'), 'interrupted');
    own.p.enqueue(simple(' and the second.'));
    const grew = await watchGrowth(page);
    await page.getByRole('button', { name: 'Continue', exact: true }).click();
    await answerIs(page, 'The first half and the second.');
    await idle(page);
    await grew('The first half and the second.');
    assert.equal(await questions.count(), 1);
    assert.equal(await answers.count(), 1);
  });
});

describe('hosts that hold streams back', () => {
  /** Keeps everything of a stream until it ends, and the headers with it. */
  function keep(res, pass) {
    const pieces = [];
    const end = res.end.bind(res);
    res.flushHeaders = () => {};
    res.end = () => { res.write(Buffer.concat(pieces)); end(); };
    pass((piece) => pieces.push(piece));
  }

  test('a proxy that collects the whole stream: the answer comes in pieces after seconds, the next one at once', async (t) => {
    const doors = [gate(), gate()];
    at.p.enqueue(async (req, io) => {
      io.role(); io.token('One'); await doors[0].wait(); io.token(' two'); await doors[1].wait(); io.token(' three');
      io.finish(); io.done(); await io.end();
    });
    const page = await openSpoiled(t, (req, res, pass) => (isStream(req) ? keep(res, pass) : pass()));
    await say(page, 'Hello');
    await answerIs(page, 'One');
    await page.locator('#connection').getByText(HOLDS_BACK).waitFor();
    doors[0].open();
    await answerIs(page, 'One two');
    assert.equal(await partsOf(page).stop.isVisible(), true);
    doors[1].open();
    await answerIs(page, 'One two three');
    await idle(page);
    assert.equal(await page.locator('#connection').isVisible(), false, 'the line goes with the answer');
    const before = page.asked.length;
    const door = gate();
    at.p.enqueue(held('Four', door, ' five'));
    await say(page, 'Once more');
    await answerIs(page, 'Four');
    await page.locator('#connection').getByText(HOLDS_BACK).waitFor();
    door.open();
    await answerIs(page, 'Four five');
    await idle(page);
    assert.equal(page.asked.slice(before).filter(isStream).length, 0, 'no stream is tried');
    assert.ok(page.asked.slice(before).some(isLongPoll));
  });

  test('one that kills long polls too: plain polls, which are remembered', async (t) => {
    const door = gate();
    const words = wordsOf(30);
    at.p.enqueue(spoken(words, { first: 10, door }));
    const page = await openSpoiled(t, (req, res, pass) => {
      if (isLongPoll(req)) return res.destroy();
      return isStream(req) ? keep(res, pass) : pass();
    });
    await say(page, 'Hello');
    await answerIs(page, words.slice(0, 10).join(''));
    await eventually(() => page.asked.filter(isLongPoll).length >= 2 && isPlainPoll(page.asked.at(-1)), 'plain polls');
    door.open();
    await answerIs(page, words.join(''));
    await idle(page);
    const before = page.asked.length;
    at.p.enqueue(simple('Again'));
    await say(page, 'Once more');
    await answerIs(page, 'Again');
    await idle(page);
    assert.equal(page.asked.slice(before).filter((req) => isStream(req) || isLongPoll(req)).length, 0);
  });

  test('one that never answers a long poll', async (t) => {
    const context = await at.browser.newContext();
    t.after(() => context.close());
    await context.clock.install();
    const door = gate();
    at.p.enqueue(held('One', door, ' two'));
    let polls = 0;
    const page = await openSpoiled(t, (req, res, pass) => {
      if (isLongPoll(req)) { polls += 1; return undefined; }
      return isStream(req) ? keep(res, pass) : pass();
    }, { context });
    await say(page, 'Hello');
    await answerIs(page, 'One');
    door.open();
    await eventually(async () => {
      await page.clock.fastForward(polls < 2 ? 20_000 : 1000);      // then each look is given the time that it may take
      return await partsOf(page).send.isVisible();
    }, 'the end of the answer', 20);
    await answerIs(page, 'One two');
    assert.ok(polls >= 2);
  });

  test('a model that thinks for long is no proxy that holds back', async (t) => {
    const context = await at.browser.newContext();
    t.after(() => context.close());
    await context.clock.install();
    const door = gate();
    at.p.enqueue(held('One', door, ' two'));
    const page = await openSpoiled(t, (req, res, pass) => pass(), { context });
    await say(page, 'Hello');
    await answerIs(page, 'One');
    for (let n = 1; n <= 2; n += 1) {
      const looked = page.waitForResponse(/[?&]poll=/);
      await page.clock.fastForward(5000);
      await (await looked).finished();                   // a look beside the stream
      assert.equal(page.asked.filter(isPlainPoll).length, n);
    }
    door.open();
    await answerIs(page, 'One two');
    await idle(page);
    assert.equal(page.asked.filter(isLongPoll).length, 0);
    assert.equal(page.asked.filter(isStream).length, 1);
  });
});

describe('every page that shows the answer', () => {
  test('a reload in mid-answer: what was there is there, and goes on', async (t) => {
    const door = gate();
    const words = wordsOf(60);
    at.p.respond(spoken(words, { ms: 2, first: 40, door }));
    const page = await at.open(t);
    const { questions, stop, box } = partsOf(page);
    await say(page, 'Take your time');
    await answerIs(page, words.slice(0, 40).join(''));
    await page.addInitScript(() => {
      window.seen = [];
      new MutationObserver(() => {
        const text = document.querySelector('article[data-role="assistant"] .message-text')?.textContent;
        if (text !== undefined && text !== window.seen.at(-1)) window.seen.push(text);
      }).observe(document, { childList: true, subtree: true, characterData: true });
    });
    await page.reload();
    await answerIs(page, words.slice(0, 40).join(''));
    assert.equal(await questions.locator('.message-text').textContent(), 'Take your time');
    assert.equal(await stop.isVisible(), true);
    assert.equal(await box.inputValue(), '', 'the question is not in the box again');
    door.open();
    await answerIs(page, words.join(''));
    await idle(page);
    const lengths = (await page.evaluate(() => window.seen)).map((text) => text.trimEnd().length).filter((length) => length > 0);
    assert.ok(lengths.every((length, n) => n === 0 || length >= lengths[n - 1]), `never shorter: ${lengths}`);
    assert.equal(at.p.chats.length, 1);
  });

  test('a second page, opened during the answer, sees it grow; Stop there stops it here', async (t) => {
    at.p.respond(held('Half', gate(), ' never'));
    const page = await at.open(t);
    await say(page, 'Take your time');
    await answerIs(page, 'Half');
    const other = await at.open(t, { context: page.context(), path: `/${new URL(page.url()).hash}` });
    await answerIs(other, 'Half');
    await partsOf(other).stop.click();
    for (const each of [other, page]) {
      await idle(each);
      await answerIs(each, 'Half');
      assert.equal(await partsOf(each).answers.getAttribute('data-status'), 'stopped');
    }
    await at.p.waitForClosed(1);
  });

  for (const [name, isOwn] of [['in the same browser at once', true], ['on another device when it looks again', false]]) {
    test(`a page that was open before the question shows it and the growing answer, ${name}`, async (t) => {
      at.p.enqueue(simple('Hello.'));
      const page = await at.open(t);
      await say(page, 'Hi');
      await answerIs(page, 'Hello.');
      await idle(page);
      const other = await at.open(t, { ...(isOwn && { context: page.context() }), path: `/${new URL(page.url()).hash}` });
      await answerIs(other, 'Hello.');
      const door = gate();
      at.p.enqueue(held('Second', door, ' answer'));
      await say(page, 'And now?');
      await answerIs(page, 'Second');
      if (!isOwn) await other.evaluate(() => document.dispatchEvent(new Event('visibilitychange')));
      await answerIs(other, 'Second');
      assert.deepEqual(await partsOf(other).questions.locator('.message-text').allTextContents(), ['Hi', 'And now?']);
      assert.equal(await partsOf(other).stop.isVisible(), true);
      door.open();
      for (const each of [page, other]) {
        await answerIs(each, 'Second answer');
        await idle(each);
      }
    });
  }

  test('two devices that ask at the same time: one is told, and both show the same in the end', async (t) => {
    at.p.enqueue(simple('Hello.'));
    const page = await at.open(t);
    await say(page, 'Hi');
    await answerIs(page, 'Hello.');
    await idle(page);
    const other = await at.open(t, { path: `/${new URL(page.url()).hash}`, allow: FAILED_LOAD });
    await answerIs(other, 'Hello.');
    const door = gate();
    at.p.enqueue(held('Mine', door));
    await say(page, 'First');
    await answerIs(page, 'Mine');
    await say(other, 'Second');
    await other.getByText(TEXTS['error.busy']).first().waitFor();
    assert.equal(await partsOf(other).box.inputValue(), 'Second');
    door.open();
    await idle(page);
    at.p.enqueue(simple('Yours'));
    await partsOf(other).retry.click();
    await answerIs(other, 'Yours');
    await page.evaluate(() => document.dispatchEvent(new Event('visibilitychange')));
    await answerIs(page, 'Yours');
    for (const each of [page, other]) assert.deepEqual(await partsOf(each).questions.locator('.message-text').allTextContents(), ['Hi', 'First', 'Second']);
  });
});

describe('refusals in mid-answer', () => {
  test('signed out: the draft stays, and after signing in Retry shows the whole answer without asking again', async (t) => {
    const door = gate();
    at.p.respond(held('Half', door, ' and half'));
    let stream;
    let isOut = false;
    const page = await openSpoiled(t, (req, res, pass) => {
      if (isOut && !/\/(js|css|i18n)\//.test(req.url)) return refuse(res, 401, { error: { code: 'unauthorized', message: 'no' } });
      if (isStream(req)) stream = res;
      return pass();
    });
    const { box, retry } = partsOf(page);
    await say(page, 'Hello');
    await answerIs(page, 'Half');
    await box.fill('a thought meanwhile');
    isOut = true;
    stream.destroy();
    await page.locator('.message-note').getByText(TEXTS['error.401']).waitFor();
    await answerIs(page, 'Half');
    assert.equal(await box.inputValue(), 'a thought meanwhile');
    door.open();
    isOut = false;
    await retry.click();
    await answerIs(page, 'Half and half');
    await idle(page);
    assert.equal(await box.inputValue(), 'a thought meanwhile');
    assert.equal(at.p.chats.length, 1);
    assert.equal(await partsOf(page).answers.count(), 1);
  });

  test('the conversation is deleted elsewhere in mid-answer: the page says so', async (t) => {
    at.p.respond(held('Half', gate(), ' never'));
    const page = await at.open(t, { allow: FAILED_LOAD });
    await say(page, 'Hello');
    await answerIs(page, 'Half');
    const id = new URL(page.url()).hash.slice(3);
    const deleted = await fetch(`${at.s.url}/conversations/${id}`, { method: 'DELETE' });
    assert.equal(deleted.status, 200);
    await page.getByText(TEXTS['page.gone']).first().waitFor();
    assert.equal(await partsOf(page).stop.isVisible(), false);
    await page.getByRole('main').getByRole('button', { name: 'New conversation' }).click();
    await idle(page);
  });
});

describe('a question that nobody knows whether it arrived', () => {
  for (const [name, again] of [['Retry', (page) => partsOf(page).retry.click()], ['Enter in the box', (page) => partsOf(page).box.press('Enter')]]) {
    test(`the answer to the POST is lost: ${name} does not ask twice`, async (t) => {
      at.p.respond(simple('Once and only once'));
      let isLost = true;
      const keys = [];
      const page = await openSpoiled(t, (req, res, pass) => {
        if (!isAsk(req)) return pass();
        keys.push(req.headers['idempotency-key']);
        if (!isLost) return pass();
        res.end = () => res.destroy();
        res.writeHead = () => res;
        res.flushHeaders = () => {};
        return pass(() => {});
      });
      const { box, retry, questions } = partsOf(page);
      await say(page, 'Precious');
      await retry.waitFor();
      isLost = false;
      await at.p.waitForChat(1);
      assert.equal(await box.inputValue(), 'Precious');
      await again(page);
      await answerIs(page, 'Once and only once');
      await idle(page);
      assert.equal(await box.inputValue(), '');
      assert.ok(keys.length >= 2);           // the browser itself may have tried again on another connection
      assert.equal(new Set(keys).size, 1, `the same key: ${keys}`);
      assert.equal(at.p.chats.length, 1, 'the provider sees one request');
      assert.equal(await questions.count(), 1);
      await page.reload();
      await answerIs(page, 'Once and only once');
      assert.equal(await questions.count(), 1, 'one question is stored');
    });
  }
});
