// The box in which an earlier question is written anew, and the words that are left in it: they are kept like drafts.
// Neighbours: message.js shows it in place of the question; composer.js has the box for new ones; conversation.js says when the words may go.
// Leaves out: sending.

import { editKey, readDraft, saveDraft } from "./composer.js";
import { h } from "./dom.js";
import { isComposing, sendsBy } from "./keys.js";
import { t } from "./i18n.js";

/** `onInput(text)` runs with every change. `onSend(text)` and `onCancel()`. Returns {element, focus()}. */
export function createEditor(text, { onInput, onSend, onCancel }) {
  const box = h("textarea", { class: "editor-box", rows: "2", dir: "auto", "aria-label": t("message.edit.box"), autocomplete: "off" });
  const element = h("form", { class: "editor", onsubmit: submit },
    box,
    h("p", { class: "editor-buttons" },
      h("button", { class: "button", type: "button", onclick: onCancel }, t("app.cancel")),
      h("button", { class: "button primary", type: "submit" }, t("message.edit.send"))));
  box.value = text;

  function submit(event) {
    event.preventDefault();
    if (box.value.trim() !== "") onSend(box.value.trimEnd());
  }

  box.addEventListener("input", () => onInput(box.value));
  box.addEventListener("keydown", (event) => {
    if (isComposing(event)) return;
    if (event.key === "Escape") {
      event.stopPropagation();
      onCancel();
    } else if (sendsBy(event)) submit(event);
  });

  function focus() {
    box.focus();
    box.setSelectionRange(box.value.length, box.value.length);
  }

  return { element, focus };
}

/** What is being written in a conversation in place of its questions: {id of a message: words}. */
export function readEdits(conversationId) {
  try {
    return JSON.parse(readDraft(editKey(conversationId)) || "{}") ?? {};
  } catch {
    return {};
  }
}

/** Keeps these words; null forgets them. */
export function keepEdit(conversationId, messageId, words) {
  const { [messageId]: before, ...edits } = readEdits(conversationId);
  if (words !== null) edits[messageId] = words;
  saveDraft(editKey(conversationId), Object.keys(edits).length > 0 ? JSON.stringify(edits) : "");
}
