// Half-typed Markdown, as it is shown while the rest of it has not arrived. Neighbours: www/js/unfinished.js. Needs neither browser nor server.
import test from 'node:test';
import assert from 'node:assert/strict';
import { SCALE } from '../provider/provider.js';
import { closeMarks, holdBack } from '../../www/js/unfinished.js';

const CLOSED = {
  'plain text': 'plain text',
  '**bo': '**bo**', '**bold*': '**bold**', '**bold**': '**bold**', '**bold ': '**bold** ', 'a **b *c': 'a **b *c***', '***bi': '***bi***', '***bi**': '***bi***', '**a** *b': '**a** *b*',
  '__a': '__a__', 'snake_case_na': 'snake_case_na', '~~x': '~~x~~', '~x': '~x', '2 * 3': '2 * 3', 'a**(': 'a**(', 'new **': 'new', '*': '',
  '`co': '`co`', '``a`': '``a``', 'a `b` c': 'a `b` c', '**bold `co': '**bold `co`**', '`**x': '`**x`', 'new `': 'new',
  'see [the te': 'see the te', 'see [the text]': 'see the text', 'see [the text](htt': 'see the text', '[a](b) c': '[a](b) c', '[**a](b': '**a**', '*a [b **c': '*a b **c***',
  '![al': '', '![al](data:image/png;base64,AAAA': '', 'array[0': 'array[0', 'as said [1': 'as said [1', '[one\ntwo': '[one\ntwo',
  '\\*a': '\\*a', 'a\\*': 'a\\*', 'x $a_b$ *y': 'x $a_b$ *y*', '\\(a*b\\) *c': '\\(a*b\\) *c*',
  '| a | b': '', '| a | b |\n|--': '', '| a | b |\nno table': '| a | b |\nno table', '[': '', '[x': '', '[ ]': '',
};

test('open marks are closed, and what may become something else is left away', () => {
  for (const [text, shown] of Object.entries(CLOSED)) assert.equal(closeMarks(text), shown, JSON.stringify(text));
});

const HELD = { 'a\n-': 'a\n', 'a\n- x': 'a\n- x', 'a\n- ': 'a\n', 'a\n===': 'a\n', '# ': '', '#': '', '1': '', '12.': '', '12 a': '12 a', 'a\n  > *': 'a\n', '```js\nx\n``': '```js\nx\n', 'a\n|-': 'a\n', 'a\n---\n': 'a\n---\n' };

test('a last line of nothing but marks waits', () => {
  for (const [text, shown] of Object.entries(HELD)) assert.equal(holdBack(text), shown, JSON.stringify(text));
});

test('no text makes it slow', () => {
  for (const mark of ['*', '_', '**a ', '[', '[ ', '](', '`', '` `` ', '$', '\\(', '~~', ' *', '\\', '|', '*a **b ', '![', '[a](']) {
    for (const length of [4999, 100_000]) {
      const text = mark.repeat(length / mark.length);
      const begun = process.cpuUsage();              // not time: the machine may be busy with other things
      closeMarks(text);
      holdBack(text);
      const ms = process.cpuUsage(begun).user / 1000;
      assert.ok(ms < 250 * SCALE, `${JSON.stringify(mark)} × ${length}: ${ms} ms`);
    }
  }
});
