// The same producer on @aws-sdk/client-sqs v3, which reads region and endpoint from the environment.
import { SQSClient, SendMessageCommand } from '@aws-sdk/client-sqs';

const sqs = new SQSClient({});

const queueUrl = process.env.INTAKE_URL;

const placeOrder = async (orderData) => {
  const command = new SendMessageCommand({
    QueueUrl: queueUrl,
    MessageBody: JSON.stringify(orderData),
  });

  try {
    const result = await sqs.send(command);
    console.log('Order placed:', result.MessageId);
  } catch (error) {
    console.error('Error placing order:', error);
    process.exitCode = 1;
  }
};

// Example Order
placeOrder({ orderId: 'ORD124', userId: 'U456', items: ['Item1', 'Item2'], total: 100 });
