// Questions without text, which are good only as the confirmation of a call: where nothing waits to be confirmed they are an empty message, and the worker lives on.
import test, { before, after, beforeEach, describe } from 'node:test';
import assert from 'node:assert/strict';
import { shared } from './server.js';
import { simple, SCALE } from '../provider/provider.js';
import { post, chatWhole, get } from './client.js';

const opts = { timeout: 60_000 * SCALE };
const context = { tool_confirmations: [{ confirmation_id: '0123456789abcdef', confirmed: true }] };

for (const [name, settings] of Object.entries({ 'the demo model': { LLM_BASE_URL: '', LLM_MODEL: 'demo', OPENAI_API_KEY: '' }, 'a model': {} })) describe(`with ${name}`, () => {
  const at = shared({ before, after, beforeEach }, { settings });
  const empty = (r) => assert.match(r.text, /\\?"message\\?" is empty\./);

  test(`${name}: a confirmation that begins a conversation is an empty message`, opts, async () => {
    at.p?.respond(simple('never said'));
    for (const stream of [true, false]) empty(await post(`${at.s.url}/chat`, { message: '', context, stream }));
    empty(await post(`${at.s.url}/chat/stream`, { message: '', context }));
    empty(await post(`${at.s.url}/api/chat`, { message: '', history: [], context }));
    assert.deepEqual((await get(`${at.s.url}/conversations`)).json.conversations, [], 'and leaves none behind');
    assert.equal((await get(`${at.s.url}/ready`)).status, 200);
  });

  test(`${name}: a confirmation after an answer that has asked nothing is an empty message`, opts, async () => {
    at.p?.respond(simple('said'));
    const first = await chatWhole(at.s, 'Hello');
    const conversation_id = first.conversation_id ?? first.json?.conversation_id;
    assert.ok(conversation_id, JSON.stringify(first));
    empty(await post(`${at.s.url}/chat`, { message: '', context, conversation_id, stream: false }));
    assert.equal((await get(`${at.s.url}/ready`)).status, 200);
  });
});
