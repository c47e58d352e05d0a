// Server-sent events out of bytes or strings: a state machine without I/O.
// Neighbours: api.js feeds it what fetch reads. tests/browser/sse.test.js cuts streams at every place.
// Leaves out: reconnecting, and what the events mean. An event that is not closed by an empty line is dropped, as the standard says.

/**
 * A parser for one stream. `feed(chunk)` takes a Uint8Array or a string and returns the events it completed,
 * each `{type, data, id}`; chunks may be cut anywhere, inside a character or inside CR LF.
 */
export function createSseParser() {
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  let partial = "";          // a line whose end has not arrived
  let afterCr = false;       // the last chunk ended in CR: a LF that follows belongs to it
  let atStart = true;        // a byte order mark may still come
  let type = "";
  let data = null;           // the data lines so far, or null when there were none
  let id = "";

  function feed(chunk) {
    const text = clean(typeof chunk === "string" ? chunk : decoder.decode(chunk, { stream: true }));
    const events = [];
    let lineStart = 0;
    for (const end of text.matchAll(/\r\n|\r|\n/g)) {
      takeLine(partial + text.slice(lineStart, end.index), events);
      partial = "";
      lineStart = end.index + end[0].length;
    }
    partial += text.slice(lineStart);
    return events;
  }

  // The text without the LF of a CR LF that was cut in two, and without the byte order mark at the very start.
  function clean(text) {
    if (text === "") return text;
    let from = 0;
    if (atStart && text[0] === "\uFEFF") from = 1;
    if (afterCr && text[0] === "\n") from = 1;
    atStart = false;
    afterCr = text.endsWith("\r");
    return text.slice(from);
  }

  function takeLine(line, events) {
    if (line === "") return dispatch(events);
    const colon = line.indexOf(":");
    if (colon === 0) return;                                   // a comment
    const name = colon < 0 ? line : line.slice(0, colon);
    const rest = colon < 0 ? "" : line.slice(colon + 1);
    takeField(name, rest.startsWith(" ") ? rest.slice(1) : rest);
  }

  function takeField(name, value) {
    if (name === "event") type = value;
    else if (name === "data") (data ??= []).push(value);
    else if (name === "id" && !value.includes("\0")) id = value;
  }

  function dispatch(events) {
    if (data !== null) events.push({ type: type || "message", data: data.join("\n"), id });
    type = "";
    data = null;
  }

  return { feed };
}
