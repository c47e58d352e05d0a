// Where the sidebar stands: beside the conversation, or on narrow screens in a dialog that comes from the side. The dialog brings its own
// focus rules and Esc; an entry in the browser's history makes the back button close it.
// Neighbours: sidebar.js. Leaves out: what is in the sidebar.

import { byId } from "./dom.js";

const PATIENCE = 1000;         // ms for the browser's history

export function createDrawer() {
  const dialog = byId("drawer");
  const sidebar = byId("sidebar");
  const wide = matchMedia("(min-width: 48rem)");
  let leaving = null;            // the way back in the browser's history
  const hasEntry = () => Boolean(history.state?.drawer);

  async function open() {
    if (leaving) await leaving;  // it would close what opens now
    if (dialog.open) return;
    if (!hasEntry()) history.pushState({ drawer: true }, "");
    show();
  }

  function show() {
    dialog.append(sidebar);
    dialog.showModal();
  }

  /** Closes it; resolves when the browser's history is where it was, so that going on from there is safe. */
  async function close() {
    if (dialog.open) dialog.close();
    if (hasEntry()) await (leaving ??= goBack());
  }

  function goBack() {
    history.back();
    return new Promise((resolve) => {
      const done = () => { leaving = null; resolve(); };
      addEventListener("popstate", done, { once: true });
      setTimeout(done, PATIENCE);
    });
  }

  byId("drawer-open").addEventListener("click", open);
  byId("drawer-close").addEventListener("click", close);
  dialog.addEventListener("click", (event) => { if (event.target === dialog) close(); });
  dialog.addEventListener("close", () => { byId("aside").append(sidebar); close(); });
  wide.addEventListener("change", close);
  addEventListener("popstate", () => {
    if (!hasEntry()) dialog.close();
    else if (!dialog.open && !wide.matches) show();
  });

  return { open, close, get isOpen() { return dialog.open; }, get isNeeded() { return !wide.matches; } };
}
