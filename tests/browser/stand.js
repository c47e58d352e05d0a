// What every page test stands on: a browser, a real server with a scripted provider, and pages that are watched for
// anything that should not happen (console errors, page errors, CSP reports, requests to other hosts).
// Neighbours: ../http/server.js, ../provider/provider.js; host.js is another host server for the same page. Leaves out: what is tested; see *.test.js.
import http from 'node:http';
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { before, beforeEach, after, test as nodeTest } from 'node:test';
import { chromium } from 'playwright-core';
import { startServer, REPO, SCALE } from '../http/server.js';
import { startProvider } from '../provider/provider.js';

const CHROMIUM = process.env.CHROMIUM || '/usr/bin/chromium';
const ARGS = ['--headless', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync'];
const NO_BROWSER = existsSync(CHROMIUM) ? false : `no browser at ${CHROMIUM} (set CHROMIUM)`;

/** What the page says, in English. */
export const TEXTS = JSON.parse(readFileSync(new URL('../../www/i18n/en.json', import.meta.url), 'utf8'));

/** A test of the page; skipped, with the reason, where there is no browser. */
export function test(name, fn) {
  nodeTest(name, { timeout: 60_000 * SCALE, skip: NO_BROWSER }, fn);
}

/** A browser, with more arguments of its command line. */
export function launch(...more) {
  const root = process.getuid?.() === 0;
  return chromium.launch({ executablePath: CHROMIUM, args: [...ARGS, ...(root ? ['--no-sandbox'] : []), ...more] });
}

/**
 * Browser, provider (`at.p`, with these `models`) and server (`at.s`) for one file of tests; other `options` are those of startServer.
 * `at.open(t, options)` gives a watched page, see below.
 */
export function stand(options = {}) {
  const at = { browser: null, p: null, s: null, open: null };
  before(async () => {
    if (NO_BROWSER) return;
    execFileSync('tests/page.sh', { cwd: REPO });               // what was changed last is what is tested
    at.p = await startProvider({ models: options.models });
    at.s = await startServer({ ...options, settings: { LLM_BASE_URL: at.p.url, ...options.settings } });
    at.browser = await launch();
  });
  beforeEach(() => at.p?.reset(null));
  after(async () => {
    await at.browser?.close();
    try { await at.s?.stop(); } finally { await at.p?.stop(); }
  });
  at.open = (t, more) => openPage(at, t, more);
  return at;
}

/**
 * A page in a context of its own (or `context`), at the server or `proxy` (stopped after the page), and `path`.
 * What it must not do fails the test at its end; `allow` is a pattern for console errors that the test provokes
 * (browsers log every failed request). With `ready` "box" the test begins before the rest of the page is there.
 */
export async function openPage(at, t, { context, proxy, path = '/', allow, ready = 'all', ...contextOptions } = {}) {
  const url = proxy?.url ?? at.s.url;
  const own = context ?? await at.browser.newContext({ viewport: { width: 1200, height: 800 }, ...contextOptions });
  own.setDefaultTimeout(10_000 * SCALE);
  const page = await own.newPage();
  const problems = watch(page, new URL(url).origin, allow);
  await page.goto(url + path);
  if (!/\.\w+$/.test(path)) await page.locator(`html[data-ready="${ready}"], body:not(:has(#composer))`).first().waitFor({ state: 'attached' });   // the texts have come, keys work
  t.after(async () => {
    if (!page.isClosed()) await page.unrouteAll({ behavior: 'ignoreErrors' });       // what still waits need not be answered
    if (!context) await own.close();
    await proxy?.stop();
    if (problems.length) throw new Error(`the page did what it must not:\n${problems.join('\n')}`);
  });
  return page;
}

function watch(page, origin, allow) {
  const problems = [];
  const report = (what) => { if (!allow?.test(what)) problems.push(what); };
  page.on('pageerror', (error) => report(`page error: ${error.stack}`));
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) report(`console ${message.type()}: ${message.text()} ${message.location().url}`);
  });
  page.on('request', (request) => {
    const url = new URL(request.url());
    if (!['data:', 'blob:'].includes(url.protocol) && url.origin !== origin) report(`request to another host: ${url}`);
  });
  page.addInitScript(() => {
    addEventListener('securitypolicyviolation', (event) => console.error(`CSP: ${event.violatedDirective} ${event.blockedURI} ${event.sample}`));
  });
  return problems;
}

/**
 * A small proxy in front of the server: under `prefix`, and with `change(req, res, pass)` deciding what happens to each
 * request: answer it, or `pass()` it on; `pass((piece, res) => …)` gets each piece of the answer instead of the client.
 */
export async function startProxy(target, { prefix = '', change = (req, res, pass) => pass() } = {}) {
  const server = http.createServer((req, res) => {
    res.on('error', () => {});
    if (!req.url.startsWith(`${prefix}/`)) { res.writeHead(404).end(); return; }
    const url = new URL(req.url.slice(prefix.length), target);
    change(req, res, (onPiece) => forward(req, res, url, onPiece));
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    stop: () => new Promise((resolve) => { server.close(resolve); server.closeAllConnections?.(); }),
  };
}

/** Passes a request on to `url`, and its answer back; `onPiece(piece, res)` gets the pieces instead of the client. */
export function forward(req, res, url, onPiece) {
  const headers = { ...req.headers, host: url.host, ...(req.headers.origin && { origin: url.origin }) };
  const up = http.request(url, { method: req.method, headers }, (answer) => {
    res.writeHead(answer.statusCode, answer.headers);
    res.flushHeaders();
    answer.on('data', (piece) => (onPiece ? onPiece(piece, res) : res.write(piece)));
    answer.on('end', () => res.end());
    answer.on('error', () => res.destroy());
  });
  up.on('error', () => res.destroy());
  res.on('close', () => up.destroy());
  req.pipe(up);
}

/** The parts of the page, by the names people and screen readers know them by. */
export function partsOf(page) {
  return {
    box: page.getByRole('textbox', { name: 'Message', exact: true }),
    send: page.locator('#composer').getByRole('button', { name: 'Send', exact: true }),
    stop: page.getByRole('button', { name: 'Stop', exact: true }),
    retry: page.getByRole('button', { name: 'Retry' }),
    jump: page.getByRole('button', { name: 'Jump to latest' }),
    fresh: page.getByRole('link', { name: 'New conversation' }).first(),
    list: page.getByRole('navigation', { name: 'Conversations' }).getByRole('listitem'),
    search: page.getByRole('searchbox', { name: 'Search conversations' }),
    messages: page.getByRole('article'),
    questions: page.locator('article[data-role="user"]'),
    answers: page.locator('article[data-role="assistant"]'),
    status: page.locator('#status'),
    alert: page.locator('#alert'),
  };
}

/** Chooses an entry of the menu of a conversation. */
export async function choose(page, title, entry) {
  const button = page.getByRole('button', { name: `Options for “${title}”` });
  await button.focus();
  await button.click();
  await page.getByRole('menuitem', { name: entry, exact: true }).click();
}

/** Types and presses Enter, as a person would. */
export async function say(page, text) {
  await partsOf(page).box.fill(text);
  await partsOf(page).box.press('Enter');
}

/** Waits until the text of an answer is this. Spaces and line ends do not count: Markdown makes paragraphs of them. */
export async function answerIs(page, text, at = -1) {
  const element = partsOf(page).answers.nth(at).locator('.message-text');
  const bare = (words) => words?.replace(/\s+/g, '');
  await eventually(async () => bare(await element.textContent()) === bare(text), async () => `the answer is ${JSON.stringify(text)}, but it is ${JSON.stringify(await element.textContent())}`);
}

/** Scrolling by keys and wheel glides: when the view has not moved for some frames, it is over. */
export const isStill = (page) => page.evaluate(async () => {
  const scroller = document.querySelector('#scroller');
  for (let still = 0, top = -1; still < 8; still = scroller.scrollTop === top ? still + 1 : 0) {
    top = scroller.scrollTop;
    await new Promise((resolve) => { requestAnimationFrame(resolve); });
  }
});

/** Waits until nothing runs any more. */
export function idle(page) {
  return partsOf(page).send.waitFor({ state: 'visible' });
}

/** Waits until `test()` is true, looking often; `what` is a sentence or gives one. */
export async function eventually(test, what, seconds = 10) {
  const end = performance.now() + seconds * SCALE * 1000;
  while (!await test()) {
    if (performance.now() > end) throw new Error(`not in ${seconds * SCALE} s: ${typeof what === 'function' ? await what() : what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
