// What a service in Node.js does with one message of its queue: docs/messages.md says why.
const { CONVEYOR_SERVER: server, CONVEYOR_API_KEY: key } = process.env;

const ask = (path, options = {}) =>
  fetch(`${server}${path}`, {
    ...options,
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
  });

const failed = async (what, response) =>
  new Error(`${what}: ${response.status} ${await response.text()}`);

// Takes the step that a message asks for. Whoever calls this deletes the message once it returns,
// and leaves it where it is when it throws: then the message comes again.
// `steps` has, by the step's name, a function of the order that gives the answer. It may be called
// again for the same order, also while an earlier call of it is still under way somewhere.
async function take(body, steps) {
  const { type: step, subject: orderId, orderversion: version } = JSON.parse(body);
  if (!steps[step]) throw new Error(`no step ${step} here`);

  const found = await ask(`/v1/orders/${orderId}`);
  if (!found.ok) throw await failed(`order ${orderId}`, found);
  const order = await found.json();
  // A duplicate, or late: somebody has answered, or the order went another way.
  if (order.version !== version || order.step !== step) return 'stale';

  const answer = await steps[step](order);

  const path = `/v1/orders/${orderId}/answers/${step}?version=${version}`;
  const given = await ask(path, { method: 'POST', body: JSON.stringify(answer) });
  if (given.ok) return 'answered';
  const problem = await given.clone().json().catch(() => ({}));
  // Our own answer whose receipt was lost, or somebody else's: in any case it is over.
  if (problem.code === 'not_awaited') return 'stale';
  throw await failed(`answer to ${step} of ${orderId}`, given);
}

module.exports = { take };
