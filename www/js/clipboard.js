// Copies text, also where the page is served by plain http and browsers offer no clipboard. Neighbours: actions.js, code.js, debug.js.

/** Resolves to whether it worked. Call it from a click. */
export async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copyBySelection(text);
  }
}

function copyBySelection(text) {
  const box = document.createElement("textarea");
  const focused = document.activeElement;
  box.value = text;
  box.className = "unseen";
  box.readOnly = true;
  box.style.whiteSpace = "pre";        // or indentation would be lost
  (document.querySelector("dialog[open]") ?? document.body).append(box);
  box.select();
  let copied = false;
  try {
    copied = document.execCommand("copy");
  } catch { /* not here either */ }
  box.remove();
  focused?.focus?.();
  return copied;
}
