// The work itself: charges and refunds, each at most once an order, in a directory of receipts.
// It stands for a payment provider that takes an idempotency key.
const fs = require('node:fs/promises');
const path = require('node:path');

const receipts = process.env.BILLING_RECEIPTS || 'receipts';

// Writes a receipt, or gives the one that is there: the key is the order and the step, not the
// message, which may be another one after an operator has let the order take its step again.
async function once(order, step, receipt) {
  await fs.mkdir(receipts, { recursive: true });
  const file = path.join(receipts, `${order.id}.${step}.json`);
  try {
    await fs.writeFile(file, JSON.stringify(receipt), { flag: 'wx' });
    console.log(`${step}:`, order.id, receipt.amount);
  } catch (error) {
    if (error.code !== 'EEXIST') throw error;
  }
  return path.basename(file);
}

const sum = ({ total, currency }) => ({ amount: total, currency });

const has = (order, step) =>
  fs.access(path.join(receipts, `${order.id}.${step}.json`)).then(
    () => true,
    () => false,
  );

const steps = {
  'billing.charge': async (order) => {
    if (order.payment.method === 'card_declined') return { charged: false, reason: 'card declined' };
    // An operator has had it undone meanwhile: it is not charged after that.
    if (await has(order, 'billing.refund')) return { charged: false, reason: 'refunded' };
    return { charged: true, reference: await once(order, 'billing.charge', sum(order)) };
  },
  // Where nothing was charged there is nothing to give back, and yet it is noted.
  'billing.refund': async (order) => {
    const receipt = (await has(order, 'billing.charge')) ? sum(order) : { amount: 0 };
    return { reference: await once(order, 'billing.refund', receipt) };
  },
};

module.exports = { steps };
