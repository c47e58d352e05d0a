// The panel of events: what the server sent, in order, with times; at the end side, over the page where it is narrow.
// Neighbours: eventlog.js remembers and merges; panels.js opens it and hands it the events; css/panels.css draws it.
// Leaves out: anything that changes the conversation. What it shows is text, never more.

import { copyText } from "./clipboard.js";
import { h, icon } from "./dom.js";
import { createEventLog } from "./eventlog.js";
import { formatNumber, t } from "./i18n.js";
import { loadStyle } from "./style.js";

const PREVIEW = 120;           // letters of the data beside the type
const NEAR_END = 24;           // px from the end that still count as the end

/**
 * {element, add({type, id, data, at}), clear(), setConversation(id)}. An event of the type "request" starts the clock, otherwise "start" does.
 * `onClose()` is for its cross; without it there is none.
 */
export function createDebugPanel({ onClose } = {}) {
  const log = createEventLog();
  const rows = [];               // one for each entry of the log
  const types = new Set();
  let conversation = null;
  let isFollowing = true;        // nobody reads above: the newest entry is kept in sight
  let lastTop = 0;
  let frame = 0;

  const list = h("ol", { class: "debug-list" });
  const scroller = h("div", { class: "debug-scroll", tabindex: "0", role: "region", "aria-label": t("debug.list"), onscroll: onScroll }, list);
  const filter = h("select", { "aria-label": t("debug.filter"), onchange: applyFilter }, h("option", { value: "" }, t("debug.all")));
  const name = h("code", { dir: "ltr" });
  const said = h("p", { class: "unseen", role: "status" });
  const blank = h("p", { class: "debug-blank" }, t("debug.empty"));
  const close = onClose && h("button", { class: "icon-button", type: "button", "aria-label": t("app.close"), onclick: () => onClose() }, icon("close"));
  const element = h("aside", { class: "debug", "aria-label": t("debug.title"), onkeydown: onKeydown },
    h("div", { class: "debug-head" }, h("h2", {}, t("debug.title")), name, close),
    h("div", { class: "debug-tools" }, h("div", { class: "form-select" }, filter), createTool("debug.copy", copyAll), createTool("debug.clear", clear)),
    blank, scroller, said);

  function add(event) {
    const { entry, isNew, dropped } = log.add(event);
    for (const row of rows.splice(0, dropped)) row.element.remove();
    if (isNew) addRow(entry);
    else rows.at(-1).update();
    follow();
  }

  // Once per frame: asking for the height after each of many events would lay out the list each time.
  function follow() {
    if (!isFollowing || frame) return;
    frame = requestAnimationFrame(() => {
      frame = 0;
      if (isFollowing) scroller.scrollTop = scroller.scrollHeight;
    });
  }

  function onScroll() {
    const { scrollTop, scrollHeight, clientHeight } = scroller;
    if (scrollHeight - scrollTop - clientHeight < NEAR_END) isFollowing = true;
    else if (scrollTop < lastTop) isFollowing = false;
    lastTop = scrollTop;
  }

  function addRow(entry) {
    if (!types.has(entry.type)) addType(entry.type);
    const row = createRow(entry);
    row.element.hidden = isFiltered(entry);
    rows.push(row);
    list.append(row.element);
    blank.hidden = true;
  }

  function addType(type) {
    types.add(type);
    filter.append(h("option", { value: type }, type));
  }

  function isFiltered(entry) {
    return filter.value !== "" && entry.type !== filter.value;
  }

  function applyFilter() {
    for (const row of rows) row.element.hidden = isFiltered(row.entry);
    isFollowing = true;
    follow();
  }

  function clear() {
    log.clear();
    rows.length = 0;
    types.clear();
    list.replaceChildren();
    filter.replaceChildren(filter.firstElementChild);
    blank.hidden = false;
    isFollowing = true;
  }

  /** The conversation that events come from now. Those of another one go; a new one that gets its id keeps them. */
  function setConversation(id) {
    if (conversation !== null && id !== conversation) clear();
    conversation = id;
    name.textContent = id ?? "";
    name.title = id ?? "";
  }

  async function copyAll() {
    const isCopied = await copyText(JSON.stringify({ conversation_id: conversation, events: log.entries }, null, 2));
    said.textContent = "";
    setTimeout(() => { said.textContent = t(isCopied ? "debug.copied" : "debug.not_copied"); }, 30);
  }

  function onKeydown(event) {
    if (event.key !== "Escape" || !onClose || event.isComposing) return;
    event.stopPropagation();       // it closes the panel, and does not stop the answer
    onClose();
  }

  loadStyle("panels");
  return { element, add, clear, setConversation };
}

function createTool(key, run) {
  return h("button", { class: "button", type: "button", onclick: run }, t(key));
}

// ---- one entry

function createRow(entry) {
  const time = h("span", { class: "debug-time" }, t("debug.ms", { ms: Math.round(entry.since) }));
  const count = h("span", { class: "debug-count" });
  const position = h("span", { class: "debug-position" });
  const preview = h("span", { class: "debug-preview", dir: "auto" });
  const data = h("pre", { dir: "ltr", translate: "no", tabindex: "0", role: "group", "aria-label": entry.type });
  const details = h("details", { ontoggle: update },
    h("summary", {}, time, h("span", { class: "debug-type" }, entry.type), count, position, preview), data);

  function update() {
    const text = JSON.stringify(entry.data) ?? "";
    if (entry.count > 1) count.textContent = t("debug.merged", { count: entry.count, ms: Math.round(entry.until - entry.since) });
    position.textContent = entry.id === null ? "" : `#${positionOf(entry.id)}`;
    preview.textContent = text.slice(0, PREVIEW);
    if (details.open) data.textContent = JSON.stringify(entry.data, null, 2);
  }

  update();
  return { entry, element: h("li", { class: "debug-row", "data-type": entry.type }, details), update };
}

// The id of an event is MESSAGE:POSITION, or the position alone.
function positionOf(id) {
  const position = String(id).split(":").at(-1);
  return /^\d+$/.test(position) ? formatNumber(Number(position), { useGrouping: false }) : position;
}
