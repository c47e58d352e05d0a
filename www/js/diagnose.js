// The diagnose page: reads the server's test stream, notes when each piece arrives, and says whether anything holds streams back.
// Neighbours: api.js opens the stream; judge.js judges the times; advice.js has the words; diagnose.html is the skeleton.
// Leaves out: changing anything. What to change is in the server's configuration, out of a page's reach.

import { ApiError, apiError, openTestStream } from "./api.js";
import { sentenceFor, stepsFor, troubleOf } from "./advice.js";
import { byId, h } from "./dom.js";
import { loadTexts } from "./i18n.js";
import { judge } from "./judge.js";

const PATIENCE = 30_000;      // ms for the whole test, which takes about one second where all is well

const texts = loadTexts("en");      // for the sentences of errors; this page is in English
let running = false;

async function run() {
  if (running) return;
  setRunning(true);
  clear();
  await texts;
  const seen = await listen();
  if (seen.ticks.length === 0 && seen.error) showTrouble(seen);
  else showVerdict(seen);
  showFacts(seen);
  setRunning(false);
}

// The button keeps the focus while a test runs, so it is not disabled.
function setRunning(yes) {
  running = yes;
  byId("again").setAttribute("aria-disabled", String(yes));
}

// ---- listening

// Everything that one test saw: {host, ticks, done, error, began, first, base, encoding}.
async function listen() {
  const seen = { host: null, ticks: [], done: false, error: null, began: performance.now(), first: null, base: null, encoding: "" };
  const abort = new AbortController();
  const timer = setTimeout(() => abort.abort(), PATIENCE);
  try {
    await follow(seen, abort.signal);
  } catch (error) {
    seen.error = understood(error);
  }
  clearTimeout(timer);
  return seen;
}

async function follow(seen, signal) {
  const { response, events, base } = await openTestStream(signal);
  seen.base = base;
  seen.encoding = response.headers.get("Content-Encoding") ?? "";
  for await (const event of events) {
    take(seen, event, performance.now());
    if (seen.done) return;
  }
}

function take(seen, { type, data }, arrived) {
  seen.first ??= arrived;
  if (type === "host") seen.host = data;
  else if (type === "done") seen.done = true;
  else if (type === "tick" && Number.isFinite(data.sent_ms)) seen.ticks.push({ n: data.n, sent: data.sent_ms, arrived });
}

function understood(error) {
  if (error.name === "AbortError") return apiError("timeout");
  if (error instanceof ApiError) return error;
  return new ApiError("page", `This page failed: ${error.message}`);
}

// ---- showing

function clear() {
  say("testing", "Testing. This takes about a second …");
  for (const id of ["steps", "times", "facts"]) byId(id).hidden = true;
}

function say(kind, sentence) {
  byId("verdict").dataset.kind = kind;
  byId("verdict").textContent = sentence;
}

function showVerdict(seen) {
  const verdict = judge(seen);
  say(verdict.kind, sentenceFor(verdict));
  showSteps(stepsFor(verdict, seen.host, seen.encoding));
  showTimes(verdict.rows);
}

function showTrouble({ error }) {
  const { sentence, steps } = troubleOf(error);
  say("trouble", sentence);
  showSteps(steps);
}

function showSteps(steps) {
  byId("steps").hidden = steps.length === 0;
  byId("step-list").replaceChildren(...steps.map(({ text, directive }) => h("li", {},
    text, directive && h("pre", { tabindex: "0" }, h("code", {}, directive)))));
}

function showTimes(rows) {
  byId("times").hidden = rows.length === 0;
  byId("time-rows").replaceChildren(...rows.map(({ n, sent, arrived, late }) => h("tr", {},
    h("th", { scope: "row" }, String(n)), ...[sent, arrived, late].map((ms) => h("td", {}, `${Math.round(ms)} ms`)))));
}

function showFacts(seen) {
  const facts = Object.entries(factsOf(seen)).filter(([, value]) => value);
  byId("facts").hidden = facts.length === 0;
  byId("fact-list").replaceChildren(...facts.flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]));
}

function factsOf({ host, ticks, error, began, first, base, encoding }) {
  return {
    "Server": host && (host.server || "it gives no name"),
    "Runs the program by": host && ({ fastcgi: "FastCGI", cgi: "CGI" }[host.mode] ?? String(host.mode)),
    "Address of the program": base && new URL(base).pathname,
    "Addresses tried": error?.tried.map(({ base: at, status }) => `${new URL(at).pathname} → ${status || "no answer"}`).join("; "),
    "Status": error?.status ? String(error.status) : "",
    "Compression": base && (encoding || "none"),
    "First piece after": first !== null && `${Math.round(first - began)} ms`,
    "Pieces": base && `${ticks.length} of 6`,
  };
}

byId("again").addEventListener("click", run);
run();
