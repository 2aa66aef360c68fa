"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const number = (value) => (value == null ? "-" : Math.abs(value) >= 1e5 ? value.toExponential(2)
  : String(+value.toPrecision(4)));
const images = (value) => (value == null ? "-" : value >= 1e6 ? value / 1e6 + " M"
  : value >= 1e3 ? +(value / 1e3).toFixed(1) + " k" : String(value));

function showGrids(grids) {
  if (!grids.length) return;
  const figure = document.getElementById("grid");
  const picture = figure.querySelector("img");
  const slider = figure.querySelector("input");
  const caption = figure.querySelector("output");
  const show = () => {
    const grid = grids[slider.value];
    picture.src = grid.src;
    caption.textContent = grid.nimg.toLocaleString("en") + " images seen";
    slider.setAttribute("aria-valuetext", caption.textContent);
  };
  slider.max = grids.length - 1;
  slider.value = grids.length - 1;
  slider.addEventListener("input", show);
  figure.hidden = false;
  show();
}

function drawChart(chart, root) {
  const names = Object.keys(chart.series);
  const strokes = [color("--a"), color("--b")];
  const columns = [chart.x, ...names.map((name) => chart.series[name])];
  const series = [{ label: "images", value: (u, v) => images(v) }].concat(names.map((name, i) => (
    { label: name, stroke: strokes[i], width: 1.5, points: { show: chart.x.length < 60, size: 4 },
      value: (u, v) => number(v) })));
  names.forEach((name, i) => {
    const floor = (chart.floors || {})[name];
    if (floor == null) return;
    columns.push(chart.x.map(() => floor));
    series.push({ label: name + " of real images", stroke: strokes[i], dash: [4, 4], points: { show: false },
      value: (u, v) => number(v) });
  });
  if (chart.best != null) {
    const column = chart.series[names[0]];
    columns.push(chart.x.map((x, i) => (x === chart.best ? column[i] : null)));
    series.push({ label: "best", stroke: color("--well"), points: { show: true, size: 10, width: 2 },
      value: (u, v) => number(v) });
  }
  const axis = { stroke: color("--soft"), grid: { stroke: color("--line"), width: 1 } };
  const size = () => ({ width: Math.max(root.clientWidth, 200), height: 220 });
  const plot = new uPlot({ ...size(), title: chart.title, scales: { x: { time: false } }, series,
    axes: [{ ...axis, values: (u, ticks) => ticks.map(images) },
      { ...axis, size: 64, values: (u, ticks) => ticks.map(number) }] }, columns, root);
  new ResizeObserver(() => plot.setSize(size())).observe(root);
}

showGrids(data.grids);
for (const chart of data.charts) {
  const root = document.createElement("div");
  document.getElementById("charts").append(root);
  drawChart(chart, root);
}
if (!data.charts.length) document.getElementById("charts").textContent = "No statistics yet.";
