// Forms: sent once, suggestions that fit, and a look at when a new schedule would fire.
import { morph } from "./morph.js";
import { localise } from "./times.js";

const WAIT = 400; // milliseconds after the last key

function sentOnce() {
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.method !== "post") return;
    if (form.dataset.sent) event.preventDefault();
    form.dataset.sent = "yes";
    event.submitter?.setAttribute("aria-busy", "true");
  });
}

function methodsThatFit(form) {
  const list = document.getElementById("methods");
  if (!list) return;
  const handler = form.elements.handler_id;
  const all = [...list.options];
  const choose = () =>
    list.replaceChildren(...all.filter((option) => !handler.value || option.dataset.handler === handler.value));
  handler.addEventListener("change", choose);
  choose();
}

function zones(form) {
  const own = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const list = document.getElementById("zones");
  for (const zone of Intl.supportedValuesOf?.("timeZone") ?? []) list.append(new Option(zone, zone));
  if ("fresh" in form.dataset && own) form.elements.timezone.value = own;
}

function preview(form) {
  let timer = null, number = 0;
  const ask = async () => {
    const mine = ++number;
    const body = new URLSearchParams(new FormData(form));
    body.set("do", "preview");
    try {
      const answer = await fetch(form.action, { method: "POST", body, redirect: "error" });
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("preview");
      if (fresh && mine === number) localise(morph(document.getElementById("preview"), fresh));
    } catch {
      // The server is away; the form itself will say so when it is sent.
    }
  };
  const soon = () => {
    clearTimeout(timer);
    timer = setTimeout(ask, WAIT);
  };
  document.getElementById("when").addEventListener("input", soon);
  if (!document.getElementById("errors")) ask();
}

export function startForms() {
  sentOnce();
  document.getElementById("errors")?.focus();
  const form = document.getElementById("schedule-form");
  if (!form) return;
  methodsThatFit(form);
  zones(form);
  preview(form);
}
