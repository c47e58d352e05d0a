// Follows an answer that the server is writing, to its end, whatever happens on the way: each event exactly once and in order.
// Neighbours: conversation.js takes the events; api.js polls and knows the addresses. Tested by tests/browser/stream.test.js.
// Leaves out: what events mean (answer.js).
//
// Three ways to read the same log: a stream of events; a long poll where something on the way holds streams back; and a plain poll where even that does
// not get through. What works is remembered for a while. Every event has an id MESSAGE:POSITION, so that a repeated one is seen as such, and reading can
// go on anywhere. The stream is read with fetch and not with EventSource, which hides the status of a refusal, and events whose names it was not told.

import { openStream, pollStream, withPatience } from "./api.js";
import { storeKey } from "./settings.js";

const QUIET = 4000;          // ms of silence after which a poll looks whether there is more than the stream has brought
const GRACE = 500;           // ms that the stream has left to bring what a poll has found already
const DEAD = 35_000;         // ms without even a ping: three of them are missing
const WAIT_SECONDS = 25;
const WAIT_PAUSE = 250;      // ms between two long polls, so that they bring more than a word each
const POLL_EVERY = 1500;
const POLL_HIDDEN = 6000;
const PATIENCE = 15_000;     // ms for the answer to a poll, beyond its wait
const BACK_OFF = [300, 1000, 2000, 4000, 8000, 15_000];
const REMEMBER = 10 * 60_000; // ms after which streaming is tried again
const MODE_KEY = storeKey("reading");

/**
 * Follows the answer `messageId` of a conversation from `after` (a position; null: its beginning). `onEvent({type, data, pos})`; the last one is "done" or
 * "error". `onState(state)`: "live", "reconnecting", "offline", "wait" or "poll" (a host that holds streams back). `onGone(error)`: the server
 * has nothing more to say of it (null), or does not have it, or wants a sign-in (an ApiError). Returns {stop()}.
 */
export function followAnswer({ conversationId, messageId, after = null, onEvent, onState = () => {}, onGone = () => {} }) {
  let position = after;
  let mode = rememberedMode();
  let stream = null;          // the request of the stream that is being read, to abort it
  let polling = null;         // and that of a poll
  let timer = 0;              // of the next try
  let watchTimer = 0;
  let failures = 0;           // in a row
  let waitFailures = 0;       // of long polls, in a row
  let heardAt = Date.now();
  let stopped = false;
  let turn = 0;               // counts readings: what an earlier one brings late is not taken

  const cursor = () => (position === null ? `${messageId}:0` : `${messageId}:${position}`);

  function take(type, id, data) {
    const pos = positionOf(id, messageId);
    heardAt = Date.now();
    if (pos === null || (position !== null && pos <= position)) return;
    position = pos;
    failures = 0;
    onEvent({ type, data, pos });
    if (type === "done" || type === "error") stop();
  }

  function read() {
    if (stopped) return;
    close();
    turn += 1;
    if (mode === "stream") readStream(turn);
    else readPolls(turn);
  }

  // ---- the stream

  async function readStream(mine) {
    stream = new AbortController();
    heardAt = Date.now();
    watch(mine);
    try {
      const events = await openStream(conversationId, cursor(), stream.signal);
      if (mine !== turn) return;
      onState("live");
      for await (const { type, data, id } of events) {
        if (mine !== turn) return;
        if (type === "ping") heardAt = Date.now();
        else take(type, id, data);
      }
      if (mine === turn && !stopped) later();                 // it broke off without an end: the host was restarted, say
    } catch (error) {
      if (mine === turn && !stopped) failed(error);
    }
  }

  // While the stream says nothing a poll looks whether it should have.
  function watch(mine) {
    watchTimer = setTimeout(async () => {
      if (mine !== turn || stopped) return;
      const silence = Date.now() - heardAt;
      if (silence > DEAD) return reopen();
      if (silence >= QUIET && !document.hidden) {
        const before = position;
        const found = await poll().catch(() => null);
        if (found?.events.length > 0 && mine === turn) await pause(GRACE);
        if (mine !== turn || stopped) return;
        if (found?.events.length > 0 && before === position) return holdsBack(found);
      }
      watch(mine);
    }, QUIET);
  }

  // The log has events that the stream did not bring: something on the way keeps them.
  function holdsBack(found) {
    readBy("wait");
    takeAll(found);
    if (stopped) return;
    onState(mode);
    read();
  }

  function reopen() {
    onState(navigator.onLine === false ? "offline" : "reconnecting");
    read();
  }

  // ---- polls

  async function readPolls(mine) {
    try {
      const found = await poll(mode === "wait" ? WAIT_SECONDS : 0);
      if (mine !== turn || stopped) return;
      onState(mode);
      heardAt = Date.now();
      takeAll(found);
      if (stopped) return;
      [failures, waitFailures] = [0, 0];
      const every = document.hidden ? POLL_HIDDEN : POLL_EVERY;
      timer = setTimeout(read, mode === "wait" ? WAIT_PAUSE : every);
    } catch (error) {
      if (mine !== turn || stopped) return;
      if (mode === "wait" && navigator.onLine !== false) waitFailures += 1;
      if (waitFailures > 1) readBy("poll");                   // an answer that is waited for does not get through either
      failed(error);
    }
  }

  function poll(wait = 0) {
    polling = new AbortController();
    return withPatience(PATIENCE + wait * 1000, (signal) => pollStream(conversationId, { after: cursor(), wait, signal }), polling);
  }

  function readBy(nextMode) {
    mode = nextMode;
    waitFailures = 0;
    rememberMode(mode);
  }

  function takeAll({ events }) {
    for (const { id, event, data } of events) if (!stopped) take(event, id, data);
  }

  // ---- trying again

  function failed(error) {
    if (error.name === "AbortError") return;
    if ([204, 401, 403, 404].includes(error.status)) {
      stop();
      onGone(error.status === 204 ? null : error);
      return;
    }
    onState(navigator.onLine === false ? "offline" : "reconnecting");
    later();
  }

  function later(wait = BACK_OFF[Math.min(failures, BACK_OFF.length - 1)] * (0.75 + Math.random() / 2)) {
    failures += 1;
    clearTimeout(timer);
    timer = setTimeout(read, wait);
  }

  // The page is looked at again: do not wait for the next try.
  function nudge() {
    if (failures > 0 || Date.now() - heardAt >= DEAD / 3) readAnew();
  }

  function readAnew() {
    failures = 0;
    read();
  }

  function close() {
    clearTimeout(timer);
    clearTimeout(watchTimer);
    stream?.abort();
    polling?.abort();
    [stream, polling] = [null, null];
  }

  function stop() {
    stopped = true;
    turn += 1;
    close();
    removeEventListener("online", readAnew);
    removeEventListener("offline", onOffline);
    removeEventListener("pageshow", onPageShow);
    removeEventListener("pagehide", close);
    document.removeEventListener("visibilitychange", onVisible);
  }

  const onVisible = () => { if (!document.hidden) nudge(); };
  const onOffline = () => onState("offline");
  const onPageShow = (event) => { if (event.persisted) readAnew(); };    // pagehide has closed everything
  addEventListener("online", readAnew);
  addEventListener("offline", onOffline);
  addEventListener("pageshow", onPageShow);
  addEventListener("pagehide", close);
  document.addEventListener("visibilitychange", onVisible);
  read();
  return { stop };
}

const pause = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });

/** The position in an event's id, or null if it is not one of this answer. */
export function positionOf(id, messageId) {
  const [message, position, ...rest] = String(id).split(":");
  return message === messageId && rest.length === 0 && /^\d+$/.test(position ?? "") ? Number(position) : null;
}

function rememberedMode() {
  try {
    const { mode, at } = JSON.parse(sessionStorage.getItem(MODE_KEY) ?? "{}");
    return mode && Date.now() - at < REMEMBER ? mode : "stream";
  } catch {
    return "stream";
  }
}

function rememberMode(mode) {
  try {
    sessionStorage.setItem(MODE_KEY, JSON.stringify({ mode, at: Date.now() }));
  } catch { /* then it is found out again */ }
}
