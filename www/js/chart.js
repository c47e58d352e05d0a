// Stacked bars in SVG: an axis with few lines, one column per day, as wide as there is room. A picture with a summary in words; the table is usage.js's.
// Neighbours: usage.js; css/panels.css gives the colours --chart-1 to --chart-6. Tested by tests/browser/usage.test.js.
// Leaves out: other kinds of charts. Colours differ in lightness too, and each but the first has a pattern: hue alone says nothing.

import { h } from "./dom.js";

const SVG = "http://www.w3.org/2000/svg";
const HEIGHT = 208;
const TOP = 10;
const BOTTOM = 26;
const LETTER = 7;              // width of a letter of the axis, roughly
const LABEL_ROOM = 72;         // one date and some space
const WIDEST_BAR = 28;

/** How many series can be told apart. */
export const MOST_SERIES = 6;

// Lines on top of each colour, in a square of 8.
const PATTERNS = [
  "",
  "M-2 2L2-2M0 8L8 0M6 10L10 6",
  "M2 2h1M6 6h1",
  "M0 2h8M0 6h8",
  "M-2 6L2 10M0 0L8 8M6-2L10 2",
  "M2 0v8M0 6h8",
];

function svg(tag, attributes = {}, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

/** What the charts and their legends are filled with; it stands once beside them. */
export function createFills() {
  const fills = PATTERNS.map((path, at) => svg("pattern", { id: `chart-fill-${at}`, width: 8, height: 8, patternUnits: "userSpaceOnUse" },
    svg("rect", { class: `chart-colour-${at + 1}`, width: 8, height: 8 }), svg("path", { class: "chart-lines", d: path })));
  return svg("svg", { class: "chart-fills", width: 0, height: 0, "aria-hidden": "true" }, svg("defs", {}, ...fills));
}

/** The little square of a legend. */
export function createSwatch(at) {
  return svg("svg", { class: "chart-swatch", width: 14, height: 14, "aria-hidden": "true" },
    svg("rect", { width: 14, height: 14, rx: 3, fill: fillOf(at) }));
}

function fillOf(at) {
  return `url(#chart-fill-${at})`;
}

/**
 * `columns`: [{label, note}], a short label for the axis and a sentence that hovering shows; `series`: per colour the values by column;
 * `format(value)` for the axis, `isWhole` when there is nothing between two whole numbers; `summary` says it all in words.
 */
export function createBarChart({ columns, series, format, isWhole = false, summary }) {
  const picture = svg("svg", { class: "chart-picture", role: "img", "aria-label": summary, height: HEIGHT });
  const element = h("div", { class: "chart" }, picture);
  let width = 0;
  new ResizeObserver(() => {
    if (element.clientWidth === width || element.clientWidth === 0) return;
    width = element.clientWidth;
    picture.setAttribute("width", width);
    picture.replaceChildren(...draw({ columns, series, format, isWhole }, width, getComputedStyle(element).direction === "rtl"));
  }).observe(element);
  return element;
}

function draw({ columns, series, format, isWhole }, width, isRtl) {
  const sums = columns.map((column, at) => series.reduce((sum, values) => sum + values[at], 0));
  const ticks = ticksFor(Math.max(...sums), isWhole);
  const labels = ticks.map(format);
  const start = Math.max(...labels.map((label) => label.length)) * LETTER + 10;
  const plot = { start, width: width - start, slot: (width - start) / columns.length, top: ticks.at(-1), total: width, isRtl };
  return [
    ...ticks.flatMap((tick, at) => drawTick(plot, tick, labels[at])),
    ...columns.map((column, at) => drawColumn(plot, column, at, series.map((values) => values[at]))),
    ...labelledColumns(columns.length, plot.slot).map((at) => drawText(xOf(plot, (at + 0.5) * plot.slot + start), HEIGHT - 8, "middle", columns[at].label)),
  ];
}

/** Few round numbers from 0 to `max` or a little above. */
export function ticksFor(max, isWhole = false) {
  const rough = (max || 1) / 4;
  const power = 10 ** Math.floor(Math.log10(rough));
  const steps = [1, 2, 2.5, 5, 10].map((factor) => factor * power).filter((step) => !isWhole || Number.isInteger(step));
  const step = steps.find((each) => each >= rough * 0.999) ?? 1;
  const count = Math.max(1, Math.ceil(max / step - 0.001));
  return Array.from({ length: count + 1 }, (_, at) => at * step);
}

/** The columns that have room for their label, the last one among them. */
export function labelledColumns(count, slot) {
  const step = Math.max(1, Math.ceil(LABEL_ROOM / slot));
  const reserve = Math.ceil(LABEL_ROOM / 2 / slot - 0.5);      // a label must not be cut at the end
  const last = Math.max(0, count - 1 - Math.max(0, reserve));
  const found = [];
  for (let at = last; at >= 0; at -= step) found.unshift(at);
  return found;
}

function xOf(plot, x) {
  return plot.isRtl ? plot.total - x : x;
}

function yOf(plot, value) {
  return HEIGHT - BOTTOM - (value / plot.top) * (HEIGHT - BOTTOM - TOP);
}

function drawTick(plot, tick, label) {
  const y = Math.round(yOf(plot, tick)) + 0.5;
  const line = svg("line", { class: tick === 0 ? "chart-base" : "chart-line", x1: xOf(plot, plot.start), x2: xOf(plot, plot.total), y1: y, y2: y });
  return [line, drawText(xOf(plot, plot.start - 8), y + 4, plot.isRtl ? "start" : "end", label)];
}

function drawText(x, y, anchor, text) {
  return svg("text", { class: "chart-text", x: x.toFixed(1), y, "text-anchor": anchor }, text);
}

function drawColumn(plot, { note }, at, values) {
  const left = plot.start + at * plot.slot;
  const bar = Math.min(plot.slot * 0.74, WIDEST_BAR);
  const x = xOf(plot, left + plot.slot / 2) - bar / 2;
  const hit = svg("rect", { class: "chart-hit", x: (xOf(plot, left) - (plot.isRtl ? plot.slot : 0)).toFixed(2), y: TOP, width: plot.slot.toFixed(2), height: HEIGHT - BOTTOM - TOP });
  return svg("g", { class: "chart-column" }, svg("title", {}, note), hit, ...stack(plot, values).map(({ series, y, height }) => (
    svg("rect", { x: x.toFixed(2), y: y.toFixed(2), width: bar.toFixed(2), height: height.toFixed(2), fill: fillOf(series) }))));
}

// The segments from below, with a hair of air between them where there is room for it.
function stack(plot, values) {
  const segments = [];
  let sum = 0;
  values.forEach((value, series) => {
    if (value <= 0) return;
    const bottom = yOf(plot, sum);
    sum += value;
    const height = bottom - yOf(plot, sum);
    const air = segments.length > 0 && height > 3 ? 1 : 0;
    segments.push({ series, y: bottom - height, height: height - air });
  });
  return segments;
}
