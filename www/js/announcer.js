// Reads answers out to screen readers: each finished paragraph once, never single words, at most one a second; or only the end; or nothing.
// Neighbours: conversation.js has the paragraphs, dom.js announce() says the other states, preferences.js lets people choose.

import { announce, byId, h } from "./dom.js";
import { t } from "./i18n.js";
import { getSetting } from "./settings.js";

const EVERY = 1000;        // ms between two paragraphs
const KEPT = 20_000;       // ms that a paragraph stays in the region

/** Returns {begun(), block(text), complete(), clear()}. */
export function createAnnouncer() {
  const log = byId("log");
  let waiting = [];
  let timer = 0;

  function begun() {
    if (getSetting("announce") === "blocks") announce(t("say.answering"));
  }

  function complete() {
    if (getSetting("announce") !== "off") announce(t("say.done"));
  }

  function block(text) {
    if (getSetting("announce") !== "blocks" || !text.trim()) return;
    waiting.push(text);
    timer ||= setTimeout(say, 50);
  }

  // What has piled up meanwhile is read as one.
  function say() {
    const line = h("p", {}, waiting.join("\n"));
    waiting = [];
    log.append(line);
    setTimeout(() => line.remove(), KEPT);
    timer = setTimeout(() => {
      timer = 0;
      if (waiting.length > 0) say();
    }, EVERY);
  }

  function clear() {
    waiting = [];
    clearTimeout(timer);
    timer = 0;
    log.replaceChildren();
  }

  return { begun, block, complete, clear };
}
