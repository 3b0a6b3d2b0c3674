// Turns answers into elements. Text goes in as text, never as markup.

const NAMES = { erp: "ERP", neurolink: "NeuroLink" };
const money = new Intl.NumberFormat("en", { minimumFractionDigits: 2, maximumFractionDigits: 2 });
const time = new Intl.DateTimeFormat("en", { dateStyle: "medium", timeStyle: "short" });

function element(tag, attributes = {}, ...children) {
  const made = Object.assign(document.createElement(tag), attributes);
  made.append(...children);
  return made;
}

const badge = (good) => element("span", { className: `badge ${good ? "good" : "bad"}` }, good ? "ready" : "not ready");

function serviceCard([name, { ready, reason, checks, milliseconds }]) {
  const items = Object.entries(checks).map(([check, { ok, current }]) =>
    element("li", { className: ok ? "" : "bad" }, check.replaceAll("_", " "), current ? `: ${current}` : ""),
  );
  return element(
    "div",
    { className: "card" },
    element("h3", {}, NAMES[name] ?? name, badge(ready)),
    element("ul", { className: "checks" }, ...items),
    element("div", { className: reason ? "caption bad" : "caption" }, reason ?? `answered in ${milliseconds} ms`),
  );
}

function figureCard(caption, value) {
  const figure = element("div", { className: "figure" }, String(value));
  return element("div", { className: "card" }, figure, element("div", { className: "caption" }, caption));
}

function row(...cells) {
  return element("tr", {}, ...cells.map((cell) => element("td", {}, String(cell))));
}

const nothing = (columns, text) => element("tr", {}, element("td", { colSpan: columns, className: "caption" }, text));

export function showStack({ ready, services }) {
  const state = document.getElementById("stack-state");
  state.textContent = ready ? "ready" : "not ready";
  state.className = `badge ${ready ? "good" : "bad"}`;
  document.getElementById("stack").replaceChildren(...Object.entries(services).map(serviceCard));
}

export function showFigures({ transfers, leaderboard, gps, pending }) {
  document.getElementById("totals").replaceChildren(
    figureCard("transfers", transfers.total_transfers),
    figureCard("USD sent in", money.format(transfers.total_amount_usd)),
    figureCard("USD commission at 2.25 %", money.format(transfers.total_commission)),
    figureCard("suspicious transfers", transfers.suspicious_transfers),
    figureCard("my GPS points", gps.total_points),
    figureCard("my kilometres", gps.total_distance_km),
  );
  const places = leaderboard.leaderboard.map((place) =>
    row(
      place.badge ? `${place.rank}, ${place.badge.replaceAll("_", " ")}` : place.rank,
      place.salesperson_name,
      place.total_orders,
      money.format(place.total_sales),
      money.format(place.total_commission),
    ),
  );
  const waiting = pending.transfers.map((transfer) =>
    row(
      time.format(new Date(`${transfer.transfer_datetime}Z`)),
      transfer.salesperson_name,
      transfer.transfer_platform,
      money.format(transfer.amount_usd),
      transfer.fraud_alert_reason ?? "",
    ),
  );
  document.getElementById("leaderboard").replaceChildren(...(places.length ? places : [nothing(5, "No sales yet")]));
  document.getElementById("pending").replaceChildren(...(waiting.length ? waiting : [nothing(5, "None is waiting")]));
}

export function showAccount(user) {
  document.getElementById("login").hidden = Boolean(user);
  document.getElementById("account").hidden = !user;
  document.getElementById("figures").hidden = !user;
  document.getElementById("account-name").textContent = user ? `${user.name} (${user.role_name})` : "";
}

export function showLoginError(text) {
  document.getElementById("login-error").textContent = text;
}
