// Markdown that grows: draws an answer while it arrives. Finished blocks stay as they are; only the last block is drawn anew, at most once per frame, and of that
// stays what has not changed.
// Neighbours: vendor/markdown-it.js parses; render.js makes the DOM; unfinished.js closes half-typed marks for the eye; message.js holds one of these per message.
// Leaves out: HTML, footnotes, typographic replacements.
//
// What is finished: in CommonMark a top-level block cannot change its structure once a later one has begun. "Begun" needs a line with its end: "---" is a rule
// until it becomes "---x". Two things still look back: link reference definitions, for which a text that has some is drawn once more at its end, and
// an unclosed $$ (maths.js). While the page is hidden nothing is drawn; on return all is drawn once.

import { h, insist } from "./dom.js";
import { maths } from "./maths.js";
import { closeMarks, holdBack } from "./unfinished.js";
import { blocksOf, createPool, hasHeading, levelHeadings, mend, plainText, renderBlock } from "./render.js";

const SHARE = 8;               // after a drawing that took long, frames are left out: at most one part in so many of the time is spent here
const LONG = 3;                // ms

let parser = null;
let missing = false;
const waiting = new Set();     // draws what is plain until the parser comes

const fetchParser = insist(async (again) => {
  const { default: MarkdownIt } = await import(`../vendor/markdown-it.js${again}`);
  parser = createParser(MarkdownIt);
  for (const draw of waiting) queueMicrotask(draw);
  waiting.clear();
});

/** Fetches the Markdown parser, unless it is there. Resolves to whether it is; without it texts are shown as they are. */
export function loadMarkdown() {
  return fetchParser().then(() => true, () => !(missing = true));
}

// Without fuzzy links: README.md and main.py are files here, not hosts in Moldova and Paraguay.
function createParser(MarkdownIt) {
  const md = new MarkdownIt({ html: false, linkify: true, breaks: false, typographer: false });
  md.linkify.set({ fuzzyLink: false, fuzzyEmail: false });
  md.use(maths);
  md.core.ruler.after("block", "unfinished", closeLastText);
  return md;
}

// The text that is still being written: nothing but the ends of its containers follow.
function closeLastText({ tokens, env, src }) {
  if (!env.unfinished || /\n[ \t]*\n$/.test(src)) return;
  const last = tokens.findLast((token) => token.nesting >= 0);
  if (last?.type === "inline") last.content = closeMarks(last.content);
}

/**
 * A text in Markdown: {element, set(source), append(piece), finish(), source}. `set` is for a text that is there, `append` for one that arrives, and may follow;
 * `finish` says that it is complete for now. `onBlock(text)` gets the plain text of each block that has arrived, once.
 */
export function createMarkdown({ onBlock } = {}) {
  const element = h("div", { class: "prose" });
  const pool = createPool();
  let source = "";             // as it came
  let text = "";               // the same with line feeds only
  let afterReturn = false;     // it ended in CR: a LF that follows belongs to it
  let start = 0;               // where in text the first block begins that may still change
  let tail = [];               // its element and those after it
  let fence = null;            // the open code block at the end
  let plain = null;            // the text node, while there is no parser
  let references = false;
  let finished = true;
  let told = 0;                // up to where onBlock knows
  let frame = 0;
  let notBefore = 0;

  function set(next) {
    if (next === source && finished) return;
    clear();
    take(next);
    told = text.length;
    draw();
  }

  function append(piece) {
    if (!piece) return;
    take(piece);
    finished = false;
    schedule();
  }

  function finish() {
    if (finished) return;
    finished = true;
    draw();
  }

  function clear() {
    source = text = "";
    afterReturn = references = false;
    start = told = 0;
    finished = true;
    reset();
  }

  function reset() {
    tail = [];
    fence = plain = null;
    start = 0;
    pool.settle();
    pool.turn();
    element.replaceChildren();
  }

  function take(piece) {
    source += piece;
    const rest = afterReturn && piece[0] === "\n" ? piece.slice(1) : piece;
    afterReturn = piece.endsWith("\r");
    text += /[\r\0]/.test(rest) ? rest.replace(/\r\n?/g, "\n").replaceAll("\0", "\uFFFD") : rest;
  }

  function schedule() {
    if (!finished) frame ||= requestAnimationFrame(drawFrame);
  }

  function drawFrame(now) {
    frame = 0;
    if (document.hidden) document.addEventListener("visibilitychange", schedule, { once: true });
    else if (now < notBefore) schedule();
    else draw();
  }

  function draw() {
    cancelAnimationFrame(frame);
    frame = 0;
    const begun = performance.now();
    if (!parser) drawPlain();
    else if (finished || !growFence()) drawRest();
    const took = performance.now() - begun;
    notBefore = took > LONG ? begun + took * SHARE : 0;
  }

  // --- blocks

  function drawRest() {
    if (plain) reset();
    const rest = text.slice(start);
    const shown = finished ? rest : holdBack(rest);
    const env = finished ? {} : { unfinished: true };
    const isPart = start > 0;
    drawBlocks(blocksOf(parser.parse(shown, env)), shown);
    references ||= Object.keys(env.references ?? {}).length > 0;
    if (finished && references && isPart) drawAgain();
  }

  // Definitions may have come after what refers to them.
  function drawAgain() {
    reset();
    drawBlocks(blocksOf(parser.parse(text, {})), text);
  }

  function drawBlocks(blocks, shown) {
    const open = firstOpen(blocks, shown);
    const elements = blocks.map((block, at) => {
      if (at === open) pool.settle();
      const drawn = renderBlock(block, pool, !finished && at >= open && !isClosedFence(block, shown));
      return tail[at]?.parentNode === element ? mend(tail[at], drawn) : drawn;
    });
    pool.turn();
    replaceTail(elements);
    if (blocks.some(hasHeading)) levelHeadings(element);
    tail = elements.slice(open);
    for (const [at, block] of blocks.entries()) if (at < open || finished) tell(elements[at], start + endOf(block, shown));
    start += lineStart(shown, blocks[open]?.line ?? 0);
    fence = finished ? null : openFence(blocks.at(-1), shown);
  }

  function replaceTail(elements) {
    for (const old of tail) if (old.parentNode === element && !elements.includes(old)) old.remove();     // a formula may stand in a paragraph now
    let next = null;
    for (const each of elements.toReversed()) {
      if (each.parentNode !== element || each.nextSibling !== next) element.insertBefore(each, next);
      next = each;
    }
  }

  function tell(block, end) {
    if (end <= told) return;
    told = end;
    onBlock?.(plainText(block).trim());
  }

  // --- an open code block at the end: its text node grows, and nothing is parsed

  // Only without indentation: there its text is the source as it stands.
  function openFence(block, shown) {
    const [token] = block?.tokens ?? [];
    if (token?.type !== "fence" || tail.length > 1 || block.line >= lineCount(shown) || text[start] !== token.markup[0] || isClosedFence(block, shown)) return null;
    const begin = text.indexOf("\n", start) + 1;
    const code = pool.last("code");
    return { code, mark: token.markup, begin, line: begin, shown: begin + code.text.length };
  }

  // Whether that was all: a line that closes the block needs a parser again. A last line that may become one is held back.
  function growFence() {
    if (!fence) return false;
    for (let end = text.indexOf("\n", fence.line); end >= 0; end = text.indexOf("\n", fence.line)) {
      if (closesFence(text.slice(fence.line, end), fence.mark)) return false;
      fence.line = end + 1;
    }
    const upTo = /^[ \t]*[`~]*[ \t]*$/.test(text.slice(fence.line)) ? fence.line - 1 : text.length;
    if (upTo <= fence.shown) return true;
    fence.code.append(text.slice(fence.shown, upTo));
    fence.shown = upTo;
    return true;
  }

  // --- without a parser

  // What has left the page meanwhile is not read out any more.
  function drawLate() {
    if (!element.isConnected) told = text.length;
    if (plain) draw();
  }

  function drawPlain() {
    if (!plain) {
      plain = document.createTextNode("");
      element.replaceChildren(h("p", { class: "plain", dir: "auto" }, plain));
      waiting.add(drawLate);
      loadMarkdown().then((isThere) => { if (!isThere && plain) draw(); });
    }
    if (text.startsWith(plain.data)) plain.appendData(text.slice(plain.length));
    else plain.data = text;
    if (missing && finished) tell(plain.parentNode, text.length);
  }

  return { element, set, append, finish, get source() { return source; } };
}

// --- lines of a text

// Where a line begins.
function lineStart(text, line) {
  let at = 0;
  for (let left = line; left > 0; left -= 1) at = text.indexOf("\n", at) + 1;
  return at;
}

// Where the line before it ends.
const lineEnd = (text, line) => (line > lineCount(text) ? text.length : lineStart(text, line));

// How many have their end.
const lineCount = (text) => text.split("\n").length - 1;

// Where the text of a block ends.
const endOf = ({ tokens }, text) => text.slice(0, lineEnd(text, tokens[0].map[1])).trimEnd().length;

// The last block that has certainly begun: those before it are finished.
function firstOpen(blocks, text) {
  const complete = lineCount(text);
  const isBehindEmpty = /\n[ \t]*\n[^\n]*$/.test(text);
  return Math.max(blocks.findLastIndex(({ tokens: [token] }) => hasBegun(token, complete, isBehindEmpty)), 0);
}

// On a line without its end only what stands behind an empty line has, and is no rule: "- - -" may still become a list. A formula needs its last line too.
function hasBegun({ type, map, meta }, complete, isBehindEmpty) {
  if (type === "math_block") return !meta.open && map[1] <= complete;
  return map[0] < complete || isBehindEmpty && type !== "hr";
}

function isClosedFence({ tokens: [token] }, text) {
  if (token.type !== "fence") return false;
  const [first, end] = token.map;
  return end - 1 > first && closesFence(text.split("\n")[end - 1], token.markup);
}

function closesFence(line, mark) {
  const run = /^ {0,3}(`+|~+)[ \t]*$/.exec(line)?.[1];
  return run !== undefined && run[0] === mark[0] && run.length >= mark.length;
}
