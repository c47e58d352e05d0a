// A client of Ragbits' chat API for tests, as strict and as odd as the ones that exist: what it loses, forgives or chokes on here it does
// there. Written from the observed rules of @ragbits/api-client 1.6 and of the Python client; neither's code is in it.
// Neighbours: ragbits.test.js, which also tests this file against a server that misbehaves. Leaves out: drawing.
import { SCALE, within } from '../provider/provider.js';

const PREFIX = 'data: ';                                    // with the space; "data:" alone is not seen

/** Calls and streams, as the JavaScript client makes them. */
export class RagbitsClient {
  constructor({ baseUrl = '', auth = {} } = {}) {
    if (baseUrl !== '') {
      try { new URL(baseUrl); } catch { throw new Error(`Invalid base URL: ${baseUrl}. Please provide a valid URL.`); }
    }
    this.baseUrl = baseUrl.endsWith('/') ? baseUrl.slice(0, -1) : baseUrl;      // one slash, no more
    this.auth = auth;
    this.warnings = [];                                     // what the console would show
  }

  getBaseUrl() { return this.baseUrl; }

  async request(url, { headers = {}, body, ...more }) {
    const all = { ...(body instanceof FormData ? {} : { 'Content-Type': 'application/json' }), ...headers };
    const token = this.auth.getToken?.();
    if (token) all.Authorization = `Bearer ${token}`;
    const r = await fetch(url, { ...more, headers: all, body, credentials: this.auth.credentials });
    if (r.status === 401) this.auth.onUnauthorized?.();
    if (!r.ok) {
      await r.body?.cancel();                               // it is never read: `detail` reaches nobody
      throw Object.assign(new Error(`HTTP error! status: ${r.status}`), { told: true });
    }
    return r;
  }

  /** JSON of a 2xx answer; anything else throws, an empty body too. */
  async makeRequest(path, { method = 'GET', body, pathParams = {}, queryParams = {}, headers, signal } = {}) {
    const filled = path.replace(/:([A-Za-z_]\w*)/g, (_, name) => {
      if (pathParams[name] === undefined || pathParams[name] === null) throw new Error(`Path parameter ${name} is required`);
      return encodeURIComponent(pathParams[name]);
    });
    const query = new URLSearchParams(Object.entries(queryParams).filter(([, v]) => v !== undefined && v !== null).map(([k, v]) => [k, String(v)])).toString();
    const payload = body === undefined || body instanceof FormData ? body : JSON.stringify(body);
    const r = await this.request(`${this.baseUrl}${filled}${query ? `?${query}` : ''}`, { method, body: payload, headers, signal });
    return r.json();
  }

  /** Never throws. Returns the function that stops reading (and leaves the request open). */
  makeStreamRequest(path, body, { onMessage, onError, onClose }, signal, headers = {}) {
    const reading = { stopped: false, images: new Map() };
    this.read(path, body, { onMessage, onError, onClose }, signal, headers, reading).catch((e) => { onError?.(e); });
    return () => { reading.stopped = true; };
  }

  async read(path, body, on, signal, headers, reading) {
    let r;
    try {
      r = await this.request(this.baseUrl + path, { method: 'POST', body: JSON.stringify(body), headers: { Accept: 'text/event-stream', ...headers }, signal });
    } catch (e) {
      if (!signal?.aborted) await on.onError?.(e);
      return;
    }
    const reader = r.body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = '';
    try {
      while (!reading.stopped && !signal?.aborted) {
        const { done, value } = await reader.read();
        if (done) {
          await on.onClose?.();                             // what is left in `rest` is lost
          return;
        }
        const lines = (rest + value).split('\n');
        rest = lines.pop();
        for (const line of lines) {
          if (reading.stopped || signal?.aborted) return;
          await this.takeLine(line, on, reading);
        }
      }
    } catch {
      if (!signal?.aborted) await on.onError?.(new Error('Error reading stream'));
    }
  }

  async takeLine(line, on, reading) {
    if (!line.startsWith(PREFIX)) return;
    let event;
    try {
      event = JSON.parse(line.slice(PREFIX.length));        // a CR at the end is only white space
    } catch {
      await on.onError?.(new Error('Error processing server response'));
      return;
    }
    if (event === null || typeof event !== 'object' || !('type' in event) || !('content' in event)) {
      this.warnings.push(`Invalid event: ${line}`);
      return;
    }
    const whole = event.type === 'chunked_content' ? this.takePiece(event.content, on, reading) : event;
    if (whole) await on.onMessage(whole);
    await new Promise((resolve) => setTimeout(resolve, 0)); // one after the other, a millisecond each
  }

  /** A piece of an image: the image, once all are there. In any order. */
  takePiece(piece, on, reading) {
    const pieces = reading.images.get(piece.id) ?? new Map();
    reading.images.set(piece.id, pieces);
    pieces.set(piece.chunk_index, piece.data);
    if (pieces.size < piece.total_chunks) return null;
    reading.images.delete(piece.id);
    const data = Array.from({ length: piece.total_chunks }, (_, i) => pieces.get(i)).join('');
    try { atob(data); } catch { on.onError?.(new Error('Error reading stream')); }
    return { type: 'image', content: { id: piece.id, url: `${piece.mime_type},${data}` } };
  }
}

/** The Python client finds out what an event is by the members of its content; what it does not know becomes a clear-message response. */
const SHAPES = [
  ['text', 'text'], ['message_id', 'message_id'], ['conversation_id', 'conversation_id'], ['conversation_summary', 'summary'], ['reference', 'title', 'content'],
  ['state_update', 'state', 'signature'], ['live_update', 'update_id', 'type', 'content'], ['followup_messages', 'messages'], ['image', 'id', 'url'],
  ['chunked_content', 'chunk_index', 'total_chunks'], ['usage', 'usage'], ['plan_item', 'task'], ['confirmation_request', 'confirmation_request'], ['error', 'message'],
];
const pythonType = (content) => SHAPES.find(([, ...names]) => names.every((name) => name in content))?.[0] ?? 'clear_message';

/**
 * One conversation as the user interface holds it: the whole history with each question; ids, state and signature as they came.
 * `python`: what the Python client does in its place.
 */
export class RagbitsConversation {
  constructor(server, { python = false, headers = {}, context = { timezone: 'Europe/Warsaw' } } = {}) {
    this.client = new RagbitsClient({ baseUrl: server.url });
    Object.assign(this, { python, headers, first: context, history: [], id: undefined, state: undefined, signature: undefined });
  }

  /** What the next question is sent with. */
  context(more = {}) {
    const context = { ...(this.python ? {} : this.first), ...more };
    if (this.id) context.conversation_id = this.id;
    if (this.signature) Object.assign(context, { state: this.state, signature: this.signature });
    return context;
  }

  /** Asks; resolves when the stream is over, with what came: {events, text, errors, closed, at: arrival of each event}. */
  async say(message, { context = {}, seconds = 30, signal, onEvent } = {}) {
    const silent = message === '';                          // decisions about tools: the answer goes on in the same message
    const got = { events: [], text: '', errors: [], closed: 0, warnings: this.client.warnings };
    const sent = this.history.map((m) => ({ ...m, extra: null }));
    let reply = silent ? this.history.at(-1) ?? { role: 'assistant', content: '' } : { role: 'assistant', content: '' };
    if (!silent) this.history.push({ role: 'user', content: message }, reply);
    const history = this.python ? this.history.map((m) => ({ ...m })) : sent;
    const request = { message, history, context: this.context(context) };
    got.request = request;
    await within(seconds, new Promise((resolve) => {
      signal?.addEventListener('abort', () => setTimeout(resolve, 0), { once: true });   // neither onError nor onClose is called then
      this.client.makeStreamRequest('/api/chat', request, {
        onMessage: (event) => { got.events.push(event); this.take(event, reply, got); onEvent?.(event, got); },
        onError: (e) => { got.errors.push(e.message); reply.content += e.message; if (e.told || /reading stream|fetch failed/.test(e.message)) resolve(); },
        onClose: () => { got.closed++; resolve(); },
      }, signal, this.headers);
    }), `the end of /api/chat (so far: ${JSON.stringify(got.events.slice(-5))})`);
    got.of = (type) => got.events.filter((e) => e.type === type).map((e) => e.content);
    got.types = got.events.map((e) => e.type);
    return got;
  }

  /** Sends decisions about calls of tools: {id: true or false, …}. */
  decide(decisions, opts = {}) {
    return this.say('', { ...opts, context: { ...opts.context, tool_confirmations: Object.entries(decisions).map(([confirmation_id, confirmed]) => ({ confirmation_id, confirmed })) } });
  }

  take({ type, content }, reply, got) {
    const kind = this.python ? pythonType(content) : type;
    if (this.python) (got.kinds ??= []).push(kind);
    switch (kind) {
      case 'text': reply.content += content.text; got.text += content.text; break;
      case 'clear_message': if (!this.python) { reply.content = ''; got.text = ''; got.message_id = undefined; } break;
      case 'message_id': got.message_id = content.message_id; break;
      case 'conversation_id':
        // the user interface forgets a conversation that is announced under an id that it has
        if (this.id === content.conversation_id) throw new Error(`the conversation ${this.id} was announced twice`);
        this.id = content.conversation_id;
        break;
      case 'state_update': this.state = content.state; this.signature = content.signature; break;
      case 'error': got.failure = content.message; break;
      case 'reference': if (this.python) reply.content += `\n[REFERENCE]: ${content.title}: ${content.content}`; break;
      case 'live_update': if (this.python) reply.content += `\n[LIVE_UPDATE]: ${content.content.label}`; break;
      default:
    }
  }
}

export { SCALE };
