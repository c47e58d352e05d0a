// One message on the page: an article with a hidden heading, its text, and a note about how it ended.
// Neighbours: transcript.js puts the articles in order; the model objects come from conversation.js.
// Leaves out: Markdown. createText() is its place: a renderer with the same set() and append() takes over there.

import { h, icon } from "./dom.js";
import { apiError } from "./api.js";

const NOTES = {
  stopped: "Stopped. What had arrived is kept.",
  interrupted: apiError("interrupted").message,
  error: "The answer failed.",
};

/**
 * The view of a message model {role, content, status, error, model, note, canRetry}.
 * `onRetry(model)` runs when Retry is pressed. Returns {element, update(model), append(text)}.
 */
export function createMessage(model, onRetry) {
  const text = createText();
  const heading = h("h2", { class: "unseen" });
  const foot = h("div", { class: "message-foot", hidden: true });
  const element = h("article", { class: "message" }, heading, text.element, foot);

  function update(next) {
    model = next;
    element.dataset.role = model.role;
    element.dataset.status = model.status;
    element.toggleAttribute("data-empty", !model.content);
    element.setAttribute("aria-busy", String(model.status === "streaming"));
    heading.textContent = headingOf(model);
    text.set(model.content);
    updateFoot();
  }

  function append(piece) {
    element.removeAttribute("data-empty");
    text.append(piece);
  }

  function updateFoot() {
    const note = noteOf(model);
    foot.hidden = !note && !model.canRetry;
    foot.replaceChildren();
    if (note) foot.append(h("p", { class: "message-note" }, note));
    if (model.canRetry) foot.append(retryButton());
  }

  function retryButton() {
    return h("button", { class: "button retry", type: "button", onclick: () => onRetry(model) }, icon("retry"), "Retry");
  }

  update(model);
  return { element, update, append };
}

function headingOf(model) {
  if (model.role === "user") return "You";
  return model.model ? `Assistant, ${model.model}` : "Assistant";
}

/** The sentence below a message, or "" when there is nothing to say. */
export function noteOf(model) {
  if (model.note) return model.note;
  if (model.role === "user" || !NOTES[model.status]) return "";
  return model.error?.message || NOTES[model.status];
}

// The text of a message, as it is, drawn at most once per frame. While the page is hidden nothing is drawn.
function createText() {
  const node = document.createTextNode("");
  const element = h("div", { class: "message-text", dir: "auto" });
  let waiting = "";
  let frame = 0;
  element.append(node);

  function append(piece) {
    waiting += piece;
    frame ||= requestAnimationFrame(draw);
  }

  function draw() {
    frame = 0;
    node.appendData(waiting);
    waiting = "";
  }

  function set(content) {
    cancelAnimationFrame(frame);
    frame = 0;
    waiting = "";
    if (content === node.data) return;
    if (content.startsWith(node.data)) node.appendData(content.slice(node.length));
    else node.data = content;
  }

  return { element, append, set };
}
