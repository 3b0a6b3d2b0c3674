// The ERP's API, under the page's own address: the proxy in front brings both together.

const KEY = "tds-admin-token";
const BFF = "/api/bff/salesperson";

export class Refused extends Error {}

export const token = {
  get: () => sessionStorage.getItem(KEY),
  set: (value) => sessionStorage.setItem(KEY, value),
  clear: () => sessionStorage.removeItem(KEY),
};

async function request(path, options = {}) {
  const response = await fetch(path, options);
  const body = response.status === 204 ? null : await response.json().catch(() => null);
  if (response.ok) return body;
  const detail = typeof body?.detail === "string" ? body.detail : `The server answered ${response.status}`;
  throw response.status === 401 ? new Refused(detail) : new Error(detail);
}

const authorized = () => ({ Authorization: `Bearer ${token.get()}` });
const get = (path) => request(path, { headers: authorized() });

export async function logIn(email, password) {
  const login = await request("/api/auth/login", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ email, password }),
  });
  token.set(login.access_token);
}

export async function logOut() {
  await request("/api/auth/logout", { method: "POST", headers: authorized() }).finally(token.clear);
}

export const stack = () => request("/tds-admin/stack.json");
export const me = () => get("/api/auth/me");

export async function figures() {
  const [transfers, leaderboard, gps, pending] = await Promise.all([
    get(`${BFF}/transfers/statistics?period=month`),
    get(`${BFF}/commissions/leaderboard?period=month&limit=10`),
    get(`${BFF}/gps/stats?period=month`),
    get(`${BFF}/transfers/pending?limit=10`),
  ]);
  return { transfers, leaderboard, gps, pending };
}
