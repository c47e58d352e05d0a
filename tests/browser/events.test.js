// What stands beside the text of an answer: sources, steps, plans, pictures, tools, thinking, questions to confirm, events of an application's own, what it cost,
// what people think of it; and what screen readers are told. An application (tests/apps/events.c) sends what its message says.
// Neighbours: answer.test.js has the models, scenes.js the looks, debug.test.js the panel by itself.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, describe } from 'node:test';
import { calling, gate, held, simple, USAGE } from '../provider/provider.js';
import { answerIs, eventually, idle, partsOf, say, stand, test } from './stand.js';

const RED_DOT = 'data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAoAAAAKCAIAAAACUFjqAAAAEklEQVR42mNkaGAgBrAQVDQKAFSBAIvHnmPLAAAAAElFTkSuQmCC';

/** A server whose parley.json is this. */
function standWith(json, options = {}) {
  const dir = mkdtempSync(path.join(tmpdir(), 'parley-look-'));
  const file = path.join(dir, 'parley.json');
  writeFileSync(file, JSON.stringify(json));
  after(() => rmSync(dir, { recursive: true, force: true }));
  return stand({ ...options, settings: { PARLEY_JSON: file, ...options.settings } });
}

const lastAnswer = (page) => partsOf(page).answers.last();
const conversationOf = async (at, page) => {
  const { messages } = await fetch(`${at.s.url}/conversations/${/#c=(.+)$/.exec(page.url())[1]}`).then((r) => r.json());
  return messages;
};
const wish = (id, name, what) => ({ id, name, arguments: JSON.stringify({ what }) });

/** Says what the application is to do, and waits for the end. */
async function ask(page, text) {
  await say(page, text);
  await idle(page);
  return lastAnswer(page);
}

/** Looks at the page as it is now, and once more after a reload. */
async function nowAndAfterReload(page, look) {
  await look(lastAnswer(page));
  await page.reload();
  await page.locator('html[data-ready="all"]').waitFor();
  await lastAnswer(page).waitFor();
  await look(lastAnswer(page));
}

describe('beside the text', () => {
  const at = stand({ app: 'events' });

  test('sources: a title, its address and the passage; without an address no link', async (t) => {
    const page = await at.open(t);
    await ask(page, 'reference bare Said');
    await nowAndAfterReload(page, async (answer) => {
      await answer.getByText('Said', { exact: true }).waitFor();
      const sources = answer.getByRole('region', { name: 'Sources' });
      const link = sources.getByRole('link', { name: 'A title' });
      assert.equal(await link.getAttribute('href'), 'https://example.invalid/a?b=c&d=e');
      assert.match(await link.getAttribute('rel'), /noopener noreferrer/);
      assert.equal(await sources.getByText('What it says: "ż"').isVisible(), false, 'folded');
      await sources.getByText('Passage').click();
      assert.equal(await sources.getByText('What it says: "ż"').isVisible(), true);
      assert.deepEqual((await sources.getByRole('listitem').allTextContents()).map((text) => text.slice(0, 4)), ['A ti', 'Bare']);
      assert.equal(await sources.getByRole('link').count(), 1);
    });
  });

  test('a step that runs, and then is done, in the same place', async (t) => {
    const g = gate();
    at.p.respond(held('While', g, ' it runs'));
    const page = await at.open(t);
    await say(page, 'start answer finish');
    await answerIs(page, 'While');
    const steps = lastAnswer(page).locator('.steps').getByRole('listitem');
    assert.equal(await steps.textContent(), 'Searchingin all booksrunning');
    assert.match(await steps.getAttribute('class'), /\bbusy\b/);
    g.open();
    await idle(page);
    await nowAndAfterReload(page, async (answer) => {
      assert.deepEqual(await answer.locator('.steps').getByRole('listitem').allTextContents(), ['Searched']);
      assert.equal(await answer.locator('.busy').count(), 0);
    });
  });

  test('a step that was never finished does not run for ever', async (t) => {
    const page = await at.open(t);
    await ask(page, 'start Enough');
    await nowAndAfterReload(page, async (answer) => {
      assert.equal(await answer.locator('.steps').getByRole('listitem').textContent(), 'Searchingin all books');
      assert.equal(await answer.locator('.busy').count(), 0);
    });
  });

  test('a plan: its tasks in order, how far each is, and what came out', async (t) => {
    const page = await at.open(t);
    await ask(page, 'plan Said');
    await nowAndAfterReload(page, async (answer) => {
      assert.deepEqual(await answer.getByRole('list', { name: 'Plan' }).getByRole('listitem').allTextContents(), ['Look it upFound żółwdone', 'Write it downfailed']);
    });
  });

  test('pictures: what came with the answer is shown, what is elsewhere is a link; no other host is asked', async (t) => {
    const page = await at.open(t);
    await ask(page, `image small image=${RED_DOT} Said`);
    await nowAndAfterReload(page, async (answer) => {
      const images = answer.locator('.images');
      assert.deepEqual(await images.getByRole('img', { name: 'Picture' }).evaluateAll((all) => all.map((e) => e.src.slice(0, 15))), ['data:image/png;', 'data:image/gif;']);
      await eventually(async () => (await images.getByRole('img').first().evaluate((e) => e.naturalWidth)) === 10, 'it is drawn');
      assert.equal(await images.getByRole('link').count(), 0, 'the second picture of the same id has taken the place of the link');
    });
    await ask(page, 'image Said');
    await nowAndAfterReload(page, async (answer) => {
      assert.equal(await answer.getByRole('img').count(), 0);
      assert.equal(await answer.getByRole('link', { name: /^Picture/ }).getAttribute('href'), 'https://example.invalid/cat.png');
    });
  });

  test('a large picture comes in pieces and is whole', async (t) => {
    const page = await at.open(t);
    const answer = await ask(page, 'large Said');
    const length = () => answer.getByRole('img').getAttribute('src').then((src) => src.length);
    assert.equal(await length(), 'data:image/png;base64,'.length + 400_000);
    await page.reload();
    assert.equal(await length(), 'data:image/png;base64,'.length + 400_000);
  });

  test('pieces of a picture that come in any order are one picture', async (t) => {
    const page = await at.open(t);
    const [head, data] = RED_DOT.split(',');
    const third = Math.ceil(data.length / 3);
    const chunk = (index) => ['chunked_content', { id: 'p', content_type: 'image', chunk_index: index, total_chunks: 3, mime_type: head, data: data.slice(index * third, (index + 1) * third) }];
    await page.route(/\/stream\?/, async (route) => {           // the server has folded them when it tells an answer
      const [, id] = /after=([^&]*?)(%3A|:)/.exec(route.request().url());
      const events = [chunk(2), chunk(0), chunk(1), ['token', 'Said'], ['done', { status: 'done' }]];
      await route.fulfill({ status: 200, contentType: 'text/event-stream', body: events.map(([type, detail], position) => `id: ${id}:${position + 1}\nevent: ${type}\ndata: ${JSON.stringify(detail)}\n\n`).join('') });
    });
    await page.route(/\/conversations\/[^/?]+$/, async (route) => {      // nor does it know the picture afterwards
      if (route.request().method() !== 'GET') return route.continue();
      const found = await (await route.fetch()).json();
      return route.fulfill({ json: { ...found, messages: found.messages.map((each) => (each.role === 'user' ? each : { ...each, events: [chunk(1), chunk(2), chunk(0)].map(([type, content]) => ({ type, content })) })) } });
    });
    await say(page, 'Said');
    await eventually(async () => (await lastAnswer(page).getByRole('img').getAttribute('src').catch(() => null)) === RED_DOT, 'the picture is whole');
  });

  test('tools: the call with its input, then the result; both folded', async (t) => {
    at.p.enqueue(calling([wish('c1', 'look', 'at "this"')]), simple('I looked.'));
    const page = await at.open(t);
    await ask(page, 'tools');
    await nowAndAfterReload(page, async (answer) => {
      await answer.getByText('I looked.').waitFor();
      const tool = answer.locator('details.tool');
      assert.equal(await tool.evaluate((e) => e.open), false);
      await tool.locator('summary').click();
      assert.equal(await tool.locator('summary').textContent(), 'Used look');
      assert.deepEqual(JSON.parse(await tool.getByLabel('Input').textContent()), { what: 'at "this"' });
      assert.equal(await tool.getByLabel('Result').textContent(), 'done: look');
    });
  });

  test('thinking is folded, says that it goes on, and is kept', async (t) => {
    const g = gate();
    at.p.respond(async (req, io) => {
      io.chunk(io.shape({ reasoning_content: 'Let me <b>see</b>.', content: null }));
      await g.wait();
      io.token('Four.'); io.finish('stop', USAGE); io.done(); await io.end();
    });
    const page = await at.open(t);
    await say(page, 'answer');
    const thinking = lastAnswer(page).locator('details.thinking');
    await thinking.getByText('Thinking…').waitFor();
    assert.equal(await thinking.evaluate((e) => e.open), false);
    g.open();
    await idle(page);
    await nowAndAfterReload(page, async (answer) => {
      assert.equal(await answer.locator('.message-text').textContent(), 'Four.');
      await answer.getByText('Thoughts').click();
      assert.equal(await answer.getByText('Let me <b>see</b>.').isVisible(), true);
    });
  });

  test('what is selected in thinking stays while it goes on', async (t) => {
    const g = gate();
    at.p.respond(async (req, io) => {
      io.chunk(io.shape({ reasoning_content: 'First of all', content: null }));
      await g.wait();
      io.chunk(io.shape({ reasoning_content: ', and then', content: null }));
      io.token('Four.'); io.finish('stop', USAGE); io.done(); await io.end();
    });
    const page = await at.open(t);
    await say(page, 'answer');
    await lastAnswer(page).getByText('Thinking…').click();
    const text = lastAnswer(page).locator('.thinking-text');
    await text.getByText('First of all').waitFor();
    await text.evaluate((e) => getSelection().setBaseAndExtent(e.firstChild, 0, e.firstChild, 5));
    g.open();
    await idle(page);
    assert.equal(await text.textContent(), 'First of all, and then');
    assert.equal(await page.evaluate(() => String(getSelection())), 'First');
  });

  test('what to ask next stays, with the focus, when the conversation is looked at again', async (t) => {
    const page = await at.open(t);
    await ask(page, 'followups Said');
    const chip = page.getByRole('button', { name: 'And then?' });
    await page.reload();                                    // what the end of the answer set off is over
    await chip.waitFor();
    const id = page.url().split('#c=')[1];
    await chip.focus();
    const read = page.waitForResponse((response) => response.url().endsWith(`/conversations/${id}`) && response.request().method() === 'GET');
    await page.evaluate((changed) => { const other = new BroadcastChannel('parley.changes'); other.postMessage({ changed }); other.close(); }, id);
    await (await read).text();
    await page.evaluate(() => new Promise((resolve) => setTimeout(resolve, 100)));        // it is shown by now
    assert.equal(await chip.evaluate((e) => e === document.activeElement), true);
  });

  test('what to ask next: under the last answer only; a click asks', async (t) => {
    const page = await at.open(t);
    await ask(page, 'followups Said');
    await page.reload();
    const next = page.getByRole('group', { name: 'What to ask next' });
    await next.waitFor();
    assert.deepEqual(await next.getByRole('button').allTextContents(), ['And then?', 'Why "so"?', 'Na żółwia?']);
    await next.getByRole('button', { name: 'Na żółwia?' }).click();
    await answerIs(page, 'Na żółwia?');
    await idle(page);
    assert.equal(await partsOf(page).questions.last().locator('.message-text').textContent(), 'Na żółwia?');
    assert.equal(await next.count(), 0, 'those of an earlier answer are gone');
  });

  test('clear_message takes back what stood there, beside the text too', async (t) => {
    const g = gate();
    at.p.respond(held('Right', g, ' now'));
    const page = await at.open(t);
    await say(page, 'text=Wrong reference plan clear answer');
    await answerIs(page, 'Right');
    assert.equal(await lastAnswer(page).getByText('A title').count(), 0);
    g.open();
    await idle(page);
    await nowAndAfterReload(page, async (answer) => {
      await answer.getByText('Right now').waitFor();
      assert.doesNotMatch(await answer.textContent(), /Wrong|A title|Look it up/);
    });
  });

  test('events of an application\'s own: for scripts of the site, and as cards in debug mode only', async (t) => {
    const page = await at.open(t);
    await page.evaluate(() => {
      window.heard = [];
      for (const type of ['chart_data', 'reference', 'token']) document.addEventListener(`parley:${type}`, ({ detail }) => window.heard.push(detail));
    });
    const answer = await ask(page, 'custom reference Said');
    const heard = await page.evaluate(() => window.heard);
    assert.deepEqual(heard.map(({ type }) => type), ['chart_data', 'reference', 'token']);
    const DATA = { points: [1, 2.5, -3], name: 'Wękres', nested: { empty: {}, none: null } };
    assert.deepEqual(heard[0].data, DATA);
    assert.deepEqual([heard[0].conversationId, heard[0].messageId], [/#c=(.+)$/.exec(page.url())[1], await answer.getAttribute('data-id')]);
    assert.equal(Number.isInteger(heard[1].pos) && heard[1].pos > heard[0].pos, true, JSON.stringify(heard));
    const card = answer.locator('details').filter({ has: page.locator('summary', { hasText: 'chart_data' }) });
    assert.equal(await card.count(), 0);
    await page.evaluate(() => localStorage.setItem('parley.settings', '{"debug": true}'));
    await page.reload();
    await card.locator('summary').click();
    assert.deepEqual(JSON.parse(await card.getByLabel('chart_data').textContent()), DATA);
  });

  test('the debug setting shows the cards at once, and an open one stays open', async (t) => {
    const page = await at.open(t);
    const answer = await ask(page, 'custom Said');
    await page.getByRole('button', { name: 'Settings' }).click();
    await page.getByRole('checkbox', { name: 'Debug panel' }).check();
    await page.keyboard.press('Escape');
    const card = answer.locator('.customs details');
    await card.locator('summary').click();
    const first = await card.elementHandle();
    await ask(page, 'Again');
    assert.equal(await first.evaluate((e) => e.isConnected && e.open), true);
    await page.getByRole('button', { name: 'Settings' }).click();
    await page.getByRole('checkbox', { name: 'Debug panel' }).uncheck();
    assert.equal(await card.count(), 0);
  });

  test('under an answer: its model, the time, tokens and cost', async (t) => {
    at.p.respond(simple('Dear.', { usage: { ...USAGE, cost: 0.0123 } }));
    const page = await at.open(t, { locale: 'en-GB', timezoneId: 'UTC' });
    await ask(page, 'answer');
    await nowAndAfterReload(page, async (answer) => {
      const details = answer.locator('.details');
      await eventually(async () => /^test-model\d?\d:\d\d.*19 tokens\$0\.012$/.test(await details.textContent()), async () => `the details, but they are ${await details.textContent()}`);
      const { finished_at: finished } = (await conversationOf(at, page)).at(-1);
      assert.equal(Math.abs(Date.parse(await details.locator('time').getAttribute('datetime')) - Date.parse(finished)) < 5000, true);
      assert.equal(await details.getByText('19 tokens').getAttribute('title'), '16 read, 3 written');
    });
  });

  test('Like and Dislike without a form are kept at once; the later one counts', async (t) => {
    const page = await at.open(t);
    await ask(page, 'Said');
    const [like, dislike] = ['Good answer', 'Bad answer'].map((name) => page.getByRole('button', { name }));
    const pressed = async () => [await like.getAttribute('aria-pressed'), await dislike.getAttribute('aria-pressed')].join();
    assert.equal(await pressed(), 'false,false');
    await like.click();
    await eventually(async () => await partsOf(page).status.textContent() === 'Thank you for your feedback.', 'it is said');
    assert.equal(await like.evaluate((e) => e === document.activeElement), true, 'the focus stays');
    assert.equal((await conversationOf(at, page)).at(-1).feedback, 'like');
    await page.reload();
    await like.waitFor();
    assert.equal(await pressed(), 'true,false');
    const told = page.waitForResponse(/feedback/);
    await dislike.click();
    await told;
    assert.equal(await pressed(), 'false,true');
    assert.equal((await conversationOf(at, page)).at(-1).feedback, 'dislike');
  });

  test('the panel of events: the request first, then what came, in order; another conversation begins anew', async (t) => {
    const page = await at.open(t);
    await page.evaluate(() => localStorage.setItem('parley.settings', '{"debug": true}'));
    await page.reload();
    await page.locator('html[data-ready="all"]').waitFor();
    await page.getByRole('button', { name: 'Events' }).click();
    const panel = page.getByRole('complementary', { name: 'Events' });
    const types = () => panel.locator('.debug-row').evaluateAll((rows) => rows.map((e) => e.dataset.type).join(' '));
    await ask(page, 'custom reference Said plan Again');
    await eventually(async () => / done$/.test(await types()), 'the end is there');
    const seen = await types();
    assert.match(seen, /^request start (conversation_summary )?chart_data reference token (plan_item )+token .*done$/, seen);
    assert.match(await panel.locator('.debug-row').first().textContent(), /custom reference Said/);
    assert.match(await panel.locator('.debug-head').textContent(), new RegExp(/#c=(.+)$/.exec(page.url())[1]));
    await partsOf(page).fresh.click();
    assert.equal(await types(), '');
    await page.getByRole('button', { name: 'Events' }).click();
    assert.equal(await panel.count(), 0);
  });

  describe('questions of tools', () => {
    const boxes = (page) => page.getByRole('group', { name: /^Allow “/ });
    const box = (page, name) => page.getByRole('group', { name: `Allow “${name}” to be used?` });
    const done = simple('Done.');

    test('Allow: the tool runs with its input; what was decided stands there, after a reload too', async (t) => {
      at.p.enqueue(calling([wish('c1', 'delete_file', 'notes.txt')]), done);
      const page = await at.open(t);
      await ask(page, 'tools');
      const asked = box(page, 'delete_file');
      assert.match(await asked.textContent(), /Deletes a file\..*notes\.txt/s);
      await eventually(async () => await partsOf(page).status.textContent() === 'Allow “delete_file” to be used?', 'screen readers hear the question');
      await page.reload();
      const sent = page.waitForRequest((request) => request.method() === 'POST' && /\/chat$/.test(request.url()));
      await asked.getByRole('button', { name: 'Allow' }).click();
      assert.deepEqual((await sent).postDataJSON().context.tool_confirmations.map(({ confirmed }) => confirmed), [true]);
      await answerIs(page, 'Done.');
      await idle(page);
      assert.match(JSON.stringify(at.p.chats.at(-1).body.messages.at(-1)), /done: delete_file/);
      assert.equal(await partsOf(page).box.evaluate((e) => e === document.activeElement), true);
      for (const again of [false, true]) {
        if (again) await page.reload();
        await asked.getByText('Allowed').waitFor();
        assert.equal(await asked.getByRole('button').count(), 0);
        assert.deepEqual(await partsOf(page).questions.evaluateAll((all) => all.filter((e) => e.offsetHeight > 0).length), 1, 'the decision is no message');
      }
    });

    test('a decision that was refused because the conversation was busy can be made again', async (t) => {
      at.p.enqueue(calling([wish('c1', 'delete_file', 'notes.txt')]), done);
      const page = await at.open(t, { allow: /409/ });
      await ask(page, 'tools');
      let refusals = 1;
      await page.route(/\/chat$/, (route) => (refusals-- > 0
        ? route.fulfill({ status: 409, contentType: 'application/json', body: '{"error":{"code":"busy","message":"busy"}}' }) : route.continue()));
      await box(page, 'delete_file').getByRole('button', { name: 'Allow' }).click();
      await partsOf(page).retry.click();
      const sent = page.waitForRequest((request) => request.method() === 'POST' && /\/chat$/.test(request.url()));
      await box(page, 'delete_file').getByRole('button', { name: 'Allow' }).click();
      assert.deepEqual((await sent).postDataJSON().context.tool_confirmations.map(({ confirmed }) => confirmed), [true]);
      await answerIs(page, 'Done.');
      await idle(page);
    });

    test('Decline: the tool does not run', async (t) => {
      at.p.enqueue(calling([wish('c1', 'delete_file', 'notes.txt')]), simple('Then not.'));
      const page = await at.open(t);
      await ask(page, 'tools');
      await box(page, 'delete_file').getByRole('button', { name: 'Decline' }).click();
      await answerIs(page, 'Then not.');
      await idle(page);
      assert.doesNotMatch(JSON.stringify(at.p.chats.at(-1).body.messages), /done: delete_file/);
      await page.reload();
      await box(page, 'delete_file').getByText('Declined').waitFor();
    });

    test('two questions are decided one after the other and sent together', async (t) => {
      at.p.enqueue(calling([wish('c1', 'delete_file', 'a'), wish('c2', 'send_mail', 'b')]), done);
      const page = await at.open(t);
      let sent = 0;
      page.on('request', (request) => { if (request.method() === 'POST' && /\/chat$/.test(request.url())) sent += 1; });
      await ask(page, 'tools');
      sent = 0;
      await box(page, 'delete_file').getByRole('button', { name: 'Allow' }).click();
      await box(page, 'delete_file').getByText('Allowed').waitFor();
      assert.equal(await box(page, 'send_mail').getByRole('button', { name: 'Allow' }).evaluate((e) => e === document.activeElement), true, 'the focus is at the next');
      assert.equal(sent, 0);
      await box(page, 'send_mail').getByRole('button', { name: 'Decline' }).click();
      await answerIs(page, 'Done.');
      await idle(page);
      assert.equal(sent, 1);
      await page.reload();
      await box(page, 'delete_file').getByText('Allowed').waitFor();
      await box(page, 'send_mail').getByText('Declined').waitFor();
    });

    test('not decided, since something else was asked: it says so, and cannot be decided any more', async (t) => {
      at.p.enqueue(calling([wish('c1', 'delete_file', 'notes.txt')]));
      const page = await at.open(t);
      await ask(page, 'tools');
      await ask(page, 'Something else');
      for (const again of [false, true]) {
        if (again) await page.reload();
        await boxes(page).getByText('Not decided, so not used').waitFor();
        assert.equal(await boxes(page).getByRole('button').count(), 0);
      }
    });

    test('a decision that the server refuses can be sent again', async (t) => {
      at.p.enqueue(calling([wish('c1', 'delete_file', 'notes.txt')]), done);
      const page = await at.open(t, { allow: /Failed to load resource|net::ERR/ });
      await ask(page, 'tools');
      await page.route(/\/chat$/, (route) => route.fulfill({ status: 503, contentType: 'application/json', body: '{"error":{"code":"overloaded","message":"Too much to do."}}' }));
      await box(page, 'delete_file').getByRole('button', { name: 'Allow' }).click();
      await page.getByRole('button', { name: 'Retry' }).waitFor();
      await page.unroute(/\/chat$/);
      await page.getByRole('button', { name: 'Retry' }).click();
      await answerIs(page, 'Done.');
      await box(page, 'delete_file').getByText('Allowed').waitFor();
    });
  });
});

describe('what screen readers are told', () => {
  const at = stand();

  /** Everything that the live regions say from now on. */
  async function listen(page) {
    await page.evaluate(() => {
      window.said = { log: [], status: [], alert: [] };
      new MutationObserver((changes) => {
        for (const { addedNodes } of changes) for (const node of addedNodes) window.said.log.push(node.textContent);
      }).observe(document.getElementById('log'), { childList: true, subtree: true, characterData: true });
      for (const id of ['status', 'alert']) {
        const region = document.getElementById(id);
        new MutationObserver(() => { if (region.textContent) window.said[id].push(region.textContent); }).observe(region, { childList: true, subtree: true, characterData: true });
      }
    });
    return () => page.evaluate(() => window.said);
  }

  const TEXT = ['First ', 'paragraph ', 'of *three*.\n\n', 'Second ', 'one.\n\n', 'Third ', 'one.'];
  const set = (page, announce) => page.evaluate((value) => localStorage.setItem('parley.settings', JSON.stringify({ announce: value })), announce).then(() => page.reload()).then(() => page.locator('html[data-ready="all"]').waitFor());

  test('each paragraph once, when it is finished, and the states; nothing for each token', async (t) => {
    const gates = TEXT.map(() => gate());
    at.p.respond(async (req, io) => {
      io.role();
      for (let n = 0; n < TEXT.length; n++) { io.token(TEXT[n]); await gates[n].wait(); }
      io.finish('stop', USAGE); io.done(); await io.end();
    });
    const page = await at.open(t);
    const said = await listen(page);
    await say(page, 'Tell me');
    let text = '';
    for (let n = 0; n < TEXT.length; n++) {
      text += TEXT[n];
      await eventually(async () => (await lastAnswer(page).locator('.message-text').textContent()).replace(/\s+/g, '') === text.replace(/[*\s]+/g, ''), `${text} is there`);
      if (n === 1) assert.deepEqual((await said()).log, [], 'no word before the paragraph is finished');
      if (n === 4) await eventually(async () => (await said()).log.join('\n') === 'First paragraph of three.\nSecond one.' || (await said()).log.join('\n') === 'First paragraph of three.', 'the first paragraph');
      gates[n].open();
    }
    await idle(page);
    await eventually(async () => (await said()).log.join('\n') === 'First paragraph of three.\nSecond one.\nThird one.', async () => `each paragraph once, but: ${JSON.stringify(await said())}`);
    assert.ok((await said()).log.length <= 3);
    await eventually(async () => (await said()).status.length === 2, 'the end is said too');
    assert.deepEqual((await said()).status, ['Answering.', 'Answer complete.']);
    assert.deepEqual((await said()).alert, []);
    assert.equal(await page.locator('main [aria-live], main [role="status"], main [role="log"]').count(), 0, 'what grows is in no live region');
  });

  for (const [announce, status] of [['end', ['Answer complete.']], ['off', []]]) {
    test(`"${announce}": ${status.length ? 'only the end' : 'nothing'}; failures in any case`, async (t) => {
      const page = await at.open(t);
      await set(page, announce);
      const said = await listen(page);
      at.p.respond(simple(TEXT));
      await ask(page, 'Tell me');
      if (status.length) await eventually(async () => (await said()).status.length > 0, 'the end is said');
      at.p.respond(async (req, io) => { io.role(); io.token('Half'); io.data(JSON.stringify({ error: { message: 'It broke.', code: 500 } })); await io.end(); });
      await ask(page, 'And now?');
      await eventually(async () => (await said()).alert.length === 1, async () => `the failure is said, but: ${JSON.stringify(await said())}`);
      assert.deepEqual((await said()).status, status);
      assert.deepEqual((await said()).log, []);
    });
  }

  test('an earlier conversation is not read out when it is opened', async (t) => {
    at.p.respond(simple('Long said.'));
    const page = await at.open(t);
    await ask(page, 'Once');
    const address = page.url();
    await partsOf(page).fresh.click();
    const said = await listen(page);
    await page.goto(address);
    await answerIs(page, 'Long said.');
    at.p.respond(simple('Just said.'));
    await ask(page, 'Again');
    await eventually(async () => (await said()).log.length > 0, 'the new answer is read');
    assert.deepEqual((await said()).log, ['Just said.']);
  });
});

describe('as the site wants it', () => {
  const at = standWith({
    ui: { show_usage: false, debug_mode: true },
    feedback: {
      like: { enabled: false },
      dislike: { enabled: true, form: { title: 'What was wrong?', type: 'object', required: ['reason'], properties: { reason: { type: 'string', title: 'Reason' } } } },
    },
  }, { app: 'events' });

  test('show_usage false: neither tokens nor cost nor the usage page', async (t) => {
    at.p.respond(simple('Dear.', { usage: { ...USAGE, cost: 0.0123 } }));
    const page = await at.open(t);
    await ask(page, 'answer');
    await nowAndAfterReload(page, async (answer) => {
      await eventually(async () => /^test-model\d?\d:\d\d[^$a-z]*$/.test((await answer.locator('.details').textContent()).replace(/[AP]M/, '')), async () => `only model and time, but: ${await answer.locator('.details').textContent()}`);
    });
    await page.locator('#open-usage').waitFor({ state: 'hidden' });
    assert.notEqual((await conversationOf(at, page)).at(-1).usage, null);
  });

  test('what the configuration says holds for messages that were there before it', async (t) => {
    at.p.respond(simple('Dear.', { usage: { ...USAGE, cost: 0.0123 } }));
    const page = await at.open(t);
    await ask(page, 'answer custom');
    const g = gate();
    await page.route(/\/api\/config$/, async (route) => { await g.wait(); await route.continue(); });
    await page.reload();
    await page.getByRole('button', { name: 'Regenerate' }).waitFor();
    assert.equal(await page.getByRole('button', { name: /^(Good|Bad) answer$/ }).count(), 0, 'what may be switched off is not shown before it');
    g.open();
    await page.getByRole('button', { name: 'Bad answer' }).waitFor();
    assert.equal(await page.getByRole('button', { name: 'Good answer' }).count(), 0);
    assert.doesNotMatch(await lastAnswer(page).locator('.details').textContent(), /tokens|\$/);
    await lastAnswer(page).locator('.customs summary').getByText('chart_data').waitFor();
    await page.getByRole('button', { name: 'Events' }).waitFor();
  });

  test('Like is switched off; Dislike asks its form, and Cancel keeps nothing', async (t) => {
    const page = await at.open(t);
    await ask(page, 'Said');
    await page.getByRole('button', { name: 'Good answer' }).waitFor({ state: 'detached' });
    const dislike = page.getByRole('button', { name: 'Bad answer' });
    await dislike.click();
    const dialog = page.getByRole('dialog', { name: 'What was wrong?' });
    await dialog.getByRole('button', { name: 'Cancel' }).click();
    await dialog.waitFor({ state: 'detached' });
    assert.equal(await dislike.getAttribute('aria-pressed'), 'false');
    assert.equal((await conversationOf(at, page)).at(-1).feedback ?? null, null);
    await dislike.click();
    await dialog.getByRole('button', { name: 'Send' }).click();
    assert.equal(await dialog.isVisible(), true, 'the reason is required');
    await dialog.getByLabel('Reason').fill('<b>Wrong</b>');
    const told = page.waitForRequest(/feedback/);
    await dialog.getByRole('button', { name: 'Send' }).click();
    assert.deepEqual((await told).postDataJSON().payload, { reason: '<b>Wrong</b>' });
    await eventually(async () => (await conversationOf(at, page)).at(-1).feedback === 'dislike', 'the server has it');
    await page.reload();
    await page.locator('[data-action="dislike"][aria-pressed="true"]').waitFor();
  });
});
