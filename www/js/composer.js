// The message box: grows, sends, stops, and never loses what was typed. Drafts live in localStorage, one per conversation.
// Neighbours: app.js makes it before anything else, so that one can write while the rest still loads; conversation.js says which mode it is in and when a
// draft may go; pictures.js and options.js fill the row below the box.
// Leaves out: what is sent besides the text.

import { byId } from "./dom.js";
import { isComposing, sendsBy } from "./keys.js";
import { storeKey } from "./settings.js";


/** The name under which the draft of a conversation is kept; null is the one that has not begun. */
export const draftKey = (conversationId) => storeKey(`draft.${conversationId ?? ""}`);

/** The same for a question that is being written anew. */
export const editKey = (conversationId) => storeKey(`edit.${conversationId}`);

/** `onSend(text)` takes what was written; `onStop()` runs when Stop is pressed. */
export function createComposer({ onSend, onStop }) {
  const box = byId("box");
  const send = byId("send");
  const stop = byId("stop");
  const coarse = matchMedia("(pointer: coarse)");
  const fitsByItself = CSS.supports("field-sizing", "content");
  const unsettled = new Set();   // keys under which something is on its way to the server
  let key = null;                // of the draft in the box; null: none has been asked for yet
  let mode = "ready";
  let earlier = [];              // what was sent before in this conversation, the newest last
  let recalled = -1;             // which of it stands in the box, counted from the newest; -1: none

  /** Shows the draft kept under `nextKey` and keeps it there from now on. */
  function use(nextKey) {
    const early = key === null ? box.value : "";             // written before there was anybody to keep it
    keep();
    if (nextKey === key && box.value !== "") return;         // the cursor stays where it is
    key = nextKey;
    fill(joinDrafts(readDraft(key), early));
  }

  // What stands in the box counts: another tab that writes in the same conversation may have taken away what is kept.
  function keep() {
    if (key !== null && box.value !== "") saveDraft(key, box.value);
  }

  // Another tab has sent what stands here too.
  function onStored(event) {
    if (event.key === key && event.newValue === null && event.oldValue === box.value) fill("");
  }

  /** The conversation is gone, what was being written in it (and `others`) is not: it goes to the new one. */
  function rescue(others) {
    const next = draftKey(null);
    if (key !== next) saveDraft(next, [box.value, ...others, readDraft(next)].filter((text) => text.trim() !== "").reduce(joinDrafts, ""));
  }

  /** Brings back what was on its way when the page went away, unless it is `arrived`, the last message the server has. */
  function recover(arrived) {
    if (unsettled.has(key)) return;
    const text = readSending(key);
    if (text === null) return;
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
    send.setAttribute("aria-disabled", String(!canSend()));
  }

  const canSend = () => mode === "ready" && box.value.trim() !== "";

  function fill(text) {
    box.value = text;
    onInput();
  }

  /** Puts a text before whatever stands in the box. */
  function fillIn(text) {
    fill(joinDrafts(text, box.value));
  }

  function onInput() {
    recalled = -1;
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
    if (!canSend()) return;
    sending(text);
    fill("");
    setMode("waiting");
    onSend(text);
  }

  function sending(text) {
    saveSending(key, text);
    unsettled.add(key);
  }

  function onKeydown(event) {
    if (isComposing(event)) return;
    if (sendsBy(event)) {
      event.preventDefault();
      submit();
    } else if (["ArrowUp", "ArrowDown"].includes(event.key) && !event.shiftKey && !event.altKey && !event.ctrlKey && !event.metaKey) recallBy(event);
  }

  // In an empty box the arrows walk through what was sent before, as in a shell; anything typed ends that.
  function recallBy(event) {
    const next = recalled + (event.key === "ArrowUp" ? 1 : -1);
    if ((recalled < 0 && box.value !== "") || next < -1 || next >= earlier.length || (recalled < 0 && next < 0)) return;
    event.preventDefault();
    fill(next < 0 ? "" : earlier.at(-1 - next));
    recalled = next;
    box.setSelectionRange(box.value.length, box.value.length);
  }

  /** What ArrowUp brings back. */
  function recall(texts) {
    const list = texts.filter((text) => text !== "");
    if (list.length !== earlier.length) recalled = -1;
    earlier = list;
  }

  /** The new conversation has got its id: its draft moves along. */
  function moveTo(nextKey) {
    saveDraft(key, "");
    key = nextKey;
    saveDraft(key, box.value);
  }

  /** The server has the text that was sent under `sentKey`. */
  function forget(sentKey) {
    unsettled.delete(sentKey);
    saveDraft(sendingKey(sentKey), "");
  }

  /** The server does not have it: the text returns, before whatever was typed since. */
  function giveBack(sentKey, text) {
    const draft = joinDrafts(text, sentKey === key ? box.value : readDraft(sentKey));
    saveDraft(sentKey, draft);
    forget(sentKey);
    if (sentKey === key) fill(draft);
  }

  /** `text` is sent again from elsewhere: the box need not hold it any more. */
  function takeOut(text) {
    if (box.value.startsWith(text)) fill(box.value.slice(text.length).trimStart());
    sending(text);
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
  addEventListener("pagehide", keep);
  addEventListener("storage", onStored);
  return { use, rescue, recover, recall, moveTo, setMode, forget, giveBack, takeOut, focus, fillIn };
}

function joinDrafts(first, second) {
  if (!first || second.startsWith(first)) return second;
  return second ? `${first}\n\n${second}` : first;
}

/** Forgets what was kept for a conversation that is gone. */
export function dropDraft(conversationId) {
  saveDraft(draftKey(conversationId), "");
  saveDraft(sendingKey(draftKey(conversationId)), "");
  saveDraft(editKey(conversationId), "");
}

const sendingKey = (key) => key.replace(draftKey(null), storeKey("sending."));

// What is on its way is kept with the tab and the time: another tab that opens the same conversation meanwhile leaves it alone.
const PATIENCE = 5 * 60_000;     // ms after which whoever comes takes it; sending has failed before (api.js)
const tab = tabName();

function tabName() {
  const known = readTab();
  if (known) return known;
  const name = Math.random().toString(36).slice(2);
  try {
    sessionStorage.setItem(storeKey("tab"), name);
  } catch { /* then a reload is another tab */ }
  return name;
}

function readTab() {
  try {
    return sessionStorage.getItem(storeKey("tab"));
  } catch {
    return null;
  }
}

function saveSending(key, text) {
  saveDraft(sendingKey(key), text && `${tab} ${Date.now()}\n${text}`);
}

// null: it is another tab's.
function readSending(key) {
  const [, whose, at, text] = /^(\w+) (\d+)\n([^]*)$/.exec(readDraft(sendingKey(key))) ?? [];
  return text === undefined ? "" : whose === tab || Date.now() - at > PATIENCE ? text : null;
}

// Storage may be full or forbidden; then drafts only last as long as the page.
const unkept = new Map();

/** What is kept under a key, or "". */
export function readDraft(key) {
  try {
    return unkept.get(key) ?? localStorage.getItem(key) ?? "";
  } catch {
    return "";
  }
}

/** Keeps a text; "" forgets it. */
export function saveDraft(key, text) {
  unkept.delete(key);
  try {
    if (text) localStorage.setItem(key, text);
    else localStorage.removeItem(key);
  } catch {
    if (text) unkept.set(key, text);
  }
}
