// The export page after each choice, without a round trip: the same conditions as in state.py, and no text of its own.
"use strict";
(() => {
  const form = document.querySelector(".tiktok-form");
  const progress = document.querySelector("#tiktok-progress");
  const SECONDS = 5;

  const setTitle = (element, text) => {
    if (text) element.title = text;
    else element.removeAttribute("title");
  };

  // What the server said is wrong at a control.
  const errorsAt = control => {
    const errors = document.getElementById(`tiktok-error-${control.name}`);
    return errors === null ? [] : [...errors.querySelectorAll("p:not([data-when])")];
  };

  const conditions = () => {
    const field = name => form.elements.namedItem(name);
    const ticked = name => field(name).checked;
    const level = field("privacy_level").value;
    const branded = ticked("brand_content_toggle");
    const organic = ticked("brand_organic_toggle");
    const isLong = name => field(name) !== null && field(name).value.length > Number(field(name).dataset.limit);
    return {
      disclosed: ticked("is_disclosed"),
      promotional: organic && !branded,
      partnership: branded,
      undisclosed: ticked("is_disclosed") && !organic && !branded,
      branded,
      plain: !branded,
      private: level === "SELF_ONLY",
      clash: branded && level === "SELF_ONLY",
      unchosen: level === "",
      "long-title": isLong("title"),
      "long-description": isLong("description"),
    };
  };

  const follow = () => {
    const field = name => form.elements.namedItem(name);
    const brand = field("brand_content_toggle");
    if (!field("is_disclosed").checked) {
      brand.checked = false;
      field("brand_organic_toggle").checked = false;
    }
    const now = conditions();
    for (const part of form.querySelectorAll("[data-when]")) part.hidden = !now[part.dataset.when];
    for (const area of form.querySelectorAll("[data-text]")) {
      const text = area.querySelector("textarea");
      for (const units of area.querySelectorAll("[data-units]")) units.textContent = text.value.length;
      if (now[`long-${area.dataset.text}`] || errorsAt(text).length > 0) text.setAttribute("aria-invalid", "true");
      else text.removeAttribute("aria-invalid");
    }
    // Of two choices that exclude each other, the one that is made stays free, so that the person can take it back.
    brand.disabled = now.private && !brand.checked;
    for (const part of [brand, brand.closest("label")]) setTitle(part, now.private && brand.dataset.hint);
    const select = field("privacy_level");
    setTitle(select, now.branded && select.dataset.hint);
    for (const option of select.options) {
      if (option.dataset.hint === undefined) continue;
      option.disabled = now.branded && !option.selected;
      setTitle(option, now.branded && option.dataset.hint);
    }
    const shown = form.querySelector("#tiktok-declaration > :not([hidden])");
    field("agreed_to").value = shown.textContent;
    const post = form.querySelector(".tiktok-post");
    post.disabled = form.dataset.blocked !== undefined || now.unchosen || now.undisclosed || now.clash
      || now["long-title"] || now["long-description"];
    const hints = form.querySelectorAll("#tiktok-hint-post > p:not([hidden])");
    const reason = hints.length > 0 && hints[hints.length - 1].textContent;
    for (const part of [post, post.closest("[data-around]")]) setTitle(part, reason);
  };

  // What was wrong at a control when the server looked is not known to be wrong after the person changed it.
  const forgive = control => {
    if (!control.name || !control.hasAttribute("aria-invalid")) return;
    control.removeAttribute("aria-invalid");
    for (const error of errorsAt(control)) error.remove();
    for (const link of document.querySelectorAll(`#tiktok-problems a[href="#tiktok-${control.name}"]`)) link.parentElement.remove();
    const problems = document.querySelector("#tiktok-problems");
    if (problems && problems.querySelector("li") === null) problems.remove();
  };

  if (form !== null) {
    for (const part of form.querySelectorAll("[data-without-script]")) part.hidden = true;
    form.addEventListener("input", event => { forgive(event.target); follow(); });
    form.addEventListener("change", event => { forgive(event.target); follow(); });
    // A second press while the first one is on its way would post twice. Who comes back to the page may press again.
    let isSent = false;
    form.addEventListener("submit", event => {
      if (isSent) event.preventDefault();
      isSent = true;
    });
    window.addEventListener("pageshow", () => { isSent = false; follow(); });
    follow();
    const problems = document.querySelector("#tiktok-problems");
    if (problems !== null) problems.focus();
  }

  const look = async () => {
    const again = progress.dataset.again;
    if (again === undefined) return;
    try {
      const answer = await fetch(again, { credentials: "same-origin" });
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("#tiktok-progress");
      if (answer.ok && fresh !== null) {
        const now = progress.querySelector("#tiktok-state");
        const then = fresh.querySelector("#tiktok-state");
        // The element itself stays, so that a screen reader says what changes in it.
        if (now.textContent !== then.textContent) now.replaceChildren(...then.childNodes);
        if (fresh.dataset.again === undefined) {
          for (const part of progress.querySelectorAll("[data-until-final]")) part.remove();
          return;
        }
      }
    } catch {
      // The next look may succeed.
    }
    setTimeout(look, 1000 * SECONDS);
  };
  if (progress !== null) setTimeout(look, 1000 * SECONDS);
})();
