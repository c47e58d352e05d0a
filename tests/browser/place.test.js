// Where the page looks for the API: the order, one search at a time, and what is remembered.
// Neighbours: www/js/place.js; base.test.js has the page in a browser. Needs neither browser nor server.
import test from 'node:test';
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { runInNewContext } from 'node:vm';
import { createPlace, readAddress } from '../../www/js/place.js';

const PAGE = 'http://host/x/index.html#c=1';

/** A place where only `healthy` (an absolute path, or null) answers; `asked` has the paths that were tried. */
function placeWith(healthy, { first, page = PAGE, stored = null } = {}) {
  const asked = [];
  const memory = { stored, read: () => memory.stored, write: (base) => { memory.stored = base; } };
  const probe = async (base) => {
    const path = new URL(base).pathname;
    asked.push(path);
    await null;
    return path === healthy ? { healthy: true, status: 200 } : { healthy: false, status: 404 };
  };
  return { place: createPlace({ page, first, probe, memory }), asked, memory };
}

test('it begins beside the page, and asks nobody', () => {
  const { place, asked } = placeWith('/x/');
  assert.equal(place.base, 'http://host/x/');
  assert.deepEqual(asked, []);
});

test('the order of the search, which ends at the first that answers', async () => {
  const { place, asked, memory } = placeWith('/cgi-bin/chat.cgi/');
  assert.equal((await place.look()).base, 'http://host/cgi-bin/chat.cgi/');
  assert.deepEqual(asked, ['/x/', '/x/cgi-bin/chat.cgi/', '/x/chat.cgi/', '/cgi-bin/chat.cgi/']);
  assert.equal(place.base, 'http://host/cgi-bin/chat.cgi/');
  assert.equal(memory.stored, place.base);
  const below = placeWith('/x/cgi-bin/chat.cgi/');
  await below.place.look();
  assert.deepEqual(below.asked, ['/x/', '/x/cgi-bin/chat.cgi/']);
});

test('what the page names comes first, with or without a slash', async () => {
  for (const first of ['../api', '../api/']) {
    const { place, asked } = placeWith('/x/', { first });
    assert.equal(place.base, 'http://host/api/');
    await place.look();
    assert.deepEqual(asked, ['/api/', '/x/']);
    assert.equal(place.base, 'http://host/x/');
  }
});

test('at the top of a host two candidates are one', async () => {
  const { place, asked } = placeWith(null, { page: 'http://host/' });
  await place.look();
  assert.deepEqual(asked, ['/', '/cgi-bin/chat.cgi/', '/chat.cgi/']);
});

test('nobody answers: null, what each said, and the base stays', async () => {
  const { place, memory } = placeWith(null);
  const found = await place.look();
  assert.equal(found.base, null);
  assert.deepEqual(found.tried.map(({ status }) => status), [404, 404, 404, 404]);
  assert.equal(place.base, 'http://host/x/');
  assert.equal(memory.stored, null);
});

test('two who look at the same time share one search; a later one is new', async () => {
  const { place, asked } = placeWith('/x/chat.cgi/');
  const [a, b] = await Promise.all([place.look(), place.look()]);
  assert.equal(a.base, b.base);
  assert.equal(asked.length, 3);
  await place.look();
  assert.equal(asked.length, 6);
});

test('what was remembered is where it begins, if it is one of the candidates', () => {
  assert.equal(placeWith(null, { stored: 'http://host/x/chat.cgi/' }).place.base, 'http://host/x/chat.cgi/');
  assert.equal(placeWith(null, { stored: 'http://evil/' }).place.base, 'http://host/x/');
  assert.equal(placeWith(null, { stored: 'nonsense' }).place.base, 'http://host/x/');
});

test('an address …/conversation/ID is the page one folder up', async () => {
  for (const page of ['http://host/x/conversation/0a1-B_2', 'http://host/x/conversation/0a1?q=1#part']) {
    const { place, asked, memory } = placeWith('/x/cgi-bin/chat.cgi/', { page, first: './' });
    assert.equal(place.base, 'http://host/x/');
    await place.look();
    assert.deepEqual(asked, ['/x/', '/x/cgi-bin/chat.cgi/']);
    assert.equal(memory.stored, 'http://host/x/cgi-bin/chat.cgi/');
  }
  assert.equal(placeWith(null, { page: 'http://host/conversation/1' }).place.base, 'http://host/');
  assert.equal(placeWith(null, { page: 'http://host/conversation/conversation/1' }).place.base, 'http://host/conversation/');
  assert.equal(placeWith(null, { page: 'http://host/x/login' }).place.base, 'http://host/x/');
});

test('the id in an address, and what is none', () => {
  assert.deepEqual(readAddress('http://host/x/conversation/0a%201?q=1'), { page: 'http://host/x/?q=1', id: '0a%201' });
  for (const href of [PAGE, 'http://host/conversation/', 'http://host/conversation', 'http://host/conversation/index.html', 'http://host/x/conversation/a/b', 'http://host/x/conversations/1', 'http://host/xconversation/1']) {
    assert.deepEqual(readAddress(href), { page: href, id: null });
  }
});

test('what is kept goes by the folder of the page, which boot.js and readAddress() find alike', () => {
  const boot = readFileSync(new URL('../../www/js/boot.js', import.meta.url), 'utf8');
  for (const path of ['/', '/index.html', '/login', '/conversation/01abc', '/~bob/parley/', '/~bob/parley/index.html', '/~bob/parley/conversation/01abc', '/conversation/', '/conversation/index.html', '/conversation/conversation/1']) {
    const href = `http://host${path}`;
    const root = { dataset: {} };
    runInNewContext(boot, { location: new URL(href), localStorage: { getItem: () => null }, navigator: {}, document: { documentElement: root }, addEventListener: () => {} });
    const folder = new URL('.', readAddress(href).page).pathname;
    assert.equal(root.dataset.store, folder === '/' ? 'parley.' : `parley:${folder}:`, path);
  }
});
