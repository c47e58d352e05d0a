// The usage page: tokens and cost by day and by model, as two charts with everything as a table behind them.
// Neighbours: tally.js adds up, chart.js draws, api.js asks; app.js opens it for the address #usage.
// Leaves out: the usage of others, prices, limits.

import { getUsage } from "./api.js";
import { createBarChart, createFills, createSwatch, MOST_SERIES } from "./chart.js";
import { openDialog } from "./dialog.js";
import { h } from "./dom.js";
import { formatDay, formatList, formatMoney, formatNumber, t } from "./i18n.js";
import { createRadios } from "./radios.js";
import { foldModels, lastDays, tally } from "./tally.js";

const PERIODS = [7, 30, 90];
const USUAL = 30;

/** Opens the usage page as a wide dialog; see openDialog. */
export function openUsage() {
  return openDialog({ title: t("usage.title"), content: createUsage(), wide: true });
}

function createUsage() {
  const status = h("p", { class: "usage-status", role: "status" });
  const retry = h("button", { class: "button", type: "button", hidden: true, onclick: () => { focusPeriod(); load(); } }, t("app.retry"));
  const said = h("div", { class: "usage-said" }, status, retry);
  const result = h("div", { class: "usage-result" });
  const options = PERIODS.map((value) => ({ value, label: t("usage.days", { count: value }) }));
  const periods = createRadios({ legend: t("usage.period"), options, chosen: USUAL, inRow: true, onChoice: (days) => { period = days; load(); } });
  let period = USUAL;
  let latest = 0;               // only the answer to the latest question counts

  async function load() {
    const turn = latest += 1;
    const span = lastDays(period);
    show(t("usage.loading"), { isBusy: true });
    try {
      const { rows } = await getUsage(span.from, span.to);
      if (turn === latest) showRows(rows, span);
    } catch (error) {
      if (turn === latest) show(t("usage.failed", { reason: error.message }), { canRetry: true });
    }
  }

  // While it loads the last numbers stay, faint; a failure takes them away.
  function show(sentence, { isBusy = false, canRetry = false, parts = [] } = {}) {
    status.textContent = sentence;
    retry.hidden = !canRetry;
    result.setAttribute("aria-busy", String(isBusy));
    if (!isBusy) result.replaceChildren(...parts);
    said.toggleAttribute("data-alone", !isBusy && parts.length === 0);
  }

  function showRows(rows, span) {
    const sums = tally(rows, span.from, span.to);
    const days = t("usage.span", { from: longDay(span.from), to: longDay(span.to) });
    if (rows.length === 0) show(t("usage.empty", { days }));
    else show(days, { parts: createResult(rows, sums) });
  }

  function focusPeriod() {
    periods.querySelector("input:checked").focus();
  }

  load();
  return h("div", { class: "usage" }, h("div", { class: "usage-head" }, periods, said), result);
}

function createResult(rows, { days, total, models }) {
  const shown = foldModels(models, MOST_SERIES, t("usage.others"));
  return [
    createFills(),
    createTotals(total),
    createChartOf("tokens", days, shown, shown.map((model) => model.tokensByDay), {
      text: (tokens) => t("usage.count_tokens", { count: tokens }),
      axis: (tokens) => formatNumber(tokens, { notation: "compact" }),
      isWhole: true,
    }),
    createModels(shown),
    total.cost > 0 && createChartOf("cost", days, shown, [sumByDay(shown)], { text: formatMoney, axis: formatMoney }),
    createTable(rows),
    h("p", { class: "usage-note" }, [t("usage.utc"), total.unpriced > 0 && t("usage.unpriced", { count: total.unpriced })].filter(Boolean).join(" ")),
  ].filter(Boolean);
}

function sumByDay(models) {
  return models[0].costByDay.map((cost, at) => models.reduce((sum, model) => sum + model.costByDay[at], 0));
}

// ---- totals

function createTotals(total) {
  const parts = t("usage.parts", { prompt: total.prompt, completion: total.completion });
  return h("dl", { class: "usage-totals" },
    createTotal(t("usage.tokens"), formatNumber(total.tokens), parts),
    createTotal(t("usage.cost"), money(total.cost)),
    createTotal(t("usage.answers"), formatNumber(total.answers)));
}

function createTotal(name, value, more) {
  return h("div", {}, h("dt", {}, name), h("dd", {}, value), more && h("dd", { class: "usage-more" }, more));
}

function money(cost) {
  return cost === null ? t("usage.unknown") : formatMoney(cost);
}

// ---- charts

function createChartOf(name, days, models, series, { text, axis, isWhole }) {
  const sums = days.map((day, at) => series.reduce((sum, values) => sum + values[at], 0));
  const columns = days.map((day, at) => ({ label: shortDay(day), note: t("usage.on_day", { day: longDay(day), amount: text(sums[at]) }) }));
  const summary = summaryOf(name, days, models, sums, text);
  return h("figure", { class: "usage-figure" },
    h("figcaption", {}, t(`usage.${name}_by_day`)), createBarChart({ columns, series, format: axis, isWhole, summary }));
}

function summaryOf(name, days, models, sums, text) {
  const most = sums.indexOf(Math.max(...sums));
  const total = sums.reduce((a, b) => a + b, 0);
  const parts = models.map((model) => `${model.name}: ${text(name === "cost" ? model.cost ?? 0 : model.tokens)}`);
  return t("usage.summary", {
    name: t(`usage.${name}_by_day`), from: longDay(days[0]), to: longDay(days.at(-1)), total: text(total),
    day: longDay(days[most]), most: text(sums[most]), models: formatList(parts),
  });
}

// ---- tables

// The legend of the chart, with sums.
function createModels(models) {
  const rows = models.map((model, at) => h("tr", {},
    h("th", { scope: "row" }, h("span", { class: "usage-model" }, createSwatch(at), h("span", { dir: "auto" }, model.name))),
    number(formatNumber(model.answers)), number(formatNumber(model.tokens)), number(money(model.cost))));
  return h("table", { class: "usage-table usage-models" },
    h("caption", { class: "unseen" }, t("usage.by_model")),
    h("thead", {}, headOf("usage.model", "usage.answers", "usage.tokens", "usage.cost")),
    h("tbody", {}, ...rows));
}

function createTable(rows) {
  const newestFirst = [...rows].sort((a, b) => (a.day < b.day ? 1 : a.day > b.day ? -1 : 0));
  const table = h("table", { class: "usage-table" },
    h("caption", { class: "unseen" }, t("usage.by_day_and_model")),
    h("thead", {}, headOf("usage.day", "usage.provider", "usage.model", "usage.answers", "usage.prompt", "usage.completion", "usage.cost")),
    h("tbody", {}, ...newestFirst.map(rowOf)));
  const scroller = h("div", { class: "usage-scroll", tabindex: "0", role: "region", "aria-label": t("usage.by_day_and_model") }, table);
  return h("details", { class: "usage-details" }, h("summary", {}, t("usage.as_table")), scroller);
}

function rowOf(row) {
  return h("tr", {},
    h("th", { scope: "row" }, h("time", { datetime: row.day }, longDay(row.day))),
    h("td", { dir: "auto" }, row.provider ?? ""), h("td", { dir: "auto" }, row.model ?? ""),
    number(formatNumber(row.answers)), number(formatNumber(row.prompt_tokens)), number(formatNumber(row.completion_tokens)), number(money(row.cost ?? null)));
}

function headOf(...keys) {
  return h("tr", {}, ...keys.map((key) => h("th", { scope: "col", class: NUMBERS.has(key) ? "number" : null }, t(key))));
}

const NUMBERS = new Set(["usage.answers", "usage.tokens", "usage.prompt", "usage.completion", "usage.cost"]);

function number(text) {
  return h("td", { class: "number" }, text);
}

// ---- days

function shortDay(day) {
  return formatDay(new Date(day), { day: "numeric", month: "short", timeZone: "UTC" });
}

function longDay(day) {
  return formatDay(new Date(day), { day: "numeric", month: "short", year: "numeric", timeZone: "UTC" });
}
