// Talks to the server: JSON requests, and the stream of an answer. Every failure leaves here as an ApiError with a sentence for people.
// Neighbours: conversation.js, sidebar.js and diagnose.js call it; place.js knows where the API is; sse.js parses the stream.
// Leaves out: re-attaching to a running answer (GET conversations/{id}/stream), which comes later, and anything about the page.

import { placeOfPage } from "./place.js";
import { createSseParser } from "./sse.js";

const PAGE_SIZE = 50;
const REFUSALS = [403, 404, 405, 501];   // what servers say that have no program at this address
const UNTOUCHED = [404, 405, 501];       // of these, the ones after which nobody can have worked on a POST

/**
 * What went wrong, as `code` (the server's, or "network", "interrupted", "bad_answer", "no_program") and a sentence in `message`.
 * `isOurs`: our program said so, not the server around it. `tried`: with "no_program", the addresses and what they answered.
 */
export class ApiError extends Error {
  constructor(code, message, details = {}) {
    super(message);
    this.code = code;
    this.status = details.status ?? 0;
    this.conversationId = details.conversationId ?? null;
    this.isOurs = details.isOurs ?? false;
    this.tried = details.tried ?? [];
  }
}

// Sentences of our own where the page knows better than the server what to do next.
const SENTENCES = {
  busy: "The last answer in this conversation is still being written. Wait for its end or stop it, then retry.",
  network: "The server cannot be reached. Check the connection, then retry.",
  interrupted: "The answer broke off before its end.",
  bad_answer: "The server gave an answer that this page does not understand.",
  no_program: "This page was found, but the program behind it was not. The page diagnose.html, beside this one, says what to look for.",
  401: "You are signed out. Open this page in another tab to sign in, then retry; your text is kept.",
  413: "This message is too long for the server.",
};

export function apiError(code, details) {
  return new ApiError(code, SENTENCES[code], details);
}

/** One page of the conversations, newest first: {conversations, next}. */
export function listConversations(before) {
  const query = new URLSearchParams({ limit: PAGE_SIZE });
  if (before) query.set("before", before);
  return requestJson("GET", `conversations?${query}`);
}

export function getConversation(id) {
  return requestJson("GET", conversationPath(id));
}

export function deleteConversation(id) {
  return requestJson("DELETE", conversationPath(id));
}

export function stopAnswer(id) {
  return requestJson("POST", `${conversationPath(id)}/stop`, {});
}

/**
 * Asks, and yields the events of the answer as {type, data, id}: `data` is text for "token", an object for all others.
 * Ends after "done" or "error". Throws an ApiError when no answer begins, or when the stream ends without either.
 */
export async function* streamChat(question, signal) {
  const response = await send("POST", "chat/stream", question, { signal, accept: "text/event-stream" });
  if (!isType(response, "text/event-stream")) throw apiError("bad_answer", { status: response.status });
  for await (const event of readEvents(response.body)) {
    yield event;
    if (event.type === "done" || event.type === "error") return;
  }
  throw apiError("interrupted");
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
      const { done, value } = await readChunk(reader);
      if (done) return;
      for (const event of parser.feed(value)) yield typed(event);
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}

async function readChunk(reader) {
  try {
    return await reader.read();
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw apiError("interrupted");
  }
}

function typed({ type, data, id }) {
  return { type, id, data: type === "token" ? data : parseObject(data) };
}

async function requestJson(method, path, body) {
  const response = await send(method, path, body, { accept: "application/json" });
  const object = parseObject(await response.text().catch(() => ""), null);
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
async function attempt(base, method, path, body, { signal, accept }) {
  const headers = { Accept: accept };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  let response;
  try {
    response = await fetch(new URL(path, base), { method, headers, signal, cache: "no-store", body: body && JSON.stringify(body) });
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
  const sentence = SENTENCES[code] ?? SENTENCES[response.status] ?? message ?? `The server answered with status ${response.status}.`;
  return new ApiError(code ?? `http_${response.status}`, sentence + waitHint(response), {
    status: response.status,
    conversationId: response.headers.get("Parley-Conversation"), // the question is stored already: retry there
    isOurs: typeof code === "string" && typeof message === "string",
  });
}

function waitHint(response) {
  const seconds = Number(response.headers.get("Retry-After"));
  if (!(seconds > 0)) return "";
  return seconds < 120 ? ` Try again in ${Math.ceil(seconds)} s.` : ` Try again in ${Math.ceil(seconds / 60)} minutes.`;
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
