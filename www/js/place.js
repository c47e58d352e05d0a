// Finds the API. Host servers put the program beside the page, below it, or into a cgi-bin; no file has to be edited for that.
// Neighbours: api.js sends to `base` and calls look() when what answers there is not our API. Tested by tests/browser/place.test.js.
// Leaves out: deciding whether an answer is ours, and whether a request may be sent twice (api.js).

import { storeKey } from "./settings.js";

const CANDIDATES = ["./", "cgi-bin/chat.cgi/", "chat.cgi/", "/cgi-bin/chat.cgi/"];
const PATIENCE = 10_000;      // ms for one answer of health

/**
 * The page's own address and, where it was opened as …/conversation/ID (which host servers serve as the page), the id as it stands there, else null.
 * An id has no dot: …/conversation/index.html is a page in a folder of that name.
 */
export function readAddress(href) {
  const url = new URL(href);
  const [, folder, id] = /^(.*\/)conversation\/([^/.]+)$/.exec(url.pathname) ?? [];
  if (id === undefined) return { page: href, id: null };
  url.pathname = folder;
  return { page: url.href, id };
}

/**
 * The place of the API, seen from the address `page`; `first` is where it should be.
 * `probe(base)` resolves to {healthy, status}; `memory` has read() and write(base).
 * `base` is an absolute address with "/" at its end. `look()` tries all candidates, one after the other, and
 * resolves to {base, tried: [{base, status}]}; base is null when no program answered. Calls at the same time share one search.
 */
export function createPlace({ page, first = "./", probe, memory }) {
  const candidates = addresses(first, readAddress(page).page);
  const remembered = memory.read();
  let base = candidates.includes(remembered) ? remembered : candidates[0];
  let search = null;

  function look() {
    search ??= tryAll().finally(() => { search = null; });
    return search;
  }

  async function tryAll() {
    const tried = [];
    for (const candidate of candidates) {
      const { healthy, status } = await probe(candidate);
      tried.push({ base: candidate, status });
      if (healthy) return settle(candidate, tried);
    }
    return { base: null, tried };
  }

  function settle(found, tried) {
    base = found;
    memory.write(found);
    return { base, tried };
  }

  return { look, get base() { return base; } };
}

// The candidates as absolute addresses, each once: for a page at the top of its host two of them are the same.
function addresses(first, page) {
  const all = [first, ...CANDIDATES].map((base) => new URL(base.endsWith("/") ? base : `${base}/`, page).href);
  return [...new Set(all)];
}

// ---- the place for this page

let ofPage = null;

/** The one place of this page: it begins at <meta name="api-base">, or where it was found in this session. */
export function placeOfPage() {
  ofPage ??= createPlace({
    page: document.baseURI,
    first: document.querySelector('meta[name="api-base"]')?.content || undefined,
    probe,
    memory: sessionMemory(storeKey("api")),
  });
  return ofPage;
}

async function probe(base) {
  try {
    const response = await fetch(new URL("health", base), { cache: "no-store", signal: AbortSignal.timeout(PATIENCE) });
    const body = response.ok ? await response.json().catch(() => null) : null;
    return { healthy: body?.status === "healthy", status: response.status };
  } catch {
    return { healthy: false, status: 0 };
  }
}

// Storage may be forbidden; then the next page searches again.
function sessionMemory(key) {
  return {
    read() {
      try {
        return sessionStorage.getItem(key);
      } catch {
        return null;
      }
    },
    write(base) {
      try {
        sessionStorage.setItem(key, base);
      } catch { /* see above */ }
    },
  };
}
