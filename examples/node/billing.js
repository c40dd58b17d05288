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
    console.log(`${step}:`, order.id, receipt.amount, receipt.currency);
  } catch (error) {
    if (error.code !== 'EEXIST') throw error;
  }
  return path.basename(file);
}

const sum = ({ total, currency }) => ({ amount: total, currency });

const steps = {
  'billing.charge': async (order) => {
    if (order.payment.method === 'card_declined') return { charged: false, reason: 'card declined' };
    return { charged: true, reference: await once(order, 'billing.charge', sum(order)) };
  },
  'billing.refund': async (order) => ({
    reference: await once(order, 'billing.refund', sum(order)),
  }),
};

module.exports = { steps };
