// The APIs of other programs: below their paths, failures look as their clients expect, also where there is nothing.
import test, { before, after, beforeEach, describe } from 'node:test';
import assert from 'node:assert/strict';
import { shared } from './server.js';
import { SCALE } from '../provider/provider.js';
import { request, get, post, assertError } from './client.js';

const opts = { timeout: 60_000 * SCALE };

function assertOpenai(r, status, type, code) {
  assert.equal(r.status, status, r.text.slice(0, 300));
  assert.match(r.headers['content-type'], /^application\/json/);
  assert.deepEqual(Object.keys(r.json), ['error']);
  assert.deepEqual(Object.keys(r.json.error), ['message', 'type', 'param', 'code']);
  assert.equal(r.json.error.type, type);
  assert.equal(r.json.error.code, code);
  assert.ok(r.json.error.message.length > 8);
}
function assertDetail(r, status) {
  assert.equal(r.status, status, r.text.slice(0, 300));
  assert.match(r.headers['content-type'], /^application\/json/);
  assert.deepEqual(Object.keys(r.json), ['detail']);
  assert.equal(typeof r.json.detail, 'string');
}

for (const mount of ['', '/parley']) describe(`at ${mount || 'the top'}`, () => {
  const at = shared({ before, after, beforeEach }, { mount, settings: { PARLEY_PREFIX: mount } });

  test('what is not there, in the shape of the path', opts, async () => {
    for (const method of ['GET', 'POST', 'PUT', 'DELETE']) {
      const body = method === 'GET' ? undefined : { message: 'secret text' };
      for (const path of ['/v1', '/v1/', '/v1/nothing', '/v1/nothing/here.json', '/v1/%22']) assertOpenai(await request(at.s.url + path, { method, body }), 404, 'invalid_request_error', 'not_found');
      for (const path of ['/api', '/api/', '/api/nothing', '/api/v1/nothing', '/api/nothing/here.json']) assertDetail(await request(at.s.url + path, { method, body }), 404);
      for (const path of ['/nothing', '/v1x', '/v1x/nothing', '/apis/nothing', '/apiary', '/x/v1/nothing', '/x/api/nothing']) assertError(await request(at.s.url + path, { method, body }), 404, 'not_found');
    }
  });

  test('paths that are not UTF-8 or too long, in the shape of where they begin', opts, async () => {
    const long = 'a'.repeat(2500);
    for (const path of [`/v1/models/${long}`, `/v1/${long}`, '/v1/models/%ff', '/v1/%ff/x']) assertOpenai(await get(at.s.url + path), 404, 'invalid_request_error', 'not_found');
    for (const path of [`/api/${long}`, '/api/%ff', '/api/chat/%ff']) assertDetail(await get(at.s.url + path), 404);
    for (const path of [`/${long}`, '/%ff', '/%ff/v1/x', `/conversations/${long}`]) assertError(await get(at.s.url + path), 404, 'not_found');
  });

  test('what another site\'s page may not ask', opts, async () => {
    const headers = { origin: 'https://evil.test', 'access-control-request-method': 'POST' };
    assertOpenai(await request(`${at.s.url}/v1/nothing`, { method: 'OPTIONS', headers }), 403, 'permission_error', 'forbidden');
    assertDetail(await request(`${at.s.url}/api/nothing`, { method: 'OPTIONS', headers }), 403);
  });

  test('our own paths keep their shape', opts, async () => {
    assertError(await request(`${at.s.url}/chat`, { method: 'PUT', body: {} }), 405, 'method_not_allowed');
    assertError(await post(`${at.s.url}/chat`, { message: 7 }), 422, 'invalid_field');
    assertError(await get(`${at.s.url}/conversations?limit=x`), 422, 'invalid_field');
  });
});
