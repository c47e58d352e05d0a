// What a key press in a box for text means.
// Neighbours: www/js/keys.js. Needs neither browser nor server; chat.test.js has a real input method.
import test from 'node:test';
import assert from 'node:assert/strict';
import { isComposing, sendsBy } from '../../www/js/keys.js';

const press = (key, ...held) => ({ key, keyCode: 13, isComposing: false, ...Object.fromEntries(['shift', 'alt', 'ctrl', 'meta'].map((name) => [`${name}Key`, held.includes(name)])) });
const DESK = { isTouch: false, enterSends: true };
const TOUCH = { isTouch: true, enterSends: true };
const SLOW = { isTouch: false, enterSends: false };

test('Enter sends on a desk, is a new line on touch screens and where somebody chose so', () => {
  assert.equal(sendsBy(press('Enter'), DESK), true);
  assert.equal(sendsBy(press('Enter'), TOUCH), false);
  assert.equal(sendsBy(press('Enter'), SLOW), false);
});

test('Ctrl and Command with Enter send everywhere', () => {
  for (const how of [DESK, TOUCH, SLOW]) for (const key of ['ctrl', 'meta']) assert.equal(sendsBy(press('Enter', key), how), true);
});

test('Shift and Alt with Enter never send, nor do other keys', () => {
  for (const held of [['shift'], ['alt'], ['shift', 'ctrl'], ['alt', 'meta']]) assert.equal(sendsBy(press('Enter', ...held), DESK), false);
  for (const key of ['a', ' ', 'NumpadEnter', 'ArrowUp', 'Process']) assert.equal(sendsBy(press(key), DESK), false);
});

test('the keys of an input method are its own, also where only the code 229 tells', () => {
  assert.equal(isComposing({ isComposing: true, keyCode: 13 }), true);
  assert.equal(isComposing({ isComposing: false, keyCode: 229 }), true);
  assert.equal(isComposing({ isComposing: false, keyCode: 13 }), false);
});
