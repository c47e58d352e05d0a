// A conversation is a tree: questions in other words, second answers, deletion and copies; and the buttons under a message.
// Neighbours: stand.js has the real server; tree.test.js the functions. trouble.test.js has Retry and Continue.
import assert from 'node:assert/strict';
import { describe } from 'node:test';
import { gate, held, simple } from '../provider/provider.js';
import { answerIs, eventually, idle, partsOf, say, stand, startProxy, test, TEXTS } from './stand.js';

const at = stand({ settings: { RETRIES: '0' } });

const FAILED_LOAD = /Failed to load resource|net::ERR_/;
const saidTo = (chat) => chat.body.messages.filter((m) => m.role !== 'system').map((m) => m.content);
const questionsOn = (page) => partsOf(page).questions.locator('.message-text').filter({ visible: true }).allTextContents();
const answersOn = async (page) => (await partsOf(page).answers.locator('.message-text').allTextContents()).map((text) => text.trim());
const button = (message, key) => message.getByRole('button', { name: TEXTS[key], exact: true });
const version = (message) => message.locator('.branch-count').textContent();
const versionText = (number, count) => TEXTS['actions.version'].replace('{number}', number).replace('{count}', count);
const stored = async (page) => (await (await fetch(`${at.s.url}/conversations/${new URL(page.url()).hash.slice(3)}`)).json()).messages;

/** Sends one message and waits for its whole answer. */
async function exchange(page, question, answer) {
  at.p.enqueue(simple(answer));
  await say(page, question);
  await answerIs(page, answer);
  await idle(page);
}

/** Puts other words into a question, as far as the box. */
async function edit(page, at, words) {
  await button(partsOf(page).questions.nth(at), 'actions.edit').click();
  const box = page.getByRole('textbox', { name: TEXTS['message.edit.box'] });
  assert.ok(await box.evaluate((element) => element === document.activeElement), 'the focus is in the box');
  await box.fill(words);
  return box;
}

async function chooseFromMenu(message, key) {
  await button(message, 'actions.more').click();
  await message.page().getByRole('menuitem', { name: TEXTS[key] }).click();
}

/** Waits until the server knows that the branch with this message at its end is open. */
async function serverHasOpen(page, text) {
  const read = async () => (await fetch(`${at.s.url}/conversations/${new URL(page.url()).hash.slice(3)}`)).json();
  await eventually(async () => (await read()).leaf_id === (await stored(page)).find((m) => m.content === text).id, 'the server knows what is open');
}

describe('a question in other words', () => {
  test('stands beside the first; arrows switch, and what followed comes and goes with it; a reload keeps what is open', async (t) => {
    const page = await at.open(t);
    const { questions } = partsOf(page);
    await exchange(page, 'One', 'First');
    await exchange(page, 'Two', 'Second');
    const box = await edit(page, 0, 'Uno');
    at.p.enqueue(simple('Primo'));
    await box.press('Enter');
    await answerIs(page, 'Primo');
    await idle(page);
    assert.deepEqual(saidTo(at.p.chats.at(-1)), ['Uno'], 'the model is asked as if it were the first time');
    assert.deepEqual(await questionsOn(page), ['Uno']);
    assert.equal(await version(questions.nth(0)), versionText(2, 2));
    await button(questions.nth(0), 'actions.previous').click();
    assert.deepEqual([await questionsOn(page), await answersOn(page)], [['One', 'Two'], ['First', 'Second']]);
    assert.equal(await version(questions.nth(0)), versionText(1, 2));
    assert.equal(await button(questions.nth(0), 'actions.previous').isDisabled(), true);
    await serverHasOpen(page, 'Second');
    await page.reload();
    await answerIs(page, 'Second');
    assert.deepEqual(await questionsOn(page), ['One', 'Two'], 'what was open is open');
    await button(questions.nth(0), 'actions.next').focus();
    await page.keyboard.press('Enter');
    assert.deepEqual([await questionsOn(page), await answersOn(page)], [['Uno'], ['Primo']]);
    assert.equal(await button(questions.nth(0), 'actions.previous').evaluate((element) => element === document.activeElement), true, 'one goes on by keyboard');
    await exchange(page, 'Due', 'Secondo');
    assert.deepEqual(saidTo(at.p.chats.at(-1)), ['Uno', 'Primo', 'Due'], 'it goes on where one is');
    await page.reload();
    await answerIs(page, 'Secondo');
    assert.deepEqual(await questionsOn(page), ['Uno', 'Due']);
  });

  test('Esc and Cancel leave everything as it was, and the focus in the box', async (t) => {
    const page = await at.open(t);
    const { box } = partsOf(page);
    await exchange(page, 'One', 'First');
    const editor = await edit(page, 0, 'Uno');
    await editor.press('Escape');
    await editor.waitFor({ state: 'hidden' });
    assert.ok(await box.evaluate((element) => element === document.activeElement));
    await edit(page, 0, 'Uno');
    await page.getByRole('button', { name: TEXTS['app.cancel'] }).click();
    await editor.waitFor({ state: 'hidden' });
    assert.deepEqual(await questionsOn(page), ['One']);
    assert.equal(at.p.chats.length, 1);
    assert.equal(await partsOf(page).questions.locator('.branch-count').count(), 0);
  });

  test('an edit that was left open is there when one comes back to it, also after a reload', async (t) => {
    const page = await at.open(t);
    const { fresh, questions } = partsOf(page);
    await exchange(page, 'One', 'First');
    await edit(page, 0, 'Uno, due');
    await fresh.click();
    await page.goBack();
    for (const again of [false, true]) {
      if (again) await page.reload();
      await button(questions.nth(0), 'actions.edit').click();
      assert.equal(await page.getByRole('textbox', { name: TEXTS['message.edit.box'] }).inputValue(), 'Uno, due');
    }
    at.p.enqueue(simple('Secondo'));
    await page.getByRole('textbox', { name: TEXTS['message.edit.box'] }).press('Enter');
    await answerIs(page, 'Secondo');
    await idle(page);
    await edit(page, 0, 'Tre');
    await page.getByRole('button', { name: TEXTS['app.cancel'] }).click();
    await button(questions.nth(0), 'actions.edit').click();
    assert.equal(await page.getByRole('textbox', { name: TEXTS['message.edit.box'] }).inputValue(), 'Uno, due', 'Cancel has forgotten it');
    await page.getByRole('button', { name: TEXTS['app.cancel'] }).click();
    await exchange(page, 'Two', 'Third');
    await edit(page, 0, 'A');
    await edit(page, 1, 'B');
    await edit(page, 0, 'C');
    await button(questions.nth(1), 'actions.edit').click();
    assert.equal(await page.getByRole('textbox', { name: TEXTS['message.edit.box'] }).inputValue(), 'B', 'each has its own');
    await page.getByRole('button', { name: TEXTS['app.cancel'] }).click();
    await button(questions.nth(0), 'actions.edit').click();
    await page.getByRole('button', { name: TEXTS['app.cancel'] }).click();
    assert.deepEqual(await page.evaluate(() => Object.keys(localStorage).filter((key) => key.includes('edit.'))), []);
  });

  test('keeps its pictures; words that the server does not take are in the box again', async (t) => {
    let isBad = false;
    const proxy = await startProxy(at.s.url, { change: (req, res, pass) => (isBad && req.method === 'POST' && req.url === '/chat' ? res.writeHead(503).end() : pass()) });
    const page = await at.open(t, { proxy, allow: FAILED_LOAD });
    const png = Buffer.from('iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==', 'base64');
    await page.locator('#picture-file').setInputFiles({ name: 'dot.png', mimeType: 'image/png', buffer: png });
    await page.locator('#pictures img').waitFor();
    await exchange(page, 'What is it?', 'A dot');
    isBad = true;
    const box = await edit(page, 0, 'What colour is it?');
    await box.press('Enter');
    await partsOf(page).retry.waitFor();
    assert.equal(await partsOf(page).box.inputValue(), 'What colour is it?');
    isBad = false;
    at.p.enqueue(simple('Red'));
    await partsOf(page).retry.click();
    await answerIs(page, 'Red');
    await idle(page);
    const [{ content }] = at.p.chats.at(-1).body.messages.filter((m) => m.role === 'user');
    assert.deepEqual(content.map((part) => part.type).sort(), ['image_url', 'text']);
    assert.equal(content.find((part) => part.type === 'image_url').image_url.url, `data:image/png;base64,${png.toString('base64')}`);
    assert.equal(await partsOf(page).questions.locator('img.picture').count(), 1);
    assert.equal(await page.locator('#pictures img').count(), 0);
    assert.equal(await version(partsOf(page).questions.nth(0)), versionText(2, 2));
  });

  test('while an answer is written in the meantime nothing is sent, and nothing is lost', async (t) => {
    const page = await at.open(t);
    await exchange(page, 'One', 'First');
    const box = await edit(page, 0, 'Uno');
    const g = gate();
    at.p.enqueue(held('Going', g, ' on'));
    await say(page, 'Two');
    await answerIs(page, 'Going');
    await box.press('Enter');
    await page.locator('.toast-alert').getByText(TEXTS['error.busy']).waitFor();
    assert.equal(await box.inputValue(), 'Uno');
    assert.equal(at.p.chats.length, 2);
    g.open();
    await answerIs(page, 'Going on');
    await idle(page);
    at.p.enqueue(simple('Primo'));
    await box.press('Enter');
    await answerIs(page, 'Primo');
  });
});

describe('another answer', () => {
  test('stands beside the first, also in the middle; the next question follows the one that is open', async (t) => {
    const page = await at.open(t);
    const { answers } = partsOf(page);
    await exchange(page, 'One', 'First');
    await exchange(page, 'Two', 'Second');
    const g = gate();
    at.p.enqueue(held('Another', g, ' first'));
    await button(answers.nth(0), 'actions.regenerate').click();
    await answerIs(page, 'Another');
    assert.deepEqual(await questionsOn(page), ['One']);
    g.open();
    await answerIs(page, 'Another first');
    await idle(page);
    assert.deepEqual(saidTo(at.p.chats.at(-1)), ['One']);
    assert.equal(await version(answers.nth(0)), versionText(2, 2));
    await button(answers.nth(0), 'actions.previous').click();
    assert.deepEqual([await questionsOn(page), await answersOn(page)], [['One', 'Two'], ['First', 'Second']]);
    await exchange(page, 'Three', 'Third');
    assert.deepEqual(saidTo(at.p.chats.at(-1)), ['One', 'First', 'Two', 'Second', 'Three']);
    await page.reload();
    await answerIs(page, 'Third');
    await button(answers.nth(0), 'actions.next').click();
    await answerIs(page, 'Another first');
    await serverHasOpen(page, 'Another first');
    await page.reload();
    await answerIs(page, 'Another first');
    assert.deepEqual(await questionsOn(page), ['One']);
  });

  test('the buttons work on an answer that has just been written, and on one that was written elsewhere', async (t) => {
    const page = await at.open(t);
    const { answers, questions } = partsOf(page);
    await exchange(page, 'One', 'First');
    await eventually(async () => (await page.locator('.details').textContent()).includes('19'), 'the tokens are known');
    for (const n of [2, 3]) {
      at.p.enqueue(simple(`Answer ${n}`));
      await button(answers.nth(0), 'actions.regenerate').click();
      await answerIs(page, `Answer ${n}`);
      await idle(page);
      assert.equal(await version(answers.nth(0)), versionText(n, n));
    }
    await page.evaluate(() => document.dispatchEvent(new Event('visibilitychange')));
    const box = await edit(page, 0, 'Uno');
    at.p.enqueue(simple('Primo'));
    await box.press('Control+Enter');
    await answerIs(page, 'Primo');
    assert.equal(await version(questions.nth(0)), versionText(2, 2));
  });
});

describe('deletion', () => {
  /** The note with Undo, and its buttons. */
  const note = (page) => page.locator('.toast').filter({ hasText: TEXTS['actions.deleted'] });

  test('takes a message and what follows away; Undo brings it back, here and on the server', async (t) => {
    const page = await at.open(t);
    const { questions } = partsOf(page);
    await exchange(page, 'One', 'First');
    await exchange(page, 'Two', 'Second');
    await chooseFromMenu(questions.nth(1), 'actions.delete');
    await note(page).hover();                                // its time stands still
    assert.deepEqual([await questionsOn(page), await answersOn(page)], [['One'], ['First']]);
    at.p.enqueue(simple('There'));
    const asked = await fetch(`${at.s.url}/chat`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ message: 'Elsewhere', conversation_id: new URL(page.url()).hash.slice(3), parent_id: (await stored(page))[1].id, stream: false }) });
    assert.equal(asked.status, 200);
    await page.evaluate(() => document.dispatchEvent(new Event('visibilitychange')));
    await answerIs(page, 'There');
    assert.deepEqual(await questionsOn(page), ['One', 'Elsewhere']);
    assert.equal(await questions.nth(1).locator('.branch-count').count(), 0, 'a look at the server does not bring it back');
    await note(page).getByRole('button', { name: TEXTS['app.undo'] }).click();
    assert.deepEqual([await questionsOn(page), await answersOn(page)], [['One', 'Two'], ['First', 'Second']]);
    assert.equal(await version(questions.nth(1)), versionText(1, 2), 'what came meanwhile stands beside it');
    assert.equal((await stored(page)).length, 6);
  });

  test('without Undo it is gone for good, and the conversation goes on before it', async (t) => {
    const page = await at.open(t);
    const { questions, answers } = partsOf(page);
    await exchange(page, 'One', 'First');
    await exchange(page, 'Two', 'Second');
    await chooseFromMenu(questions.nth(1), 'actions.delete');
    await note(page).getByRole('button', { name: TEXTS['app.close'] }).click();
    await eventually(async () => (await stored(page)).length === 2, 'the server has deleted it');
    await exchange(page, 'Three', 'Third');
    assert.deepEqual(saidTo(at.p.chats.at(-1)), ['One', 'First', 'Three']);
    await page.reload();
    await answerIs(page, 'Third');
    assert.deepEqual([await questionsOn(page), await answers.count()], [['One', 'Three'], 2]);
  });

  test('who leaves the page has decided', async (t) => {
    const page = await at.open(t);
    await exchange(page, 'One', 'First');
    await exchange(page, 'Two', 'Second');
    await chooseFromMenu(partsOf(page).questions.nth(1), 'actions.delete');
    await page.reload();
    await eventually(async () => (await stored(page)).length === 2, 'the server has deleted it');
    await page.reload();
    await answerIs(page, 'First');
    assert.deepEqual(await questionsOn(page), ['One']);
  });

  test('of everything, and a new question before it is over: the new one stays', async (t) => {
    const page = await at.open(t);
    const { messages, questions } = partsOf(page);
    await exchange(page, 'One', 'First');
    await chooseFromMenu(questions.nth(0), 'actions.delete');
    assert.equal(await messages.count(), 0);
    await note(page).hover();                                // its time stands still
    await exchange(page, 'Anew', 'New');
    await note(page).getByRole('button', { name: TEXTS['app.close'] }).click();
    await eventually(async () => (await stored(page)).length === 2, 'the server has deleted it');
    assert.deepEqual(await questionsOn(page), ['Anew']);
    await page.reload();
    await answerIs(page, 'New');
    assert.deepEqual(await questionsOn(page), ['Anew']);
  });

  test('of an answer: the question stays and can be answered again; another question takes its place', async (t) => {
    const page = await at.open(t);
    const { answers, questions, retry } = partsOf(page);
    await exchange(page, 'One', 'First');
    await chooseFromMenu(answers.nth(0), 'actions.delete');
    await note(page).getByRole('button', { name: TEXTS['app.close'] }).click();
    await eventually(async () => (await stored(page)).length === 1, 'the server has deleted it');
    assert.deepEqual([await questionsOn(page), await answers.count()], [['One'], 0]);
    at.p.enqueue(simple('Better'));
    await retry.click();
    await answerIs(page, 'Better');
    await idle(page);
    assert.deepEqual([await questionsOn(page), await answers.count()], [['One'], 1]);
    await page.reload();
    await answerIs(page, 'Better');
    await chooseFromMenu(answers.nth(0), 'actions.delete');
    await exchange(page, 'Two', 'Second');
    assert.deepEqual(saidTo(at.p.chats.at(-1)), ['Two']);
    assert.equal(await version(questions.nth(0)), versionText(2, 2));
  });

  test('of one version leaves the others', async (t) => {
    const page = await at.open(t);
    const { answers } = partsOf(page);
    await exchange(page, 'One', 'First');
    at.p.enqueue(simple('Another'));
    await button(answers.nth(0), 'actions.regenerate').click();
    await answerIs(page, 'Another');
    await idle(page);
    await chooseFromMenu(answers.nth(0), 'actions.delete');
    await answerIs(page, 'First');
    assert.equal(await answers.nth(0).locator('.branch-count').count(), 0);
    await note(page).getByRole('button', { name: TEXTS['app.undo'] }).click();
    await answerIs(page, 'Another');
    assert.equal(await version(answers.nth(0)), versionText(2, 2));
  });

  test('that the server refuses is taken back, and it says so', async (t) => {
    const proxy = await startProxy(at.s.url, { change: (req, res, pass) => (req.method === 'DELETE' ? res.writeHead(503, { 'content-type': 'application/json' }).end('{"error":{"code":"store_unavailable","message":"The database is locked."}}') : pass()) });
    const page = await at.open(t, { proxy, allow: FAILED_LOAD });
    await exchange(page, 'One', 'First');
    await chooseFromMenu(partsOf(page).questions.nth(0), 'actions.delete');
    await note(page).getByRole('button', { name: TEXTS['app.close'] }).click();
    await page.locator('.toast').getByText('The database is locked.').waitFor();
    assert.deepEqual(await questionsOn(page), ['One']);
  });
});

test('a copy up to a message is a conversation of its own', async (t) => {
  const page = await at.open(t);
  const { answers, list } = partsOf(page);
  await exchange(page, 'Fork me', 'First');
  await exchange(page, 'Two', 'Second');
  const address = page.url();
  await chooseFromMenu(answers.nth(0), 'actions.fork');
  await eventually(() => page.url() !== address, 'the copy is open');
  await eventually(() => page.evaluate(() => document.activeElement.id === 'box'), 'one can write there');
  await answerIs(page, 'First');
  assert.deepEqual(await questionsOn(page), ['Fork me']);
  await exchange(page, 'Elsewhere', 'There');
  assert.deepEqual(saidTo(at.p.chats.at(-1)), ['Fork me', 'First', 'Elsewhere']);
  await eventually(async () => await list.filter({ hasText: 'Fork me' }).count() === 2, 'both are in the list');
  await page.goBack();
  await answerIs(page, 'Second');
  assert.deepEqual(await questionsOn(page), ['Fork me', 'Two']);
});

describe('the buttons under a message', () => {
  test('a menu that opens just after scrolling stays, one whose button scrolls away does not', async (t) => {
    const page = await at.open(t, { viewport: { width: 900, height: 400 } });
    const { answers } = partsOf(page);
    await exchange(page, 'One', 'First\n\n'.repeat(30));
    await page.evaluate(() => {                        // the event of this scrolling comes with the next frame
      const button = document.querySelector('article[data-role="assistant"] [data-action="more"]');
      document.getElementById('scroller').scrollTop -= 20;
      button.click();
      return new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)));
    });
    const entry = page.getByRole('menuitem', { name: TEXTS['actions.fork'] });
    assert.equal(await entry.isVisible(), true);
    await page.evaluate(() => { document.getElementById('scroller').scrollTop -= 50; });
    await entry.waitFor({ state: 'hidden' });
    assert.equal(await answers.count(), 1);
  });

  test('Copy has the text as it was written, and says so', async (t) => {
    const page = await at.open(t, { permissions: ['clipboard-read', 'clipboard-write'] });
    await exchange(page, 'Say **bold**', 'bold');
    at.p.enqueue(simple('It is *this* `one`.'));
    await button(partsOf(page).answers.nth(0), 'actions.regenerate').click();
    await idle(page);
    await partsOf(page).answers.locator('em').waitFor();
    await button(partsOf(page).answers.nth(0), 'actions.copy').click();
    await eventually(async () => (await partsOf(page).status.textContent()) === TEXTS['actions.copied'], 'it is announced');
    assert.equal(await page.evaluate(() => navigator.clipboard.readText()), 'It is *this* `one`.');
    await button(partsOf(page).questions.nth(0), 'actions.copy').click();
    await eventually(async () => await page.evaluate(() => navigator.clipboard.readText()) === 'Say **bold**', 'the question is copied');
  });

  test('a judgement is stored, shown after a reload, and can be changed; one that is refused is not shown', async (t) => {
    let isBad = false;
    const proxy = await startProxy(at.s.url, { change: (req, res, pass) => (isBad && req.url === '/api/feedback' ? res.writeHead(503, { 'content-type': 'application/json' }).end('{"error":{"code":"store_unavailable","message":"The database is locked."}}') : pass()) });
    const page = await at.open(t, { proxy, allow: FAILED_LOAD });
    await exchange(page, 'One', 'First');
    const answer = partsOf(page).answers.nth(0);
    const [like, dislike] = [button(answer, 'actions.like'), button(answer, 'actions.dislike')];
    const pressed = async () => [await like.getAttribute('aria-pressed'), await dislike.getAttribute('aria-pressed')].join();
    assert.equal(await pressed(), 'false,false');
    await like.click();
    await eventually(async () => await pressed() === 'true,false', 'liked');
    await eventually(async () => (await stored(page)).at(-1).feedback === 'like', 'the server has it');
    assert.ok(await like.evaluate((element) => element === document.activeElement), 'the focus stays');
    await page.reload();
    await eventually(async () => await pressed() === 'true,false', 'still liked');
    await dislike.click();
    await eventually(async () => (await stored(page)).at(-1).feedback === 'dislike', 'the server has it');
    assert.equal(await pressed(), 'false,true');
    isBad = true;
    await like.click();
    await page.locator('.toast').getByText('The database is locked.').waitFor();
    assert.equal(await pressed(), 'false,true');
  });

  test('while an answer is written there are none that would get in its way', async (t) => {
    const page = await at.open(t);
    await exchange(page, 'One', 'First');
    const g = gate();
    at.p.enqueue(held('Going', g, ' on'));
    await say(page, 'Two');
    await answerIs(page, 'Going');
    const { questions, answers } = partsOf(page);
    assert.equal(await button(questions.nth(0), 'actions.edit').isDisabled(), true);
    assert.equal(await button(answers.nth(0), 'actions.regenerate').isDisabled(), true);
    assert.equal(await button(answers.nth(1), 'actions.regenerate').isVisible(), false);
    g.open();
    await idle(page);
    assert.equal(await button(questions.nth(0), 'actions.edit').isDisabled(), false);
  });
});
