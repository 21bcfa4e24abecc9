// The lineage of a run. All nodes of one state are one path, all edges are one more, so that ten thousand entries make
// a dozen elements; what is chosen is found among the numbers, not among elements.

import { dots, fetched, html, number, scale, svg, whenSized } from "./draw.js";
import { follow, say } from "./stream.js";
import { camera } from "./camera.js";

const STATES = {
  champion: "champion", promoted: "passed the gate", archived: "in the archive", evicted: "left the archive",
  scored: "scored only", stopped: "stopped early", noted: "notes", lost: "lost",
};
const DRAWN = ["stopped", "lost", "noted", "scored", "evicted", "archived", "promoted", "champion"]; // the last on top
const EDGE = { top: 18, right: 22, bottom: 26, left: 64 };
const CURVED = 4000; // edges up to which they are curves
const NEAR = 22; // pixels

const element = document.getElementById("lineage");
const panel = document.getElementById("chosen");
const hidden = new Set();
let data = null;
let chosen = -1;
let picture = null;

await load(element.dataset.selected);
whenSized(element, draw);
if (!["done", "failed"].includes(element.dataset.status)) {
  let seen = element.dataset.seen;
  follow(element.dataset.run, async (face) => {
    say(face);
    if (face.seen === seen) return;
    seen = face.seen;
    await load();
    draw();
  });
}
for (const [id, act] of Object.entries({
  "zoom-in": () => picture?.view.zoom(1.5), "zoom-out": () => picture?.view.zoom(1 / 1.5),
  "zoom-fit": () => picture?.view.fit(), "to-champion": () => choose(champion(), true),
})) document.getElementById(id).addEventListener("click", act);

function fails(why) {
  panel.replaceChildren(html("p", "worse", why));
}

/** Reads the data; what was chosen stays chosen. */
async function load(name = data?.nodes.entry[chosen]) {
  try {
    data = await fetched(element.dataset.source, fails);
  } catch (error) {
    fails(error.message);
    return;
  }
  panel.querySelector(".worse")?.replaceWith(html("p", "quiet", "Nothing is chosen."));
  const { entry } = data.nodes;
  data.size = entry.length;
  data.above = Array.from({ length: data.size }, () => []);
  data.below = Array.from({ length: data.size }, () => []);
  data.edges.child.forEach((child, n) => {
    data.above[child].push(data.edges.parent[n]);
    data.below[data.edges.parent[n]].push(child);
  });
  const rank = (a, b) => data.nodes.y[a] - data.nodes.y[b];
  for (const children of data.below) children.sort(rank);
  chosen = name ? entry.indexOf(name) : -1;
  legend();
}

function legend() {
  const counts = {};
  for (const state of data.nodes.state) counts[state] = (counts[state] ?? 0) + 1;
  const boxes = Object.keys(STATES).filter((s) => counts[s]).map((state) => {
    const label = html("label");
    const box = html("input");
    Object.assign(box, { type: "checkbox", checked: !hidden.has(state), name: state });
    box.addEventListener("change", () => {
      hidden[box.checked ? "delete" : "add"](state);
      draw();
    });
    const sign = svg("svg", { viewBox: "0 0 12 12", "aria-hidden": "true" });
    sign.append(svg("path", { class: `nodes is-${state}`, d: "M6 6h0" }));
    label.append(box, sign, `${STATES[state]} (${counts[state].toLocaleString("en")})`);
    return label;
  });
  const list = document.getElementById("legend");
  list.replaceChildren(list.querySelector("legend"), ...boxes);
}

function draw() {
  if (!data || !element.clientWidth) return;
  const width = element.clientWidth;
  const height = Math.max(340, Math.min(640, Math.round(window.innerHeight * 0.66)));
  const before = picture?.view.state;
  const root = svg("svg", { viewBox: `0 0 ${width} ${height}`, height, tabindex: 0, role: "application", "aria-describedby": "lineage-help" });
  root.setAttribute("aria-label", `Lineage of ${data.size} entries`);
  const { x: xs, y: ys, state } = data.nodes;
  const lowest = data.lanes.length ? data.lanes[data.lanes.length - 1].y : 1;
  const x = scale([0, xs.reduce((a, b) => Math.max(a, b), 1)], [EDGE.left, width - EDGE.right]);
  const y = scale([0, lowest], [EDGE.top, height - EDGE.bottom]);
  const place = (n) => [x(xs[n]), y(ys[n])];
  const layer = root.appendChild(svg("g"));
  const shown = (n) => !hidden.has(state[n]);
  const all = data.edges.child.map((child, n) => [data.edges.parent[n], child]).filter(([p, c]) => shown(p) && shown(c));
  const thin = (kind, d) => svg("path", { class: kind, d, "vector-effect": "non-scaling-stroke" });
  const scored = ([, child]) => data.nodes.score[child] !== null;
  layer.append(thin("edges is-faint", lines(all.filter((e) => !scored(e)), place)), thin("edges", lines(all.filter(scored), place)));
  const up = layer.appendChild(thin("edges is-up", ""));
  const down = layer.appendChild(thin("edges is-down", ""));
  for (const kind of DRAWN) {
    const members = hidden.has(kind) ? [] : indices(state, kind);
    if (members.length) layer.append(thin(`nodes is-${kind}`, dots(members.map(place))));
  }
  const ring = root.appendChild(svg("circle", { class: "ring", r: 9, visibility: "hidden" }));
  const labels = root.appendChild(svg("g"));
  const view = camera(root, { width, height }, () => {
    layer.setAttribute("transform", view.transform);
    mark();
    labels.replaceChildren(...texts(view, y, width, height));
  }, (at) => choose(nearest(at), false));
  const mark = () => {
    ring.setAttribute("visibility", chosen < 0 || !shown(chosen) ? "hidden" : "visible");
    if (chosen < 0) return;
    const [cx, cy] = view.seen(place(chosen));
    ring.setAttribute("cx", cx);
    ring.setAttribute("cy", cy);
  };
  const nearest = ([px, py]) => {
    let [best, least] = [-1, NEAR * NEAR];
    for (let n = 0; n < data.size; n += 1) {
      const [sx, sy] = view.seen(place(n));
      const d = (sx - px) ** 2 + (sy - py) ** 2;
      if (d < least && shown(n)) [best, least] = [n, d];
    }
    return best;
  };
  root.addEventListener("keydown", keyed);
  picture = { root, view, place, mark, up, down };
  const focused = document.activeElement?.closest?.("#lineage") !== null && document.activeElement !== document.body;
  element.replaceChildren(root);
  if (focused) root.focus();
  if (before && before.width === width) view.restore(before);
  else view.fit();
  if (chosen >= 0) highlight();
  requestAnimationFrame(() => requestAnimationFrame(() => { element.dataset.painted = String(data.size); }));
}

/** One path for many edges. */
function lines(edges, place) {
  const curved = edges.length <= CURVED;
  return edges.map(([parent, child]) => {
    const [[ax, ay], [bx, by]] = [place(parent), place(child)].map((p) => p.map((v) => Math.round(v * 10) / 10));
    const middle = Math.round(5 * (ax + bx)) / 10;
    return curved ? `M${ax} ${ay}C${middle} ${ay} ${middle} ${by} ${bx} ${by}` : `M${ax} ${ay}L${bx} ${by}`;
  }).join("");
}

function indices(list, value) {
  const found = [];
  list.forEach((v, n) => v === value && found.push(n));
  return found;
}

/** Scores and lanes at the left edge, where the view has them now; those that would touch are left out. */
function texts(view, y, width, height) {
  const found = [];
  const rowsOf = [...data.ticks.map((t) => [t.y, number(t.score)]), ...data.lanes.map((l) => [l.y, l.ending])];
  let last = -Infinity;
  for (const [at, text] of rowsOf) {
    const sy = view.seen([0, y(at)])[1];
    if (sy < 8 || sy > height - 6 || Math.abs(sy - last) < 13) continue;
    last = sy;
    found.push(svg("text", { x: 8, y: sy + 4 }, text));
  }
  found.push(svg("text", { x: width - 8, y: height - 8, "text-anchor": "end" }, "samples →"));
  return found;
}

const champion = () => data.nodes.state.indexOf("champion");

/** All that `start` comes from, or that comes from it, with the edges walked. */
function reached(start, next, edge) {
  const seen = new Set([start]);
  const edges = [];
  for (const n of seen) for (const m of next[n]) {
    edges.push(edge(n, m));
    seen.add(m);
  }
  return [seen.size - 1, edges];
}

function highlight() {
  const [ancestors, up] = reached(chosen, data.above, (n, m) => [m, n]);
  const [descendants, down] = reached(chosen, data.below, (n, m) => [n, m]);
  picture.up.setAttribute("d", lines(up, picture.place));
  picture.down.setAttribute("d", lines(down, picture.place));
  picture.mark();
  return [ancestors, descendants];
}

/** Choose an entry: its edges light up, its facts are told. */
function choose(n, follow_) {
  if (n < 0 || !picture) return;
  chosen = n;
  const [ancestors, descendants] = highlight();
  if (follow_) picture.view.keep(picture.place(n));
  const it = Object.fromEntries(Object.entries(data.nodes).map(([key, list]) => [key, list[n]]));
  const facts = html("p", "facts");
  const link = html("a", "hash", it.name ?? it.entry);
  link.href = address(n);
  facts.append(link, html("span", "", `${it.entry} by ${it.operator}`));
  facts.append(html("span", "", it.score === null ? it.ending : `${number(it.score)} ${data.unit}`), html("span", `pill is-${it.state}`, STATES[it.state]));
  const count = (k, one, more) => `${k.toLocaleString("en")} ${k === 1 ? one : more}`;
  facts.append(html("span", "quiet", `${count(ancestors, "ancestor", "ancestors")}, ${count(descendants, "descendant", "descendants")}`));
  panel.replaceChildren(facts);
  element.dataset.chosen = it.entry;
}

const address = (n) => `/runs/${encodeURIComponent(data.run)}/entries/${encodeURIComponent(data.nodes.entry[n])}`;

function keyed(event) {
  const moves = { ArrowLeft: () => data.above[chosen][0], ArrowRight: () => data.below[chosen][0], ArrowUp: () => sibling(-1), ArrowDown: () => sibling(1), Home: champion };
  const others = { "+": () => picture.view.zoom(1.5), "=": () => picture.view.zoom(1.5), "-": () => picture.view.zoom(1 / 1.5), 0: () => picture.view.fit() };
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (moves[event.key]) choose((chosen < 0 ? champion() : moves[event.key]()) ?? chosen, true);
  else if (others[event.key]) others[event.key]();
  else if (event.key === "Enter" && chosen >= 0) window.location.assign(address(chosen));
  else return;
  event.preventDefault();
}

/** The next better (-1) or worse (1) child of the same first parent; among seeds, the next seed. */
function sibling(step) {
  const parent = data.above[chosen][0];
  const all = parent === undefined ? data.above.flatMap((above, n) => (above.length ? [] : [n])).sort((a, b) => data.nodes.y[a] - data.nodes.y[b]) : data.below[parent];
  return all[(all.indexOf(chosen) + step + all.length) % all.length];
}
