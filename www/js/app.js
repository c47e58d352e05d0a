// Starts the page. First the box, so that one can write and press Send at once; then everything else, which that waits for.
// Neighbours: composer.js is the box, chat.js the rest.
// Leaves out: what does not have to be there before the first key is pressed.

import { createComposer, draftKey } from "./composer.js";
import { decoded } from "./dom.js";

const composer = createComposer({
  onSend: async (text) => (await chat).send(text),
  onStop: async () => (await chat).stop(),
});
// A conversation that is being opened (#c=ID, …/conversation/ID) has a draft of its own, and cannot be asked anything before it is there.
const [, opened] = /^#c=(.+)$/.exec(location.hash) ?? /\/conversation\/([^/.]+)$/.exec(location.pathname) ?? [];
composer.use(draftKey(opened ? decoded(opened) : null));
if (opened) composer.setMode("waiting");
composer.focus();
document.documentElement.dataset.ready = "box";

// What chat.js imports, directly or not: fetched side by side instead of one after the other. A test keeps the list whole.
const LATER = ["actions", "announcer", "answer", "api", "chat", "clipboard", "code", "conversation", "days", "drawer", "editor", "formula", "history", "i18n", "ids", "look", "markdown",
  "maths", "menu", "message", "options", "panels", "parts", "pictures", "place", "render", "rows", "shortcuts", "sidebar", "sse", "stream", "style", "toast", "transcript", "tree",
  "unfinished"];

async function fetchRest() {
  await new Promise((resolve) => setTimeout(resolve));       // the box first
  for (const name of LATER) preload(name);
  const { startChat } = await import("./chat.js");
  return startChat(composer);
}

function preload(name) {
  const link = document.createElement("link");
  link.rel = "modulepreload";
  link.href = new URL(`./${name}.js`, import.meta.url).href;
  document.head.append(link);
}

const chat = fetchRest();
chat.then(() => { document.documentElement.dataset.ready = "all"; });
