// What the pages need beside htmx: charts that follow the figures, and word of a lost connection.
"use strict";

const dark = window.matchMedia("(prefers-color-scheme: dark)");
const charts = [];
const RETRY_MS = 5000; // where not even the first connection came about

function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

function seconds(value) {
  if (value === null || value === undefined) return "";
  return value < 1000 ? `${value} ms` : `${Number((value / 1000).toPrecision(3))} s`;
}

function axes(format) {
  const lines = { stroke: colour("--line"), width: 1 };
  const text = { stroke: colour("--quiet"), font: "12px system-ui", ticks: { show: false } };
  return [
    { ...text, grid: { show: false }, size: 24, space: 60, values: (_, at) => at.map(timeOf) },
    { ...text, grid: lines, size: 52, space: 24, values: (_, all) => all.map(format) },
  ];
}

function timeOf(at) {
  return new Date(at * 1000).toISOString().slice(11, 16);
}

function line(name) {
  return { stroke: colour(name), width: 1.5, points: { show: false }, spanGaps: false };
}

function draw(id, columns, names, format) {
  const place = document.getElementById(id);
  if (!place) return;
  const size = () => ({ width: place.clientWidth, height: place.clientHeight });
  const options = {
    ...size(),
    legend: { show: false },
    cursor: { show: false },
    tzDate: (at) => uPlot.tzDate(new Date(at * 1000), "Etc/UTC"),
    scales: { y: { range: (_, low, high) => [0, Math.max(high || 0, 1) * 1.1] } },
    axes: axes(format),
    series: [{}, ...names.map(line)],
  };
  const chart = new uPlot(options, columns(series()), place);
  charts.push({ chart, columns, size });
}

function series() {
  return JSON.parse(document.getElementById("series").dataset.series);
}

function drawAll() {
  if (!document.getElementById("series")) return;
  charts.splice(0).forEach(({ chart }) => chart.destroy());
  draw("chart-rates", (all) => [all[0], all[1], all[2]], ["--placed", "--ended"], String);
  draw("chart-times", (all) => [all[0], all[3], all[4]], ["--ended", "--slow"], seconds);
}

function connected(isSo) {
  document.getElementById("connection").hidden = isSo;
}

function follow(live) {
  const failed = (status) => {
    // The session is over: the page itself leads to where one signs in.
    if (status === 401) window.location.reload();
    else connected(false);
  };
  const failedAtOnce = (status) => {
    failed(status);
    setTimeout(() => htmx.process(live, true), RETRY_MS);
  };
  live.addEventListener("htmx:sse:after:message", () => {
    connected(true);
    charts.forEach(({ chart, columns }) => chart.setData(columns(series())));
  });
  live.addEventListener("htmx:sse:after:connection", () => connected(true));
  live.addEventListener("htmx:sse:error", (event) => failed(event.detail.status));
  live.addEventListener("htmx:error", () => failedAtOnce());
  live.addEventListener("htmx:response:error", (event) => {
    failedAtOnce(event.detail.ctx.response.status);
  });
}

// Scripts come last: the page is there when this runs, and htmx has not begun.
drawAll();
dark.addEventListener("change", drawAll);
window.addEventListener("resize", () => {
  charts.forEach(({ chart, size }) => chart.setSize(size()));
});
if (document.getElementById("live")) follow(document.getElementById("live"));
