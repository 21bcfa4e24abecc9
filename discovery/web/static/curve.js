// The best score so far over the samples, the baselines as lines, everything scored as dots.

import { dots, fetched, number, rows, scale, svg, ticks, whenSized } from "./draw.js";
import { explorable } from "./points.js";

const HEIGHT = 320;
const EDGE = { top: 14, right: 16, bottom: 30, left: 52 };

/** Draws into `element` and returns a function that reads the data anew. */
export function curve(element, readout) {
  let data = null;
  const say = (text) => { readout.textContent = text; };
  const draw = () => data && element.clientWidth && element.replaceChildren(drawn(data, element.clientWidth, readout));
  const load = async () => {
    let failed = false;
    try {
      data = await fetched(element.dataset.source, (why) => { failed = true; say(why); });
      if (failed) say("");
      draw();
    } catch (error) {
      say(error.message);
    }
  };
  whenSized(element, draw);
  return load;
}

function drawn(data, width, readout) {
  const root = svg("svg", { viewBox: `0 0 ${width} ${HEIGHT}`, height: HEIGHT, tabindex: 0, role: "application" });
  const points = rows(data.points);
  const best = rows(data.best);
  const last = best.length ? best[best.length - 1].score : null;
  const says = last === null ? "nothing is scored yet" : `best so far ${number(last)} ${data.unit}`;
  root.setAttribute("aria-label", `Best score over the samples: ${says}. Arrow keys walk over the candidates, Enter opens one.`);
  if (!points.length) {
    root.append(svg("text", { x: width / 2, y: HEIGHT / 2, "text-anchor": "middle" }, "Nothing is scored yet."));
    return root;
  }
  const most = Math.max(data.samples_total ?? 0, data.samples, 1);
  const [low, high] = bounds(data, points, best);
  const x = scale([0, most], [EDGE.left, width - EDGE.right]);
  const raw = data.direction === "minimize"
    ? scale([low, high], [HEIGHT - EDGE.bottom, EDGE.top]) : scale([low, high], [HEIGHT - EDGE.bottom, EDGE.top]);
  const y = (v) => Math.min(HEIGHT - EDGE.bottom, Math.max(EDGE.top, raw(v)));
  axes(root, x, raw, most, low, high, width, data);
  rule(root, data.baseline, "is-baseline", y, low, high, width, "best baseline");
  const seed = bestSeed(data);
  if (seed && seed.name !== data.baseline?.name) rule(root, seed, "is-seed", y, low, high, width, "best seed");
  const places = points.map((p) => [x(p.sample), y(p.score)]);
  root.append(svg("path", { class: "dots", d: dots(places) }));
  root.append(svg("path", { class: "best", d: steps(best, x, y, data.samples) }));
  for (const c of rows(data.champions).filter((c) => c.kind !== "seed")) root.append(flag(x(c.sample), y(c.score)));
  explorable(root, points.map((p, n) => ({
    x: places[n][0], y: places[n][1], open: `/candidates/${p.candidate}`,
    say: `${p.candidate.slice(0, 8)}: ${number(p.score)} ${data.unit}, by ${p.operator} at sample ${p.sample}`,
  })), readout);
  return root;
}

/** What the picture shows: from the best to a little beyond the better seed, so that hopeless scores do not squeeze it. */
function bounds(data, points, best) {
  const sorted = points.map((p) => p.score).sort((a, b) => (data.direction === "minimize" ? a - b : b - a));
  const marks = [sorted[0], sorted[Math.floor((sorted.length - 1) * 0.8)], best[best.length - 1].score];
  const seed = bestSeed(data);
  if (seed?.search != null) marks.push(seed.search);
  const far = Math.max(...marks.map((m) => Math.abs(m - sorted[0]))) || Math.abs(sorted[0]) || 1;
  if (data.baseline?.search != null && Math.abs(data.baseline.search - sorted[0]) < 3 * far) marks.push(data.baseline.search);
  const [low, high] = [Math.min(...marks), Math.max(...marks)];
  const air = 0.07 * (high - low || Math.abs(low) || 1);
  return [low - air, high + air];
}

function bestSeed(data) {
  const scored = data.seeds.filter((s) => s.search !== null);
  const better = (a, b) => (data.direction === "minimize" ? a.search < b.search : a.search > b.search);
  return scored.reduce((a, b) => (a && !better(b, a) ? a : b), null);
}

function axes(root, x, y, most, low, high, width, data) {
  for (const v of ticks(low, high, 5)) {
    root.append(svg("line", { class: "grid", x1: EDGE.left, x2: width - EDGE.right, y1: y(v), y2: y(v) }));
    root.append(svg("text", { x: EDGE.left - 8, y: y(v) + 4, "text-anchor": "end" }, number(v)));
  }
  for (const v of ticks(0, most, width < 500 ? 4 : 8).filter(Number.isInteger)) {
    root.append(svg("text", { x: x(v), y: HEIGHT - 10, "text-anchor": "middle" }, v));
  }
  const floor = HEIGHT - EDGE.bottom;
  root.append(svg("line", { class: "axis", x1: EDGE.left, x2: width - EDGE.right, y1: floor, y2: floor }));
  root.append(svg("text", { x: EDGE.left - 8, y: HEIGHT - 10, "text-anchor": "end" }, data.unit));
}

function rule(root, standing, kind, y, low, high, width, what) {
  if (!standing || standing.search === null) return;
  const outside = standing.search < low || standing.search > high;
  const at = y(standing.search);
  if (!outside) root.append(svg("line", { class: `rule ${kind}`, x1: EDGE.left, x2: width - EDGE.right, y1: at, y2: at }));
  const note = outside ? `${what} ${standing.name} ${number(standing.search)}, ${standing.search < low ? "below" : "above"} this picture`
    : `${what} ${standing.name} ${number(standing.search)}`;
  const above = at - 6 > EDGE.top + 8 ? at - 6 : at + 14;
  root.append(svg("text", { class: kind, x: width - EDGE.right - 4, y: above, "text-anchor": "end" }, note));
}

function steps(best, x, y, samples) {
  const [first, ...others] = best;
  const parts = [`M${x(first.sample)} ${y(first.score)}`];
  for (const p of others) parts.push(`H${x(p.sample)}V${y(p.score)}`);
  return `${parts.join("")}H${x(Math.max(samples, best[best.length - 1].sample))}`;
}

function flag(x, y) {
  const made = svg("path", { class: "flag", d: `M${x} ${y - 8}l2.4 5 5.4.7-4 3.8 1 5.4-4.8-2.7-4.8 2.7 1-5.4-4-3.8 5.4-.7z` });
  made.append(svg("title", {}, "passed the gate"));
  return made;
}
