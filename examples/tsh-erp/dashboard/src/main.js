// The page's life: the stack's state every few seconds, the figures for whoever is logged in.
import * as api from "./api.js";
import * as view from "./view.js";

const STACK_EVERY_MS = 5000;
const FIGURES_EVERY_MS = 30000;

async function refreshStack() {
  try {
    view.showStack(await api.stack());
  } catch (error) {
    const dashboard = { ready: false, reason: error.message, checks: {} };
    view.showStack({ ready: false, services: { dashboard } });
  }
}

async function refreshFigures() {
  if (!api.token.get()) {
    view.showAccount(null);
    return;
  }
  try {
    view.showAccount(await api.me());
    view.showFigures(await api.figures());
    view.showLoginError("");
  } catch (error) {
    // An expired token ends the session; anything else may be over by the next try.
    if (error instanceof api.Refused) {
      api.token.clear();
      view.showAccount(null);
    }
    view.showLoginError(error.message);
  }
}

function repeat(work, everyMs) {
  work().finally(() => setTimeout(() => repeat(work, everyMs), everyMs));
}

document.getElementById("login-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  const form = event.target;
  try {
    await api.logIn(form.email.value, form.password.value);
    form.reset();
    await refreshFigures();
  } catch (error) {
    view.showLoginError(error.message);
  }
});

document.getElementById("log-out").addEventListener("click", async () => {
  await api.logOut().catch((error) => view.showLoginError(error.message));
  view.showAccount(null);
});

repeat(refreshStack, STACK_EVERY_MS);
repeat(refreshFigures, FIGURES_EVERY_MS);
