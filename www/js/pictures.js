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
  const trays = new Map();           // key of a draft -> the tray of its conversation
  let key = null;
  let tray = createTray();           // that of the open conversation
  let visit = 0;                     // counts openings

  // They come to the tray for which they were meant, whatever is open when they are read.
  function add(files) {
    const mine = tray;
    const wanted = [...files];         // the browser empties its list
    say("", mine);
    mine.preparing += 1;
    mine.adding = mine.adding.then(() => addAll(wanted, mine)).finally(() => { mine.preparing -= 1; });
    return mine.adding;
  }

  // One after the other.
  async function addAll(files, mine) {
    for (const file of files) {
      const url = await readPicture(file).catch(() => null);
      if (mine.list.length >= MOST) return refuse(t("pictures.many", { count: MOST }), mine);
      if (url) setList([...mine.list, { url, name: file.name || t("pictures.pasted") }], mine);
      else refuse(t("pictures.unreadable", { name: file.name }), mine);
    }
  }

  function refuse(sentence, mine) {
    mine.refused += 1;
    say(sentence, mine, { alert: true });
  }

  /**
   * Waits for those that are being read now. Resolves to "ready"; to "refused", if not all that were waited for are there, which a note says; or to "left", if
   * the conversation was left meanwhile.
   */
  async function prepared() {
    const [mine, mineVisit, { refused }] = [tray, visit, tray];
    if (mine.preparing > 0) say(t("pictures.waiting"), mine);
    await mine.adding;
    if (mine.refused === refused) say("", mine);
    if (mineVisit !== visit) return "left";
    return mine.refused === refused ? "ready" : "refused";
  }

  function say(sentence, mine = tray, { alert = false } = {}) {
    [mine.note, mine.isAlert] = [sentence, alert];
    if (mine !== tray) return;
    if (sentence) announce(sentence, { alert });
    showNote();
  }

  function showNote() {
    byId("composer-note").textContent = tray.note;
    byId("composer-note").hidden = !tray.note;
    byId("composer-note").classList.toggle("calm", !tray.isAlert);
  }

  function setList(list, mine = tray) {
    mine.list = list;
    if (mine === tray) draw();
  }

  function draw() {
    strip.hidden = tray.list.length === 0;
    strip.replaceChildren(...tray.list.map((picture) => h("li", { class: "thumb" },
      h("img", { src: picture.url, alt: picture.name }),
      h("button", { class: "icon-button small", type: "button", "aria-label": t("pictures.remove", { name: picture.name }), onclick: () => remove(picture) }, icon("close")))));
  }

  function remove(picture) {
    setList(tray.list.filter((other) => other !== picture));
    say("");
    byId("box").focus();
  }

  /** The list as the server takes it; it is empty afterwards. */
  function take() {
    const taken = tray.list.map(({ url }) => ({ type: "image", url }));
    setList([]);
    say("");
    return taken;
  }

  /** Pictures that were not sent after all, from the conversation whose draft has this key. */
  function giveBack(sentKey, attachments) {
    const mine = trayOf(sentKey);
    const back = attachments.map(({ url }, at) => ({ url, name: t("message.picture", { count: at + 1 }) }));
    setList([...back, ...mine.list].slice(0, MOST), mine);
  }

  /** These are sent again from elsewhere. */
  function takeOut(attachments) {
    const urls = new Set(attachments.map(({ url }) => url));
    setList(tray.list.filter(({ url }) => !urls.has(url)));
  }

  function trayOf(wanted) {
    if (!trays.has(wanted)) trays.set(wanted, createTray());
    return trays.get(wanted);
  }

  /** Another conversation is open, or the same one anew. */
  function use(nextKey) {
    visit += 1;
    if (nextKey === key) return;
    key = nextKey;
    tray = trayOf(key);
    showNote();
    draw();
  }

  /** The new conversation has got its id: its tray moves along, with what is still being read. */
  function moveTo(nextKey) {
    trays.delete(key);
    trays.set(nextKey, tray);
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
  return { prepared, take, takeOut, giveBack, use, moveTo };
}

// `list` of {url, name}; `note` is what is said below it, `isAlert` if something is wrong. `adding` settles when all that were added are read, `preparing` counts those that are not yet;
// `refused` counts what could not be taken.
const createTray = () => ({ list: [], note: "", isAlert: false, adding: Promise.resolve(), preparing: 0, refused: 0 });

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
