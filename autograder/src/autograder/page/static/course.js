// Shows /course/api/state, and queues jobs. Everything is set as text, never as HTML.
"use strict";

const SAY = { grade: "Grade", publish: "Publish feedback of", release: "Release" };
let timer = 0;

function element(tag, text = "", className = "") {
  const made = document.createElement(tag);
  made.textContent = text;
  made.className = className;
  return made;
}

// JupyterHub wants its token with every request that is not a page, also with those that only read.
async function call(path, options = {}) {
  const token = document.cookie.match(/(?:^|; )_xsrf=([^;]*)/);
  const headers = { "X-XSRFToken": token ? token[1] : "", "Content-Type": "application/json" };
  const response = await fetch(`course/api/${path}`, { ...options, headers });
  const body = await response.json().catch(() => ({}));
  if (!response.ok) throw new Error(body.message || `${response.status} ${response.statusText}`);
  return body;
}

function trouble(text) {
  const place = document.getElementById("trouble");
  place.textContent = text;
  place.hidden = !text;
}

async function start(action, row) {
  const waiting = row.by_hand + row.flagged;
  if (action === "publish" && waiting) {
    const question = `${waiting} answers of ${row.title} still wait for a grade by hand. Publish anyway?`;
    if (!confirm(question)) return;
  }
  try {
    await call("jobs", {
      method: "POST",
      body: JSON.stringify({ action, assignment: row.name }),
    });
  } catch (error) {
    trouble(`That could not be started: ${error.message}`);
    return;
  }
  refresh();
}

function button(label, action, row, busy) {
  const made = element("button", label);
  made.disabled = busy.has(`${action} ${row.name}`);
  made.addEventListener("click", () => start(action, row));
  return made;
}

function number(value, warn = false) {
  return element("td", String(value), warn ? "number warn" : "number");
}

function assignment(row, next, busy) {
  const line = element("tr", "", row.released ? "" : "later");
  const title = element("td");
  if (row.released) {
    const link = element("a", row.title);
    link.href = `formgrader/manage_submissions/${row.name}`;
    link.target = "_blank";
    link.rel = "noopener";
    title.append(link);
  } else {
    title.append(row.title);
  }
  title.append(element("span", row.name, "name"));
  line.append(title, element("td", row.due.slice(0, 10)));
  if (row.released) {
    line.append(
      number(row.submitted),
      number(row.graded, row.graded < row.submitted),
      number(row.flagged, row.flagged > 0),
      number(row.by_hand, row.by_hand > 0),
      number(row.published),
    );
  } else {
    const note = element("td", `to be released from ${row.release.slice(0, 10)}`);
    note.colSpan = 5;
    line.append(note);
  }
  const actions = element("td", "", "actions");
  if (row.released) {
    if (row.graded > 0) {
      const report = element("a", "Class report");
      report.href = `course/report/${row.name}`;
      report.target = "_blank";
      report.rel = "noopener";
      actions.append(report);
    }
    actions.append(
      button("Grade all", "grade", row, busy),
      button("Publish feedback", "publish", row, busy),
    );
  } else if (row.name === next) {
    actions.append(button("Release next", "release", row, busy));
  }
  line.append(actions);
  return line;
}

function job(each) {
  const line = element("li", "", each.state);
  line.append(element("span", each.state, "state"));
  line.append(element("strong", `${SAY[each.action]} ${each.assignment}`));
  const said = { waiting: "", running: each.text || "starting", done: each.text }[each.state];
  if (said) line.append(`: ${said}`);
  if (each.state === "running") {
    const bar = element("progress");
    if (each.of) {
      bar.max = each.of;
      bar.value = each.done;
    }
    bar.setAttribute("aria-label", each.text || "running");
    line.append(bar);
  }
  if (each.reasons.length) {
    const list = element("ul");
    list.append(...each.reasons.map((reason) => element("li", reason)));
    line.append(list);
  }
  return line;
}

async function refresh() {
  clearTimeout(timer);
  let running = false;
  try {
    const state = await call("state");
    const open = state.jobs.filter((each) => ["waiting", "running"].includes(each.state));
    const busy = new Set(open.map((each) => `${each.action} ${each.assignment}`));
    running = open.length > 0;
    document.getElementById("assignments").replaceChildren(
      ...state.assignments.map((row) => assignment(row, state.next, busy)),
    );
    document.getElementById("jobs").replaceChildren(...state.jobs.map(job));
    document.getElementById("version").textContent = `sft2rl ${state.version}`;
    trouble("");
  } catch (error) {
    trouble(`This page is not up to date: ${error.message}`);
  }
  timer = setTimeout(refresh, running ? 1500 : 15000);
}

refresh();
