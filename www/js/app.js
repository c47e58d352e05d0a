// Starts the page. First the box, so that one can write and press Send at once; then everything else, which that waits for.
// Neighbours: composer.js is the box, chat.js the rest.
// Leaves out: what does not have to be there before the first key is pressed.

import { createComposer, draftKey } from "./composer.js";
import { announce, byId, decoded, h, insist } from "./dom.js";

// Said when the rest cannot be had: the texts of i18n/ are part of it.
const TROUBLE = {
  en: ["Part of this page could not be loaded. Check the connection, then send again or reload the page.", "Reload"],
  de: ["Ein Teil der Seite konnte nicht geladen werden. Prüfe die Verbindung und sende dann erneut oder lade die Seite neu.", "Neu laden"],
  fr: ["Une partie de la page n’a pas pu être chargée. Vérifiez la connexion, puis renvoyez le message ou rechargez la page.", "Recharger"],
  es: ["No se pudo cargar una parte de la página. Comprueba la conexión y vuelve a enviar el mensaje o recarga la página.", "Recargar"],
  zh: ["页面的一部分未能加载。请检查网络连接，然后重新发送或刷新页面。", "刷新"],
  ar: ["تعذّر تحميل جزء من الصفحة. تحقّق من الاتصال، ثم أعد الإرسال أو أعد تحميل الصفحة.", "إعادة التحميل"],
};

const composer = createComposer({ onSend: send, onStop: async () => (await start())?.stop() });
// A conversation that is being opened (#c=ID, …/conversation/ID) has a draft of its own, and cannot be asked anything before it is there.
const [, opened] = /^#c=(.+)$/.exec(location.hash) ?? /\/conversation\/([^/.]+)$/.exec(location.pathname) ?? [];
const key = draftKey(opened ? decoded(opened) : null);
composer.use(key);
if (opened) composer.setMode("waiting");
composer.focus();
document.documentElement.dataset.ready = "box";

// What chat.js imports, directly or not: fetched side by side instead of one after the other. A test keeps the list whole.
const LATER = ["actions", "announcer", "answer", "api", "chat", "clipboard", "code", "conversation", "days", "drawer", "editor", "formula", "history", "i18n", "ids", "look", "markdown",
  "maths", "menu", "message", "options", "panels", "parts", "pictures", "place", "render", "rows", "shortcuts", "sidebar", "sse", "stream", "style", "toast", "transcript", "tree",
  "unfinished"];

// Where what failed is one of the modules that it imports, many browsers need a reload.
const fetchChat = insist((again) => import(`./chat.js${again}`));
let chat = null;

async function fetchRest() {
  await new Promise((resolve) => setTimeout(resolve));       // the box first
  for (const name of LATER) preload(name);
  await start();
}

// The rest, or null where it cannot be had; then the next call tries again, and each Send is one.
async function start() {
  try {
    const { startChat } = await fetchChat();
    chat ??= startChat(composer);
    await chat;
    document.documentElement.dataset.ready = "all";
    return chat;
  } catch (error) {
    console.error(error);
    showTrouble();
    return null;
  }
}

// What cannot be sent returns to the box.
async function send(text) {
  const rest = await start();
  if (rest) return rest.send(text);
  composer.giveBack(key, text);
  composer.setMode("ready");
}

// On the line that chat.js uses for the connection: it empties it.
function showTrouble() {
  const [sentence, label] = TROUBLE[document.documentElement.lang] ?? TROUBLE.en;
  const reload = h("button", { class: "button", type: "button", onclick: () => location.reload() }, label);
  byId("connection").replaceChildren(h("span", {}, sentence), " ", reload);
  byId("connection").hidden = false;
  announce(sentence, { alert: true });
}

function preload(name) {
  const link = document.createElement("link");
  link.rel = "modulepreload";
  link.href = new URL(`./${name}.js`, import.meta.url).href;
  document.head.append(link);
}

addEventListener("online", () => { if (!chat) start(); });
fetchRest();
