// Keys of the page: which shortcut a key press is, how it is written, and the dialog that lists them.
// Neighbours: www/js/shortcuts.js.
import nodeTest from 'node:test';
import assert from 'node:assert/strict';
import { stand, test } from './stand.js';
import { ariaKeys, matchShortcut, writtenKeys } from '../../www/js/shortcuts.js';
import { useTexts } from '../../www/js/i18n.js';

const unit = nodeTest;
const LIST = ['mod+k', 'mod+shift+o', '/', '?', 'escape', 'alt+arrowup'].map((keys) => ({ keys, label: 'keys.new' }));

const BODY = { tagName: 'BODY' };
const press = (key, more = {}) => ({ key, ctrlKey: false, metaKey: false, shiftKey: false, altKey: false, isComposing: false, keyCode: 0, target: BODY, ...more });
const found = (key, more, { mac = false, isOn = true } = {}) => matchShortcut(press(key, more), LIST, { mac, isOn })?.keys ?? null;

// ---- without a browser

unit('combinations, on a Mac and elsewhere', () => {
  assert.equal(found('k', { ctrlKey: true }), 'mod+k');
  assert.equal(found('k', { metaKey: true }), null);
  assert.equal(found('k', { metaKey: true }, { mac: true }), 'mod+k');
  assert.equal(found('k', { ctrlKey: true }, { mac: true }), null);
  assert.equal(found('k', { ctrlKey: true, metaKey: true }), null);
  assert.equal(found('k', { ctrlKey: true, altKey: true }), null, 'AltGr');
  assert.equal(found('k', { ctrlKey: true, shiftKey: true }), null);
  assert.equal(found('O', { ctrlKey: true, shiftKey: true }), 'mod+shift+o');
  assert.equal(found('o', { ctrlKey: true }), null);
  assert.equal(found('k'), null);
  assert.equal(found('ArrowUp', { altKey: true }), 'alt+arrowup');
  assert.equal(found('ArrowUp'), null);
});

unit('signs, wherever a keyboard has them', () => {
  assert.equal(found('/'), '/');
  assert.equal(found('/', { shiftKey: true }), '/', 'German keyboards');
  assert.equal(found('?', { shiftKey: true }), '?');
  assert.equal(found('?'), '?');
  assert.equal(found('?', { ctrlKey: true }), null);
});

unit('the place of the key counts where letters are others', () => {
  assert.equal(found('л', { ctrlKey: true, code: 'KeyK' }), 'mod+k');
  assert.equal(found('t', { ctrlKey: true, code: 'KeyK' }), null, 'Dvorak: the letter');
});

unit('nothing while an input method is at work, or when somebody else took the key', () => {
  for (const more of [{ isComposing: true }, { keyCode: 229 }, { defaultPrevented: true }]) {
    for (const key of ['/', 'Escape']) assert.equal(found(key, more), null, JSON.stringify(more));
    assert.equal(found('k', { ctrlKey: true, ...more }), null);
  }
});

unit('single characters are text where somebody writes; combinations and Escape are not', () => {
  for (const target of [{ tagName: 'TEXTAREA' }, { tagName: 'INPUT', type: 'text' }, { tagName: 'INPUT', type: 'search' }, { tagName: 'SELECT' }, { tagName: 'DIV', isContentEditable: true }]) {
    assert.equal(found('/', { target }), null, target.tagName);
    assert.equal(found('?', { target }), null);
    assert.equal(found('k', { ctrlKey: true, target }), 'mod+k');
    assert.equal(found('Escape', { target }), 'escape');
    assert.equal(found('ArrowUp', { altKey: true, target }), 'alt+arrowup');
  }
  for (const target of [{ tagName: 'TEXTAREA', value: 'a' }, { tagName: 'INPUT', type: 'text', value: 'a' }, { tagName: 'SELECT', value: 'a' }, { tagName: 'DIV', isContentEditable: true, textContent: 'a' }]) {
    assert.equal(found('ArrowUp', { altKey: true, target }), null, `${target.tagName}: Option moves the cursor on a Mac`);
    assert.equal(found('k', { ctrlKey: true, target }), 'mod+k');
  }
  assert.equal(found('ArrowUp', { altKey: true, target: { tagName: 'BUTTON', value: '', textContent: 'Send' } }), 'alt+arrowup');
  for (const target of [{ tagName: 'BUTTON' }, { tagName: 'INPUT', type: 'checkbox' }, null]) assert.equal(found('/', { target }), '/');
});

unit('switched off, only Escape is left', () => {
  const off = { isOn: false };
  assert.deepEqual([found('/', {}, off), found('k', { ctrlKey: true }, off), found('ArrowUp', { altKey: true }, off), found('Escape', {}, off)], [null, null, null, 'escape']);
});

unit('how keys are written, for eyes and for screen readers', () => {
  useTexts('en', { 'keys.ctrl': 'Ctrl', 'keys.shift': 'Shift', 'keys.alt': 'Alt', 'keys.escape': 'Esc' });
  assert.deepEqual(writtenKeys('mod+shift+o', { mac: false }), ['Ctrl', 'Shift', 'O']);
  assert.deepEqual(writtenKeys('mod+shift+o', { mac: true }), ['⌘', '⇧', 'O']);
  assert.deepEqual(writtenKeys('alt+arrowup', { mac: false }), ['Alt', '↑']);
  assert.deepEqual(writtenKeys('escape', { mac: false }), ['Esc']);
  assert.deepEqual(['mod+shift+o', 'alt+arrowup', '/', 'escape'].map((keys) => ariaKeys(keys, { mac: false })), ['Control+Shift+O', 'Alt+ArrowUp', '/', 'Escape']);
  assert.equal(ariaKeys('mod+k', { mac: true }), 'Meta+K');
});

// ---- in the browser

const at = stand();

async function openList(t) {
  const page = await at.open(t);
  await page.evaluate(async () => {
    await (await import('./js/i18n.js')).loadTexts('en');
    const { openShortcuts } = await import('./js/shortcuts.js');
    await openShortcuts([{ keys: 'mod+k', label: 'keys.search' }, { keys: 'alt+arrowup', label: 'keys.previous' }]);
  });
  const dialog = page.getByRole('dialog', { name: 'Keyboard shortcuts' });
  await dialog.waitFor();
  return { page, dialog };
}

test('the list: what each does and its keys, with arrows named', async (t) => {
  const { page, dialog } = await openList(t);
  const table = dialog.getByRole('table', { name: 'Keyboard shortcuts' });
  assert.deepEqual(await table.getByRole('rowheader').allTextContents(), ['Search conversations', 'Previous message']);
  assert.equal(await table.getByRole('cell', { name: 'Ctrl K' }).count(), 1);
  assert.equal(await table.getByRole('cell', { name: 'Alt Up arrow' }).count(), 1);
  assert.equal(await dialog.getByText('Shortcuts can be switched off in the settings.').isVisible(), true);
  await page.keyboard.press('Escape');
  await dialog.waitFor({ state: 'detached' });
});

test('a real key press is found, while somebody writes too', async (t) => {
  const page = await at.open(t);
  await page.evaluate(async () => {
    const { matchShortcut } = await import('./js/shortcuts.js');
    window.pressed = [];
    document.addEventListener('keydown', (event) => {
      const match = matchShortcut(event, [{ keys: 'mod+k' }, { keys: '/' }, { keys: '?' }]);
      if (match) { event.preventDefault(); window.pressed.push(match.keys); }
    }, { capture: true });      // before the page, which has shortcuts of its own
  });
  await page.getByRole('textbox', { name: 'Message' }).focus();
  await page.keyboard.press('Control+k');
  await page.keyboard.type('a/?');
  await page.getByRole('link', { name: 'New conversation' }).first().focus();
  await page.keyboard.type('/?');
  assert.deepEqual(await page.evaluate(() => window.pressed), ['mod+k', '/', '?']);
  assert.equal(await page.getByRole('textbox', { name: 'Message' }).inputValue(), 'a/?');
});
