"use strict";
// The page's one script: tokens and their slider, filters of flipped items, and labels of marks in figures.
// Texts of models and data come from JSON or attributes, and are only ever put in as text.
const byId = (id) => document.getElementById(id);
const ISOLATE = "\u2068", POP = "\u2069"; // marks within a token turn nothing around it
const number = (value) => value.toLocaleString("en-US");

function element(name, text, className) {
  const made = document.createElement(name);
  made.textContent = text;
  if (className) made.className = className;
  return made;
}

// --- tokens -----------------------------------------------------------------------------------------------------
const data = JSON.parse(byId("token-data").textContent);
let shown = null; // the response on the page, and its weights where a variant is chosen
let current = 0; // the token that arrow keys have reached

function chosenExample() {
  const [group, example] = byId("example").value.split(":").map(Number);
  return { group: data.groups[group], example: data.groups[group].shown[example] };
}

function threshold() {
  const step = Number(byId("tau").value);
  return { step, text: step < data.taus.length ? String(data.taus[step]) : "no limit" };
}

function fillRules() {
  const { group, example } = chosenExample();
  const rule = byId("rule");
  const wanted = rule.value;
  const sources = [...new Set(example.responses.map((response) => response.source))];
  const options = sources.map((name) => ["source:" + name, "by the threshold below: " + name]);
  group.variants.forEach((name, place) => {
    if (example.weights[place]) options.push(["variant:" + name, "by " + name]);
  });
  rule.replaceChildren(...options.map(([value, text]) => {
    const option = element("option", text);
    option.value = value;
    return option;
  }));
  if (options.some(([value]) => value === wanted)) rule.value = wanted;
}

function weightsOf(packed) {
  return typeof packed === "string" ? [...packed].map(Number) : packed;
}

function pick() {
  const { group, example } = chosenExample();
  const rule = byId("rule").value;
  if (rule.startsWith("variant:")) {
    const [place, packed] = example.weights[group.variants.indexOf(rule.slice("variant:".length))];
    return { response: example.responses[place], weights: weightsOf(packed) };
  }
  return { response: example.responses.find((one) => "source:" + one.source === rule), weights: null };
}

function weightOf(place) {
  if (shown.weights) return shown.weights[place];
  return shown.response.step[place] <= threshold().step ? 1 : 0;
}

function bin(perplexity) {
  return data.bins.filter((limit) => perplexity > limit).length;
}

function drawResponse() {
  shown = pick();
  current = 0;
  byId("response").replaceChildren(...shown.response.tokens.map((text, place) => {
    const span = element("span", text.replace(/\n/g, "↵\n"), "token b" + bin(shown.response.ppl[place]));
    span.dataset.ppl = shown.response.ppl[place];
    span.dataset.step = shown.response.step[place];
    span.dataset.place = place;
    return span;
  }));
  recount();
}

function recount() {
  const { step, text } = threshold();
  const spans = byId("response").children;
  let kept = 0;
  for (let place = 0; place < spans.length; place += 1) {
    const weight = weightOf(place);
    kept += weight !== 0;
    spans[place].classList.toggle("masked", weight === 0);
    spans[place].classList.toggle("less", weight > 0 && weight < 1);
  }
  byId("tau-value").textContent = text;
  byId("tau").setAttribute("aria-valuetext", text);
  byId("tau-kept").textContent = number(kept);
  byId("tau-masked").textContent = number(spans.length - kept);
  const byThreshold = shown.weights === null;
  byId("tau").disabled = !byThreshold;
  byId("all-counts").hidden = !byThreshold;
  const source = chosenExample().group.sources.find((one) => one.name === shown.response.source);
  if (byThreshold && source) {
    const all = step < data.taus.length ? source.kept[step] : source.tokens;
    byId("tau-source").textContent = source.name;
    byId("tau-kept-all").textContent = number(all);
    byId("tau-masked-all").textContent = number(source.tokens - all);
  }
}

function tell(place) {
  const span = byId("response").children[place];
  if (!span) return;
  byId("response").querySelector(".now")?.classList.remove("now");
  span.classList.add("now");
  const { response } = shown;
  const weight = weightOf(place);
  byId("token-says").textContent = [
    "“" + ISOLATE + response.tokens[place].replace(/\n/g, "↵") + POP + "”",
    "perplexity " + response.ppl[place],
    "probability " + (1 / response.ppl[place]).toPrecision(2),
    response.entropy[place] === null ? "" : "entropy " + response.entropy[place] + " nats",
    response.rank[place] === null ? "" : "the model's choice number " + number(response.rank[place] + 1),
    weight === 0 ? "left out" : weight === 1 ? "counts" : "weight " + weight,
  ].filter(Boolean).join(" · ");
}

function drawExample() {
  const { example } = chosenExample();
  byId("prompt").replaceChildren(...example.turns.flatMap(([role, text]) => [element("p", role, "label"), element("pre", text)]));
  fillRules();
  drawResponse();
}

function moveTo(event) {
  const last = byId("response").children.length - 1;
  const places = { ArrowRight: current + 1, ArrowLeft: current - 1, Home: 0, End: last };
  if (!(event.key in places)) return;
  event.preventDefault();
  current = Math.min(Math.max(places[event.key], 0), last);
  tell(current);
}

function showTokens(asked) {
  const place = data.groups.findIndex((group) => group.model + ", " + group.target === asked.get("target"));
  if (place < 0) return;
  const variant = data.groups[place].variants.indexOf(asked.get("variant"));
  const example = Math.max(0, data.groups[place].shown.findIndex((one) => one.weights[variant]));
  byId("example").value = place + ":" + example;
  drawExample();
  const rule = "variant:" + asked.get("variant");
  if (![...byId("rule").options].some((option) => option.value === rule)) return;
  byId("rule").value = rule;
  drawResponse();
}

function startTokens() {
  byId("example").addEventListener("change", drawExample);
  byId("rule").addEventListener("change", drawResponse);
  byId("tau").addEventListener("input", recount);
  byId("response").addEventListener("keydown", moveTo);
  byId("response").addEventListener("focus", () => tell(current));
  byId("response").addEventListener("pointerover", (event) => {
    if (event.target.dataset.place) tell(current = Number(event.target.dataset.place));
  });
  drawExample();
}

// --- flipped items ----------------------------------------------------------------------------------------------
const flips = JSON.parse(byId("flip-data").textContent);
const FLIPS_AT_A_TIME = 25;
const FLIP_FILTERS = { target: 0, variant: 1, task: 3, way: 4 }; // the place in a flip that each filter looks at
let flipsFound = []; // those that fit the filters
let flipsDrawn = 0;

function answerOf(name, right, pieces) {
  const box = element("div", "", right ? "right" : "wrong");
  const label = element("p", "", "label");
  label.append(element("strong", name), " ", element("span", right ? "✓ right" : "✗ wrong"));
  const text = document.createElement("pre");
  text.append(...pieces.map((piece, place) => (place % 2 ? element("mark", piece) : piece)));
  box.append(label, text);
  return box;
}

function flipCard([target, variant, seed, place, lost, before, after]) {
  const [task, id, , turns, expected] = flips.items[place];
  const way = lost ? "lost" : "gained";
  const card = element("article", "", "flip");
  Object.assign(card.dataset, { task: flips.tasks[task], variant: flips.variants[variant], way });
  const title = element("h3", "");
  const where = flips.targets.length > 1 ? " · " + flips.targets[target] : "";
  title.append(element("span", way, "badge " + (lost ? "down" : "up")), " " + flips.tasks[task] + " ",
    element("span", "· " + flips.variants[variant] + ", seed " + seed + " · item " + id + where, "soft"));
  const prompt = turns.flatMap(([role, text]) => [element("p", role, "label"), element("pre", text)]);
  const right = expected ? [element("p", "right answer", "label"), element("pre", expected, "expected")] : [];
  const answers = element("div", "", "answers");
  answers.append(answerOf("base", lost === 1, before), answerOf(flips.variants[variant], lost === 0, after));
  card.append(title, ...prompt, ...right, answers);
  return card;
}

function moreFlips() {
  const next = flipsFound.slice(flipsDrawn, flipsDrawn + FLIPS_AT_A_TIME);
  byId("flip-list").append(...next.map(flipCard));
  flipsDrawn += next.length;
  byId("flip-more").hidden = flipsDrawn >= flipsFound.length;
  byId("flip-count").textContent = number(flipsDrawn) + " of " + number(flipsFound.length) + " items";
}

function filterFlips() {
  const of = (flip, key) => (key === "task" ? flips.items[flip[3]][0] : flip[FLIP_FILTERS[key]]);
  const wanted = Object.keys(FLIP_FILTERS).map((key) => [key, byId("flip-" + key).value]).filter(([, value]) => value !== "");
  flipsFound = flips.flips.filter((flip) => wanted.every(([key, value]) => of(flip, key) === Number(value)));
  flipsDrawn = 0;
  byId("flip-list").replaceChildren();
  moreFlips();
}

function showFlips(asked) {
  const names = { target: flips.targets, variant: flips.variants, task: flips.tasks, way: ["gained", "lost"] };
  for (const [key, all] of Object.entries(names)) {
    const place = all.indexOf(asked.get(key));
    byId("flip-" + key).value = place < 0 ? "" : String(place);
  }
  filterFlips();
}

function startFlips() {
  for (const key of Object.keys(FLIP_FILTERS)) byId("flip-" + key).addEventListener("change", filterFlips);
  byId("flip-more").addEventListener("click", moreFlips);
  filterFlips();
}

// --- links into the page: #flips?variant=NAME&task=NAME..., #tokens?target=NAME&variant=NAME ------------------------
function follow() {
  const [place, asked] = location.hash.slice(1).split(/\?(.*)/s);
  if (!asked || !byId(place)) return;
  const wanted = new URLSearchParams(asked);
  if (place === "flips" && byId("flip-task")) showFlips(wanted);
  if (place === "tokens" && byId("example")) showTokens(wanted);
  (place === "flips" ? byId("flip-count") : byId(place)).scrollIntoView();
}

// --- comparisons ------------------------------------------------------------------------------------------------
const comparisons = JSON.parse(byId("comparison-data").textContent);
const MANY_LINES = 300; // of one table
const TONES = { better: "up", worse: "down" };

function comparedLine([variant, other, measure, verdict, why, , difference, interval, p, detectable]) {
  const text = (place) => comparisons.texts[place];
  const line = document.createElement("tr");
  const name = element("th", text(variant));
  name.scope = "row";
  const told = element("td", difference, "number");
  told.append(element("small", interval, "soft"));
  const last = element("td", "", "verdict");
  last.append(element("span", text(verdict), TONES[text(verdict)] || "even"));
  if (text(why)) last.append(element("small", text(why), "soft"));
  line.append(name, element("td", text(other)), element("td", text(measure)), told, element("td", p, "number"), element("td", detectable, "number"), last);
  return line;
}

function fillComparisons() {
  const chosen = Object.fromEntries(["measure", "variant", "other"].map((key) => [key, byId("compare-" + key).value]));
  const base = byId("compare-other").options[0].value;
  const is = (wanted, place) => wanted === "=" + comparisons.texts[place];
  const fits = ([variant, other, measure, , , claim]) => {
    if (chosen.measure === "" ? !claim : chosen.measure !== "*" && !is(chosen.measure, measure)) return false;
    const pair = [[variant, other], [other, variant]];
    if (chosen.other === base) return is(base, other) && (!chosen.variant || is(chosen.variant, variant));
    return !is(base, other) && pair.some(([one, two]) => (!chosen.variant || is(chosen.variant, one)) && (!chosen.other || is(chosen.other, two)));
  };
  let found = 0, left = 0;
  document.querySelectorAll(".compared").forEach((body, place) => {
    const lines = comparisons.groups[place].filter(fits);
    found += lines.length;
    left += Math.max(0, lines.length - MANY_LINES);
    body.replaceChildren(...lines.slice(0, MANY_LINES).map(comparedLine));
  });
  byId("compare-count").textContent = number(found) + " comparisons" + (left ? "; " + number(left) + " of them are not drawn, choose fewer" : "");
}

function startComparisons() {
  for (const key of ["measure", "variant", "other"]) byId("compare-" + key).addEventListener("change", fillComparisons);
  fillComparisons();
}

// --- marks of figures: what Vega wrote for screen readers is shown to pointers and keys too -----------------------
const MARK = "[aria-roledescription='point']";

function showTip(event) {
  // a mark that has the focus keeps its words while a pointer rests elsewhere in the figure
  const mark = event.target.closest(MARK) || document.activeElement.closest(MARK);
  const tip = byId("tip");
  tip.hidden = !mark;
  if (!mark) return;
  tip.textContent = mark.getAttribute("aria-label");
  const box = mark.getBoundingClientRect();
  tip.style.left = Math.max(8, Math.min(scrollX + box.left, scrollX + document.documentElement.clientWidth - tip.offsetWidth - 8)) + "px";
  tip.style.top = scrollY + box.bottom + 8 + "px";
}

for (const drawing of document.querySelectorAll(".drawing")) {
  for (const mark of drawing.querySelectorAll(MARK)) mark.setAttribute("tabindex", "0");
  drawing.addEventListener("pointerover", showTip);
  drawing.addEventListener("focusin", showTip);
  drawing.addEventListener("pointerleave", () => { byId("tip").hidden = true; });
  drawing.addEventListener("focusout", () => { byId("tip").hidden = true; });
}
if (byId("example")) startTokens();
if (byId("flip-task")) startFlips();
if (byId("compare-measure")) startComparisons();
window.addEventListener("hashchange", follow);
follow();
