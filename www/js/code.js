// Code: a block with its language, Copy and Wrap, coloured by highlight.js, which is fetched with the language when the first block of it is complete;
// and what code inside a sentence shares with it. Neighbours: render.js makes them; clipboard.js; css/answer.css has the colours; vendor/highlight.js.
// Leaves out: guessing a language. A label that is not known here, or a long text, stays plain.

import { announce, h, icon, insist } from "./dom.js";
import { copyText } from "./clipboard.js";
import { t } from "./i18n.js";

const LONGEST = 50_000;        // characters that are coloured
const SAID = 1500;             // ms that a button says "Copied"

// What is in vendor/languages/, by the name people read.
const LANGUAGES = {
  bash: "Bash", c: "C", cpp: "C++", csharp: "C#", css: "CSS", diff: "Diff", dockerfile: "Dockerfile", go: "Go", ini: "INI", java: "Java", javascript: "JavaScript",
  json: "JSON", kotlin: "Kotlin", lua: "Lua", makefile: "Makefile", markdown: "Markdown", perl: "Perl", php: "PHP", powershell: "PowerShell", python: "Python",
  ruby: "Ruby", rust: "Rust", shell: "Shell session", sql: "SQL", swift: "Swift", typescript: "TypeScript", xml: "XML", yaml: "YAML",
};
const ALIASES = {
  sh: "bash", zsh: "bash", h: "c", "c++": "cpp", cc: "cpp", hpp: "cpp", cxx: "cpp", "c#": "csharp", cs: "csharp", scss: "css", less: "css", patch: "diff",
  docker: "dockerfile", golang: "go", toml: "ini", conf: "ini", dotenv: "ini", env: "ini", js: "javascript", jsx: "javascript", mjs: "javascript", cjs: "javascript",
  node: "javascript", jsonc: "json", json5: "json", jsonl: "json", kt: "kotlin", make: "makefile", mk: "makefile", md: "markdown", pl: "perl", ps1: "powershell",
  pwsh: "powershell", ps: "powershell", py: "python", python3: "python", pycon: "python", rb: "ruby", rs: "rust", console: "shell", shellsession: "shell",
  terminal: "shell", postgresql: "sql", postgres: "sql", mysql: "sql", sqlite: "sql", plsql: "sql", ts: "typescript", tsx: "typescript", html: "xml", xhtml: "xml",
  svg: "xml", vue: "xml", rss: "xml", yml: "yaml",
};
const SHOWN = { html: "HTML", svg: "SVG", vue: "Vue", scss: "SCSS", less: "Less", toml: "TOML", jsx: "JSX", tsx: "TSX", text: "", txt: "", plain: "", plaintext: "" };
const INSIDE = { xml: ["css", "javascript"], shell: ["bash"], php: ["xml"] };       // languages that stand inside others

// Marks that turn the direction of text around: code can look like something else than it is ("Trojan Source").
const TURNS = /[\u061C\u200E\u200F\u202A-\u202E\u2066-\u2069]/;
const EACH_TURN = new RegExp(`(${TURNS.source})`);

/** The id of a language by the label of a code block, or null. */
export function languageOf(label) {
  const name = label.toLowerCase();
  const id = Object.hasOwn(ALIASES, name) ? ALIASES[name] : name;
  return Object.hasOwn(LANGUAGES, id) ? id : null;
}

/** How a label is shown; "" for plain text. */
export function nameOf(label) {
  const name = label.toLowerCase();
  if (Object.hasOwn(SHOWN, name)) return SHOWN[name];
  return LANGUAGES[languageOf(label)] ?? label.slice(0, 30);
}

/** Code inside a sentence. */
export function inlineCode(text) {
  const element = h("code", { dir: "ltr", translate: "no" });
  appendCode(element, text);
  return element;
}

// Text with its turning marks made visible and harmless. The last text node grows.
function appendCode(parent, text) {
  if (!TURNS.test(text)) return appendText(parent, text);
  for (const part of text.split(EACH_TURN)) {
    if (part && TURNS.test(part)) parent.append(h("span", { class: "code-turn", "data-mark": markName(part) }));
    else appendText(parent, part);
  }
}

function appendText(parent, text) {
  if (!text) return;
  if (parent.lastChild?.nodeType === Node.TEXT_NODE) parent.lastChild.appendData(text);
  else parent.append(text);
}

const markName = (char) => `U+${char.charCodeAt(0).toString(16).toUpperCase().padStart(4, "0")}`;

/**
 * A block of code: {element, set({label, text, closed}), append(text), text}. While it is not closed its text grows by append();
 * colours come once, when it is.
 */
export function createCode() {
  const name = h("span", { class: "code-name" });
  const turned = h("span", { class: "code-warning", hidden: true }, t("code.turned"));
  const wrap = h("button", { type: "button", class: "code-button", "aria-pressed": "false", onclick: toggleWrap }, t("code.wrap"));
  const copy = h("button", { type: "button", class: "code-button code-copy", onclick: copyCode }, icon("copy"), h("span", {}, t("code.copy")));
  const code = h("code");
  const pre = h("pre", { dir: "ltr", translate: "no", tabindex: "0", role: "group" }, code);
  const element = h("figure", { class: "code" }, h("figcaption", { class: "code-bar" }, name, turned, wrap, copy), pre);
  let now = { label: null, text: "", closed: false };

  function set(next) {
    if (next.label !== now.label) showLabel(next.label);
    if (!next.text.startsWith(now.text) || now.closed && next.text !== now.text) {
      code.replaceChildren();
      now.text = "";
    }
    append(next.text.slice(now.text.length));
    const isComplete = next.closed && !(now.closed && next.label === now.label);
    now = next;
    if (isComplete) colour(code, next, () => now === next);
  }

  function showLabel(label) {
    name.textContent = nameOf(label) || t("code.text");
    pre.setAttribute("aria-label", nameOf(label) ? t("code.label", { language: nameOf(label) }) : t("code.plain"));
  }

  function append(piece) {
    if (!piece) return;
    now = { ...now, text: now.text + piece };
    appendCode(code, piece);
    if (TURNS.test(piece)) turned.hidden = false;
  }

  function toggleWrap() {
    const wrapped = element.classList.toggle("code-wrapped");
    wrap.setAttribute("aria-pressed", String(wrapped));
  }

  async function copyCode() {
    const said = await copyText(now.text) ? t("code.copied") : t("code.notCopied");
    announce(said);
    copy.lastChild.textContent = said;
    setTimeout(() => { copy.lastChild.textContent = t("code.copy"); }, SAID);
  }

  return { element, set, append, get text() { return now.text; } };
}

// --- colours

let core = null;
const loading = new Map();      // by language: what fetches it
const loaded = new Set();

function colour(code, { label, text }, isCurrent) {
  const language = languageOf(label);
  if (!language || text.length > LONGEST) return;
  if (loaded.has(language)) showTree(code, language, text);
  else loadLanguage(language).then((isThere) => isThere && isCurrent() && showTree(code, language, text));
}

/** Fetches highlight.js and a language, unless it is there. Resolves to whether it is. */
export function loadLanguage(language) {
  if (!loading.has(language)) loading.set(language, insist((again) => fetchLanguage(language, again)));
  return loading.get(language)().then(() => true, () => false);
}

// Another try may bring highlight.js again: the first one has the languages.
async function fetchLanguage(language, again) {
  const names = [language, ...(INSIDE[language] ?? [])];
  const [highlight, ...grammars] = await Promise.all([import(`../vendor/highlight.js${again}`), ...names.map((name) => import(`../vendor/languages/${name}.js${again}`))]);
  core ??= highlight.default;
  for (const [at, grammar] of grammars.entries()) core.registerLanguage(names[at], grammar.default);
  loaded.add(language);
}

// Out of the tokens that highlight.js keeps beside its HTML: a private field, tests/browser/code.test.js notices when it changes.
function showTree(code, language, text) {
  const { _emitter: tree } = core.highlight(text, { language, ignoreIllegals: true });
  const fragment = document.createDocumentFragment();
  for (const part of tree?.rootNode?.children ?? [text]) appendNode(fragment, part);
  code.replaceChildren(fragment);
}

function appendNode(parent, node) {
  if (typeof node === "string") return appendCode(parent, node);
  const span = h("span", { class: classOf(node.scope) });
  for (const child of node.children) appendNode(span, child);
  parent.append(span);
}

/** "title.function" becomes "hljs-title function_", "language:css" becomes "language-css". */
export function classOf(scope) {
  if (scope.startsWith("language:")) return scope.replace(":", "-");
  const [first, ...others] = scope.split(".");
  return [`hljs-${first}`, ...others.map((other, at) => other + "_".repeat(at + 1))].join(" ");
}
