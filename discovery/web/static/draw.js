// Small parts of all pictures: SVG elements, scales, ticks, text that cannot act.

const SVG = "http://www.w3.org/2000/svg";
const FIRST_PAUSE = 1000; // ms until data that could not be had are asked for again, doubled each time
const LAST_PAUSE = 16000;

/** An SVG element with attributes, a text and children. */
export function svg(name, attributes = {}, text = null) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, String(value));
  if (text !== null) made.textContent = visible(text);
  return made;
}

/** An HTML element with a class and a text. */
export function html(name, kind = "", text = null) {
  const made = document.createElement(name);
  if (kind) made.className = kind;
  if (text !== null) made.textContent = visible(text);
  return made;
}

/** A text whose characters that would act instead of showing (controls, bidirectional marks) are escapes. */
export function visible(text) {
  return String(text).replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}\p{Zl}\p{Zp}]/gu, (c) => {
    const code = c.codePointAt(0).toString(16);
    return code.length <= 2 ? `\\x${code.padStart(2, "0")}` : `\\u${code.padStart(4, "0")}`;
  });
}

/**
 * JSON from this server. What cannot be had at the moment (no connection, a server's failure) is asked for again, less and
 * less often, and `waiting` is told why; then, or at once if it is not there, throws with the server's sentence.
 */
export async function fetched(path, waiting) {
  for (let pause = FIRST_PAUSE; ; pause *= 2) {
    const answer = await fetch(path).catch((error) => ({ ok: false, status: 500, json: async () => ({ error: error.message }) }));
    const data = await answer.json();
    if (answer.ok) return data;
    if (answer.status < 500 || pause > LAST_PAUSE) throw new Error(data.error);
    waiting(data.error);
    await new Promise((resolve) => setTimeout(resolve, pause));
  }
}

/** A number as people read it: four digits, thousands whole. */
export function number(value) {
  if (value === null) return "–";
  return Math.abs(value) >= 1000 ? value.toFixed(0) : String(Number(value.toPrecision(4)));
}

/** From values to places, evenly or by their logarithm. */
export function scale([low, high], [from, to], log = false) {
  const f = log ? Math.log : (v) => v;
  const span = f(high) - f(low) || 1;
  return (value) => from + ((f(value) - f(low)) / span) * (to - from);
}

/** Round values between low and high, about `count` of them. */
export function ticks(low, high, count) {
  const raw = (high - low) / count || 1;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = power * [1, 2, 5, 10].find((m) => m * power >= raw);
  const found = [];
  for (let n = Math.ceil(low / step); n * step <= high + step * 1e-9; n += 1) found.push(Number((n * step).toPrecision(12)));
  return found;
}

/** 1, 2 and 5 times the powers of ten between low and high, thinned to about `count`. */
export function logTicks(low, high, count) {
  const found = [];
  for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); power += 1) {
    for (const m of [1, 2, 5]) found.push(Number((m * 10 ** power).toPrecision(6)));
  }
  const inside = found.filter((v) => v >= low && v <= high);
  return inside.length <= count ? inside : inside.filter((v) => Math.abs(Math.log10(v) % 1) < 1e-9);
}

/** The path of dots at places: one element however many there are. */
export function dots(places) {
  return places.map(([x, y]) => `M${x.toFixed(1)} ${y.toFixed(1)}h0`).join("");
}

/** Rows of an object of columns. */
export function rows(columns) {
  const names = Object.keys(columns);
  return columns[names[0]].map((_, n) => Object.fromEntries(names.map((name) => [name, columns[name][n]])));
}

/** Calls `draw(width)` now and whenever the width of the element changes. */
export function whenSized(element, draw) {
  let width = 0;
  new ResizeObserver(() => {
    const now = Math.round(element.clientWidth);
    if (now && now !== width) draw((width = now));
  }).observe(element);
}
