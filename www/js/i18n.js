// The words of the page in the reader's language: texts by key out of i18n/LANGUAGE.json, numbers, times and lists as that language writes them.
// Neighbours: boot.js has chosen the language (<html lang>); every module that says something asks t(). Tested by tests/browser/i18n.test.js.
// Leaves out: what models say, and what the server says in errors.
//
// A text may hold {names}, and may be an object of plural forms {one, other, …} chosen by {count} (Intl.PluralRules). A key that a language lacks is English.

const FALLBACK = "en";

/** The languages there are, by the names that their speakers use. */
export const LANGUAGES = { en: "English", de: "Deutsch", fr: "Français", es: "Español", zh: "中文", ar: "العربية" };

let language = FALLBACK;
let texts = {};
let fallback = {};
const englishPlural = new Intl.PluralRules(FALLBACK);
let plural = englishPlural;

/** Fetches the texts of `tag`. Never fails: without them the page speaks English, and without that in keys. */
export async function loadTexts(tag = document.documentElement.lang) {
  const [own, english] = await Promise.all([tag === FALLBACK ? {} : fetchTexts(tag), fetchTexts(FALLBACK)]);
  useTexts(tag, own, english);
}

async function fetchTexts(tag) {
  try {
    const response = await fetch(new URL(`../i18n/${tag}.json`, import.meta.url));
    return response.ok ? await response.json() : {};
  } catch {
    return {};
  }
}

/** Takes these texts from now on. */
export function useTexts(tag, own, english = {}) {
  language = tag;
  texts = own;
  fallback = english;
  plural = new Intl.PluralRules(tag);
}

/** The text of a key with its {names} filled in. */
export function t(key, values = {}) {
  const form = formOf(texts[key], values, plural) ?? formOf(fallback[key], values, englishPlural);
  return form === undefined ? key : fill(form, values);
}

function formOf(text, { count }, rules) {
  if (typeof text !== "object") return text;          // undefined, where there is none
  return text[rules.select(count ?? 0)] ?? text.other;
}

function fill(text, values) {
  return text.replace(/\{(\w+)\}/g, (whole, name) => {
    if (!(name in values)) return whole;
    return typeof values[name] === "number" ? formatNumber(values[name]) : isolate(String(values[name]));
  });
}

// Where both directions of writing meet, what is filled in keeps its own and leaves the sentence around it alone (Unicode TR 9, 2.4: FSI, PDI).
function isolate(value) {
  const mixes = language === "ar" ? /(?![\p{Script=Arabic}\p{Script=Hebrew}])\p{L}/u : /[\p{Script=Arabic}\p{Script=Hebrew}]/u;
  return mixes.test(value) ? `\u2068${value}\u2069` : value;
}

/** Puts the texts into elements that name a key: data-t (text), data-t-label, data-t-placeholder, data-t-title. */
export function translate(root) {
  if (language === FALLBACK) return;         // index.html is written in English
  each(root, "data-t", (element, text) => { element.textContent = text; });
  each(root, "data-t-label", (element, text) => { element.setAttribute("aria-label", text); });
  each(root, "data-t-placeholder", (element, text) => { element.setAttribute("placeholder", text); });
  each(root, "data-t-title", (element, text) => { element.setAttribute("title", text); });
}

function each(root, attribute, put) {
  for (const element of root.querySelectorAll(`[${attribute}]`)) put(element, t(element.getAttribute(attribute)));
}

// ---- numbers, money, times

const formatters = new Map();       // making one takes longer than using it a hundred times

function formatterOf(Kind, options = {}) {
  const key = `${language} ${Kind.name} ${JSON.stringify(options)}`;
  if (!formatters.has(key)) formatters.set(key, new Kind(language, options));
  return formatters.get(key);
}

export function formatNumber(number, options) {
  return formatterOf(Intl.NumberFormat, options).format(number);
}

/** US dollars; small amounts keep two digits that count. */
export function formatMoney(usd) {
  const digits = usd !== 0 && Math.abs(usd) < 0.1 ? { maximumSignificantDigits: 2 } : { minimumFractionDigits: 2, maximumFractionDigits: 2 };
  return formatNumber(usd, { style: "currency", currency: "USD", currencyDisplay: "narrowSymbol", ...digits });
}

export function formatTime(date) {
  return formatterOf(Intl.DateTimeFormat, { hour: "numeric", minute: "2-digit" }).format(date);
}

export function formatDateTime(date) {
  return formatterOf(Intl.DateTimeFormat, { dateStyle: "medium", timeStyle: "short" }).format(date);
}

export function formatDay(date, options = { weekday: "long", day: "numeric", month: "long" }) {
  return formatterOf(Intl.DateTimeFormat, options).format(date);
}

export function formatList(items) {
  return formatterOf(Intl.ListFormat).format(items);
}
