// The open conversation: opens it, asks, follows the answer, stops, and does what the buttons under messages say. Gets back on its feet after a reload or a
// lost connection.
// Neighbours: api.js (server), stream.js (running answers), answer.js and tree.js (models), transcript.js and composer.js (page), chat.js (address and list).
// Leaves out: drawing, and what stands outside the conversation.
//
// `messages` are all models of the conversation in the order of writing, `path` those of the open branch. A turn is one request on its way: {request, key,
// question, answer, draftKey, text, visit, stopWanted, edited}.

import { announce } from "./dom.js";
import { ask as post, changeConversation, deleteMessage, forkConversation, getConversation, sendFeedback, stopAnswer } from "./api.js";
import { applyEvent, isRunning, localModel, modelOf, restart } from "./answer.js";
import { draftKey } from "./composer.js";
import { keepEdit, readEdits } from "./editor.js";
import { newKey } from "./ids.js";
import { noteOf } from "./message.js";
import { followAnswer } from "./stream.js";
import { branchFrom, newestBelow, openPath, parentFor, siblingsOf } from "./tree.js";
import { t } from "./i18n.js";

const SMALL = 400;        // messages up to which a conversation is read again after each answer, for what the stream does not tell

/**
 * `page`: {transcript, composer, pictures, options, announcer, toast(sentence, {alert, action, onEnd}), askForm(kind)}. `events`: onBegun(id, isNew, isShown), onSettled(id, status),
 * onTitle(title or null), onGone(id), onOpen(id), onPlace(id or null), onState(state), onRequest(body), onEvent(event), startNew().
 */
export function createConversation(page, events) {
  const { transcript, composer, pictures, options, announcer } = page;
  let id = null;
  let metadata = {};
  let messages = [];
  let path = [];
  let leafId = null;
  let edited = null;            // the question that is being written anew
  let turn = null;              // the request on its way, if it is shown
  let running = null;           // {model, follower, isReplay, behind, dirty}: the answer that is followed
  let isLoaded = false;         // what the server has of it is known here
  let readAt = "";              // its `updated_at` when it was read; "" before that, null after an answer that was not read again
  let reading = Promise.resolve();   // the last refresh
  let listed = null;            // what a list said last
  let changes = 0;              // counts what is done here: a reading of the server that began before may be older than it
  const judging = new Map();    // model -> the judgement of it that is on its way to the server, which may still answer with the old one
  const unsaved = new Map();    // id -> metadata on its way there, likewise
  let saved = Promise.resolve();     // the last of them: one after the other, so that the last word counts
  let visit = 0;                // counts openings; what was begun in an earlier one may not touch the page
  const removed = new Set();    // ids of messages that are deleted as far as the page goes, not yet on the server

  // ---- opening

  /** Opens the conversation with this id, at a message if one is named; null begins a new one. */
  function open(nextId, messageId = null) {
    leave();
    id = nextId;
    events.onPlace(id);
    composer.use(draftKey(id));
    pictures.use(draftKey(id));
    options.use(id ? {} : null);
    if (id) load(messageId);
    else showNew();
  }

  // The server finishes a running answer without us, and a request that is on its way settles by itself what becomes of its draft.
  function leave() {
    visit += 1;
    [isLoaded, readAt, reading] = [false, "", Promise.resolve()];
    running?.follower.stop();
    [running, turn, edited, leafId] = [null, null, null, null];
    [messages, path, metadata] = [[], [], {}];
    announcer.clear();
    events.onState(null);
  }

  function showNew() {
    events.onTitle(null);
    settle();
    recoverDraft();
  }

  // True when the conversation is there and shown.
  async function load(messageId = null) {
    const [mine, before] = [visit, changes];
    path = [];
    transcript.showLoading();
    composer.setMode("waiting");
    try {
      const found = await getConversation(id);
      if (mine !== visit) return false;
      leafId = messageId ?? found.leaf_id ?? null;
      adopt(found);
      recoverDraft();
      if (!messageId || !transcript.reveal(messageId)) transcript.toLatest();
      if (before !== changes) refresh();      // it may be older than that
      return true;
    } catch (error) {
      if (mine === visit) showLoadFailure(error);
    }
    return false;
  }

  function showLoadFailure(error) {
    running?.follower.stop();
    [messages, path, running, isLoaded] = [[], [], null, false];
    composer.setMode("waiting");
    if (error.status === 404) {
      composer.rescue(Object.values(readEdits(id)));
      events.onGone(id);
      transcript.showFailure(t("page.gone"), { label: t("app.untitled"), icon: "plus", run: events.startNew });
    } else {
      transcript.showFailure(error.message, { label: t("app.retry"), icon: "retry", run: () => load() });
    }
    announce(error.message, { alert: true });
  }

  function recoverDraft() {
    composer.recover(path.findLast((model) => model.role === "user")?.content);
  }

  // Takes over what the server says. Models that are known stay the same objects, so that what is on the page stays; the one that is followed here knows better.
  function adopt(found) {
    const known = new Map(messages.map((model) => [model.id, model]));
    messages = (found.messages ?? []).filter((row) => ["user", "assistant"].includes(row.role) && !removed.has(row.id)).map((row) => {
      const old = known.get(row.id);
      if (old && old === running?.model) return old;
      return old ? Object.assign(old, modelOf(row), keptOf(old, row)) : modelOf(row);
    });
    dropArrived(known);
    [isLoaded, readAt] = [true, found.updated_at];
    metadata = unsaved.get(id) ?? found.metadata ?? {};
    events.onTitle(found.title);
    options.use(metadata.settings ?? {});
    const busy = messages.findLast(isRunning);
    if (busy && !running) follow(busy);
    else settle();
  }

  // What the page knows better than the server.
  function keptOf(old, row) {
    const note = !old.isLost && old.status === row.status ? old.note : "";
    return { key: old.key, note, ...(judging.has(old) && { feedback: old.feedback }) };
  }

  // A question that seemed not to have arrived, and did.
  function dropArrived(known) {
    const { refused } = path.at(-1) ?? {};
    if (!refused?.question || !messages.some((model) => model.role === "user" && !known.has(model.id) && isSame(model, refused.text, refused.question.attachments))) return;
    path = [];
    composer.takeOut(refused.text);
    composer.forget(refused.draftKey);
  }

  /** Looks what has changed on the server, without disturbing the reader. */
  function refresh() {
    reading = readAgain();
    return reading;
  }

  async function readAgain() {
    if (!id || turn || edited) return;
    const [mine, before] = [visit, changes];
    try {
      const found = await getConversation(id);
      if (mine !== visit || before !== changes || turn || edited) return;
      const known = new Set(messages.map((model) => model.id));
      if (found.messages.some((row) => !known.has(row.id) && !removed.has(row.id))) leafId = found.leaf_id ?? null;
      adopt(found);
    } catch (error) {
      if (mine === visit && error.status === 404) showLoadFailure(error);
    }
  }

  /** What a list that was asked for just now says of this conversation: what happened to it elsewhere is looked at. */
  async function compare(row) {
    const mine = visit;
    listed = row;
    await reading;                            // it may know by then
    if (listed !== row || mine !== visit || !isLoaded || isBusy()) return;
    if (readAt === null && messages.some((model) => model.id === row.leaf_id)) readAt = row.updated_at;
    if (row.status === "streaming" || row.updated_at !== readAt) refresh();
  }

  // ---- following an answer

  function follow(model, { isReplay = true } = {}) {
    running?.follower.stop();
    const mine = { model, follower: null, isReplay, behind: 0, dirty: false };
    running = mine;
    model.status = "streaming";
    model.note = "";
    composer.setMode(turn?.stopWanted ? "stopping" : "answering");
    show();
    mine.follower = followAnswer({
      conversationId: id,
      messageId: model.id,
      onEvent: (event) => { if (running === mine) take(mine, event); },
      onState: (state) => { if (running === mine) events.onState(state); },
      onGone: (error) => { if (running === mine) lost(mine, error); },
    });
  }

  function take(mine, event) {
    const { model } = mine;
    if (mine.isReplay) {                      // it is told from its beginning: what is on the page stays until the telling is as far
      mine.behind = model.content.length;
      restart(model);
      mine.isReplay = false;
      draw(mine);
    }
    if (event.type === "clear_message") mine.behind = 0;
    events.onEvent(event, model);
    const what = applyEvent(model, event.type, event.data);
    if (what === "end") ended(mine);
    else if (what === "title") events.onTitle(event.data.summary);
    else if (what === "text" && !mine.dirty) transcript.grow(model, event.data);
    else if (what) draw(mine);
  }

  // At most once a frame; while the page is hidden not at all.
  function draw(mine) {
    if (mine.dirty) return;
    mine.dirty = true;
    requestAnimationFrame(() => {
      mine.dirty = false;
      if (running !== mine) return;
      if (mine.model.content.length < mine.behind) draw(mine);
      else transcript.update(mine.model);
    });
  }

  function ended({ model }) {
    running = null;
    model.note = "";
    events.onState(null);
    settle();
    announceEnd(model);
    events.onSettled(id, model.status);
    if (messages.length <= SMALL) refresh();
    else readAt = null;
  }

  // The server has nothing more to say of it (null), or refuses. How it ended is not known: Retry looks again.
  function lost(mine, error) {
    running = null;
    events.onState(null);
    if (error?.status === 404) return showLoadFailure(error);
    Object.assign(mine.model, { status: "interrupted", isLost: true, note: error?.message ?? "" });
    settle();
    if (error) announce(error.message, { alert: true });
    else refresh();
  }

  function announceEnd(model) {
    const questions = model.confirmations.map(({ tool_name: name }) => t("confirm.title", { name }));
    if (questions.length > 0) announce(questions.join(" "));
    else if (model.status === "done") announcer.complete();
    else if (model.status === "stopped") announce(t("say.stopped"));
    else announce(noteOf(model), { alert: true });
  }

  // ---- asking

  /** Sends a message as the next of this conversation, or in place of a last one that has no answer. */
  function send(text, attachments = []) {
    if (isBusy()) return giveBack(draftKey(id), text, attachments);
    const last = path.at(-1);
    const failed = last?.refused ? path.at(-2) : null;
    const unanswered = failed ?? (last?.role === "user" ? last : null);
    if (failed?.elsewhere) return askAfterLoading(text, attachments, last.refused.edited);
    if (failed && isSame(failed, text, attachments)) return again(last);
    if (unanswered) path = path.slice(0, path.indexOf(unanswered));
    ask(text, attachments, unanswered ? parentFor(unanswered) : nextParent());
  }

  // As long as there are no branches the server knows the end better: another device may have gone on. It says 409 while that is answered.
  function nextParent() {
    return path.length === messages.length && removed.size === 0 ? null : path.at(-1)?.id ?? "root";
  }

  const isSame = ({ content, attachments }, text, others) => content === text && attachments.map(({ url }) => url).join() === others.map(({ url }) => url).join();

  // The server does not have it: it can be sent again from the box.
  function giveBack(key, text, attachments) {
    composer.giveBack(key, text);
    pictures.giveBack(key, attachments);
  }

  // The conversation went on elsewhere (409): first see how. If it still does, the text waits in the box. What was meant for the place of an earlier question still is.
  async function askAfterLoading(text, attachments, earlier) {
    const mine = draftKey(id);
    leafId = null;
    if (!await load() || isBusy()) return giveBack(mine, text, attachments);
    const question = messages.find((model) => model.id === earlier?.id);
    if (!question) return ask(text, attachments, nextParent());
    path = openPath(messages, question.id);
    sendEdit(question, text);
  }

  function ask(text, attachments, parentId, more = {}) {
    const question = localModel("user", { content: text, attachments, parent_id: path.at(-1)?.id ?? null, metadata: more.metadata ?? {} });
    begin({ question, text, request: { ...request(), message: text, ...(id && parentId && { parent_id: parentId }), ...(attachments.length > 0 && { attachments }), ...more } });
    transcript.makeRoom(question, path.at(-1));
  }

  // What goes with every request of this conversation.
  function request() {
    return { ...options.request(), ...(id && { conversation_id: id }), context: { ...options.context() } };
  }

  /** Sends an earlier question in other words, on a branch beside it. */
  function sendEdit(question, text) {
    if (isBusy()) return page.toast(t("error.busy"), { alert: true });
    edited = null;
    keepEdit(id, question.id, text);
    path = path.slice(0, path.indexOf(question));
    ask(text, question.attachments, parentFor(question));
    turn.edited = question;
  }

  /** A second answer to the same question, beside the first; the first one to a question that has none. */
  function regenerate(model) {
    if (isBusy() || !model.id) return;
    path = path.slice(0, path.indexOf(model) + (model.role === "user" ? 1 : 0));
    begin({ question: null, text: "", before: model, request: { ...request(), regenerate: model.id } });
    transcript.toLatest();
  }

  /** Lets an answer go on that was cut off. */
  function goOn(answer) {
    if (isBusy()) return;
    begin({ question: null, text: "", answer, request: { ...request(), continue: answer.id } });
    transcript.toLatest();
  }

  /** Tries again what failed: to look, to send the request if the server never took it, or else for another answer. */
  function retry(model) {
    if (isBusy()) return;
    if (model.isLost) return load();
    if (!model.refused) return regenerate(model);
    const question = path[path.indexOf(model) - 1];
    if (question.content) composer.takeOut(question.content);
    pictures.takeOut(question.attachments);
    if (!question.elsewhere) again(model);
    else if (question.content || question.attachments.length > 0) askAfterLoading(question.content, question.attachments, model.refused.edited);
    else decideAnew(path[path.indexOf(question) - 1]);
  }

  // What a tool asked may have been answered elsewhere. If it has not, its buttons are there again.
  function decideAnew(answer) {
    answer.decisions = {};
    leafId = null;
    load();
  }

  // With the same key: if the server has it after all, it is not asked twice.
  function again(answer) {
    const question = path[path.indexOf(answer) - 1];
    path = path.slice(0, path.indexOf(question));
    begin({ ...answer.refused, visit, question: Object.assign(question, { elsewhere: false }), answer: undefined });
    transcript.makeRoom(question, path.at(-1));
  }

  /** Answers what a tool asks, when all questions of that answer are decided. */
  function confirm(answer, { confirmation_id: confirmationId }, yes) {
    if (isBusy()) return;
    answer.decisions = { ...answer.decisions, [confirmationId]: yes };
    const open = answer.confirmations.filter((each) => answer.decisions[each.confirmation_id] === undefined);
    if (open.length > 0) {
      show();
      return announce(t("confirm.more", { count: open.length }));
    }
    const decisions = Object.entries(answer.decisions).map(([key, confirmed]) => ({ confirmation_id: key, confirmed }));
    ask("", [], answer.id, { context: { ...options.context(), tool_confirmations: decisions }, metadata: { tool_confirmations: decisions } });
    composer.focus();                         // the buttons are gone
  }

  function begin({ request: body, question, text, answer, before = null, key = newKey() }) {
    const model = answer ?? localModel("assistant", { parent_id: before?.role === "user" ? before.id : before?.parent_id ?? null });
    turn = { request: body, key, question, text, answer: model, before, isOld: Boolean(answer), visit, draftKey: draftKey(id), stopWanted: false, wasStatus: model.status };
    changes += 1;
    Object.assign(model, { status: "streaming", finishReason: null });      // why it ended is told by the next reading
    for (const each of [...messages, model]) each.note = "";
    path = [...path.filter((each) => each !== question && each !== model), ...(question ? [question] : []), model];
    if (!path.includes(edited)) edited = null;
    composer.setMode("answering");
    show();
    if (document.activeElement === document.body || !document.activeElement.checkVisibility()) composer.focus();      // the button that was pressed is gone
    announcer.begun();
    events.onRequest(body);
    run(turn);
  }

  async function run(asked) {
    try {
      accepted(asked, await post(asked.request, asked.key));
    } catch (error) {
      refused(asked, error);
    }
  }

  // The server has stored question and answer: only now may the draft go.
  function accepted(asked, { conversation_id: conversationId, message_id: messageId, question_id: questionId }) {
    const isShown = asked.visit === visit;
    const isNew = !asked.request.conversation_id;
    composer.forget(asked.draftKey);
    if (asked.edited) keepEdit(conversationId, asked.edited.id, null);
    if (asked.stopWanted && !isShown) stopAnswer(conversationId).catch(() => {});
    if (asked.question) asked.question.id = questionId;
    asked.answer.id = messageId;
    asked.answer.parent_id ??= questionId;
    if (isShown) {
      changes += 1;
      if (isNew) named(conversationId);
      if (!asked.isOld) messages.push(...(asked.question ? [asked.question] : []), asked.answer);
      leafId = messageId;
      turn = asked.stopWanted ? turn : null;
      follow(asked.answer, { isReplay: asked.isOld });
      if (asked.stopWanted) stop();
      turn = null;
    }
    events.onBegun(conversationId, isNew, isShown);
  }

  // A new conversation gets its name.
  function named(conversationId) {
    id = conversationId;
    isLoaded = true;
    events.onPlace(id);
    composer.moveTo(draftKey(id));
    pictures.moveTo(draftKey(id));
    if (options.settings()) saveSettings();
  }

  // Nothing was stored. The text goes back to the box; the failure stands where the answer would.
  function refused(asked, error) {
    if (asked.text) giveBack(asked.draftKey, asked.text, asked.question.attachments);
    if (asked.edited) keepEdit(asked.request.conversation_id, asked.edited.id, null);        // it is in the box now
    if (asked.visit !== visit) return;
    turn = null;
    if (asked.question) {
      Object.assign(asked.answer, { status: "error", error, refused: asked });
      asked.question.elsewhere = error.code === "busy";
    } else restore(asked, error);
    settle();
    announce(error.message, { alert: true });
  }

  // What was there before a second answer, or before going on.
  function restore(asked, error) {
    const model = asked.before ?? asked.answer;
    asked.answer.status = asked.wasStatus;
    model.note = error.message;
    path = openPath(messages, model.id);
  }

  // ---- stopping

  /** Stops the running answer. Before the server has named it the wish is kept until it does. */
  async function stop() {
    if (!isBusy()) return;
    const mine = visit;
    if (turn) turn.stopWanted = true;
    composer.setMode("stopping");
    if (!running) return;
    try {
      await stopAnswer(id);
    } catch (error) {
      if (mine === visit && running) stopFailed(error);
    }
  }

  function stopFailed(error) {
    running.model.note = t("say.stop.failed", { reason: error.message });
    composer.setMode("answering");
    show();
    announce(running.model.note, { alert: true });
  }

  // ---- what the buttons under a message do

  /** Shows the version before (-1) or after (1) of a message, with what followed from it. */
  function branch(model, by) {
    const all = siblingsOf(messages, model);
    const other = all[all.indexOf(model) + by];
    if (!other) return;
    transcript.hold();
    transcript.dropRoom();
    leafId = newestBelow(messages, other).id;
    show();
    transcript.focusButton(other, by < 0 ? "previous" : "next");
    if (!path.includes(edited)) edited = null;
    changeConversation(id, { leaf_id: leafId }).catch(() => {});    // only where it opens the next time
  }

  function edit(model) {
    edited = model;
    show();
  }

  const writeEdit = (model, words) => keepEdit(id, model.id, words === model.content ? null : words);

  /** What is being written in place of this question. */
  const editOf = (model) => readEdits(id)[model.id] ?? model.content;

  function cancelEdit(model) {
    keepEdit(id, model.id, null);
    edited = null;
    show();
    composer.focus();
    refresh();                                // it waited for the end of this
  }

  async function rate(model, kind) {
    const payload = await page.askForm(kind);
    if (payload === null) return;
    const before = model.feedback;
    model.feedback = kind;
    const mine = { kind };
    judging.set(model, mine);
    show();
    try {
      await sendFeedback(model.id, kind, payload);
      announce(t("actions.rated"));
    } catch (error) {
      model.feedback = before;
      show();
      page.toast(error.message, { alert: true });
    }
    if (judging.get(model) === mine) judging.delete(model);
    changes += 1;
  }

  async function fork(model) {
    try {
      events.onOpen((await forkConversation(model.id)).conversation_id);
      composer.focus();
    } catch (error) {
      page.toast(error.message, { alert: true });
    }
  }

  // It goes at once from the page; from the server when nobody has wanted it back.
  function remove(model) {
    const mine = visit;
    const from = id;
    const before = { messages, leafId };
    const gone = branchFrom(messages, model);
    const others = siblingsOf(messages, model).filter((other) => other !== model);
    messages = messages.filter((each) => !gone.has(each));
    leafId = others.length > 0 ? newestBelow(messages, others.at(-1)).id : model.parent_id;
    for (const each of gone) removed.add(each.id);
    changes += 1;
    settle();
    composer.focus();
    const undo = () => {
      removeEventListener("pagehide", leaving);
      for (const each of gone) removed.delete(each.id);
      changes += 1;
      if (mine !== visit && id === from) refresh();
      if (mine !== visit || isBusy()) return;
      messages = [...before.messages, ...messages.filter((each) => !before.messages.includes(each))];   // and what has come since
      leafId = before.leafId;
      settle();
    };
    const commit = async (isLeaving = false) => {
      removeEventListener("pagehide", leaving);
      try {
        await deleteMessage(from, model.id, isLeaving);
      } catch (error) {
        if (error.status !== 404) { undo(); page.toast(error.message, { alert: true }); }
      }
      changes += 1;                           // what was read before still has them
      for (const each of gone) removed.delete(each.id);
    };
    const leaving = () => commit(true);
    addEventListener("pagehide", leaving);
    page.toast(t("actions.deleted"), { action: { label: t("app.undo"), run: undo }, onEnd: () => commit() });
  }

  // ---- showing

  const isBusy = () => turn !== null || running !== null;

  // Nothing runs: everything is shown as it is, and the next message may be written.
  function settle() {
    composer.setMode(running || turn ? "answering" : "ready");
    show();
  }

  function show() {
    const local = turn ? path : path.at(-1)?.refused ? path : openPath(messages, leafId);
    path = local;
    composer.recall(path.filter((model) => model.role === "user").map((model) => model.content));
    const canAct = !isBusy();
    transcript.show(path, (model, at) => ({
      next: path[at + 1] ?? null, isLast: at === path.length - 1, canAct, isEdited: model === edited, siblings: model.id ? siblingsOf(messages, model) : [model],
    }));
  }

  /** The settings of this conversation were changed: they are kept with it. */
  function saveSettings() {
    if (!id || !isLoaded) return;             // before that, what was kept with it would be overwritten
    metadata = { ...metadata, settings: options.settings() };
    const [mine, change] = [id, { metadata }];
    unsaved.set(mine, metadata);
    const isLast = () => unsaved.get(mine) === change.metadata;
    saved = saved.then(() => (isLast() ? changeConversation(mine, change) : null)).catch((error) => page.toast(error.message, { alert: true })).finally(() => {
      if (isLast()) unsaved.delete(mine);
      changes += 1;
    });
  }

  addEventListener("pagehide", () => {
    for (const [mine, change] of unsaved) changeConversation(mine, { metadata: change }, true).catch(() => {});
  });

  const act = { edit, editOf, writeEdit, cancelEdit, sendEdit, regenerate, goOn, retry, branch, rate, fork, remove, confirm, askNext: (text) => { if (!isBusy()) send(text); } };
  return { open, send, stop, refresh, compare, saveSettings, act, isBusy, get id() { return id; }, get path() { return path; } };
}

