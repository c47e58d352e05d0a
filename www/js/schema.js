// From a JSON Schema, as Pydantic writes it, to the fields of a form; and what is wrong with a value. Nothing here touches the page.
// Neighbours: forms.js draws the fields. Tested by tests/browser/forms.test.js.
// Leaves out: what no field can show. Such a part becomes a field of kind "json", where people write JSON; the server has the last word.

const DEEPEST_GROUP = 4;      // schemas may refer to themselves
const MOST_STEPS = 20;
const SHORT_TEXT = 200;
const INPUT_TYPES = { email: "email", uri: "url", date: "date", time: "time", password: "password" };

/** What a field reads when something stands in it that is no value of its kind. */
export const UNREADABLE = Symbol("unreadable");

/**
 * The fields of an object's schema: [{name, kind, label, help, required, nullable, initial, schema, …}]. Kinds:
 * "text" (with `input`, the type of the input) and "longText", "integer", "number", "flag", "choice" and "choices" (with `options`
 * [{value, label}]), "group" (with `fields`), "json". `values` are those people gave before.
 */
export function fieldsOf(schema, values = {}) {
  return fieldsOfObject(simplify(schema, schema).schema, values, schema, 0);
}

function fieldsOfObject(schema, values, root, depth) {
  const required = new Set(schema.required);
  return Object.entries(schema.properties ?? {}).map(([name, part]) => fieldOf(name, part, required.has(name), values?.[name], root, depth));
}

function fieldOf(name, part, required, value, root, depth) {
  const { schema, nullable } = simplify(part, root);
  const initial = (value === undefined ? schema.default : value) ?? undefined;
  const label = schema.title ?? name.replaceAll("_", " ");
  return { name, label, help: schema.description ?? "", required, nullable, initial, schema, ...kindOf(schema, nullable, initial, root, depth) };
}

function kindOf(schema, nullable, initial, root, depth) {
  const options = optionsOf(schema);
  if (options) return { kind: "choice", options };
  switch (schema.type) {
    case "boolean": return nullable ? { kind: "choice", options: [true, false].map((value) => ({ value, label: value })) } : { kind: "flag" };
    case "integer": return { kind: "integer" };
    case "number": return { kind: "number" };
    case "string": return kindOfText(schema);
    case "array": return kindOfList(schema, root);
    case "object": return kindOfObject(schema, initial, root, depth);
    default: return { kind: "json" };
  }
}

// Nothing says how long a text will be? A limit, a format, a pattern and a default of one line are hints that it is short.
function kindOfText({ format, pattern, maxLength, default: standard }) {
  const isShort = format !== undefined || pattern !== undefined || maxLength <= SHORT_TEXT || (standard && maxLength === undefined && !standard.includes("\n"));
  return isShort ? { kind: "text", input: INPUT_TYPES[format] ?? "text" } : { kind: "longText" };
}

function kindOfList(schema, root) {
  const options = optionsOf(simplify(schema.items, root).schema);
  return options ? { kind: "choices", options } : { kind: "json" };
}

function kindOfObject(schema, initial, root, depth) {
  if (!schema.properties || depth >= DEEPEST_GROUP) return { kind: "json" };
  return { kind: "group", fields: fieldsOfObject(schema, initial, root, depth + 1) };
}

// The values to choose from: enum, const, or alternatives that are each a const.
function optionsOf(schema) {
  if (Array.isArray(schema.enum)) return schema.enum.filter((value) => value !== null).map((value) => optionOf(value));
  if (schema.const !== undefined) return [optionOf(schema.const)];
  if (schema.anyOf?.every((each) => each?.const !== undefined)) return schema.anyOf.map((each) => optionOf(each.const, each.title));
  return null;
}

function optionOf(value, title) {
  return { value, label: title ?? (typeof value === "object" ? JSON.stringify(value) : value) };
}

// The schema without references and without "or null", and whether there was such a null.
function simplify(schema, root, steps = 0) {
  if (!isObject(schema) || steps > MOST_STEPS) return { schema: {}, nullable: false };
  const { $ref, allOf, anyOf, oneOf, ...own } = schema;
  const alternatives = anyOf ?? oneOf;
  if (typeof $ref === "string") return simplify({ ...lookUp($ref, root), ...own }, root, steps + 1);
  if (allOf?.length === 1) return simplify({ ...allOf[0], ...own }, root, steps + 1);
  if (Array.isArray(alternatives)) return simplifyAlternatives(alternatives, own, root, steps);
  if (Array.isArray(schema.type)) return simplifyAlternatives(schema.type.map((type) => ({ type })), own, root, steps, true);
  return { schema, nullable: Array.isArray(schema.enum) && schema.enum.includes(null) };
}

function simplifyAlternatives(alternatives, own, root, steps, areTypes = false) {
  const rest = alternatives.filter((each) => each?.type !== "null");
  const hasNull = rest.length < alternatives.length;
  if (rest.length !== 1) return { schema: areTypes ? { ...own, type: undefined } : { ...own, anyOf: rest }, nullable: hasNull };
  const { schema, nullable } = simplify(areTypes ? { ...own, ...rest[0] } : { ...rest[0], ...own }, root, steps + 1);
  return { schema, nullable: nullable || hasNull };
}

// "#/$defs/Mode" in `root`. Other documents are not fetched.
function lookUp(reference, root) {
  const names = reference.startsWith("#/") ? reference.slice(2).split("/") : [];
  const found = names.reduce((at, name) => at?.[decodeURIComponent(name).replaceAll("~1", "/").replaceAll("~0", "~")], root);
  return names.length > 0 && isObject(found) ? found : {};
}

function isObject(value) {
  return value !== null && typeof value === "object" && !Array.isArray(value);
}

// ---- values

/** What an empty field gives: null where that is allowed, "" where a text with a default was emptied on purpose, otherwise undefined: left out. */
export function emptyValue(field) {
  if (field.nullable) return null;
  return typeof field.schema.default === "string" ? "" : undefined;
}

/** What is wrong with a value (undefined: the field is empty): {key, ...} for t(), or null. */
export function problemOf(field, value) {
  if (value === undefined) return field.required && !field.nullable ? { key: "form.missing" } : null;
  if (value === UNREADABLE) return { key: `form.not_${field.kind === "text" ? field.input : field.kind}` };
  switch (field.kind) {
    case "text": case "longText": return problemOfText(field.schema, value);
    case "integer": return Number.isInteger(value) ? problemOfNumber(field.schema, value) : { key: "form.not_integer" };
    case "number": return problemOfNumber(field.schema, value);
    case "choices": return problemOfList(field.schema, value);
    case "json": return problemOfJson(field.schema, value);
    default: return null;
  }
}

// Characters are counted as JSON Schema does, by code points.
function problemOfText({ minLength, maxLength, pattern }, text) {
  const length = [...text].length;
  if (length < minLength) return { key: "form.too_short", count: minLength };
  if (length > maxLength) return { key: "form.too_long", count: maxLength, length };
  if (pattern !== undefined && !matches(text, pattern)) return { key: "form.pattern" };
  return null;
}

// A pattern that only other languages understand is the server's to judge.
function matches(text, pattern) {
  try {
    return new RegExp(pattern, "u").test(text);
  } catch {
    return true;
  }
}

function problemOfNumber({ minimum, maximum, exclusiveMinimum, exclusiveMaximum }, number) {
  if (number < minimum) return { key: "form.too_small", limit: minimum };
  if (number > maximum) return { key: "form.too_large", limit: maximum };
  if (number <= exclusiveMinimum) return { key: "form.not_above", limit: exclusiveMinimum };
  if (number >= exclusiveMaximum) return { key: "form.not_below", limit: exclusiveMaximum };
  return null;
}

function problemOfList({ minItems, maxItems }, list) {
  if (list.length < minItems) return { key: "form.too_few", count: minItems };
  if (list.length > maxItems) return { key: "form.too_many", count: maxItems };
  return null;
}

function problemOfJson({ type }, value) {
  if (type === "array" && !Array.isArray(value)) return { key: "form.not_list" };
  if (type === "object" && !isObject(value)) return { key: "form.not_object" };
  return null;
}
