// JSON Schema (2020-12), as much of it as www/openapi.json uses: check() throws on a keyword that is not known here, so that nothing stays unchecked in silence.
// Formats and contents (a string that is JSON) are assertions here; lengths count code points, as the standard says. x-maxBytes is our own: bytes of UTF-8, of an
// object those of its JSON.

const TYPES = {
  null: (v) => v === null,
  boolean: (v) => typeof v === 'boolean',
  number: (v) => typeof v === 'number',
  integer: (v) => Number.isInteger(v),
  string: (v) => typeof v === 'string',
  array: Array.isArray,
  object: (v) => typeof v === 'object' && v !== null && !Array.isArray(v),
};
const FORMATS = {
  'date-time': (s) => /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/.test(s) && !Number.isNaN(Date.parse(s)),
  binary: () => true,
};
const ANNOTATIONS = new Set(['description', 'default', 'examples', 'title']);
const codePoints = (s) => [...s].length;
export const jsonBytes = (v) => Buffer.byteLength(typeof v === 'string' ? v : JSON.stringify(v));
const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);

/** What a "#/a/b" names in the document; throws when there is nothing. */
export function resolve(doc, ref) {
  if (!ref.startsWith('#/')) throw new Error(`$ref ${ref} leaves the document`);
  let at = doc;
  for (const part of ref.slice(2).split('/').map((p) => p.replace(/~1/g, '/').replace(/~0/g, '~'))) {
    if (typeof at !== 'object' || at === null || !(part in at)) throw new Error(`$ref ${ref} names nothing`);
    at = at[part];
  }
  return at;
}

/** keyword → what the schema may say there, and what an instance must be: test(value, argument, context) gives a reason or nothing. */
const KEYWORDS = {
  $ref: { arg: (a) => typeof a === 'string', schemas: () => [], test: (v, a, c) => c.sub(a, v, resolve(c.doc, a)) },
  type: { arg: (a) => [a].flat().every((t) => t in TYPES) && [a].flat().length > 0, test: (v, a) => ([a].flat().some((t) => TYPES[t](v)) ? null : `is not ${[a].flat().join(' or ')}`) },
  const: { arg: () => true, test: (v, a) => (same(v, a) ? null : `is not ${JSON.stringify(a)}`) },
  enum: { arg: (a) => Array.isArray(a) && a.length > 0, test: (v, a) => (a.some((x) => same(x, v)) ? null : `is none of ${JSON.stringify(a)}`) },
  minLength: { of: 'string', arg: Number.isInteger, test: (v, a) => (codePoints(v) >= a ? null : `is shorter than ${a}`) },
  maxLength: { of: 'string', arg: Number.isInteger, test: (v, a) => (codePoints(v) <= a ? null : `is longer than ${a}`) },
  'x-maxBytes': { arg: Number.isInteger, test: (v, a) => (v === null || jsonBytes(v) <= a ? null : `has more than ${a} bytes`) },
  pattern: { of: 'string', arg: (a) => Boolean(new RegExp(a, 'u')), test: (v, a) => (new RegExp(a, 'u').test(v) ? null : `does not match ${a}`) },
  format: { of: 'string', arg: (a) => a in FORMATS, test: (v, a) => (FORMATS[a](v) ? null : `is no ${a}`) },
  contentMediaType: { of: 'string', arg: (a) => a === 'application/json', test: (v) => { try { JSON.parse(v); return null; } catch { return 'is not JSON'; } } },
  contentSchema: { of: 'string', schemas: (a) => [a], arg: () => true, test: (v, a, c) => { let json; try { json = JSON.parse(v); } catch { return null; } return c.sub('content', json, a); } },
  minimum: { of: 'number', arg: Number.isFinite, test: (v, a) => (v >= a ? null : `is below ${a}`) },
  maximum: { of: 'number', arg: Number.isFinite, test: (v, a) => (v <= a ? null : `is above ${a}`) },
  required: { of: 'object', arg: (a) => Array.isArray(a) && a.every((k) => typeof k === 'string'), test: (v, a) => { const k = a.find((x) => !Object.hasOwn(v, x)); return k === undefined ? null : `lacks "${k}"`; } },
  properties: {
    of: 'object', arg: TYPES.object, schemas: Object.values,
    test: (v, a, c) => { for (const k of Object.keys(a)) if (Object.hasOwn(v, k)) { const e = c.sub(k, v[k], a[k]); if (e) return e; } return null; },
  },
  additionalProperties: {
    of: 'object', arg: (a) => a === false || TYPES.object(a), schemas: (a) => (a ? [a] : []),
    test: (v, a, c) => {
      for (const k of Object.keys(v)) if (!Object.hasOwn(c.schema.properties ?? {}, k)) { const e = a === false ? `has the member "${k}", which is not described` : c.sub(k, v[k], a); if (e) return e; }
      return null;
    },
  },
  minItems: { of: 'array', arg: Number.isInteger, test: (v, a) => (v.length >= a ? null : `has fewer than ${a} items`) },
  maxItems: { of: 'array', arg: Number.isInteger, test: (v, a) => (v.length <= a ? null : `has more than ${a} items`) },
  items: { of: 'array', arg: TYPES.object, schemas: (a) => [a], test: (v, a, c) => { for (let i = 0; i < v.length; i++) { const e = c.sub(i, v[i], a); if (e) return e; } return null; } },
  allOf: { arg: (a) => Array.isArray(a) && a.length > 0, schemas: (a) => a, test: (v, a, c) => { for (const s of a) { const e = c.sub('', v, s); if (e) return e; } return null; } },
  anyOf: {
    arg: (a) => Array.isArray(a) && a.length > 0, schemas: (a) => a,
    test: (v, a, c) => { const why = []; for (const s of a) { const e = c.sub('', v, s); if (!e) return null; why.push(e); } return `fits none of ${a.length}: ${why.join('; ')}`; },
  },
  not: { arg: TYPES.object, schemas: (a) => [a], test: (v, a, c) => (c.sub('', v, a) ? null : 'is what it must not be') },
  if: {
    arg: TYPES.object, schemas: (a) => [a],
    test: (v, a, c) => { const next = c.sub('', v, a) ? c.schema.else : c.schema.then; return next ? c.sub('', v, next) : null; },
  },
  then: { arg: TYPES.object, schemas: (a) => [a], test: () => null },
  else: { arg: TYPES.object, schemas: (a) => [a], test: () => null },
};

/** Throws when a schema, or one inside it, says something that validate() would not check. */
export function check(doc, schema, where = 'schema', seen = new Set()) {
  if (!TYPES.object(schema)) throw new Error(`${where} is not an object`);
  if (seen.has(schema)) return;
  seen.add(schema);
  for (const [key, arg] of Object.entries(schema)) {
    if (ANNOTATIONS.has(key)) continue;
    const keyword = KEYWORDS[key];
    if (!keyword) throw new Error(`${where}: the keyword "${key}" is not known here`);
    if (!keyword.arg(arg)) throw new Error(`${where}: "${key}" says ${JSON.stringify(arg)}`);
    if (key === '$ref') check(doc, resolve(doc, arg), arg, seen);
    else for (const inner of keyword.schemas?.(arg) ?? []) check(doc, inner, `${where}/${key}`, seen);
  }
  if (('then' in schema || 'else' in schema) && !('if' in schema)) throw new Error(`${where}: "then" without "if"`);
  if ('contentSchema' in schema && !('contentMediaType' in schema)) throw new Error(`${where}: "contentSchema" without "contentMediaType"`);
  for (const example of schema.examples ?? []) {
    const { examples, ...rest } = schema;
    const e = validate(doc, rest, example);
    if (e) throw new Error(`${where}: the example ${JSON.stringify(example)}: ${e}`);
  }
}

/** Why a value does not fit a schema, with the place; null when it does. */
export function validate(doc, schema, value, where = '') {
  const context = { doc, schema, sub: (step, v, s) => validate(doc, s, v, String(step).startsWith('#') || step === '' ? where : `${where}/${step}`) };
  for (const [key, arg] of Object.entries(schema)) {
    const keyword = KEYWORDS[key];
    if (!keyword) {
      if (ANNOTATIONS.has(key)) continue;
      throw new Error(`the keyword "${key}" is not known here`);
    }
    if (keyword.of && !TYPES[keyword.of](value)) continue;
    const error = keyword.test(value, arg, context);
    if (error) return error.startsWith('/') || /^\(top\)/.test(error) ? error : `${where || '(top)'} ${error}`;
  }
  return null;
}
