// Adds up usage: from the rows of GET /usage to totals, days and models. Nothing here touches the page.
// Neighbours: usage.js shows it. Tested by tests/browser/usage.test.js.
// Leaves out: what tokens cost (the server knows prices; a cost of null is one that nobody knows).

const DAY = 86_400_000;

/** The last `count` days, by UTC, as {from, to}: "YYYY-MM-DD", both included. */
export function lastDays(count, now = new Date()) {
  return { from: dayOf(now - (count - 1) * DAY), to: dayOf(now) };
}

/** Every day from `from` to `to`. */
export function daysBetween(from, to) {
  const days = [];
  for (let time = Date.parse(from); time <= Date.parse(to); time += DAY) days.push(dayOf(time));
  return days;
}

function dayOf(time) {
  return new Date(time).toISOString().slice(0, 10);
}

/**
 * {days, total, models}: `total` and each model are sums {answers, prompt, completion, tokens, cost, unpriced}, where `cost` is
 * null if no cost is known and `unpriced` counts answers without one. A model has `name` and `tokensByDay` and `costByDay`, in the
 * order of `days`; the one that used most comes first.
 */
export function tally(rows, from, to) {
  const days = daysBetween(from, to);
  const place = new Map(days.map((day, at) => [day, at]));
  const total = emptySum();
  const models = new Map();
  for (const row of rows) {
    const key = JSON.stringify([row.provider, row.model]);
    if (!models.has(key)) models.set(key, emptyModel(row, days.length));
    add(total, row);
    addToDay(models.get(key), row, place.get(row.day));
  }
  const sorted = [...models.values()].sort((a, b) => b.tokens - a.tokens || b.answers - a.answers);
  return { days, total, models: withNames(sorted) };
}

/** At most `most` models; the smaller ones are added up as one with the name `rest`. */
export function foldModels(models, most, rest) {
  if (models.length <= most) return models;
  const others = models.slice(most - 1);
  const folded = others.slice(1).reduce(addModels, { ...others[0], name: rest, isRest: true });
  return [...models.slice(0, most - 1), folded];
}

function addModels(a, b) {
  const sum = { ...a };
  for (const name of ["answers", "prompt", "completion", "tokens", "unpriced"]) sum[name] += b[name];
  sum.cost = plus(a.cost, b.cost);
  sum.tokensByDay = a.tokensByDay.map((tokens, at) => tokens + b.tokensByDay[at]);
  sum.costByDay = a.costByDay.map((cost, at) => cost + b.costByDay[at]);
  return sum;
}

function emptySum() {
  return { answers: 0, prompt: 0, completion: 0, tokens: 0, cost: null, unpriced: 0 };
}

function emptyModel({ provider, model }, length) {
  return { ...emptySum(), provider, model, tokensByDay: Array(length).fill(0), costByDay: Array(length).fill(0) };
}

function add(sum, { answers = 0, prompt_tokens: prompt = 0, completion_tokens: completion = 0, cost = null }) {
  sum.answers += answers;
  sum.prompt += prompt;
  sum.completion += completion;
  sum.tokens += prompt + completion;
  sum.cost = plus(sum.cost, cost);
  if (cost === null) sum.unpriced += answers;
}

function addToDay(model, row, at) {
  add(model, row);
  if (at === undefined) return;
  model.tokensByDay[at] += (row.prompt_tokens ?? 0) + (row.completion_tokens ?? 0);
  model.costByDay[at] += row.cost ?? 0;
}

function plus(a, b) {
  return a === null && b === null ? null : (a ?? 0) + (b ?? 0);
}

// The provider is named only where the model alone would be ambiguous.
function withNames(models) {
  return models.map((each) => {
    const isAlone = models.filter((other) => other.model === each.model).length === 1;
    return { ...each, name: isAlone || !each.provider ? each.model ?? "?" : `${each.model ?? "?"} (${each.provider})` };
  });
}
