// What the diagnose page advises for each server, and for each way of getting no stream.
// Neighbours: www/js/advice.js. Needs neither browser nor server.
import test from 'node:test';
import assert from 'node:assert/strict';
import { sentenceFor, stepsFor, troubleOf } from '../../www/js/advice.js';

const directives = (server, mode, { kind = 'held', encoding = '' } = {}) => stepsFor({ kind }, { server, mode }, encoding).map((step) => step.directive).filter(Boolean);
const words = ({ sentence, steps }) => [sentence, ...steps.map((step) => step.text)].join(' ');
const failure = (status, more) => ({ code: `http_${status}`, status, message: `status ${status}`, isOurs: false, tried: [], ...more });
const nowhere = (...statuses) => ({ code: 'no_program', status: 0, message: '', isOurs: false, tried: statuses.map((status) => ({ base: 'http://x/', status })) });

test('the directive of each server and mode', () => {
  assert.deepEqual(directives('lighttpd', 'fastcgi'), ['server.stream-response-body = 2']);
  assert.deepEqual(directives('lighttpd', 'cgi'), ['server.stream-response-body = 2']);
  assert.deepEqual(directives('Apache', 'fastcgi'), ['flushpackets=on', 'ProxySet flushpackets=on', 'FcgidOutputBufferSize 0']);
  assert.deepEqual(directives('Apache', 'cgi'), ['SetEnv no-gzip 1']);
  assert.deepEqual(directives('nginx', 'fastcgi'), ['fastcgi_buffering off;']);
  assert.deepEqual(directives('nginx', 'fastcgi', { kind: 'clumped' }), ['fastcgi_buffering off;']);
  assert.deepEqual(directives('LiteSpeed', 'cgi'), []);
});

test('a server that hides its name: the directives of all, each with the name of its server', () => {
  assert.deepEqual(directives('', 'cgi'), ['server.stream-response-body = 2', 'SetEnv no-gzip 1']);
  const steps = stepsFor({ kind: 'held' }, { server: '', mode: 'fastcgi' }, '').filter((step) => step.directive);
  assert.equal(steps.length, 5);
  assert.deepEqual(steps.map((step) => /lighttpd|Apache|nginx|^… or/.exec(step.text)?.[0]), ['lighttpd', 'Apache', '… or', 'Apache', 'nginx']);
});

test('what may stand between is named for every server; compression where there is some', () => {
  for (const host of [{ server: 'lighttpd', mode: 'fastcgi' }, { server: 'Unheard-of', mode: 'cgi' }, {}, null]) {
    const text = stepsFor({ kind: 'held' }, host, '').map((step) => step.text).join(' ');
    assert.match(text, /no-transform/);
    assert.match(text, /X-Accel-Buffering/);
    assert.doesNotMatch(text, /arrived compressed/);
  }
  assert.match(stepsFor({ kind: 'held' }, { server: 'Apache', mode: 'cgi' }, 'gzip')[0].text, /compressed \(gzip\)/);
});

test('a live stream needs no advice, every verdict has a sentence', () => {
  assert.deepEqual(stepsFor({ kind: 'live' }, { server: 'lighttpd', mode: 'fastcgi' }, ''), []);
  for (const kind of ['live', 'uneven', 'clumped', 'held', 'cut', 'nothing']) assert.match(sentenceFor({ kind }), /^[A-Z].*\.$/);
});

test('no program anywhere: not started, unless an address told more', () => {
  assert.match(words(troubleOf(nowhere(404, 404, 404))), /not started.*chat\.fcgi.*chat\.cgi/);
  assert.match(words(troubleOf(nowhere(403, 403, 403))), /not started/);
  assert.match(words(troubleOf(nowhere(501, 0))), /not started/);
  assert.match(words(troubleOf(nowhere(404, 500, 404))), /tried to run the program and failed.*error log/);
  assert.match(words(troubleOf(nowhere(404, 403, 404))), /ExecCGI/);
});

test('each failing status has its own advice, and what our program says comes first', () => {
  assert.match(words(troubleOf(failure(403))), /755/);
  assert.match(words(troubleOf(failure(500))), /error log/);
  assert.match(words(troubleOf(failure(502))), /socket/);
  assert.match(words(troubleOf(failure(503))), /started/);
  assert.match(words(troubleOf(failure(418))), /status 418/);
  assert.match(words(troubleOf(failure(503, { isOurs: true, message: 'Too many answers.' }))), /^Too many answers\./);
  assert.match(words(troubleOf(failure(404, { isOurs: true }))), /older than this page/);
  assert.match(words(troubleOf({ ...failure(0), code: 'network' })), /cannot be reached/);
  assert.match(words(troubleOf({ ...failure(0), code: 'timeout' })), /half a minute/);
});
