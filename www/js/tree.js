// Pure functions over the messages of a conversation, which form a tree by parent_id.
// Neighbours: conversation.js. Tested by tests/browser/tree.test.js.
// Leaves out: choosing between siblings (arrows between branches come with the full UI).

/** The messages from the root to the newest leaf: what the page shows. */
export function newestPath(messages) {
  const leaf = newestLeaf(messages);
  return leaf ? pathTo(messages, leaf) : [];
}

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

// Of the messages that nothing answers, the one created last; of equal times, the one that stands last in the list.
function newestLeaf(messages) {
  const parents = new Set(messages.map((message) => message.parent_id));
  let newest = null;
  for (const message of messages) {
    if (parents.has(message.id)) continue;
    if (!newest || timeOf(message) >= timeOf(newest)) newest = message;
  }
  return newest;
}

function timeOf(message) {
  return Date.parse(message.created_at) || 0;
}

/** What a POST gives as parent_id to stand beside `message`: its parent, or "root". */
export function parentFor(message) {
  return message.parent_id ?? "root";
}
