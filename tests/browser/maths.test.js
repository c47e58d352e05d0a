// What is a formula and what is money. Neighbours: www/js/maths.js, with the real parser out of www/vendor/. Needs neither browser nor server.
import test from 'node:test';
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { SCALE } from '../provider/provider.js';
import { maths } from '../../www/js/maths.js';

const PARSER = new URL('../../www/vendor/markdown-it.js', import.meta.url);
const skip = existsSync(PARSER) ? false : 'no www/vendor/ (make vendor)';
const md = skip ? null : new (await import(PARSER)).default({ html: false, linkify: true }).use(maths);

/** The formulas of a text, display ones in brackets, and the text around them. */
function formulasOf(text, env = {}) {
  const found = [];
  const walk = (tokens) => tokens.forEach((token) => {
    if (token.type.startsWith('math')) found.push(token.meta.open ? `open ${token.content}` : token.meta.display ? `[${token.content}]` : token.content);
    if (token.children) walk(token.children);
  });
  walk(md.parse(text, env));
  return found;
}

// Failures that people reported of other programs.
const TEXTS = ['$5 and $10', 'from $148+ → $19 a month, or ~$1,550', '19 $/Monat statt bisher 39 $/Monat', '$125K → $108K', '$PATH and $HOME', '`$x$`', '\\$5', '\\$x\\$', 'US$5/US$6', '$', '$$', '$ x $', '$x $', 'a $5 fee for `a` and `$x`',
  '$20,000 and $30,000', '$1.50-$2.00', 'unclosed $x + y', 'unclosed $$x + y', 'unclosed \\(x', '\\\\(x\\\\)', '$$\nnever closed', '$$\nx\n\ny\n$$', '    $$x$$', '```\n$x$\n```', '$$$$', '\\(\\)', '\\(  \\)', '$x\n\ny$', '\\[a'];

test('money, variables, code and what is not closed stay text', { skip }, () => {
  for (const text of TEXTS) assert.deepEqual(formulasOf(text), [], text);
});

const FORMULAS = {
  '$E = mc^2$': ['E = mc^2'], '$x$ and $y$': ['x', 'y'], '\\(a+b\\)': ['a+b'], 'so \\(a\\), then $b$.': ['a', 'b'], '($x$)': ['x'], '**$x$**': ['x'], '$x$-axis': ['x'], '$a\\$b$': ['a\\$b'], '$\\{x\\}$': ['\\{x\\}'],
  '\\(f(x) = \\begin{cases} 1 \\\\ 2 \\end{cases}\\)': ['f(x) = \\begin{cases} 1 \\\\ 2 \\end{cases}'], '$a_1*b*c_2$': ['a_1*b*c_2'], '$a\nb$': ['a\nb'], '| a |\n|---|\n| $x$ |': ['x'], '# $x$': ['x'], '- $x$': ['x'], '[$x$](https://example.com)': ['x'],
  '$$x^2$$': ['[x^2]'], 'so $$x$$ it is': ['[x]'], '\\[x\\]': ['[x]'], 'so \\[x\\] it is': ['[x]'], '$$\nx\n$$': ['[x]'], 'text\n$$\nx\n$$\ntext': ['[x]'], '\\[\n- x\n= y\n# z\n\\]': ['[- x\n= y\n# z]'], '$$ x\n+ y $$': ['[x\n+ y]'],
  '- a\n  $$\n  x\n  $$\n- b': ['[x]'], '> $$\n> x\n> $$': ['[x]'], '- a\n$$\nx\n$$': ['[x]'], '$$x$$ $$y$$': ['[x]', '[y]'], 'costs $5, but $x$': ['x'],
};

test('formulas are found, inside sentences and as blocks', { skip }, () => {
  for (const [text, formulas] of Object.entries(FORMULAS)) assert.deepEqual(formulasOf(text), formulas, text);
});

test('while a text arrives an open formula keeps its lines together, until an empty line', { skip }, () => {
  assert.deepEqual(formulasOf('$$\n- x\n= y', { unfinished: true }), ['open \n- x\n= y']);
  assert.deepEqual(formulasOf('a\n\\[\n# x', { unfinished: true }), ['open \n# x']);
  assert.deepEqual(formulasOf('$$\n- x\n\n', { unfinished: true }), []);
  assert.deepEqual(formulasOf('a $x', { unfinished: true }), []);
});

test('no text makes it slow', { skip }, () => {
  for (const piece of ['$', '$a', '\\(', '$$', '\\[', '$$\n', '\\[\n', '$a\\', '\\\\(']) {
    const begun = process.cpuUsage();                // not time: the machine may be busy with other things
    md.parse(piece.repeat(30_000 / piece.length), {});
    const ms = process.cpuUsage(begun).user / 1000;
    assert.ok(ms < 1500 * SCALE, `${JSON.stringify(piece)}: ${ms} ms`);
  }
});
