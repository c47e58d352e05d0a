// What an answer shows beside its text: thinking, steps, plan, tools, images, sources, questions to confirm, events of an application's own.
// Neighbours: answer.js collects it in the model, message.js puts it around the text.
// Leaves out: the text (markdown.js), buttons under a message (actions.js).

import { h, icon } from "./dom.js";
import { confirmationState } from "./answer.js";
import { t } from "./i18n.js";

const PLAN_ICONS = { pending: "circle", in_progress: "spinner", completed: "check", failed: "close" };
const SHOWN_IMAGE = /^data:image\/(png|jpeg|gif|webp)[;,]/i;

/**
 * The parts of one answer: `before` and `after` are elements for the two sides of the text. `update(model, next)` draws what has changed; `next` is the
 * message after it, or null. `onConfirm(model, request, yes)` runs when somebody decides; `showCustom()` tells whether unknown events are shown as cards.
 */
export function createParts({ onConfirm, showCustom }) {
  const before = h("div", { class: "parts" });
  const after = h("div", { class: "parts" });
  const thinking = createThinking();
  const slots = {
    updates: slot(before, (model) => model.updates.map((update) => ({ ...update, isBusy: update.type !== "FINISH" && model.status === "streaming" })), drawUpdates),
    plan: slot(before, (model) => model.plan, drawPlan),
    tools: slot(before, (model) => model.tools.map((tool) => ({ ...tool, isBusy: tool.result === null && model.status === "streaming" })), drawTools),
    images: slot(after, (model) => model.images, drawImages),
    references: slot(after, (model) => model.references, drawReferences),
  };
  const confirmations = h("div", { class: "confirmations" });
  before.prepend(thinking.element);
  after.append(confirmations);
  slots.custom = slot(after, (model) => (showCustom() ? model.custom : []), drawCustoms);

  function update(model, next) {
    thinking.update(model);
    for (const each of Object.values(slots)) each.update(model);
    updateConfirmations(model, next);
    before.hidden = ![...before.children].some((child) => !child.hidden);
    after.hidden = ![...after.children].some((child) => !child.hidden && child.childElementCount > 0);
  }

  function updateConfirmations(model, next) {
    const states = model.confirmations.map((request) => confirmationState(request, next, model.decisions)).join();
    if (confirmations.dataset.states === states) return;
    confirmations.dataset.states = states;
    const hadFocus = confirmations.contains(document.activeElement);
    confirmations.replaceChildren(...model.confirmations.map((request) => drawConfirmation(model, request, confirmationState(request, next, model.decisions), onConfirm)));
    if (hadFocus) confirmations.querySelector("button")?.focus();
  }

  return { before, after, update };
}

// A list that is drawn anew when it has changed, in a place of its own.
function slot(parent, read, draw) {
  const place = h("div", { class: "part", hidden: true });
  let drawn = "";
  parent.append(place);
  return {
    update(model) {
      const list = read(model);
      const now = list.length === 0 ? "" : JSON.stringify(list);
      if (now === drawn) return;
      const open = [...place.querySelectorAll("details")].map((details) => details.open);
      drawn = now;
      place.hidden = list.length === 0;
      place.replaceChildren(...(list.length === 0 ? [] : [draw(list)]));
      place.querySelectorAll("details").forEach((details, at) => { details.open = open[at] ?? details.open; });
    },
  };
}

// The model's thinking, folded; while it thinks, a line says so.
function createThinking() {
  const label = h("span");
  const text = h("div", { class: "thinking-text", dir: "auto" });
  const element = h("details", { class: "thinking", hidden: true }, h("summary", {}, icon("thought"), label), text);
  return {
    element,
    update({ reasoning, isThinking, status }) {
      element.hidden = !reasoning;
      const busy = isThinking && status === "streaming";
      element.classList.toggle("busy", busy);
      label.textContent = t(busy ? "answer.thinking" : "answer.thought");
      setText(text, reasoning);
    },
  };
}

// What was there already stays, and what is selected in it.
function setText(element, words) {
  const { firstChild: node, textContent: before } = element;
  if (node && words.startsWith(before)) node.appendData(words.slice(before.length));
  else element.textContent = words;
}

function drawUpdates(updates) {
  return h("ul", { class: "steps" }, ...updates.map(({ type, content = {}, isBusy }) => h("li", { class: isBusy ? "step busy" : type === "FINISH" ? "step" : "step pending" },
    icon(isBusy ? "spinner" : type === "FINISH" ? "check" : "circle"),
    h("span", { dir: "auto" }, h("span", { class: "step-label" }, content.label ?? ""), content.description ? h("span", { class: "step-text" }, content.description) : null),
    isBusy ? h("span", { class: "unseen" }, t("answer.running")) : null)));
}

function drawPlan(tasks) {
  return h("ol", { class: "steps plan", "aria-label": t("answer.plan") }, ...tasks.map(({ description, status, result }) => h("li", { class: `step ${status}` },
    icon(PLAN_ICONS[status] ?? "circle"),
    h("span", { dir: "auto" }, h("span", { class: "step-label" }, description ?? ""), result ? h("span", { class: "step-text" }, result) : null),
    h("span", { class: "unseen" }, t(`answer.plan.${PLAN_ICONS[status] ? status : "pending"}`)))));
}

function drawTools(tools) {
  return h("div", { class: "tools" }, ...tools.map(({ name, arguments: given, result, isBusy }) => h("details", { class: "tool" },
    h("summary", {}, icon("tool"), h("span", {}, t(isBusy ? "answer.tool.running" : "answer.tool", { name }))),
    given === null ? null : labelled(t("answer.tool.arguments"), asJson(given)),
    result === null ? null : labelled(t("answer.tool.result"), String(result)))));
}

function labelled(label, text) {
  return h("div", { class: "tool-part" }, h("span", { class: "tool-label" }, label), h("pre", { tabindex: "0", dir: "ltr", translate: "no", "aria-label": label }, text));
}

const asJson = (value) => (typeof value === "string" ? value : JSON.stringify(value, null, 2));

// Pictures that came with the answer itself are shown. One at an address of its own is a link: to load it would tell another host.
function drawImages(images) {
  return h("div", { class: "images" }, ...images.map(({ url }) => (SHOWN_IMAGE.test(url ?? "")
    ? h("img", { class: "picture", src: url, alt: t("answer.image"), loading: "lazy", decoding: "async" })
    : linkTo(url, t("answer.image")))));
}

function linkTo(address, text) {
  const url = webAddress(address);
  if (!url) return h("span", { dir: "auto" }, text);
  return h("a", { class: "outside", href: url.href, target: "_blank", rel: "noopener noreferrer nofollow" }, text, h("span", { class: "host", dir: "ltr" }, url.host));
}

function webAddress(text) {
  try {
    const url = new URL(text, document.baseURI);
    return ["http:", "https:"].includes(url.protocol) ? url : null;
  } catch {
    return null;
  }
}

function drawReferences(references) {
  return h("section", { class: "references", "aria-label": t("answer.sources") }, h("h3", {}, t("answer.sources")),
    h("ol", {}, ...references.map(({ title, content, url }) => h("li", { dir: "auto" },
      url ? linkTo(url, title || url) : h("span", {}, title ?? ""),
      content ? h("details", {}, h("summary", {}, t("answer.passage")), h("p", { class: "passage" }, content)) : null))));
}

function drawConfirmation(model, request, state, onConfirm) {
  const { tool_name: name, tool_description: description, arguments: given } = request;
  const choose = (yes) => () => onConfirm(model, request, yes);
  return h("div", { class: `confirmation ${state}`, role: "group", "aria-label": t("confirm.title", { name }) },
    h("p", { class: "confirmation-title" }, t("confirm.title", { name })),
    description ? h("p", { class: "confirmation-text", dir: "auto" }, description) : null,
    given && Object.keys(given).length > 0 ? h("pre", { tabindex: "0", dir: "ltr", translate: "no", "aria-label": t("answer.tool.arguments") }, asJson(given)) : null,
    state === "pending"
      ? h("p", { class: "confirmation-buttons" },
        h("button", { class: "button primary", type: "button", onclick: choose(true) }, t("confirm.yes")),
        h("button", { class: "button", type: "button", onclick: choose(false) }, t("confirm.no")))
      : h("p", { class: "confirmation-state" }, t(`confirm.${state}`)));
}

function drawCustoms(events) {
  return h("div", { class: "customs" }, ...events.map(({ type, content }) =>
    h("details", { class: "tool" }, h("summary", {}, icon("tool"), h("span", {}, type)), labelled(type, asJson(content)))));
}
