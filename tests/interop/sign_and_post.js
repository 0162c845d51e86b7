// Signs and posts one webhook the way the vendor does. Usage: SECRET=... node sign_and_post.js URL < body
// Prints {"signature", "status", "body"}.
const crypto = require('crypto');
const http = require('http');

const chunks = [];
process.stdin.on('data', (chunk) => chunks.push(chunk));
process.stdin.on('end', () => {
  const rawBody = Buffer.concat(chunks);
  const { SECRET } = process.env;
  // The vendor's own snippet.
  const signature = crypto.createHmac('sha256', SECRET).update(rawBody).digest('hex');
  const request = http.request(process.argv[2], {
    method: 'POST',
    headers: {
      Accept: 'application/json, text/plain, */*',
      'Content-Type': 'application/json;charset=utf-8',
      'X-Conscent-Signature': signature,
      'User-Agent': 'axios/0.21.1',
      'Content-Length': rawBody.length,
    },
  }, (response) => {
    let body = '';
    response.on('data', (chunk) => { body += chunk; });
    response.on('end', () => console.log(JSON.stringify({ signature, status: response.statusCode, body })));
  });
  request.on('error', (error) => { console.error(error.message); process.exit(1); });
  request.end(rawBody);
});
