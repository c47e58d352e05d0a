// One message on the page: an article with a hidden heading, what was said, a note about how it ended, and the row of buttons below.
// Neighbours: transcript.js puts the articles in order; the models come from conversation.js (answer.js); markdown.js draws text, parts.js what stands
// beside it, actions.js the buttons.
// Leaves out: what the buttons do.

import { h, icon } from "./dom.js";
import { canContinue } from "./answer.js";
import { createActions } from "./actions.js";
import { createEditor } from "./editor.js";
import { createMarkdown } from "./markdown.js";
import { createParts } from "./parts.js";
import { t } from "./i18n.js";

/**
 * The view of a model. `act` has what people can do with a message (actions.js, and confirm(), editOf(), writeEdit(), cancelEdit(), sendEdit()); `onBlock(text)` gets each finished
 * paragraph of an answer that is being written. Returns {element, update(model, place), grow(piece)}, where `place` is {next, siblings, isLast, canAct}.
 */
export function createMessage(model, act) {
  return model.role === "user" ? createQuestion(model, act) : createAnswer(model, act);
}

function createFrame(role) {
  const heading = h("h2", { class: "unseen" });
  const element = h("article", { class: "message", dataset: { role } }, heading);
  return { element, heading };
}

// ---- what the user said

function createQuestion(model, act) {
  const { element, heading } = createFrame("user");
  const pictures = h("div", { class: "pictures", hidden: true });
  const text = h("div", { class: "message-text", dir: "auto" });
  const foot = createFoot(act);
  const actions = createActions(act);
  let editor = null;
  let pictured = [];
  element.append(pictures, text, foot.element, actions.element);
  heading.textContent = t("message.you");

  function update(next, place) {
    model = next;
    element.dataset.status = model.status;
    element.dataset.id = model.id ?? "";
    if (text.textContent !== model.content) text.textContent = model.content;
    text.hidden = !model.content;
    element.hidden = !model.content && model.attachments.length === 0;
    showPictures();
    showEditor(place.isEdited);
    foot.update(model, place);
    actions.update(model, place);
  }

  function showPictures() {
    const urls = model.attachments.map(({ url }) => url).filter((url) => /^data:image\//.test(url ?? ""));
    if (urls.length === pictured.length && urls.every((url, at) => url === pictured[at])) return;
    pictured = urls;
    pictures.hidden = urls.length === 0;
    pictures.replaceChildren(...urls.map((url, at) =>
      h("img", { class: "picture", src: url, alt: t("message.picture", { count: at + 1 }), decoding: "async" })));
  }

  function showEditor(isEdited) {
    if (!isEdited === !editor) return;
    if (!isEdited) {
      editor.element.remove();
      editor = null;
      return;
    }
    editor = createEditor(act.editOf(model), {
      onInput: (words) => act.writeEdit(model, words), onSend: (words) => act.sendEdit(model, words), onCancel: () => act.cancelEdit(model),
    });
    text.after(editor.element);
    editor.focus();
  }

  const grow = () => {};
  return { element, update: (next, place) => { update(next, place); element.classList.toggle("edited", Boolean(editor)); }, grow };
}

// ---- what the model said

function createAnswer(model, act) {
  const { element, heading } = createFrame("assistant");
  const markdown = createMarkdown({ onBlock: (text) => act.onBlock?.(model, text) });
  const parts = createParts({ onConfirm: act.confirm, showCustom: act.showCustom });
  const waiting = h("p", { class: "waiting", hidden: true }, h("span", { class: "dots", "aria-hidden": "true" }), h("span", { class: "unseen" }, t("message.waiting")));
  const foot = createFoot(act);
  const followups = h("div", { class: "followups", hidden: true, role: "group", "aria-label": t("message.followups") });
  const actions = createActions(act);
  let ended = false;
  let followed = "[]";          // the questions to ask next that are drawn
  markdown.element.classList.add("message-text");
  element.append(parts.before, markdown.element, waiting, parts.after, foot.element, actions.element, followups);

  function update(next, place) {
    model = next;
    const running = model.status === "streaming";
    element.dataset.status = model.status;
    element.dataset.id = model.id ?? "";
    element.toggleAttribute("data-empty", !model.content);
    element.setAttribute("aria-busy", String(running));
    heading.textContent = model.model ? t("message.assistant.model", { model: model.model }) : t("message.assistant");
    showText(running);
    waiting.hidden = !running || Boolean(model.content);
    parts.update(model, place.next);
    foot.update(model, place);
    actions.update(model, place);
    showFollowups(place);
  }

  function showText(running) {
    if (markdown.source !== model.content) {
      if (running && model.content.startsWith(markdown.source) && markdown.source) markdown.append(model.content.slice(markdown.source.length));
      else markdown.set(model.content);
      ended = false;
    }
    if (!running && !ended) {
      markdown.finish();
      ended = true;
    }
  }

  /** More text, which the model has already. */
  function grow(piece) {
    element.removeAttribute("data-empty");
    waiting.hidden = true;
    ended = false;
    markdown.append(piece);
  }

  function showFollowups({ isLast, canAct }) {
    const shown = isLast && canAct ? model.followups : [];
    const now = JSON.stringify(shown);
    if (now === followed) return;                // one of them may have the focus
    followed = now;
    followups.hidden = shown.length === 0;
    followups.replaceChildren(...shown.map((text) => h("button", { class: "chip", type: "button", dir: "auto", onclick: () => act.askNext(text) }, text)));
  }

  return { element, update, grow };
}

// How a message ended, and what can be done about it.
function createFoot(act) {
  const element = h("div", { class: "message-foot", hidden: true });
  let drawn = "";

  function update(model, { canAct, isLast }) {
    const note = noteOf(model);
    const retry = canAct && isLast && canRetry(model);
    const goOn = canAct && isLast && canContinue(model);
    const now = JSON.stringify([note, retry, goOn, model.key, model.id]);
    if (now === drawn) return;
    drawn = now;
    element.hidden = !note && !retry && !goOn;
    element.replaceChildren();
    if (note) element.append(h("p", { class: "message-note" }, note));
    if (goOn) element.append(h("button", { class: "button", type: "button", onclick: () => act.goOn(model) }, icon("play"), t("message.continue")));
    if (retry) element.append(h("button", { class: "button", type: "button", onclick: () => act.retry(model) }, icon("retry"), t("app.retry")));
  }

  return { element, update };
}

// An answer that has failed, and a question without one (its answer was deleted).
function canRetry({ role, id, status }) {
  return role === "user" ? id !== null : !["done", "streaming"].includes(status);
}

const NOTES = { stopped: "message.stopped", interrupted: "message.interrupted", error: "message.failed" };

/** The sentence below a message, or "" when there is nothing to say. */
export function noteOf(model) {
  if (model.note) return model.note;
  if (model.role === "assistant" && model.status === "done" && model.finishReason === "length") return t("message.cut");
  if (model.role === "user" || !NOTES[model.status]) return "";
  if (model.status === "error" && model.error?.message) return model.error.message;
  return t(NOTES[model.status]);
}
