// Score against processor time, both by what they span; the front as a line.

import { dots, fetched, logTicks, number, rows, scale, svg, ticks, whenSized } from "./draw.js";
import { explorable } from "./points.js";

const HEIGHT = 380;
const EDGE = { top: 16, right: 18, bottom: 40, left: 56 };
const element = document.getElementById("pareto");
const readout = document.getElementById("pareto-readout");

const say = (text) => { readout.textContent = text; };

const data = await fetched(element.dataset.source, say).catch((error) => say(error.message));
if (data) say("");
if (data) whenSized(element, (width) => element.replaceChildren(drawn(width)));

function drawn(width) {
  const points = rows(data.points);
  const root = svg("svg", { viewBox: `0 0 ${width} ${HEIGHT}`, height: HEIGHT, tabindex: 0, role: "application" });
  root.setAttribute("aria-label", `Score against time of ${points.length} candidates. Arrow keys walk over them, Enter opens one.`);
  if (!points.length) {
    root.append(svg("text", { x: width / 2, y: HEIGHT / 2, "text-anchor": "middle" }, "Nothing is measured yet."));
    return root;
  }
  const [x, y] = axes(root, points, width);
  const place = (p) => [x(p.seconds), y(p.score)];
  const front = points.filter((p) => p.front);
  root.append(svg("path", { class: "best", d: `M${front.map((p) => place(p).map((v) => v.toFixed(1)).join(" ")).join("L")}` }));
  const kinds = { "": (p) => !p.front, "is-front": (p) => p.front, "is-seed": (p) => p.kind === "seed", "is-baseline": (p) => p.kind === "baseline" };
  for (const [kind, has] of Object.entries(kinds)) root.append(svg("path", { class: `dots ${kind}`, d: dots(points.filter(has).map(place)) }));
  for (const p of points.filter((q) => ["seed", "baseline"].includes(q.kind))) {
    const [px, py] = place(p);
    const left = px > width * 0.75;
    root.append(svg("text", { x: px + (left ? -9 : 9), y: py + 4, "text-anchor": left ? "end" : "start" }, p.name));
  }
  explorable(root, points.map((p) => ({
    x: place(p)[0], y: place(p)[1], open: `/candidates/${p.candidate}`,
    say: `${p.name}, ${p.candidate.slice(0, 8)}: ${number(p.score)} ${data.unit} in ${number(1000 * p.seconds)} ms a call${p.front ? ", on the front" : ""}`,
  })), readout);
  return root;
}

/** Logarithmic where the values span more than a factor of twenty. */
function axes(root, points, width) {
  const floor = HEIGHT - EDGE.bottom;
  const spans = (values) => {
    const [low, high] = [Math.min(...values), Math.max(...values)];
    const log = low > 0 && high / low > 20;
    const air = log ? 1.25 : 0.06 * (high - low || Math.abs(low) || 1);
    return { log, range: log ? [low / air, high * air] : [low - air, high + air] };
  };
  const [across, down] = [spans(points.map((p) => p.seconds)), spans(points.map((p) => p.score))];
  const x = scale(across.range, [EDGE.left, width - EDGE.right], across.log);
  const y = scale(down.range, [floor, EDGE.top], down.log);
  for (const v of (down.log ? logTicks : ticks)(...down.range, 6)) {
    root.append(svg("line", { class: "grid", x1: EDGE.left, x2: width - EDGE.right, y1: y(v), y2: y(v) }));
    root.append(svg("text", { x: EDGE.left - 8, y: y(v) + 4, "text-anchor": "end" }, number(v)));
  }
  for (const v of (across.log ? logTicks : ticks)(...across.range, width < 500 ? 3 : 7).filter((t) => t >= 0)) {
    root.append(svg("text", { x: x(v), y: floor + 18, "text-anchor": "middle" }, `${number(1000 * v)} ms`));
  }
  root.append(svg("line", { class: "axis", x1: EDGE.left, x2: width - EDGE.right, y1: floor, y2: floor }));
  return [x, y];
}
