// What a key press in a box for text means. Pure. Neighbours: composer.js, editor.js. Tested by tests/browser/keys.test.js.
// Leaves out: shortcuts of the whole page (shortcuts.js).

import { getSetting } from "./settings.js";

/** An input method is at work: its keys are not ours. Safari says so only by the code 229 when Enter confirms. */
export function isComposing(event) {
  return event.isComposing || event.keyCode === 229;
}

/** Whether this key sends what was written. On touch screens Enter is a new line, as on all their keyboards. */
export function sendsBy(event, { isTouch = matchMedia("(pointer: coarse)").matches, enterSends = getSetting("enterSends") } = {}) {
  if (event.key !== "Enter" || event.shiftKey || event.altKey) return false;
  return event.ctrlKey || event.metaKey || (enterSends && !isTouch);
}
