// The few DOM helpers everything else uses. Neighbours: all view modules.
// Leaves out, on purpose: anything that takes a string of HTML. Text becomes text nodes and nothing else.

const SVG = "http://www.w3.org/2000/svg";

/** The element of index.html with this id. */
export const byId = (id) => document.getElementById(id);

/**
 * An element: h("button", {type: "button", class: "x", onclick: f, dataset: {id: 1}}, "text", child, null).
 * Functions become listeners, true and false set and omit an attribute.
 */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) setAttribute(element, name, value);
  element.append(...children.filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

function setAttribute(element, name, value) {
  if (typeof value === "function") element.addEventListener(name.slice(2), value);
  else if (name === "dataset") Object.assign(element.dataset, value);
  else if (value === true) element.setAttribute(name, "");
  else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, value);
}

/** One of the icons drawn in index.html, invisible to screen readers. */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  const use = document.createElementNS(SVG, "use");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  use.setAttribute("href", `#i-${name}`);
  svg.append(use);
  return svg;
}

/** What stands percent-encoded in an address; as it is where it is no such thing. */
export function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

const PAUSES = [1000, 3000];      // ms before something is fetched once more

/**
 * A function that calls `load(again)` until it has succeeded, and resolves to what that gives: over a short failure it waits, a longer one it leaves to the next call.
 * Calls at the same time share one promise. `again` goes behind the address of a module: many browsers keep what failed, under its address, until a reload.
 */
export function insist(load, pauses = PAUSES) {
  let tries = 0;
  let promise = null;
  const attempt = () => load(tries++ > 0 ? `?again=${tries - 1}` : "");

  async function patiently() {
    for (const pause of pauses) {
      try {
        return await attempt();
      } catch {
        await new Promise((resolve) => setTimeout(resolve, pause));
      }
    }
    return attempt();
  }

  return () => (promise ??= patiently().catch((error) => {
    promise = null;
    throw error;
  }));
}

/** Makes `elements` the children of `parent`, moving only those that stand in the wrong place. */
export function arrange(parent, elements) {
  const wanted = new Set(elements);
  for (const child of [...parent.children]) if (!wanted.has(child)) child.remove();
  elements.forEach((element, at) => {
    if (parent.children[at] !== element) parent.insertBefore(element, parent.children[at] ?? null);
  });
}

/** Says a sentence to screen readers: politely, or as an alert. The same sentence twice is said twice. */
export function announce(sentence, { alert = false } = {}) {
  const region = byId(alert ? "alert" : "status");
  region.textContent = "";
  setTimeout(() => { region.textContent = sentence; }, 30);
}

/** A main mouse click without modifier keys: the kind that the page handles itself instead of the browser. */
export function isPlainClick(event) {
  return event.button === 0 && !(event.ctrlKey || event.metaKey || event.shiftKey || event.altKey);
}
