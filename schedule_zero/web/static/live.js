// Keeps the parts of a page that are marked with data-live as the server has them: when something happens, the page
// is asked for again, and what differs is changed in place. One way of drawing a page, and it escapes.
import { morph } from "./morph.js";
import { localise } from "./times.js";

const KINDS = [
  "job.added", "job.started", "job.finished", "schedule.added", "schedule.updated", "schedule.removed",
  "handler.changed", "lost",
];
// Milliseconds: at least between two looks, at most between two looks, between two announcements.
const PAUSE = 500, IDLE = 15000, QUIET = 4000;
// A look costs the server something: what it took times this is waited before the next.
const SHARE = 10;

let source = null, timer = null, looking = false, again = false, next = 0, said = 0;

function show(state, text) {
  const sign = document.getElementById("live");
  sign.hidden = false;
  if (sign.dataset.state !== state) {
    sign.dataset.state = state;
    sign.textContent = text;
  }
}

function announce(event) {
  const told = JSON.parse(event.data);
  if (told.outcome === "success" || Date.now() < said) return;
  said = Date.now() + QUIET;
  const what = told.schedule_id ? `of schedule ${told.schedule_id} ` : "";
  document.getElementById("said").textContent = `A job ${what}on ${told.handler_id} ended with ${told.outcome}.`;
}

async function look() {
  looking = true;
  again = false;
  const begun = performance.now();
  try {
    const answer = await fetch(location.href, { headers: { Accept: "text/html" }, redirect: "manual" });
    if (answer.type === "opaqueredirect") {
      location.reload(); // The session is over: this leads to the page to log in.
      return;
    }
    if (answer.ok) {
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
      for (const region of document.querySelectorAll("[data-live]")) {
        const wanted = fresh.querySelector(`[data-live="${CSS.escape(region.dataset.live)}"]`);
        if (wanted) localise(morph(region, wanted));
      }
    }
  } catch {
    show("off", "No connection");
  } finally {
    looking = false;
    next = performance.now() + Math.max(PAUSE, SHARE * (performance.now() - begun));
    plan(again ? 0 : IDLE);
  }
}

function plan(delay) {
  clearTimeout(timer);
  if (!document.hidden) timer = setTimeout(look, Math.max(delay, next - performance.now()));
}

function happened() {
  if (looking) again = true;
  else plan(0);
}

function open() {
  source = new EventSource("/api/events");
  source.addEventListener("hello", () => {
    show("on", "Live");
    happened();
  });
  for (const kind of KINDS) source.addEventListener(kind, happened);
  source.addEventListener("job.finished", announce);
  source.onerror = () => show("off", source.readyState === EventSource.CLOSED ? "Not live" : "Connecting…");
}

function close() {
  source?.close();
  clearTimeout(timer);
}

export function startLive() {
  if (!document.querySelector("[data-live]")) return;
  open();
  // Browsers keep few connections to a server: a page that nobody sees must not take one from those that are seen.
  document.addEventListener("visibilitychange", () => (document.hidden ? close() : open()));
  addEventListener("pagehide", close);
  addEventListener("pageshow", (event) => event.persisted && location.reload());
}
