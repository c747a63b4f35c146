// The console's script: without it every page works; with it pages follow what happens, keys work, and times are local.
"use strict";

const $ = (selector, root = document) => root.querySelector(selector);
const all = (selector, root = document) => [...root.querySelectorAll(selector)];

// Times: sent in UTC, said in the visitor's zone.
function sayTimes(root) {
  const two = (n) => String(n).padStart(2, "0");
  for (const time of all("time[datetime]:not([title])", root)) {
    const at = new Date(time.dateTime);
    if (Number.isNaN(at.getTime())) continue;
    time.title = time.textContent;
    const day = `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
    const clock = `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
    time.textContent = day === new Date().toLocaleDateString("sv") ? clock : `${day} ${clock}`;
  }
}

// A dangerous form asks before it posts. A form posts once.
document.addEventListener("submit", (event) => {
  const form = event.target, question = form.dataset.sure, dialog = $("#sure");
  if (question && !form.dataset.said) {
    event.preventDefault();
    $("#sure-text").textContent = question;
    dialog.returnValue = "no";
    dialog.onclose = () => {
      if (dialog.returnValue !== "yes") return;
      form.dataset.said = "yes";
      form.requestSubmit(event.submitter);
    };
    dialog.showModal();
    return;
  }
  if (form.method === "post") setTimeout(() => all("button", form).forEach((one) => { one.disabled = true; }), 0);
});
window.addEventListener("pageshow", (event) => {
  if (event.persisted) all("form button").forEach((one) => { one.disabled = false; });
});

// Keys.
const rows = () => all("main tbody tr");
function choose(step) {
  const list = rows(), now = list.findIndex((row) => row.classList.contains("chosen"));
  const next = list[Math.min(list.length - 1, Math.max(0, now + step))];
  if (!next) return;
  list.forEach((row) => row.classList.toggle("chosen", row === next));
  next.scrollIntoView({ block: "nearest" });
}
const onKey = {
  "/": () => ($("[data-key='/']") ?? $(".filters input"))?.focus(),
  j: () => choose(1),
  k: () => choose(-1),
  Enter: () => $("main tbody tr.chosen a")?.click(),
  n: () => $("a[rel=next]")?.click(),
  g: () => {
    const folded = $(".menu-button");
    if (folded && getComputedStyle(folded).display !== "none") folded.open = true;
    all("nav a[aria-current], nav li a").find((one) => one.offsetParent)?.focus();
  },
  "?": () => $("#keys").showModal(),
};
document.addEventListener("keydown", (event) => {
  const typing = event.target.closest("input, textarea, select, [contenteditable]");
  if (event.key === "Escape" && typing) typing.blur();
  if (typing || event.ctrlKey || event.metaKey || event.altKey || $("dialog[open]")) return;
  if (event.key === "Enter" && event.target.closest("a, button, summary")) return;
  const act = onKey[event.key];
  if (act) { event.preventDefault(); act(); }
});

// Live: told that something moved, the page fetches itself and takes over the parts that are marked.
let stale = false, fetching = false;
async function refresh() {
  if (fetching) { stale = true; return; }
  fetching = true;
  try {
    const answer = await fetch(location.href, { headers: { "X-Hongyan-Live": "1" } });
    if (answer.redirected) { location.reload(); return; }
    if (!answer.ok) return;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const old of all("[data-live][id]")) {
      const fresh = page.getElementById(old.id);
      if (!fresh || old.contains(document.activeElement) && old !== document.activeElement) continue;
      sayTimes(fresh);
      const open = all("details", old).map((one) => one.open);
      const chosen = rows().findIndex((row) => row.classList.contains("chosen") && old.contains(row));
      if (old.dataset.was === fresh.innerHTML) continue;
      old.replaceChildren(...fresh.childNodes);
      old.dataset.was = old.innerHTML;
      all("details", old).forEach((one, i) => { one.open = open[i] ?? one.open; });
      if (chosen >= 0) rows()[chosen]?.classList.add("chosen");
    }
  } catch { /* the stream says that there is no connection */ } finally {
    fetching = false;
  }
}
function follow() {
  const sign = $("#live"), topics = document.body.dataset.topics;
  if (!sign || !$("[data-live]")) return;
  const say = (on) => { sign.hidden = false; sign.classList.toggle("live-lost", !on); sign.textContent = on ? sign.dataset.liveOn : sign.dataset.liveOff; };
  const source = new EventSource(`/console/live?topics=${encodeURIComponent(topics)}`);
  source.onopen = () => say(true);
  source.onerror = () => say(false);
  source.addEventListener("changed", () => { if (document.hidden) stale = true; else refresh(); });
  document.addEventListener("visibilitychange", () => { if (!document.hidden && stale) { stale = false; refresh(); } });
  window.addEventListener("pagehide", () => source.close());
}

sayTimes(document);
follow();
