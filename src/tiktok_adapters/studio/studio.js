// The studio's pages: a film that is dropped, the rows that move, and the wait for a sign-in. Everything else works without it.
"use strict";
(() => {
  const csrf = document.body.dataset.csrf;

  // --- A film -------------------------------------------------------------------------------------------------------

  const drop = document.getElementById("drop");
  const say = text => { document.getElementById("dropped").textContent = text; };

  const send = file => {
    const bar = document.getElementById("coming");
    const request = new XMLHttpRequest();
    request.open("PUT", drop.dataset.put);
    request.setRequestHeader("X-Studio-Csrf", csrf);
    request.setRequestHeader("X-Studio-Name", encodeURIComponent(file.name));
    request.responseType = "json";
    request.upload.addEventListener("progress", event => { if (event.lengthComputable) bar.value = event.loaded / event.total; });
    request.addEventListener("load", () => {
      bar.hidden = true;
      const answer = request.response;
      if (answer !== null && answer.go) window.location.assign(answer.go);
      else say(answer !== null && answer.refused ? answer.refused : "The studio refused the film: load this page again.");
    });
    request.addEventListener("error", () => {
      bar.hidden = true;
      say("The film could not be copied: see that the studio still runs, that the file can be read, and that it has at most 4 GB.");
    });
    bar.value = 0;
    bar.hidden = false;
    say(`Copying ${file.name}`);
    request.send(file);
  };

  if (drop !== null) {
    document.getElementById("film").addEventListener("change", event => {
      if (event.target.files.length > 0) send(event.target.files[0]);
    });
    for (const kind of ["dragover", "dragleave", "drop"]) {
      drop.addEventListener(kind, event => {
        event.preventDefault();
        drop.classList.toggle("over", kind === "dragover");
        if (kind === "drop" && event.dataTransfer.files.length > 0) send(event.dataTransfer.files[0]);
      });
    }
  }

  // --- Posts --------------------------------------------------------------------------------------------------------

  const section = document.querySelector("[data-events]");

  const fill = (part, html) => {
    const fresh = new DOMParser().parseFromString(html, "text/html").body;
    // What is the same stays, so that no button goes away under the pointer.
    if (fresh.innerHTML !== part.innerHTML) part.replaceChildren(...fresh.childNodes);
  };

  const show = rows => {
    for (const row of rows) {
      const item = document.querySelector(`[data-post="${CSS.escape(row.key)}"]`);
      if (item === null) {
        if (row.is_ended) continue;
        // A post that another process began has no row yet.
        window.location.reload();
        return;
      }
      fill(item.querySelector(".rest"), row.rest);
      fill(item.querySelector(".live"), row.live);
    }
  };

  if (section !== null) {
    const events = new EventSource(section.dataset.events);
    events.addEventListener("message", event => show(JSON.parse(event.data)));
    window.addEventListener("pagehide", () => events.close());
  }

  // --- The sign-in --------------------------------------------------------------------------------------------------

  const signing = document.getElementById("signing");

  const look = async () => {
    try {
      const answer = await (await fetch(signing.dataset.state)).json();
      if (answer.go) { window.location.assign(answer.go); return; }
    } catch {
      // The next look may succeed.
    }
    setTimeout(look, 1000);
  };
  if (signing !== null) setTimeout(look, 1000);
})();
