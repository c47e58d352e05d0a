// The settings dialog: how the page looks, writes and speaks in this browser, and the form of settings that the application asks for.
// Neighbours: settings.js keeps the choices; boot.js paints colour scheme and language at the next start; forms.js draws the application's form.
// Leaves out: what belongs to one conversation. Everything applies at once, only the form has a button.

import { openDialog } from "./dialog.js";
import { h } from "./dom.js";
import { createForm } from "./forms.js";
import { LANGUAGES, t } from "./i18n.js";
import { createRadios } from "./radios.js";
import { getSetting, isDebugOn, setSetting } from "./settings.js";

/** Opens the dialog. `config` is that of /api/config; `themeNote` a sentence under the colour scheme, or nothing. */
export function openPreferences({ config = {}, themeNote = "" } = {}) {
  const form = config.user_settings?.form ? createUserSettings(config.user_settings.form) : null;
  const content = [
    createSection("look", createScheme(themeNote), createLanguage()),
    createSection("keys", createSwitch("enterSends"), createSwitch("shortcuts")),
    createSection("readers", createAnnounce()),
    createSection("developers", createSwitch("debug", isDebugOn(config))),
  ];
  if (form) content.unshift(form.element);
  return openDialog({ title: t("prefs.title"), content, mayDismiss: () => !form?.isUnsaved() });
}

function createSection(name, ...children) {
  const id = `prefs-${name}`;
  return h("section", { class: "prefs-section", "aria-labelledby": id }, h("h3", { id }, t(`prefs.${name}`)), ...children);
}

// ---- look

function createScheme(themeNote) {
  const options = ["system", "light", "dark"].map((value) => ({ value, label: t(`prefs.scheme_${value}`) }));
  return createRadios({ legend: t("prefs.scheme"), options, chosen: getSetting("scheme"), help: themeNote, inRow: true, onChoice: chooseScheme });
}

function chooseScheme(scheme) {
  setSetting("scheme", scheme);
  if (scheme === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = scheme;
}

// The page begins anew in another language; what was written stays, as a draft.
function createLanguage() {
  const chosen = getSetting("language");
  const options = [["", t("prefs.language_browser")], ...Object.entries(LANGUAGES)];
  const select = h("select", { id: "prefs-language", onchange: () => { setSetting("language", select.value); location.reload(); } },
    ...options.map(([value, name]) => h("option", { value, lang: value || null, selected: value === chosen }, name)));
  return h("div", { class: "form-field" }, h("label", { class: "form-label", for: select.id }, t("prefs.language")), h("div", { class: "form-select" }, select));
}

// ---- screen readers

function createAnnounce() {
  const options = ["blocks", "end", "off"].map((value) => ({ value, label: t(`prefs.announce_${value}`) }));
  const onChoice = (value) => setSetting("announce", value);
  return createRadios({ legend: t("prefs.announce"), options, chosen: getSetting("announce"), onChoice });
}

// ---- what the application asks for

function createUserSettings(schema) {
  const form = createForm(schema, getSetting("userSettings"));
  const said = h("p", { class: "prefs-said", role: "status" });
  form.element.append(h("div", { class: "form-foot" }, h("button", { class: "button primary", type: "submit" }, t("app.save")), said));
  form.element.addEventListener("input", () => { said.textContent = ""; });
  form.element.addEventListener("submit", (event) => {
    event.preventDefault();
    const values = form.read();
    if (!values) return;
    setSetting("userSettings", values);
    form.markSaved();
    said.textContent = t("prefs.saved");
  });
  const element = h("section", { class: "prefs-section", "aria-labelledby": "prefs-assistant" },
    h("h3", { id: "prefs-assistant" }, schema.title ?? t("prefs.assistant")), form.element);
  return { element, isUnsaved: form.isChanged };
}

// ---- controls that keep a setting

function createSwitch(name, checked = getSetting(name)) {
  const input = h("input", { type: "checkbox", checked, "aria-describedby": `prefs-${name}-help`, onchange: () => setSetting(name, input.checked) });
  return h("div", { class: "form-field" },
    h("label", { class: "tick" }, input, h("span", {}, t(`prefs.${name}`))),
    h("p", { class: "form-help", id: `prefs-${name}-help` }, t(`prefs.${name}_help`)));
}
