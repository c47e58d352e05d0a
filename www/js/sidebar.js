// The sidebar: the conversations by day, the archive and the search, and what can be done with each of them.
// Neighbours: history.js knows the conversations, days.js their days, rows.js draws them, menu.js and toast.js help, drawer.js is the sidebar on phones;
// api.js is the server, chat.js what happens when a conversation is opened or leaves.
// Leaves out: the open conversation itself, keys of the whole page, usage and settings (their buttons stand here).

import { changeConversation, deleteConversation, getConversation, listConversations } from "./api.js";
import { groupByDay, monthOf } from "./days.js";
import { byId, isPlainClick } from "./dom.js";
import { createDrawer } from "./drawer.js";
import { createHistory, LISTS, listOf } from "./history.js";
import { formatDay, t } from "./i18n.js";
import { createMenu, onMenuWanted } from "./menu.js";
import { createRows } from "./rows.js";
import { showToast } from "./toast.js";

const PAGE = 50;              // conversations in one request
const PINNED = 200;           // all that are pinned, as far as the server gives them at once
const AHEAD = 600;            // px before the end of the list at which the next page is fetched
const TYPING = 200;           // ms of silence after which a search begins
const PATIENCE = 250;         // ms before a list that is on its way shows so

/**
 * `onOpen(id, messageId)`: open it, at this message if there is one. `onNew()`. `onDeleted(id)`: it is gone from the list, and may yet come back;
 * `onErased(id)`: now it is gone for good. `onDrawn()`, and `onListed(rows)` when the server was asked anew.
 */
export function createSidebar({ onOpen, onNew, onDeleted, onErased = () => {}, onDrawn, onListed }) {
  const known = createHistory();
  const drawer = createDrawer();
  const menu = createMenu(byId("sidebar"), { onClosed: draw });
  const scroller = byId("list-scroll");
  const search = byId("search");
  const faces = { recent: createFace("list"), archived: createFace("archive"), found: createFace("found") };
  const headings = new Map();    // key of a day -> its words
  let view = "recent";           // which face is shown
  let query = "";
  let current = null;            // the open conversation
  let inArchive = false;         // what the end of a search comes back to
  let isEditing = false;
  let isSlow = false;            // something is on its way, and for long
  let failure = null;            // {message, retry}: why the list is not there

  function createFace(id) {
    const root = byId(id);
    return { root, scrolled: 0, rows: createRows(root, { onMenu: openMenu, onFollow: follow }) };
  }

  // ---- drawing

  // An open menu and an unfinished title hold the list still; it is drawn when they are done.
  function draw() {
    if (menu.isOpen || isEditing) return;
    const groups = groupsOf(view);
    faces[view].rows.draw(groups, current);
    showState(groups.length === 0);
    onDrawn();
  }

  function groupsOf(name) {
    const rows = known.rows(name);
    if (name === "found") return rows.length ? [{ key: "found", rows }] : [];
    const days = groupByDay(rows).map((group) => ({ ...group, heading: headingOf(group.key) }));
    const pinned = name === "recent" ? known.rows("pinned") : [];
    return pinned.length ? [{ key: "pinned", heading: t("sidebar.pinned"), rows: pinned }, ...days] : days;
  }

  function headingOf(key) {
    if (!headings.has(key)) {
      const month = monthOf(key);
      headings.set(key, month ? formatDay(month, { month: "long", year: "numeric" }) : t(`sidebar.${key}`));
    }
    return headings.get(key);
  }

  // What stands below the rows: more to come, nothing at all, or why not.
  function showState(isEmpty) {
    const { cursor } = known.frontier(view);
    const isUnread = cursor === undefined;
    const text = failure?.message ?? (isEmpty && !isUnread ? emptyText() : "");
    const more = byId("more");
    more.hidden = !(failure || cursor);
    say("more", t(failure ? "app.retry" : "app.more"));
    byId("skeleton").hidden = !(isSlow && isUnread && isEmpty && !failure);
    say("list-note", text);
    say("list-count", view === "found" && !isEmpty ? t("sidebar.count", { count: known.rows("found").length }) : "");
  }

  // Only when it is another text: screen readers speak when these change.
  function say(id, text) {
    const element = byId(id);
    if (element.textContent !== text) element.textContent = text;
  }

  function emptyText() {
    if (view === "found") return t("sidebar.nothing", { query });
    return t(view === "archived" ? "sidebar.noArchive" : "sidebar.none");
  }

  /** Shows another face; each keeps where it was scrolled to. */
  function show(name) {
    if (name === view) return;
    menu.close();
    faces[view].scrolled = scroller.scrollTop;
    view = name;
    failure = null;
    for (const [other, face] of Object.entries(faces)) face.root.hidden = other !== name;
    byId("archive-bar").hidden = name !== "archived";
    byId("open-archive").hidden = name === "archived";
    draw();
    scroller.scrollTop = faces[name].scrolled;
    watchEnd();
  }

  // ---- fetching, one thing after the other

  let queue = Promise.resolve();
  let wanted = null;             // a refresh that waits for its turn

  function inTurn(task) {
    queue = queue.then(task);
    return queue;
  }

  /** Looks again at what is shown. Cheap: pages that were loaded and are not in view stay as they are. */
  function refresh() {
    wanted ??= inTurn(() => {
      wanted = null;
      return attempt(lookAgain, refresh);
    });
    return wanted;
  }

  async function lookAgain() {
    const places = [{ name: "recent" }, { name: "pinned", limit: PINNED }, view === "archived" && { name: "archived" }, placeInView()].filter(Boolean);
    const pages = await upToDate(() => Promise.all(places.map(fetchPage)));
    places.forEach(({ name, mark }, n) => known.take(name, pages[n], mark));
    markSeen();
    onListed(pages.flatMap((page) => page.conversations));
  }

  // The page that is being read, when it is not the first one.
  function placeInView() {
    const box = scroller.getBoundingClientRect();
    const elements = [8, 40, 72].map((below) => document.elementFromPoint(box.left + box.width / 2, box.top + below));
    const row = known.get(elements.map(faces[view].rows.idOf).find(Boolean));
    if (!row || view === "found" || listOf(row) !== view) return null;
    const mark = known.markOf(view, row.id);
    return mark?.cursor ? { name: view, mark, limit: 2 * PAGE } : null;
  }

  function fetchPage({ name, mark, limit = PAGE }) {
    return listConversations({ ...LISTS[name], before: mark?.cursor, limit });
  }

  // What was asked for before a change was made here does not count.
  async function upToDate(fetchAll) {
    for (;;) {
      const { version } = known;
      const result = await fetchAll();
      if (version === known.version) return result;
    }
  }

  // A failure is shown where something is missing; while there is a list, it waits for the next look.
  async function attempt(task, retry) {
    const name = view;
    const isMissing = retry !== refresh || known.frontier(name).cursor === undefined;
    const timer = setTimeout(() => { isSlow = true; draw(); }, PATIENCE);
    try {
      await task();
      if (failure?.retry !== find) failure = null;
    } catch (error) {
      if (isMissing && name === view) failure = { message: error.message, retry };
    }
    clearTimeout(timer);
    isSlow = false;
    draw();
  }

  let isLoadingMore = false;

  async function loadMore() {
    if (isLoadingMore || known.frontier(view).cursor === null) return;
    isLoadingMore = true;
    const name = view;
    await inTurn(() => attempt(() => (name === "found" ? findMore() : takeNext(name)), loadMore));
    isLoadingMore = false;
    watchEnd();
  }

  async function takeNext(name) {
    const mark = known.frontier(name);
    const page = await upToDate(() => fetchPage({ name, mark }));
    known.take(name, page, mark);
  }

  // ---- the end of the list asks for more

  const observer = new IntersectionObserver(([entry]) => {
    if (entry.isIntersecting && !failure) loadMore();
  }, { root: scroller, rootMargin: `0px 0px ${AHEAD}px 0px` });

  // An observer speaks when something changes, and once at the beginning.
  function watchEnd() {
    observer.disconnect();
    observer.observe(byId("more"));
  }

  // ---- searching

  let typing = 0;
  let searching = null;          // of the search that is on its way

  function onSearchInput() {
    clearTimeout(typing);
    if (search.value.trim() === "") find();
    else typing = setTimeout(find, TYPING);
  }

  // What was there stays until something is found.
  async function find() {
    clearTimeout(typing);
    searching?.abort();
    searching = null;
    byId("search-box").removeAttribute("aria-busy");
    query = search.value.trim();
    if (!query) return endSearch();
    const mine = searching = new AbortController();
    byId("search-box").setAttribute("aria-busy", "true");
    try {
      const page = await upToDate(() => listConversations({ q: query, limit: PAGE }, mine.signal));
      if (mine === searching) showFound(page);
    } catch (error) {
      if (mine === searching) showFound(null, error);
    }
    if (mine === searching) byId("search-box").removeAttribute("aria-busy");
  }

  function showFound(page, error) {
    known.forgetFound();
    if (page) known.takeFound(page, true);
    faces.found.scrolled = scroller.scrollTop = 0;
    show("found");
    failure = error ? { message: error.message, retry: find } : null;
    draw();
    watchEnd();
  }

  async function findMore() {
    const asked = query;
    const page = await listConversations({ q: query, before: known.frontier("found").cursor, limit: PAGE });
    if (asked === query) known.takeFound(page, false);
  }

  function endSearch() {
    if (view !== "found") return;
    show(inArchive ? "archived" : "recent");
    known.forgetFound();
  }

  function clearSearch() {
    search.value = "";
    find();
  }

  function onSearchKeydown(event) {
    if (event.isComposing || event.keyCode === 229) return;
    if (event.key === "Escape") {
      event.stopPropagation();                     // it does not stop an answer
      if (search.value) event.preventDefault();    // nor does it close the drawer, yet
      clearSearch();
    } else if (event.key === "ArrowDown") {
      event.preventDefault();
      faces[view].rows.firstLink()?.focus();
    }
  }

  function onListKeydown(event) {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step || isEditing || !faces[view].rows.idOf(event.target)) return;
    event.preventDefault();
    const link = faces[view].rows.linkBeside(event.target, step);
    if (link) link.focus();
    else if (step < 0) search.focus();
  }

  /** Puts the cursor into the search, wherever it is. */
  function focusSearch() {
    if (drawer.isNeeded) drawer.open();
    search.focus();
    search.select();
  }

  // ---- the archive

  function openArchive() {
    goTo("archived");
    byId("archive-back").focus();
    if (known.frontier("archived").cursor === undefined) loadMore();
    else refresh();
  }

  function closeArchive() {
    goTo("recent");
    byId("open-archive").focus();
  }

  // Out of a search, too.
  function goTo(name) {
    inArchive = name === "archived";
    clearSearch();
    show(name);
  }

  // ---- following a link

  async function follow(event, row) {
    if (!isPlainClick(event)) return;
    if (view !== "found" && !drawer.isOpen) return;   // the browser goes there by itself
    event.preventDefault();
    await drawer.close();
    onOpen(row.id, row.message_id ?? null);
  }

  async function startNew(event) {
    if (!isPlainClick(event)) return;
    event.preventDefault();
    await drawer.close();
    onNew();
  }

  // ---- what can be done with a conversation

  function openMenu(id, button) {
    const { title, pinned, archived } = known.get(id);
    menu.open(button, [
      { label: t("sidebar.rename"), icon: "edit", run: () => edit(id) },
      !archived && { label: t(pinned ? "sidebar.unpin" : "sidebar.pin"), icon: pinned ? "unpin" : "pin", run: () => change(id, { pinned: !pinned }) },
      { label: t(archived ? "sidebar.unarchive" : "sidebar.archive"), icon: archived ? "unarchive" : "archive", run: () => archive(id, !archived) },
      { label: t("app.delete"), icon: "trash", danger: true, run: () => remove(id) },
    ].filter(Boolean), t("sidebar.options", { title: title || t("app.untitled") }));
  }

  function openMenuAt(element) {
    const { rows } = faces[view];
    const id = rows.idOf(element);
    if (id && !isEditing && !menu.isOpen) openMenu(id, rows.item(id).menu);
  }

  function edit(id) {
    if (!known.get(id)) return;    // it went while the menu was open
    isEditing = true;
    faces[view].rows.edit(id, known.get(id).title || "", (title) => {
      isEditing = false;
      if (title !== null) change(id, { title });
      else draw();
    });
  }

  let changes = Promise.resolve();   // one after the other, so that what comes last wins

  // Shows the change at once, and takes it back with an explanation when the server refuses it. Resolves to whether it was taken.
  function change(id, what) {
    const step = known.begin(id, what);
    draw();
    changes = changes.then(() => changeConversation(id, what)).then(() => {
      step.keep();
      return true;
    }, (error) => {
      step.undo();
      if (error.status === 404) known.remove(id);
      explain("toast.notChanged", id, error);
      return false;
    });
    return changes.finally(draw);
  }

  function explain(key, id, error) {
    showToast(t(key, { title: titleOf(id) || t("app.untitled"), reason: error.message }), { alert: true });
  }

  async function archive(id, archived) {
    const toast = showToast(t(archived ? "toast.archived" : "toast.unarchived"), {
      action: { label: t("app.undo"), run: () => change(id, { archived: !archived }) },
    });
    if (!await change(id, { archived })) toast.end();
  }

  const leaving = new Set();     // notes of deletions that can still be undone

  /** Deletes without a question: the server hears of it when it can no longer be undone. */
  function remove(id) {
    const wasOpen = id === current;
    known.remove(id);
    draw();
    onDeleted(id);
    const toast = showToast(t("toast.deleted"), {
      action: { label: t("app.undo"), run: () => { leaving.delete(toast); bringBack(id, wasOpen); } },
      onEnd: () => { leaving.delete(toast); erase(id); },
    });
    leaving.add(toast);
  }

  function bringBack(id, wasOpen) {
    known.restore(id);
    draw();
    if (wasOpen && current === null) onOpen(id, null);
  }

  async function erase(id) {
    try {
      await deleteConversation(id);
    } catch (error) {
      if (error.status !== 404) {
        bringBack(id, false);
        explain("toast.notDeleted", id, error);
        return;
      }
    }
    onErased(id);
  }

  // ---- what others ask

  /** Marks the open conversation; null for none. */
  function select(id) {
    current = id;
    markSeen();
    draw();
  }

  function markSeen() {
    if (document.hidden || !known.get(current)?.unread) return;
    known.set(current, { unread: false });
    changeConversation(current, { unread: false }).catch(() => {});   // it stays unread, and the next look tries again
  }

  /** Something was said in this conversation: it is the newest now. */
  function bump(id) {
    known.bump(id);
    draw();
    return refresh();
  }

  /** "streaming", "done" and so on, as soon as the page knows it. */
  function setStatus(id, status) {
    known.set(id, { status });
    draw();
  }

  function titleOf(id) {
    return known.get(id)?.title ?? null;
  }

  /** Lets people change a title, wherever the conversation is in the list. */
  async function rename(id) {
    try {
      if (!known.get(id)) known.add(await getConversation(id));
    } catch (error) {
      return showToast(error.message, { alert: true });
    }
    if (drawer.isNeeded) drawer.open();
    goTo(known.get(id).archived ? "archived" : "recent");
    draw();
    faces[view].rows.item(id).element.scrollIntoView({ block: "nearest" });
    edit(id);
  }

  for (const link of [byId("new"), byId("new-phone")]) link.addEventListener("click", startNew);
  for (const face of Object.values(faces)) onMenuWanted(face.root, openMenuAt);
  scroller.addEventListener("keydown", onListKeydown);
  search.addEventListener("input", onSearchInput);
  search.addEventListener("keydown", onSearchKeydown);
  byId("search-clear").addEventListener("click", () => { clearSearch(); search.focus(); });
  byId("more").addEventListener("click", () => (failure ? failure.retry() : loadMore()));
  byId("open-archive").addEventListener("click", openArchive);
  byId("archive-back").addEventListener("click", closeArchive);
  addEventListener("pagehide", () => { for (const toast of [...leaving]) toast.end(); });
  addEventListener("online", refresh);
  watchEnd();

  /** What the list knows of a conversation, or undefined. */
  const rowOf = (id) => known.get(id);

  return { refresh, select, bump, titleOf, rowOf, rename, remove, focusSearch, setStatus };
}
