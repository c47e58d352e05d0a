// What is shown of Markdown whose end has not arrived, so that half-typed marks do not flash: pure functions from text to text.
// Neighbours: markdown.js uses them for the last block only, and never changes what it keeps. Tested by tests/browser/unfinished.test.js.
// Leaves out: being right in every corner. What it gets wrong is wrong for a moment: the whole text decides in the end.

import { formulaAt } from "./maths.js";

const LONGEST = 5000;          // a longer paragraph is left as it is: this runs for every frame
const ONLY_MARKS = /^[ \t>]*(?:[-+*_=#`~|:]+|\d{1,9}[.)]?)[ \t]*$/;
const TABLE_BEGUN = /^\|[^\n]*(?:\n[|:\- \t]*)?$/;
const TASK_BEGUN = /^\[[ xX]?\]?$/;

/** Block by block: without a last line of nothing but marks, which may yet become a list, a rule, a heading or the end of a code block. */
export function holdBack(text) {
  const line = text.lastIndexOf("\n") + 1;
  return ONLY_MARKS.test(text.slice(line)) ? text.slice(0, line) : text;
}

/** Inside a paragraph: with its open emphasis and code closed, and a half-typed link as its text. */
export function closeMarks(text, tries = 5) {
  if (text.length > LONGEST || tries === 0) return text;
  if (TABLE_BEGUN.test(text) || TASK_BEGUN.test(text)) return "";
  const body = withoutLastMarks(text);
  const { cut, code, open } = scan(body);
  if (cut !== undefined) return closeMarks(cut, tries - 1);
  const closing = open.reverse().join("") + (/\s$/.test(text) ? " " : "");
  return code ? closeCode(body, code) + closing : body + closing;
}

// Marks that nothing follows yet: they may close or open, nobody knows. Nor may a space stand before a closing mark.
function withoutLastMarks(text) {
  let end = text.length;
  while (end > 0 && "*_~ \t\n".includes(text[end - 1])) end -= 1;
  return text.slice(0, text[end - 1] === "\\" ? end + 1 : end);
}

function closeCode(text, { at, mark }) {
  const inside = text.slice(at + mark.length).replace(/`{1,50}$/, "");
  return inside ? text.slice(0, at) + mark + inside + mark : text.slice(0, at).trimEnd();
}

// Walks through the text once and gives what is open at its end: {cut: the text without a half-typed link},
// or {open: marks of emphasis, code: where a code span begins that nothing closes}.
function scan(text) {
  const open = [];
  const brackets = [];
  let at = 0;
  while (at < text.length) {
    const char = text[at];
    const formula = char === "$" || char === "\\" ? formulaAt(text, at) : null;
    if (formula) at = formula.end;
    else if (char === "\\") at += 2;
    else if (char === "`") {
      const mark = /^`+/.exec(text.slice(at))[0];
      const end = endOfCode(text, at + mark.length, mark);
      if (end < 0) return { open, code: { at, mark } };
      at = end;
    } else if (char === "[") {
      brackets.push(at);
      at += 1;
    } else if (char === "]" && brackets.length > 0) {
      const from = brackets.pop();
      const end = endOfTarget(text, at + 1);
      if (end < 0 && mayBeLink(text, from)) return { cut: withoutLink(text, from, at) };
      at = Math.max(end, at + 1);
    } else if (char === "*" || char === "_" || char === "~") at = takeRun(text, at, open);
    else at += 1;
  }
  const from = brackets.at(-1);
  return from !== undefined && mayBeLink(text, from) ? { cut: withoutLink(text, from, text.length) } : { open };
}

function endOfCode(text, from, mark) {
  for (const run of text.slice(from).matchAll(/`+/g)) if (run[0] === mark) return from + run.index + mark.length;
  return -1;
}

// Behind "(address)" at `at`, or `at` itself when no address begins there; -1 when one has begun, or may begin with the next letter.
function endOfTarget(text, at) {
  if (at === text.length) return -1;
  if (text[at] !== "(") return at;
  const target = /^\([^()\n]*(?:\([^()\n]*\)[^()\n]*)*\)/.exec(text.slice(at));
  if (target) return at + target[0].length;
  return text.indexOf("\n", at) < 0 ? -1 : at;
}

// Not array[0] and not [1]. Behind a line's end it has been seen long enough.
function mayBeLink(text, from) {
  return !/[\w\])]/.test(text[from - 1] ?? "") && !/^\[(?:\d|[^\n]*\n)/.test(text.slice(from));
}

// "see [the te" and "see [the text](htt" become "see the te(xt)"; of an image nothing is shown.
function withoutLink(text, from, to) {
  if (text[from - 1] === "!") return text.slice(0, from - 1);
  return text.slice(0, from) + text.slice(from + 1, to);
}

// A run of * _ or ~: closes what is open, or opens, by CommonMark's rules of flanking.
function takeRun(text, at, open) {
  const [run] = /^(?:\*+|_+|~+)/.exec(text.slice(at));
  const end = at + run.length;
  const { opens, closes } = flanking(text[at - 1] ?? " ", text[end] ?? " ", run[0]);
  let left = run[0] === "~" && run.length !== 2 ? 0 : run.length;
  while (closes && left > 0) {
    const last = open.findLastIndex((mark) => mark[0] === run[0]);
    if (last < 0) break;
    const taken = Math.min(left, open[last].length);
    left -= taken;
    open.splice(last, Infinity, ...(taken < open[last].length ? [open[last].slice(taken)] : []));
  }
  if (opens && left > 0) open.push(run.slice(0, left));
  return end;
}

function flanking(before, after, char) {
  const space = /\s/;
  const punctuation = /[\p{P}\p{S}]/u;
  const left = !space.test(after) && (!punctuation.test(after) || space.test(before) || punctuation.test(before));
  const right = !space.test(before) && (!punctuation.test(before) || space.test(after) || punctuation.test(after));
  if (char !== "_") return { opens: left, closes: right };
  return { opens: left && (!right || punctuation.test(before)), closes: right && (!left || punctuation.test(after)) };
}
