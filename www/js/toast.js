// Short notes at the edge of the window, for what has just happened: they go by themselves, and may offer to take it back.
// Neighbours: sidebar.js and conversation.js (deletion, archive, what failed). The look is in css/sidebar.css.
// Leaves out: what people must not miss; that stands in its place on the page.

import { h, icon } from "./dom.js";
import { t } from "./i18n.js";
import { getSetting } from "./settings.js";

const SECONDS = 8;
const AT_MOST = 4;            // the oldest goes when there are more

const open = [];              // notes on the page, the newest last
let regions = null;

/**
 * Shows a sentence. `action` {label, run} is a button, which Ctrl+Z presses too; `onEnd()` runs when the note goes without it.
 * The time stands still while the note is pointed at or has the focus.
 */
export function showToast(sentence, { alert = false, action = null, onEnd = () => {} } = {}) {
  const close = h("button", { class: "icon-button toast-close", type: "button", "aria-label": t("app.close"), onclick: () => end() }, icon("close"));
  const undo = action && h("button", { class: "toast-action", type: "button", onclick: () => end(action.run) }, action.label);
  const element = h("div", { class: alert ? "toast toast-alert" : "toast", onpointerenter: wait, onpointerleave: go, onfocusin: wait, onfocusout: go, onkeydown },
    h("span", { class: "toast-text" }, sentence), undo, close);
  const toast = { end, act: action && (() => end(action.run)) };
  let timer = 0;

  function wait() {
    clearTimeout(timer);
  }

  function go() {
    clearTimeout(timer);
    if (!element.matches(":hover") && !element.contains(document.activeElement)) timer = setTimeout(end, SECONDS * 1000);
  }

  function onkeydown(event) {
    if (event.key !== "Escape") return;
    event.stopPropagation();
    event.preventDefault();
    end();
  }

  function end(run) {
    const at = open.indexOf(toast);
    if (at < 0) return;
    open.splice(at, 1);
    clearTimeout(timer);
    element.remove();
    if (typeof run === "function") run();
    else onEnd();
  }

  open.push(toast);
  if (open.length > AT_MOST) open[0].end();
  hostOf(alert).append(element);
  go();
  return { end };
}

// The regions are there before their notes, so that screen readers say what is put in. Inside an open dialog, because nothing outside can be reached.
function hostOf(alert) {
  regions ??= createRegions();
  const place = document.querySelector("dialog:modal") ?? document.body;
  if (regions.element.parentNode !== place) place.append(regions.element);
  return alert ? regions.alert : regions.status;
}

function createRegions() {
  const status = h("div", { role: "status" });
  const alert = h("div", { role: "alert" });
  addEventListener("keydown", onUndoKey);
  document.addEventListener("close", (event) => { if (event.target.contains(regions.element)) document.body.append(regions.element); }, true);
  return { status, alert, element: h("div", { class: "toasts" }, status, alert) };
}

const isTyping = (element) => element.matches?.("input, textarea, [contenteditable]") ?? false;

function onUndoKey(event) {
  const isUndo = event.key.toLowerCase() === "z" && (event.ctrlKey || event.metaKey) && !event.shiftKey && !event.altKey;
  if (!isUndo || isTyping(event.target) || !getSetting("shortcuts")) return;
  const last = open.findLast((toast) => toast.act);
  if (!last) return;
  event.preventDefault();
  last.act();
}
