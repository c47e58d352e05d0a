// How this installation calls itself and looks: title, logo, favicon, welcome and starter questions out of /api/config, and its theme.
// Neighbours: chat.js hands the configuration on; boot.js links the theme before painting, next time. docs/theme.md says what can be set.
// Leaves out: colours (the theme is a style sheet of the server).

import { byId, h } from "./dom.js";
import { addressOf } from "./api.js";
import { createMarkdown } from "./markdown.js";
import { t } from "./i18n.js";
import { storeKey } from "./settings.js";

const KEY = storeKey("look");
const NAME = "Parley";

/** What is used until the server has answered: nothing is shown that it may have switched off. */
export const NO_CONFIG = { feedback: { like: { enabled: false }, dislike: { enabled: false } }, customization: null, user_settings: { form: null }, show_usage: false, debug_mode: false, conversation_history: true, parley: {} };

/** Shows what the configuration says. `onStart(text)` runs when a starter question is chosen. Returns {pageTitle}. */
export function applyLook(config, { onStart }) {
  const { header = {}, welcome_message: welcome, starter_questions: starters, meta = {} } = config.customization ?? {};
  if (header?.title) for (const element of document.querySelectorAll("[data-brand]")) element.textContent = header.title;
  if (header?.subtitle) {
    byId("subtitle").textContent = header.subtitle;
    byId("subtitle").hidden = false;
  }
  if (header?.logo) showLogo(header.logo);
  showFavicon(meta?.favicon || header?.logo);
  if (welcome) showWelcome(welcome);
  showStarters(starters ?? [], onStart);
  linkTheme(config.parley?.theme === true);
  return { pageTitle: meta?.page_title || header?.title || NAME };
}

// An address, or else an emoji or letters to be drawn as they are.
const isAddress = (text) => /^(https?:|data:image\/|\.{0,2}\/)/i.test(text) || /^[^\s]+\.(svg|png|jpe?g|webp|gif|ico)$/i.test(text);

// Only what this host has, or what is in the text itself: nothing is fetched from elsewhere.
function ownAddress(text) {
  try {
    const url = new URL(text, new URL(".", document.baseURI));
    return url.origin === location.origin || url.protocol === "data:" ? url.href : null;
  } catch {
    return null;
  }
}

function showLogo(logo) {
  for (const place of document.querySelectorAll("[data-logo]")) {
    const address = isAddress(logo) ? ownAddress(logo) : null;
    if (isAddress(logo) && !address) return;
    place.replaceChildren(address ? h("img", { src: address, alt: "" }) : h("span", { class: "logo-text", "aria-hidden": "true" }, logo));
  }
}

function showFavicon(favicon) {
  if (!favicon) return;
  const address = isAddress(favicon) ? ownAddress(favicon) : emojiAddress(favicon);
  if (!address) return;
  for (const link of document.querySelectorAll('link[rel="icon"]')) {
    link.removeAttribute("type");       // ours is SVG, theirs may be anything
    link.href = address;
  }
}

function emojiAddress(text) {
  const escaped = text.replace(/[<>&"]/g, "");
  return `data:image/svg+xml,${encodeURIComponent(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 100 100"><text y=".9em" font-size="90">${escaped}</text></svg>`)}`;
}

function showWelcome(text) {
  const markdown = createMarkdown();
  markdown.set(text);
  markdown.finish();
  for (const heading of markdown.element.querySelectorAll("h3, h4, h5, h6")) heading.ariaLevel = (heading.ariaLevel ?? heading.tagName[1]) - 1;     // no heading of a message stands above
  byId("welcome-words").replaceChildren(markdown.element);
}

function showStarters(questions, onStart) {
  const place = byId("starters");
  place.hidden = questions.length === 0;
  place.setAttribute("aria-label", t("welcome.starters"));
  place.replaceChildren(...questions.map((text) => h("button", { class: "chip", type: "button", dir: "auto", onclick: () => onStart(text) }, text)));
}

// The theme's style sheet, now and before the first painting of the next visit.
function linkTheme(has) {
  const link = byId("theme");
  const address = addressOf("api/theme");
  if (has && link && link.href !== address) link.href = address;
  if (has && !link) document.head.append(h("link", { rel: "stylesheet", href: address, id: "theme" }));
  if (!has) link?.remove();
  try {
    if (has) localStorage.setItem(KEY, JSON.stringify({ theme: address }));
    else localStorage.removeItem(KEY);
  } catch { /* then it comes a little later the next time too */ }
}
