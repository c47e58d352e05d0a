// Where a formula begins and ends in Markdown: \(…\), \[…\], $$…$$, and $…$ by Pandoc's rule, so that "$5 and $10" stays text.
// Neighbours: markdown.js gives it to markdown-it; render.js and formula.js draw the tokens math_inline and math_block. Tested by tests/browser/maths.test.js.
// Leaves out: what TeX means.
//
// Tokens: content is the TeX, markup the opening mark, meta.display whether it stands on a line of its own. While an answer arrives (env.unfinished),
// an opening mark at the start of a line keeps what follows together as one block (meta.open) until it is closed or an empty line shows that it is none.

const CLOSING = { "$$": "$$", "\\[": "\\]", "\\(": "\\)", "$": "$" };
const LONGEST = 10_000;        // characters of a formula inside a paragraph
const MOST_LINES = 100;        // of a formula that is a block
const BLANK = /^[ \t]*$/;

/** The plugin: md.use(maths). Before "escape", which would take the backslash of \( away. */
export function maths(md) {
  md.inline.ruler.before("escape", "math_inline", inlineRule);
  md.block.ruler.before("fence", "math_block", blockRule, { alt: ["paragraph", "reference", "blockquote", "list"] });
}

/** The formula that begins at `at`: {tex, mark, end} or null. */
export function formulaAt(text, at) {
  const mark = markAt(text, at);
  if (!mark) return null;
  const from = at + mark.length;
  const close = unescapedIndex(text.slice(0, from + LONGEST), CLOSING[mark], from);
  const tex = text.slice(from, close);
  if (close < 0 || BLANK.test(tex) || /\n[ \t]*\n/.test(tex)) return null;
  if (mark === "$" && !isPandocs(text, tex, close)) return null;
  return { tex, mark, end: close + CLOSING[mark].length };
}

function markAt(text, at) {
  const two = text.slice(at, at + 2);
  if (two in CLOSING) return two;
  return text[at] === "$" ? "$" : null;
}

// The first candidate decides. A formula holds no code.
function isPandocs(text, tex, close) {
  return /^\S/.test(tex) && /\S$/.test(tex) && !/^\d/.test(text.slice(close + 1, close + 2)) && !tex.includes("`");
}

// A mark behind an odd number of backslashes does not close.
function unescapedIndex(text, mark, from) {
  for (let at = text.indexOf(mark, from); at >= 0; at = text.indexOf(mark, at + 1)) {
    const slashes = /\\*$/.exec(text.slice(Math.max(from, at - 50), at))[0].length;
    if (slashes % 2 === 0) return at;
  }
  return -1;
}

function inlineRule(state, silent) {
  const code = state.src.charCodeAt(state.pos);
  if (code !== 0x24 && code !== 0x5C || !mayClose(state)) return false;                // $ and backslash
  const formula = formulaAt(state.src.slice(0, state.posMax), state.pos);
  if (!formula) return false;
  if (!silent) {
    const token = state.push("math_inline", "", 0);
    token.content = formula.tex;
    token.markup = formula.mark;
    token.meta = { display: formula.mark === "$$" || formula.mark === "\\[" };
  }
  state.pos = formula.end;
  return true;
}

// Looks only once whether a mark is closed anywhere: many that are not would make a long paragraph slow.
function mayClose(state) {
  const mark = markAt(state.src, state.pos);
  if (!mark) return false;
  state.lastMarks ??= {};
  state.lastMarks[mark] ??= state.src.lastIndexOf(CLOSING[mark]);
  return state.lastMarks[mark] > state.pos;
}

function blockRule(state, startLine, endLine, silent) {
  if (state.sCount[startLine] - state.blkIndent >= 4) return false;
  const mark = lineAt(state, startLine).slice(0, 2);
  if (mark !== "$$" && mark !== "\\[") return false;
  const found = findEnd(state, startLine, endLine, mark);
  if (!found || silent) return Boolean(found);
  const token = state.push("math_block", "", 0);
  token.content = found.tex;
  token.markup = mark;
  token.block = true;
  token.map = [startLine, found.line];
  token.meta = { display: true, open: found.open };
  state.line = found.line;
  return true;
}

// {tex, line: the one after it, open}, or null. Nothing but space may follow the closing mark.
function findEnd(state, startLine, endLine, mark) {
  const indent = Math.min(state.blkIndent, state.sCount[startLine]);
  let tex = "";
  for (let line = startLine; line < endLine; line += 1) {
    if (line - startLine === MOST_LINES) return null;
    const text = line === startLine ? lineAt(state, line).slice(2) : lineAt(state, line);
    if (line > startLine && (BLANK.test(text) || state.sCount[line] < indent)) return null;
    const close = unescapedIndex(text, CLOSING[mark], 0);
    tex += text.slice(0, close < 0 ? text.length : close) + "\n";
    if (close < 0) continue;
    const closed = BLANK.test(text.slice(close + 2)) && !BLANK.test(tex.trim());
    return closed ? { tex: tex.trim(), line: line + 1, open: false } : null;
  }
  const isAtEnd = endLine === state.eMarks.length - 1 && !/\n[ \t]*\n$/.test(state.src);
  return state.env.unfinished && isAtEnd ? { tex: tex.trimEnd(), line: endLine, open: true } : null;
}

function lineAt(state, line) {
  return state.src.slice(state.bMarks[line] + state.tShift[line], state.eMarks[line]);
}
