// What somebody has chosen in this browser: defaults, what is kept, other tabs, storage that is broken or missing.
// Neighbours: www/js/settings.js. Needs neither browser nor server: localStorage is played here, each test has a settings.js of its own.
import test, { afterEach } from 'node:test';
import assert from 'node:assert/strict';

const KEY = 'parley.settings';
let copies = 0;

/** settings.js over a storage with this text; `other(text)` is another tab that writes. */
async function start(text, { setItem } = {}) {
  const store = new Map(text === undefined ? [] : [[KEY, text]]);
  const heard = [];
  Object.defineProperty(globalThis, 'localStorage', {
    configurable: true, value: { getItem: (key) => store.get(key) ?? null, setItem: setItem ?? ((key, value) => store.set(key, value)) },
  });
  globalThis.addEventListener = (type, listener) => heard.push(listener);
  const settings = await import(`../../www/js/settings.js?copy=${copies++}`);
  const other = (value) => { store.set(KEY, value); for (const listener of heard) listener({ key: KEY }); };
  return { ...settings, store, other };
}
afterEach(() => { delete globalThis.localStorage; delete globalThis.addEventListener; });

test('defaults, where nothing is kept', async () => {
  const { getSetting } = await start();
  assert.deepEqual(['scheme', 'language', 'enterSends', 'shortcuts', 'announce', 'model'].map(getSetting), ['system', '', true, true, 'blocks', '']);
  assert.deepEqual(getSetting('userSettings'), {});
});

test('what is kept is read, what is set is kept beside it', async () => {
  const { getSetting, setSetting, store } = await start('{"scheme":"dark","enterSends":false}');
  assert.deepEqual([getSetting('scheme'), getSetting('enterSends')], ['dark', false]);
  setSetting('model', 'a/b');
  assert.deepEqual(JSON.parse(store.get(KEY)), { scheme: 'dark', enterSends: false, model: 'a/b' });
});

test('a value that another tab set meanwhile is not lost', async () => {
  const { setSetting, store } = await start('{}');
  store.set(KEY, '{"scheme":"dark"}');                    // no event has told us yet
  setSetting('model', 'x');
  assert.deepEqual(JSON.parse(store.get(KEY)), { scheme: 'dark', model: 'x' });
});

test('listeners hear of their own setting, from here and from other tabs', async () => {
  const { setSetting, onSetting, other } = await start('{}');
  const heard = [];
  onSetting('scheme', (value) => heard.push(value));
  setSetting('scheme', 'dark');
  setSetting('model', 'x');
  other('{"scheme":"light","model":"y"}');
  other('{"scheme":"light","model":"z"}');
  other('{}');
  assert.deepEqual(heard, ['dark', 'light', 'system']);
});

for (const broken of ['{', 'null', '7', '"text"', '[]']) {
  test(`what is kept is ${broken}: defaults, and setting works`, async () => {
    const { getSetting, setSetting } = await start(broken);
    assert.equal(getSetting('scheme'), 'system');
    setSetting('scheme', 'dark');
    assert.equal(getSetting('scheme'), 'dark');
  });
}

test('storage is full or forbidden: it lasts as long as the page', async () => {
  const { getSetting, setSetting } = await start('{}', { setItem: () => { throw new Error('QuotaExceededError'); } });
  setSetting('scheme', 'dark');
  assert.equal(getSetting('scheme'), 'dark');
});

test('no storage at all', async () => {
  const { getSetting, setSetting } = await import(`../../www/js/settings.js?copy=${copies++}`);
  assert.equal(getSetting('announce'), 'blocks');
  setSetting('announce', 'off');
  assert.equal(getSetting('announce'), 'off');
});
