// The addresses at which the page is: /, /login and /conversation/ID, with its files beside each; and where the program leads to it.
import test, { before, after, beforeEach, describe } from 'node:test';
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { shared, REPO } from './server.js';
import { SCALE } from '../provider/provider.js';
import { request, get, post, rawRequest, assertError } from './client.js';

const opts = { timeout: 60_000 * SCALE };
const index = readFileSync(path.join(REPO, 'www/index.html'), 'utf8');
const ID = '01hzy3-K_x9';

for (const mount of ['', '/parley']) describe(`at ${mount || 'the top'}`, () => {
  const at = shared({ before, after, beforeEach }, { mount, settings: { PARLEY_PREFIX: mount } });

  for (const where of ['/', '/login', `/conversation/${ID}`, '/login?next=%2F', `/conversation/${ID}?q=a.b/c`, '/conversation/css', '/conversation/login', '/conversation/%E2%82%AC']) test(`the page is at ${where}`, opts, async () => {
    const r = await get(at.s.url + where);
    assert.equal(r.status, 200);
    assert.match(r.headers['content-type'], /^text\/html/);
    assert.equal(r.text, index);
    assert.match(r.headers['content-security-policy'], /base-uri 'none'/);
    assert.equal(r.headers['cache-control'], 'no-cache');
    const head = await request(at.s.url + where, { method: 'HEAD' });
    assert.equal(head.status, 200);
    assert.match(head.headers['content-type'], /^text\/html/);
  });

  test('all that the page names is beside each of them', opts, async () => {
    const names = [...index.matchAll(/<(?:script|link|img)[^>]*?(?:src|href)="([^"]+)"/g)].map((m) => m[1]).concat('diagnose.html', 'css/diagnose.css?v=1');
    assert.ok(names.length > 5);
    for (const where of ['/login', `/conversation/${ID}`]) for (const name of names) {
      const { pathname, search } = new URL(name, at.s.url + where);
      const r = await get(at.s.origin + pathname + search);
      assert.equal(r.status, 200, pathname);
      assert.equal(r.text, readFileSync(path.join(REPO, 'www', name.replace(/\?.*/, '')), 'utf8'), pathname);
      assert.match(r.headers['content-security-policy'], /default-src 'none'/, pathname);
    }
  });

  test('other methods get the program\'s answer', opts, async () => {
    for (const method of ['POST', 'PUT', 'DELETE']) for (const where of ['/login', `/conversation/${ID}`]) {
      const r = await request(at.s.url + where, { method, body: {} });
      assertError(r, 405, 'method_not_allowed');
      assert.equal(r.headers.allow, 'GET');
    }
  });

  test('what is near is not the page, and what is hidden stays hidden', opts, async () => {
    for (const where of ['/logins', '/login/', '/login/x', '/conversation', '/conversation/', `/conversation/${ID}/x`, '/conversation/nothing.js', '/conversation/js/nothing.js', '/conversation/assets/000000000000/js/app.js', '/x/login', '/x/conversation/1', '/conversationx/1']) {
      const r = await get(at.s.url + where);
      assert.equal(r.status, 404, where);
      assertError(r, 404, 'not_found');
    }
    for (const f of ['.htaccess', '.env', 'package.json', '../.htaccess', 'js/../.htaccess', '../../README.md', '..%2f.htaccess', '%2ehtaccess', 'js/.htaccess', 'js/%2e%2e/%2e%2e/README.md', 'js/../../cgi-bin/chat.c', 'css/package.json']) {
      const t = await rawRequest(at.s, `GET ${mount}/conversation/${f} HTTP/1.1\r\nHost: 127.0.0.1:${at.s.port}\r\nConnection: close\r\n\r\n`);
      assert.match(t, /^HTTP\/1\.1 4\d\d/, f);
    }
  });

  test('an address of the API is none of the page', opts, async () => {
    const { conversation_id: id } = (await post(`${at.s.url}/conversations`, { title: 'x' })).json;
    assert.equal((await get(`${at.s.url}/conversations/${id}`)).json.title, 'x');
  });
});

describe('a host that does not know these addresses', () => {
  const forget = (text) => text.replace(/^RewriteRule .*\n/gm, '').replace(/url\.rewrite-once = \([\s\S]*?\n {4}\)/, '');
  for (const mount of ['', '/parley']) describe(`at ${mount || 'the top'}`, () => {
    const at = shared({ before, after, beforeEach }, { mount, settings: { PARLEY_PREFIX: mount }, edit: forget });

    test('the program leads to the page', opts, async () => {
      for (const [where, there] of [['/login', ''], [`/conversation/${ID}`, `#c=${ID}`], ['/conversation/a%20b', ''], ['/login?x=1', '']]) {
        const r = await get(at.s.url + where);
        assert.equal(r.status, 302, where);
        assert.equal(r.headers.location, `${mount}/${there}`);
      }
      const t = await rawRequest(at.s, `GET ${mount}/conversation/a%0d%0aX-Evil:%201 HTTP/1.1\r\nHost: 127.0.0.1:${at.s.port}\r\nConnection: close\r\n\r\n`);
      assert.doesNotMatch(t, /^X-Evil/mi);
    });
  });
});
