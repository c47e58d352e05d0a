// A modal dialog: heading, content, buttons; a full sheet on phones. Esc, the cross and a click beside it close it, and focus goes back where it was.
// Neighbours: forms.js, preferences.js, usage.js and shortcuts.js open one; css/panels.css draws it.
// Leaves out: what is in it. Live regions of the page are silent while one is open: content that changes brings its own.

import { h, icon } from "./dom.js";
import { t } from "./i18n.js";
import { loadStyle } from "./style.js";

let count = 0;

/**
 * Opens a dialog: {element, close(value), closed}, where `closed` is a promise of that value (null when it is dismissed).
 * `content`: an element or several. `buttons`: [{label, kind: "primary" | "danger", value}] close it with `value`, or submit
 * the form with the id `form`. `first` gets the focus, otherwise the heading. `mayDismiss()` says whether a click beside it may close it:
 * not when something would be lost.
 */
export function openDialog({ title, content, buttons = [], first = null, wide = false, small = false, mayDismiss = () => true }) {
  const id = `dialog-${count += 1}`;
  const heading = h("h2", { class: "panel-title", id, tabindex: "-1" }, title);
  const cross = h("button", { class: "icon-button", type: "button", "aria-label": t("app.close"), onclick: () => close(null) }, icon("close"));
  const element = h("dialog", { class: classOf({ wide, small }), "aria-labelledby": id },
    h("div", { class: "panel-head" }, heading, cross),
    h("div", { class: "panel-body" }, ...[content].flat()),
    buttons.length > 0 && h("div", { class: "panel-foot" }, ...buttons.map((button) => createButton(button, close))));
  const opener = document.activeElement;
  let value = null;
  let isOver = false;

  const closed = new Promise((resolve) => {
    element.addEventListener("close", () => {
      isOver = true;
      element.remove();
      if (document.activeElement === document.body) opener?.focus();   // where the browser did not bring focus back by itself
      resolve(value);
    });
  });

  function close(result = null) {
    if (isOver) return;
    value = result;
    if (element.open) element.close();
    else element.dispatchEvent(new Event("close"));
  }

  closeOnClickBeside(element, () => { if (mayDismiss()) close(null); });
  document.body.append(element);
  loadStyle("panels").then(() => { if (!isOver) show(element, first ?? heading); });
  return { element, close, closed };
}

function show(element, first) {
  element.showModal();
  first.focus();
}

function classOf({ wide, small }) {
  return `panel${wide ? " panel-wide" : ""}${small ? " panel-small" : ""}`;
}

function createButton({ label, kind, value, form }, close) {
  const look = kind ? `button ${kind}` : "button";
  if (form) return h("button", { class: look, type: "submit", form }, label);
  return h("button", { class: look, type: "button", onclick: () => close(value ?? null) }, label);
}

// Only a press that begins and ends beside the dialog: selecting text may end there too. The second half of the double click that opened it is none.
function closeOnClickBeside(element, dismiss) {
  let beganBeside = false;
  element.addEventListener("pointerdown", (event) => { beganBeside = isBeside(element, event); });
  element.addEventListener("click", (event) => { if (beganBeside && event.detail < 2 && isBeside(element, event)) dismiss(); });
}

function isBeside(element, { target, clientX, clientY }) {
  const box = element.getBoundingClientRect();
  return target === element && (clientX < box.left || clientX > box.right || clientY < box.top || clientY > box.bottom);
}
