// A menu at a button: a popover with arrow keys, one at a time.
// Neighbours: sidebar.js opens it for a conversation. The look is in css/sidebar.css.
// Leaves out: menus inside menus, choices with a tick.

import { h, icon } from "./dom.js";

const GAP = 4;                // px between button and menu, and between menu and the edge of the window

/**
 * `host` is the element that menus are put into (inside a modal dialog nothing outside it can be used); `onClosed()` runs after each one.
 * `open(button, entries, name)` shows [{label, icon, run, danger}]; for the button of an open menu it closes it. `isOpen`.
 */
export function createMenu(host, { onClosed }) {
  // Not an "auto" popover: one that opens between pressing and releasing, as by a right click or a long press, would be closed by the release.
  const element = h("div", { class: "menu", popover: "manual", role: "menu", onkeydown: onKeydown });
  let button = null;
  let placedAt = 0;             // where the button was when the menu was put beside it

  function open(opener, entries, name) {
    const isSame = opener === button;
    close();
    if (isSame) return;
    button = opener;
    element.setAttribute("aria-label", name);
    element.replaceChildren(...entries.map(createEntry));
    element.showPopover();
    place();
    button.setAttribute("aria-expanded", "true");
    element.firstChild.focus({ preventScroll: true });
  }

  function createEntry({ label, icon: name, run, danger }) {
    const choose = () => { close(); run(); };
    return h("button", { type: "button", role: "menuitem", tabindex: "-1", class: danger ? "menu-entry danger" : "menu-entry", onclick: choose }, icon(name), label);
  }

  // Below the button with the ends in line, or above it where there is no room.
  function place() {
    const at = button.getBoundingClientRect();
    placedAt = at.top;
    const { offsetWidth: width, offsetHeight: height } = element;
    const left = document.dir === "rtl" ? at.left : at.right - width;
    const top = at.bottom + GAP + height > innerHeight ? at.top - GAP - height : at.bottom + GAP;
    element.style.left = `${Math.max(GAP, Math.min(left, innerWidth - width - GAP))}px`;
    element.style.top = `${Math.max(GAP, top)}px`;
  }

  // The focus goes back to the button first, so that whoever acts finds it there.
  function close() {
    if (!button) return;
    const opener = button;
    button = null;
    opener.setAttribute("aria-expanded", "false");
    if (element.contains(document.activeElement)) opener.focus({ preventScroll: true });
    element.hidePopover();
    onClosed();
  }

  function closeOutside(event) {
    if (button && !element.contains(event.target) && !button.contains(event.target)) close();
  }

  // Scrolling that has only been told of now is none.
  function closeMoved(event) {
    if (button && Math.abs(button.getBoundingClientRect().top - placedAt) > 1) closeOutside(event);
  }

  function onKeydown(event) {
    const entries = [...element.children];
    const at = entries.indexOf(document.activeElement);
    const wanted = { ArrowDown: (at + 1) % entries.length, ArrowUp: (at - 1 + entries.length) % entries.length, Home: 0, End: entries.length - 1 }[event.key];
    if (wanted !== undefined) entries[wanted].focus();
    else if (event.key === "Escape" || event.key === "Tab") close();
    if (wanted !== undefined || event.key === "Escape") event.preventDefault();
    if (event.key === "Escape") event.stopPropagation();
  }

  host.append(element);
  host.addEventListener("scroll", closeMoved, true);
  document.addEventListener("pointerdown", closeOutside, true);
  addEventListener("resize", close);
  return { open, close, get isOpen() { return button !== null; } };
}

const LONG = 500;             // ms that a finger rests
const STILL = 10;             // px that it may move meanwhile

/**
 * Calls `run(element)` for what inside `root` is asked for its menu: by a right click, the menu key or a long press. With Shift the
 * browser's own menu comes.
 */
export function onMenuWanted(root, run) {
  let press = null;              // {x, y, timer} of a finger
  let isDone = false;            // the press was long: its click does not count

  function forget() {
    clearTimeout(press?.timer);
    press = null;
  }

  root.addEventListener("contextmenu", (event) => {
    if (event.shiftKey) return;
    event.preventDefault();
    forget();
    if (!isDone) run(event.target);
    isDone = event.pointerType === "touch";
  });
  // Not every phone says contextmenu.
  root.addEventListener("pointerdown", (event) => {
    forget();
    isDone = false;
    if (event.pointerType !== "touch") return;
    press = { x: event.clientX, y: event.clientY, timer: setTimeout(() => { isDone = true; run(event.target); }, LONG) };
  });
  root.addEventListener("pointermove", (event) => {
    if (press && Math.hypot(event.clientX - press.x, event.clientY - press.y) > STILL) forget();
  });
  for (const type of ["pointerup", "pointercancel"]) root.addEventListener(type, forget);
  root.addEventListener("click", (event) => {
    if (!isDone) return;
    isDone = false;
    event.preventDefault();
    event.stopPropagation();
  }, true);
}
