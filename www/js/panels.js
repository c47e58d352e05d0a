// Dialogs and panels that are fetched when somebody opens them, the buttons that open them, and the keys of the page.
// Neighbours: preferences.js, usage.js, debug.js and forms.js are what is fetched; shortcuts.js knows keys; chat.js says what the keys do.
// Leaves out: what is in them.

import { byId, insist } from "./dom.js";
import { t } from "./i18n.js";
import { getSetting, isDebugOn, onSetting } from "./settings.js";
import { matchShortcut, openShortcuts, tellKeys } from "./shortcuts.js";
import { showToast } from "./toast.js";

const fetchPreferences = insist((again) => import(`./preferences.js${again}`), []);
const fetchUsage = insist((again) => import(`./usage.js${again}`), []);
const fetchForms = insist((again) => import(`./forms.js${again}`), []);
const fetchDebug = insist((again) => import(`./debug.js${again}`), []);

const KEPT = 2000;       // events of which a panel that is opened later still knows

/** `config()` gives the configuration of the server. */
export function createPanels({ config }) {
  const toggle = byId("debug-toggle");
  const recent = [];
  let conversation = null;  // the id of the open one; of another one the events are not told
  let debug = null;         // the panel of events, once it was opened
  let isAsking = false;     // the form of a like or dislike is open
  let shortcuts = [];

  // ---- dialogs

  const openPreferences = single(async () => {
    const module = await toldIfMissing(fetchPreferences());
    await module?.openPreferences({ config: config() }).closed;
  });

  const openUsage = single(async () => {
    const module = await toldIfMissing(fetchUsage());
    await module?.openUsage().closed;
    if (module && location.hash === "#usage") history.replaceState(null, "", location.pathname + location.search);
  });

  const openKeys = single(async () => {
    const dialog = await toldIfMissing(openShortcuts(shortcuts));
    await dialog?.closed;
  });

  /** What goes with a like or dislike: {} at once, the values of the form that the server wants filled in, or null if somebody would rather not, or cannot. */
  async function askFeedback(kind) {
    const schema = config().feedback?.[kind]?.form;
    if (!schema) return {};
    if (isAsking) return null;
    isAsking = true;
    try {
      const module = await toldIfMissing(fetchForms());
      return await module?.openFormDialog({ title: schema.title || t(`actions.${kind}`), schema, values: {}, submitLabel: t("form.send") }) ?? null;
    } finally {
      isAsking = false;
    }
  }

  // ---- the panel of events

  /** An event of the open answer. */
  function record(event) {
    if (!isDebugOn(config())) return;
    const entry = { type: event.type, id: event.pos, data: event.data, at: Date.now() };
    recent.push(entry);
    if (recent.length > KEPT) recent.shift();
    debug?.add(entry);
  }

  /** Another conversation is open now; or a new one, which was null, has got its id. */
  function setConversation(id) {
    if (conversation !== null && id !== conversation) recent.length = 0;
    conversation = id;
    debug?.setConversation(id);
  }

  const openDebug = single(async () => {
    toggle.setAttribute("aria-pressed", "true");
    const module = await toldIfMissing(fetchDebug());
    if (!module || toggle.hidden) return toggle.setAttribute("aria-pressed", "false");      // it may be switched off by now
    debug = module.createDebugPanel({ onClose: closeDebug });
    debug.setConversation(conversation);
    for (const entry of recent) debug.add(entry);
    byId("shell").append(debug.element);
  });

  function closeDebug() {
    debug?.element.remove();
    debug = null;
    toggle.setAttribute("aria-pressed", "false");
    toggle.focus();
  }

  function showDebugToggle() {
    toggle.hidden = !isDebugOn(config());
    if (toggle.hidden && debug) closeDebug();
  }

  /** The configuration is there. */
  function configured() {
    byId("open-usage").hidden = config().show_usage === false;
    const { user } = config().parley ?? {};
    if (user) {
      byId("user-name").textContent = user;
      byId("user-name").hidden = false;
    }
    showDebugToggle();
  }

  // ---- keys

  /** `run` has what they do. */
  function bindShortcuts(run) {
    shortcuts = [
      { keys: "mod+k", label: "keys.search", run: run.search },
      { keys: "mod+shift+o", label: "keys.new", run: run.startNew },
      { keys: "/", label: "keys.box", run: run.focusBox },
      { keys: "escape", label: "keys.stop", run: run.stop },
      { keys: "alt+arrowup", label: "keys.previous", run: () => run.step(-1) },
      { keys: "alt+arrowdown", label: "keys.next", run: () => run.step(1) },
      { keys: "mod+shift+m", label: "keys.model", run: run.pickModel },
      { keys: "?", label: "keys.list", run: openKeys },
    ];
    tellKeys(byId("search"), "mod+k");
    tellKeys(byId("new"), "mod+shift+o");
    tellKeys(byId("stop"), "escape");
    document.addEventListener("keydown", (event) => {
      if (document.querySelector("dialog[open], :popover-open")) return;
      const found = matchShortcut(event, shortcuts, { isOn: getSetting("shortcuts") });
      if (!found) return;
      if (found.keys !== "escape") event.preventDefault();
      found.run();
    });
  }

  byId("open-preferences").addEventListener("click", openPreferences);
  byId("open-usage").addEventListener("click", openUsage);
  toggle.addEventListener("click", () => (debug ? closeDebug() : openDebug()));
  onSetting("debug", showDebugToggle);
  return { openUsage, openPreferences, askFeedback, record, setConversation, configured, bindShortcuts };
}

// While it runs, which is until the dialog is closed, another call opens nothing.
function single(run) {
  let running = null;
  return () => (running ??= run().finally(() => { running = null; }));
}

// What a promise of something fetched gives; null, with a note that says so, where it cannot be had.
async function toldIfMissing(promise) {
  try {
    return await promise;
  } catch {
    showToast(t("error.network"), { alert: true });
    return null;
  }
}
