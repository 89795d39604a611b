// The page of `triage annotate`. Mail is hostile: its text is only ever set as textContent.
"use strict";

const ACTIONS = ["reply_now", "reply_later", "forward", "archive", "delete"];
const NAMES = { reply_now: "Reply now", reply_later: "Reply later", forward: "Forward", archive: "Archive", delete: "Delete" };
const HEADERS = { to: "To", cc: "Cc", bcc: "Bcc" };
const SHOWN_AT_FIRST = window.innerWidth < 550 ? 3 : 8; // recipients, or attachments

const $ = (id) => document.getElementById(id);
const page = { annotator: "", kind: "pair", item: null, neither: false, busy: false, keys: {} };
const clock = { seen: 0, since: null }; // the time for which the message was before somebody's eyes

function make(tag, text, attributes = {}) {
  const element = document.createElement(tag);
  if (text !== undefined) element.textContent = text;
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
}

// --- talking to the program -------------------------------------------------------------------------------------

class Problem extends Error {}

async function ask(path, body) {
  const options = body && { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) };
  let response;
  try {
    response = await fetch(path, options || {});
  } catch {
    throw new Problem("The program does not respond. Your judgements are on disk; start `triage annotate` "
      + "again and open the address that it prints.");
  }
  if (response.status === 403) {
    throw new Problem("The program was restarted. Open the address that it printed last; only this answer is lost.");
  }
  const type = response.headers.get("Content-Type") || "";
  const given = type.startsWith("application/json") ? await response.json() : { problem: await response.text() };
  if (!response.ok) throw new Problem(`Not done: ${given.problem}`);
  return given;
}

async function change(path, body) {
  if (page.busy) return;
  setBusy(true);
  try {
    show(await ask(path, body));
  } catch (problem) {
    if (!(problem instanceof Problem)) throw problem;
    $("problem").textContent = problem.message;
  } finally {
    setBusy(false);
  }
}

function setBusy(busy) {
  page.busy = busy;
  document.body.setAttribute("aria-busy", String(busy));
}

// --- what is shown ----------------------------------------------------------------------------------------------

function show(state) {
  const same = page.item && state.item && page.item.user === state.item.user
    && page.item.fingerprint === state.item.fingerprint;
  page.annotator = state.annotator;
  page.item = state.item;
  page.neither = false;
  $("problem").textContent = "";
  $("notice").textContent = state.notice;
  $("login").hidden = true;
  $("tools").hidden = $("progress").hidden = false;
  $("who").textContent = `as ${state.annotator}`;
  $("work").hidden = $("answers").hidden = !state.item;
  $("done").hidden = Boolean(state.item);
  showProgress(state.progress);
  if (!state.item) {
    document.title = "Judge messages";
    return;
  }
  showAnswers();
  if (same) return;
  showMessage(state.item.message);
  showContext(state.item);
  $("note").value = "";
  showNote(false);
  clock.seen = 0;
  clock.since = document.visibilityState === "visible" ? performance.now() : null;
  window.scrollTo(0, 0);
  $("message").focus({ preventScroll: true });
}

function inWords(seconds, digits = seconds < 10 ? 1 : 0) {
  if (seconds < 90) return `${seconds.toFixed(digits)} s`;
  const minutes = Math.round(seconds / 60);
  return minutes < 90 ? `${minutes} min` : `${(minutes / 60).toFixed(1)} h`;
}

function showProgress(progress) {
  const parts = [`${progress.judged} of ${progress.target}`];
  const left = progress.target - progress.judged;
  if (left <= 0) parts.push("target reached, go on if you like");
  if (progress.pace !== null) {
    parts.push(`${inWords(progress.pace)} each`);
    if (left > 0) parts.push(`about ${inWords(Math.ceil(progress.pace * left), 0)} left`);
  }
  if (progress.skipped) parts.push(`${progress.skipped} skipped`);
  $("pace").textContent = parts.join(" · ");
  $("bar").max = progress.target;
  $("bar").value = Math.min(progress.judged, progress.target);
  $("undo").disabled = !progress.can_undo;
}

function addRow(list, name, value) {
  list.append(make("dt", name));
  const cell = make("dd");
  cell.append(...[value].flat());
  list.append(cell);
}

function addressList(addresses) {
  const parts = addresses.map((address, index) => {
    const comma = index < addresses.length - 1 ? "," : "";
    return make("span", address + comma, { class: "address", dir: "auto" });
  });
  return folded(parts, "addresses");
}

function folded(parts, kind) {
  const shown = make("div", undefined, { class: kind });
  shown.append(...parts.slice(0, SHOWN_AT_FIRST));
  if (parts.length <= SHOWN_AT_FIRST) return shown;
  const more = make("details");
  const rest = make("div", undefined, { class: kind });
  rest.append(...parts.slice(SHOWN_AT_FIRST));
  more.append(make("summary", `and ${parts.length - SHOWN_AT_FIRST} more`), rest);
  return [shown, more];
}

function attachmentList(names) {
  return folded(names.map((name) => make("div", name, { dir: "auto" })), "attachments");
}

function showMessage(message) {
  document.title = `${message.subject || "(no subject)"} – Judge messages`;
  $("subject").textContent = message.subject || "(no subject)";
  const head = $("head");
  head.replaceChildren();
  addRow(head, "From", make("span", message.sender, { dir: "auto" }));
  for (const [name, addresses] of Object.entries(message.recipients)) addRow(head, HEADERS[name], addressList(addresses));
  addRow(head, "Date", message.date);
  if (message.mailbox) addRow(head, "Mailbox", message.mailbox);
  if (message.attachments.length) addRow(head, "Attachments", attachmentList(message.attachments));
  for (const note of message.notes) addRow(head, "Note", note);
  $("text").textContent = message.text || "(no text of its own)";
  $("text").classList.toggle("quiet", !message.text);
  $("cut").textContent = message.cut ? `${message.cut.toLocaleString("en")} further characters are not shown.` : "";
  fold($("signature"), message.signature);
  fold($("quoted"), message.quoted);
  const lines = message.quoted.split("\n").length;
  $("quoted").firstElementChild.textContent = `Quoted text, ${lines} line${lines === 1 ? "" : "s"}`;
}

function fold(details, text) {
  details.hidden = !text;
  details.open = false;
  details.lastElementChild.textContent = text;
}

async function showContext(item) {
  $("sender").replaceChildren(make("li", "…"));
  $("conversation").replaceChildren(make("p", "Looking for it …", { class: "quiet" }));
  let context;
  try {
    context = await ask("/api/context", { annotator: page.annotator, user: item.user, fingerprint: item.fingerprint });
  } catch (problem) {
    if (!(problem instanceof Problem)) throw problem;
    context = { sender: [], conversation: [], count: 0, unknown: problem.message };
  }
  if (page.item !== item) return; // another message has come meanwhile
  $("sender").replaceChildren(...context.sender.map((line) => make("li", line)));
  const earlier = context.conversation.map((message) => {
    const details = make("details");
    details.append(make("summary", `${message.date}: ${message.sender}`, { dir: "auto" }));
    details.append(make("p", `to ${Object.values(message.recipients).flat().slice(0, SHOWN_AT_FIRST).join(", ") || "nobody"}`,
      { class: "quiet" }));
    const names = message.attachments.join(", ");
    if (names) details.append(make("p", `attached: ${names}`, { class: "quiet", dir: "auto" }));
    details.append(make("div", message.text || "(no text of its own)", { class: "mail", dir: "auto", tabindex: "0" }));
    return details;
  });
  if (context.unknown) earlier.push(make("p", `Not known: ${context.unknown}.`, { class: "quiet" }));
  else if (!earlier.length) earlier.push(make("p", "Nothing in this mailbox.", { class: "quiet" }));
  else if (context.count > earlier.length) {
    earlier.push(make("p", `and ${context.count - earlier.length} before these.`, { class: "quiet" }));
  }
  $("conversation").replaceChildren(...earlier);
}

// --- answering --------------------------------------------------------------------------------------------------

function showAnswers() {
  const choices = $("choices");
  const [left, right] = page.item.candidates;
  choices.replaceChildren();
  page.keys = {};
  if (page.kind === "pair" && !page.neither) {
    $("question").textContent = "Which is better here?";
    addChoice(NAMES[left], ["1", "ArrowLeft"], () => answer({ chosen: left }), true);
    addChoice(NAMES[right], ["2", "ArrowRight"], () => answer({ chosen: right }), true);
    addChoice("Equally good", ["3", "t"], () => answer({ tie: true }));
    addChoice("Neither", ["n"], () => chooseNeither(true));
  } else {
    $("question").textContent = page.neither ? "Neither: it is …" : "What should be done?";
    ACTIONS.forEach((action, index) => {
      const offered = !page.neither || !page.item.candidates.includes(action);
      if (offered) addChoice(NAMES[action], [String(index + 1)], () => answer({ action }), true);
    });
    if (page.neither) addChoice("Back", ["Escape", "n"], () => chooseNeither(false), false, "Esc");
  }
  addChoice("Skip", ["s"], () => answer({ skipped: true }));
  $("mode").firstElementChild.textContent = page.kind === "pair" ? "All five" : "Pairs";
  const policy = page.item.policy;
  $("policy").hidden = !policy;
  if (policy) {
    $("policy").textContent = "The policy: " + ACTIONS.map((action) => `${NAMES[action].toLowerCase()} ${Math.round(100 * policy[action])} %`).join(", ");
  }
}

function addChoice(name, keys, act, main = false, shown = keys[0].toUpperCase()) {
  const button = make("button", undefined, { type: "button", "aria-keyshortcuts": keys.join(" ") });
  button.append(make("span", name), " ", make("kbd", shown));
  if (main) button.classList.add("main");
  button.addEventListener("click", act);
  $("choices").append(button);
  for (const key of keys) page.keys[key] = act;
}

function chooseNeither(neither) {
  page.neither = neither;
  showAnswers();
}

function answer(given) {
  change("/api/judge", {
    annotator: page.annotator,
    user: page.item.user,
    fingerprint: page.item.fingerprint,
    kind: page.kind,
    note: $("note").value,
    seconds: (clock.seen + (clock.since === null ? 0 : performance.now() - clock.since)) / 1000,
    ...given,
  });
}

function switchKind() {
  page.kind = page.kind === "pair" ? "action" : "pair";
  chooseNeither(false);
}

// --- keys, and what else happens ----------------------------------------------------------------------------------

const ALWAYS = {
  u: () => { if (!$("undo").disabled) undo(); },
  m: switchKind,
  q: () => { $("quoted").open = !$("quoted").open; },
  o: () => showNote(true),
};

const undo = () => change("/api/undo", { annotator: page.annotator });

function showNote(open) {
  $("note").hidden = !open;
  $("note-button").setAttribute("aria-expanded", String(open));
  if (open) $("note").focus();
}

function pressed(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat || event.isComposing || $("keys").open) return;
  if (event.target === $("note")) {
    if (event.key === "Escape") $("message").focus();
    return;
  }
  if (event.target.matches("input, textarea")) return;
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  if (key === "?" && !$("tools").hidden) $("keys").showModal();
  else {
    const act = $("keys-on").checked && page.item && !page.busy && (page.keys[key] || ALWAYS[key]);
    if (!act) return;
    act();
  }
  event.preventDefault();
}

// A tab keeps its person over a reload; a new tab begins with the person who began last in this browser.
function rememberedName() {
  try {
    return sessionStorage.getItem("annotator") || localStorage.getItem("annotator") || "";
  } catch { // the browser keeps nothing
    return "";
  }
}

async function begin(name) {
  await change("/api/state", { annotator: name });
  try {
    if (page.annotator) for (const storage of [sessionStorage, localStorage]) storage.setItem("annotator", page.annotator);
  } catch { /* as above: it will ask again */ }
}

async function askForName() {
  const { known } = await ask("/api/setup");
  page.item = null; // so that no key answers for the person before
  for (const part of ["work", "answers", "done", "tools", "progress"]) $(part).hidden = true;
  $("notice").textContent = $("problem").textContent = "";
  $("login").hidden = false;
  $("known").hidden = !known.length;
  $("known-names").replaceChildren(...known.map((name) => {
    const button = make("button", name, { type: "button" });
    button.addEventListener("click", () => begin(name));
    return button;
  }));
  $("name").value = "";
  $("name").focus();
}

function watchVisibility() {
  if (document.visibilityState === "hidden") {
    if (clock.since !== null) clock.seen += performance.now() - clock.since;
    clock.since = null;
    return;
  }
  clock.since = performance.now();
  // Another tab of the same person may have judged this message meanwhile.
  if (page.item && !$("note").value) change("/api/state", { annotator: page.annotator });
}

async function start() {
  history.replaceState(null, "", "/"); // the token is in the cookie now
  document.addEventListener("keydown", pressed);
  document.addEventListener("visibilitychange", watchVisibility);
  $("undo").addEventListener("click", undo);
  $("note-button").addEventListener("click", () => showNote($("note").hidden));
  $("mode").addEventListener("click", switchKind);
  $("help").addEventListener("click", () => $("keys").showModal());
  $("who").addEventListener("click", askForName);
  $("name-form").addEventListener("submit", (event) => {
    event.preventDefault();
    begin($("name").value);
  });
  try {
    const setup = await ask("/api/setup");
    page.kind = setup.kind;
    $("who").disabled = Boolean(setup.annotator);
    const name = setup.annotator || rememberedName();
    await (name ? begin(name) : askForName());
  } catch (problem) {
    if (!(problem instanceof Problem)) throw problem;
    $("problem").textContent = problem.message;
  }
}

start();
