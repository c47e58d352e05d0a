// The message box: grows, sends, stops, and never loses what was typed. Drafts live in localStorage, one per conversation.
// Neighbours: app.js connects it; conversation.js says which mode it is in and when a draft may go.
// Leaves out: model picker, attachments and settings of the full UI.

import { byId } from "./dom.js";

const PREFIX = "parley.draft.";

/** The name under which the draft of a conversation is kept; null is the one that has not begun. */
export const draftKey = (conversationId) => `${PREFIX}${conversationId ?? ""}`;

/** `onSend(text)` takes what was written; `onStop()` runs when Stop is pressed. */
export function createComposer({ onSend, onStop }) {
  const box = byId("box");
  const send = byId("send");
  const stop = byId("stop");
  const coarse = matchMedia("(pointer: coarse)");
  const fitsByItself = CSS.supports("field-sizing", "content");
  let key = draftKey(null);
  let mode = "ready";

  /** Shows the draft kept under `nextKey` and keeps it there from now on. */
  function use(nextKey) {
    key = nextKey;
    fill(readDraft(key));
  }

  /** Brings back what was on its way when the page went away, unless it is `arrived`, the last message the server has. */
  function recover(arrived) {
    const text = readDraft(sendingKey(key));
    saveDraft(sendingKey(key), "");
    if (text && text !== arrived) fill(joinDrafts(text, box.value));
  }

  /** "ready"; "answering" (Stop instead of Send); "stopping"; "waiting" (nothing can be sent yet). */
  function setMode(nextMode) {
    const stopHadFocus = document.activeElement === stop;
    mode = nextMode;
    const answering = mode === "answering" || mode === "stopping";
    send.hidden = answering;
    stop.hidden = !answering;
    stop.setAttribute("aria-disabled", String(mode === "stopping"));
    refreshSend();
    if (stopHadFocus && !answering) focus();
  }

  function refreshSend() {
    send.setAttribute("aria-disabled", String(mode !== "ready" || box.value.trim() === ""));
  }

  function fill(text) {
    box.value = text;
    onInput();
  }

  function onInput() {
    saveDraft(key, box.value);
    refreshSend();
    if (!fitsByItself) fit();
  }

  function fit() {
    box.style.height = "auto";
    box.style.height = `${box.scrollHeight}px`;
  }

  // The box is emptied at once; the text itself is kept as "sending" until the server has it.
  function submit() {
    const text = box.value.trimEnd();
    if (mode !== "ready" || text === "") return;
    saveDraft(sendingKey(key), text);
    fill("");
    onSend(text);
  }

  function onKeydown(event) {
    if (event.isComposing || event.keyCode === 229) return;       // an input method is at work
    if (event.key !== "Enter" || event.shiftKey || event.altKey) return;
    if (coarse.matches && !event.ctrlKey && !event.metaKey) return;
    event.preventDefault();
    submit();
  }

  /** The new conversation has got its id: its draft moves along. */
  function moveTo(nextKey) {
    saveDraft(key, "");
    key = nextKey;
    saveDraft(key, box.value);
  }

  /** The server has the text that was sent under `sentKey`. */
  function forget(sentKey) {
    saveDraft(sendingKey(sentKey), "");
  }

  /** The server does not have it: the text returns, before whatever was typed since. */
  function giveBack(sentKey, text) {
    const draft = joinDrafts(text, readDraft(sentKey));
    saveDraft(sentKey, draft);
    saveDraft(sendingKey(sentKey), "");
    if (sentKey === key) fill(draft);
  }

  /** `text` is sent again from elsewhere: the box need not hold it any more. */
  function takeOut(text) {
    if (box.value.startsWith(text)) fill(box.value.slice(text.length).trimStart());
    saveDraft(sendingKey(key), text);
  }

  /** Places the cursor in the box, unless that would open a keyboard on the screen. */
  function focus() {
    if (!coarse.matches) box.focus({ preventScroll: true });
  }

  // A click beside the box, but within its frame, is meant for the box.
  function onFrame(event) {
    if (event.target !== event.currentTarget) return;
    event.preventDefault();
    box.focus();
  }

  byId("composer").addEventListener("submit", (event) => { event.preventDefault(); submit(); focus(); });
  byId("frame").addEventListener("mousedown", onFrame);
  stop.addEventListener("click", () => { onStop(); focus(); });
  box.addEventListener("keydown", onKeydown);
  box.addEventListener("input", onInput);
  return { use, recover, moveTo, setMode, forget, giveBack, takeOut, focus };
}

function joinDrafts(first, second) {
  if (!first || second.startsWith(first)) return second;
  return second ? `${first}\n\n${second}` : first;
}

/** Forgets what was kept for a conversation that is gone. */
export function dropDraft(conversationId) {
  saveDraft(draftKey(conversationId), "");
  saveDraft(sendingKey(draftKey(conversationId)), "");
}

const sendingKey = (key) => key.replace(PREFIX, "parley.sending.");

// Storage may be full or forbidden; then drafts only last as long as the page.
function readDraft(key) {
  try {
    return localStorage.getItem(key) ?? "";
  } catch {
    return "";
  }
}

function saveDraft(key, text) {
  try {
    if (text) localStorage.setItem(key, text);
    else localStorage.removeItem(key);
  } catch { /* see above */ }
}
