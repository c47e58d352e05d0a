// Talks to the server: JSON requests, and the stream of an answer. Every failure leaves here as an ApiError with a sentence for people.
// Neighbours: conversation.js, sidebar.js and diagnose.js call it; place.js knows where the API is; sse.js parses the stream.
// Leaves out: staying with an answer over lost connections (stream.js), and anything about the page.

import { t } from "./i18n.js";
import { placeOfPage } from "./place.js";
import { createSseParser } from "./sse.js";

const REFUSALS = [403, 404, 405, 501];   // what servers say that have no program at this address
const UNTOUCHED = [404, 405, 501];       // of these, the ones after which nobody can have worked on a POST
const PATIENCE = 30_000;                 // ms until a request that is not answered counts as lost
const BODY_PATIENCE = 300_000;           // ms for what the answer brings: a conversation may be full of pictures, and the line slow
const ASK_PATIENCE = 120_000;            // ms until a question that nobody acknowledges counts as not sent
const UPLOAD = 50;                       // bytes in a ms that a slow line takes: what pictures need comes on top of that

/**
 * What went wrong, as `code` (the server's, or "network", "interrupted", "bad_answer", "no_program") and a sentence in `message`.
 * `isOurs`: our program said so, not the server around it. `tried`: with "no_program", the addresses and what they answered.
 */
export class ApiError extends Error {
  constructor(code, message, details = {}) {
    super(message);
    this.code = code;
    this.status = details.status ?? 0;
    this.isOurs = details.isOurs ?? false;
    this.tried = details.tried ?? [];
  }
}

// Where the page knows better than the server what to do next, it has sentences of its own: texts called "error." and the code or the status.
const OWN = ["busy", "network", "interrupted", "bad_answer", "no_program"];
const OWN_STATUS = [401, 413];

export function apiError(code, details) {
  return new ApiError(code, t(`error.${code}`), details);
}

function sentenceOf(code, status, message) {
  if (OWN.includes(code)) return t(`error.${code}`);
  if (OWN_STATUS.includes(status)) return t(`error.${status}`);
  return message ?? t("error.status", { status });
}

// ---- conversations

/**
 * One page of the conversations, newest first: {conversations, next}. `filters` {limit, before, q, pinned, archived}: undefined ones do not filter;
 * `before` is the `next` of the page above.
 */
export function listConversations(filters, signal) {
  const query = new URLSearchParams(Object.entries(filters).filter(([, value]) => value !== undefined && value !== null));
  return requestJson("GET", `conversations?${query}`, undefined, { signal });
}

export function getConversation(id) {
  return requestJson("GET", conversationPath(id));
}

/** Changes title, pinned, archived, metadata, unread, leaf_id: those that `change` names. With `isLeaving` the request goes out even while the page is being left. */
export function changeConversation(id, change, isLeaving = false) {
  return requestJson("PATCH", conversationPath(id), change, { keepalive: isLeaving });
}

/** The request goes out even while the page is being left. */
export function deleteConversation(id) {
  return requestJson("DELETE", conversationPath(id), undefined, { keepalive: true });
}

export function stopAnswer(id) {
  return requestJson("POST", `${conversationPath(id)}/stop`, {});
}

/**
 * Asks, and resolves to {conversation_id, message_id, question_id} as soon as question and answer are stored; the answer goes on without us. `key` makes it safe
 * to send the same question again when nobody knows whether it arrived.
 */
export async function ask(question, key) {
  return withPatience(ASK_PATIENCE + JSON.stringify(question).length / UPLOAD, async (signal) => {
    const response = await send("POST", "chat", { ...question, detach: true }, { signal, accept: "application/json", headers: { "Idempotency-Key": key } });
    return { ...await objectOf(response), question_id: response.headers.get("Parley-Question") };
  });
}

/**
 * Runs `request(signal, goOn)`, and gives it up after `ms`, or `more` ms after `goOn(more)`: then it fails as on a lost network. `abort` is for those who may
 * have to end it earlier.
 */
export async function withPatience(ms, request, abort = new AbortController()) {
  let giveUp = 0;
  const goOn = (more) => {
    clearTimeout(giveUp);
    giveUp = setTimeout(() => abort.abort(new DOMException("", "TimeoutError")), more);
  };
  goOn(ms);
  try {
    return await request(abort.signal, goOn);
  } finally {
    clearTimeout(giveUp);
  }
}

/** The events of an answer behind the position `after`, as {type, data, id}: `data` is text for "token", an object for all others. 204 is an ApiError too. */
export async function openStream(id, after, signal) {
  const response = await send("GET", `${conversationPath(id)}/stream?after=${encodeURIComponent(after)}`, undefined, { signal, accept: "text/event-stream" });
  if (response.status === 204) throw new ApiError("ended", "", { status: 204 });
  if (!isType(response, "text/event-stream")) throw apiError("bad_answer", { status: response.status });
  return readEvents(response.body);
}

/** What there is of an answer behind `after`, at once or, with `wait` seconds, as soon as there is something: {status, events: [{id, event, data}]}. */
export async function pollStream(id, { after, wait, signal }) {
  const query = new URLSearchParams({ after, ...(wait ? { wait } : { poll: 1 }) });
  return readJson("GET", `${conversationPath(id)}/stream?${query}`, undefined, { signal });
}

/** Copies the branch up to a message into a conversation of its own, which is returned. */
export function forkConversation(messageId) {
  return requestJson("POST", "conversations", { fork_of: messageId });
}

/** Deletes a message and all that follows from it. `isLeaving`: the page is going away, the request must not. */
export function deleteMessage(id, messageId, isLeaving = false) {
  return requestJson("DELETE", `${conversationPath(id)}/messages/${encodeURIComponent(messageId)}`, undefined, { keepalive: isLeaving });
}

/** `kind` is "like" or "dislike"; `payload` what a form asked for. */
export function sendFeedback(messageId, kind, payload) {
  return requestJson("POST", "api/feedback", { message_id: messageId, feedback: kind, payload });
}

/** What this installation has set for the page (docs/theme.md). */
export function getConfig() {
  return requestJson("GET", "api/config");
}

/** The names of the models that can be asked. */
export async function listModels() {
  const { data } = await requestJson("GET", "v1/models");
  return (data ?? []).map(({ id }) => id);
}

/** The whole address of a path of the API, for links. */
export function addressOf(path) {
  return new URL(path, placeOfPage().base).href;
}

/** The server's test stream: {response, events, base}, where `events` yields like streamChat until the stream ends. */
export async function openTestStream(signal) {
  const response = await send("GET", "diagnose/stream", undefined, { signal, accept: "text/event-stream" });
  if (!isType(response, "text/event-stream")) throw apiError("bad_answer", { status: response.status });
  return { response, events: readEvents(response.body), base: placeOfPage().base };
}

async function* readEvents(body) {
  const parser = createSseParser();
  const reader = body.getReader();
  try {
    for (;;) {
      const { done, value } = await reading(reader.read(), "interrupted");
      if (done) return;
      for (const event of parser.feed(value)) yield typed(event);
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}

// What of an answer is being read. Where it breaks off, the failure is called `code`.
async function reading(promise, code) {
  try {
    return await promise;
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw apiError(code);
  }
}

function typed({ type, data, id }) {
  return { type, id, data: type === "token" ? data : parseObject(data) };
}

function requestJson(method, path, body, { signal, ...options } = {}) {
  return withPatience(PATIENCE, (own, goOn) => readJson(method, path, body, { ...options, signal: signal ? AbortSignal.any([signal, own]) : own }, goOn));
}

// The same for those who have a patience of their own; `goOn(ms)` gives the body its time.
async function readJson(method, path, body, options, goOn = () => {}) {
  const response = await send(method, path, body, { accept: "application/json", ...options });
  if (response.status === 204) throw new ApiError("ended", "", { status: 204 });
  goOn(BODY_PATIENCE);
  return objectOf(response);
}

async function objectOf(response) {
  const object = parseObject(await reading(response.text(), "network"), null);
  if (object === null) throw apiError("bad_answer", { status: response.status });
  return object;
}

// One request. Returns a response with a good status, throws an ApiError (or the AbortError) otherwise.
// What answers may be no API of ours: then the API is looked for, and asked instead if it is elsewhere.
async function send(method, path, body, options) {
  const place = placeOfPage();
  const asked = place.base;
  const answer = await attempt(asked, method, path, body, options);
  if (!isForeign(answer)) return usable(answer);
  const found = place.base === asked ? await place.look() : place;   // another request may have found it meanwhile
  if (!found.base) throw apiError("no_program", { tried: found.tried });
  if (found.base === asked || !mayRepeat(method, answer.response)) return usable(answer);
  return usable(await attempt(found.base, method, path, body, options));
}

// {response, error}: error is the ApiError that a bad status means, or null.
async function attempt(base, method, path, body, { signal, accept, keepalive = false, headers: more = {} }) {
  const headers = { Accept: accept, ...more };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  let response;
  try {
    response = await fetch(new URL(path, base), { method, headers, signal, keepalive, cache: "no-store", body: body && JSON.stringify(body) });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw apiError("network");
  }
  return { response, error: response.ok ? null : await errorOf(response) };
}

function usable({ response, error }) {
  if (error) throw error;
  return response;
}

// Our program answers in JSON or events, and its errors have a shape of their own.
function isForeign({ response, error }) {
  return error ? REFUSALS.includes(response.status) && !error.isOurs : isType(response, "text/html");
}

function mayRepeat(method, response) {
  return method !== "POST" || UNTOUCHED.includes(response.status);
}

async function errorOf(response) {
  const body = parseObject(await response.text().catch(() => ""));
  const { code, message } = body.error ?? {};
  return new ApiError(code ?? `http_${response.status}`, sentenceOf(code, response.status, message) + waitHint(response), {
    status: response.status,
    isOurs: typeof code === "string" && typeof message === "string",
  });
}

function waitHint(response) {
  const seconds = Number(response.headers.get("Retry-After"));
  if (!(seconds > 0)) return "";
  return ` ${seconds < 120 ? t("error.later.seconds", { count: Math.ceil(seconds) }) : t("error.later.minutes", { count: Math.ceil(seconds / 60) })}`;
}

function conversationPath(id) {
  return `conversations/${encodeURIComponent(id)}`;
}

function isType(response, type) {
  return (response.headers.get("Content-Type") ?? "").toLowerCase().startsWith(type);
}

function parseObject(text, otherwise = {}) {
  try {
    const value = JSON.parse(text);
    return value !== null && typeof value === "object" ? value : otherwise;
  } catch {
    return otherwise;
  }
}

/** Own usage by UTC day and model, "YYYY-MM-DD" both included: {from, to, rows}. */
export function getUsage(from, to) {
  return requestJson("GET", `usage?${new URLSearchParams({ from, to })}`);
}
