// The renderer of answers on a real page, under the real policy: its modules are loaded into the chat page, which stays as it is otherwise.
// Neighbours: stand.js opens the page; markdown*.test.js, code.test.js and formula.test.js look at what is drawn. Leaves out: messages around it.

/** Opens the page with an empty article in `window.place`, and the modules in `window.js`. `loaded: false` leaves the parser out. */
export async function openProse(at, t, { loaded = true, ...options } = {}) {
  const page = await at.open(t, options);
  await page.evaluate(async (isLoaded) => {
    const at = (path) => new URL(`../${path}`, document.querySelector('script[type=module]').src).href;       // the page's own modules
    const names = ['i18n', 'markdown', 'render', 'code', 'formula', 'unfinished'];
    window.js = Object.assign({}, ...await Promise.all(names.map((name) => import(at(`js/${name}.js`)))));
    await window.js.loadTexts('en');
    if (![...document.styleSheets].some((sheet) => sheet.href?.endsWith('/css/answer.css'))) {
      const link = Object.assign(document.createElement('link'), { rel: 'stylesheet', href: at('css/answer.css') });
      await new Promise((resolve) => { link.onload = resolve; document.head.append(link); });
    }
    window.place = document.createElement('article');
    document.querySelector('#scroller').prepend(window.place);
    if (isLoaded) await window.js.loadMarkdown();
  }, loaded);
  return page;
}

/** The DOM of a whole text, as HTML, when nothing is waited for any more. */
export async function draw(page, source) {
  await page.evaluate((text) => {
    const markdown = window.js.createMarkdown();
    window.place.replaceChildren(markdown.element);
    markdown.set(text);
  }, source);
  await page.evaluate(waitForParts);
  return page.evaluate(() => window.place.firstChild.innerHTML);
}

// Runs in the page: until languages and KaTeX that were asked for are there.
async function waitForParts() {
  const { loadLanguage, loadKatex, languageOf } = window.js;
  const labels = [...document.querySelectorAll('.code-name')].map((name) => languageOf(name.textContent)).filter(Boolean);
  await Promise.all([...labels.map(loadLanguage), document.querySelector('.formula') && loadKatex()]);
  await new Promise((resolve) => requestAnimationFrame(resolve));
}

/** From now on frames come when the test calls `window.runFrames()`, as late as it likes. */
export function useFramesByHand(page) {
  return page.evaluate(() => {
    let waiting = new Map();
    let count = 0;
    window.requestAnimationFrame = (callback) => { waiting.set(count += 1, callback); return count; };
    window.cancelAnimationFrame = (id) => waiting.delete(id);
    window.runFrames = () => {
      const now = [...waiting.values()];
      waiting = new Map();
      for (const callback of now) callback(Infinity);
      return now.length;
    };
  });
}
