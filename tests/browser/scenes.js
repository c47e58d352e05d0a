// Every state that the page can be in, each brought about in a real browser: for looking at (screenshots.js) and for axe.test.js.
// Neighbours: stand.js gives page, server and provider. A scene is {name, open(scene), isWide}, where scene has {page, at, phone, go, gate};
// isWide says that axe need not look at it on a narrow screen.
// Leaves out: judging what is seen.
import { gate, held } from '../provider/provider.js';
import { eventually } from './stand.js';

const ANSWER = `## A short tour

Text with **strong** and *emphasised* words, \`code\`, ~~old~~ words and a [link](https://example.org/page).

1. First, a list
2. with a second item
   - and one inside
- [x] done
- [ ] to do

> A quotation, which may run over more than one line when the window is narrow enough for that.

| Fruit | Price | Stock |
| :--- | ---: | :---: |
| Apples | $1.20 | many |
| Pears | $2.40 | few |

\`\`\`js
// The first of them that is ripe.
export function pick(fruits, isRipe = (fruit) => fruit.days > 3) {
  const found = fruits.find(isRipe);
  return found ? \`\${found.name} (\${found.days})\` : null;
}
\`\`\`

The roots are $x = \\frac{-b \\pm \\sqrt{b^2-4ac}}{2a}$, and costs are $5 and $10.

$$\\int_0^1 x^2\\,dx = \\frac13$$

---

That is all.`;

const PIXEL = 'data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAoAAAAKCAIAAAACUFjqAAAAEklEQVR42mPQ7/fDgxhGpbEhAFtbaLGqVx6MAAAAAElFTkSuQmCC';

const THOUGHTS = ['The user asks about fruit, so the prices are what counts first.\n', 'Apples cost 1.20 and pears 2.40, but the apples have been there for a week. ', 'Pears it is, unless somebody wants to bake.'];

let made = 0;
function row(role, content, more = {}) {
  made += 1;
  return { id: `m${made}`, parent_id: made > 1 ? `m${made - 1}` : null, role, content, status: 'done', model: role === 'assistant' ? 'gpt-4o' : null, created_at: '2026-11-20T09:30:00.000Z', metadata: {}, ...more };
}

const usage = { prompt_tokens: 412, completion_tokens: 231, total_tokens: 643, cost: 0.00334 };
const answer = (content, more) => row('assistant', content, { usage, finished_at: '2026-11-20T09:30:12.000Z', ...more });
function conversation(...rows) {
  made = 0;
  const messages = rows.map((make) => make());
  return { conversation_id: 'canned', title: 'Apples and pears', created_at: '2026-11-20T09:30:00.000Z', updated_at: '2026-11-20T09:31:00.000Z', pinned: false, archived: false, metadata: {}, leaf_id: messages.at(-1).id, messages };
}

const QUESTION = () => row('user', 'Which fruit should I buy today, and how much will it cost?');

const CANNED = {
  answer: conversation(QUESTION, () => answer(ANSWER)),
  parts: conversation(QUESTION, () => answer('Pears are the better choice today.', {
    reasoning: 'The user asks about fruit. Prices are in the list.\nPears are ripe.',
    events: [
      { type: 'live_update', content: { update_id: 'a', type: 'FINISH', content: { label: 'Searching the price list', description: '14 entries found' } } },
      { type: 'plan_item', content: { task: { id: '1', description: 'Find the prices', status: 'completed' } } },
      { type: 'plan_item', content: { task: { id: '2', description: 'Compare them', status: 'in_progress' } } },
      { type: 'plan_item', content: { task: { id: '3', description: 'Write it down', status: 'pending' } } },
      { type: 'plan_item', content: { task: { id: '4', description: 'Ask the shop', status: 'failed', result: 'It is closed.' } } },
      { type: 'tool_call', content: { id: 't', name: 'price_list', arguments: { fruit: 'pear' } } },
      { type: 'tool_result', content: { id: 't', name: 'price_list', content: '{"pear": 2.40}' } },
      { type: 'image', content: { id: 'i', url: PIXEL } },
      { type: 'reference', content: { title: 'Price list of November', content: 'Pears: 2.40 a kilo.', url: 'https://example.org/prices' } },
      { type: 'reference', content: { title: 'A note in the kitchen', content: 'No more apples, please.', url: null } },
      { type: 'confirmation_request', content: { confirmation_request: { confirmation_id: 'c', tool_name: 'order_fruit', tool_description: 'Orders fruit at the shop around the corner', arguments: { fruit: 'pear', kilos: 2 } } } },
      { type: 'followup_messages', content: { messages: ['What about plums?', 'How long do pears keep?'] } },
    ],
  })),
  failed: conversation(QUESTION, () => answer('Pears are the', { status: 'error', error: { code: 'provider_error', message: 'The provider says: the engine is broken.' } })),
  stopped: conversation(QUESTION, () => answer('Pears are the better', { status: 'stopped' })),
  branches: (() => {
    const found = conversation(QUESTION, () => answer('Apples.'), () => answer('Pears.', { parent_id: 'm1' }), () => row('user', 'Thank you!'), () => answer('You are welcome.'));
    return found;
  })(),
  pictures: conversation(() => row('user', 'What is this?', { attachments: [{ type: 'image', url: PIXEL }] }), () => answer('A green square.', { feedback: 'like' })),
};

const LIST = { conversations: [
  ['canned', 'Apples and pears', { status: 'done' }], ['b', 'Holiday in the mountains', { status: 'streaming' }], ['c', 'A letter to the landlord about the heating, which has been cold since the beginning of November', { status: 'done', unread: true }],
  ['d', 'Regular expressions', { status: 'error' }], ['e', 'Übersetzung', { status: 'done' }], ['f', 'Unit tests in C', { status: 'done' }],
].map(([id, title, more], at) => ({ conversation_id: id, title, created_at: stamp(at), updated_at: stamp(at), pinned: false, archived: false, metadata: {}, unread: false, ...more })), next: null };

const NOTHING = { conversations: [], next: null };

// What an installation may say of itself: a look of its own, and the forms that it wants filled in.
const CONFIG = {
  customization: {
    header: { title: 'Ask the greengrocer', subtitle: 'Fruit and vegetables since 1904', logo: 'icons/apple-touch-icon.png' },
    welcome_message: '# Good morning\n\nAsk about anything that *grows*. Prices are those of [today](https://example.org/prices).',
    starter_questions: ['Which fruit is in season?', 'How do I keep pears fresh for as long as possible, if I have no cellar?', 'متى يفتح المتجر؟'],
    meta: { page_title: null, favicon: null },
  },
  feedback: { like: { enabled: true, form: null }, dislike: { enabled: true, form: {
    title: 'What was wrong?', description: 'Whoever looks after this page reads it.', type: 'object', required: ['issue', 'comment'],
    properties: {
      issue: { title: 'Kind of problem', enum: ['Not true', 'Not helpful', 'Too long'] },
      comment: { title: 'In your words', type: 'string', description: 'One sentence is enough.' },
      mail: { title: 'Email address', type: 'string', format: 'email', description: 'If you would like an answer.' },
      again: { title: 'I have seen this before', type: 'boolean' },
    },
  } } },
  user_settings: { form: {
    title: 'Your greengrocer', description: 'The assistant takes these into account.', type: 'object', required: ['tone'],
    properties: {
      tone: { title: 'Tone', enum: ['plain', 'formal'], default: 'plain' },
      kilos: { title: 'Most kilos at once', type: 'integer', minimum: 1, default: 0 },
      topics: { title: 'Favourite fruit', type: 'array', items: { enum: ['apples', 'pears', 'plums'] }, default: ['pears'] },
      shop: { title: 'Shop', type: 'object', properties: { city: { title: 'City', type: 'string', maxLength: 40 } } },
    },
  } },
};

function stamp(at) {
  return new Date(Date.now() - [0.02, 0.1, 1, 3, 12, 70][at] * 86_400_000).toISOString();
}

/** Answers reads of conversations with what is prepared here; everything else goes to the real server. */
async function can(page, found, { list = LIST } = {}) {
  const json = (route, body) => route.fulfill({ status: 200, contentType: 'application/json', body: JSON.stringify(body) });
  await page.route(/\/conversations\/canned$/, (route) => (route.request().method() === 'GET' ? json(route, found) : json(route, { ...found, messages: undefined })));
  await page.route(/\/conversations\?/, (route) => {
    const query = new URL(route.request().url()).searchParams;
    const only = (id, more) => json(route, { conversations: list.conversations.filter((each) => each.conversation_id === id).map((each) => ({ ...each, ...more })), next: null });
    if (query.get('archived') === 'true') return only('f', { archived: true });
    if (query.get('pinned') === 'true') return only('e', { pinned: true });
    if (query.get('q')) return json(route, { conversations: list.conversations.slice(0, 3).map((each) => ({ ...each, message_id: 'm2', snippet: [{ text: '… which ' }, { text: 'fruit', hit: true }, { text: ' keeps best over the winter, if it is stored …' }] })), next: null });
    return json(route, { ...list, conversations: list.conversations.filter((each) => each.conversation_id !== 'e') });
  });
}

const configure = (page) => page.route(/\/api\/config$/, async (route) => route.fulfill({ json: { ...await (await route.fetch()).json(), ...CONFIG } }));

const canned = (name, after = async () => {}, options = {}) => async (scene) => {
  await can(scene.page, CANNED[name], options);
  await scene.go('#c=canned');
  await scene.page.locator('article[data-role="assistant"]').last().waitFor();
  await after(scene);
};

/** An answer where the installation has told what CONFIG says. */
async function cannedThere(scene) {
  await configure(scene.page);
  await canned('answer')(scene);
  await scene.page.locator('#starters .chip').first().waitFor({ state: 'attached' });
}

async function showSidebar({ page, phone }) {
  if (phone) await page.locator('#drawer-open').click();
}

/** The menu of the conversation `id` in the list, and of its entries the one with this sign. */
async function pick(page, id, sign) {
  const item = page.locator(`.item[data-id="${id}"]`);
  await item.hover();
  await item.locator('.item-menu').click();
  await page.locator('.menu-entry', { has: page.locator(`use[href="#i-${sign}"]`) }).click();
}

const ask = async (scene, question) => {
  await scene.go();
  await scene.page.locator('#box').fill(question);
  await scene.page.locator('#send').click();
};

const usageThat = (answers) => canned('answer', async (scene) => {
  await scene.page.route(/\/usage\?/, answers);
  await showSidebar(scene);
  await scene.page.locator('#open-usage').click();
  await scene.page.locator('.usage-said[data-alone]').waitFor();
});

export const SCENES = [
  { name: 'welcome', open: async (scene) => { await can(scene.page, CANNED.answer); await scene.go(); } },
  { name: 'answer', open: canned('answer', async ({ page }) => { await page.locator('.katex').first().waitFor({ timeout: 5000 }).catch(() => {}); }) },
  { name: 'parts', open: canned('parts') },
  { name: 'parts-open', open: canned('parts', async ({ page }) => { for (const each of await page.locator('main details > summary').all()) await each.click(); }) },
  { name: 'failed', open: canned('failed') },
  { name: 'stopped', open: canned('stopped') },
  { name: 'branches', open: canned('branches') },
  { name: 'pictures', open: canned('pictures') },
  { name: 'edit', open: canned('branches', async ({ page }) => { await page.locator('article[data-role="user"]').first().hover(); await page.getByRole('button', { name: 'Edit' }).first().click(); }) },
  { name: 'message-menu', open: canned('answer', async ({ page }) => { await page.locator('article[data-role="assistant"]').getByRole('button', { name: 'More', exact: true }).click(); }) },
  { name: 'streaming', open: async (scene) => {
    scene.at.p.respond(held(ANSWER.slice(0, 420), scene.gate, ANSWER.slice(420)));
    await ask(scene, 'Which fruit should I buy today?');
    await scene.page.locator('article[data-role="assistant"] blockquote, article[data-role="assistant"]').first().waitFor();
    await scene.page.getByText('which may run').last().waitFor();
  } },
  { name: 'waiting', open: async (scene) => {
    scene.at.p.respond(async (req, io) => { await scene.gate.wait(); io.role(); io.finish(); io.done(); await io.end(); });
    await ask(scene, 'Are you there?');
    await scene.page.locator('.waiting:not([hidden])').waitFor();
  } },
  // thinking that is looked at while it grows, through a host that holds streams back
  { name: 'thinking', isWide: true, open: async (scene) => {
    const { page } = scene;
    scene.at.p.respond(async (req, io) => {
      io.role();
      for (const reasoning_content of THOUGHTS) io.chunk(io.shape({ reasoning_content, content: null }));
      await scene.gate.wait();
      io.finish(); io.done(); await io.end();
    });
    await page.evaluate(() => sessionStorage.setItem('parley.reading', JSON.stringify({ mode: 'wait', at: Date.now() })));
    await ask(scene, 'Which fruit should I buy today?');
    await page.locator('.thinking.busy > summary').click();
    await page.locator('.thinking-text').getByText(THOUGHTS.at(-1).trim()).waitFor();
    await page.locator('#connection').waitFor();
  } },
  // a reader who has scrolled up while the network is away
  { name: 'offline', open: async (scene) => {
    const { page } = scene;
    scene.at.p.respond(held(`${ANSWER}\n\n${ANSWER}`, scene.gate));
    await ask(scene, 'Which fruit should I buy today?');
    await page.getByText('That is all.').nth(1).waitFor();
    await page.locator('#scroller').evaluate((e) => { e.scrollTop = 0; });
    await page.locator('#jump').waitFor();
    await page.context().setOffline(true);
    await page.locator('#connection').waitFor();
  } },
  { name: 'reconnecting', isWide: true, open: async (scene) => {
    const { page } = scene;
    await page.route(/\/stream\?/, (route) => route.abort());
    scene.at.p.respond(held(ANSWER.slice(0, 420), scene.gate));
    await ask(scene, 'Which fruit should I buy today?');
    await page.locator('#connection').waitFor();
  } },
  { name: 'loading', open: async (scene) => {
    await scene.page.route(/\/conversations\/canned$/, () => {});
    await scene.page.goto(`${scene.at.s.url}/#c=canned`);
    await scene.page.locator('.page-note .skeleton').waitFor();
  } },
  { name: 'gone', open: async (scene) => {
    await can(scene.page, CANNED.answer);
    await scene.page.route(/\/conversations\/canned$/, (route) => route.fulfill({ status: 404, contentType: 'application/json', body: '{"error":{"code":"not_found","message":"There is no such conversation."}}' }));
    await scene.go('#c=canned');
    await scene.page.getByText('does not exist').waitFor();
  } },
  { name: 'unreachable', open: async (scene) => {
    await scene.page.route(/\/conversations/, (route) => route.abort());
    await scene.go('#c=canned');
    await scene.page.locator('.page-note').getByText('cannot be reached').waitFor();
    await showSidebar(scene);
  } },
  { name: 'sidebar', open: canned('answer', showSidebar) },
  { name: 'sidebar-menu', open: canned('answer', async (scene) => {
    await showSidebar(scene);
    const item = scene.page.locator('.item').nth(1);
    await item.hover();
    await item.getByRole('button').first().click();
  }) },
  { name: 'search', open: canned('answer', async (scene) => {
    await showSidebar(scene);
    await scene.page.locator('#search').fill('fruit');
    await scene.page.locator('mark').first().waitFor();
  }) },
  { name: 'search-empty', isWide: true, open: canned('answer', async (scene) => {
    await showSidebar(scene);
    await scene.page.locator('#search').fill('a pomegranate without any seeds');
    await scene.page.locator('#list-note').getByText('pomegranate').waitFor();
  }, { list: NOTHING }) },
  { name: 'archive-empty', isWide: true, open: canned('answer', async (scene) => {
    await showSidebar(scene);
    await scene.page.locator('#open-archive').click();
    await scene.page.locator('#archive-back').waitFor();
    await eventually(async () => await scene.page.locator('#list-note').textContent() !== '', 'it says that there is nothing');
  }, { list: NOTHING }) },
  { name: 'rename', open: canned('answer', async (scene) => {
    await showSidebar(scene);
    await pick(scene.page, 'c', 'edit');
    await scene.page.locator('.item-input').waitFor();
  }) },
  { name: 'toasts', open: canned('answer', async (scene) => {
    const { page } = scene;
    await page.route(/\/conversations\/[cd]$/, (route) => route.fulfill({ status: 503, json: { error: { code: 'store_unavailable', message: 'The database is locked.' } } }));
    await showSidebar(scene);
    await pick(page, 'b', 'trash');
    await page.locator('.toast-action').focus();           // it stays while it has the focus
    await pick(page, 'c', 'pin');
    await page.locator('.toast-alert').hover();            // and while it is pointed at
    await page.locator('.toast-action').focus();
  }) },
  { name: 'archive', open: canned('answer', async (scene) => {
    await showSidebar(scene);
    await scene.page.locator('#open-archive').click();
    await scene.page.locator('#archive-back').waitFor();
  }) },
  { name: 'models', open: async (scene) => {
    await scene.page.route(/\/v1\/models$/, (route) => route.fulfill({ status: 200, contentType: 'application/json', body: JSON.stringify({ data: ['openai/gpt-4o', 'openai/gpt-4o-mini', 'anthropic/claude-sonnet-4-5', 'ollama/llama3.2'].map((id) => ({ id })) }) }));
    await scene.go();
    await scene.page.locator('#model').click();
    await scene.page.locator('#model-list .option').first().waitFor();
  } },
  { name: 'options', open: canned('answer', async ({ page }) => { await page.locator('#options').click(); }) },
  { name: 'attached', open: async (scene) => {
    await scene.go();
    await scene.page.locator('#picture-file').setInputFiles({ name: 'square.png', mimeType: 'image/png', buffer: Buffer.from(PIXEL.split(',')[1], 'base64') });
    await scene.page.locator('.thumb').waitFor();
    await scene.page.locator('#picture-file').setInputFiles({ name: 'shopping list.txt', mimeType: 'text/plain', buffer: Buffer.from('pears') });
    await scene.page.locator('#composer-note').waitFor();
  } },
  { name: 'customised', open: async (scene) => {
    await configure(scene.page);
    await can(scene.page, CANNED.answer, { list: NOTHING });
    await scene.go();
    await scene.page.locator('#starters').waitFor();
  } },
  // both forms as they are when somebody has pressed the button too early
  { name: 'feedback', open: async (scene) => {
    await cannedThere(scene);
    await scene.page.locator('[data-action="dislike"]').click();
    const form = scene.page.getByRole('dialog').last();
    await form.locator('[type="email"]').fill('somewhere');
    await form.locator('[type="submit"]').click();
    await form.locator('[aria-invalid]').first().waitFor();
  } },
  { name: 'user-settings', open: async (scene) => {
    await cannedThere(scene);
    await showSidebar(scene);
    await scene.page.locator('#open-preferences').click();
    await scene.page.locator('.prefs-section [type="submit"]').click();
    await scene.page.locator('[aria-invalid]').first().waitFor();
  } },
  { name: 'preferences', open: canned('answer', async (scene) => {
    await showSidebar(scene);
    await scene.page.locator('#open-preferences').click();
    await scene.page.locator('dialog.panel[open]').waitFor();
  }) },
  { name: 'usage', open: canned('answer', async (scene) => {
    await scene.page.route(/\/usage\?/, (route) => route.fulfill({ status: 200, contentType: 'application/json', body: JSON.stringify(usageRows(route.request().url())) }));
    await showSidebar(scene);
    await scene.page.locator('#open-usage').click();
    await scene.page.locator('svg.chart, .chart svg, [role="img"]').first().waitFor();
  }) },
  { name: 'usage-empty', isWide: true, open: usageThat((route) => route.fulfill({ json: { rows: [] } })) },
  { name: 'usage-failed', isWide: true, open: usageThat((route) => route.abort()) },
  { name: 'shortcuts', open: canned('answer', async ({ page }) => {
    await page.locator('#scroller').focus();
    await page.keyboard.press('?');
    await page.getByRole('dialog').last().waitFor();
  }) },
  { name: 'debug', open: canned('parts', async ({ page }) => {
    await page.evaluate(() => localStorage.setItem('parley.settings', JSON.stringify({ debug: true })));
    await page.reload();
    await page.locator('#debug-toggle').click();
    await page.locator('[role="complementary"], aside').last().waitFor();
  }) },
];

function usageRows(address) {
  const { searchParams } = new URL(address);
  const from = Date.parse(searchParams.get('from'));
  const to = Date.parse(searchParams.get('to'));
  const rows = [];
  for (let day = from, n = 1; day <= to; day += 86_400_000, n += 1) {
    for (const [provider, model, scale] of [['openai', 'gpt-4o', 1], ['anthropic', 'claude-sonnet-4-5', 0.6], ['ollama', 'llama3.2', 0.3]]) {
      if ((n * 7) % (model.length % 5 + 2) === 0) continue;
      const tokens = Math.round(((n * 7919) % 5000) * scale) + 200;
      rows.push({ day: new Date(day).toISOString().slice(0, 10), provider, model, answers: 1 + (n % 7), prompt_tokens: tokens * 3, completion_tokens: tokens, cost: provider === 'ollama' ? 0 : tokens * 0.00001 });
    }
  }
  return { from: searchParams.get('from'), to: searchParams.get('to'), rows };
}

/** Brings a scene about on a fresh page of `at` (stand.js). `options` are those of at.open(): viewport, colorScheme … */
export async function openScene(at, t, scene, { phone = false, ...options } = {}) {
  const page = await at.open(t, { allow: /Failed to load resource|net::ERR_/, ...options, path: '/favicon.svg' });
  const held = gate();
  t.after?.(() => held.open());
  const go = async (hash = '') => {
    await page.goto(`${at.s.url}/${hash}`);
    await page.locator('html[data-ready="all"]').waitFor();
  };
  await scene.open({ page, at, phone, go, gate: held });
  return page;
}
