// The sandbox's own page, live: each message has the items of the lists that have changed, and buttons do not reload the page.
"use strict";

const said = document.getElementById("said");
const latest = new Map();

function element(key, mark, inside) {
  const item = document.createElement("div");
  item.className = "item";
  item.dataset.key = key;
  item.dataset.mark = mark;
  item.innerHTML = inside; // escaped by the sandbox
  return item;
}

// An item that somebody is using (the field with the cursor, the video that plays) stays as it is until they leave it.
function isInUse(item) {
  const video = item.querySelector("video");
  return item.contains(document.activeElement) && document.activeElement.matches("input, select") || (video !== null && !video.paused);
}

function isOpen(item) {
  const details = item.querySelector("details");
  return details !== null && details.open;
}

function show(name) {
  const list = document.querySelector(`[data-list="${name}"]`);
  const there = new Map([...list.children].map((item) => [item.dataset.key, item]));
  let place = null;
  for (const [key, mark, inside] of latest.get(name)) {
    let item = there.get(key);
    there.delete(key);
    if (item === undefined) {
      item = element(key, mark, inside);
    } else if (item.dataset.mark !== mark && !isInUse(item)) {
      const next = element(key, mark, inside);
      const pressed = item.contains(document.activeElement) ? document.activeElement.textContent : null;
      if (isOpen(item)) next.querySelector("details").open = true;
      item.replaceWith(next);
      item = next;
      if (pressed !== null) [...item.querySelectorAll("button")].find((one) => one.textContent === pressed)?.focus();
    }
    if (place === null ? list.firstElementChild !== item : place.nextElementSibling !== item) {
      if (place === null) list.prepend(item); else place.after(item);
    }
    place = item;
  }
  for (const item of there.values()) item.remove();
}

const events = new EventSource("/_sandbox/events");
events.onmessage = (message) => {
  for (const [name, items] of Object.entries(JSON.parse(message.data))) {
    latest.set(name, items);
    show(name);
  }
};
events.onopen = () => { said.textContent = "Live"; };
events.onerror = () => { said.textContent = "The sandbox has ended, or is not reachable. This page goes on when it is back."; };

document.addEventListener("focusout", () => setTimeout(() => latest.forEach((_items, name) => show(name))));

document.addEventListener("submit", async (event) => {
  if (event.target.method !== "post") return;
  event.preventDefault();
  const values = new URLSearchParams(new FormData(event.target, event.submitter));
  const answer = await fetch("/", { method: "POST", body: values, redirect: "manual" });
  said.textContent = answer.status >= 400 ? await answer.text() : "Done";
});
