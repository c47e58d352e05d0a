// The list of messages and its scrolling: shows the open branch, follows a growing answer, offers "Jump to latest", and draws earlier messages as one scrolls up.
// Neighbours: message.js draws one message, conversation.js says what to show.
// Leaves out: what messages mean.

import { arrange, byId, h, icon } from "./dom.js";
import { createMessage } from "./message.js";
import { t } from "./i18n.js";

const NEAR = 24;      // px from the bottom that still count as "at the bottom"
const CHUNK = 30;     // messages drawn at once, at first and on reaching the top

/** `act`: what people can do with a message (message.js, actions.js). */
export function createTranscript(act) {
  const scroller = byId("scroller");
  const list = byId("messages");
  const earlier = byId("earlier");
  const welcome = byId("welcome");
  const pageNote = byId("page-note");
  const views = new Map();      // key of a model -> its view
  const follow = createFollower(scroller, list, byId("jump"));
  let path = [];
  let places = () => ({});
  let first = 0;                // of the path, what is drawn
  let roomy = null;             // the article that has room kept below it

  /**
   * Shows exactly these models. Each has a `key` that stays the same while it lives. `placeOf(model, at)` gives what message.js wants to know besides.
   */
  function show(models, placeOf) {
    const wasOf = path[0]?.key;
    places = placeOf;
    path = models;
    if (path[0]?.key !== wasOf || first >= path.length) first = Math.max(0, path.length - CHUNK);
    forgetAllBut(path);
    draw();
    welcome.hidden = path.length > 0;
    pageNote.hidden = true;
  }

  function draw() {
    arrange(list, path.slice(first).map((model, at) => viewOf(model, first + at).element));
    earlier.hidden = first === 0;
  }

  // On paper there is no scrolling up.
  addEventListener("beforeprint", () => {
    first = 0;
    draw();
  });

  function viewOf(model, at) {
    if (!views.has(model.key)) views.set(model.key, createMessage(model, act));
    const view = views.get(model.key);
    view.update(model, places(model, at));
    return view;
  }

  function forgetAllBut(models) {
    const keys = new Set(models.map((model) => model.key));
    for (const key of views.keys()) if (!keys.has(key)) views.delete(key);
  }

  /** Draws one model anew that is shown. */
  function update(model) {
    const at = path.indexOf(model);
    if (at >= first) views.get(model.key)?.update(model, places(model, at));
  }

  /** More text for a model that is shown (its content already has it). */
  function grow(model, piece) {
    views.get(model.key)?.grow(piece);
  }

  // ---- earlier messages

  // Browsers that anchor scrolling keep the view by themselves; for the others it is done by hand.
  const anchors = CSS.supports("overflow-anchor", "auto");

  function drawEarlier() {
    if (first === 0) return;
    const fromEnd = scroller.scrollHeight - scroller.scrollTop;
    first = Math.max(0, first - CHUNK);
    draw();
    if (!anchors || scroller.scrollTop === 0) scroller.scrollTop = scroller.scrollHeight - fromEnd;
  }

  earlier.addEventListener("click", drawEarlier);
  new IntersectionObserver(([entry]) => { if (entry.isIntersecting) drawEarlier(); }, { root: scroller, rootMargin: "800px 0px 0px 0px" }).observe(earlier);

  /** Brings a message into view and gives it the focus, so that people and screen readers are there. */
  function reveal(id) {
    const at = path.findIndex((model) => model.id === id);
    if (at < 0) return false;
    if (at < first) {
      first = Math.max(0, at - 5);
      draw();
    }
    follow.hold();
    focusArticle(views.get(path[at].key).element);
    return true;
  }

  function focusArticle(element) {
    element.tabIndex = -1;
    element.focus({ preventScroll: true });
    element.scrollIntoView({ block: "start" });
  }

  /** Moves the focus to the message before (-1) or after (1) the one that has it; from nowhere to the last. */
  function step(by) {
    const shown = [...list.children].filter((element) => !element.hidden);
    const at = shown.findIndex((element) => element.contains(document.activeElement));
    const next = at < 0 ? shown.at(-1) : shown[at + by];
    if (!next) return;
    follow.hold();
    focusArticle(next);
  }

  /** Gives the focus to a button below a message, or if that is switched off to the next one that is not. */
  function focusButton(model, name) {
    const actions = views.get(model.key)?.element.querySelector(".actions");
    (actions?.querySelector(`[data-action="${name}"]:enabled`) ?? actions?.querySelector("button:enabled"))?.focus();
  }

  // ---- room below what was sent

  /** Puts a new question near the top: the answer below it gets the height that is left, and grows into it without anything moving. */
  function makeRoom(question, answer) {
    dropRoom();
    const above = views.get(question.key)?.element;
    roomy = views.get(answer.key)?.element ?? null;
    if (!above || !roomy) return;
    const { paddingBlockEnd } = getComputedStyle(list);
    const room = scroller.clientHeight - above.getBoundingClientRect().height - parseFloat(paddingBlockEnd) - 64;
    roomy.style.minBlockSize = `${Math.max(0, Math.floor(room))}px`;
    follow.toLatest();
  }

  function dropRoom() {
    if (roomy) roomy.style.minBlockSize = "";
    roomy = null;
  }

  // ---- instead of messages

  /** That they are being fetched. */
  function showLoading() {
    clear();
    pageNote.replaceChildren(h("div", { class: "skeleton", "aria-hidden": "true" }, h("span"), h("span"), h("span")), h("p", { class: "unseen" }, t("page.loading")));
    pageNote.hidden = false;
  }

  /** Why they cannot be shown, and what can be done: {label, icon, run}. */
  function showFailure(sentence, action) {
    clear();
    pageNote.replaceChildren(
      h("p", {}, sentence),
      h("button", { class: "button", type: "button", onclick: action.run }, icon(action.icon), action.label),
    );
    pageNote.hidden = false;
  }

  function clear() {
    dropRoom();
    show([], () => ({}));
    welcome.hidden = true;
  }

  return { show, redraw: draw, update, grow, reveal, step, focusButton, makeRoom, dropRoom, showLoading, showFailure, toLatest: follow.toLatest, hold: follow.hold };
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
  return { toLatest, hold: () => setFollowing(false) };
}
