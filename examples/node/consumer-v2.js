// A payment service on aws-sdk v2, as anybody would write it; what is Conveyor's is `take`.
const AWS = require('aws-sdk');
const { steps } = require('./billing');
const { take } = require('./worker');

AWS.config.update({ region: process.env.AWS_REGION });
const sqs = new AWS.SQS({ endpoint: process.env.AWS_ENDPOINT_URL_SQS });

const queueUrl = process.env.BILLING_URL;

const processOrder = async () => {
  const params = {
    QueueUrl: queueUrl,
    MaxNumberOfMessages: 5,
    VisibilityTimeout: Number(process.env.VISIBILITY_SECONDS || 30),
    WaitTimeSeconds: Number(process.env.WAIT_SECONDS || 10),
  };

  try {
    const data = await sqs.receiveMessage(params).promise();
    if (!data.Messages) return console.log("No orders to process.");

    for (const message of data.Messages) {
      const { subject: orderId } = JSON.parse(message.Body);
      console.log("Processing payment for order:", orderId);

      const outcome = await take(message.Body, steps);

      // Delete message after processing
      await sqs.deleteMessage({
        QueueUrl: queueUrl,
        ReceiptHandle: message.ReceiptHandle,
      }).promise();

      console.log("Order processed successfully:", orderId, outcome);
    }
  } catch (error) {
    console.error("Error processing order:", error);
  }
};

// Poll for new orders every 10 seconds
setInterval(processOrder, Number(process.env.POLL_MS || 10000));
