// A message as the page sees it: out of the server's row, and out of the events of a stream; both ways lead to the same.
// Neighbours: www/js/answer.js. Needs neither browser nor server; events.test.js has the same with the real ones.
import test, { describe } from 'node:test';
import assert from 'node:assert/strict';
import { applyEvent, canContinue, confirmationState, isRunning, localModel, modelOf, restart } from '../../www/js/answer.js';

const ROW = {
  id: 'm2', parent_id: 'm1', role: 'assistant', content: 'Hello', status: 'done', model: 'a/b', provider: 'openai', usage: { total_tokens: 3 }, feedback: 'like',
  created_at: '2026-11-22T10:00:00.000Z', finished_at: '2026-11-22T10:00:02.500Z', finish_reason: 'stop', metadata: { x: 1 }, reasoning: 'Hm.',
};
const fresh = () => localModel('assistant', { status: 'streaming' });
const events = (model, ...list) => { for (const [type, data] of list) applyEvent(model, type, data); return model; };

describe('a model out of a row', () => {
  test('has what the row has', () => {
    const model = modelOf(ROW);
    assert.equal(model.key, 'm2');
    for (const name of ['id', 'parent_id', 'role', 'content', 'reasoning', 'status', 'model', 'provider', 'usage', 'feedback', 'metadata']) assert.deepEqual(model[name], ROW[name], name);
    assert.equal(model.finishReason, 'stop');
    assert.equal(model.createdAt.toISOString(), ROW.created_at);
    assert.equal(model.finishedAt.toISOString(), ROW.finished_at);
  });

  test('holds out where the row has little or nonsense', () => {
    const model = modelOf({ id: 'x', role: 'user', created_at: 'yesterday', attachments: 'none', events: [{ type: 'reference', content: null }, { type: 'unknown' }] });
    assert.equal(model.content, '');
    assert.equal(model.parent_id, null);
    assert.equal(model.createdAt, null);
    assert.deepEqual(model.attachments, []);
    assert.deepEqual(model.custom, [{ type: 'unknown', content: {} }]);
  });

  test('two models share nothing', () => {
    const [one, two] = [modelOf(ROW), modelOf(ROW)];
    applyEvent(one, 'reference', { title: 't' });
    applyEvent(one, 'custom', {});
    assert.deepEqual([two.references, two.custom], [[], []]);
    assert.notEqual(localModel('user', {}).key, localModel('user', {}).key);
  });
});

describe('events', () => {
  test('text grows, thinking ends with it', () => {
    const model = fresh();
    assert.equal(applyEvent(model, 'reasoning', { text: 'First ' }), 'parts');
    assert.equal(applyEvent(model, 'reasoning', { text: 'this.' }), 'parts');
    assert.equal(model.isThinking, true);
    assert.equal(applyEvent(model, 'token', 'Hel'), 'parts', 'the line that says so changes too');
    assert.equal(applyEvent(model, 'token', 'lo'), 'text');
    assert.deepEqual([model.content, model.reasoning, model.isThinking], ['Hello', 'First this.', false]);
  });

  test('start names the message and its model, once', () => {
    const model = fresh();
    assert.equal(applyEvent(model, 'start', { message_id: 'm9', model: 'a/b' }), null);
    assert.equal(applyEvent(model, 'start', { message_id: 'other', model: 'other' }), null);
    assert.deepEqual([model.id, model.model], ['m9', 'a/b']);
  });

  test('done and error end it', () => {
    const done = events(fresh(), ['reasoning', { text: 'x' }], ['done', { status: 'done', usage: { total_tokens: 5 } }]);
    assert.deepEqual([done.status, done.usage.total_tokens, done.isThinking, isRunning(done)], ['done', 5, false, false]);
    assert.ok(done.finishedAt instanceof Date);
    assert.equal(events(fresh(), ['done', { status: 'stopped' }]).status, 'stopped');
    assert.equal(events(fresh(), ['done', {}]).status, 'done');
    const failed = events(fresh(), ['error', { code: 'provider_error', message: 'Sorry.' }]);
    assert.deepEqual([failed.status, failed.error.message], ['error', 'Sorry.']);
    assert.equal(events(fresh(), ['error', { code: 'interrupted', message: 'Lost.' }]).status, 'interrupted');
    assert.equal(applyEvent(fresh(), 'done', {}), 'end');
    assert.equal(applyEvent(fresh(), 'error', {}), 'end');
  });

  test('a later step, picture, task or question of the same id takes the place of the earlier one, in its place', () => {
    const model = events(fresh(),
      ['live_update', { update_id: 'a', type: 'START', content: { label: 'A' } }], ['live_update', { update_id: 'b', type: 'START', content: { label: 'B' } }],
      ['live_update', { update_id: 'a', type: 'FINISH', content: { label: 'A done' } }],
      ['plan_item', { task: { id: '1', status: 'pending' } }], ['plan_item', { task: { id: '2', status: 'pending' } }], ['plan_item', { task: { id: '1', status: 'completed' } }],
      ['image', { id: 'i', url: 'data:image/png;base64,AA' }], ['image', { id: 'j', url: 'x' }], ['image', { id: 'i', url: 'data:image/png;base64,BB' }],
      ['confirmation_request', { confirmation_request: { confirmation_id: 'c', tool_name: 'one' } }], ['confirmation_request', { confirmation_request: { confirmation_id: 'c', tool_name: 'two' } }],
      ['plan_item', {}], ['confirmation_request', {}]);
    assert.deepEqual(model.updates.map((u) => u.content.label), ['A done', 'B']);
    assert.deepEqual(model.plan.map((p) => p.status), ['completed', 'pending']);
    assert.deepEqual(model.images.map((i) => i.url), ['data:image/png;base64,BB', 'x']);
    assert.deepEqual(model.confirmations.map((c) => c.tool_name), ['two']);
  });

  test('references and calls add up; results find their call', () => {
    const model = events(fresh(), ['reference', { title: 'a' }], ['reference', { title: 'a' }],
      ['tool_call', { id: '1', name: 'look', arguments: { q: 1 } }], ['tool_call', { id: '2', name: 'write', arguments: {} }],
      ['tool_result', { id: '2', content: 'written' }], ['tool_result', { id: '9', name: 'late', content: 'x' }], ['tool_result', { id: '1' }]);
    assert.equal(model.references.length, 2);
    assert.deepEqual(model.tools.map((tool) => [tool.id, tool.name, tool.result]), [['1', 'look', ''], ['2', 'write', 'written'], ['9', 'late', 'x']]);
  });

  test('the last follow-ups count, and only texts', () => {
    const model = events(fresh(), ['followup_messages', { messages: ['a'] }], ['followup_messages', { messages: ['b', 7, null, 'c'] }]);
    assert.deepEqual(model.followups, ['b', 'c']);
    assert.deepEqual(events(fresh(), ['followup_messages', {}]).followups, []);
  });

  test('types of an application are kept as they come; bookkeeping is not shown', () => {
    const model = fresh();
    assert.equal(applyEvent(model, 'chart_data', { points: [1] }), 'custom');
    for (const type of ['state_update', 'usage']) assert.equal(applyEvent(model, type, { x: 1 }), 'parts');
    assert.equal(applyEvent(model, 'conversation_summary', { summary: 'Title' }), 'title');
    assert.deepEqual(model.custom, [{ type: 'chart_data', content: { points: [1] } }]);
  });

  test('clear_message takes everything back, and what follows counts', () => {
    const model = events(fresh(), ['token', 'No'], ['reasoning', { text: 'x' }], ['reference', { title: 'a' }], ['custom', {}], ['tool_call', { id: '1' }], ['followup_messages', { messages: ['a'] }]);
    assert.equal(applyEvent(model, 'clear_message', {}), 'parts');
    const { content, reasoning, references, custom, tools, followups, status } = model;
    assert.deepEqual({ content, reasoning, references, custom, tools, followups, status }, { content: '', reasoning: '', references: [], custom: [], tools: [], followups: [], status: 'streaming' });
    applyEvent(model, 'token', 'Yes');
    assert.equal(model.content, 'Yes');
  });
});

describe('a picture in pieces', () => {
  const piece = (at, total = 4, more = {}) => ['chunked_content', { id: 'p', content_type: 'image', chunk_index: at, total_chunks: total, mime_type: 'data:image/png;base64', data: 'abcd'[at], ...more }];
  const orders = (list) => (list.length < 2 ? [list] : list.flatMap((first, at) => orders(list.filter((_, other) => other !== at)).map((rest) => [first, ...rest])));

  test('is whole in any order of them, and not before', () => {
    for (const order of orders([0, 1, 2, 3])) {
      const model = fresh();
      for (const at of order.slice(0, 3)) events(model, piece(at));
      assert.deepEqual(model.images, []);
      events(model, piece(order[3]));
      assert.deepEqual(model.images, [{ id: 'p', url: 'data:image/png;base64,abcd' }], order.join());
    }
  });

  test('a piece that comes twice counts once; two pictures do not mix; a second of the same id replaces the first', () => {
    const model = events(fresh(), piece(0), piece(0), piece(1), piece(2), ['chunked_content', { ...piece(3)[1], id: 'other', total_chunks: 5 }]);
    assert.deepEqual(model.images, []);
    events(model, piece(3), piece(0, 1, { data: 'new' }));
    assert.deepEqual(model.images, [{ id: 'p', url: 'data:image/png;base64,new' }]);
  });

  test('nonsense is no picture', () => {
    const model = events(fresh(), piece(-1), piece(4), piece(0, 0), piece(0, 1e9), piece(0.5), piece('0'), ['chunked_content', {}]);
    assert.deepEqual(model.images, []);
  });
});

describe('told again from its beginning, an answer is the same', () => {
  const LOG = [
    ['start', { message_id: 'm2', model: 'a/b' }], ['reasoning', { text: 'Let me ' }], ['reasoning', { text: 'see.' }],
    ['live_update', { update_id: 'u', type: 'START', content: { label: 'Searching' } }], ['live_update', { update_id: 'u', type: 'FINISH', content: { label: 'Searched' } }],
    ['token', 'Wrong'], ['clear_message', {}], ['reasoning', { text: 'Better.' }],
    ['plan_item', { task: { id: '1', description: 'd', status: 'pending' } }], ['plan_item', { task: { id: '1', description: 'd', status: 'completed', result: 'r' } }],
    ['tool_call', { id: 't', name: 'look', arguments: {} }], ['tool_result', { id: 't', name: 'look', content: 'found' }],
    ['token', 'Right'], ['token', ' 世界'], ['reference', { title: 'A', content: 'B', url: 'https://example.invalid/' }], ['image', { id: 'i', url: 'data:image/gif;base64,AA' }],
    ['confirmation_request', { confirmation_request: { confirmation_id: 'c', tool_name: 'x' } }], ['followup_messages', { messages: ['And?'] }], ['chart_data', { y: 2 }],
    ['done', { status: 'done', usage: { total_tokens: 1 } }],
  ];
  // What the server stores of it: the text in one, of events with ids the last, nothing from before the clearing.
  const STORED = {
    id: 'm2', parent_id: 'm1', role: 'assistant', content: 'Right 世界', reasoning: 'Better.', status: 'done', model: 'a/b', usage: { total_tokens: 1 },
    events: LOG.slice(LOG.findIndex(([type]) => type === 'clear_message') + 1, -1).filter(([type]) => !['token', 'reasoning'].includes(type)).map(([type, content]) => ({ type, content })),
  };
  const seen = ({ key, createdAt, finishedAt, ...rest }) => rest;
  const start = () => localModel('assistant', { parent_id: 'm1', status: 'streaming' });

  test('from events as from the row', () => assert.deepEqual(seen(events(start(), ...LOG)), seen(modelOf(STORED))));

  test('from any place on, after a restart', () => {
    for (let n = 0; n <= LOG.length - 1; n++) {
      const model = events(start(), ...LOG.slice(0, n));
      restart(model);
      events(model, ...LOG);
      assert.deepEqual(seen(model), seen(modelOf(STORED)), `broken off before event ${n}`);
    }
  });

  test('a row read in the middle, then told again', () => {
    const model = modelOf({ ...STORED, status: 'streaming', content: 'Right', events: STORED.events.slice(0, 3), usage: null });
    restart(model);
    assert.deepEqual(seen(events(model, ...LOG)), seen(modelOf(STORED)));
  });
});

test('what can go on: an answer with text that was cut off', () => {
  const base = { ...ROW };
  const can = (more) => canContinue(modelOf({ ...base, ...more }));
  for (const status of ['stopped', 'interrupted', 'error']) assert.equal(can({ status }), true, status);
  assert.equal(can({ status: 'done' }), false);
  assert.equal(can({ status: 'done', finish_reason: 'length' }), true);
  assert.equal(can({ status: 'streaming' }), false);
  assert.equal(can({ status: 'stopped', content: '' }), false);
  assert.equal(can({ status: 'stopped', role: 'user' }), false);
  assert.equal(canContinue({ ...modelOf({ ...base, status: 'stopped' }), isLost: true }), false, 'nobody knows how it ended');
  assert.equal(canContinue(localModel('assistant', { status: 'error', content: 'x' })), false, 'the server does not know it');
});

test('what became of a question of a tool', () => {
  const request = { confirmation_id: 'c' };
  const after = (decisions) => ({ metadata: { tool_confirmations: decisions } });
  assert.equal(confirmationState(request, null), 'pending');
  assert.equal(confirmationState(request, null, { other: true }), 'pending');
  assert.equal(confirmationState(request, null, { c: true }), 'confirmed');
  assert.equal(confirmationState(request, null, { c: false }), 'declined');
  assert.equal(confirmationState(request, after([{ confirmation_id: 'c', confirmed: true }])), 'confirmed');
  assert.equal(confirmationState(request, after([{ confirmation_id: 'x', confirmed: true }, { confirmation_id: 'c', confirmed: false }])), 'declined');
  for (const next of [{ metadata: {} }, {}, after([]), after('nonsense')]) assert.equal(confirmationState(request, next), 'skipped');
});
