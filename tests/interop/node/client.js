// An application by other hands (npm package `smpp`) for tests/interop/test_smpp_server_peers.py.
//   node client.js PORT SYSTEM_ID PASSWORD [CA]
// With the name of a CA file it connects with TLS. What it sees goes to stdout, one JSON object a line; orders come
// in on stdin the same way:
//   {"submit": {...fields of submit_sm}}    {"unbind": true}
// It ends when stdin closes.
'use strict';

const fs = require('fs');
const readline = require('readline');
const smpp = require('smpp');

const [port, systemId, password, ca] = process.argv.slice(2);

function tell(event, facts) {
  process.stdout.write(JSON.stringify({event, ...facts}) + '\n');
}

const options = {url: `${ca ? 'ssmpp' : 'smpp'}://127.0.0.1:${port}`, auto_enquire_link_period: 1000};
if (ca) {
  Object.assign(options, {ca: [fs.readFileSync(ca)], servername: 'localhost', rejectUnauthorized: true});
}
const session = smpp.connect(options, () => {
  session.bind_transceiver({system_id: systemId, password}, (answer) => {
    tell('bound', {command_status: answer.command_status, system_id: answer.system_id});
  });
});

session.on('deliver_sm', (pdu) => {
  const content = pdu.short_message;
  tell('delivery', {
    esm_class: pdu.esm_class,
    from: pdu.source_addr,
    to: pdu.destination_addr,
    text: content.message.toString(),
    udh: (content.udh || []).map((element) => element.toString('hex')),
    id: pdu.receipted_message_id,
    state: pdu.message_state,
  });
  session.send(pdu.response());
});
session.on('error', (error) => tell('error', {code: error.code || error.message}));
session.on('close', () => tell('close', {}));

readline.createInterface({input: process.stdin})
  .on('line', (line) => {
    const order = JSON.parse(line);
    if (order.unbind) {
      session.unbind((answer) => tell('unbound', {command_status: answer.command_status}));
    } else {
      session.submit_sm(order.submit, (answer) => {
        tell('submitted', {command_status: answer.command_status, id: answer.message_id});
      });
    }
  })
  .on('close', () => process.exit(0));
