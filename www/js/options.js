// What a conversation is asked with: its model (a picker with search), system prompt, temperature and length of answers.
// Neighbours: conversation.js keeps them with the conversation (metadata.settings) and sends them; chat.js connects it; settings.js has the model for new ones.
// Leaves out: settings of the page (preferences.js).

import { announce, byId, h, icon } from "./dom.js";
import { listModels } from "./api.js";
import { getSetting, setSetting } from "./settings.js";
import { isComposing } from "./keys.js";
import { t } from "./i18n.js";

const SHOWN = 100;        // models listed at once; search finds the others

/** `onChange()` runs when somebody changes something; `defaultModel()` is the server's own choice, or null. */
export function createOptions({ onChange, defaultModel }) {
  let values = {};        // {model, system, temperature, max_tokens}, what is chosen for this conversation
  const picker = createPicker({ chosen: () => values.model ?? "", defaultModel, onPick });
  const panel = createPanel({ values: () => values, onEdit });

  /** Takes what was kept with a conversation; null is a new one. */
  function use(kept) {
    values = kept ? clean(kept) : clean({ model: getSetting("model") });
    draw();
  }

  function onPick(model) {
    values = clean({ ...values, model });
    setSetting("model", model);
    draw();
    onChange();
  }

  function onEdit(edited) {
    const next = clean({ ...values, ...edited });
    if (JSON.stringify(next) === JSON.stringify(clean(values))) return;
    values = next;
    draw();
    onChange();
  }

  function draw() {
    picker.show();
    panel.show();
  }

  /** The members for a request. */
  function request() {
    const { model, ...rest } = values;
    return { ...rest, ...(model && !picker.isGone() && { model }) };
  }

  /** What goes in its context. */
  function context() {
    const settings = getSetting("userSettings");
    return { timezone: Intl.DateTimeFormat().resolvedOptions().timeZone, ...(Object.keys(settings).length > 0 && { user_settings: settings }) };
  }

  /** What is to be kept with the conversation, or null. */
  const settings = () => (Object.keys(values).length > 0 ? { ...values } : null);

  return { use, request, context, settings, refresh: draw, load: picker.load, openPicker: picker.open };
}

// Only what is set, and only what the server takes.
function clean({ model, system, temperature, max_tokens: most }) {
  return {
    ...(typeof model === "string" && model && { model }),
    ...(typeof system === "string" && system.trim() && { system }),
    ...(Number.isFinite(temperature) && temperature >= 0 && temperature <= 2 && { temperature }),
    ...(Number.isInteger(most) && most >= 1 && { max_tokens: most }),
  };
}

// ---- the model

function createPicker({ chosen, defaultModel, onPick }) {
  const opener = byId("model");
  const name = byId("model-name");
  const popup = byId("models");
  const search = byId("model-search");
  const list = byId("model-list");
  const note = byId("model-note");
  let models = [];
  let isLoaded = false;
  let shown = [];
  let active = 0;

  /** Asks for the models, unless they are there. */
  async function load() {
    if (isLoaded) return;
    try {
      models = await listModels();
      isLoaded = true;
    } catch { /* chat.js calls again */ }
    show();
  }

  /** What was chosen is not on the list any more. It stays chosen: it may come back. */
  const isGone = () => chosen() !== "" && models.length > 0 && !models.includes(chosen());

  function show() {
    const model = (isGone() ? "" : chosen()) || defaultModel() || models[0] || "";
    showNote(isGone() ? t("options.model.gone", { model: chosen(), other: model }) : "");
    name.textContent = model ? shortName(model) : t("options.model");
    opener.title = model;
    opener.hidden = models.length === 0 && !model;
    opener.disabled = models.length < 2;
  }

  function showNote(sentence) {
    if (note.textContent === sentence) return;
    note.textContent = sentence;
    note.hidden = !sentence;
    if (sentence) announce(sentence);
  }

  function fill() {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const found = models.filter((model) => words.every((word) => model.toLowerCase().includes(word)));
    shown = [...(words.length === 0 ? [""] : []), ...found].slice(0, SHOWN);
    active = Math.max(0, shown.indexOf(chosen()));
    list.replaceChildren(...shown.map(option));
    if (shown.length === 0) list.append(h("li", { class: "menu-note" }, t("options.model.none")));
    mark();
  }

  function option(model, at) {
    const isChosen = model === chosen();
    return h("li", { class: "option", role: "option", id: `model-${at}`, "aria-selected": String(isChosen), onclick: () => pick(model) },
      h("span", { class: "option-name", dir: "ltr" }, model ? model : t("options.model.default", { model: defaultModel() ?? models[0] ?? "" })), isChosen ? icon("check") : null);
  }

  function mark() {
    for (const [at, element] of [...list.children].entries()) element.classList.toggle("active", at === active);
    if (shown.length > 0) search.setAttribute("aria-activedescendant", `model-${active}`);
    else search.removeAttribute("aria-activedescendant");
    list.children[active]?.scrollIntoView({ block: "nearest" });
  }

  // The focus goes back to where it was; a click on the list has taken it away from the search.
  function pick(model) {
    search.focus();
    popup.hidePopover();
    onPick(model);
  }

  function open() {
    if (opener.hidden || opener.disabled) return;
    popup.showPopover();
    search.focus();                           // at once: "toggle" comes later than what is typed next
  }

  search.addEventListener("keydown", (event) => {
    if (isComposing(event)) return;
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step && shown.length > 0) {
      event.preventDefault();
      active = (active + step + shown.length) % shown.length;
      mark();
    } else if (event.key === "Enter") {
      event.preventDefault();
      if (shown.length > 0) pick(shown[active]);
    } else if (event.key === "Escape") {       // in a search with words in it some browsers only clear them
      event.preventDefault();
      event.stopPropagation();
      popup.hidePopover();
    }
  });
  search.addEventListener("input", fill);
  popup.addEventListener("beforetoggle", (event) => {
    if (event.newState !== "open") return;
    search.value = "";
    fill();
    placeAbove(opener, popup);
  });
  popup.addEventListener("toggle", (event) => {
    opener.setAttribute("aria-expanded", String(event.newState === "open"));
    if (event.newState === "open") { search.focus(); mark(); }
  });
  return { load, show, isGone, open };
}

/** The last part of a model's name, which is what people call it. */
export const shortName = (model) => model.split("/").at(-1);

// Popovers stand in a layer of their own: where, has to be said.
function placeAbove(opener, popup) {
  const { left, right, top } = opener.getBoundingClientRect();
  const width = Math.min(360, innerWidth - 16);
  const isRtl = document.documentElement.dir === "rtl";
  const start = isRtl ? right - width : left;
  popup.style.left = `${Math.max(8, Math.min(start, innerWidth - width - 8))}px`;
  popup.style.width = `${width}px`;
  popup.style.bottom = `${innerHeight - top + 6}px`;
  popup.style.maxHeight = `${Math.max(160, top - 16)}px`;
}

// ---- the rest

function createPanel({ values, onEdit }) {
  const opener = byId("options");
  const popup = byId("options-panel");
  const system = byId("option-system");
  const temperature = byId("option-temperature");
  const most = byId("option-tokens");

  const numbers = [temperature, most];

  // What somebody is writing, or has to write anew, stays.
  function show() {
    const { system: prompt, temperature: degree, max_tokens: count } = values();
    for (const [field, value] of [[system, prompt], [temperature, degree], [most, count]]) {
      if (document.activeElement !== field && !isMarked(field)) field.value = value ?? "";
    }
    opener.classList.toggle("on", Boolean(prompt) || degree !== undefined || count !== undefined);
  }

  const isMarked = (field) => field.hasAttribute("aria-invalid");

  // Says below the field what is wrong with its number.
  function mark(field, sentence) {
    byId(`${field.id}-problem`).textContent = sentence;
    if (sentence) field.setAttribute("aria-invalid", "true");
    else field.removeAttribute("aria-invalid");
  }

  // A wrong number is not taken: what was there before counts.
  function numberIn(field, before) {
    mark(field, problemOf(field));
    if (isMarked(field)) return before;
    return field.value === "" ? undefined : field.valueAsNumber;
  }

  function save() {
    const { temperature: degree, max_tokens: count } = values();
    onEdit({ system: system.value, temperature: numberIn(temperature, degree), max_tokens: numberIn(most, count) });
  }

  function onToggle({ newState }) {
    if (newState === "open") {
      for (const field of numbers) mark(field, "");
      show();
      placeAbove(opener, popup);
    } else save();
  }

  for (const field of [system, ...numbers]) field.addEventListener("change", save);
  for (const field of numbers) field.addEventListener("input", () => { if (isMarked(field)) mark(field, problemOf(field)); });
  popup.addEventListener("beforetoggle", onToggle);
  addEventListener("popstate", () => popup.hidePopover());       // before chat.js opens another conversation: what is written belongs to this one
  popup.addEventListener("toggle", (event) => opener.setAttribute("aria-expanded", String(event.newState === "open")));
  byId("options-reset").addEventListener("click", () => {
    [system.value, temperature.value, most.value] = ["", "", ""];
    save();
  });
  return { show };
}

// What is wrong with the number in a field, or "". A temperature may have as many digits as it likes.
function problemOf({ validity, min, max, step }) {
  if (validity.badInput) return t("form.not_number");
  if (validity.rangeUnderflow) return t("form.too_small", { limit: Number(min) });
  if (validity.rangeOverflow) return t("form.too_large", { limit: Number(max) });
  return validity.stepMismatch && step === "1" ? t("form.not_integer") : "";
}
