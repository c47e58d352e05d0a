// The row of buttons below a message: its branches, Copy, Edit, Regenerate, Like and Dislike, Continue, and a menu with Fork, Delete and the details.
// Neighbours: message.js places it, conversation.js does what the buttons say (`act`), clipboard.js copies.
// Leaves out: Retry and Continue of an answer that was cut off, which stand in the note (message.js).

import { copyText } from "./clipboard.js";
import { announce, h, icon } from "./dom.js";
import { formatDateTime, formatMoney, formatTime, t } from "./i18n.js";

/**
 * `act`: branch(model, step), edit(model), regenerate(model), rate(model, kind), fork(model), remove(model), config. Returns {element, update(model, place)}.
 */
export function createActions(act) {
  const element = h("div", { class: "actions" });
  const details = h("p", { class: "details" });
  let drawn = "";
  let detailed = "";

  function update(model, place) {
    updateDetails(model);
    updateButtons(model, place);
  }

  // Apart from the buttons: they stay where they are when the details come, also while one of them is being pressed.
  function updateDetails(model) {
    const { show_usage: isUsageShown } = act.config();                // comes later than the first messages
    const now = JSON.stringify([isUsageShown, model.usage, model.model, model.finishedAt]);
    if (now === detailed) return;
    detailed = now;
    details.replaceChildren(...detailsOf(model, isUsageShown !== false));
  }

  function updateButtons(model, { siblings, canAct }) {
    const at = siblings.indexOf(model);
    const running = model.status === "streaming";
    const { feedback } = act.config();
    const now = JSON.stringify([feedback?.like?.enabled, feedback?.dislike?.enabled, at, siblings.length, canAct, running, model.id, model.feedback, Boolean(model.content)]);
    if (now === drawn) return;
    const focused = element.contains(document.activeElement) ? document.activeElement.dataset.action : null;
    drawn = now;
    element.hidden = running || !model.id;
    element.replaceChildren(...(element.hidden ? [] : buttons(model, at, siblings.length, canAct)));
    if (focused) (element.querySelector(`[data-action="${focused}"]:enabled`) ?? element.querySelector("button:enabled"))?.focus();
  }

  function buttons(model, at, count, canAct) {
    const isAnswer = model.role === "assistant";
    return [
      count > 1 ? branches(model, at, count, canAct) : null,
      model.content ? button("copy", "actions.copy", () => copy(model)) : null,
      !isAnswer ? button("edit", "actions.edit", () => act.edit(model), !canAct) : null,
      isAnswer ? button("retry", "actions.regenerate", () => act.regenerate(model), !canAct) : null,
      isAnswer && act.config().feedback?.like?.enabled !== false ? rating(model, "like") : null,
      isAnswer && act.config().feedback?.dislike?.enabled !== false ? rating(model, "dislike") : null,
      menu(model, canAct),
      isAnswer ? details : null,
    ].filter(Boolean);
  }

  function branches(model, at, count, canAct) {
    return h("span", { class: "branches", role: "group", "aria-label": t("actions.versions") },
      button("previous", "actions.previous", () => act.branch(model, -1), !canAct || at === 0),
      h("span", { class: "branch-count" }, t("actions.version", { number: at + 1, count })),
      button("next", "actions.next", () => act.branch(model, 1), !canAct || at === count - 1));
  }

  async function copy(model) {
    const copied = await copyText(model.content);
    announce(t(copied ? "actions.copied" : "actions.copy.failed"));
    if (!copied) return;
    const place = element.querySelector('[data-action="copy"]');
    place?.replaceChildren(icon("check"));
    setTimeout(() => { if (place?.isConnected) place.replaceChildren(icon("copy")); }, 1500);
  }

  function rating(model, kind) {
    const pressed = model.feedback === kind;
    const element = button(kind, `actions.${kind}`, () => act.rate(model, kind));
    element.setAttribute("aria-pressed", String(pressed));
    return element;
  }

  function menu(model, canAct) {
    const opener = button("more", "actions.more", () => act.menu.open(opener, [
      { icon: "fork", label: t("actions.fork"), run: () => act.fork(model) },
      ...(canAct ? [{ icon: "trash", label: t("actions.delete"), run: () => act.remove(model), danger: true }] : []),
    ], t("actions.more")));
    opener.setAttribute("aria-haspopup", "menu");
    opener.setAttribute("aria-expanded", "false");
    return opener;
  }

  return { element, update };
}

function button(name, key, run, isOff = false) {
  return h("button", { class: "icon-button small", type: "button", "aria-label": t(key), title: t(key), dataset: { action: name }, disabled: isOff, onclick: run }, icon(name));
}

// Who said it, when, and what it took, if the site wants that shown.
function detailsOf(model, isUsageShown) {
  const usage = isUsageShown ? model.usage : null;
  const when = model.finishedAt ?? model.createdAt;
  return [
    model.model && h("span", {}, model.model),
    when && h("time", { datetime: when.toISOString(), title: formatDateTime(when) }, formatTime(when)),
    usage?.total_tokens ? h("span", { title: t("actions.tokens.title", { prompt: usage.prompt_tokens ?? 0, completion: usage.completion_tokens ?? 0 }) }, t("actions.tokens", { count: usage.total_tokens })) : null,
    typeof usage?.cost === "number" ? h("span", {}, formatMoney(usage.cost)) : null,
  ].filter(Boolean);
}

