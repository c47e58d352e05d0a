// Random values from JSON Schemas (schema.js): good ones, and good ones with one thing changed. The same seed makes the same values.
import { resolve, validate, jsonBytes } from './schema.js';

/** A random number generator (mulberry32) of its own for each seed and name. */
export function random(...names) {
  let a = 2166136261;
  for (const c of names.join('\0')) a = Math.imul(a ^ c.codePointAt(0), 16777619);      // FNV-1a
  const next = () => {
    a = (a + 0x6d2b79f5) | 0;
    let t = Math.imul(a ^ (a >>> 15), 1 | a);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
  return {
    chance: (p) => next() < p,
    below: (n) => Math.floor(next() * n),
    between: (least, most) => least + Math.floor(next() * (most - least + 1)),
    real: next,
    pick: (list) => list[Math.floor(next() * list.length)],
  };
}

const PIECES = ['a', 'word ', 'ä', '語', '😀', 'e\u0301', '\u202e', '\u2028', '\ufeff', '"', '\\', '/', '\n', '\r\n', '\t', '\u0001', '\u007f', '%n%s', '<b>', '${x}', "';--", 'data: [DONE]\n\n', '\ufffd', '0'];
const KEYS = ['x', 'extra', 'ü', '', '__proto__', 'constructor', 'a.b', '0', 'Message'];

/** Sets a member as JSON.parse would, also "__proto__". */
const put = (object, key, value) => Object.defineProperty(object, key, { value, enumerable: true, configurable: true, writable: true });
const copy = (value) => JSON.parse(JSON.stringify(value));

function anything(r, depth = 0) {
  switch (r.below(depth < 3 ? 8 : 6)) {
    case 0: return null;
    case 1: return r.chance(0.5);
    case 2: return r.pick([0, -1, 1, 1.5, 1e300, -1e-300, 9007199254740993, 2147483648, 255]);
    case 3: return '';
    case 4: case 5: return Array.from({ length: r.below(6) }, () => r.pick(PIECES)).join('');
    case 6: return Array.from({ length: r.below(4) }, () => anything(r, depth + 1));
    default: {
      const object = {};
      for (let n = r.below(4); n > 0; n--) put(object, r.pick(KEYS), anything(r, depth + 1));
      return object;
    }
  }
}

const typesOf = (schema) => (schema.type === undefined ? undefined : [schema.type].flat());

/** Both of two schemas as one, as far as generating needs it. */
function merge(a, b) {
  const out = { ...a, ...b };
  const [ta, tb] = [typesOf(a), typesOf(b)];
  if (ta && tb) out.type = tb.filter((t) => ta.includes(t) || (t === 'integer' && ta.includes('number')));
  if (a.required && b.required) out.required = [...new Set([...a.required, ...b.required])];
  if (a.properties && b.properties) {
    out.properties = { ...a.properties };
    for (const [k, s] of Object.entries(b.properties)) out.properties[k] = k in a.properties ? { allOf: [a.properties[k], s] } : s;
  }
  out.conditions = [...(a.conditions ?? []), ...(b.conditions ?? [])];
  return out;
}

/** A schema without references and alternatives: one of the alternatives, by chance. */
function flatten(doc, schema, r) {
  const { $ref, allOf, anyOf, if: test, then, else: otherwise, ...rest } = schema;
  let out = { ...rest, conditions: test ? [{ test, then, otherwise }] : [] };
  if ($ref) out = merge(flatten(doc, resolve(doc, $ref), r), out);
  for (const s of allOf ?? []) out = merge(out, flatten(doc, s, r));
  if (anyOf) out = merge(out, flatten(doc, r.pick(anyOf), r));
  return out;
}

function string(schema, r) {
  const most = schema.maxLength ?? schema['x-maxBytes'];
  for (let tries = 0; tries < 6; tries++) {
    let text = Array.from({ length: r.below(8) }, () => r.pick(PIECES)).join('');
    if (most && r.chance(0.05)) text = r.pick(schema.maxLength ? ['a', '語', '😀'] : ['a']).repeat(most);
    if (!validate(null, { type: 'string', ...Object.fromEntries(['minLength', 'maxLength', 'x-maxBytes', 'pattern'].filter((k) => k in schema).map((k) => [k, schema[k]])) }, text)) return text;
  }
  if (schema.examples) return r.pick(schema.examples);
  return 'a'.repeat(schema.minLength ?? 1);
}

function number(schema, r, whole) {
  const least = schema.minimum ?? -1000, most = schema.maximum ?? 1000;
  if (r.chance(0.3)) return r.pick([least, most]);
  return whole ? r.between(least, most) : least + r.real() * (most - least);
}

function object(doc, schema, r) {
  const out = {};
  const add = (s, again) => {
    for (const [k, member] of Object.entries(s.properties ?? {})) {
      if (k in out && !again) continue;
      if (s.required?.includes(k) || k in out || r.chance(0.4)) put(out, k, value(doc, again && schema.properties?.[k] ? { allOf: [schema.properties[k], member] } : member, r));
    }
    for (const k of s.required ?? []) if (!Object.hasOwn(out, k)) put(out, k, anything(r));
    for (const { test, then, otherwise } of s.conditions ?? []) {
      const next = validate(doc, test, out) ? otherwise : then;
      if (next) add(flatten(doc, next, r), true);
    }
  };
  add(schema, false);
  const most = schema['x-maxBytes'];
  if (most && r.chance(0.08)) return { k: 'a'.repeat(most - jsonBytes({ k: '' })) };
  if (schema.additionalProperties !== false && r.chance(0.15)) {
    const key = r.pick(KEYS);
    if (!(schema.properties && Object.hasOwn(schema.properties, key))) put(out, key, anything(r));
  }
  return out;
}

function value(doc, schema, r) {
  const s = flatten(doc, schema, r);
  if ('const' in s) return copy(s.const);
  if (s.enum) return r.pick(s.enum);
  const types = typesOf(s) ?? (s.properties ? ['object'] : ['null', 'boolean', 'string']);
  const type = types.length > 1 && types.includes('null') && !r.chance(0.15) ? r.pick(types.filter((t) => t !== 'null')) : r.pick(types);
  switch (type) {
    case 'null': return null;
    case 'boolean': return r.chance(0.5);
    case 'string': return string(s, r);
    case 'number': case 'integer': return number(s, r, type === 'integer');
    case 'array': return Array.from({ length: r.between(s.minItems ?? 0, Math.min(s.maxItems ?? 4, (s.minItems ?? 0) + 4)) }, () => value(doc, s.items ?? {}, r));
    default: return object(doc, s, r);
  }
}

/** A value that fits the schema. */
export function generate(doc, schema, r) {
  for (let tries = 0; tries < 200; tries++) {
    const made = value(doc, schema, r);
    if (!validate(doc, schema, made)) return made;
  }
  throw new Error(`no value could be made that fits ${JSON.stringify(schema).slice(0, 200)}`);
}

/** All schemas that may describe the member `key`, or an item (null), of what `schema` describes. */
function inside(doc, schema, key, out = [], seen = new Set()) {
  if (!schema || seen.has(schema)) return out;
  seen.add(schema);
  if (key === null ? schema.items : schema.properties && Object.hasOwn(schema.properties, key)) out.push(key === null ? schema.items : schema.properties[key]);
  for (const s of [schema.$ref && resolve(doc, schema.$ref), schema.then, schema.else, ...(schema.allOf ?? []), ...(schema.anyOf ?? [])]) inside(doc, s, key, out, seen);
  return out;
}

function members(doc, schema, out = new Set(), seen = new Set()) {
  if (!schema || seen.has(schema)) return out;
  seen.add(schema);
  for (const k of Object.keys(schema.properties ?? {})) out.add(k);
  for (const s of [schema.$ref && resolve(doc, schema.$ref), schema.then, schema.else, ...(schema.allOf ?? []), ...(schema.anyOf ?? [])]) members(doc, s, out, seen);
  return out;
}

/** Places in a value: the object or array, the key in it, and the schemas that may describe what is there. */
function places(doc, schemas, here, out = []) {
  if (Array.isArray(here)) {
    here.forEach((v, i) => {
      const inner = schemas.flatMap((s) => inside(doc, s, null));
      out.push({ parent: here, key: i, schemas: inner });
      places(doc, inner, v, out);
    });
  } else if (typeof here === 'object' && here !== null) {
    const keys = new Set([...Object.keys(here), ...schemas.flatMap((s) => [...members(doc, s)])]);
    for (const key of keys) {
      const inner = schemas.flatMap((s) => inside(doc, s, key));
      out.push({ parent: here, key, schemas: inner });
      if (Object.hasOwn(here, key)) places(doc, inner, here[key], out);
    }
  }
  return out;
}

/** Values just outside what the schemas allow. */
function beyond(doc, schemas, here, r) {
  const out = [];
  const look = (s, seen = new Set()) => {
    if (!s || seen.has(s)) return;
    seen.add(s);
    if (s.maxLength) out.push('a'.repeat(s.maxLength + 1), '語'.repeat(s.maxLength + 1));
    if (s['x-maxBytes']) out.push('a'.repeat(s['x-maxBytes'] + 1), '語'.repeat(Math.floor(s['x-maxBytes'] / 3) + 1), { k: 'a'.repeat(s['x-maxBytes']) });
    if (s.minLength) out.push('');
    if (s.minItems) out.push([]);
    if (s.maxItems) out.push(Array(s.maxItems + 1).fill(Array.isArray(here) && here.length ? here[0] : 'x'));
    for (const [edge, step] of [['minimum', -1], ['maximum', 1]]) if (edge in s) out.push(s[edge] + step, s[edge] + step * 0.5, step * 1e300);
    if (typesOf(s)?.includes('integer')) out.push(1.5);
    for (const t of [s.$ref && resolve(doc, s.$ref), s.then, s.else, ...(s.allOf ?? []), ...(s.anyOf ?? [])]) look(t, seen);
  };
  for (const s of schemas) look(s);
  return out.length ? r.pick(out) : undefined;
}

/** The value with one thing changed in it, which may or may not fit the schema still. */
export function mutate(doc, schema, good, r) {
  if (r.chance(0.05)) return r.pick([null, [], [good], 'text', 17, true, {}]);
  const changed = copy(good);
  const all = places(doc, [schema], changed);
  const top = all.filter((p) => p.parent === changed);
  const place = r.pick(r.chance(0.5) && top.length ? top : all.length ? all : [{ parent: { changed }, key: 'changed', schemas: [schema] }]);
  const here = place.parent[place.key];
  const out = r.chance(0.35) ? beyond(doc, place.schemas, here, r) : undefined;
  if (out !== undefined) put(place.parent, place.key, out);
  else if (r.chance(0.2) && !Array.isArray(place.parent)) delete place.parent[place.key];
  else put(place.parent, place.key, anything(r));
  return changed;
}
