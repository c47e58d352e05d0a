// The parser of event streams: whole, byte by byte, cut at every place, with each line end, and fed garbage.
// Neighbours: www/js/sse.js. Needs neither browser nor server.
import test from 'node:test';
import assert from 'node:assert/strict';
import { createSseParser } from '../../www/js/sse.js';

const bytes = (text) => new TextEncoder().encode(text);

function parse(...chunks) {
  const parser = createSseParser();
  return chunks.flatMap((chunk) => parser.feed(chunk));
}

const STREAM = [
  ': hello', '',
  'event: start', 'id: m1:0', 'data: {"message_id":"m1"}', '',
  'event: token', 'id: m1:9', 'data: Grüße, 世界 😀', 'data:', 'data:  two spaces', '',
  'event: ping', 'data: {}', '',
  'event: done', 'id: m1:30', 'data: {"status":"done"}', '', '',
].join('\n');

const EVENTS = [
  { type: 'start', data: '{"message_id":"m1"}', id: 'm1:0' },
  { type: 'token', data: 'Grüße, 世界 😀\n\n two spaces', id: 'm1:9' },
  { type: 'ping', data: '{}', id: 'm1:9' },
  { type: 'done', data: '{"status":"done"}', id: 'm1:30' },
];

const ENDS = { LF: '\n', CRLF: '\r\n', CR: '\r' };

for (const [name, end] of Object.entries(ENDS)) {
  const text = STREAM.replaceAll('\n', end);

  test(`${name}: whole, as string and as bytes`, () => {
    assert.deepEqual(parse(text), EVENTS);
    assert.deepEqual(parse(bytes(text)), EVENTS);
  });

  test(`${name}: byte by byte`, () => {
    assert.deepEqual(parse(...[...bytes(text)].map((byte) => Uint8Array.of(byte))), EVENTS);
  });

  test(`${name}: cut in two at every byte`, () => {
    const all = bytes(text);
    for (let at = 0; at <= all.length; at++) assert.deepEqual(parse(all.slice(0, at), all.slice(at)), EVENTS, `cut at ${at}`);
  });
}

test('every chunk size from 1 to 40, with empty chunks between', () => {
  const all = bytes(STREAM.replaceAll('\n', '\r\n'));
  for (let size = 1; size <= 40; size++) {
    const chunks = [];
    for (let at = 0; at < all.length; at += size) chunks.push(all.slice(at, at + size), new Uint8Array());
    assert.deepEqual(parse(...chunks), EVENTS, `chunks of ${size}`);
  }
});

test('line ends of all kinds in one stream', () => {
  assert.deepEqual(parse('data: a\r\ndata: b\rdata: c\n\r\ndata: d\r\r'), [
    { type: 'message', data: 'a\nb\nc', id: '' }, { type: 'message', data: 'd', id: '' },
  ]);
});

test('an event is given as soon as its empty line is there, after CR too', () => {
  const parser = createSseParser();
  assert.deepEqual(parser.feed('data: a\r\n'), []);
  assert.equal(parser.feed('\r').length, 1);
  assert.deepEqual(parser.feed('\n'), []);
  assert.equal(parser.feed('data: b\n\n')[0].data, 'b');
});

test('one byte order mark at the start is dropped, later ones are text', () => {
  assert.deepEqual(parse('\uFEFFdata: a\n\n\uFEFFdata: b\n\ndata: \uFEFFc\n\n').map((e) => e.data), ['a', '\uFEFFc']);
  assert.equal(parse(...[...bytes('\uFEFFdata: a\n\n')].map((b) => Uint8Array.of(b)))[0].data, 'a');
});

test('data without a space, empty data, a field without a colon', () => {
  assert.deepEqual(parse('data:a\n\ndata:\n\ndata\n\ndata\ndata\n\n').map((e) => e.data), ['a', '', '', '\n']);
});

test('no data, no event; and the type does not leak into the next', () => {
  assert.deepEqual(parse('event: x\nid: 7\n\ndata: a\n\n'), [{ type: 'message', data: 'a', id: '7' }]);
});

test('an id with NUL is ignored; an empty id clears', () => {
  assert.deepEqual(parse('id: 1\ndata: a\n\nid: 2\0\ndata: b\n\nid:\ndata: c\n\n').map((e) => e.id), ['1', '1', '']);
});

test('comments, unknown fields and retry do nothing', () => {
  assert.deepEqual(parse(':\n: x\nretry: 10\nfoo: bar\ndataa: no\ndata: a\n\n').map((e) => e.data), ['a']);
});

test('an event that is not closed is dropped', () => {
  assert.deepEqual(parse('data: a\n\ndata: lost\n').map((e) => e.data), ['a']);
});

test('a very long line in small chunks', () => {
  const parser = createSseParser();
  const piece = 'x'.repeat(1000);
  parser.feed('data: ');
  for (let n = 0; n < 5000; n++) assert.equal(parser.feed(piece).length, 0);
  assert.equal(parser.feed('\n\n')[0].data.length, 5_000_000);
});

test('garbage does not throw, and is the same whole as byte by byte', () => {
  let seed = 7;
  const next = () => (seed = (Math.imul(seed, 1103515245) + 12345) >>> 0) >>> 16;
  const alphabet = bytes('data: \r\n\r\n\n:eventidé😀');
  for (let round = 0; round < 300; round++) {
    const junk = Uint8Array.from({ length: 200 }, () => (next() % 4 ? alphabet[next() % alphabet.length] : next() & 255));
    assert.deepEqual(parse(...[...junk].map((byte) => Uint8Array.of(byte))), parse(junk));
  }
});
