// Forms out of JSON Schema: native inputs, our own words for what is wrong, focus on the first wrong field.
// Neighbours: schema.js says which fields there are and judges values; dialog.js shows the form of feedback, preferences.js that of the settings.
// Leaves out: sending the values anywhere.

import { openDialog } from "./dialog.js";
import { h } from "./dom.js";
import { t } from "./i18n.js";
import { emptyValue, fieldsOf, problemOf, UNREADABLE } from "./schema.js";

const MOST_RADIOS = 4;         // more options are a select

let count = 0;

/** A form in a dialog; a promise of its values, or of null. */
export function openFormDialog({ title, schema, values, submitLabel = t("app.save") }) {
  const form = createForm(schema, values);
  const buttons = [{ label: t("app.cancel") }, { label: submitLabel, kind: "primary", form: form.element.id }];
  const first = form.element.querySelector("input, select, textarea");
  const dialog = openDialog({ title: title ?? schema.title, content: form.element, buttons, first, mayDismiss: () => !form.isChanged() });
  form.element.addEventListener("submit", (event) => {
    event.preventDefault();
    const result = form.read();
    if (result) dialog.close(result);
  });
  return dialog.closed;
}

/**
 * A form for the object that `schema` describes: {element, read(), isChanged(), markSaved()}. `read` gives the object, or null after
 * showing what is wrong. Whoever owns the form adds the button and listens to "submit".
 */
export function createForm(schema, values) {
  const id = `form-${count += 1}`;
  const parts = createParts(fieldsOf(schema, values), id);
  const element = h("form", { class: "form", id, novalidate: true, autocomplete: "off" },
    schema.description && h("p", { class: "form-text" }, schema.description), ...parts.map((part) => part.element));
  let saved = stateOf(element);

  function read() {
    const wrong = parts.map((part) => part.check()).find(Boolean);
    if (!wrong) return objectOf(parts);
    wrong.focus();
    return null;
  }

  return { element, read, isChanged: () => stateOf(element) !== saved, markSaved: () => { saved = stateOf(element); } };
}

function stateOf(form) {
  return JSON.stringify([...form.querySelectorAll("input, select, textarea")].map((control) => (isTicked(control) ? control.checked : control.value)));
}

function isTicked(control) {
  return control.type === "checkbox" || control.type === "radio";
}

// A part stands for a field: {field, element, isBlank(), value(), check(), clear()}. check() shows what is wrong, and gives the control to focus then.
function createParts(fields, id) {
  return fields.map((field) => (field.kind === "group" ? createGroup : createPart)(field, `${id}-${field.name}`));
}

function objectOf(parts) {
  const pairs = parts.map(({ field, value }) => [field.name, value() ?? emptyValue(field)]);
  return Object.fromEntries(pairs.filter(([, value]) => value !== undefined));
}

// ---- an object within the object

function createGroup(field, id) {
  const parts = createParts(field.fields, id);
  const element = h("fieldset", { class: "form-group" },
    h("legend", {}, ...labelOf(field)), field.help && h("p", { class: "form-help" }, field.help), ...parts.map((part) => part.element));
  const isBlank = () => parts.every((part) => part.isBlank());
  const clear = () => parts.forEach((part) => part.clear());
  const isLeftOut = () => isBlank() && (!field.required || field.nullable);

  function check() {
    if (!isLeftOut()) return parts.map((part) => part.check()).find(Boolean);
    clear();
    return null;
  }

  return { field, element, isBlank, clear, check, value: () => (isLeftOut() ? undefined : objectOf(parts)) };
}

// ---- one field: label, help, control, and the sentence that says what is wrong

function createPart(field, id) {
  const control = CONTROLS[field.kind](field, id);
  const problem = h("p", { class: "form-problem", id: `${id}-problem` });
  const help = field.help && h("p", { class: "form-help", id: `${id}-help` }, field.help);
  const element = layOut[control.shape ?? "line"](field, id, control, help, problem);
  const described = control.shape === "group" ? element : control.inputs[0];
  described.setAttribute("aria-describedby", help ? `${id}-help ${problem.id}` : problem.id);

  function show(wrong) {
    problem.textContent = wrong ? t(wrong.key, wrong) : "";
    control.inputs[0].setCustomValidity(problem.textContent);
    for (const marked of control.marked ?? control.inputs) {
      if (wrong) marked.setAttribute("aria-invalid", "true");
      else marked.removeAttribute("aria-invalid");
    }
  }

  function check() {
    const wrong = problemOf(field, control.read());
    show(wrong);
    return wrong && control.inputs[0];
  }

  if (control.shape === "group") markGroup(element, control);
  element.addEventListener("input", () => { if (problem.textContent) check(); });
  return { field, element, check, clear: () => show(null), value: control.read, isBlank: () => isBlank(control.read()) };
}

function isBlank(value) {
  return value === undefined || value === false || (Array.isArray(value) && value.length === 0);
}

// Radios are wrong together, as one radiogroup; ARIA knows no wrong group of checkboxes.
function markGroup(element, control) {
  if (control.inputs[0].type !== "radio") return;
  element.setAttribute("role", "radiogroup");
  control.marked = [element];
}

const layOut = {
  line: (field, id, control, help, problem) => h("div", { class: "form-field" },
    h("label", { class: "form-label", for: id }, ...labelOf(field)), help, control.element, problem),
  flag: (field, id, control, help, problem) => h("div", { class: "form-field" },
    h("label", { class: "tick" }, control.element, h("span", {}, field.label)), help, problem),
  group: (field, id, control, help, problem) => h("fieldset", { class: "form-field" },
    h("legend", { class: "form-label" }, ...labelOf(field)), help, control.element, problem),
};

function labelOf(field) {
  const isOptional = !field.required && field.schema.default === undefined && field.kind !== "choices";
  return [field.label, isOptional && h("span", { class: "form-optional" }, ` ${t("form.optional")}`)].filter(Boolean);
}

// ---- controls: {element, inputs, read(), shape?}

const CONTROLS = {
  text: createText,
  longText: createText,
  integer: createNumber,
  number: createNumber,
  json: createJson,
  flag: createFlag,
  choice: (field, id) => (field.options.length > MOST_RADIOS ? createSelect : createRadios)(field, id),
  choices: createCheckboxes,
};

function createText(field, id) {
  const input = field.kind === "longText"
    ? h("textarea", { id, rows: 3, dir: "auto", required: field.required && !field.nullable })
    : h("input", { id, type: field.input, dir: "auto", required: field.required && !field.nullable });
  input.value = field.initial ?? "";
  return { element: input, inputs: [input], read: () => readInput(input, input.value) };
}

function createNumber(field, id) {
  const { minimum, maximum } = field.schema;
  const step = field.kind === "integer" ? 1 : "any";
  const input = h("input", { id, type: "number", step, min: minimum, max: maximum, required: field.required && !field.nullable });
  input.value = field.initial ?? "";
  return { element: input, inputs: [input], read: () => readInput(input, input.valueAsNumber) };
}

function readInput(input, value) {
  if (input.validity.badInput || input.validity.typeMismatch) return UNREADABLE;
  return input.value === "" ? undefined : value;
}

function createJson(field, id) {
  const input = h("textarea", { id, class: "code", rows: 3, dir: "ltr", spellcheck: "false", placeholder: t("form.json") });
  input.value = field.initial === undefined ? "" : JSON.stringify(field.initial, null, 2);
  return { element: input, inputs: [input], read: () => readJson(input.value.trim()) };
}

function readJson(text) {
  if (text === "") return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return UNREADABLE;
  }
}

function createFlag(field, id) {
  const input = h("input", { id, type: "checkbox", checked: field.initial === true });
  return { element: input, inputs: [input], shape: "flag", read: () => input.checked };
}

function createSelect(field, id) {
  const options = field.options.map((option, at) => h("option", { value: at, selected: isSame(option.value, field.initial) }, textOf(option)));
  const none = (mayBeNone(field) || field.initial === undefined)
    && h("option", { value: "" }, mayBeNone(field) ? t("form.none") : t("form.choose"));
  const select = h("select", { id, required: !mayBeNone(field) }, none, ...options);
  return { element: h("div", { class: "form-select" }, select), inputs: [select], read: () => field.options[select.value || -1]?.value };
}

function createRadios(field, id) {
  const options = mayBeNone(field) ? [...field.options, { value: undefined, label: t("form.none") }] : field.options;
  const inputs = options.map((option, at) => h("input", { type: "radio", name: id, value: at, checked: isSame(option.value, field.initial) }));
  return { element: listOf(inputs, options), inputs, shape: "group", read: () => options[inputs.findIndex((input) => input.checked)]?.value };
}

function createCheckboxes(field) {
  const chosen = Array.isArray(field.initial) ? field.initial : [];
  const inputs = field.options.map((option) => h("input", { type: "checkbox", checked: chosen.some((value) => isSame(value, option.value)) }));
  const read = () => field.options.filter((option, at) => inputs[at].checked).map((option) => option.value);
  return { element: listOf(inputs, field.options), inputs, shape: "group", read };
}

function listOf(inputs, options) {
  return h("div", { class: "ticks" }, ...options.map((option, at) => h("label", { class: "tick" }, inputs[at], h("span", { dir: "auto" }, textOf(option)))));
}

function mayBeNone(field) {
  return field.nullable || (!field.required && field.schema.default === undefined);
}

function isSame(a, b) {
  return JSON.stringify(a) === JSON.stringify(b);
}

function textOf({ label }) {
  if (typeof label === "boolean") return t(label ? "form.yes" : "form.no");
  return String(label);
}
