// Puts the page together once one can already write: texts, configuration, list, conversation, and the address bar (#c=ID) that goes with them.
// Neighbours: app.js has made the box and imports this; each part has a file of its own.
// Leaves out: dialogs and panels, which are fetched when somebody opens them (panels.js).

import { announce, byId, decoded } from "./dom.js";
import { getConfig } from "./api.js";
import { createAnnouncer } from "./announcer.js";
import { draftKey, dropDraft } from "./composer.js";
import { createConversation } from "./conversation.js";
import { loadTexts, t, translate } from "./i18n.js";
import { loadMarkdown } from "./markdown.js";
import { applyLook, NO_CONFIG } from "./look.js";
import { createMenu } from "./menu.js";
import { createOptions } from "./options.js";
import { createPanels } from "./panels.js";
import { createPictures } from "./pictures.js";
import { readAddress } from "./place.js";
import { getSetting, isDebugOn, onSetting, storeKey } from "./settings.js";
import { createSidebar } from "./sidebar.js";
import { loadStyle } from "./style.js";
import { showToast } from "./toast.js";
import { createTranscript } from "./transcript.js";

const LOOK_EVERY = 10_000;     // ms between looks at the list, for what other devices do

/** Brings the page to life around `composer`. Resolves to {send(text), stop()}. */
export async function startChat(composer) {
  loadMarkdown();                       // not waited for: texts are plain until it is there
  await Promise.all([loadTexts(), loadStyle("answer")]);
  translate(document);
  let config = NO_CONFIG;
  let pageTitle = "Parley";
  let shownTitle = null;
  const act = {};
  const announcer = createAnnouncer();
  const transcript = createTranscript(act);
  const pictures = createPictures();
  const options = createOptions({ onChange: () => conversation.saveSettings(), defaultModel: () => config.parley?.model ?? null });
  const panels = createPanels({ config: () => config });
  const sidebar = createSidebar({ onOpen: openConversation, onNew: startNew, onDeleted, onErased: dropDraft, onDrawn, onListed });
  const conversation = createConversation(
    { transcript, composer, pictures, options, announcer, toast: showToast, askForm: panels.askFeedback },
    { onBegun, onSettled, onTitle: showTitle, onGone: dropDraft, onOpen: openConversation, onPlace: (id) => panels.setConversation(id), onState: showState, onRequest: (body) => panels.record({ type: "request", data: { method: "POST", path: "chat", body }, pos: null }), onEvent, startNew });
  Object.assign(act, conversation.act, { config: () => config, menu: createMenu(byId("scroller"), { onClosed: () => {} }), showCustom: () => isDebugOn(config), onBlock: (model, text) => announcer.block(text) });
  const channel = "BroadcastChannel" in globalThis ? new BroadcastChannel(storeKey("changes")) : null;

  // ---- the address bar

  // The id after "#c=", null for a new conversation, undefined for an anchor of another kind.
  function idInAddress() {
    const { hash } = location;
    if (hash === "" || hash === "#") return null;
    return hash.startsWith("#c=") ? decoded(hash.slice(3)) : undefined;
  }

  function openAddressed() {
    if (location.hash === "#usage") return panels.openUsage();
    const id = idInAddress();
    if (id === undefined || id === conversation.id) return;
    conversation.open(id);
    sidebar.select(id);
  }

  // An address that others give out, …/conversation/ID, becomes the page's own, #c=ID.
  function takeAddress() {
    const { page, id } = readAddress(location.href);
    if (id !== null) history.replaceState(null, "", new URL(`#c=${id}`, page));
  }

  // ?q= fills the box of a new conversation and is never sent by itself: a link must not be able to ask in somebody's name.
  function takeQuestion() {
    const query = new URLSearchParams(location.search);
    const text = query.get("q");
    if (text === null) return;
    query.delete("q");
    history.replaceState(null, "", `${location.pathname}${query.size > 0 ? `?${query}` : ""}${location.hash}`);
    if (idInAddress() === null && text.trim() !== "") composer.fillIn(text);
  }

  function openConversation(id, messageId = null) {
    if (id === conversation.id && !messageId) return;
    history.pushState(null, "", `#c=${encodeURIComponent(id)}`);
    conversation.open(id, messageId);
    sidebar.select(id);
  }

  function startNew() {
    if (location.hash) history.pushState(null, "", location.pathname + location.search);
    conversation.open(null);
    sidebar.select(null);
    composer.focus();
  }

  // ---- what the conversation reports

  function onBegun(id, isNew, isShown) {
    if (isShown && isNew) {
      history.replaceState(null, "", `#c=${encodeURIComponent(id)}`);
      sidebar.select(id);
    }
    sidebar.setStatus(id, "streaming");
    sidebar.bump(id);
    channel?.postMessage({ changed: id });
  }

  function onSettled(id, status) {
    sidebar.setStatus(id, status);
    sidebar.refresh();
    channel?.postMessage({ changed: id });
  }

  function onDeleted(id) {
    if (id !== conversation.id) return;
    history.replaceState(null, "", location.pathname + location.search);
    conversation.open(null);
    sidebar.select(null);
  }

  // Events whose types this page does not know are for scripts of the site; the debug panel shows all.
  function onEvent(event, model) {
    panels.record(event);
    document.dispatchEvent(new CustomEvent(`parley:${event.type}`, { detail: { ...event, conversationId: conversation.id, messageId: model.id } }));
  }

  // Nothing waits for this: without an answer the page is as it comes, with the theme of the last visit, and the next look asks again.
  async function configure() {
    if (config !== NO_CONFIG) return;
    const found = await getConfig().catch(() => null);
    if (!found || config !== NO_CONFIG) return;
    config = found;
    ({ pageTitle } = applyLook(config, { onStart: (text) => { if (!conversation.isBusy()) conversation.send(text); } }));
    panels.configured();
    options.refresh();
    transcript.redraw();
    showTitle(shownTitle);
    if (!config.conversation_history) document.documentElement.classList.add("no-history");
  }

  function showTitle(title) {
    shownTitle = title;
    byId("title").textContent = title || t("app.untitled");
    document.title = title ? `${title} – ${pageTitle}` : pageTitle;
  }

  function onDrawn() {
    const title = conversation.id && sidebar.rowOf(conversation.id)?.title;
    if (title) showTitle(title);
  }

  // What happens in a conversation makes it the newest of its list: where none of these is the open one, nothing has happened.
  function onListed(rows) {
    const row = rows.find((each) => each.conversation_id === conversation.id);
    if (row) conversation.compare(row);
  }

  function showState(state) {
    const line = byId("connection");
    const sentence = state && state !== "live" ? t(`state.${state}`) : "";
    if (line.textContent === sentence) return;
    line.textContent = sentence;
    line.hidden = !sentence;
    if (sentence) announce(sentence);
  }

  // Which keys send is a setting.
  function showKeys() {
    const sends = getSetting("enterSends");
    byId("hint-keys").textContent = t(sends ? "composer.hint.keys" : "composer.hint.keys.other");
    byId("box").enterKeyHint = sends && !matchMedia("(pointer: coarse)").matches ? "send" : "enter";
  }

  // ---- looking around

  function look() {
    if (document.hidden) return;
    sidebar.refresh();
    fetchOnce();
  }

  // What has to be had once: where it failed, each look asks again.
  function fetchOnce() {
    options.load();
    configure();
    loadStyle("answer");
    loadMarkdown();
  }

  channel?.addEventListener("message", ({ data }) => {
    if (!document.hidden) sidebar.refresh();
    if (data?.changed && data.changed === conversation.id && !conversation.isBusy()) conversation.refresh();
  });
  document.addEventListener("visibilitychange", look);
  addEventListener("online", look);
  setInterval(look, LOOK_EVERY);
  addEventListener("popstate", () => { if (document.querySelector("dialog.drawer[open]") === null) openAddressed(); });
  addEventListener("hashchange", () => { openAddressed(); });
  byId("skip").addEventListener("click", (event) => { event.preventDefault(); byId("box").focus(); });
  panels.bindShortcuts({
    search: () => sidebar.focusSearch(),
    startNew,
    focusBox: () => byId("box").focus(),
    stop: () => conversation.stop(),
    step: transcript.step,
    pickModel: options.openPicker,
  });
  onSetting("debug", transcript.redraw);
  onSetting("enterSends", showKeys);

  // ---- the beginning

  showKeys();
  takeAddress();
  takeQuestion();
  conversation.open(idInAddress() ?? null);
  sidebar.select(conversation.id);
  sidebar.refresh();
  fetchOnce();
  if (location.hash === "#usage") panels.openUsage();

  // Pictures that are still being read go with it. If one cannot, or the conversation is left before, text and pictures are in its box again.
  async function send(text) {
    const key = draftKey(conversation.id);
    const state = await pictures.prepared();
    if (state === "ready") return conversation.send(text, pictures.take());
    composer.giveBack(key, text);
    if (state === "refused" && !conversation.isBusy()) composer.setMode("ready");
  }

  return { send, stop: conversation.stop };
}
