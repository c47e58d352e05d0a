// Draws a list of conversations under headings, and changes only what differs from the last time: 10,000 rows stay cheap.
// Neighbours: sidebar.js says what is to be drawn; history.js guarantees that a row which has not changed is the same object.
// Leaves out: where rows come from, what their buttons do.

import { h } from "./dom.js";
import { t } from "./i18n.js";

const AT_MOST = 100;          // rows in one list element: those out of view cost nothing (css/sidebar.css)
const TITLE_LENGTH = 130;     // characters; the server takes 400 bytes

/**
 * Rows inside `root`. `onMenu(id, button)` runs for a row's button, `onFollow(event, row)` when its link is clicked.
 * `draw(groups, current)` takes [{key, heading, rows}] (no heading: none is shown) and the id of the open conversation.
 */
export function createRows(root, { onMenu, onFollow }) {
  const items = new Map();       // id -> {element, link, title, extra, menu, row, isCurrent, list}
  const sections = new Map();    // key of a group -> {element, heading, rows}
  let shown = null;              // id of the open conversation, as it was drawn

  function draw(groups, current) {
    const held = focusHeld();
    const changed = groups.filter((group) => !isSame(sections.get(group.key)?.rows, group.rows));
    for (const group of changed) for (const row of group.rows) update(row, current);
    for (const id of [shown, current]) if (items.has(id)) update(items.get(id).row, current);
    shown = current;
    setChildren(root, groups.map((group) => sectionOf(group).element));
    for (const group of changed) fill(sections.get(group.key), group.rows);
    forget(groups);
    if (held) holdFocus(held);
  }

  function sectionOf({ key, heading }) {
    if (!sections.has(key)) sections.set(key, createSection(heading));
    const section = sections.get(key);
    if (section.heading && section.heading.textContent !== heading) section.heading.textContent = heading;
    return section;
  }

  function createSection(text) {
    const heading = text ? h("h2", { class: "group-title" }, text) : null;
    return { heading, element: h("section", { class: "group" }, heading), rows: [] };
  }

  function fill(section, rows) {
    const parts = partsOf(section, rows);
    setChildren(section.element, [section.heading, ...parts.map((part) => part.list)].filter(Boolean));
    for (const { list, items: own } of parts) {
      setChildren(list, own.map((item) => item.element));
      list.style.setProperty("--rows", own.length);
      for (const item of own) item.list = list;
    }
    section.rows = rows;
  }

  // Divides rows into lists of at most so many. Rows stay in the list they stand in, as far as the order allows; new ones come to their neighbours.
  function partsOf(section, rows) {
    const parts = [];
    const taken = new Set();
    let part = null;
    for (const item of rows.map((row) => items.get(row.id))) {
      const own = item.list?.parentNode === section.element && !taken.has(item.list) ? item.list : null;
      if (!part || part.items.length >= AT_MOST || (own && part.list)) parts.push(part = { list: null, items: [] });
      part.items.push(item);
      if (own) taken.add(part.list = own);
    }
    for (const one of parts) one.list ??= h("ul", { class: "list", role: "list" });   // Safari forgets that it is one without bullets
    return parts;
  }

  function forget(groups) {
    const keys = new Set(groups.map((group) => group.key));
    for (const key of sections.keys()) if (!keys.has(key)) sections.delete(key);
    if (items.size === groups.reduce((sum, group) => sum + group.rows.length, 0)) return;
    const ids = new Set(groups.flatMap((group) => group.rows.map((row) => row.id)));
    for (const id of items.keys()) if (!ids.has(id)) items.delete(id);
  }

  // ---- one row

  function update(row, current) {
    const item = items.get(row.id) ?? create(row.id);
    const isCurrent = row.id === current;
    if (item.row === row && item.isCurrent === isCurrent) return;
    Object.assign(item, { row, isCurrent });
    const title = row.title || t("app.untitled");
    item.link.title = title;
    item.title.replaceChildren(...titlePieces(row, title));
    item.extra.replaceChildren(...extras(row, isCurrent));
    item.menu.setAttribute("aria-label", t("sidebar.options", { title }));
    if (isCurrent) item.link.setAttribute("aria-current", "page");
    else item.link.removeAttribute("aria-current");
  }

  function create(id) {
    const item = { row: null, isCurrent: false, list: null };
    item.title = h("span", { class: "item-title", dir: "auto" });
    item.extra = h("span", { class: "item-extra" });
    item.link = h("a", { class: "item-link", href: `#c=${encodeURIComponent(id)}`, onclick: (event) => onFollow(event, item.row) }, item.title, item.extra);
    item.menu = h("button", { class: "item-menu", type: "button", "aria-haspopup": "menu", "aria-expanded": "false", onclick: () => onMenu(id, item.menu) });
    item.element = h("li", { class: "item", dataset: { id } }, item.link, item.menu);
    items.set(id, item);
    return item;
  }

  // ---- what others ask

  const idOf = (element) => element?.closest?.(".item")?.dataset.id;

  const links = () => [...root.querySelectorAll(".item-link")];

  /** The link before (-1) or after (1) the row that holds `element`; undefined at the ends. */
  function linkBeside(element, step) {
    const all = links();
    return all[all.indexOf(items.get(idOf(element))?.link) + step];
  }

  // The focus stays where it is; when its row has gone, it goes to the one that took its place.
  function focusHeld() {
    const element = document.activeElement;
    const id = root.contains(element) ? idOf(element) : undefined;
    return id && { element, id, at: links().indexOf(items.get(id).link) };
  }

  function holdFocus({ element, id, at }) {
    if (document.activeElement === element) return;
    const all = items.has(id) ? [] : links();
    const next = items.has(id) ? element : all[at] ?? all.at(-1);
    next?.focus({ preventScroll: items.has(id) });
  }

  /** Puts a box with the title in the place of a row; `onEnd(title)` gets the new one, or null when nothing is to change. */
  function edit(id, title, onEnd) {
    const item = items.get(id);
    const input = h("input", { class: "item-input", type: "text", dir: "auto", value: title, maxlength: TITLE_LENGTH, "aria-label": t("sidebar.title"), onkeydown, onblur: () => end(true) });
    let isOver = false;

    function onkeydown(event) {
      if (event.isComposing || event.keyCode === 229) return;     // Enter and Esc belong to the input method
      if (event.key !== "Enter" && event.key !== "Escape") return;
      event.preventDefault();
      event.stopPropagation();
      end(event.key === "Enter");
      item.link.focus();
    }

    function end(keep) {
      if (isOver) return;
      isOver = true;
      input.remove();
      delete item.element.dataset.edited;
      const text = input.value.trim();
      onEnd(keep && text && text !== title ? text : null);
    }

    item.element.dataset.edited = "";
    item.element.append(input);
    input.focus();
    input.select();
  }

  return { draw, edit, linkBeside, idOf, item: (id) => items.get(id), firstLink: () => root.querySelector(".item-link") };
}

// The title; what a search found in it is marked.
function titlePieces(row, title) {
  return row.snippet && !row.message_id ? pieces(row.snippet) : [title];
}

function pieces(snippet) {
  return snippet.map((piece) => (piece.hit ? h("mark", {}, piece.text) : piece.text));
}

// What stands beside or below the title: what a search found, and signs of what is going on.
function extras(row, isCurrent) {
  const all = [];
  if (row.snippet && row.message_id) all.push(h("span", { class: "item-snippet", dir: "auto" }, ...pieces(row.snippet)));
  if (row.snippet && row.archived) all.push(h("span", { class: "item-note" }, t("sidebar.archived")));
  if (row.status === "streaming") all.push(sign("item-busy", t("sidebar.streaming")));
  else if (row.unread && !isCurrent) all.push(sign("item-dot", t("sidebar.unread")));
  return all;
}

function sign(name, text) {
  return h("span", { class: name, title: text }, h("span", { class: "unseen" }, text));
}

function isSame(a, b) {
  return a !== undefined && a.length === b.length && a.every((row, n) => row === b[n]);
}

// Makes `next` the children of `parent`: what is equal at both ends is not touched.
function setChildren(parent, next) {
  const old = [...parent.children];
  let start = 0;
  while (start < old.length && old[start] === next[start]) start += 1;
  let end = 0;
  while (end < Math.min(old.length, next.length) - start && old.at(-1 - end) === next.at(-1 - end)) end += 1;
  const changed = next.slice(start, next.length - end);
  const keep = new Set(changed);
  for (const element of old.slice(start, old.length - end)) if (!keep.has(element)) element.remove();
  let below = next[next.length - end] ?? null;
  for (const element of changed.reverse()) {
    if (element.parentNode !== parent || element.nextSibling !== below) parent.insertBefore(element, below);
    below = element;
  }
}
