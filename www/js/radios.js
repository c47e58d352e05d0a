// A group of radios of which one is always chosen, under each other or as one row of segments.
// Neighbours: preferences.js and usage.js. Leaves out: radios of forms, which may be empty or wrong (forms.js).

import { h } from "./dom.js";

let count = 0;

/** `options`: [{value, label}]; `help` is a sentence below; `inRow` makes it one row. `onChoice(value)`. Gives the element. */
export function createRadios({ legend, options, chosen, help = "", inRow = false, onChoice }) {
  const name = `radios-${count += 1}`;
  const inputs = options.map(({ value }) => h("input", { type: "radio", name, value, checked: value === chosen, onchange: () => onChoice(value) }));
  return h("fieldset", { class: "form-field", role: "radiogroup", "aria-describedby": help ? `${name}-help` : null },
    h("legend", { class: "form-label" }, legend),
    h("div", { class: inRow ? "segments" : "ticks" },
      ...options.map(({ label }, at) => h("label", { class: inRow ? "segment" : "tick" }, inputs[at], h("span", {}, label)))),
    help && h("p", { class: "form-help", id: `${name}-help` }, help));
}
