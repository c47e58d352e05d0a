// Starts the page: connects the parts, and keeps the address bar (#c=ID), the title and the list in step with the open conversation.
// Neighbours: conversation.js does the work, sidebar.js, transcript.js and composer.js are its faces.
// Leaves out: configuration, languages and themes of the full UI.

import { byId } from "./dom.js";
import { createComposer, dropDraft } from "./composer.js";
import { createConversation } from "./conversation.js";
import { readAddress } from "./place.js";
import { createSidebar, UNTITLED } from "./sidebar.js";
import { createTranscript } from "./transcript.js";

const NAME = "Parley";

const transcript = createTranscript((answer) => conversation.retry(answer));
const composer = createComposer({
  onSend: (text) => conversation.send(text),
  onStop: () => conversation.stop(),
});
const sidebar = createSidebar({ onNew: startNew, onDeleted, onListed: showTitleFromList });
const conversation = createConversation(transcript, composer, {
  onBegun,
  onSettled: () => sidebar.refresh(),
  onTitle: showTitle,
  onGone: dropDraft,
  startNew,
});

// ---- the address bar

// The id after "#c=", null for a new conversation, undefined for an anchor of another kind.
function idInAddress() {
  const hash = location.hash;
  if (hash === "" || hash === "#") return null;
  return hash.startsWith("#c=") ? decoded(hash.slice(3)) : undefined;
}

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function openAddressed() {
  const id = idInAddress();
  if (id === undefined) return;
  conversation.open(id);
  sidebar.select(id);
}

// An address that others give out, …/conversation/ID, becomes the page's own, #c=ID.
function takeAddress() {
  const { page, id } = readAddress(location.href);
  if (id !== null) history.replaceState(null, "", new URL(`#c=${id}`, page));
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
  sidebar.bump(id);
}

function onDeleted(id) {
  dropDraft(id);
  if (id !== conversation.id) return;
  history.replaceState(null, "", location.pathname + location.search);
  conversation.open(null);
  sidebar.select(null);
}

function showTitle(title) {
  byId("title").textContent = title || UNTITLED;
  document.title = title ? `${title} – ${NAME}` : NAME;
}

function showTitleFromList() {
  const title = conversation.id && sidebar.titleOf(conversation.id);
  if (title) showTitle(title);
}

// ---- keys and the page itself

function onKeydown(event) {
  if (event.key !== "Escape" || event.isComposing || event.keyCode === 229) return;
  if (!document.querySelector("dialog[open]")) conversation.stop();
}

byId("skip").addEventListener("click", (event) => { event.preventDefault(); byId("box").focus(); });
document.addEventListener("keydown", onKeydown);
document.addEventListener("visibilitychange", () => { if (!document.hidden) sidebar.refresh(); });
addEventListener("hashchange", () => { openAddressed(); composer.focus(); });

takeAddress();
openAddressed();
sidebar.refresh();
composer.focus();
