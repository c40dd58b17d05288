// A payment service on @aws-sdk/client-sqs v3: it polls without a pause, takes the messages of a
// poll side by side, holds on to what takes long, and stops cleanly.
import {
  ChangeMessageVisibilityCommand,
  DeleteMessageCommand,
  ReceiveMessageCommand,
  SQSClient,
} from '@aws-sdk/client-sqs';
import billing from './billing.js';
import worker from './worker.js';

const VISIBILITY_SECONDS = Number(process.env.VISIBILITY_SECONDS || 30);
const MAX_REST_SECONDS = 300;

const sqs = new SQSClient({});
const QueueUrl = process.env.BILLING_URL;
let stopping = false;
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => (stopping = true));

const show = (ReceiptHandle, seconds) =>
  sqs.send(
    new ChangeMessageVisibilityCommand({ QueueUrl, ReceiptHandle, VisibilityTimeout: seconds }),
  );

async function handle({ Body, ReceiptHandle, Attributes }) {
  // Another worker gets the message once its visibility timeout is over, whatever we are doing.
  const hold = () => show(ReceiptHandle, VISIBILITY_SECONDS).catch(console.error);
  const holding = setInterval(hold, (VISIBILITY_SECONDS * 1000) / 2);
  try {
    const outcome = await worker.take(Body, billing.steps);
    clearInterval(holding);
    await sqs.send(new DeleteMessageCommand({ QueueUrl, ReceiptHandle }));
    console.log(outcome, Body);
  } catch (error) {
    clearInterval(holding);
    console.error('It comes again:', error.message);
    const rest = Math.min(MAX_REST_SECONDS, 2 ** Number(Attributes.ApproximateReceiveCount));
    await show(ReceiptHandle, rest).catch(console.error);
  }
}

const ask = new ReceiveMessageCommand({
  QueueUrl,
  MaxNumberOfMessages: 10,
  VisibilityTimeout: VISIBILITY_SECONDS,
  WaitTimeSeconds: Number(process.env.WAIT_SECONDS || 20),
  MessageSystemAttributeNames: ['ApproximateReceiveCount'],
});
console.log('Waiting for orders.');
// An open poll is waited for: SQS would give messages to one that is broken off.
while (!stopping) {
  try {
    const { Messages = [] } = await sqs.send(ask);
    await Promise.all(Messages.map(handle));
  } catch (error) {
    console.error('The queue does not answer:', error.message);
    await new Promise((rest) => setTimeout(rest, 1000));
  }
}
