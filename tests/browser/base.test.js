// The page finds the API wherever a host server puts it, asks for it only when it must, and never asks a question twice.
// Neighbours: host.js is the host server, the real one stands behind it; place.test.js has the order of the search.
import assert from 'node:assert/strict';
import { describe } from 'node:test';
import { simple } from '../provider/provider.js';
import { refuse, startHost } from './host.js';
import { answerIs, eventually, forward, idle, partsOf, say, stand, test } from './stand.js';

const at = stand();

const FAILED_LOAD = /Failed to load resource|net::ERR_/;    // the browser's own line for each failed request

async function openAt(t, options, path = options.page) {
  const host = await startHost({ target: at.s.url, ...options });
  return { host, page: await at.open(t, { proxy: host, path, allow: FAILED_LOAD }) };
}

const probes = (host) => host.seen.filter((line) => line.endsWith('/health'));
const asks = (host) => host.seen.filter((line) => line.startsWith('POST') && line.endsWith('/chat'));

describe('the API is', () => {
  test('beside the page: nothing is searched', async (t) => {
    const { host, page } = await openAt(t, { page: '/x/', api: '/x/' });
    at.p.respond(simple('Beside'));
    await say(page, 'Where are you?');
    await answerIs(page, 'Beside');
    await idle(page);
    await page.reload();
    await answerIs(page, 'Beside');
    assert.deepEqual(probes(host), []);
  });

  for (const [api, expected] of [
    ['/x/cgi-bin/chat.cgi/', ['GET /x/health', 'GET /x/cgi-bin/chat.cgi/health']],
    ['/x/chat.cgi/', ['GET /x/health', 'GET /x/cgi-bin/chat.cgi/health', 'GET /x/chat.cgi/health']],
    ['/cgi-bin/chat.cgi/', ['GET /x/health', 'GET /x/cgi-bin/chat.cgi/health', 'GET /x/chat.cgi/health', 'GET /cgi-bin/chat.cgi/health']],
  ]) {
    test(`at ${api}: the first load finds it, once, and everything works`, async (t) => {
      const { host, page } = await openAt(t, { page: '/x/', api });
      await eventually(() => host.seen.includes(`GET ${api}conversations`), 'the list comes from there');
      assert.deepEqual(probes(host), expected);
      at.p.respond(simple('Found'));
      await say(page, `Are you at ${api}?`);
      await answerIs(page, 'Found');
      await idle(page);
      await eventually(async () => (await partsOf(page).list.first().textContent()) === `Are you at ${api}?`, 'it is in the list');
      host.seen.length = 0;
      await page.reload();
      await answerIs(page, 'Found');
      assert.deepEqual(host.seen.filter((line) => !line.split(' ')[1].startsWith(api)), [], 'remembered over a reload');
      assert.deepEqual(probes(host), []);
    });
  }

  test('elsewhere, and an opened conversation asks at the same time as the list: one search for both', async (t) => {
    const { conversation_id: id } = await fetch(`${at.s.url}/conversations`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"title": "Shared search"}' }).then((r) => r.json());
    const { host, page } = await openAt(t, { page: '/x/', api: '/cgi-bin/chat.cgi/' }, `/x/#c=${id}`);
    await eventually(async () => (await page.getByRole('heading', { level: 1 }).textContent()) === 'Shared search', 'it opens');
    await eventually(() => host.seen.includes('GET /cgi-bin/chat.cgi/conversations'), 'the list comes too');
    assert.equal(probes(host).length, 4);
  });

  for (const refusal of [403, 405, 501]) {
    test(`elsewhere, on a server that says ${refusal} to what it does not know`, async (t) => {
      const { host } = await openAt(t, { page: '/x/', api: '/cgi-bin/chat.cgi/', refusal });
      await eventually(() => host.seen.includes('GET /cgi-bin/chat.cgi/conversations'), 'the list comes from there');
    });
  }

  test('elsewhere, on a server that answers every address with the page', async (t) => {
    const everything = (req, res, path) => !path.startsWith('/cgi-bin/') && (refuse(req, res, 200), true);
    const { host } = await openAt(t, { page: '/x/', api: '/cgi-bin/chat.cgi/', answer: everything });
    await eventually(() => host.seen.includes('GET /cgi-bin/chat.cgi/conversations'), 'the list comes from there');
  });

  test('moved while the page is open: the question that was refused is asked once more, there', async (t) => {
    const { host, page, move } = await openMovable(t, 405);
    move();
    await say(page, 'Still there?');
    await answerIs(page, 'Moved');
    assert.deepEqual(asks(host), ['POST /x/chat', 'POST /cgi-bin/chat.cgi/chat']);
    assert.equal(at.p.chats.length, 1);
  });

  test('moved, but the refusal leaves open whether somebody worked on the question: only Retry asks again', async (t) => {
    const { host, page, move } = await openMovable(t, 403);
    move();
    await say(page, 'Still there?');
    await page.locator('.message-note').getByText('status 403').waitFor();
    assert.equal(await partsOf(page).box.inputValue(), 'Still there?');
    await page.evaluate(() => dispatchEvent(new Event('online')));
    await eventually(() => host.seen.includes('GET /cgi-bin/chat.cgi/conversations'), 'the list comes from the new place');
    assert.equal(asks(host).length, 1);
    await partsOf(page).retry.click();
    await answerIs(page, 'Moved');
    assert.equal(at.p.chats.length, 1);
  });
});

/** A page whose API is beside it until `move()`: then it is in /cgi-bin/, and the old place says `refusal`. */
async function openMovable(t, refusal) {
  let moved = false;
  const answer = (req, res, path) => {
    if (path.startsWith('/cgi-bin/chat.cgi/')) forward(req, res, new URL(req.url.slice('/cgi-bin/chat.cgi'.length), at.s.url));
    else if (moved) refuse(req, res, refusal);
    else return false;
    return true;
  };
  at.p.respond(simple('Moved'));
  const { host, page } = await openAt(t, { page: '/x/', api: '/x/', answer });
  const beginning = ['GET /x/conversations', 'GET /x/v1/models', 'GET /x/api/config'];
  await eventually(() => host.seen.filter((line) => beginning.includes(line)).length >= 4, 'it begins beside the page, with two lists');
  return { host, page, move: () => { moved = true; } };
}

describe('the API is nowhere', () => {
  test('the page says that the program was not found, and where to look; nothing typed is lost', async (t) => {
    const { page, host } = await openAt(t, { page: '/x/' });
    await page.locator('nav').getByText('the program behind it was not').waitFor();
    assert.match(await page.locator('#list-note').textContent(), /diagnose\.html/);
    await say(page, 'Anybody?');
    const note = page.locator('.message-note');
    await note.waitFor();
    assert.match(await note.textContent(), /the program behind it was not.*diagnose\.html/);
    assert.equal(await partsOf(page).box.inputValue(), 'Anybody?');
    assert.equal(asks(host).length, 1);
  });

  test('an addressed conversation is not taken for deleted, and its draft stays', async (t) => {
    const { page } = await openAt(t, { page: '/x/' }, '/x/#c=someone');
    await page.getByRole('main').getByText('the program behind it was not').waitFor();
    await partsOf(page).box.fill('a thought');
    await page.reload();
    await page.getByRole('main').getByText('the program behind it was not').waitFor();
    assert.equal(await partsOf(page).box.inputValue(), 'a thought');
  });
});

describe('the API is where it was, and something else refuses', () => {
  const refusing = (status, body, type) => (req, res, path) => path.endsWith('/chat') && (refuse(req, res, status, body, type), true);

  for (const [name, status, sentence] of [['a filter says 403', 403, 'status 403'], ['a page stands in for the answer', 200, 'does not understand']]) {
    test(`${name} in HTML: one look, no second question, its own sentence`, async (t) => {
      const { host, page } = await openAt(t, { page: '/x/', api: '/x/', answer: refusing(status) });
      await say(page, 'Please');
      await page.locator('.message-note').getByText(sentence).waitFor();
      assert.deepEqual(probes(host), ['GET /x/health']);
      assert.equal(asks(host).length, 1);
    });
  }

  test('our own refusals, a broken connection and a server that is down start no search', async (t) => {
    const answers = [
      (req, res) => refuse(req, res, 404, '{"error": {"code": "not_found", "message": "Gone."}}', 'application/json'),
      (req, res) => refuse(req, res, 500),
      (req, res) => refuse(req, res, 503),
      (req, res) => res.destroy(),
    ];
    let now;
    const { host, page } = await openAt(t, { page: '/x/', api: '/x/', answer: (req, res, path) => path.endsWith('/chat') && (now(req, res), true) });
    for (const [n, sentence] of ['Gone.', 'status 500', 'status 503', 'cannot be reached'].entries()) {
      now = answers[n];
      await say(page, 'Please');
      await page.locator('.message-note').getByText(sentence).waitFor();
    }
    assert.deepEqual(probes(host), []);
  });
});
