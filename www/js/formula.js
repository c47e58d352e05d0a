// Formulas, drawn by KaTeX, which is fetched when the first one appears. Until then, and where TeX is wrong, the source is shown.
// Neighbours: render.js makes them; maths.js finds them; vendor/katex.js, vendor/katex.css.
// Leaves out: chemistry (mhchem), links and images inside formulas (trust: false).

import { h, insist } from "./dom.js";

const LONGEST = 10_000;
const CLOSING = { "$$": "$$", "\\[": "\\]", "\\(": "\\)", "$": "$" };
const OPTIONS = { throwOnError: true, trust: false, strict: "ignore", maxExpand: 1000, maxSize: 20, output: "htmlAndMathml" };

let katex = null;

const fetchKatex = insist(async (again) => {
  await Promise.all([import(`../vendor/katex.js${again}`), loadStyles()]);
  katex = globalThis.katex;
});

/** Fetches KaTeX and its stylesheet, unless they are there. Resolves to whether they are. */
export function loadKatex() {
  return fetchKatex().then(() => true, () => false);
}

// There is one link: another try takes the place of the one before.
function loadStyles() {
  document.getElementById("katex-css")?.remove();
  return new Promise((resolve, reject) => {
    document.head.append(h("link", { id: "katex-css", rel: "stylesheet", href: new URL("../vendor/katex.css", import.meta.url), onload: resolve, onerror: reject }));
  });
}

/** A formula: {element, set({tex, mark, display})}. */
export function createFormula() {
  const element = h("span", { class: "formula", dir: "ltr", translate: "no" });
  let now = {};

  function set(next) {
    if (next.tex === now.tex && next.mark === now.mark && next.display === now.display) return;
    now = next;
    element.dataset.tex = now.tex;
    element.classList.toggle("formula-block", now.display);
    draw();
  }

  function draw() {
    if (now.tex.length > LONGEST) return showSource();
    if (katex) return drawFormula();
    showSource();
    loadKatex().then((isThere) => isThere && drawFormula());
  }

  function drawFormula() {
    try {
      katex.render(now.tex, element, { ...OPTIONS, displayMode: now.display });
      element.classList.remove("formula-source");
    } catch {
      showSource();
    }
  }

  function showSource() {
    element.classList.add("formula-source");
    element.textContent = now.mark + now.tex + CLOSING[now.mark];
  }

  return { element, set };
}
