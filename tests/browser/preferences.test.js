// The settings dialog: each choice applies at once and is kept.
// Neighbours: www/js/preferences.js, www/js/settings.js.
import assert from 'node:assert/strict';
import { stand, test } from './stand.js';

const at = stand();

const FORM = {
  title: 'Assistant', type: 'object', required: ['tone'],
  properties: { tone: { title: 'Tone', enum: ['plain', 'formal'] }, name: { title: 'Your name', type: 'string', minLength: 2, maxLength: 30 } },
};

async function openSettings(t, options = {}, more) {
  const page = await at.open(t, more);
  await show(page, options);
  const dialog = page.getByRole('dialog', { name: 'Settings' });
  await dialog.waitFor();
  return { page, dialog };
}

function show(page, options) {
  return page.evaluate(async (given) => {
    await (await import('./js/i18n.js')).loadTexts('en');
    (await import('./js/preferences.js')).openPreferences(given);
  }, options);
}

const kept = (page) => page.evaluate(() => JSON.parse(localStorage.getItem('parley.settings') ?? '{}'));
const background = (page) => page.evaluate(() => getComputedStyle(document.body).backgroundColor);

test('the colour scheme changes at once, and is kept', async (t) => {
  const { page, dialog } = await openSettings(t, { themeNote: 'This site has colours of its own.' }, { colorScheme: 'light' });
  const scheme = dialog.getByRole('radiogroup', { name: 'Colours' });
  assert.equal(await scheme.getByRole('radio', { name: 'Same as system' }).isChecked(), true);
  assert.equal(await dialog.getByText('This site has colours of its own.').isVisible(), true);
  const light = await background(page);
  await scheme.getByRole('radio', { name: 'Dark' }).check();
  assert.notEqual(await background(page), light);
  assert.equal(await page.evaluate(() => document.documentElement.dataset.theme), 'dark');
  assert.equal((await kept(page)).scheme, 'dark');
  await scheme.getByRole('radio', { name: 'Same as system' }).check();
  assert.equal(await background(page), light);
  assert.equal((await kept(page)).scheme, 'system');
});

test('the colour scheme chosen in one tab reaches the others', async (t) => {
  const { page, dialog } = await openSettings(t, {}, { colorScheme: 'light' });
  const other = await at.open(t, { context: page.context() });
  const light = await background(other);
  const shows = (scheme) => other.waitForFunction((wanted) => document.documentElement.dataset.theme === wanted, scheme);
  await dialog.getByRole('radio', { name: 'Dark' }).check();
  await shows('dark');
  assert.notEqual(await background(other), light);
  await dialog.getByRole('radio', { name: 'Same as system' }).check();
  await shows(undefined);
  assert.equal(await background(other), light);
});

test('switches and choices are kept at once, and stand as they were left', async (t) => {
  const { page, dialog } = await openSettings(t);
  assert.equal(await dialog.getByRole('checkbox', { name: 'Enter sends the message' }).isChecked(), true);
  assert.equal(await dialog.getByRole('checkbox', { name: 'Debug panel' }).isChecked(), false);
  await dialog.getByRole('checkbox', { name: 'Enter sends the message' }).uncheck();
  await dialog.getByRole('checkbox', { name: 'Keyboard shortcuts' }).uncheck();
  await dialog.getByRole('checkbox', { name: 'Debug panel' }).check();
  await dialog.getByRole('radiogroup', { name: /read aloud/ }).getByRole('radio', { name: 'Nothing' }).check();
  assert.deepEqual(await kept(page), { enterSends: false, shortcuts: false, debug: true, announce: 'off' });
  await page.keyboard.press('Escape');
  await show(page, {});
  assert.equal(await dialog.getByRole('checkbox', { name: 'Enter sends the message' }).isChecked(), false);
  assert.equal(await dialog.getByRole('radio', { name: 'Nothing' }).isChecked(), true);
});

test('the debug panel is on where the server is in debug mode, until somebody says otherwise', async (t) => {
  const { page, dialog } = await openSettings(t, { config: { debug_mode: true } });
  const debug = dialog.getByRole('checkbox', { name: 'Debug panel' });
  assert.equal(await debug.isChecked(), true);
  await debug.uncheck();
  await page.keyboard.press('Escape');
  await show(page, { config: { debug_mode: true } });
  assert.equal(await debug.isChecked(), false);
});

test('another language begins the page anew', async (t) => {
  const { page, dialog } = await openSettings(t);
  const language = dialog.getByRole('combobox', { name: 'Language' });
  assert.deepEqual(await language.getByRole('option').allTextContents(), ['Same as browser', 'English', 'Deutsch', 'Français', 'Español', '中文', 'العربية']);
  await Promise.all([page.waitForEvent('load'), language.selectOption('Deutsch')]);
  assert.equal((await kept(page)).language, 'de');
});

test('the form of the application: nothing is kept before Save, nothing wrong is saved', async (t) => {
  const { page, dialog } = await openSettings(t, { config: { user_settings: { form: FORM } } });
  const save = dialog.getByRole('button', { name: 'Save' });
  await dialog.getByRole('radio', { name: 'formal' }).check();
  await dialog.getByRole('textbox', { name: /Your name/ }).fill('A');
  await save.click();
  assert.equal((await kept(page)).userSettings, undefined);
  await page.mouse.click(5, 400);
  assert.equal(await dialog.isVisible(), true, 'unsaved: a click beside does not close');
  await dialog.getByRole('textbox', { name: /Your name/ }).fill('Ada');
  await save.click();
  assert.deepEqual((await kept(page)).userSettings, { tone: 'formal', name: 'Ada' });
  assert.equal(await dialog.getByRole('status').textContent(), 'Saved.');
  await page.mouse.click(5, 400);
  await dialog.waitFor({ state: 'detached' });
  await show(page, { config: { user_settings: { form: FORM } } });
  assert.equal(await dialog.getByRole('textbox', { name: /Your name/ }).inputValue(), 'Ada');
});

test('without a form there is none', async (t) => {
  const { dialog } = await openSettings(t, { config: { user_settings: { form: null } } });
  await dialog.waitFor();
  assert.equal(await dialog.getByRole('button', { name: 'Save' }).count(), 0);
  assert.deepEqual(await dialog.getByRole('heading', { level: 3 }).allTextContents(), ['Appearance', 'Keyboard', 'Screen readers', 'For developers']);
});
