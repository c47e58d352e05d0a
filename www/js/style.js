// Stylesheets that come with parts of the page which open on demand.
// Neighbours: dialog.js and debug.js ask for css/panels.css. Leaves out: css/app.css, which index.html names.

const sheets = new Map();

/** Adds css/NAME.css to the page, once. The promise is kept even if the file cannot be had: a plain dialog is better than none, and the next call tries again. */
export function loadStyle(name) {
  if (!sheets.has(name)) sheets.set(name, addSheet(name));
  return sheets.get(name);
}

function addSheet(name) {
  const link = document.createElement("link");
  link.rel = "stylesheet";
  link.href = new URL(`../css/${name}.css`, import.meta.url);
  const settled = new Promise((resolve) => {
    link.addEventListener("load", resolve);
    link.addEventListener("error", () => {
      sheets.delete(name);
      link.remove();
      resolve();
    });
  });
  const beside = document.querySelector('link[rel="stylesheet"][href$="css/app.css"]');   // before a theme, which has the last word
  if (beside) beside.after(link);
  else document.head.append(link);
  return settled;
}
