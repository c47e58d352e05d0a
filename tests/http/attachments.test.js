// What belongs to a message beside its text: images of a question (checked, stored, given to the model, and to models without eyes refused), the thinking of an answer.
import test, { before, after, beforeEach } from 'node:test';
import assert from 'node:assert/strict';
import { shared, withServer } from './server.js';
import { simple, SCALE } from '../provider/provider.js';
import { post, chat, conversation, assertError } from './client.js';

const opts = { timeout: 60_000 * SCALE };
const at = shared({ before, after, beforeEach });
const PNG = 'data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==';

test('an image reaches the model, is stored, and is part of the history', opts, async () => {
  at.p.respond(simple('a dot'));
  const first = await chat(at.s, { message: 'What is this?', attachments: [{ type: 'image', url: PNG }] });
  assert.deepEqual(at.p.chats.at(-1).body.messages.at(-1).content, [{ type: 'text', text: 'What is this?' }, { type: 'image_url', image_url: { url: PNG } }]);
  const c = await conversation(at.s, first.conversation_id);
  assert.deepEqual(c.messages[0].attachments, [{ type: 'image', url: PNG }]);
  assert.equal(c.messages[1].attachments, undefined);
  await chat(at.s, { message: 'And its colour?', conversation_id: first.conversation_id });
  const sent = at.p.chats.at(-1).body.messages;
  assert.equal(sent[0].content[1].image_url.url, PNG);
  assert.equal(sent.at(-1).content, 'And its colour?');
});

test('an image without words is a question too, and stays in the history', opts, async () => {
  at.p.respond(simple('a dot'));
  const image = { type: 'image_url', image_url: { url: PNG } };
  const first = await chat(at.s, { message: ' ', attachments: [{ type: 'image', url: PNG }] });
  assert.deepEqual(at.p.chats.at(-1).body.messages.at(-1).content, [image]);
  const c = await conversation(at.s, first.conversation_id);
  assert.deepEqual([c.messages[0].content, c.messages[0].attachments.length], ['', 1]);
  await chat(at.s, { message: 'And its colour?', conversation_id: first.conversation_id });
  assert.deepEqual(at.p.chats.at(-1).body.messages.filter((m) => m.role !== 'system').map((m) => m.content), [[image], 'a dot', 'And its colour?']);
  for (const attachments of [[], null, undefined]) assertError(await post(`${at.s.url}/chat`, { message: '', attachments }), 422, 'invalid_field');
  const context = { tool_confirmations: [{ confirmation_id: '0123456789abcdef', confirmed: true }] };
  assertError(await post(`${at.s.url}/chat`, { message: '', attachments: [{ type: 'image', url: PNG }], context, conversation_id: first.conversation_id }), 422, 'invalid_field');
});

const WRONG = {
  'another type': { type: 'file', url: PNG },
  'no url': { type: 'image' },
  'an address': { type: 'image', url: 'https://example.org/a.png' },
  'a script': { type: 'image', url: 'data:image/svg+xml;base64,PHN2Zz4=' },
  'no base64': { type: 'image', url: 'data:image/png,abc' },
  'bad base64': { type: 'image', url: 'data:image/png;base64,ab*c' },
  'cut base64': { type: 'image', url: 'data:image/png;base64,abc' },
  'nothing in it': { type: 'image', url: 'data:image/png;base64,' },
};
for (const [what, item] of Object.entries(WRONG)) test(`${what} is refused`, opts, async () => assertError(await post(`${at.s.url}/chat`, { message: 'Hi', attachments: [item] }), 422, 'invalid_field'));

test('more than ten are refused', opts, async () => assertError(await post(`${at.s.url}/chat`, { message: 'Hi', attachments: Array(11).fill({ type: 'image', url: PNG }) }), 422, 'invalid_field'));

test('a model that is known to have no eyes: images of the question are refused with a sentence, older ones left out', opts, () => withServer({ settings: { LLM_MODEL: 'openai/gpt-4o', LLM_FALLBACKS: '' } }, async (s, p) => {
  p.respond(simple('a dot'));
  const first = await chat(s, { message: 'What is this?', attachments: [{ type: 'image', url: PNG }] });
  const blind = 'openai/gpt-3.5-turbo';
  const r = await post(`${s.url}/chat`, { message: 'And this?', model: blind, attachments: [{ type: 'image', url: PNG }] });
  assertError(r, 422, 'invalid_field');
  assert.match(r.json.error.message, /gpt-3\.5-turbo takes no images/);
  p.respond(simple('never mind'));
  assert.equal((await chat(s, { message: 'Never mind', model: blind, conversation_id: first.conversation_id })).text, 'never mind');
  assert.equal(JSON.stringify(p.chats.at(-1).body).includes('image_url'), false);
}));

test('the thinking of an answer goes back to a provider that wants it, and to no other', opts, async () => {
  for (const [model, back] of [['deepseek/deepseek-v4', 'let me see'], ['openai/gpt-4o', undefined]]) {
    await withServer({ settings: { LLM_MODEL: model } }, async (s, p) => {
      p.respond(async (req, io) => { io.chunk(io.shape({ reasoning_content: 'let me see', content: null })); io.token('four'); io.finish(); io.done(); await io.end(); });
      const first = await chat(s, { message: 'Two and two?' });
      await chat(s, { message: 'And three?', conversation_id: first.conversation_id });
      const answer = p.chats.at(-1).body.messages.find((m) => m.role === 'assistant');
      assert.equal(answer.content, 'four');
      assert.equal(answer.reasoning_content, back, model);
    });
  }
});
