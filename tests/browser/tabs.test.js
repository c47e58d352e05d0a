// Two tabs of one browser in the same conversation: what is written in one is not lost by the other, and is asked once.
// Neighbours: www/js/composer.js keeps drafts; stream.test.js has two tabs that read one answer, composer.test.js drafts of one tab.
import assert from 'node:assert/strict';
import { describe } from 'node:test';
import { gate, simple } from '../provider/provider.js';
import { answerIs, eventually, idle, partsOf, say, stand, test } from './stand.js';

const at = stand({ settings: { RETRIES: '0' } });
const textIn = (page) => partsOf(page).box.inputValue();

async function two(t, path) {
  const one = await at.open(t, { path });
  return [one, await at.open(t, { path, context: one.context() })];
}

describe('two tabs', () => {
  test('that write two new conversations: sending one leaves the words of the other, also after a reload', async (t) => {
    const [one, other] = await two(t);
    await partsOf(one).box.fill('half a thought');
    at.p.enqueue(simple('Yes'));
    await say(other, 'something else');
    await answerIs(other, 'Yes');
    await partsOf(one).fresh.click();
    assert.equal(await textIn(one), 'half a thought');
    await other.evaluate(() => localStorage.clear());
    await one.reload();
    await one.locator('html[data-ready="all"]').waitFor();
    assert.equal(await textIn(one), 'half a thought');
  });

  test('with the same draft: what one sends is gone from the other', async (t) => {
    const one = await at.open(t);
    at.p.enqueue(simple('First'), simple('Second'));
    await say(one, 'One');
    await answerIs(one, 'First');
    await idle(one);
    await partsOf(one).box.fill('written once');
    const other = await at.open(t, { context: one.context(), path: `/${new URL(one.url()).hash}` });
    await answerIs(other, 'First');
    assert.equal(await textIn(other), 'written once');
    await partsOf(one).box.press('Enter');
    await answerIs(one, 'Second');
    await eventually(async () => await textIn(other) === '', 'it is gone there too');
  });

  test('one opened while the other still sends: the words stay with who sends them', async (t) => {
    const one = await at.open(t);
    const wait = gate();
    await one.route(/\/chat$/, async (route) => { await wait.wait(); await route.continue(); });
    at.p.enqueue(simple('Once'));
    await say(one, 'Ask once');
    const other = await at.open(t, { context: one.context() });
    await other.locator('html[data-ready="all"]').waitFor();
    await idle(other);
    assert.equal(await textIn(other), '');
    wait.open();
    await answerIs(one, 'Once');
    assert.equal(at.p.chats.length, 1);
    assert.equal(await textIn(other), '');
  });
});
