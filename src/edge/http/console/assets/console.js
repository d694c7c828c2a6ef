// Live pages: what stands in an element with data-live is fetched anew every few
// seconds and changed in place. Without this script every page works all the same,
// by loading it again.
"use strict";

(() => {
  const EVERY_MS = 3000;
  const EVERY_MAX_MS = 30000;
  const live = document.querySelector("[data-live]");
  const stale = document.getElementById("stale");
  const left = document.getElementById("left");
  let wait = EVERY_MS;

  // Times are written for the reader's own zone.
  const format = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });
  function localise(root) {
    for (const time of root.querySelectorAll("time[datetime]")) {
      const at = new Date(time.dateTime);
      if (!Number.isNaN(at.getTime())) {
        time.title = time.textContent;
        time.textContent = format.format(at);
      }
    }
  }

  // Changes `old` into `fresh` with as few touches as can be, so that focus, scroll,
  // a playing file and an opened detail stay what they are. Elements with the same
  // id are the same; others by their place.
  function become(old, fresh) {
    if (old.isEqualNode(fresh)) {
      return;
    }
    if (old.nodeType !== fresh.nodeType || old.nodeName !== fresh.nodeName || old.id !== fresh.id) {
      old.replaceWith(fresh);
      return;
    }
    if (old.nodeType !== Node.ELEMENT_NODE) {
      old.nodeValue = fresh.nodeValue;
      return;
    }
    // What somebody fills in is theirs.
    if (old.matches("input:not([type=hidden]), textarea, select") || old === document.activeElement && old.isContentEditable) {
      return;
    }
    for (const { name } of [...old.attributes]) {
      const opened = name === "open" && old.matches("details, dialog");
      if (!fresh.hasAttribute(name) && !opened) {
        old.removeAttribute(name);
      }
    }
    for (const { name, value } of fresh.attributes) {
      if (old.getAttribute(name) !== value) {
        old.setAttribute(name, value);
      }
    }
    children(old, fresh);
  }

  function children(old, fresh) {
    const known = new Map();
    for (const child of old.children) {
      if (child.id) {
        known.set(child.id, child);
      }
    }
    let at = old.firstChild;
    for (const child of [...fresh.childNodes]) {
      const same = child.id ? known.get(child.id) : undefined;
      if (same) {
        if (same === at) {
          at = at.nextSibling;
        } else {
          old.insertBefore(same, at);
        }
        become(same, child);
      } else if (at && !at.id && !child.id) {
        const next = at.nextSibling;
        become(at, child);
        at = next;
      } else {
        old.insertBefore(child, at);
      }
    }
    while (at) {
      const next = at.nextSibling;
      at.remove();
      at = next;
    }
  }

  // Somebody who is logged out sees so at once; but not before what they are writing
  // is out of harm's way.
  function isWriting() {
    const fields = document.querySelectorAll("main form[method=post] :is(textarea, input:not([type=hidden]))");
    return [...fields].some((field) => field.type === "file" ? field.value !== "" : field.value !== field.defaultValue);
  }

  // Forms that stay open are sent by who is logged in now.
  function renewTokens(fresh) {
    const token = fresh.querySelector("input[name=token]");
    for (const own of token ? document.querySelectorAll("input[name=token]") : []) {
      own.value = token.value;
    }
  }

  async function look() {
    const answer = await fetch(location.href, {
      headers: { "X-Wabridge-Live": "1" },
      credentials: "same-origin",
      cache: "no-store",
    });
    if (answer.status === 401) {
      left.hidden = !isWriting();
      if (left.hidden) {
        location.reload();
      }
      return;
    }
    left.hidden = true;
    if (!answer.ok) {
      throw new Error(String(answer.status));
    }
    const fresh = document.createElement("template");
    fresh.innerHTML = await answer.text();
    localise(fresh.content);
    renewTokens(fresh.content);
    // Whoever marks text means to copy it.
    const marked = getSelection();
    if (marked && !marked.isCollapsed && live.contains(marked.anchorNode)) {
      return;
    }
    children(live, fresh.content);
  }

  async function again() {
    if (!document.hidden) {
      try {
        await look();
        wait = EVERY_MS;
        stale.hidden = true;
      } catch {
        wait = Math.min(wait * 2, EVERY_MAX_MS);
        stale.hidden = false;
      }
    }
    setTimeout(again, wait);
  }

  localise(document);
  if (live && stale) {
    setTimeout(again, wait);
  }

  // A second click does not send a form twice.
  document.addEventListener("submit", (event) => {
    setTimeout(() => {
      for (const button of event.target.querySelectorAll("button")) {
        button.disabled = true;
      }
    });
  });
  addEventListener("pageshow", () => {
    for (const button of document.querySelectorAll("form button:disabled")) {
      button.disabled = false;
    }
  });
})();
