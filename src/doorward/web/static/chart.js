// The chart of use with exact numbers under the cursor, drawn by uPlot from the table below it. Without a script the
// page has the same as SVG.

"use strict";

for (const figure of document.querySelectorAll("figure[data-chart]")) {
  const rows = [...document.querySelectorAll(`#${figure.dataset.chart} tbody tr`)];
  const names = [...document.querySelectorAll(`#${figure.dataset.chart} thead th`)].map((cell) => cell.textContent);
  const counts = rows.map((row) => [...row.querySelectorAll("[data-count]")].map((cell) => Number(cell.dataset.count)));
  const times = rows.map((row) => Number(row.dataset.at));
  const words = rows.map((row) => row.querySelector("th").textContent.trim());
  const labels = words.map((text) => text.replace(/,? ?\d{4}/, "").replace(/:00 UTC$/, ""));
  if (!window.uPlot || times.length < 2) break;

  // Stacked: each series holds what is below it too, and the highest is drawn first.
  const sums = [0, 1, 2].map((last) => counts.map((each) => each.slice(0, last + 1).reduce((sum, one) => sum + one, 0)));
  const place = times.map((_, index) => index);
  const bars = uPlot.paths.bars({ size: [0.7, 48] });

  const options = () => {
    const style = getComputedStyle(figure);
    const ink = resolved(figure, "--text-3");
    const series = [2, 1, 0].map((index) => {
      const fill = resolved(figure, ["--series-1", "--series-2", "--series-denied"][index]);
      return {
        label: names[index + 1],
        fill,
        stroke: fill,
        width: 0,
        paths: bars,
        points: { show: false },
        value: (_, __, ___, at) => (at === null ? "–" : counts[at][index].toLocaleString("en")),
      };
    });
    const axis = { stroke: ink, font: `12px ${style.fontFamily}`, ticks: { show: false } };
    return {
      width: Math.max(figure.clientWidth, 200),
      height: 220,
      scales: { x: { time: false, range: (_, low, high) => [low - 0.5, high + 0.5] }, y: { range: (_, __, high) => [0, Math.max(high * 1.05, 1)] } },
      cursor: { y: false, drag: { x: false, y: false }, points: { show: false } },
      legend: { markers: { width: 0 } },
      series: [{ label: names[0], value: (_, __, ___, at) => (at === null ? "–" : words[at]) }, ...series],
      axes: [
        { ...axis, grid: { show: false }, values: (_, splits) => splits.map((at) => labels[at] ?? ""), incrs: [1, 2, 3, 4, 6, 7, 14, 28], space: 72 },
        { ...axis, grid: { stroke: resolved(figure, "--grid"), width: 1 }, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 2e4, 5e4, 1e5, 2e5, 5e5, 1e6, 1e7, 1e8], size: 64 },
      ],
    };
  };

  let plot = null;
  const draw = () => {
    plot?.destroy();
    figure.classList.add("drawn");
    plot = new uPlot(options(), [place, ...[2, 1, 0].map((index) => sums[index])], figure);
    plot.root.setAttribute("aria-hidden", "true");
  };
  draw();
  let width = figure.clientWidth;
  new ResizeObserver(() => {
    if (figure.clientWidth === width) return;
    width = figure.clientWidth;
    plot.setSize({ width: Math.max(width, 200), height: 220 });
  }).observe(figure);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
}

// A canvas does not know light-dark(): the browser is asked what colour it comes to.
function resolved(element, name) {
  const probe = document.createElement("span");
  probe.hidden = true;
  probe.className = "ink";
  probe.style.color = `var(${name})`;
  element.append(probe);
  const colour = getComputedStyle(probe).color;
  probe.remove();
  return colour;
}
