// The list of messages and its scrolling: shows models in order, follows a growing answer, offers "Jump to latest".
// Neighbours: message.js draws one message, conversation.js says what to show.
// Leaves out: loading older messages piece by piece; a conversation is shown whole (content-visibility keeps that cheap).

import { arrange, byId, h, icon } from "./dom.js";
import { createMessage } from "./message.js";

const NEAR = 24;    // px from the bottom that still count as "at the bottom"

/** `onRetry(model)` runs when somebody presses Retry on a message. */
export function createTranscript(onRetry) {
  const list = byId("messages");
  const welcome = byId("welcome");
  const pageNote = byId("page-note");
  const views = new Map();      // key of a model -> its view
  const follow = createFollower(byId("scroller"), list, byId("jump"));

  /** Shows exactly these models. Each has a `key` that stays the same while it lives. */
  function show(models) {
    forgetAllBut(models);
    arrange(list, models.map((model) => viewOf(model).element));
    welcome.hidden = models.length > 0;
    pageNote.hidden = true;
  }

  function viewOf(model) {
    const known = views.get(model.key);
    if (known) known.update(model);
    else views.set(model.key, createMessage(model, onRetry));
    return views.get(model.key);
  }

  function forgetAllBut(models) {
    const keys = new Set(models.map((model) => model.key));
    for (const key of views.keys()) if (!keys.has(key)) views.delete(key);
  }

  /** More text for a model that is shown (its content already has it). */
  function append(model, piece) {
    views.get(model.key)?.append(piece);
  }

  /** Instead of messages: that they are being fetched. */
  function showLoading() {
    clear();
    pageNote.replaceChildren(h("p", { class: "loading" }, "Opening the conversation…"));
    pageNote.hidden = false;
  }

  /** Instead of messages: why they cannot be shown, and what can be done: {label, icon, run}. */
  function showFailure(sentence, action) {
    clear();
    pageNote.replaceChildren(
      h("p", {}, sentence),
      h("button", { class: "button", type: "button", onclick: action.run }, icon(action.icon), action.label),
    );
    pageNote.hidden = false;
  }

  function clear() {
    show([]);
    welcome.hidden = true;
  }

  return { show, append, showLoading, showFailure, toLatest: follow.toLatest };
}

// Keeps `scroller` at its end while `content` grows, until somebody scrolls up or selects text.
function createFollower(scroller, content, jump) {
  let following = true;
  let lastTop = 0;

  const distance = () => scroller.scrollHeight - scroller.clientHeight - scroller.scrollTop;

  function setFollowing(yes) {
    following = yes;
    jump.hidden = following || distance() <= NEAR;
  }

  function toEnd() {
    scroller.scrollTop = scroller.scrollHeight;
    lastTop = scroller.scrollTop;
  }

  function onScroll() {
    const up = scroller.scrollTop < lastTop;
    lastTop = scroller.scrollTop;
    if (distance() <= 1) setFollowing(true);
    else if (up) setFollowing(false);
    else setFollowing(following || distance() <= NEAR);
  }

  function onResize() {
    if (following) toEnd();
    else setFollowing(false);
  }

  function onSelection() {
    const selection = document.getSelection();
    if (following && !selection.isCollapsed && content.contains(selection.anchorNode)) following = false;
  }

  function toLatest() {
    setFollowing(true);
    toEnd();
  }

  const observer = new ResizeObserver(onResize);
  observer.observe(content);
  observer.observe(scroller);
  scroller.addEventListener("scroll", onScroll, { passive: true });
  scroller.addEventListener("wheel", (event) => { if (event.deltaY < 0 && scroller.scrollTop > 0) setFollowing(false); }, { passive: true });
  document.addEventListener("selectionchange", onSelection);
  jump.addEventListener("click", () => { toLatest(); scroller.focus({ preventScroll: true }); });
  return { toLatest };
}
