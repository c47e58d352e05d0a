// Pictures that go with a question: chosen, dropped or pasted, shown small above the box until they are sent.
// Neighbours: composer.js has the box, chat.js hands them on. Leaves out: other files, which come with retrieval.

import { announce, byId, h, icon } from "./dom.js";
import { t } from "./i18n.js";

const TYPES = ["image/png", "image/jpeg", "image/webp", "image/gif"];
const MOST = 8;                      // LIMIT_ATTACHMENTS of the server is not less
const LONGEST_SIDE = 2048;           // px: no model looks closer
const AS_IT_IS = 700_000;            // bytes up to which a file is sent unchanged: as many as there may be fit into one request
const QUALITIES = [0.85, 0.7, 0.5];  // of JPEG, until it is as small as that

/** The pictures above the box. Each conversation has its own, until the page goes. */
export function createPictures() {
  const strip = byId("pictures");
  const chooser = byId("picture-file");
  const frame = byId("frame");
  const kept = new Map();            // the lists of conversations that are not open, by the key of their draft
  let key = null;
  let list = [];                     // {url, name}

  let adding = Promise.resolve();

  // One after the other; what takes long goes to the conversation that it was meant for.
  function add(files) {
    const wanted = [...files];         // the browser empties its list
    adding = adding.then(() => addAll(wanted));
    return adding;
  }

  async function addAll(files) {
    const wantedBy = key;
    say("");
    for (const file of files) {
      const url = await readPicture(file).catch(() => null);
      if (key !== wantedBy) return;
      if (list.length >= MOST) return say(t("pictures.many", { count: MOST }));
      if (url) list = [...list, { url, name: file.name || t("pictures.pasted") }];
      else say(t("pictures.unreadable", { name: file.name }));
      draw();
    }
  }

  function say(sentence) {
    if (sentence) announce(sentence, { alert: true });
    byId("composer-note").textContent = sentence;
    byId("composer-note").hidden = !sentence;
  }

  function draw() {
    strip.hidden = list.length === 0;
    strip.replaceChildren(...list.map((picture) => h("li", { class: "thumb" },
      h("img", { src: picture.url, alt: picture.name }),
      h("button", { class: "icon-button small", type: "button", "aria-label": t("pictures.remove", { name: picture.name }), onclick: () => remove(picture) }, icon("close")))));
  }

  function remove(picture) {
    list = list.filter((other) => other !== picture);
    say("");
    draw();
    byId("box").focus();
  }

  /** The list as the server takes it; it is empty afterwards. */
  function take() {
    const taken = list.map(({ url }) => ({ type: "image", url }));
    list = [];
    say("");
    draw();
    return taken;
  }

  /** Pictures that were not sent after all, from the conversation whose draft has this key. */
  function giveBack(sentKey, attachments) {
    const mine = sentKey === key;
    const all = [...attachments.map(({ url }, at) => ({ url, name: t("message.picture", { count: at + 1 }) })), ...(mine ? list : kept.get(sentKey) ?? [])].slice(0, MOST);
    if (!mine) return kept.set(sentKey, all);
    list = all;
    draw();
  }

  /** These are sent again from elsewhere. */
  function takeOut(attachments) {
    const urls = new Set(attachments.map(({ url }) => url));
    list = list.filter(({ url }) => !urls.has(url));
    draw();
  }

  /** Another conversation is open. */
  function use(nextKey) {
    if (nextKey === key) return;
    if (key !== null) kept.set(key, list);
    key = nextKey;
    list = kept.get(key) ?? [];
    say("");
    draw();
  }

  /** The new conversation has got its id. */
  function moveTo(nextKey) {
    key = nextKey;
  }

  // Word and Excel add a picture of the text.
  const isText = ({ types }) => types.includes("text/plain") && types.includes("text/html");
  const hasFiles = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");
  byId("picture-add").addEventListener("click", () => chooser.click());
  chooser.addEventListener("change", () => { add(chooser.files).then(() => { chooser.value = ""; }); });
  byId("box").addEventListener("paste", (event) => {
    const files = event.clipboardData?.files ?? [];
    if (files.length === 0 || isText(event.clipboardData)) return;
    event.preventDefault();
    add(files);
  });
  for (const type of ["dragenter", "dragover"]) {
    document.addEventListener(type, (event) => {
      if (!hasFiles(event)) return;
      event.preventDefault();
      frame.classList.add("dropping");
    });
  }
  document.addEventListener("dragleave", (event) => { if (!event.relatedTarget) frame.classList.remove("dropping"); });
  document.addEventListener("drop", (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    frame.classList.remove("dropping");
    add(event.dataTransfer.files);
  });
  return { take, takeOut, giveBack, use, moveTo };
}

// A data: URL of the picture; large ones are made smaller, others keep their bytes.
async function readPicture(file) {
  if (TYPES.includes(file.type) && file.size <= AS_IT_IS) return readUrl(file);
  const bitmap = await createImageBitmap(file);
  const scale = Math.min(1, LONGEST_SIDE / Math.max(bitmap.width, bitmap.height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(bitmap.width * scale));
  canvas.height = Math.max(1, Math.round(bitmap.height * scale));
  const context = canvas.getContext("2d");
  context.fillStyle = "white";         // JPEG knows nothing transparent
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  bitmap.close();
  let url = "";
  for (const quality of QUALITIES) {
    url = canvas.toDataURL("image/jpeg", quality);
    if (url.length <= AS_IT_IS * 4 / 3) break;
  }
  return url;
}

function readUrl(file) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.addEventListener("load", () => resolve(reader.result));
    reader.addEventListener("error", () => reject(reader.error));
    reader.readAsDataURL(file);
  });
}
