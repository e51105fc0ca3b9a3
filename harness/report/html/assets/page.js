// Zoom, read-outs and copying. The page is complete without this script; with it one can look closer.
(() => {
  "use strict";
  const doc = document;
  doc.documentElement.classList.add("js");
  const make = (name, className, parent) => {
    const node = doc.createElement(name);
    node.className = className;
    parent.append(node);
    return node;
  };

  for (const button of doc.querySelectorAll("[data-copy]")) {
    button.hidden = false;
    button.addEventListener("click", async () => {
      try {
        await navigator.clipboard.writeText(button.dataset.copy);
      } catch {
        const range = doc.createRange();
        range.selectNodeContents(button.previousElementSibling);
        getSelection().removeAllRanges();
        getSelection().addRange(range);
        doc.execCommand("copy");
      }
      button.textContent = "Copied";
      setTimeout(() => { button.textContent = "Copy"; }, 1500);
    });
  }

  // One chart: everything placed in per cent is moved, the data is looked at through another view box.
  const PLACES = ["x", "x1", "x2", "cx"];
  const chartOf = (figure) => {
    const area = figure.querySelector(".area");
    const data = area.querySelector(".data");
    const moved = [];
    for (const node of area.querySelectorAll(".t *, .ticks *")) {
      for (const name of [...PLACES, "width"]) {
        const value = node.getAttribute(name);
        if (value && value.endsWith("%")) moved.push({ node, name, value: parseFloat(value) / 100 });
      }
    }
    const text = figure.querySelector("script[type='application/json']");
    const full = node => moved.some(m => m.node === node && m.name === "width" && m.value === 1);
    return {
      figure, area, data, read: text ? JSON.parse(text.textContent) : null, timed: "low" in figure.dataset,
      moved: moved.filter(m => !(full(m.node) && m.node.classList.contains("lane"))),
      height: data.getAttribute("viewBox").split(" ")[3], ticks: area.querySelector(".ticks"),
    };
  };
  const charts = [...doc.querySelectorAll(".chart")].map(chartOf);
  const timed = charts.filter(chart => chart.timed);
  const reset = doc.querySelector(".reset");
  const low = timed.length ? +timed[0].figure.dataset.low : 0;
  const high = timed.length ? +timed[0].figure.dataset.high : 1;
  let view = [0, 1];

  const label = (seconds) => {
    const sign = seconds < 0 ? "−" : "";
    const s = Math.abs(seconds);
    if (s < 60) return `${sign}${+s.toFixed(3)}s`;
    const pad = n => String(n).padStart(2, "0");
    const whole = Math.floor(s + 1e-9), h = Math.floor(whole / 3600), m = Math.floor(whole / 60) % 60;
    const rest = s - whole > 1e-3 ? (s % 60).toFixed(1).padStart(4, "0") : pad(whole % 60);
    return h ? `${sign}${h}:${pad(m)}:${rest}` : `${sign}${m}:${rest}`;
  };
  const STEPS = [.001, .002, .005, .01, .02, .05, .1, .2, .5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600, 7200, 14400, 43200, 86400];
  const NS = "http://www.w3.org/2000/svg";
  const drawTicks = (chart) => {
    chart.area.querySelector(".zoomed")?.remove();
    const whole = view[0] === 0 && view[1] === 1;
    chart.ticks.style.display = whole ? "" : "none";
    if (whole) return;
    const from = low + view[0] * (high - low), to = low + view[1] * (high - low);
    const step = STEPS.find(s => (to - from) / s <= (chart.area.clientWidth < 500 ? 4 : 9)) || 86400;
    const group = doc.createElementNS(NS, "g");
    group.setAttribute("class", "ticks zoomed");
    for (let t = Math.ceil(from / step) * step; t <= to; t += step) {
      const share = (t - from) / (to - from), x = `${share * 100}%`;
      const line = doc.createElementNS(NS, "line"), text = doc.createElementNS(NS, "text");
      for (const [k, v] of Object.entries({ x1: x, x2: x, y1: 0, y2: chart.height })) line.setAttribute(k, v);
      for (const [k, v] of Object.entries({ x, y: +chart.height + 15, "text-anchor": share < .02 ? "start" : share > .98 ? "end" : "middle" })) text.setAttribute(k, v);
      text.textContent = label(Math.abs(t) < 1e-9 ? 0 : t);
      group.append(line, text);
    }
    chart.ticks.after(group);
  };
  const show = (from, to) => {
    view = [Math.max(0, from), Math.min(1, to)];
    const width = view[1] - view[0];
    for (const chart of timed) {
      chart.data.setAttribute("viewBox", `${view[0] * 1000} 0 ${width * 1000} ${chart.height}`);
      for (const { node, name, value } of chart.moved) {
        node.setAttribute(name, `${(name === "width" ? value / width : (value - view[0]) / width) * 100}%`);
      }
      drawTicks(chart);
    }
    if (reset) reset.hidden = view[0] === 0 && view[1] === 1;
  };
  reset?.addEventListener("click", () => show(0, 1));
  for (const link of doc.querySelectorAll("[data-goto]")) {
    link.addEventListener("click", () => {
      const middle = (+link.dataset.goto - low) / (high - low), half = Math.min(.5, Math.max(10 / (high - low), .03));
      show(Math.max(0, middle - half), Math.min(1, middle + half));
    });
  }

  // Read-outs: the nearest column under the pointer, or stepped through with the arrow keys.
  const tip = make("div", "tip", doc.body);
  tip.hidden = true;
  tip.setAttribute("role", "status");
  const hair = (chart, share) => {
    for (const other of chart.timed ? timed : [chart]) {
      const x = share === null ? null : other.timed ? (share - view[0]) / (view[1] - view[0]) : share;
      other.figure.classList.toggle("reading", x !== null);
      if (x !== null) for (const name of ["x1", "x2"]) other.area.querySelector(".hair").setAttribute(name, `${x * 100}%`);
    }
  };
  const read = (chart, n, left, top) => {
    tip.replaceChildren();
    make("b", "", tip).textContent = chart.read.h[n];
    for (const [name, values] of chart.read.s) {
      if (!values[n]) continue;
      const row = make("div", "", tip);
      make("span", "", row).textContent = name;
      make("span", "", row).textContent = values[n];
    }
    tip.hidden = false;
    const box = tip.getBoundingClientRect();
    tip.style.left = `${left + 18 + box.width > innerWidth ? Math.max(4, left - 18 - box.width) : left + 18}px`;
    tip.style.top = `${Math.max(4, Math.min(innerHeight - box.height - 4, top - box.height / 2))}px`;
    chart.at = n;
    hair(chart, chart.read.x[n]);
  };
  const leave = (chart) => { tip.hidden = true; hair(chart, null); };
  const shareAt = (chart, clientX) => {
    const box = chart.area.getBoundingClientRect();
    return Math.min(1, Math.max(0, (clientX - box.left) / box.width));
  };
  const toRun = (chart, share) => chart.timed ? view[0] + share * (view[1] - view[0]) : share;

  for (const chart of charts) {
    const plot = chart.area.parentElement;
    let begun = null, brush = null;
    chart.area.addEventListener("pointermove", (event) => {
      const share = shareAt(chart, event.clientX);
      if (begun !== null && brush) {
        const a = Math.min(begun, share), b = Math.max(begun, share), box = chart.area.getBoundingClientRect();
        Object.assign(brush.style, { left: `${box.left - plot.getBoundingClientRect().left + a * box.width}px`, width: `${(b - a) * box.width}px`, height: `${chart.height}px` });
      }
      if (!chart.read || !chart.read.x.length) return;
      const at = toRun(chart, share);
      let best = 0;
      chart.read.x.forEach((x, n) => { if (Math.abs(x - at) < Math.abs(chart.read.x[best] - at)) best = n; });
      read(chart, best, event.clientX, event.clientY);
    });
    chart.area.addEventListener("pointerleave", () => { if (begun === null) leave(chart); });
    chart.area.addEventListener("blur", () => leave(chart));
    chart.area.addEventListener("keydown", (event) => {
      const move = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (event.key === "Escape") { leave(chart); if (chart.timed) show(0, 1); }
      if (!move || !chart.read || !chart.read.x.length) return;
      event.preventDefault();
      const n = Math.max(0, Math.min(chart.read.x.length - 1, (chart.at ?? -1) + move)), box = chart.area.getBoundingClientRect();
      const x = chart.timed ? (chart.read.x[n] - view[0]) / (view[1] - view[0]) : chart.read.x[n];
      read(chart, n, box.left + x * box.width, box.top + box.height / 2);
    });
    if (!chart.timed) continue;
    chart.area.addEventListener("pointerdown", (event) => {
      if (event.button || event.pointerType === "touch") return;
      begun = shareAt(chart, event.clientX);
      brush = make("div", "brush", plot);
      chart.area.setPointerCapture(event.pointerId);
    });
    const end = (event) => {
      if (begun === null) return;
      const a = Math.min(begun, shareAt(chart, event.clientX)), b = Math.max(begun, shareAt(chart, event.clientX));
      brush.remove();
      begun = brush = null;
      if (event.type === "pointerup" && b - a > .008) { const from = toRun(chart, a), to = toRun(chart, b); if (to - from > 1e-6) show(from, to); }
    };
    chart.area.addEventListener("pointerup", end);
    chart.area.addEventListener("pointercancel", end);
    chart.area.addEventListener("dblclick", () => show(0, 1));
  }

  addEventListener("beforeprint", () => { show(0, 1); for (const fold of doc.querySelectorAll("details")) fold.open = true; });
})();
