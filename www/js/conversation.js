// The open conversation: opens it, asks, follows the answer, stops, retries, and gets back on its feet after a reload or a lost connection.
// Neighbours: api.js (server), transcript.js and composer.js (page), app.js (address bar and list).
// Leaves out: re-attaching to a running answer. Until the server offers it, an answer that streams elsewhere is looked at once a second.
//
// What is shown is `path`: models {key, id, parent_id, role, content, status, error, model, note, canRetry}.
// A turn is one question on its way: {conversationId, parentId, text, question, answer, abort, begun, stopWanted, draftKey}.

import { announce } from "./dom.js";
import { apiError, getConversation, stopAnswer, streamChat } from "./api.js";
import { draftKey } from "./composer.js";
import { noteOf } from "./message.js";
import { newestPath, parentFor } from "./tree.js";

const LOOK_EVERY = 1000;      // ms between looks at an answer that streams elsewhere
const LOOK_AT_MOST = 15000;   // ms, when the server cannot be reached

const ENDINGS = { done: "Answer complete.", stopped: "Stopped." };

/**
 * `events`: onBegun(id, isNew) when the server has a question, onSettled(id) when an answer has ended,
 * onTitle(title or null), onGone(id) when the conversation does not exist, startNew().
 */
export function createConversation(transcript, composer, events) {
  let id = null;
  let path = [];
  let turn = null;              // the turn whose stream is read here and shown
  let visit = 0;                // counts openings; what was begun in an earlier one may not touch the page
  let lookTimer = 0;
  let arrived = { id: null, content: "" };   // the text of an answer whose stream broke off
  const unsettled = new Set();  // draft keys of turns that the server has not yet accepted
  let localKeys = 0;

  // ---- opening

  /** Opens the conversation with this id; null begins a new one. */
  function open(nextId) {
    leave();
    id = nextId;
    composer.use(draftKey(id));
    if (id) load();
    else showNew();
  }

  // Leaves the open conversation. The server finishes a running answer without us. A question that
  // it has not yet accepted is let through first (see begun), so that a failure gives the text back.
  function leave() {
    visit += 1;
    clearTimeout(lookTimer);
    if (turn?.begun) turn.abort.abort();
    turn = null;
    path = [];
  }

  function showNew() {
    events.onTitle(null);
    settle();
    recoverDraft();
  }

  // True when the conversation is there and shown.
  async function load() {
    const mine = visit;
    transcript.showLoading();
    composer.setMode("waiting");
    try {
      const found = await getConversation(id);
      if (mine !== visit) return false;
      adopt(found);
      recoverDraft();
      transcript.toLatest();
      return true;
    } catch (error) {
      if (mine === visit) showLoadFailure(error);
    }
    return false;
  }

  function showLoadFailure(error) {
    if (error.status === 404) {
      events.onGone(id);
      transcript.showFailure("This conversation does not exist. It may have been deleted.",
        { label: "New conversation", icon: "plus", run: events.startNew });
    } else {
      transcript.showFailure(error.message, { label: "Retry", icon: "retry", run: load });
    }
    announce(error.message, { alert: true });
  }

  function recoverDraft() {
    if (unsettled.has(draftKey(id))) return;
    composer.recover(path.findLast((model) => model.role === "user")?.content);
  }

  // Takes over what the server says about the conversation.
  function adopt(found) {
    path = newestPath(found.messages ?? []).filter((row) => row.role === "user" || row.role === "assistant").map(modelOf);
    events.onTitle(found.title);
    if (path.at(-1)?.status === "streaming") lookAgain(LOOK_EVERY);
    else settle();
  }

  function modelOf(row) {
    const { parent_id, role, model, error } = row;
    const note = row.status === "streaming" ? "Still being written…" : "";
    return { key: row.id, id: row.id, parent_id, role, content: contentOf(row), status: row.status, error, model, note };
  }

  // What was already on the page stays there, even if the server has not written it down.
  function contentOf(row) {
    const content = row.content ?? "";
    const keep = row.id === arrived.id && row.status !== "done" && arrived.content.startsWith(content);
    return keep ? arrived.content : content;
  }

  // ---- an answer that is written without a stream to this page

  function lookAgain(wait) {
    composer.setMode("answering");
    show();
    lookTimer = setTimeout(look, wait, wait);
  }

  async function look(waited) {
    const mine = visit;
    try {
      const found = await getConversation(id);
      if (mine !== visit) return;
      adopt(found);
      if (!isRunning()) announceEnd(path.at(-1));
    } catch (error) {
      if (mine !== visit) return;
      if (error.status === 404) return showLoadFailure(error);
      path.at(-1).note = `${error.message} Trying again by itself…`;
      lookAgain(Math.min(waited * 2, LOOK_AT_MOST));
    }
  }

  // ---- asking

  /** Sends a message as the next of this conversation, or in place of one that the server did not take. */
  function send(text) {
    if (path.at(-1)?.refused) replaceFrom(path.at(-2), text);
    else ask(text, undefined);
  }

  /** Asks again what a failed answer was to say, on a new branch beside the failed one. */
  function retry(answer) {
    if (isRunning()) return;
    const question = path[path.indexOf(answer) - 1];
    composer.takeOut(question.content);
    replaceFrom(question, question.content);
  }

  async function replaceFrom(question, text) {
    if (question.elsewhere) return askAfterLoading(text);
    path = path.slice(0, path.indexOf(question));
    ask(text, parentFor(question));
  }

  // The conversation went on elsewhere (409): first see how. If it still does, the text waits in the box.
  async function askAfterLoading(text) {
    const loaded = await load();
    if (!loaded || isRunning()) return;
    composer.takeOut(text);
    ask(text, undefined);
  }

  // parentId undefined: the server appends to the newest branch.
  function ask(text, parentId) {
    const question = localModel("user", text, "done");
    const answer = localModel("assistant", "", "streaming");
    question.parent_id = parentId === "root" ? null : parentId ?? path.at(-1)?.id ?? null;
    path.push(question, answer);
    turn = {
      conversationId: id, parentId, text, question, answer,
      abort: new AbortController(), begun: false, stopWanted: false, draftKey: draftKey(id),
    };
    unsettled.add(turn.draftKey);
    composer.setMode("answering");
    show();
    transcript.toLatest();
    announce("Answering.");
    run(turn);
  }

  function localModel(role, content, status) {
    return { key: `local-${localKeys += 1}`, id: null, parent_id: null, role, content, status, error: null, model: null, note: "" };
  }

  function requestOf({ text, conversationId, parentId }) {
    if (!conversationId) return { message: text };
    return { message: text, conversation_id: conversationId, parent_id: parentId };
  }

  async function run(asked) {
    try {
      for await (const event of streamChat(requestOf(asked), asked.abort.signal)) take(asked, event);
    } catch (error) {
      if (error.name === "AbortError") return;
      if (asked.begun) await broken(asked);
      else refused(asked, error);
    }
  }

  // One event of the stream. Types that are not known here are for later parts of the page.
  function take(asked, { type, data }) {
    if (type === "start") begun(asked, data);
    else if (type === "token") grow(asked, data);
    else if (type === "done") ended(asked, data.status ?? "done", null);
    else if (type === "error") ended(asked, "error", data);
  }

  // The server has stored the question: only now may the draft go.
  function begun(asked, start) {
    asked.begun = true;
    asked.answer.id = start.message_id;
    asked.answer.model = start.model;
    settleDraft(asked);
    composer.forget(asked.draftKey);
    named(asked, start.conversation_id);
    if (asked !== turn) return asked.abort.abort();
    show();
    if (asked.stopWanted) stop();
  }

  // The server says which conversation a turn belongs to. A new one gets its name here.
  function named(asked, conversationId) {
    const isNew = asked.conversationId === null;
    asked.conversationId ??= conversationId;
    if (asked === turn && isNew) {
      id = conversationId;
      composer.moveTo(draftKey(id));
    }
    events.onBegun(asked.conversationId, isNew, asked === turn);
  }

  function grow(asked, piece) {
    if (asked !== turn) return;
    asked.answer.content += piece;
    transcript.append(asked.answer, piece);
  }

  // ---- the ways a turn ends

  function ended(asked, status, error) {
    if (!asked.begun) return refused(asked, error ?? apiError("bad_answer"));
    asked.answer.status = status;
    asked.answer.error = error;
    if (asked === turn) finishTurn(asked);
    events.onSettled(asked.conversationId);
  }

  // No stream began. The text goes back to the box; the failure stands where the answer would.
  // A server that stored the question all the same may say in which conversation; then Retry stays in it.
  function refused(asked, error) {
    settleDraft(asked);
    composer.giveBack(asked.draftKey, asked.text);
    asked.answer.status = "error";
    asked.answer.error = error;
    asked.answer.refused = true;
    asked.question.elsewhere = error.code === "busy";
    if (error.conversationId) named(asked, error.conversationId);
    if (asked === turn) finishTurn(asked);
    events.onSettled(asked.conversationId);
  }

  // The stream broke off. The server may still be writing, or be done: it knows, if it can be reached.
  async function broken(asked) {
    const mine = visit;
    const found = await getConversation(asked.conversationId).catch(() => null);
    if (mine !== visit || asked !== turn) return;
    if (!found) return ended(asked, "interrupted", null);
    turn = null;
    arrived = { id: asked.answer.id, content: asked.answer.content };
    adopt(found);
    if (!isRunning()) announceEnd(path.at(-1));
    events.onSettled(asked.conversationId);
  }

  function finishTurn(asked) {
    turn = null;
    asked.answer.note = "";
    settle();
    announceEnd(asked.answer);
  }

  function settleDraft(asked) {
    unsettled.delete(asked.draftKey);
  }

  function announceEnd(answer) {
    if (answer?.role !== "assistant") return;
    const ending = ENDINGS[answer.status];
    announce(ending ?? noteOf(answer), { alert: !ending });
  }

  // ---- stopping

  /** Stops the running answer. Before the server has named the conversation the wish is kept until it does. */
  async function stop() {
    if (!isRunning()) return;
    const mine = visit;
    if (turn) turn.stopWanted = true;
    composer.setMode("stopping");
    if (!id) return;
    try {
      await stopAnswer(id);
    } catch (error) {
      if (mine === visit && isRunning()) stopFailed(error);
    }
  }

  function stopFailed(error) {
    const answer = path.at(-1);
    answer.note = `Could not stop the answer. ${error.message}`;
    composer.setMode("answering");
    show();
    announce(answer.note, { alert: true });
  }

  // ---- showing

  function isRunning() {
    return path.at(-1)?.status === "streaming";
  }

  // Nothing runs: everything is shown as it is, and the next message may be written.
  function settle() {
    composer.setMode("ready");
    show();
  }

  function show() {
    for (const model of path) model.canRetry = false;
    const last = path.at(-1);
    if (last?.role === "assistant") last.canRetry = !["done", "streaming"].includes(last.status);
    transcript.show(path);
  }

  return { open, send, retry, stop, isRunning, get id() { return id; } };
}
