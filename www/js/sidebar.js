// The list of conversations: pages of it, the open one marked, deletion after a question, and the drawer it lives in on phones.
// Neighbours: api.js (server), app.js (what happens when one is opened or deleted).
// Leaves out: search, rename, pin, archive, days as headings; they grow from createItem() and refresh().

import { announce, arrange, byId, h, icon, isPlainClick } from "./dom.js";
import { deleteConversation, listConversations } from "./api.js";

export const UNTITLED = "New conversation";

/** `onNew()`; `onDeleted(id)`; `onListed()` after each change. */
export function createSidebar({ onNew, onDeleted, onListed }) {
  const list = byId("list");
  const note = byId("list-note");
  const more = byId("more");
  const drawer = createDrawer();
  const items = new Map();       // conversation id -> {element, link, data}
  let order = [];                // conversations as shown, newest first
  let next = null;               // cursor of the page below
  let current = null;
  let loading = false;

  /** Fetches the newest page again; older pages that were loaded stay. */
  async function refresh() {
    try {
      const page = await listConversations();
      const older = olderThan(page.conversations);
      if (older.length === 0) next = page.next ?? null;
      order = [...page.conversations, ...older];
      render();
    } catch (error) {
      if (order.length === 0) showNote(error.message, "Retry");
    }
  }

  // What is shown from pages below the newest one.
  function olderThan(newest) {
    const last = newest.at(-1);
    if (!last) return [];
    const ids = new Set(newest.map((data) => data.conversation_id));
    return order.filter((data) => !ids.has(data.conversation_id) && Date.parse(data.updated_at) <= Date.parse(last.updated_at));
  }

  async function loadMore() {
    if (loading) return;
    if (order.length === 0) return refresh();
    loading = true;
    more.disabled = true;
    try {
      const page = await listConversations(next);
      next = page.next ?? null;
      addBelow(page.conversations);
      render();
    } catch (error) {
      showNote(error.message, "Retry");
    }
    loading = false;
    more.disabled = false;
  }

  function addBelow(conversations) {
    const known = new Set(order.map((data) => data.conversation_id));
    order = [...order, ...conversations.filter((data) => !known.has(data.conversation_id))];
  }

  function render() {
    const ids = new Set(order.map((data) => data.conversation_id));
    for (const id of items.keys()) if (!ids.has(id)) items.delete(id);
    arrange(list, order.map((data) => itemFor(data).element));
    markCurrent();
    if (order.length === 0) showNote("Your conversations will appear here.", null);
    else showNote("", next ? "More" : null);
    onListed();
  }

  function showNote(sentence, label) {
    note.textContent = sentence;
    note.hidden = !sentence;
    more.hidden = !label;
    more.textContent = label ?? "";
  }

  function itemFor(data) {
    const id = data.conversation_id;
    if (!items.has(id)) items.set(id, createItem(id));
    const item = items.get(id);
    const title = data.title || UNTITLED;
    item.data = data;
    item.title.textContent = title;
    item.link.title = title;
    item.remove.setAttribute("aria-label", `Delete “${title}”`);
    return item;
  }

  function createItem(id) {
    const title = h("span", { class: "item-title", dir: "auto" });
    const link = h("a", { class: "item-link", href: `#c=${encodeURIComponent(id)}`, onclick: closeDrawer }, title);
    const remove = h("button", { class: "icon-button item-delete", type: "button", onclick: () => askAndDelete(id) }, icon("trash"));
    return { link, title, remove, element: h("li", { class: "item" }, link, remove), data: null };
  }

  function closeDrawer(event) {
    if (isPlainClick(event)) drawer.close();
  }

  // ---- deletion

  async function askAndDelete(id) {
    if (!await confirmDeletion(titleOf(id) || UNTITLED)) return;
    try {
      await deleteConversation(id);
    } catch (error) {
      if (error.status !== 404) return deletionFailed(id, error);
    }
    const neighbour = neighbourOf(id);
    order = order.filter((data) => data.conversation_id !== id);
    render();
    announce("Conversation deleted.");
    focusItem(neighbour);
    onDeleted(id);
  }

  function deletionFailed(id, error) {
    const sentence = `“${titleOf(id) || UNTITLED}” could not be deleted. ${error.message}`;
    showNote(sentence, next ? "More" : null);
    announce(sentence, { alert: true });
  }

  function neighbourOf(id) {
    const at = order.findIndex((data) => data.conversation_id === id);
    return (order[at + 1] ?? order[at - 1])?.conversation_id;
  }

  function focusItem(id) {
    (items.get(id)?.link ?? byId("new")).focus();
  }

  // ---- what others ask

  /** Marks the open conversation; null for none. */
  function select(id) {
    current = id;
    markCurrent();
  }

  function markCurrent() {
    for (const [id, item] of items) {
      if (id === current) item.link.setAttribute("aria-current", "page");
      else item.link.removeAttribute("aria-current");
    }
  }

  /** Something was said in this conversation: it is the newest now. */
  function bump(id) {
    const data = items.get(id)?.data;
    if (!data) return refresh();
    order = [data, ...order.filter((other) => other !== data)];
    render();
  }

  function titleOf(id) {
    return items.get(id)?.data.title ?? null;
  }

  for (const link of [byId("new"), byId("new-phone")]) {
    link.addEventListener("click", (event) => {
      if (!isPlainClick(event)) return;
      event.preventDefault();
      drawer.close();
      onNew();
    });
  }
  more.addEventListener("click", loadMore);
  // Scrolling down to "More" presses it; after a failure only people do.
  new IntersectionObserver(([entry]) => {
    if (entry.isIntersecting && next && note.hidden) loadMore();
  }).observe(more);

  return { refresh, select, bump, titleOf };
}

// Resolves to true when somebody confirms.
function confirmDeletion(title) {
  const dialog = byId("ask");
  byId("ask-text").textContent = `“${title}” and all its messages will be gone for good.`;
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "delete"), { once: true });
  });
}

// On narrow screens the sidebar moves into a dialog, which brings its own focus rules, Esc and the back button.
function createDrawer() {
  const dialog = byId("drawer");
  const sidebar = byId("sidebar");
  const wide = matchMedia("(min-width: 48rem)");
  const close = () => dialog.close();

  byId("drawer-open").addEventListener("click", () => { dialog.append(sidebar); dialog.showModal(); });
  byId("drawer-close").addEventListener("click", close);
  dialog.addEventListener("click", (event) => { if (event.target === dialog) close(); });
  dialog.addEventListener("close", () => byId("aside").append(sidebar));
  wide.addEventListener("change", close);
  return { close };
}
