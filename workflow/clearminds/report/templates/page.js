"use strict";
// The page's one script: tokens and their slider, filters of flipped items, and labels of marks in figures.
// Texts of models and data come from JSON or attributes, and are only ever put in as text.
const byId = (id) => document.getElementById(id);
const MANY_FLIPS = 60;
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
function filterFlips() {
  const wanted = { task: byId("flip-task").value, variant: byId("flip-variant").value, way: byId("flip-way").value };
  const flips = [...document.querySelectorAll("article.flip")];
  let visible = 0;
  for (const flip of flips) {
    flip.hidden = Object.entries(wanted).some(([key, value]) => value && flip.dataset[key] !== value);
    visible += !flip.hidden;
  }
  byId("flip-count").textContent = number(visible) + " of " + number(flips.length) + " items";
}

function startFlips() {
  for (const id of ["flip-task", "flip-variant", "flip-way"]) byId(id).addEventListener("change", filterFlips);
  // a long list begins with its first variant alone
  if (document.querySelectorAll("article.flip").length > MANY_FLIPS) byId("flip-variant").selectedIndex = 1;
  filterFlips();
}

// --- marks of figures: what Vega wrote for screen readers is shown to pointers and keys too -----------------------
function showTip(event) {
  const mark = event.target.closest("[aria-roledescription='point']");
  const tip = byId("tip");
  tip.hidden = !mark;
  if (!mark) return;
  tip.textContent = mark.getAttribute("aria-label");
  const box = mark.getBoundingClientRect();
  tip.style.left = Math.max(8, Math.min(scrollX + box.left, scrollX + document.documentElement.clientWidth - tip.offsetWidth - 8)) + "px";
  tip.style.top = scrollY + box.bottom + 8 + "px";
}

for (const drawing of document.querySelectorAll(".drawing")) {
  for (const mark of drawing.querySelectorAll("[aria-roledescription='point']")) mark.setAttribute("tabindex", "0");
  drawing.addEventListener("pointerover", showTip);
  drawing.addEventListener("focusin", showTip);
  drawing.addEventListener("pointerleave", () => { byId("tip").hidden = true; });
  drawing.addEventListener("focusout", () => { byId("tip").hidden = true; });
}
if (byId("example")) startTokens();
if (byId("flip-task")) startFlips();
