// Pure functions over the messages of a conversation, which form a tree by parent_id.
// Neighbours: conversation.js. Tested by tests/browser/tree.test.js.
// Leaves out: anything about drawing; messages are any objects with id, parent_id and role, in the order of writing.

/** The messages from the root to `leaf`. Stops where a parent is missing, and at a circle. */
export function pathTo(messages, leaf) {
  const byId = new Map(messages.map((message) => [message.id, message]));
  const path = [];
  const seen = new Set();
  for (let at = leaf; at && !seen.has(at.id); at = byId.get(at.parent_id)) {
    seen.add(at.id);
    path.unshift(at);
  }
  return path;
}

/** The messages to show: to the leaf with this id or, if there is none such, to the newest; always on to the end of that branch. */
export function openPath(messages, leafId) {
  const leaf = messages.find((message) => message.id === leafId);
  const end = leaf ? newestBelow(messages, leaf) : messages.at(-1);
  return end ? pathTo(messages, end) : [];
}

/** Following the newest reply each time, the last message of the branch that `message` is on. */
export function newestBelow(messages, message) {
  const children = childrenOf(messages);
  const seen = new Set();
  let at = message;
  while (children.has(at.id) && !seen.has(at.id)) {
    seen.add(at.id);
    at = children.get(at.id).at(-1);
  }
  return at;
}

/** The messages that stand in the same place as `message`, itself among them, in the order of writing. */
export function siblingsOf(messages, message) {
  const found = messages.filter((other) => (other.parent_id ?? null) === (message.parent_id ?? null) && other.role === message.role);
  return found.includes(message) ? found : [message];
}

/** `message` and everything that follows from it. */
export function branchFrom(messages, message) {
  const children = childrenOf(messages);
  const found = new Set([message]);
  for (const each of found) for (const child of children.get(each.id) ?? []) found.add(child);
  return found;
}

function childrenOf(messages) {
  const children = new Map();
  for (const message of messages) {
    if (message.parent_id === null || message.parent_id === undefined) continue;
    if (!children.has(message.parent_id)) children.set(message.parent_id, []);
    children.get(message.parent_id).push(message);
  }
  return children;
}

/** What a POST gives as parent_id to stand beside `message`: its parent, or "root". */
export function parentFor(message) {
  return message.parent_id ?? "root";
}
