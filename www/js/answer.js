// What a message is to the page: an object made from the server's row, and how each event of a stream changes it. Pure; no markup.
// Neighbours: conversation.js holds these models, message.js and parts.js draw them. Tested by tests/browser/answer.test.js.
// Leaves out: order and repetition of events (stream.js applies each once).
//
// {key, id, parent_id, role, content, reasoning, status, error, model, provider, usage, feedback, attachments, metadata, createdAt, finishedAt, finishReason,
//  references, updates, images, plan, confirmations, tools, followups, custom, isThinking, isLost, note}

let localKeys = 0;

/** A model out of a row of GET /conversations/{id}. */
export function modelOf(row) {
  const model = {
    ...blank(row.role), key: row.id, id: row.id, parent_id: row.parent_id ?? null,
    content: row.content ?? "", reasoning: row.reasoning ?? "", status: row.status, error: row.error ?? null,
    model: row.model ?? null, provider: row.provider ?? null, usage: row.usage ?? null, feedback: row.feedback ?? null,
    attachments: Array.isArray(row.attachments) ? row.attachments : [], metadata: row.metadata ?? {},
    createdAt: dateOf(row.created_at), finishedAt: dateOf(row.finished_at), finishReason: row.finish_reason ?? null,
  };
  for (const { type, content } of row.events ?? []) takePart(model, type, content ?? {});
  return model;
}

/** A model that the server does not know yet. */
export function localModel(role, fields) {
  localKeys += 1;
  return { ...blank(role), key: `local-${localKeys}`, createdAt: new Date(), ...fields };
}

function blank(role) {
  return {
    key: "", id: null, parent_id: null, role, content: "", reasoning: "", status: "done", error: null, model: null, provider: null, usage: null,
    feedback: null, attachments: [], metadata: {}, createdAt: null, finishedAt: null, finishReason: null, isThinking: false, isLost: false, note: "", ...noParts(),
  };
}

function noParts() {
  return { references: [], updates: [], images: [], plan: [], confirmations: [], tools: [], followups: [], custom: [], chunks: new Map() };
}

function dateOf(text) {
  const date = text ? new Date(text) : null;
  return date && !Number.isNaN(date.getTime()) ? date : null;
}

/** The answer is going to be told from its beginning. */
export function restart(model) {
  Object.assign(model, { content: "", reasoning: "", error: null, isThinking: false }, noParts());
}

/**
 * Applies one event of the stream. Returns what changed: "text", "parts", "title" (the event's data has it), "end", or "custom" for a type of the
 * application's own; null when nothing did.
 */
export function applyEvent(model, type, data) {
  if (type === "token") {
    const hasThought = model.isThinking;
    model.content += data;
    model.isThinking = false;
    return hasThought ? "parts" : "text";
  }
  if (type === "reasoning") {
    model.reasoning += data.text ?? "";
    model.isThinking = true;
    return "parts";
  }
  if (type === "start") return begin(model, data);
  if (type === "done") return end(model, data.status ?? "done", null, data);
  if (type === "error") return end(model, data.code === "interrupted" ? "interrupted" : "error", data, data);
  if (type === "clear_message") {
    restart(model);
    return "parts";
  }
  if (type === "conversation_summary") return "title";
  return takePart(model, type, data);
}

function begin(model, { message_id: id, model: name }) {
  model.id ??= id ?? null;
  model.model ??= name ?? null;
  return null;
}

function end(model, status, error, data) {
  Object.assign(model, { status, error, isThinking: false, finishedAt: new Date() });
  if (data.usage) model.usage = data.usage;
  return "end";
}

// ---- what stands beside the text

const PARTS = {
  reference: (model, part) => { model.references.push(part); },
  live_update: (model, part) => { upsert(model.updates, part, (update) => update.update_id); },
  image: (model, part) => { upsert(model.images, part, (image) => image.id); },
  plan_item: (model, part) => { if (part.task) upsert(model.plan, part.task, (task) => task.id); },
  confirmation_request: (model, part) => { if (part.confirmation_request) upsert(model.confirmations, part.confirmation_request, (request) => request.confirmation_id); },
  tool_call: (model, part) => { model.tools.push({ ...part, result: null }); },
  tool_result: (model, part) => { takeResult(model.tools, part); },
  followup_messages: (model, part) => { model.followups = (part.messages ?? []).filter((text) => typeof text === "string"); },
  chunked_content: (model, part) => { takeChunk(model, part); },
  state_update: () => {},
  usage: () => {},
};

function takePart(model, type, part) {
  const take = PARTS[type];
  if (take) {
    take(model, part);
    return "parts";
  }
  model.custom.push({ type, content: part });
  return "custom";
}

// A later part with the same key takes the place of the earlier one.
function upsert(list, part, keyOf) {
  const at = list.findIndex((other) => keyOf(other) === keyOf(part));
  if (at < 0) list.push(part);
  else list[at] = part;
}

function takeResult(tools, result) {
  const call = tools.find((tool) => tool.id === result.id);
  if (call) call.result = result.content ?? "";
  else tools.push({ id: result.id, name: result.name, arguments: null, result: result.content ?? "" });
}

// An image in pieces, which may come in any order: {id, content_type, chunk_index, total_chunks, mime_type: "data:image/png;base64", data}.
function takeChunk(model, { id, chunk_index: at, total_chunks: total, mime_type: head, data }) {
  if (!Number.isInteger(at) || !Number.isInteger(total) || at < 0 || at >= total || total > 4096) return;
  const pieces = model.chunks.get(id) ?? new Map();
  model.chunks.set(id, pieces.set(at, String(data)));
  if (pieces.size < total) return;
  const whole = Array.from({ length: total }, (_, index) => pieces.get(index)).join("");
  model.chunks.delete(id);
  upsert(model.images, { id, url: `${head},${whole}` }, (image) => image.id);
}

// ---- what follows from a model

export const isRunning = (model) => model?.status === "streaming";

/** Cut off in the middle: it can be asked to go on. */
export function canContinue(model) {
  if (model.role !== "assistant" || !model.id || !model.content || model.isLost) return false;
  return ["stopped", "interrupted", "error"].includes(model.status) || (model.status === "done" && model.finishReason === "length");
}

/** What became of a request for confirmation on an answer, given the message after it: "pending", "confirmed", "declined" or "skipped". `decisions`: so far. */
export function confirmationState(request, next, decisions = {}) {
  if (!next && decisions[request.confirmation_id] !== undefined) return decisions[request.confirmation_id] ? "confirmed" : "declined";
  if (!next) return "pending";
  const decision = next.metadata?.tool_confirmations?.find?.((each) => each.confirmation_id === request.confirmation_id);
  if (!decision) return "skipped";
  return decision.confirmed ? "confirmed" : "declined";
}
