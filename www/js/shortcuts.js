// Keys of the whole page: which of them a key press is, how they are written, and the dialog that lists them.
// Neighbours: panels.js has the list [{keys, label, run}] and runs what is found; keys.js knows input methods. Tested by tests/browser/shortcuts.test.js.
// Leaves out: keys of one control. This file is there from the beginning: what the dialog needs is fetched when it opens.
//
// Keys are written "mod+k", "mod+shift+o", "alt+arrowup", "escape", "/" or "?": "mod" is Command on a Mac and Ctrl elsewhere.

import { h, insist } from "./dom.js";
import { t } from "./i18n.js";
import { isComposing } from "./keys.js";
import { getSetting, onSetting } from "./settings.js";

const fetchDialog = insist((again) => import(`./dialog.js${again}`), []);
const IS_MAC = /Mac|iP(hone|ad|od)/.test(globalThis.navigator?.platform ?? "");
const WRITTEN = { arrowup: "↑", arrowdown: "↓", arrowleft: "←", arrowright: "→" };
const NAMED = ["enter", "escape", "alt", "shift", "ctrl"];
const MAC = { mod: "⌘", alt: "⌥", shift: "⇧" };
const ARIA = { arrowup: "ArrowUp", arrowdown: "ArrowDown", escape: "Escape", enter: "Enter", alt: "Alt", shift: "Shift" };
const NO_TEXT = ["checkbox", "radio", "button", "submit", "reset", "range", "color", "file", "image"];

/**
 * The shortcut that this key press is, or null. Never while an input method is at work; a single character not while somebody writes, an arrow not
 * where text stands, in which Option moves the cursor on a Mac; with `isOn` false only Escape.
 */
export function matchShortcut(event, list, { mac = IS_MAC, isOn = getSetting("shortcuts") } = {}) {
  if (event.defaultPrevented || isComposing(event)) return null;
  return list.find(({ keys }) => {
    const wanted = parse(keys);
    if (!isOn && wanted.key !== "escape") return false;
    if (isWriting(event.target) && (isCharacter(wanted) || (isArrow(wanted) && hasText(event.target)))) return false;
    return isPressed(event, wanted, mac);
  }) ?? null;
}

function parse(keys) {
  const parts = keys.toLowerCase().split("+");
  const key = parts.pop() || "+";            // "mod++"
  return { key, mod: parts.includes("mod"), shift: parts.includes("shift"), alt: parts.includes("alt") };
}

// Without Ctrl, Command or Alt it is a letter that somebody could have meant as text.
function isCharacter({ key, mod, alt }) {
  return [...key].length === 1 && !mod && !alt;
}

const isArrow = ({ key }) => key.startsWith("arrow");

function isPressed(event, { key, mod, shift, alt }, mac) {
  const [command, other] = mac ? [event.metaKey, event.ctrlKey] : [event.ctrlKey, event.metaKey];
  if (command !== mod || other || event.altKey !== alt) return false;
  const isSign = [...key].length === 1 && !/[a-z]/.test(key);      // where "?" needs Shift depends on the keyboard
  return (isSign || event.shiftKey === shift) && isKey(event, key);
}

// Keyboards of other scripts have other letters on the keys: then the place of the key counts.
function isKey(event, key) {
  if (event.key?.toLowerCase() === key) return true;
  return /^[a-z]$/.test(key) && !/^[\x20-\x7e]$/.test(event.key ?? "") && event.code === `Key${key.toUpperCase()}`;
}

function isWriting(target) {
  if (!target?.tagName) return false;
  if (target.tagName === "INPUT") return !NO_TEXT.includes(target.type);
  return ["TEXTAREA", "SELECT"].includes(target.tagName) || target.isContentEditable === true;
}

const hasText = ({ value, textContent }) => Boolean(value ?? textContent);

/** For aria-keyshortcuts: "mod+shift+o" is "Control+Shift+O". */
export function ariaKeys(keys, { mac = IS_MAC } = {}) {
  return keys.split("+").map((key) => (key === "mod" ? (mac ? "Meta" : "Control") : ARIA[key] ?? key.toUpperCase())).join("+");
}

/** Tells screen readers the keys of an element, as long as they do something. */
export function tellKeys(element, keys) {
  const tell = () => {
    if (getSetting("shortcuts") || keys === "escape") element.setAttribute("aria-keyshortcuts", ariaKeys(keys));
    else element.removeAttribute("aria-keyshortcuts");
  };
  tell();
  onSetting("shortcuts", tell);
}

/** What stands on the keys: ["Ctrl", "K"]. */
export function writtenKeys(keys, { mac = IS_MAC } = {}) {
  return keys.split("+").map((key) => writtenKey(key, mac));
}

function writtenKey(key, mac) {
  if (mac && MAC[key]) return MAC[key];
  if (key === "mod") return t("keys.ctrl");
  return NAMED.includes(key) ? t(`keys.${key}`) : WRITTEN[key] ?? key.toUpperCase();
}

// ---- the dialog

/** Lists the shortcuts; `label` of each is a key of i18n. See openDialog. */
export async function openShortcuts(list) {
  const { openDialog } = await fetchDialog();
  const rows = list.map(({ keys, label }) => h("tr", {}, h("th", { scope: "row" }, t(label)), h("td", {}, ...createKeys(keys))));
  const table = h("table", { class: "keys-table" },
    h("caption", { class: "unseen" }, t("keys.title")),
    h("thead", { class: "unseen" }, h("tr", {}, h("th", { scope: "col" }, t("keys.action")), h("th", { scope: "col" }, t("keys.keys")))),
    h("tbody", {}, ...rows));
  const note = h("p", { class: "keys-note" }, t(getSetting("shortcuts") ? "keys.on" : "keys.off"));
  return openDialog({ title: t("keys.title"), content: [table, note] });
}

// An arrow is a picture: screen readers get its name.
function createKeys(keys) {
  const parts = keys.split("+");
  return writtenKeys(keys).flatMap((written, at) => {
    const kbd = WRITTEN[parts[at]]
      ? h("kbd", {}, h("span", { "aria-hidden": "true" }, written), h("span", { class: "unseen" }, t(`keys.${parts[at]}`)))
      : h("kbd", {}, written);
    return at === 0 ? [kbd] : [" ", kbd];
  });
}
