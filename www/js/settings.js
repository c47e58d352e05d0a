// What somebody has chosen in this browser: one JSON object in localStorage, with defaults for what is missing.
// Neighbours: preferences.js lets people choose; boot.js reads the colour scheme and the language from the same object before anything is painted.
// Leaves out: what belongs to one conversation (its metadata on the server), and drafts (composer.js).

/** The name under which something is kept in this browser for this installation (boot.js). */
export const storeKey = (name) => (globalThis.document?.documentElement.dataset.store ?? "parley.") + name;

const KEY = storeKey("settings");

const DEFAULTS = {
  scheme: "system",       // "light" and "dark" do not follow the system
  language: "",           // a language tag; "" follows the browser
  enterSends: true,       // false: Enter is a new line, Ctrl+Enter or Command+Enter sends
  shortcuts: true,        // keys such as "/" and Ctrl+K (WCAG 2.1.4: they can be switched off)
  announce: "blocks",     // what screen readers are told of an answer: each paragraph, its "end", or nothing ("off")
  debug: null,            // the panel of events; null: as the server says, see isDebugOn
  model: "",              // for new conversations; "" is the server's own choice
  userSettings: {},       // values of the form in /api/config
};

const listeners = [];
let values = read();
let unkept = {};          // what storage did not take: full or forbidden, it lasts as long as the page

/** The value somebody chose, or the default. */
export function getSetting(name) {
  return values[name] ?? DEFAULTS[name];
}

/** Whether the panel of events is wanted: by choice, otherwise by /api/config. */
export function isDebugOn(config) {
  return getSetting("debug") ?? config?.debug_mode === true;
}

/** Keeps a value, for all pages of this browser. */
export function setSetting(name, value) {
  values = { ...read(), ...unkept, [name]: value };
  try {
    localStorage.setItem(KEY, JSON.stringify(values));
    unkept = {};
  } catch {
    unkept = { ...unkept, [name]: value };
  }
  tell(name);
}

/** `callback(value)` runs when the setting changes, here or in another tab. */
export function onSetting(name, callback) {
  listeners.push({ name, callback });
}

function tell(name) {
  for (const listener of listeners) if (listener.name === name) listener.callback(getSetting(name));
}

function read() {
  try {
    const found = JSON.parse(localStorage.getItem(KEY) ?? "{}");
    return found && typeof found === "object" ? found : {};
  } catch {
    return {};
  }
}

globalThis.addEventListener?.("storage", (event) => {
  if (event.key !== KEY) return;
  const before = values;
  values = read();
  for (const name of Object.keys(DEFAULTS)) if (JSON.stringify(before[name]) !== JSON.stringify(values[name])) tell(name);
});
