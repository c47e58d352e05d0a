// An upstream that speaks every wire: what a request came on is told by its path, and what it is answered is told without naming a wire.
//
//   const u = await startUpstream();
//   u.respond(answer({ text: ['Hel', 'lo'], usage: USAGE }));    what every request gets from now on, in the words of its wire
//   u.enqueue(overloaded(), quota());                            what the next ones get, once each
//   u.chats                                                      requests for answers: {wire, path, headers, body, raw, model, said, …}
//   await u.stop();
//
// A behaviour is `async (req, io)`: io.wire is the row of WIRES that fits. `said(req)` is what was asked, in one shape for all wires.
// Neighbours: provider.js, which has the misbehaviours of OpenAI-compatible servers. Sources: the vendors' API references, named at each wire.
import http from 'node:http';
import { createHash, createHmac } from 'node:crypto';
import { sleep, within, gate, SCALE } from './provider.js';

export { sleep, within, gate, SCALE };

/** prompt: all of it, cached included; completion: thinking included. */
export const USAGE = { prompt: 120, completion: 30, cached: 20, reasoning: 10 };

const json = (o) => JSON.stringify(o);
const data = (o) => `data: ${json(o)}\n\n`;
const named = (o, event = o.type) => `event: ${event}\ndata: ${json(o)}\n\n`;

// ---------------------------------------------------------------- AWS event stream: "Event Stream Encoding" of Smithy

const CRC = Uint32Array.from({ length: 256 }, (_, n) => {
  for (let k = 0; k < 8; k++) n = n & 1 ? (n >>> 1) ^ 0xedb88320 : n >>> 1;
  return n;
});
export function crc32(buf) {
  let c = 0xffffffff;
  for (const b of buf) c = CRC[(c ^ b) & 0xff] ^ (c >>> 8);
  return (c ^ 0xffffffff) >>> 0;
}

/** One frame; headers are strings. */
export function frame(headers, payload) {
  const parts = [];
  for (const [name, value] of Object.entries(headers)) {
    const n = Buffer.from(name);
    const v = Buffer.from(value);
    const len = Buffer.alloc(2);
    len.writeUInt16BE(v.length);
    parts.push(Buffer.from([n.length]), n, Buffer.from([7]), len, v);
  }
  const head = Buffer.concat(parts);
  const body = Buffer.isBuffer(payload) ? payload : Buffer.from(payload);
  const prelude = Buffer.alloc(12);
  prelude.writeUInt32BE(16 + head.length + body.length, 0);
  prelude.writeUInt32BE(head.length, 4);
  prelude.writeUInt32BE(crc32(prelude.subarray(0, 8)), 8);
  const all = Buffer.concat([prelude, head, body]);
  const end = Buffer.alloc(4);
  end.writeUInt32BE(crc32(all));
  return Buffer.concat([all, end]);
}

export const awsEvent = (type, o) => frame({ ':message-type': 'event', ':event-type': type, ':content-type': 'application/json' }, json({ ...o, p: 'abcdefgh' }));
const awsException = (type, message) => frame({ ':message-type': 'exception', ':exception-type': type, ':content-type': 'application/json' }, json({ message }));

// ---------------------------------------------------------------- SigV4: "Create a signed AWS API request", computed here by itself

const hex = (text) => createHash('sha256').update(text).digest('hex');
const hmac = (key, text) => createHmac('sha256', key).update(text).digest();
/** RFC 3986, one segment. */
const encode = (text) => encodeURIComponent(text).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);

/** What is wrong with the signature of a request, as a list of sentences; [] when it is right. */
export function sigv4Problems(req, { accessKey, secretKey, token, region, service = 'bedrock' }) {
  const bad = [];
  const m = /^AWS4-HMAC-SHA256 Credential=([^/]+)\/(\d{8})\/([^/]+)\/([^/]+)\/aws4_request, ?SignedHeaders=([^,]+), ?Signature=([0-9a-f]{64})$/.exec(req.headers.authorization ?? '');
  if (!m) return [`Authorization is ${req.headers.authorization}`];
  const [, key, day, where, what, names, signature] = m;
  const stamp = req.headers['x-amz-date'] ?? '';
  if (key !== accessKey) bad.push(`the access key is ${key}`);
  if (where !== region) bad.push(`the region is ${where}`);
  if (what !== service) bad.push(`the service is ${what}`);
  if (!/^\d{8}T\d{6}Z$/.test(stamp) || !stamp.startsWith(day)) bad.push(`x-amz-date is ${stamp}, the day ${day}`);
  const at = Date.parse(stamp.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, '$1-$2-$3T$4:$5:$6Z'));
  if (!(Math.abs(Date.now() - at) < 300_000)) bad.push(`x-amz-date is ${stamp}, which is not now`);
  const signed = names.split(';');
  if (names !== [...signed].sort().join(';')) bad.push('the signed headers are not sorted');
  for (const n of ['host', 'x-amz-date', ...(token ? ['x-amz-security-token'] : [])]) if (!signed.includes(n)) bad.push(`${n} is not signed`);
  if (token && req.headers['x-amz-security-token'] !== token) bad.push('the session token is missing');
  const [path, query = ''] = req.path.split('?');
  const canonical = [
    req.method,
    path.split('/').map(encode).join('/'),               // as sent, encoded once more: all services but S3
    query.split('&').filter(Boolean).sort().join('&'),
    ...signed.map((n) => `${n}:${String(req.headers[n] ?? '').trim().replace(/ +/g, ' ')}`), '',
    names,
    req.headers['x-amz-content-sha256'] ?? hex(req.bytes),
  ].join('\n');
  if (req.headers['x-amz-content-sha256'] && req.headers['x-amz-content-sha256'] !== hex(req.bytes)) bad.push('x-amz-content-sha256 is not that of the body');
  const scope = `${day}/${region}/${service}/aws4_request`;
  const toSign = ['AWS4-HMAC-SHA256', stamp, scope, hex(canonical)].join('\n');
  const signing = ['aws4_request', service, region, day].reduceRight((k, part) => hmac(k, part), `AWS4${secretKey}`);
  const right = createHmac('sha256', signing).update(toSign).digest('hex');
  if (right !== signature) bad.push(`the signature is ${signature}, and should be ${right} for:\n${canonical}`);
  return bad;
}

// ---------------------------------------------------------------- the wires

const textOf = (content) => (typeof content === 'string' ? content : Array.isArray(content) ? content.map((p) => p.text ?? '').join('') : '');
const roles = (messages, names = { assistant: 'assistant', user: 'user' }) => messages.map((m) => ({ role: names[m.role] ?? m.role, text: textOf(m.content) }));
const plain = (usage) => ({
  prompt_tokens: usage.prompt, completion_tokens: usage.completion, total_tokens: usage.prompt + usage.completion,
  ...(usage.cached !== undefined && { prompt_tokens_details: { cached_tokens: usage.cached } }),
  ...(usage.reasoning !== undefined && { completion_tokens_details: { reasoning_tokens: usage.reasoning } }),
  ...(usage.cost !== undefined && { cost: usage.cost }),
});
const err = (message, type, code) => ({ error: { message, type, param: null, code } });

/** OpenAI's API reference, "Chat Completions". */
const chatCompletions = {
  type: 'text/event-stream',
  shape: (a, delta, more = {}) => data({ id: 'chatcmpl-1', object: 'chat.completion.chunk', created: 1760000000, model: a.model, choices: [{ index: 0, delta, finish_reason: null, ...more }], usage: null }),
  begin: (a) => [chatCompletions.shape(a, { role: 'assistant', content: '', refusal: null })],
  reasoning: (a, text) => [chatCompletions.shape(a, { content: null, reasoning_content: text })],
  text: (a, text) => [chatCompletions.shape(a, { content: text })],
  end: (a) => [
    chatCompletions.shape(a, {}, { finish_reason: a.length ? 'length' : 'stop' }),
    ...(a.usage ? [data({ id: 'chatcmpl-1', object: 'chat.completion.chunk', created: 1760000000, model: a.model, choices: [], usage: plain(a.usage) })] : []),
    'data: [DONE]\n\n',
  ],
  streamError: () => [data(err('The server is overloaded.', 'server_error', 503))],
  overloaded: [503, err('That model is currently overloaded with other requests.', 'server_error', null)],
  limited: [429, err('Rate limit reached for requests', 'requests', 'rate_limit_exceeded')],
  quota: [429, err('You exceeded your current quota, please check your plan and billing details.', 'insufficient_quota', 'insufficient_quota')],
  key: [401, err('Incorrect API key provided.', 'invalid_request_error', 'invalid_api_key')],
  overflow: [400, err("This model's maximum context length is 8192 tokens. However, your messages resulted in 9000 tokens.", 'invalid_request_error', 'context_length_exceeded')],
  whole: (a) => ({
    id: 'chatcmpl-1', object: 'chat.completion', created: 1760000000, model: a.model,
    choices: [{ index: 0, message: { role: 'assistant', content: a.text.join(''), reasoning_content: a.reasoning.join('') || undefined }, finish_reason: 'stop' }], usage: a.usage && plain(a.usage),
  }),
  said: (b) => ({
    model: b.model, system: b.messages[0]?.role === 'system' ? b.messages[0].content : undefined,
    messages: roles(b.messages.filter((m) => m.role !== 'system')), limit: b.max_completion_tokens ?? b.max_tokens, temperature: b.temperature,
  }),
};

/** Anthropic's API reference, "Messages", "Streaming". */
const anthropic = {
  type: 'text/event-stream',
  matches: (path) => /\/messages$/.test(path),
  begin: (a) => [
    named({ type: 'message_start', message: {
      id: 'msg_1', type: 'message', role: 'assistant', content: [], model: a.model, stop_reason: null,
      ...(a.usage && { usage: { input_tokens: a.usage.prompt - (a.usage.cached ?? 0), cache_read_input_tokens: a.usage.cached ?? 0, cache_creation_input_tokens: 0, output_tokens: 1 } }),
    } }),
    named({ type: 'ping' }),
  ],
  blocks: (a, kind, index, pieces) => (pieces.length === 0 ? [] : [
    named({ type: 'content_block_start', index, content_block: kind === 'text' ? { type: 'text', text: '' } : { type: 'thinking', thinking: '', signature: '' } }),
    ...pieces.map((p) => named({ type: 'content_block_delta', index, delta: kind === 'text' ? { type: 'text_delta', text: p } : { type: 'thinking_delta', thinking: p } })),
    ...(kind === 'text' ? [] : [named({ type: 'content_block_delta', index, delta: { type: 'signature_delta', signature: 'SIGNATURE==' } })]),
  ]),
  reasoning: (a, text, i, all) => [...(i === 0 ? anthropic.blocks(a, 'thinking', 0, [text]).slice(0, 2) : [named({ type: 'content_block_delta', index: 0, delta: { type: 'thinking_delta', thinking: text } })]),
    ...(i === all.length - 1 ? [named({ type: 'content_block_delta', index: 0, delta: { type: 'signature_delta', signature: 'SIGNATURE==' } }), named({ type: 'content_block_stop', index: 0 })] : [])],
  text: (a, text, i) => {
    const index = a.reasoning.length ? 1 : 0;
    return i === 0 ? anthropic.blocks(a, 'text', index, [text]) : [named({ type: 'content_block_delta', index, delta: { type: 'text_delta', text } })];
  },
  end: (a) => [
    named({ type: 'content_block_stop', index: a.reasoning.length ? 1 : 0 }),
    named({ type: 'message_delta', delta: { stop_reason: a.length ? 'max_tokens' : 'end_turn', stop_sequence: null }, ...(a.usage && { usage: { output_tokens: a.usage.completion } }) }),
    named({ type: 'message_stop' }),
  ],
  streamError: () => [named({ type: 'error', error: { type: 'overloaded_error', message: 'Overloaded' } })],
  overloaded: [529, { type: 'error', error: { type: 'overloaded_error', message: 'Overloaded' }, request_id: 'req_1' }],
  limited: [429, { type: 'error', error: { type: 'rate_limit_error', message: 'Number of requests has exceeded your rate limit' } }],
  quota: [400, { type: 'error', error: { type: 'invalid_request_error', message: 'Your credit balance is too low to access the Anthropic API.' } }],
  key: [401, { type: 'error', error: { type: 'authentication_error', message: 'invalid x-api-key' } }],
  overflow: [400, { type: 'error', error: { type: 'invalid_request_error', message: 'prompt is too long: 208310 tokens > 200000 maximum' } }],
  whole: (a) => ({
    id: 'msg_1', type: 'message', role: 'assistant', model: a.model, stop_reason: 'end_turn',
    content: [...(a.reasoning.length ? [{ type: 'thinking', thinking: a.reasoning.join(''), signature: 'SIGNATURE==' }] : []), { type: 'text', text: a.text.join('') }],
    usage: a.usage && { input_tokens: a.usage.prompt - (a.usage.cached ?? 0), cache_read_input_tokens: a.usage.cached ?? 0, output_tokens: a.usage.completion },
  }),
  said: (b) => ({ model: b.model, system: b.system === undefined ? undefined : textOf(b.system), messages: roles(b.messages), limit: b.max_tokens, temperature: b.temperature }),
};

/** Google's Gemini API reference, "Generating content". Lines end with CR LF. */
const gemini = {
  type: 'text/event-stream',
  matches: (path) => /:streamGenerateContent\?/.test(path),
  model: (path) => decodeURIComponent(/\/models\/([^/]+):stream/.exec(path)?.[1] ?? ''),
  event: (a, parts, more = {}, usage = false) => `data: ${json({
    candidates: [{ content: { parts, role: 'model' }, index: 0, ...more }], modelVersion: a.model, responseId: 'r1',
    ...(usage && a.usage && { usageMetadata: gemini.usage(a.usage) }),
  })}\r\n\r\n`,
  usage: (u) => ({
    promptTokenCount: u.prompt, candidatesTokenCount: u.completion - (u.reasoning ?? 0), totalTokenCount: u.prompt + u.completion,
    ...(u.reasoning !== undefined && { thoughtsTokenCount: u.reasoning }), ...(u.cached !== undefined && { cachedContentTokenCount: u.cached }),
  }),
  begin: () => [],
  reasoning: (a, text) => [gemini.event(a, [{ text, thought: true }])],
  text: (a, text) => [gemini.event(a, [{ text }])],
  end: (a) => [gemini.event(a, [{ text: '', thoughtSignature: 'THOUGHT==' }], { finishReason: a.length ? 'MAX_TOKENS' : 'STOP' }, true)],
  streamError: () => [`${JSON.stringify({ error: { code: 503, message: 'The model is overloaded. Please try again later.', status: 'UNAVAILABLE' } }, null, 2)}\n`],
  overloaded: [503, { error: { code: 503, message: 'The model is overloaded. Please try again later.', status: 'UNAVAILABLE' } }],
  limited: [429, { error: { code: 429, message: 'Resource has been exhausted (e.g. check quota).', status: 'RESOURCE_EXHAUSTED' } }],
  quota: [429, { error: { code: 429, message: 'You exceeded your current quota, please check your plan and billing details.', status: 'RESOURCE_EXHAUSTED',
    details: [{ '@type': 'type.googleapis.com/google.rpc.QuotaFailure', violations: [{ quotaId: 'GenerateRequestsPerDayPerProjectPerModel-FreeTier' }] }] } }],
  key: [400, { error: { code: 400, message: 'API key not valid. Please pass a valid API key.', status: 'INVALID_ARGUMENT', details: [{ reason: 'API_KEY_INVALID' }] } }],
  overflow: [400, { error: { code: 400, message: 'The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).', status: 'INVALID_ARGUMENT' } }],
  whole: (a) => ({
    candidates: [{ content: { parts: [...a.reasoning.map((text) => ({ text, thought: true })), { text: a.text.join('') }], role: 'model' }, finishReason: 'STOP', index: 0 }],
    modelVersion: a.model, usageMetadata: a.usage && gemini.usage(a.usage),
  }),
  said: (b, path) => ({
    model: gemini.model(path), system: b.systemInstruction?.parts.map((p) => p.text).join(''), messages: b.contents.map((c) => ({ role: c.role === 'model' ? 'assistant' : c.role, text: c.parts.map((p) => p.text ?? '').join('') })),
    limit: b.generationConfig?.maxOutputTokens, temperature: b.generationConfig?.temperature,
  }),
};

/** Amazon Bedrock API reference, "ConverseStream". */
const bedrock = {
  type: 'application/vnd.amazon.eventstream',
  matches: (path) => /\/converse-stream$/.test(path),
  model: (path) => decodeURIComponent(/\/model\/([^/]+)\/converse-stream$/.exec(path)?.[1] ?? ''),
  begin: () => [awsEvent('messageStart', { role: 'assistant' })],
  reasoning: (a, text, i, all) => [awsEvent('contentBlockDelta', { contentBlockIndex: 0, delta: { reasoningContent: { text } } }),
    ...(i === all.length - 1 ? [awsEvent('contentBlockDelta', { contentBlockIndex: 0, delta: { reasoningContent: { signature: 'SIGNATURE==' } } }), awsEvent('contentBlockStop', { contentBlockIndex: 0 })] : [])],
  text: (a, text) => [awsEvent('contentBlockDelta', { contentBlockIndex: a.reasoning.length ? 1 : 0, delta: { text } })],
  end: (a) => [
    awsEvent('contentBlockStop', { contentBlockIndex: a.reasoning.length ? 1 : 0 }),
    awsEvent('messageStop', { stopReason: a.length ? 'max_tokens' : 'end_turn' }),
    ...(a.usage ? [awsEvent('metadata', { usage: bedrock.usage(a.usage), metrics: { latencyMs: 5 } })] : []),
  ],
  usage: (u) => ({ inputTokens: u.prompt - (u.cached ?? 0), outputTokens: u.completion, totalTokens: u.prompt + u.completion, cacheReadInputTokens: u.cached ?? 0, cacheWriteInputTokens: 0 }),
  streamError: () => [awsException('throttlingException', 'Too many requests, please wait before trying again.')],
  overloaded: [503, { message: 'The service isn\'t currently available. Try again later.' }, { 'x-amzn-errortype': 'ServiceUnavailableException:http://internal.amazon.com/' }],
  limited: [429, { message: 'Too many requests, please wait before trying again.' }, { 'x-amzn-errortype': 'ThrottlingException' }],
  quota: [400, { message: 'Your request exceeds the service quota for your account: billing.' }, { 'x-amzn-errortype': 'ServiceQuotaExceededException' }],
  key: [403, { message: 'The security token included in the request is invalid.' }, { 'x-amzn-errortype': 'UnrecognizedClientException' }],
  overflow: [400, { message: 'Input is too long for requested model.' }, { 'x-amzn-errortype': 'ValidationException' }],
  whole: (a) => ({
    output: { message: { role: 'assistant', content: [...a.reasoning.map((text) => ({ reasoningContent: { reasoningText: { text } } })), { text: a.text.join('') }] } },
    stopReason: 'end_turn', usage: a.usage && bedrock.usage(a.usage), metrics: { latencyMs: 5 },
  }),
  said: (b, path) => ({ model: bedrock.model(path), system: b.system?.map((p) => p.text).join(''), messages: roles(b.messages), limit: b.inferenceConfig?.maxTokens, temperature: b.inferenceConfig?.temperature }),
};

/** Ollama's API documentation, "Generate a chat completion". */
const ollama = {
  type: 'application/x-ndjson',
  matches: (path) => /\/api\/chat$/.test(path),
  line: (a, message, more = {}) => `${json({ model: a.model, created_at: '2026-08-01T00:00:00Z', message: { role: 'assistant', ...message }, done: false, ...more })}\n`,
  begin: () => [],
  reasoning: (a, thinking) => [ollama.line(a, { content: '', thinking })],
  text: (a, content) => [ollama.line(a, { content })],
  end: (a) => [ollama.line(a, { content: '' }, { done: true, done_reason: a.length ? 'length' : 'stop', total_duration: 1, ...(a.usage && { prompt_eval_count: a.usage.prompt, eval_count: a.usage.completion }) })],
  streamError: () => [`${json({ error: 'an error was encountered while running the model: CUDA error' })}\n`],
  overloaded: [503, { error: 'server busy, please try again.  maximum pending requests exceeded' }],
  limited: [429, { error: 'too many requests' }],
  quota: [402, { error: 'this model needs a subscription' }],
  key: [401, { error: 'unauthorized', signin_url: 'https://ollama.com/connect' }],
  overflow: [400, { error: 'the input length exceeds the context length' }],
  whole: (a) => JSON.parse(ollama.line({ ...a }, { content: a.text.join(''), thinking: a.reasoning.join('') || undefined }, { done: true, done_reason: 'stop', prompt_eval_count: a.usage?.prompt, eval_count: a.usage?.completion })),
  said: (b) => ({
    model: b.model, system: b.messages[0]?.role === 'system' ? b.messages[0].content : undefined, messages: roles(b.messages.filter((m) => m.role !== 'system')),
    limit: b.options?.num_predict, temperature: b.options?.temperature,
  }),
};

/** Cohere's API reference, "Chat (v2)", "Streaming". */
const cohere = {
  type: 'text/event-stream',
  matches: (path) => /\/v2\/chat$/.test(path),
  begin: () => [named({ id: 'c1', type: 'message-start', delta: { message: { role: 'assistant', content: [], tool_plan: '', tool_calls: [], citations: [] } } })],
  piece: (kind, text, index, i) => [
    ...(i === 0 ? [named({ type: 'content-start', index, delta: { message: { content: { type: kind, [kind]: '' } } } })] : []),
    named({ type: 'content-delta', index, delta: { message: { content: { [kind]: text } } } }),
  ],
  reasoning: (a, text, i, all) => [...cohere.piece('thinking', text, 0, i), ...(i === all.length - 1 ? [named({ type: 'content-end', index: 0 })] : [])],
  text: (a, text, i) => cohere.piece('text', text, a.reasoning.length ? 1 : 0, i),
  end: (a) => [
    named({ type: 'content-end', index: a.reasoning.length ? 1 : 0 }),
    named({ type: 'message-end', delta: { finish_reason: a.length ? 'MAX_TOKENS' : 'COMPLETE', ...(a.usage && { usage: cohere.usage(a.usage) }) } }),
  ],
  usage: (u) => ({ billed_units: { input_tokens: 1, output_tokens: 1 }, tokens: { input_tokens: u.prompt, output_tokens: u.completion }, ...(u.cached !== undefined && { cached_tokens: u.cached }) }),
  streamError: () => [named({ type: 'message-end', delta: { finish_reason: 'ERROR', error: 'upstream model failed' } })],
  overloaded: [503, { id: 'e1', message: 'service unavailable, please try again' }],
  limited: [429, { id: 'e1', message: 'You are using a Trial key, which is limited to 40 API calls / minute.' }],
  quota: [402, { id: 'e1', message: 'billing limit reached' }],
  key: [401, { id: 'e1', message: 'invalid api token' }],
  overflow: [400, { id: 'e1', message: 'too many tokens: total number of tokens in the prompt cannot exceed 256000' }],
  whole: (a) => ({
    id: 'c1', finish_reason: 'COMPLETE', message: { role: 'assistant', content: [...a.reasoning.map((thinking) => ({ type: 'thinking', thinking })), { type: 'text', text: a.text.join('') }] }, usage: a.usage && cohere.usage(a.usage),
  }),
  said: (b) => ({ model: b.model, system: b.messages[0]?.role === 'system' ? b.messages[0].content : undefined, messages: roles(b.messages.filter((m) => m.role !== 'system')), limit: b.max_tokens, temperature: b.temperature }),
};

/** OpenAI's API reference, "Responses", "Streaming events". */
const responses = {
  type: 'text/event-stream',
  matches: (path) => /\/responses$/.test(path),
  number: 0,
  event: (o) => named({ ...o, sequence_number: responses.number++ }),
  response: (a, status, more = {}) => ({ id: 'resp_1', object: 'response', status, model: a.model, output: [], ...more }),
  begin: (a) => [
    responses.event({ type: 'response.created', response: responses.response(a, 'in_progress') }),
    responses.event({ type: 'response.in_progress', response: responses.response(a, 'in_progress') }),
  ],
  reasoning: (a, text, i) => [
    ...(i === 0 ? [responses.event({ type: 'response.output_item.added', output_index: 0, item: { id: 'rs_1', type: 'reasoning', summary: [] } }),
      responses.event({ type: 'response.reasoning_summary_part.added', item_id: 'rs_1', output_index: 0, summary_index: 0, part: { type: 'summary_text', text: '' } })] : []),
    responses.event({ type: 'response.reasoning_summary_text.delta', item_id: 'rs_1', output_index: 0, summary_index: 0, delta: text }),
  ],
  text: (a, text, i) => {
    const n = a.reasoning.length ? 1 : 0;
    return [
      ...(i === 0 && n ? [responses.event({ type: 'response.output_item.done', output_index: 0, item: { id: 'rs_1', type: 'reasoning', encrypted_content: 'ENCRYPTED==', summary: [{ type: 'summary_text', text: a.reasoning.join('') }] } })] : []),
      ...(i === 0 ? [responses.event({ type: 'response.output_item.added', output_index: n, item: { id: 'msg_1', type: 'message', role: 'assistant', status: 'in_progress', content: [] } }),
        responses.event({ type: 'response.content_part.added', item_id: 'msg_1', output_index: n, content_index: 0, part: { type: 'output_text', text: '', annotations: [] } })] : []),
      responses.event({ type: 'response.output_text.delta', item_id: 'msg_1', output_index: n, content_index: 0, delta: text }),
    ];
  },
  usage: (u) => ({
    input_tokens: u.prompt, input_tokens_details: { cached_tokens: u.cached ?? 0 }, output_tokens: u.completion, output_tokens_details: { reasoning_tokens: u.reasoning ?? 0 }, total_tokens: u.prompt + u.completion,
  }),
  output: (a) => [
    ...(a.reasoning.length ? [{ id: 'rs_1', type: 'reasoning', encrypted_content: 'ENCRYPTED==', summary: [{ type: 'summary_text', text: a.reasoning.join('') }] }] : []),
    { id: 'msg_1', type: 'message', role: 'assistant', status: 'completed', content: [{ type: 'output_text', text: a.text.join(''), annotations: [] }] },
  ],
  end: (a) => {
    const n = a.reasoning.length ? 1 : 0;
    const last = responses.output(a)[n];
    return [
      responses.event({ type: 'response.output_text.done', item_id: 'msg_1', output_index: n, content_index: 0, text: a.text.join('') }),
      responses.event({ type: 'response.content_part.done', item_id: 'msg_1', output_index: n, content_index: 0, part: last.content[0] }),
      responses.event({ type: 'response.output_item.done', output_index: n, item: last }),
      responses.event({ type: a.length ? 'response.incomplete' : 'response.completed', response: responses.response(a, a.length ? 'incomplete' : 'completed', {
        output: responses.output(a), ...(a.length && { incomplete_details: { reason: 'max_output_tokens' } }), ...(a.usage && { usage: responses.usage(a.usage) }),
      }) }),
    ];
  },
  streamError: (a) => [
    responses.event({ type: 'error', code: 'server_is_overloaded', message: 'Our servers are currently overloaded.', param: null }),
    responses.event({ type: 'response.failed', response: responses.response(a, 'failed', { error: { code: 'server_is_overloaded', message: 'Our servers are currently overloaded.' } }) }),
  ],
  overloaded: chatCompletions.overloaded, limited: chatCompletions.limited, quota: chatCompletions.quota, key: chatCompletions.key, overflow: chatCompletions.overflow,
  whole: (a) => responses.response(a, 'completed', { output: responses.output(a), usage: a.usage && responses.usage(a.usage) }),
  said: (b) => ({ model: b.model, system: b.instructions, messages: roles(b.input), limit: b.max_output_tokens, temperature: b.temperature }),
};

/** name → how it is spoken. The order is that in which paths are looked at. */
export const WIRES = {
  azure: { ...chatCompletions, matches: (path) => /\/openai\/(deployments\/[^/]+|v1)\/chat\/completions(\?|$)/.test(path),
    model: (path) => decodeURIComponent(/\/deployments\/([^/]+)/.exec(path)?.[1] ?? ''),
    // the first chunk has no choice at all
    begin: (a) => [data({ id: '', object: '', created: 0, model: '', choices: [], prompt_filter_results: [{ prompt_index: 0, content_filter_results: {} }] }), ...chatCompletions.begin(a)] },
  openai: { ...chatCompletions, matches: (path) => /\/chat\/completions(\?|$)/.test(path) },
  responses, anthropic, gemini, bedrock, ollama, cohere,
};
for (const [name, wire] of Object.entries(WIRES)) wire.name = name;

/** What a request asked, in one shape: {model, system, messages: [{role, text}], limit, temperature}. */
export const said = (req) => req.wire.said(req.body, req.path);

// ---------------------------------------------------------------- behaviours

/** Bytes cut so that every character of more than one byte is cut somewhere, and every read ends in an unlucky place. */
function unlucky(bytes) {
  const pieces = [];
  for (let from = 0, i = 0; from < bytes.length;) {
    let to = Math.min(bytes.length, from + 1 + ((i++ * 37) % 61));
    const high = bytes.subarray(from + 1, to).findIndex((b) => b >= 0xc0);
    if (high >= 0) to = from + 1 + high + 1;               // after the first byte of a character
    pieces.push(bytes.subarray(from, to));
    from = to;
  }
  return pieces;
}

/**
 * An answer.
 *  text, reasoning  pieces          usage      as USAGE, or undefined: none is sent
 *  model            as the upstream names it (default: as it was asked for)
 *  length           it ended because of the limit
 *  cut              'clean' (the body ends without the terminal mark), 'rst' (the connection breaks) after the text
 *  error            true: the wire's own error in the stream, after the text
 *  bytes            'one' (a write for each byte), 'unlucky' (within characters)
 *  hold             a gate: after the text, wait for it before the end
 *  whole            not a stream
 */
export function answer(options = {}) {
  return async (req, io) => {
    const a = { text: ['Hello'], reasoning: [], model: req.model, ...options };
    const w = io.wire;
    if (a.whole) return io.json(w.whole(a));
    const first = [...w.begin(a), ...a.reasoning.flatMap((t, i, all) => w.reasoning(a, t, i, all)), ...a.text.flatMap((t, i, all) => w.text(a, t, i, all))].map((x) => Buffer.from(x));
    const last = a.error ? w.streamError(a) : a.cut ? [] : w.end(a);
    io.open();
    await io.send(first, a.bytes);
    if (a.hold) await Promise.race([a.hold.wait(), io.closed]);
    if (a.cut === 'rst') return io.cut();
    await io.send(last.map((x) => Buffer.from(x)), a.bytes);
    return io.end();
  };
}

const failing = (member, more = {}) => async (req, io) => {
  const [status, body, headers] = io.wire[member];
  return io.json(body, status, { ...headers, ...more });
};
/** The vendor's own way of saying so, before anything else. */
export const overloaded = (headers) => failing('overloaded', headers);
export const limited = (headers) => failing('limited', headers);
export const quota = () => failing('quota');
export const badKey = () => failing('key');
export const overflow = () => failing('overflow');
/** A refusal with a text of one's own where the vendor's message is. */
export const saying = (text, status = 400) => async (req, io) => {
  const [, body] = io.wire.key;
  const own = { message: text, error: text, code: null, type: 'invalid_request_error', details: [] };
  return io.json(JSON.parse(JSON.stringify(body), (k, v) => (k in own && (k !== 'error' || typeof v === 'string') ? own[k] : v)), status);
};
/** A good answer of one text. */
export const text = (t, options = {}) => answer({ text: [t], usage: USAGE, ...options });

class Io {
  constructor(req, res) {
    this.res = res;
    this.wire = req.wire;
    this.isClosed = false;
    this.finished = false;
    this.closed = new Promise((resolve) => res.on('close', () => { if (!this.finished) { this.isClosed = true; req.left = true; } resolve(); }));
    res.on('error', () => {});
  }
  open() { this.res.writeHead(200, { 'content-type': this.wire.type, 'cache-control': 'no-cache' }); this.res.flushHeaders(); }
  async send(pieces, how) {
    const bytes = Buffer.concat(pieces);
    const cuts = how === 'one' ? [...bytes].map((b) => Buffer.from([b])) : how === 'unlucky' ? unlucky(bytes) : pieces;
    for (const piece of cuts) {
      if (this.isClosed) return;
      this.res.write(piece);
      if (how) await new Promise((r) => setImmediate(r));
    }
  }
  end() { this.finished = true; return new Promise((r) => { if (this.res.destroyed) r(); else { this.res.once('close', r); this.res.end(); } }); }
  cut() { this.finished = true; this.res.socket?.resetAndDestroy(); }
  json(o, status = 200, headers = {}) {
    const body = Buffer.from(JSON.stringify(o));
    this.res.writeHead(status, { 'content-type': 'application/json', 'content-length': body.length, ...headers });
    this.finished = true;
    this.res.end(body);
  }
}

/** Starts the upstream. `u.origin` has no path. */
export async function startUpstream() {
  const queue = [];
  let waiters = [];
  const wake = () => { const w = waiters; waiters = []; for (const f of w) f(); };
  const u = {
    requests: [], errors: [], behaviour: null,
    get chats() { return u.requests.filter((r) => r.wire); },
    respond(fn) { u.behaviour = fn; return u; },
    enqueue(...fns) { queue.push(...fns); return u; },
    reset(fn) { u.requests.length = 0; queue.length = 0; u.behaviour = fn ?? null; return u; },
    async until(test, what = 'the upstream', seconds = 10) {
      await within(seconds, (async () => { while (!test()) await new Promise((r) => { waiters.push(r); setTimeout(r, 50); }); })(), what);
    },
  };
  const sockets = new Set();
  const server = http.createServer({ keepAliveTimeout: 120_000, requestTimeout: 0 }, (req, res) => {
    res.socket.setNoDelay(true);
    const pieces = [];
    req.on('error', () => {});
    req.on('data', (d) => pieces.push(d));
    req.on('end', () => {
      const bytes = Buffer.concat(pieces);
      let body;
      try { body = bytes.length ? JSON.parse(bytes) : undefined; } catch { /* stays undefined */ }
      const entry = { method: req.method, path: req.url, headers: req.headers, body, bytes, raw: bytes.toString('utf8'), at: performance.now() };
      entry.wire = req.method === 'POST' ? Object.values(WIRES).find((w) => w.matches(req.url)) : undefined;
      entry.model = entry.wire?.model?.(req.url) || body?.model;
      u.requests.push(entry);
      wake();
      if (!entry.wire) {
        const ok = req.method === 'GET';
        const text = JSON.stringify(ok ? { object: 'list', data: [], models: [], modelSummaries: [] } : { error: { message: `no such route ${req.url}` } });
        res.writeHead(ok ? 200 : 404, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) }).end(text);
        return;
      }
      const io = new Io(entry, res);
      const fn = queue.shift() ?? u.behaviour;
      if (!fn) { io.json({ error: { message: 'the test set no behaviour' } }, 500); return; }
      Promise.resolve(fn(entry, io)).catch((e) => { u.errors.push(e); io.cut(); });
    });
  });
  server.on('connection', (s) => { sockets.add(s); s.on('error', () => {}); s.on('close', () => sockets.delete(s)); });
  server.on('clientError', (e, s) => s.destroy());
  await new Promise((resolve, reject) => { server.once('error', reject); server.listen({ port: 0, host: '127.0.0.1' }, resolve); });
  u.port = server.address().port;
  u.origin = `http://127.0.0.1:${u.port}`;
  u.stop = async () => {
    for (const s of sockets) s.destroy();
    await new Promise((r) => server.close(r));
    if (u.errors.length) throw new Error(`a behaviour of the upstream failed: ${u.errors[0].stack}`);
  };
  return u;
}
