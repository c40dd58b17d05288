// A producer on aws-sdk v2, as anybody would write it: it knows nothing of Conveyor but a queue.
const AWS = require('aws-sdk');

AWS.config.update({ region: process.env.AWS_REGION });
const sqs = new AWS.SQS({ endpoint: process.env.AWS_ENDPOINT_URL_SQS });

const queueUrl = process.env.INTAKE_URL;

const placeOrder = async (orderData) => {
  const params = {
    QueueUrl: queueUrl,
    MessageBody: JSON.stringify(orderData),
  };

  try {
    const result = await sqs.sendMessage(params).promise();
    console.log("Order placed:", result.MessageId);
  } catch (error) {
    console.error("Error placing order:", error);
  }
};

// Example Order
placeOrder({ orderId: "ORD123", userId: "U456", items: ["Item1", "Item2"], total: 100 });
