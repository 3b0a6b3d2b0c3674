// The state of the stack: every service is asked whether it is ready, all at once, none of them waited for long.

const TIMEOUT_MS = 4000;

async function ask(address) {
  const started = performance.now();
  const seen = (state) => ({ ...state, milliseconds: Math.round(performance.now() - started) });
  try {
    const response = await fetch(`${address}/ready`, { signal: AbortSignal.timeout(TIMEOUT_MS) });
    const body = await response.json();
    return seen({ ready: response.ok, reason: body.reason ?? null, checks: body.checks ?? {} });
  } catch (error) {
    return seen({ ready: false, reason: error.cause?.message ?? error.message, checks: {} });
  }
}

/** Returns {ready, services: {name: {ready, reason, checks, milliseconds}}}; ready when every service is. */
export async function readStack(services) {
  const states = await Promise.all(Object.entries(services).map(async ([name, address]) => [name, await ask(address)]));
  return { ready: states.every(([, state]) => state.ready), services: Object.fromEntries(states) };
}
