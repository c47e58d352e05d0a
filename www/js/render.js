// Markdown tokens to DOM, by a fixed list of what may appear. What is not in the list becomes its text; nothing here ever makes the browser fetch anything.
// Neighbours: markdown.js decides what is drawn when; code.js, formula.js.
// Leaves out: HTML in Markdown (html: false makes it text), images of other hosts (a link says where they are).

import { h } from "./dom.js";
import { createCode, inlineCode } from "./code.js";
import { createFormula } from "./formula.js";
import { t } from "./i18n.js";

const ELEMENTS = {
  paragraph_open: "p", blockquote_open: "blockquote", bullet_list_open: "ul", ordered_list_open: "ol", list_item_open: "li", heading_open: "h6",
  table_open: "table", thead_open: "thead", tbody_open: "tbody", tr_open: "tr", th_open: "th", td_open: "td",
  em_open: "em", strong_open: "strong", s_open: "s",
};
const HEADINGS = { h1: "h3", h2: "h4", h3: "h5" };       // the page has h1, the message h2
const OUTER_LEVEL = 2;
const PICTURE = /^data:image\/(?:png|jpeg|gif|webp)[;,]/i;
const TASK = /^\[([ xX])\](?:\s+|$)/;

/** The top-level blocks of a token list: [{tokens, line}]. */
export function blocksOf(tokens) {
  const blocks = [];
  for (const token of tokens) {
    if (token.level === 0 && token.nesting >= 0) blocks.push({ tokens: [], line: token.map[0] });
    blocks.at(-1).tokens.push(token);
  }
  return blocks;
}

/**
 * The element of one top-level block. `pool` has the parts that are worth keeping when the block is drawn again (see createPool);
 * `isOpen` says that its end has not arrived.
 */
export function renderBlock({ tokens }, pool, isOpen = false) {
  let element = null;
  draw(tokens, { append: (child) => { element = child; } }, { pool, isOpen, link: null });       // nothing that stands on the page already is moved
  if (!element.matches("figure, hr, .formula")) element.dir = "auto";
  return element.tagName === "TABLE" ? inScroller(element) : element;
}

const MENDED = new Set(["P", "UL", "OL", "LI", "BLOCKQUOTE", "DIV", "TABLE", "TBODY", "TR", "TD"]);

const FEW = 50;         // more new parts than that are put there faster as a whole

/**
 * Makes a block that stands on the page the same as `next`, its newer drawing, which is used up: what has not changed stays, with what is selected in it, and costs
 * no layout. Returns what is to stand there, which is `next` itself where they are of different kinds or have little in common.
 */
export function mend(old, next) {
  if (old.nodeType === Node.TEXT_NODE && next.nodeType === Node.TEXT_NODE && next.data.startsWith(old.data)) {
    if (old.length < next.length) old.appendData(next.data.slice(old.length));
    return old;
  }
  if (old === next || !MENDED.has(old.nodeName) || !old.cloneNode().isEqualNode(next.cloneNode())) return next;
  return mendChildren(old, next) ? old : next;
}

// What is the same at the beginning stays. Of what follows only the first is looked into: mostly it is the end, where the text grows.
function mendChildren(parent, next) {
  let [child, other] = [parent.firstChild, next.firstChild];
  let same = 0;
  for (; child !== parent.lastChild && other && child.isEqualNode(other); same += 1) [child, other] = [child.nextSibling, other.nextSibling];
  if (Math.max(parent.childNodes.length, next.childNodes.length) - same > FEW) return false;
  const rest = [...next.childNodes].slice(same);
  if (child && other) {
    const kept = mend(child, rest.shift());
    if (kept !== child) child.replaceWith(kept);
    same += 1;
  }
  for (const gone of [...parent.childNodes].slice(same)) gone.remove();
  parent.append(...rest);
  return true;
}

/**
 * Tells screen readers levels of headings without gaps: an answer that begins with "##" has a first level all the same. How headings look stays as written.
 */
export function levelHeadings(root) {
  const open = [];                                       // the written levels of the headings that this one is below
  for (const heading of root.querySelectorAll("h3, h4, h5, h6")) {
    const written = Number(heading.tagName[1]);
    while (open.length > 0 && open.at(-1) >= written) open.pop();
    open.push(written);
    const level = String(OUTER_LEVEL + open.length);
    if (level === heading.tagName[1]) heading.removeAttribute("aria-level");
    else heading.setAttribute("aria-level", level);
  }
}

/** Whether there is a heading among these tokens. */
export const hasHeading = ({ tokens }) => tokens.some((token) => token.type === "heading_open");

// A table that is wider than the column scrolls by itself, also by keyboard.
function inScroller(table) {
  const { parentNode } = table;
  const scroller = h("div", { class: "table", role: "group", tabindex: "0", "aria-label": t("table.label") });
  parentNode?.replaceChild(scroller, table);
  scroller.append(table);
  return scroller;
}

function draw(tokens, root, context) {
  const parents = [root];
  for (const token of tokens) {
    const parent = parents.at(-1);
    if (token.nesting > 0) parents.push(opened(token, parent, context));
    else if (token.nesting < 0) closed(token, parents.pop(), context);
    else drawLeaf(token, parent, context);
  }
}

// The element that the following tokens go into: a new one, or the parent itself where nothing is drawn.
function opened(token, parent, context) {
  if (token.hidden) return parent;
  const element = token.type === "link_open" ? openedLink(token, context) : elementOf(token);
  if (!element) return parent;
  parent.append(element);
  return element;
}

function elementOf(token) {
  const tag = token.type === "heading_open" ? HEADINGS[token.tag] ?? "h6" : Object.hasOwn(ELEMENTS, token.type) ? ELEMENTS[token.type] : null;
  if (!tag) return null;
  const element = h(tag);
  if (tag === "ol" && token.attrGet("start") !== null) element.start = token.attrGet("start");
  if (tag === "th" || tag === "td") align(element, token.attrGet("style"));
  return element;
}

function align(cell, style) {
  const side = /^text-align:(left|center|right)$/.exec(style ?? "")?.[1];
  if (side) cell.className = `align-${side}`;
}

function closed(token, element, context) {
  if (token.type === "link_close" && context.link) closeLink(element, context);
  if (token.type === "table_close" && element.parentNode) inScroller(element);
}

const LEAVES = {
  inline: drawInline,
  text: (token, parent) => parent.append(token.content),
  softbreak: (token, parent) => parent.append("\n"),
  hardbreak: (token, parent) => parent.append(h("br")),
  hr: (token, parent) => parent.append(h("hr")),
  code_inline: (token, parent) => parent.append(inlineCode(token.content)),
  code_block: (token, parent, context) => drawCode(token, "", parent, context),
  fence: (token, parent, context) => drawCode(token, /^\S*/.exec(token.info.trim())[0], parent, context),
  math_inline: drawFormula,
  math_block: (token, parent, context) => (token.meta.open ? parent.append(h("p", { class: "plain" }, `${token.markup}${token.content}`)) : drawFormula(token, parent, context)),
  image: drawImage,
};

function drawLeaf(token, parent, context) {
  if (Object.hasOwn(LEAVES, token.type)) LEAVES[token.type](token, parent, context);
  else parent.append(token.block ? h("p", {}, token.content) : token.content);
}

function drawInline(token, parent, context) {
  const [first] = token.children;
  const task = parent.closest?.("li") && isFirstOf(parent) && first?.type === "text" && TASK.exec(first.content);
  if (task) {
    openTask(parent, task[1] !== " ");
    first.content = first.content.slice(task[0].length);
  }
  draw(token.children, parent, context);
}

const isFirstOf = (parent) => !parent.hasChildNodes() && (parent.tagName === "LI" || parent === parent.parentNode.firstChild);

function openTask(parent, done) {
  parent.closest("li").classList.add("task");
  parent.append(h("input", { type: "checkbox", disabled: true, checked: done, "aria-label": done ? t("task.done") : t("task.open") }));
}

function drawCode(token, label, parent, { pool, isOpen }) {
  const code = pool.take("code", createCode);
  code.set({ label, text: token.content.replace(/\n$/, ""), closed: !isOpen });
  parent.append(code.element);
}

function drawFormula(token, parent, { pool }) {
  const formula = pool.take("formula", createFormula);
  formula.set({ tex: token.content, mark: token.markup, display: token.meta.display });
  parent.append(formula.element);
}

// --- links and images

/** The address when answers may link to it, as a URL; otherwise null. */
export function addressOf(href) {
  if (!URL.canParse(href)) return null;
  const url = new URL(href);
  return ["http:", "https:", "mailto:"].includes(url.protocol) ? url : null;
}

function openedLink(token, context) {
  const url = addressOf(token.attrGet("href") ?? "");
  if (!url) return null;
  context.link = url;
  return linkTo(url, token.attrGet("title"));
}

function linkTo(url, title) {
  return h("a", { href: url.href, title: title || null, target: "_blank", rel: "noopener noreferrer nofollow" });
}

function closeLink(element, context) {
  appendHost(element, context.link);
  context.link = null;
}

// Where a link really leads, unless its text says so. Letters of other scripts that look like ours are always written out.
function appendHost(link, url) {
  const place = url.host || decoded(url.pathname);
  if (!url.username && !place.includes("xn--") && placeIn(link.textContent.trim()) === place.replace(/^www\./, "")) return;
  link.append(h("span", { class: "link-host", dir: "ltr" }, `(${place})`));
}

function placeIn(text) {
  if (/^[\w.+-]+@[\w.-]+$/.test(text)) return text;
  const address = text.includes("://") ? text : `http:${text}`;
  return !/\s/.test(text) && URL.canParse(address) ? new URL(address).host.replace(/^www\./, "") : "";
}

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

// Only pictures that are in the text itself are shown: one of another host would tell that host what was read, and when.
function drawImage(token, parent, { pool, link }) {
  const src = token.attrGet("src") ?? "";
  if (PICTURE.test(src)) return parent.append(drawnPicture(token, src, pool));
  const url = link ? null : addressOf(src);
  const text = token.content || t("image.nameless");
  if (!url || url.protocol === "mailto:") return parent.append(text);
  const element = linkTo(url, token.attrGet("title"));
  element.classList.add("image-link");
  element.append(t("image.elsewhere", { text }));
  appendHost(element, url);
  parent.append(element);
}

function drawnPicture(token, src, pool) {
  const picture = pool.take("image", () => h("img", { decoding: "async" }));
  if (picture.getAttribute("src") !== src) picture.src = src;
  picture.alt = token.content;
  if (token.attrGet("title")) picture.title = token.attrGet("title");
  return picture;
}

// --- what is kept

/**
 * Parts that cost something to make, or that people may be using: when a block is drawn again its n-th code block, formula or picture is taken over.
 * `settle()` leaves what was taken where it is, for good; `turn()` ends a drawing.
 */
export function createPool() {
  let old = {};
  let taken = {};

  function take(kind, make) {
    const part = old[kind]?.shift() ?? make();
    (taken[kind] ??= []).push(part);
    return part;
  }

  return {
    take,
    settle() { taken = {}; },
    turn() { old = taken; taken = {}; },
    last: (kind) => old[kind]?.at(-1),
  };
}

// --- as text

const LINES = /^(?:P|LI|H\d|TR|BLOCKQUOTE|BR)$/;

/** What a block says to somebody who listens: code only by name, formulas as TeX. */
export function plainText(node) {
  if (node.nodeType === Node.TEXT_NODE) return node.data;
  if (node.matches("figure.code")) return `${node.querySelector("pre").getAttribute("aria-label")}\n`;
  if (node.matches(".formula")) return node.dataset.tex;
  if (node.matches("img")) return node.alt;
  if (node.matches("input")) return `${node.getAttribute("aria-label")}: `;
  if (node.matches(".link-host")) return ` ${node.textContent}`;
  const text = [...node.childNodes].map(plainText).join(node.matches("tr") ? ", " : "");
  return LINES.test(node.tagName) ? `${text}\n` : text;
}
