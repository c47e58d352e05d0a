// Things that happen at the same time: an old reading of the server beside a new question, a refusal because the conversation goes on elsewhere, an answer that
// got lost though the question arrived, options changed before a conversation is there, addresses that are none.
// Neighbours: stand.js; trouble.test.js has what fails by itself, stream.test.js answers that break off.
import assert from 'node:assert/strict';
import { describe } from 'node:test';
import { gate, held, simple } from '../provider/provider.js';
import { answerIs, choose, eventually, idle, partsOf, say, stand, test, TEXTS } from './stand.js';

const at = stand({ settings: { RETRIES: '0' } });
const isRead = /\/conversations\/[0-9a-z]{26}$/;
const readsIt = (response) => response.request().method() === 'GET' && isRead.test(response.url());
const isList = /\/conversations\?/;

async function exchange(page, question, answer) {
  at.p.enqueue(simple(answer));
  await say(page, question);
  await answerIs(page, answer);
  await idle(page);
}

const ask = (body) => fetch(`${at.s.url}/chat`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ stream: false, ...body }) }).then((r) => r.json());
const idOf = async (page) => {
  await eventually(() => page.url().includes('#c='), 'it has an id');
  return page.url().split('#c=')[1];
};
const saidTo = (chat) => chat.body.messages.filter((each) => each.role !== 'system').map((each) => each.content);

describe('at the same time', () => {
  test('a reading that began before the next question takes nothing from the page', async (t) => {
    const page = await at.open(t);
    const old = gate();
    let reads = 0;
    await page.route(isRead, async (route) => {
      if (route.request().method() !== 'GET') return route.continue();
      reads += 1;
      const response = await route.fetch();
      if (reads === 1) await old.wait();
      await route.fulfill({ response });
    });
    await exchange(page, 'One', 'First');
    await eventually(() => reads >= 1, 'it is read again after the answer');
    const g = gate();
    at.p.enqueue(held('Sec', g, 'ond'));
    await say(page, 'Two');
    await answerIs(page, 'Sec');
    const read = page.waitForResponse(readsIt);
    old.open();
    await read;
    await page.evaluate(() => new Promise((resolve) => setTimeout(resolve)));
    assert.equal(await partsOf(page).questions.count(), 2);
    await answerIs(page, 'Sec');
    g.open();
    await answerIs(page, 'Second');
    await idle(page);
  });

  test('after a 409 the next question follows what is there, also where there are versions', async (t) => {
    const page = await at.open(t, { allow: /409/ });
    await exchange(page, 'My name is Ada', 'Hello');
    at.p.enqueue(simple('Hello again'));
    await page.getByRole('button', { name: 'Regenerate' }).click();
    await answerIs(page, 'Hello again');
    await idle(page);
    let refusals = 1;
    await page.route(/\/chat$/, (route) => (refusals-- > 0
      ? route.fulfill({ status: 409, contentType: 'application/json', body: '{"error":{"code":"busy","message":"busy"}}' }) : route.continue()));
    await say(page, 'What is my name?');
    await partsOf(page).retry.waitFor();
    at.p.enqueue(simple('Ada'));
    await partsOf(page).box.press('Enter');
    await answerIs(page, 'Ada');
    assert.deepEqual(saidTo(at.p.chats.at(-1)), ['My name is Ada', 'Hello again', 'What is my name?']);
    assert.equal(await partsOf(page).questions.count(), 2);
  });

  test('a question in other words that is refused by 409 still takes the place of the one it was meant for', async (t) => {
    const page = await at.open(t, { allow: /409/ });
    await exchange(page, 'One', 'First');
    await exchange(page, 'Two', 'Second');
    let refusals = 1;
    await page.route(/\/chat$/, (route) => (refusals-- > 0
      ? route.fulfill({ status: 409, contentType: 'application/json', body: '{"error":{"code":"busy","message":"busy"}}' }) : route.continue()));
    await partsOf(page).questions.first().getByRole('button', { name: 'Edit' }).click();
    const editor = page.getByRole('textbox', { name: TEXTS['message.edit.box'] });
    await editor.fill('Uno');
    await editor.press('Enter');
    await partsOf(page).retry.waitFor();
    at.p.enqueue(simple('Primo'));
    await partsOf(page).retry.click();
    await answerIs(page, 'Primo');
    assert.deepEqual(saidTo(at.p.chats.at(-1)), ['Uno']);
    assert.equal(await partsOf(page).questions.count(), 1);
    assert.equal(await partsOf(page).box.inputValue(), '');
  });

  test('after an answer the conversation is read once, also where a list says what was before its end', async (t) => {
    const page = await at.open(t);
    const lists = () => page.waitForResponse(isList);
    const first = page.waitForResponse(readsIt);
    await exchange(page, 'One', 'First');
    await (await first).finished();
    await eventually(async () => await partsOf(page).list.first().textContent() === 'One', 'it is in the list');
    let reads = 0;
    page.on('request', (request) => { if (request.method() === 'GET' && isRead.test(request.url())) reads += 1; });
    const old = gate();
    let waiting = 0;
    await page.route(isList, async (route) => {
      const response = await route.fetch();
      waiting += 1;
      await old.wait();
      await route.fulfill({ response });
    });
    const g = gate();
    at.p.enqueue(held('Sec', g, 'ond'));
    await say(page, 'Two');
    await answerIs(page, 'Sec');
    await eventually(() => waiting >= 2, 'the lists of the beginning are asked for');
    g.open();
    await answerIs(page, 'Second');
    await idle(page);
    const listed = lists();
    old.open();
    await listed;
    for (let n = 0; n < 2; n += 1) {                    // the list is looked at again: nothing new
      const again = lists();
      await page.evaluate(() => document.dispatchEvent(new Event('visibilitychange')));
      await again;
    }
    await page.evaluate(() => new Promise((resolve) => setTimeout(resolve)));
    assert.equal(reads, 1);
  });

  test('a conversation that the list does not have is not read at each look', async (t) => {
    const page = await at.open(t);
    const first = page.waitForResponse(readsIt);
    await exchange(page, 'To the archive', 'First');
    await (await first).finished();
    await eventually(async () => await partsOf(page).list.first().textContent() === 'To the archive', 'it is in the list');
    await choose(page, 'To the archive', 'Archive');
    const read = page.waitForResponse(readsIt);
    await exchange(page, 'Two', 'Second');
    await (await read).finished();
    let reads = 0;
    page.on('request', (request) => { if (request.method() === 'GET' && isRead.test(request.url())) reads += 1; });
    for (let n = 0; n < 3; n += 1) {
      const list = page.waitForResponse(isList);
      await page.evaluate(() => document.dispatchEvent(new Event('visibilitychange')));
      await (await list).finished();
    }
    await page.evaluate(() => new Promise((resolve) => setTimeout(resolve)));
    assert.equal(reads, 0);
  });

  test('a reading that began before a judgement does not take it back', async (t) => {
    const page = await at.open(t);
    await exchange(page, 'One', 'First');
    const old = gate();
    const begun = gate();
    await page.route(isRead, async (route) => {
      if (route.request().method() !== 'GET') return route.continue();
      const response = await route.fetch();
      begun.open();
      await old.wait();
      await route.fulfill({ response });
    });
    await ask({ message: 'from elsewhere', conversation_id: await idOf(page) });
    await page.evaluate(() => document.dispatchEvent(new Event('visibilitychange')));
    await begun.wait();
    const like = partsOf(page).answers.first().getByRole('button', { name: TEXTS['actions.like'] });
    await like.click();
    await eventually(async () => await like.getAttribute('aria-pressed') === 'true', 'it is shown');
    const read = page.waitForResponse(readsIt);
    old.open();
    await read;
    await page.evaluate(() => new Promise((resolve) => setTimeout(resolve)));
    assert.equal(await like.getAttribute('aria-pressed'), 'true');
  });

  test('a reading that is answered before a judgement has arrived does not take it back', async (t) => {
    const page = await at.open(t);
    await exchange(page, 'One', 'First');
    const sent = gate();
    await page.route(/\/api\/feedback$/, async (route) => { await sent.wait(); await route.continue(); });
    const like = partsOf(page).answers.first().getByRole('button', { name: TEXTS['actions.like'] });
    await like.click();
    await eventually(async () => await like.getAttribute('aria-pressed') === 'true', 'it is shown');
    await ask({ message: 'from elsewhere', conversation_id: await idOf(page) });
    const read = page.waitForResponse(readsIt);
    await page.evaluate(() => document.dispatchEvent(new Event('visibilitychange')));
    await (await read).finished();
    await page.evaluate(() => new Promise((resolve) => setTimeout(resolve)));
    assert.equal(await like.getAttribute('aria-pressed'), 'true');
    sent.open();
    await eventually(async () => {
      await page.evaluate(() => document.dispatchEvent(new Event('visibilitychange')));
      return await partsOf(page).questions.count() === 2;
    }, 'and what happened elsewhere is there later');
    assert.equal(await like.getAttribute('aria-pressed'), 'true');
  });

  test('after a deletion the next question elsewhere follows what the server has', async (t) => {
    const page = await at.open(t);
    await exchange(page, 'One', 'First');
    await partsOf(page).answers.first().getByRole('button', { name: TEXTS['actions.more'] }).click();
    const deleted = page.waitForResponse((response) => response.request().method() === 'DELETE');
    await page.getByRole('menuitem', { name: TEXTS['actions.delete'] }).click();
    await page.locator('.toast-close').click();
    await deleted;
    await partsOf(page).fresh.click();
    await exchange(page, 'Other', 'There');
    const sent = page.waitForRequest((request) => request.method() === 'POST' && /\/chat$/.test(request.url()));
    at.p.enqueue(simple('Again'));
    await say(page, 'More');
    assert.equal('parent_id' in (await sent).postDataJSON(), false);
    await answerIs(page, 'Again');
  });

  for (const isSlow of [false, true]) test(`a question that arrived though the answer to its sending was lost is there at the next look, and out of the box${isSlow ? ', also where nothing was read before' : ''}`, async (t) => {
    const page = await at.open(t, { allow: /Failed to load|net::ERR/ });
    const slow = gate();
    if (!isSlow) slow.open();
    await page.route((url) => isRead.test(url.pathname) || isList.test(url.href), async (route) => {
      await slow.wait();
      await route.continue();
    });
    await exchange(page, 'One', 'First');
    let once = true;
    await page.route(/\/chat$/, async (route) => {
      if (!once) return route.continue();
      once = false;
      await route.fetch();
      await route.abort();
    });
    at.p.enqueue(simple('Second'));
    await say(page, 'Two');
    await partsOf(page).retry.waitFor();
    slow.open();
    await page.evaluate(() => document.dispatchEvent(new Event('visibilitychange')));
    await answerIs(page, 'Second');
    await idle(page);
    assert.equal(await partsOf(page).questions.count(), 2);
    assert.equal(await partsOf(page).box.inputValue(), '');
    assert.equal(at.p.chats.length, 2);
  });

  test('a question that nobody acknowledges is given back, and asked once', async (t) => {
    const page = await at.open(t, { path: '/favicon.svg', allow: /favicon|Failed to load|net::ERR/ });
    await page.clock.install();
    await page.goto(`${at.s.url}/`);
    await page.locator('html[data-ready="all"]').waitFor();
    let first = true;
    await page.route(/\/chat$/, async (route) => {
      if (!first) return route.continue();
      first = false;
      await route.fetch().catch(() => {});          // it arrives, and nobody hears of it
    });
    at.p.enqueue(simple('Here'));
    await say(page, 'Anybody?');
    await at.p.waitForChat(1);
    await page.clock.fastForward(121_000);
    await partsOf(page).retry.waitFor();
    assert.equal(await partsOf(page).box.inputValue(), 'Anybody?');
    await partsOf(page).retry.click();
    await answerIs(page, 'Here');
    assert.equal(at.p.chats.length, 1);
    assert.equal(await partsOf(page).questions.count(), 1);
    assert.equal(await partsOf(page).box.inputValue(), '');
  });

  test('the more a question brings along, the longer it may take to arrive', async (t) => {
    const page = await at.open(t, { path: '/favicon.svg', allow: /favicon|Failed to load|net::ERR/ });
    await page.clock.install();
    await page.goto(`${at.s.url}/`);
    await page.locator('html[data-ready="all"]').waitFor();
    await page.route(/\/chat$/, () => {});            // half a megabyte on a slow line
    const posted = page.waitForRequest(/\/chat$/);
    await partsOf(page).box.evaluate((box) => { box.value = 'words '.repeat(80_000); box.dispatchEvent(new Event('input', { bubbles: true })); });
    await partsOf(page).box.press('Enter');
    await posted;
    await page.clock.fastForward(121_000);
    assert.equal(await partsOf(page).retry.isVisible(), false);
    await page.clock.fastForward(12_000);
    await partsOf(page).retry.waitFor();
  });

  test('options changed while a conversation is being opened do not overwrite what is kept with it', async (t) => {
    at.p.enqueue(simple('x'));
    const made = await ask({ message: 'With settings' });
    await fetch(`${at.s.url}/conversations/${made.conversation_id}`, { method: 'PATCH', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ metadata: { settings: { system: 'Be brief.' } } }) });
    const page = await at.open(t);
    const wait = gate();
    await page.route(isRead, async (route) => { if (route.request().method() === 'GET') await wait.wait(); await route.continue(); });
    await page.evaluate((id) => { location.hash = `#c=${id}`; }, made.conversation_id);
    await page.locator('.page-note .skeleton').waitFor({ state: 'attached' });
    await page.locator('#options').click();
    await page.locator('#option-temperature').fill('1');
    await page.locator('#option-temperature').press('Tab');
    wait.open();
    await answerIs(page, 'x');
    const kept = await fetch(`${at.s.url}/conversations/${made.conversation_id}`).then((r) => r.json());
    assert.equal(kept.metadata.settings.system, 'Be brief.');
  });

  test('options on their way are those that count when the conversation is opened again, and the last of them arrive', async (t) => {
    at.p.enqueue(simple('x'));
    const made = await ask({ message: 'Changed twice' });
    at.p.enqueue(simple('y'));
    const other = await ask({ message: 'Another' });
    const page = await at.open(t);
    const go = (id) => page.evaluate((to) => { location.hash = `#c=${to}`; }, id);
    const sent = gate();
    const system = page.locator('#option-system');
    const write = async (text) => {
      await page.locator('#options').click();
      await system.fill(text);
      await system.press('Tab');
      await page.keyboard.press('Escape');
      await system.waitFor({ state: 'hidden' });
    };
    await go(made.conversation_id);
    await answerIs(page, 'x');
    await page.route(isRead, async (route) => { if (route.request().method() === 'PATCH' && 'metadata' in route.request().postDataJSON()) await sent.wait(); await route.continue(); });
    await write('First');
    await write('Second');
    await go(other.conversation_id);
    await answerIs(page, 'y');
    await go(made.conversation_id);
    await answerIs(page, 'x');
    await page.locator('#options').click();
    assert.equal(await system.inputValue(), 'Second');
    sent.open();
    await eventually(async () => (await fetch(`${at.s.url}/conversations/${made.conversation_id}`).then((r) => r.json())).metadata.settings?.system === 'Second', 'the server has it');
  });

  test('what is being written in a conversation that is deleted elsewhere goes to the new one', async (t) => {
    const page = await at.open(t, { allow: /Failed to load/ });
    await exchange(page, 'One', 'First');
    await partsOf(page).box.fill('half a thought');
    await fetch(`${at.s.url}/conversations/${await idOf(page)}`, { method: 'DELETE' });
    await page.reload();
    await page.getByRole('main').getByText('does not exist').waitFor();
    await page.getByRole('main').getByRole('button', { name: 'New conversation' }).click();
    assert.equal(await partsOf(page).box.inputValue(), 'half a thought');
  });

  test('an address that is no address does not stop the page', async (t) => {
    const page = await at.open(t, { path: '/#c=100%', allow: /Failed to load/ });
    await page.getByRole('main').getByText('does not exist').waitFor();
    await partsOf(page).fresh.click();
    await exchange(page, 'One', 'First');
  });
});
