// What is written and what goes with it: the box and its keys, drafts, models, options, pictures, where the focus goes, and browsers that forbid things.
// Neighbours: stand.js; chat.test.js has the good days, trouble.test.js the server's bad ones, keys.test.js and shortcuts.test.js the pure parts.
// Leaves out: what the picture formats look like.
import assert from 'node:assert/strict';
import { after, before, describe } from 'node:test';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { randomBytes } from 'node:crypto';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { deflateSync, gzipSync } from 'node:zlib';
import { gate, held, simple, startProvider } from '../provider/provider.js';
import { startServer } from '../http/server.js';
import { answerIs, choose, eventually, idle, launch, openPage, partsOf, say, stand, test } from './stand.js';

const MODELS = ['test-model', 'small-model', 'large-model', 'other-large-model'];
const NAMES = MODELS.map((model) => `openai/${model}`);      // as the server lists them; the first is its own choice
const dir = mkdtempSync(path.join(tmpdir(), 'parley-composer-'));
const json = path.join(dir, 'parley.json');
writeFileSync(json, JSON.stringify({
  user_settings: { form: { title: 'Assistant', type: 'object', required: ['tone'], properties: { tone: { title: 'Tone', enum: ['plain', 'formal'] } } } },
}));

const at = stand({ models: MODELS, settings: { PARLEY_JSON: json } });
after(() => rmSync(dir, { recursive: true, force: true }));

const FAILED = /Failed to load resource|net::ERR_/;

/** Sends one message and waits for its whole answer. */
async function exchange(page, question, answer) {
  at.p.enqueue(simple(answer));
  await say(page, question);
  await answerIs(page, answer);
  await idle(page);
}

const isFocused = (locator) => locator.evaluate((element) => element === document.activeElement);
const focused = (page) => page.evaluate(() => document.activeElement.getAttribute('aria-label') || document.activeElement.id || document.activeElement.textContent.trim());
const lastChat = () => at.p.chats.at(-1).body;
const draftOf = (page, id = '') => page.evaluate((key) => localStorage.getItem(key), `parley.draft.${id}`);

/** The requests to /chat that a page makes, as they come. */
function watchAsks(page) {
  const bodies = [];
  page.on('request', (request) => { if (request.method() === 'POST' && /\/chat$/.test(request.url())) bodies.push(request.postDataJSON()); });
  return bodies;
}

/** Resolves when the server has taken a change of a conversation. */
const saved = (page, isIt = () => true) => page.waitForResponse((response) => {
  if (response.request().method() !== 'PATCH' || !response.ok()) return false;
  const { metadata } = response.request().postDataJSON();
  return metadata !== undefined && isIt(metadata.settings);
});

describe('the box', () => {
  test('grows with the text up to a limit, then it scrolls; and shrinks again', async (t) => {
    const page = await at.open(t);
    const { box, send } = partsOf(page);
    const size = () => box.evaluate((e) => ({ height: e.clientHeight, content: e.scrollHeight, top: e.scrollTop }));
    const one = await size();
    await box.fill('one\ntwo\nthree');
    const three = await size();
    assert.ok(three.height > one.height + 30, `${one.height} ${three.height}`);
    assert.equal(three.height, three.content, 'all of it is seen');
    await box.fill('line\n'.repeat(100));
    const all = await size();
    assert.ok(all.height <= 0.4 * 800 + 1 && all.height > three.height, `${all.height}`);
    assert.ok(all.content > all.height);
    await box.press('Control+End');
    assert.ok((await size()).top > 0, 'it scrolls to where one writes');
    assert.ok(await send.isVisible() && (await send.boundingBox()).y < 800);
    await box.fill('');
    assert.deepEqual(await size(), one);
  });

  test('with "Enter sends" switched off Enter is a new line and Ctrl+Enter sends; the hint says so, in the edit box it is the same', async (t) => {
    const page = await at.open(t);
    const { box, questions } = partsOf(page);
    const hint = page.locator('#hint-keys');
    assert.match(await hint.textContent(), /^Enter sends/);
    assert.equal(await box.getAttribute('enterkeyhint'), 'send');
    await page.getByRole('button', { name: 'Settings' }).click();
    await page.getByRole('dialog', { name: 'Settings' }).getByRole('checkbox', { name: 'Enter sends the message' }).uncheck();
    await page.keyboard.press('Escape');
    assert.match(await hint.textContent(), /^Ctrl\+Enter sends/, 'at once');
    assert.equal(await box.getAttribute('enterkeyhint'), 'enter');
    await page.reload();
    await page.locator('html[data-ready="all"]').waitFor();
    assert.match(await hint.textContent(), /^Ctrl\+Enter sends/);
    at.p.respond(simple('ok'));
    await box.pressSequentially('one');
    await box.press('Enter');
    await box.pressSequentially('two');
    assert.equal(await box.inputValue(), 'one\ntwo');
    assert.equal(await questions.count(), 0);
    await box.press('Control+Enter');
    await answerIs(page, 'ok');
    await idle(page);
    assert.equal(lastChat().messages.at(-1).content, 'one\ntwo');
    await questions.hover();
    await page.getByRole('button', { name: 'Edit' }).click();
    const editor = page.getByRole('textbox', { name: 'Edit the message' });
    await editor.press('Enter');
    assert.equal(await editor.inputValue(), 'one\ntwo\n');
    await editor.pressSequentially('three');
    await editor.press('Control+Enter');
    await eventually(() => at.p.chats.length === 2, 'it was sent');
    assert.equal(lastChat().messages.at(-1).content, 'one\ntwo\nthree');
    await idle(page);
  });

  test('keys of an input method send, save and search nothing: in the box, an edit, a title, the search and the models', async (t) => {
    const page = await at.open(t);
    const asked = watchAsks(page);
    const changed = [];
    page.on('request', (request) => { if (request.method() === 'PATCH' && 'title' in request.postDataJSON()) changed.push(request.postData()); });
    await exchange(page, 'Input methods', 'yes');
    const devtools = await page.context().newCDPSession(page);

    // Composes a word, presses Enter and Esc as an input method does, and takes it.
    async function compose(field) {
      await field.focus();
      await field.evaluate((e) => e.setSelectionRange(e.value.length, e.value.length));
      await devtools.send('Input.imeSetComposition', { text: 'にほん', selectionStart: 3, selectionEnd: 3 });
      for (const [key, code] of [['Process', 'Enter'], ['Process', 'Escape'], ['Process', 'ArrowUp'], ['Process', 'ArrowDown']]) {
        await devtools.send('Input.dispatchKeyEvent', { type: 'rawKeyDown', key, code, windowsVirtualKeyCode: 229 });
        await devtools.send('Input.dispatchKeyEvent', { type: 'keyUp', key, code, windowsVirtualKeyCode: 229 });
      }
      // Chromium says Enter while it composes, Safari after it with the code 229
      for (const more of [{ isComposing: true }, { keyCode: 229 }]) {
        for (const key of ['Enter', 'Escape']) await field.evaluate((e, init) => e.dispatchEvent(new KeyboardEvent('keydown', { bubbles: true, cancelable: true, ...init })), { key, ...more });
      }
      await devtools.send('Input.insertText', { text: '日本' });
      assert.match(await field.inputValue(), /日本$/);
      assert.equal(await isFocused(field), true, 'it stays');
    }

    const { box, search, list, questions } = partsOf(page);
    await compose(box);
    await box.fill('');
    await questions.hover();
    await page.getByRole('button', { name: 'Edit' }).click();
    await compose(page.getByRole('textbox', { name: 'Edit the message' }));
    await page.getByRole('textbox', { name: 'Edit the message' }).press('Escape');
    await list.filter({ hasText: 'Input methods' }).first().waitFor();
    await choose(page, 'Input methods', 'Rename');
    const title = page.getByRole('textbox', { name: 'Title' });
    await compose(title);
    await title.press('Escape');
    await compose(search);
    await search.press('Escape');
    await page.locator('#model').click();
    const models = page.getByRole('combobox', { name: 'Search models' });
    await compose(models);
    assert.equal(await page.locator('#models').isVisible(), true);
    assert.equal(asked.length, 1);
    assert.deepEqual(changed, []);
    assert.equal(await questions.count(), 1);
    await page.keyboard.press('Escape');
    await compose(box);
    at.p.enqueue(simple('sent'));
    await box.press('Enter');
    await answerIs(page, 'sent');
    assert.equal(asked[1].message, '日本', 'a real Enter sends');
  });

  test('ArrowUp and ArrowDown walk through what was sent, from an empty box only', async (t) => {
    const page = await at.open(t);
    const { box, questions } = partsOf(page);
    const is = async (text) => assert.equal(await box.inputValue(), text);
    await box.press('ArrowUp');
    await is('');
    for (const text of ['first', 'second\nline', 'third']) await exchange(page, text, `to ${text}`);
    for (const text of ['third', 'second\nline', 'first', 'first']) { await box.press('ArrowUp'); await is(text); }
    for (const text of ['second\nline', 'third', '', '']) { await box.press('ArrowDown'); await is(text); }
    await box.fill('mine');
    for (const key of ['ArrowUp', 'ArrowDown', 'ArrowUp']) { await box.press(key); await is('mine'); }
    await box.fill('');
    await box.press('Shift+ArrowUp');
    await is('');
    await box.press('ArrowUp');
    await box.pressSequentially('!');
    await is('third!');
    await box.press('ArrowUp');
    await is('third!');
    assert.equal(await questions.count(), 3);
    await partsOf(page).fresh.click();
    await box.press('ArrowUp');
    await is('');
  });
});

describe('drafts', () => {
  test('each conversation has its own, over switching, a reload and the back button; what was sent is none', async (t) => {
    const page = await at.open(t);
    const { box, fresh, list } = partsOf(page);
    const has = (text) => eventually(async () => await box.inputValue() === text, async () => `${text} in the box, not ${await box.inputValue()}`);
    await exchange(page, 'Drafts A', 'a');
    await box.fill('draft of A');
    await fresh.click();
    await has('');
    await exchange(page, 'Drafts B', 'b');
    await has('');
    await box.fill('draft of B\nwith a line');
    await fresh.click();
    await box.fill('draft of none');
    await list.filter({ hasText: 'Drafts A' }).first().getByRole('link').click();
    await has('draft of A');
    await list.filter({ hasText: 'Drafts B' }).first().getByRole('link').click();
    await has('draft of B\nwith a line');
    await page.reload();
    await answerIs(page, 'b');
    await has('draft of B\nwith a line');
    await page.goBack();
    await answerIs(page, 'a');
    await has('draft of A');
    await fresh.click();
    await has('draft of none');
    await page.reload();
    await page.locator('html[data-ready="all"]').waitFor();
    await has('draft of none');
  });

  test('of a deleted conversation nothing is kept', async (t) => {
    const page = await at.open(t);
    const { box, list } = partsOf(page);
    await exchange(page, 'Draft to delete', 'a');
    const id = new URL(page.url()).hash.slice(3);
    await box.fill('secret');
    assert.equal(await draftOf(page, id), 'secret');
    await list.filter({ hasText: 'Draft to delete' }).first().waitFor();
    await choose(page, 'Draft to delete', 'Delete');
    await page.locator('.toast').getByRole('button', { name: 'Close' }).click();
    await eventually(async () => await draftOf(page, id) === null, 'the draft is gone');
    assert.equal(await box.inputValue(), '');
  });

  test('?q= fills the box and never sends, leaves the address, and a draft that was there stays below it', async (t) => {
    const page = await at.open(t, { path: '/?q=What%20is%20%26%20this%3F&lang=en' });
    const asked = watchAsks(page);
    const { box, questions, send } = partsOf(page);
    assert.equal(await box.inputValue(), 'What is & this?');
    assert.equal(await send.getAttribute('aria-disabled'), 'false');
    assert.equal(new URL(page.url()).search, '?lang=en');
    assert.ok(await isFocused(box));
    await page.reload();
    await page.locator('html[data-ready="all"]').waitFor();
    assert.equal(await box.inputValue(), 'What is & this?');
    await box.fill('a thought of mine');
    for (let n = 0; n < 2; n++) {                            // twice: it is not doubled
      await page.goto(`${at.s.url}/?q=From%20a%20link`);
      await page.locator('html[data-ready="all"]').waitFor();
      assert.equal(await box.inputValue(), 'From a link\n\na thought of mine');
      assert.equal(page.url(), `${at.s.url}/`);
    }
    assert.equal(await draftOf(page), 'From a link\n\na thought of mine');
    assert.equal(await questions.count(), 0);
    assert.equal(asked.length + at.p.chats.length, 0);
    await box.fill('');
    await exchange(page, 'Opened', 'yes');
    await page.goto(`${at.s.url}/?q=elsewhere${new URL(page.url()).hash}`);
    await answerIs(page, 'yes');
    assert.equal(await box.inputValue(), '', 'a conversation that is opened is not written into');
    assert.equal(new URL(page.url()).search, '');
  });
});

describe('the model', () => {
  const opener = (page) => page.locator('#model');
  const popup = (page) => page.locator('#models');
  const field = (page) => page.getByRole('combobox', { name: 'Search models' });
  const options = (page) => page.getByRole('listbox', { name: 'Models' }).getByRole('option');
  const active = (page) => field(page).evaluate((e) => document.getElementById(e.getAttribute('aria-activedescendant'))?.querySelector('.option-name').textContent ?? null);
  const ready = (page) => page.locator('#model:enabled').waitFor();

  test('by click or Ctrl+Shift+M: search, arrows, Enter; Esc gives the focus back', async (t) => {
    const page = await at.open(t);
    const { box } = partsOf(page);
    await ready(page);
    await opener(page).click();
    await eventually(() => isFocused(field(page)), 'the focus is in the search');
    await page.locator('#model[aria-expanded="true"]').waitFor();
    assert.deepEqual(await options(page).allTextContents(), ['Default (openai/test-model)', ...NAMES]);
    await page.keyboard.press('Escape');
    await popup(page).waitFor({ state: 'hidden' });
    await eventually(() => isFocused(opener(page)), 'the focus is back');
    await page.locator('#model[aria-expanded="false"]').waitFor();

    await box.focus();
    await page.keyboard.press('Control+Shift+M');
    await popup(page).waitFor();
    await eventually(() => isFocused(field(page)), 'the focus is in the search');
    await page.keyboard.type('large OTHER');
    assert.deepEqual(await options(page).allTextContents(), ['openai/other-large-model']);
    await field(page).fill('large');
    assert.equal(await active(page), 'openai/large-model');
    await page.keyboard.press('ArrowDown');
    assert.equal(await active(page), 'openai/other-large-model');
    await page.keyboard.press('ArrowDown');
    assert.equal(await active(page), 'openai/large-model', 'around');
    await page.keyboard.press('ArrowUp');
    await page.keyboard.press('ArrowUp');
    await field(page).fill('no such thing');
    assert.equal(await options(page).count(), 0);
    await popup(page).getByText('No models found.').waitFor();
    await page.keyboard.press('Enter');
    assert.equal(await popup(page).isVisible(), true, 'there is nothing to choose');
    await page.keyboard.press('Escape');
    await popup(page).waitFor({ state: 'hidden' });
    assert.ok(await isFocused(box), 'back where it was');
    await page.keyboard.press('Control+Shift+M');
    await page.keyboard.type('small');
    await page.keyboard.press('Enter');
    await popup(page).waitFor({ state: 'hidden' });
    assert.ok(await isFocused(box));
    assert.equal(await page.locator('#model-name').textContent(), 'small-model');
    await opener(page).click();
    await options(page).filter({ hasText: 'openai/large' }).click();
    await popup(page).waitFor({ state: 'hidden' });
    assert.ok(await isFocused(opener(page)));
    assert.equal(await page.locator('#model-name').textContent(), 'large-model');
    await opener(page).click();
    assert.deepEqual(await page.getByRole('option', { selected: true }).allTextContents(), ['openai/large-model']);
    await page.locator('.brand').click();
    await popup(page).waitFor({ state: 'hidden' });
  });

  test('what is chosen is asked, stays with the conversation over a reload, and is the choice for new ones', async (t) => {
    const page = await at.open(t);
    const { fresh, list } = partsOf(page);
    const name = page.locator('#model-name');
    const pick = async (text) => { await opener(page).click(); await field(page).fill(text); await page.keyboard.press('Enter'); };
    await ready(page);
    await exchange(page, 'Models A', 'a');
    assert.equal(lastChat().model, 'test-model');
    let change = saved(page);
    await pick('small');
    await change;
    await exchange(page, 'Once more', 'a2');
    assert.equal(lastChat().model, 'small-model');
    await fresh.click();
    assert.equal(await name.textContent(), 'small-model', 'new ones too');
    change = saved(page);
    await pick('openai/large');
    await exchange(page, 'Models B', 'b');
    await change;
    assert.equal(lastChat().model, 'large-model');
    await list.filter({ hasText: 'Models A' }).first().getByRole('link').click();
    await answerIs(page, 'a2');
    assert.equal(await name.textContent(), 'small-model');
    await page.reload();
    await answerIs(page, 'a2');
    assert.equal(await name.textContent(), 'small-model');
    await exchange(page, 'And again', 'a3');
    assert.equal(lastChat().model, 'small-model');
    change = saved(page);
    await opener(page).click();
    await options(page).filter({ hasText: 'Default' }).click();
    await change;
    await exchange(page, 'Back', 'a4');
    assert.equal(lastChat().model, 'test-model');
    await list.filter({ hasText: 'Models B' }).first().getByRole('link').click();
    await answerIs(page, 'b');
    assert.equal(await name.textContent(), 'large-model');
  });

  test('one that is gone is not asked: a sentence says which answers instead, until it is back', async (t) => {
    const page = await at.open(t);
    const asked = watchAsks(page);
    const note = page.locator('#model-note');
    await ready(page);
    assert.equal(await note.isVisible(), false);
    await page.evaluate(() => localStorage.setItem('parley.settings', JSON.stringify({ model: 'vendor/old-model' })));
    await page.reload();
    await note.waitFor();
    assert.equal(await note.textContent(), 'The model vendor/old-model is not offered at the moment. openai/test-model answers instead.');
    assert.equal(await page.locator('#model-name').textContent(), 'test-model');
    const change = saved(page);
    await exchange(page, 'Gone?', 'yes');
    await change;
    assert.equal(lastChat().model, 'test-model');
    assert.equal(asked.at(-1).model, undefined);
    await page.reload();
    await answerIs(page, 'yes');
    await note.waitFor();
    await opener(page).click();
    await field(page).fill('small');
    await page.keyboard.press('Enter');
    await note.waitFor({ state: 'hidden' });
    await exchange(page, 'And now?', 'better');
    assert.equal(lastChat().model, 'small-model');
  });

  test('with one model there is nothing to choose, by keys neither', async (t) => {
    const page = await at.open(t, { path: '/favicon.svg', allow: /favicon\.ico/ });
    await page.route(/\/v1\/models$/, (route) => route.fulfill({ status: 200, contentType: 'application/json', body: '{"data":[{"id":"test-model"}]}' }));
    await page.goto(`${at.s.url}/`);
    await page.locator('html[data-ready="all"]').waitFor();
    await eventually(async () => await page.locator('#model-name').textContent() === 'test-model', 'its name');
    await page.keyboard.press('Control+Shift+M');
    assert.equal(await popup(page).isVisible(), false);
    assert.ok(await isFocused(partsOf(page).box));
  });
});

describe('options of a conversation', () => {
  const open = (page) => page.getByRole('button', { name: 'Options for this conversation' }).click();
  const close = async (page) => { await page.keyboard.press('Escape'); await page.locator('#options-panel').waitFor({ state: 'hidden' }); };
  const fields = (page) => ({
    system: page.getByRole('textbox', { name: 'System prompt' }),
    temperature: page.getByRole('spinbutton', { name: /^Temperature/ }),
    most: page.getByRole('spinbutton', { name: /^Longest answer/ }),
  });
  const values = async (page) => Promise.all(Object.values(fields(page)).map((each) => each.inputValue()));
  const systemOf = (body) => body.messages.filter(({ role }) => role === 'system').map(({ content }) => content).join();

  test('reach the provider, survive a reload, and are those of this conversation only; "Back to defaults" takes them away', async (t) => {
    const page = await at.open(t);
    const { fresh, list, box } = partsOf(page);
    const { system, temperature, most } = fields(page);
    const button = page.locator('#options');
    await exchange(page, 'Options A', 'a');
    const usual = { temperature: lastChat().temperature, max_tokens: lastChat().max_tokens, system: systemOf(lastChat()) };
    assert.doesNotMatch(await button.getAttribute('class'), /\bon\b/);
    await open(page);
    await system.fill('Answer like a pirate.');
    await temperature.fill('0.25');
    await most.fill('77');
    const change = saved(page, (settings) => settings.max_tokens === 77);
    await close(page);                                       // closing is enough
    await change;
    assert.ok(await isFocused(button));
    assert.match(await button.getAttribute('class'), /\bon\b/);
    await exchange(page, 'Second', 'a2');
    const check = (body) => {
      assert.match(systemOf(body), /Answer like a pirate\./);
      assert.deepEqual([body.temperature, body.max_tokens], [0.25, 77]);
    };
    check(lastChat());
    await page.reload();
    await answerIs(page, 'a2');
    await exchange(page, 'Third', 'a3');
    check(lastChat());
    at.p.enqueue(simple('again'));
    await page.getByRole('button', { name: 'Regenerate' }).last().click();
    await answerIs(page, 'again');
    check(lastChat());
    await idle(page);
    await fresh.click();
    await open(page);
    assert.deepEqual(await values(page), ['', '', '']);
    await most.fill('55');
    await close(page);
    const named = saved(page);
    await exchange(page, 'Options B', 'b');
    await named;
    assert.deepEqual([lastChat().temperature, lastChat().max_tokens, systemOf(lastChat())], [usual.temperature, 55, usual.system]);
    await page.reload();
    await answerIs(page, 'b');
    await open(page);
    assert.deepEqual(await values(page), ['', '', '55']);
    await close(page);
    await list.filter({ hasText: 'Options A' }).first().getByRole('link').click();
    await answerIs(page, 'again');
    await open(page);
    assert.deepEqual(await values(page), ['Answer like a pirate.', '0.25', '77']);
    const back = saved(page);
    await page.getByRole('button', { name: 'Back to defaults' }).click();
    await back;
    assert.deepEqual(await values(page), ['', '', '']);
    await close(page);
    assert.doesNotMatch(await button.getAttribute('class'), /\bon\b/);
    await page.reload();
    await answerIs(page, 'again');
    await exchange(page, 'Fourth', 'a4');
    assert.deepEqual({ temperature: lastChat().temperature, max_tokens: lastChat().max_tokens, system: systemOf(lastChat()) }, usual);
    await box.focus();
  });

  test('what is being written when one goes back belongs to the conversation that was left', async (t) => {
    const page = await at.open(t);
    const { fresh } = partsOf(page);
    const { system } = fields(page);
    await exchange(page, 'Going back A', 'a');
    await fresh.click();
    await exchange(page, 'Going back B', 'b');
    const id = new URL(page.url()).hash.slice(3);
    await open(page);
    await system.pressSequentially('Only for B');
    const change = saved(page);
    await page.goBack();
    assert.match((await change).url(), new RegExp(`/${id}$`));
    await answerIs(page, 'a');
    await open(page);
    assert.equal(await system.inputValue(), '');
    await close(page);
    await page.goForward();
    await answerIs(page, 'b');
    await open(page);
    assert.equal(await system.inputValue(), 'Only for B');
  });

  test('a wrong number is refused where it stands, and what was there before counts', async (t) => {
    const page = await at.open(t);
    const { temperature, most } = fields(page);
    const wrong = async (field, sentence) => {
      await field.blur();
      const said = page.locator(`#${await field.getAttribute('aria-describedby')}`);
      assert.equal(await said.textContent(), sentence);
      assert.equal(await field.getAttribute('aria-invalid'), sentence ? 'true' : null);
    };
    await open(page);
    await temperature.fill('0.333');
    await wrong(temperature, '');
    await temperature.fill('3');
    await wrong(temperature, 'The largest number is 2.');
    assert.equal(await temperature.inputValue(), '3', 'it stays, to be mended');
    await temperature.fill('-1');
    await wrong(temperature, 'The smallest number is 0.');
    await most.fill('1.5');
    await wrong(most, 'Write a whole number.');
    await most.fill('0');
    await wrong(most, 'The smallest number is 1.');
    await most.fill('9999999999');
    await wrong(most, 'The largest number is 1,000,000.');
    await most.fill('');
    await most.pressSequentially('1e');
    await wrong(most, 'Write a number.');
    await close(page);
    await exchange(page, 'Wrong numbers', 'a');
    assert.equal(lastChat().temperature, 0.333);
    assert.notEqual(lastChat().max_tokens, 0);
    await open(page);
    assert.equal(await temperature.inputValue(), '0.333');
    await wrong(temperature, '');
    await temperature.fill('5');
    await wrong(temperature, 'The largest number is 2.');
    await temperature.fill('1');
    assert.equal(await temperature.getAttribute('aria-invalid'), null, 'at once when it is right');
  });

  test('what the application\'s form asks for goes with each question', async (t) => {
    const page = await at.open(t);
    const asked = watchAsks(page);
    await exchange(page, 'Before', 'a');
    assert.equal(asked[0].context.user_settings, undefined);
    assert.equal(typeof asked[0].context.timezone, 'string');
    await page.getByRole('button', { name: 'Settings' }).click();
    const dialog = page.getByRole('dialog', { name: 'Settings' });
    await dialog.getByRole('radio', { name: 'formal' }).check();
    await dialog.getByRole('button', { name: 'Save' }).click();
    await page.keyboard.press('Escape');
    await dialog.waitFor({ state: 'detached' });
    await exchange(page, 'After', 'b');
    assert.deepEqual(asked[1].context.user_settings, { tone: 'formal' });
    await page.reload();
    await answerIs(page, 'b');
    await exchange(page, 'Later', 'c');
    assert.deepEqual(asked[2].context.user_settings, { tone: 'formal' });
  });
});

// ---- pictures

// gzip ends with it (RFC 1952, 2.3.1); Node 18 has no other way to it.
const crc32 = (bytes) => gzipSync(bytes, { level: 1 }).subarray(-8).readUInt32LE(0);

/** A PNG of these dimensions; noise cannot be compressed. */
function png(width, height, { noise = false } = {}) {
  const piece = (type, data) => {
    const body = Buffer.concat([Buffer.from(type, 'latin1'), data]);
    const ends = Buffer.alloc(8);
    ends.writeUInt32BE(data.length, 0);
    ends.writeUInt32BE(crc32(body), 4);
    return Buffer.concat([ends.subarray(0, 4), body, ends.subarray(4)]);
  };
  const head = Buffer.from([0, 0, 0, 0, 0, 0, 0, 0, 8, 2, 0, 0, 0]);
  head.writeUInt32BE(width, 0);
  head.writeUInt32BE(height, 4);
  const rows = Array.from({ length: height }, () => Buffer.concat([Buffer.from([0]), noise ? randomBytes(width * 3) : Buffer.alloc(width * 3, 200)]));
  return Buffer.concat([Buffer.from('89504e470d0a1a0a', 'hex'), piece('IHDR', head), piece('IDAT', deflateSync(Buffer.concat(rows), { level: 1 })), piece('IEND', Buffer.alloc(0))]);
}

const small = (n = 1) => ({ name: `small${n}.png`, mimeType: 'image/png', buffer: png(10 + n, 10) });
const slow = (n) => ({ ...small(n), mimeType: 'image/x-other' });       // of a type that has to be drawn anew, which a test can hold

/** Pictures that have to be drawn anew wait for the function that this resolves to. */
async function holdReading(page) {
  await page.evaluate(() => {
    const real = globalThis.createImageBitmap;
    const door = new Promise((resolve) => { globalThis.openReading = resolve; });
    globalThis.readings = [];
    globalThis.createImageBitmap = (file) => {
      const reading = door.then(() => real(file));
      globalThis.readings.push(reading);
      return reading;
    };
  });
  return () => page.evaluate(async () => {
    globalThis.openReading();
    await Promise.allSettled(globalThis.readings);
    await new Promise((resolve) => setTimeout(resolve, 100));     // what was read is encoded and drawn at once
  });
}

const urlOf = ({ mimeType, buffer }) => `data:${mimeType};base64,${buffer.toString('base64')}`;
const thumbs = (page) => page.getByRole('list', { name: 'Pictures' }).getByRole('img');
const choosePictures = (page, files) => page.locator('#picture-file').setInputFiles(files);
const note = (page) => page.locator('#composer-note');
const sentPictures = (body = lastChat()) => body.messages.findLast(({ role }) => role === 'user').content.filter?.((part) => part.type === 'image_url').map((part) => part.image_url.url) ?? [];

/** Dispatches an event that carries files (and texts) as the clipboard or a drag does. */
const carry = (locator, type, files, texts = {}) => locator.evaluate((element, given) => {
  const data = new DataTransfer();
  for (const { name, mimeType, base64 } of given.files) data.items.add(new File([Uint8Array.from(atob(base64), (c) => c.charCodeAt(0))], name, { type: mimeType }));
  for (const [mime, text] of Object.entries(given.texts)) data.setData(mime, text);
  const Kind = given.type === 'paste' ? ClipboardEvent : DragEvent;
  const event = new Kind(given.type, { bubbles: true, cancelable: true, [given.type === 'paste' ? 'clipboardData' : 'dataTransfer']: data });
  element.dispatchEvent(event);
  return event.defaultPrevented;
}, { type, texts, files: files.map(({ name, mimeType, buffer }) => ({ name, mimeType, base64: buffer.toString('base64') })) });

describe('pictures', () => {
  test('by button, paste and drop; one can be removed; the provider gets the others, and they stay with the question', async (t) => {
    const page = await at.open(t);
    const { box, questions } = partsOf(page);
    const chooser = page.waitForEvent('filechooser');
    await page.getByRole('button', { name: 'Add pictures' }).click();
    assert.equal((await chooser).isMultiple(), true);
    await (await chooser).setFiles([small(1)]);
    await thumbs(page).nth(0).waitFor();
    await carry(box, 'paste', [small(2)]);
    await thumbs(page).nth(1).waitFor();
    await carry(page.locator('#messages'), 'dragover', [small(3)]);
    assert.match(await page.locator('#frame').getAttribute('class'), /dropping/);
    await carry(page.locator('#scroller'), 'drop', [small(3)]);
    await thumbs(page).nth(2).waitFor();
    assert.doesNotMatch(await page.locator('#frame').getAttribute('class'), /dropping/);
    assert.deepEqual(await thumbs(page).evaluateAll((all) => all.map((e) => e.alt)), ['small1.png', 'small2.png', 'small3.png']);
    await page.getByRole('button', { name: 'Remove small2.png' }).click();
    assert.equal(await thumbs(page).count(), 2);
    assert.ok(await isFocused(box));
    await choosePictures(page, [small(2)]);                  // the same file can be chosen again
    await thumbs(page).nth(2).waitFor();
    await page.getByRole('button', { name: 'Remove small2.png' }).click();
    await exchange(page, 'Look', 'seen');
    assert.deepEqual(sentPictures(), [urlOf(small(1)), urlOf(small(3))]);
    assert.equal(await thumbs(page).count(), 0);
    const shown = () => questions.locator('img').evaluateAll((all) => all.map((e) => [e.src, e.complete && e.naturalWidth]));
    const wanted = [[urlOf(small(1)), 11], [urlOf(small(3)), 13]];
    await eventually(async () => JSON.stringify(await shown()) === JSON.stringify(wanted), 'they stand in the question');
    await page.reload();
    await answerIs(page, 'seen');
    await eventually(async () => JSON.stringify(await shown()) === JSON.stringify(wanted), 'they are there after a reload');
    await exchange(page, 'And without?', 'no');
    assert.deepEqual(sentPictures(), []);
  });

  test('at most eight; too large ones are made smaller; what is no picture gets a sentence', async (t) => {
    const page = await at.open(t);
    const { alert } = partsOf(page);
    await choosePictures(page, Array.from({ length: 7 }, (_, n) => small(n + 1)));
    await thumbs(page).nth(6).waitFor();
    await Promise.all([carry(page.locator('#box'), 'paste', [small(8)]), carry(page.locator('#box'), 'paste', [small(9)])]);
    await note(page).getByText('A message can have at most 8 pictures.').waitFor();
    assert.equal(await thumbs(page).count(), 8);
    await eventually(async () => /at most 8/.test(await alert.textContent()), 'it is said aloud');
    await page.getByRole('button', { name: 'Remove small1.png' }).click();
    assert.equal(await note(page).isVisible(), false);
    for (let n = 2; n <= 8; n++) await page.getByRole('button', { name: `Remove small${n}.png` }).click();

    await choosePictures(page, [{ name: 'notes.txt', mimeType: 'text/plain', buffer: Buffer.from('hello') }]);
    await note(page).getByText('“notes.txt” cannot be read as a picture.').waitFor();
    await choosePictures(page, [{ name: 'broken.heic', mimeType: 'image/heic', buffer: Buffer.from('hello') }, small(1)]);
    await note(page).getByText('“broken.heic” cannot be read as a picture.').waitFor();
    await thumbs(page).waitFor();
    assert.equal(await carry(page.locator('#scroller'), 'drop', [{ name: 'a.pdf', mimeType: 'application/pdf', buffer: Buffer.from('%PDF') }]), true, 'the browser does not open it');
    await note(page).getByText('“a.pdf” cannot be read as a picture.').waitFor();
    assert.equal(await thumbs(page).count(), 1);
    await page.getByRole('button', { name: 'Remove small1.png' }).click();

    const large = { name: 'large.png', mimeType: 'image/png', buffer: png(2600, 1300, { noise: true }) };
    assert.ok(large.buffer.length > 8_000_000);
    await choosePictures(page, [large]);
    await thumbs(page).waitFor();
    assert.deepEqual(await thumbs(page).evaluate(async (e) => { await e.decode(); return [e.naturalWidth, e.naturalHeight]; }), [2048, 1024]);
    await exchange(page, 'Large', 'seen');
    assert.match(sentPictures()[0], /^data:image\/jpeg;base64,/);
    assert.ok(sentPictures()[0].length < 1_500_000, `${sentPictures()[0].length}`);
  });

  test('eight of some size each fit into one request', async (t) => {
    const page = await at.open(t);
    await choosePictures(page, Array.from({ length: 8 }, (_, n) => ({ name: `n${n}.png`, mimeType: 'image/png', buffer: png(650, 600, { noise: true }) })));
    await thumbs(page).nth(7).waitFor();
    await exchange(page, 'Eight', 'seen');
    assert.equal(sentPictures().length, 8);
  });

  test('pasted text with a picture of it is text', async (t) => {
    const page = await at.open(t);
    const { box } = partsOf(page);
    assert.equal(await carry(box, 'paste', [small(1)], { 'text/plain': 'a table', 'text/html': '<b>a table</b>' }), false, 'the browser inserts the text');
    assert.equal(await carry(box, 'paste', [small(2)], { 'text/html': '<img>' }), true);
    await thumbs(page).waitFor();
    assert.deepEqual(await thumbs(page).evaluateAll((all) => all.map((e) => e.alt)), ['small2.png']);
  });

  test('what is transparent becomes white where a picture is made smaller, not black', async (t) => {
    const page = await at.open(t);
    const url = await page.evaluate(() => {
      const canvas = document.createElement('canvas');
      [canvas.width, canvas.height] = [1200, 1200];
      const context = canvas.getContext('2d');
      const noise = context.createImageData(1200, 900);
      for (let n = 0; n < noise.data.length; n += 1) noise.data[n] = n % 4 === 3 ? 255 : Math.random() * 256;
      context.putImageData(noise, 0, 300);
      return canvas.toDataURL('image/png');
    });
    const buffer = Buffer.from(url.split(',')[1], 'base64');
    assert.ok(buffer.length > 1_000_000);
    await choosePictures(page, [{ name: 'clear.png', mimeType: 'image/png', buffer }]);
    await thumbs(page).waitFor();
    const corner = await thumbs(page).evaluate(async (e) => {
      await e.decode();
      const canvas = document.createElement('canvas');
      const context = canvas.getContext('2d');
      context.drawImage(e, 0, 0);
      return [...context.getImageData(5, 5, 1, 1).data];
    });
    assert.ok(corner.slice(0, 3).every((value) => value > 240), `${corner}`);
  });

  test('one that is still being read goes with the question it was meant for; what is added after Enter does not', async (t) => {
    const page = await at.open(t);
    const { box, questions } = partsOf(page);
    const read = await holdReading(page);
    await carry(box, 'paste', [slow(1)]);
    await say(page, 'What is this?');
    await note(page).getByText('as soon as its pictures are prepared').waitFor();
    assert.match(await page.evaluate(() => localStorage.getItem('parley.sending.')), /What is this\?$/, 'the text is safe');
    await carry(box, 'paste', [small(2)]);
    at.p.enqueue(simple('A small one'));
    await read();
    await answerIs(page, 'A small one');
    await idle(page);
    assert.equal(sentPictures().length, 1);
    assert.equal(await questions.locator('img').count(), 1);
    await eventually(async () => JSON.stringify(await thumbs(page).evaluateAll((all) => all.map((e) => e.alt))) === '["small2.png"]', 'the other waits for the next message');
    assert.equal(await note(page).isVisible(), false);
  });

  test('one that is still being read comes to its own conversation, whatever is open then; a new one may get its id meanwhile', async (t) => {
    const page = await at.open(t);
    const { box, fresh, list, questions } = partsOf(page);
    const go = (title) => list.filter({ hasText: title }).first().getByRole('link').click();
    const names = () => thumbs(page).evaluateAll((all) => all.map((e) => e.alt));
    await exchange(page, 'Reading A', 'a');
    await fresh.click();
    const g = gate();
    at.p.enqueue(held('b', g, 'b'));
    const read = await holdReading(page);
    let begun = page.waitForResponse(/\/chat$/);
    const door = gate();
    await page.route(/\/chat$/, async (route) => { await door.wait(); await route.continue(); });
    await say(page, 'Reading B');
    await carry(box, 'paste', [slow(1)]);
    await carry(box, 'paste', [small(2)]);
    door.open();                                            // only now it has an id
    await begun;
    await answerIs(page, 'b');
    g.open();
    await idle(page);
    await go('Reading A');
    await answerIs(page, 'a');
    await read();
    assert.deepEqual(await names(), []);
    await go('Reading B');
    await answerIs(page, 'bb');
    await eventually(async () => (await names()).length === 2, 'both are there');
    assert.deepEqual(await names(), ['small1.png', 'small2.png']);

    const readAgain = await holdReading(page);
    await carry(box, 'paste', [slow(3)]);
    await say(page, 'Left');
    await go('Reading A');
    await answerIs(page, 'a');
    const asked = at.p.chats.length;
    await readAgain();
    assert.equal(await box.inputValue(), '');
    await go('Reading B');
    await answerIs(page, 'bb');
    await eventually(async () => await box.inputValue() === 'Left', 'it was not asked, and is not lost');
    await eventually(async () => (await names()).length === 3, 'with the third picture');
    assert.equal(at.p.chats.length, asked);
    begun = page.waitForRequest(/\/chat$/);
    at.p.enqueue(simple('seen'));
    await box.press('Enter');
    await begun;
    await answerIs(page, 'seen');
    await idle(page);
    assert.equal(sentPictures().length, 3);
    assert.equal(await questions.last().locator('img').count(), 3);
  });

  test('a question does not go without the picture that cannot be read: it is in the box again', async (t) => {
    const page = await at.open(t);
    const { box, send } = partsOf(page);
    const asks = watchAsks(page);
    const read = await holdReading(page);
    await carry(box, 'paste', [{ name: 'broken.heic', mimeType: 'image/heic', buffer: Buffer.from('hello') }]);
    await say(page, 'What is this?');
    await note(page).getByText('as soon as its pictures are prepared').waitFor();
    await read();
    await note(page).getByText('“broken.heic” cannot be read as a picture.').waitFor();
    await eventually(async () => await box.inputValue() === 'What is this?', 'the text is back');
    assert.equal(await send.getAttribute('aria-disabled'), 'false');
    assert.equal(asks.length, 0);
    await exchange(page, 'Then without', 'fine');
    assert.equal(await note(page).isVisible(), false);
  });

  test('each conversation has its own; given back when the question did not arrive; an edit keeps them', async (t) => {
    const page = await at.open(t, { allow: FAILED });
    const { box, fresh, list, questions } = partsOf(page);
    await exchange(page, 'Pictures A', 'a');
    await choosePictures(page, [small(1)]);
    await thumbs(page).waitFor();
    await fresh.click();
    assert.equal(await thumbs(page).count(), 0);
    await list.filter({ hasText: 'Pictures A' }).first().getByRole('link').click();
    await answerIs(page, 'a');
    assert.equal(await thumbs(page).count(), 1);
    await page.route(/\/chat$/, (route) => route.fulfill({ status: 400, contentType: 'application/json', body: '{"error":{"code":"bad_request","message":"Not today."}}' }));
    await say(page, 'See this');
    await page.getByText('Not today.').first().waitFor();
    assert.equal(await box.inputValue(), 'See this');
    assert.deepEqual(await thumbs(page).evaluateAll((all) => all.map((e) => e.src)), [urlOf(small(1))]);
    await page.unroute(/\/chat$/);
    at.p.enqueue(simple('seen'));
    await box.press('Enter');
    await answerIs(page, 'seen');
    await idle(page);
    assert.deepEqual(sentPictures(), [urlOf(small(1))]);
    assert.equal(await thumbs(page).count(), 0);
    assert.equal(await questions.count(), 2);
    await page.reload();
    await answerIs(page, 'seen');
    await questions.last().hover();
    await questions.last().getByRole('button', { name: 'Edit' }).click();
    at.p.enqueue(simple('anew'));
    await page.getByRole('textbox', { name: 'Edit the message' }).fill('In other words');
    await page.getByRole('textbox', { name: 'Edit the message' }).press('Enter');
    await answerIs(page, 'anew');
    assert.deepEqual(sentPictures(), [urlOf(small(1))]);
    assert.equal(await questions.last().locator('img').getAttribute('src'), urlOf(small(1)));
    await idle(page);
  });
});

describe('keys and focus', () => {
  test('Tab goes from the skip link through list and messages to the box and its buttons', async (t) => {
    const page = await at.open(t);
    await page.locator('#model:enabled').waitFor();
    await exchange(page, 'Tab order', 'yes');
    await page.evaluate(() => { document.activeElement.blur(); getSelection().removeAllRanges(); });
    await page.locator('#skip').focus();
    assert.ok((await page.locator('#skip').boundingBox()).y >= 0, 'it is seen');
    const seen = [];
    const stations = ['new', 'search', 'open-archive', 'open-usage', 'open-preferences', 'scroller', 'copy', 'box', 'picture-add', 'options', 'model', 'send'];
    for (let n = 0; n < 400 && seen.at(-1) !== 'send'; n++) {
      await page.keyboard.press('Tab');
      seen.push(await page.evaluate(() => document.activeElement.id || document.activeElement.dataset.action || document.activeElement.className));
    }
    assert.deepEqual(seen.filter((each, n) => stations.includes(each) && seen.indexOf(each) === n), stations, seen.join(' '));
    await page.locator('#skip').focus();
    await page.keyboard.press('Enter');
    assert.ok(await isFocused(partsOf(page).box));
    assert.doesNotMatch(page.url(), /#box/);
  });

  test('every shortcut of the list does what it says; Shift, Alt and typing do not set them off', async (t) => {
    const page = await at.open(t);
    const { box, search, questions, answers, messages } = partsOf(page);
    await page.locator('#model:enabled').waitFor();
    await exchange(page, 'Shortcuts', 'yes');
    await box.fill('');
    await box.pressSequentially('a/?');
    assert.equal(await box.inputValue(), 'a/?');
    await page.locator('#scroller').focus();
    await page.keyboard.press('?');
    const dialog = page.getByRole('dialog', { name: 'Keyboard shortcuts' });
    await dialog.waitFor();
    assert.deepEqual(await dialog.getByRole('rowheader').allTextContents(), ['Search conversations', 'New conversation', 'Go to the message box', 'Stop the answer', 'Previous message', 'Next message', 'Choose a model', 'Show this list']);
    await page.keyboard.press('Control+k');
    assert.equal(await isFocused(search), false, 'not behind a dialog');
    await page.keyboard.press('Escape');
    await dialog.waitFor({ state: 'detached' });
    assert.equal(await focused(page), 'Messages', 'back where it was');
    await page.keyboard.press('/');
    assert.ok(await isFocused(box));
    assert.equal(await box.inputValue(), 'a/?', 'the sign is not written');
    await page.keyboard.press('Control+k');
    assert.ok(await isFocused(search));
    await page.keyboard.press('Alt+ArrowUp');
    assert.ok(await isFocused(answers.last()), 'from elsewhere to the last');
    await page.keyboard.press('Alt+ArrowUp');
    assert.ok(await isFocused(questions.last()));
    await page.keyboard.press('Alt+ArrowDown');
    assert.ok(await isFocused(answers.last()));
    await box.focus();
    await page.keyboard.press('Alt+ArrowUp');
    assert.ok(await isFocused(box), 'in a text the arrows are the text\'s');
    await box.fill('');
    await page.keyboard.press('Alt+ArrowUp');
    assert.ok(await isFocused(answers.last()));
    await page.keyboard.press('Control+Shift+M');
    await page.locator('#models').waitFor();
    await page.keyboard.press('Escape');
    await page.locator('#models').waitFor({ state: 'hidden' });
    assert.ok(await isFocused(answers.last()));
    await page.keyboard.press('Control+Shift+O');
    await eventually(async () => await messages.count() === 0, 'a new conversation');
    assert.ok(await isFocused(box));
    at.p.enqueue(held('One', gate(), ' never'));
    await say(page, 'Stop me');
    await answerIs(page, 'One');
    await page.keyboard.press('Escape');
    await idle(page);
    assert.equal(await answers.getAttribute('data-status'), 'stopped');
  });

  test('switched off only Esc is left, and the list says so', async (t) => {
    const page = await at.open(t);
    const { search, answers, fresh } = partsOf(page);
    const told = () => Promise.all([search, fresh, page.locator('#stop')].map((element) => element.getAttribute('aria-keyshortcuts')));
    assert.deepEqual(await told(), ['Control+K', 'Control+Shift+O', 'Escape']);
    await page.getByRole('button', { name: 'Settings' }).click();
    await page.getByRole('dialog', { name: 'Settings' }).getByRole('checkbox', { name: 'Keyboard shortcuts' }).uncheck();
    assert.deepEqual(await told(), [null, null, 'Escape']);
    await page.keyboard.press('Escape');
    await page.getByRole('dialog').waitFor({ state: 'detached' });
    at.p.enqueue(held('One', gate(), ' never'));
    await say(page, 'Off');
    await answerIs(page, 'One');
    await page.locator('#scroller').focus();
    for (const key of ['/', '?', 'Control+k', 'Alt+ArrowUp', 'Control+Shift+M', 'Control+Shift+O']) await page.keyboard.press(key);
    assert.equal(await focused(page), 'Messages');
    assert.equal(await page.getByRole('dialog').count(), 0);
    assert.equal(await isFocused(search), false);
    await page.keyboard.press('Escape');
    await idle(page);
    assert.equal(await answers.getAttribute('data-status'), 'stopped');
  });

  test('Esc closes what is open before it stops an answer', async (t) => {
    const page = await at.open(t);
    const { answers, stop, search, list, box } = partsOf(page);
    await page.locator('#model:enabled').waitFor();
    await exchange(page, 'Esc', 'yes');
    at.p.enqueue(held('One', gate(), ' never'));
    await say(page, 'Go on');
    await answerIs(page, 'One');
    const goesOn = async (what) => {
      assert.equal(await stop.isVisible(), true, what);
      assert.equal(await stop.getAttribute('aria-disabled'), 'false', what);
      assert.equal(await answers.last().getAttribute('data-status'), 'streaming', what);
    };
    const popups = [['#model', '#models'], ['#options', '#options-panel'], ['#open-preferences', 'dialog.panel'], ['#open-usage', 'dialog.panel'], ['article [data-action="more"]', '.menu:popover-open']];
    for (const [opener, popup] of popups) {
      await page.locator(opener).first().hover();
      await page.locator(opener).first().click();
      await page.locator(popup).waitFor();
      await page.keyboard.press('Escape');
      await page.locator(popup).waitFor({ state: 'hidden' });
      await goesOn(opener);
    }
    await search.fill('x');
    await search.press('Escape');
    await goesOn('search');
    await list.filter({ hasText: 'Esc' }).first().waitFor();
    await choose(page, 'Esc', 'Rename');
    await page.getByRole('textbox', { name: 'Title' }).press('Escape');
    await goesOn('title');
    await box.press('Escape');
    await idle(page);
    assert.equal(await answers.last().getAttribute('data-status'), 'stopped');
  });

  test('the focus is somewhere sensible after sending, stopping, editing, cancelling, deleting and asking again', async (t) => {
    const page = await at.open(t);
    const { box, send, stop, questions, answers } = partsOf(page);
    const inBox = async (what) => eventually(() => isFocused(box), async () => `${what}: the focus is in the box, not ${await focused(page)}`, 2);
    at.p.enqueue(held('One', gate(), ' never'));
    await box.fill('Focus');
    await send.click();
    await inBox('Send');
    await answerIs(page, 'One');
    await stop.focus();
    await page.keyboard.press('Enter');
    await idle(page);
    await inBox('Stop');
    at.p.enqueue(simple('Two'));
    await partsOf(page).retry.click();
    await answerIs(page, 'Two');
    await inBox('Retry');
    await idle(page);
    at.p.enqueue(simple('Three'));
    await page.getByRole('button', { name: 'Regenerate' }).focus();
    await page.keyboard.press('Enter');
    await answerIs(page, 'Three');
    await idle(page);
    await inBox('Regenerate');
    const edit = () => questions.getByRole('button', { name: 'Edit' });
    const editor = page.getByRole('textbox', { name: 'Edit the message' });
    await edit().focus();
    await page.keyboard.press('Enter');
    assert.ok(await isFocused(editor));
    await editor.press('Escape');
    await editor.waitFor({ state: 'detached' });
    await inBox('Esc in an edit');
    await edit().focus();
    await page.keyboard.press('Enter');
    await page.getByRole('button', { name: 'Cancel' }).click();
    await inBox('Cancel');
    await edit().focus();
    await page.keyboard.press('Enter');
    at.p.enqueue(simple('Four'));
    await editor.fill('Focus anew');
    await page.locator('.editor').getByRole('button', { name: 'Send' }).click();
    await answerIs(page, 'Four');
    await inBox('Send of an edit');
    await idle(page);
    await answers.last().getByRole('button', { name: 'More', exact: true }).click();
    await page.getByRole('menuitem', { name: 'Delete from here' }).click();
    await inBox('Delete');
    await page.locator('.toast').getByRole('button', { name: 'Close' }).click();
  });
});

describe('browsers that forbid things', () => {
  test('storage that is forbidden: writing, drafts, settings and switching work as long as the page is there', async (t) => {
    const page = await at.open(t, { path: '/favicon.svg', allow: /favicon\.ico/ });
    await page.addInitScript(() => {
      for (const name of ['localStorage', 'sessionStorage']) Object.defineProperty(window, name, { get() { throw new DOMException('denied', 'SecurityError'); } });
    });
    await page.goto(`${at.s.url}/?q=From%20a%20link`);
    await page.locator('html[data-ready="all"]').waitFor();
    const { box, fresh, list } = partsOf(page);
    assert.equal(await box.inputValue(), 'From a link');
    await box.fill('');
    await exchange(page, 'No storage', 'works');
    await box.fill('a draft');
    await fresh.click();
    assert.equal(await box.inputValue(), '');
    await list.filter({ hasText: 'No storage' }).first().getByRole('link').click();
    await answerIs(page, 'works');
    assert.equal(await box.inputValue(), 'a draft');
    await page.getByRole('button', { name: 'Settings' }).click();
    const dialog = page.getByRole('dialog', { name: 'Settings' });
    await dialog.getByRole('checkbox', { name: 'Enter sends the message' }).uncheck();
    await dialog.getByRole('radio', { name: 'Dark' }).check();
    await page.keyboard.press('Escape');
    await box.press('Enter');
    assert.equal(await partsOf(page).questions.count(), 1, 'both settings count');
    assert.equal(await page.evaluate(() => document.documentElement.dataset.theme), 'dark');
  });

  test('what is typed before the rest of the page is there stays, without storage too', async (t) => {
    const page = await at.open(t, { path: '/favicon.svg', allow: /favicon\.ico/ });
    await page.addInitScript(() => Object.defineProperty(window, 'localStorage', { get() { throw new DOMException('denied', 'SecurityError'); } }));
    const wait = gate();
    await page.route(/\/chat\.js$/, async (route) => { await wait.wait(); await route.continue(); });
    await page.goto(`${at.s.url}/`, { waitUntil: 'commit' });
    await page.locator('html[data-ready="box"]').waitFor();
    await partsOf(page).box.pressSequentially('early');
    wait.open();
    await page.locator('html[data-ready="all"]').waitFor();
    assert.equal(await partsOf(page).box.inputValue(), 'early');
  });

  test('storage that is full: a longer draft is not lost to the shorter one that is stored', async (t) => {
    const page = await at.open(t);
    const { box, fresh, list } = partsOf(page);
    await exchange(page, 'Full storage', 'works');
    await box.fill('short');
    await page.evaluate(() => { Storage.prototype.setItem = () => { throw new DOMException('full', 'QuotaExceededError'); }; });
    await box.fill('short, and then more');
    await fresh.click();
    await list.filter({ hasText: 'Full storage' }).first().getByRole('link').click();
    await answerIs(page, 'works');
    assert.equal(await box.inputValue(), 'short, and then more');
    await exchange(page, 'Still sends', 'yes');
    assert.equal(await box.inputValue(), '');
  });
});

describe('plain http', () => {
  const plain = { browser: null, p: null, s: null };
  let server;
  before(async () => {
    if (!at.browser) return;
    plain.p = await startProvider();
    server = await startServer({ settings: { LLM_BASE_URL: plain.p.url, HOST_NAMES: 'parley.test' }, ready: false });
    plain.browser = await launch('--host-resolver-rules=MAP parley.test 127.0.0.1');
    plain.s = { url: `http://parley.test:${server.port}` };
  });
  after(async () => {
    await plain.browser?.close();
    try { await server?.stop(); } finally { await plain.p?.stop(); }
  });

  test('without a secure context sending, streaming and copying work', async (t) => {
    const page = await openPage(plain, t, { allow: /Cross-Origin-Opener-Policy header has been ignored/ });
    assert.deepEqual(await page.evaluate(() => [isSecureContext, typeof crypto.randomUUID, typeof navigator.clipboard]), [false, 'undefined', 'undefined']);
    const { box, answers } = partsOf(page);
    plain.p.respond(simple('Copy **me**.\n\n```js\nlet a = 1;\n```'));
    for (const text of ['Plain', 'And again']) {
      await say(page, text);
      await idle(page);
      await answers.last().locator('pre').waitFor();
    }
    assert.equal(await partsOf(page).questions.count(), 2);
    const pasted = async (button, text) => {
      const said = button.locator('use[href="#i-check"]').or(button.getByText('Copied')).waitFor({ state: 'attached' });      // it stands for a moment only
      await button.click();
      await said;
      assert.ok(await isFocused(button), 'the focus stays');
      await box.fill('');
      await box.press('Control+v');
      assert.equal(await box.inputValue(), text);
    };
    await pasted(answers.last().locator('[data-action="copy"]'), 'Copy **me**.\n\n```js\nlet a = 1;\n```');
    await pasted(answers.last().locator('.code-copy'), 'let a = 1;');
  });
});
