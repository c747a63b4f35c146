// An SMSC by other hands (npm package `smpp`), started by tests/support/other_smsc.py.
//   node server.js [KEY CERT [CA]]
// With key and certificate it speaks TLS; with an authority it demands a certificate that this one signed.
// What it sees goes to stdout, one JSON object a line; orders come in on stdin the same way:
//   {"from": ..., "to": ..., "text": ..., "data_coding": 0 | 8, "udh": HEX}   send a mobile-originated message
// It ends when stdin closes.
'use strict';

const fs = require('fs');
const readline = require('readline');
const smpp = require('smpp');

const [key, cert, ca] = process.argv.slice(2).map((path) => fs.readFileSync(path));
const tls = key ? {key, cert} : {};
if (ca) {
  Object.assign(tls, {ca: [ca], requestCert: true, rejectUnauthorized: true});
}
const ACCOUNT = {system_id: 'hongyan', password: 'secret'};
const sessions = new Set();
let lastId = 0x1000;

function tell(event, facts) {
  process.stdout.write(JSON.stringify({event, ...facts}) + '\n');
}

function acceptBind(session, kind, pdu) {
  tell('bind', {kind, system_id: pdu.system_id, interface_version: pdu.interface_version});
  if (pdu.system_id !== ACCOUNT.system_id || pdu.password !== ACCOUNT.password) {
    session.send(pdu.response({command_status: smpp.ESME_RINVPASWD}));
    return;
  }
  session.send(pdu.response({system_id: 'other-smsc'}));
  sessions.add(session);
}

function acceptSubmit(session, pdu) {
  const id = (++lastId).toString(16);
  tell('submit', {
    id,
    to: pdu.destination_addr,
    from: pdu.source_addr,
    text: pdu.short_message.message,
    udh: (pdu.short_message.udh || []).map((element) => element.toString('hex')),
    data_coding: pdu.data_coding,
    esm_class: pdu.esm_class,
    registered_delivery: pdu.registered_delivery,
  });
  session.send(pdu.response({message_id: id}));
  if (pdu.registered_delivery & smpp.REGISTERED_DELIVERY.FINAL) {
    sendReceipt(session, id, pdu);
  }
}

function sendReceipt(session, id, submitted) {
  const text = `id:${id} sub:001 dlvrd:001 submit date:2611211200 done date:2611211201 stat:DELIVRD err:000 text:`;
  session.deliver_sm({
    esm_class: smpp.ESM_CLASS.MC_DELIVERY_RECEIPT,
    source_addr: submitted.destination_addr,
    source_addr_ton: submitted.dest_addr_ton,
    source_addr_npi: submitted.dest_addr_npi,
    destination_addr: submitted.source_addr,
    data_coding: 0,
    short_message: text,
    receipted_message_id: id,
    message_state: smpp.MESSAGE_STATE.DELIVERED,
  }, (answer) => tell('receipt_answered', {id, command_status: answer.command_status}));
}

function sendInbound(order) {
  const udh = Buffer.from(order.udh || '', 'hex');
  for (const session of sessions) {
    session.deliver_sm({
      source_addr: order.from,
      source_addr_ton: 1,
      source_addr_npi: 1,
      destination_addr: order.to,
      esm_class: udh.length ? smpp.ESM_CLASS.UDH_INDICATOR : 0,
      data_coding: order.data_coding,
      short_message: udh.length ? {udh, message: order.text} : order.text,
    }, (answer) => tell('inbound_answered', {command_status: answer.command_status}));
  }
}

const server = smpp.createServer(tls, (session) => {
  for (const kind of ['bind_transceiver', 'bind_transmitter', 'bind_receiver']) {
    session.on(kind, (pdu) => acceptBind(session, kind, pdu));
  }
  session.on('submit_sm', (pdu) => acceptSubmit(session, pdu));
  session.on('enquire_link', (pdu) => {
    tell('enquire_link', {});
    session.send(pdu.response());
  });
  session.on('unbind', (pdu) => {
    tell('unbind', {});
    session.send(pdu.response());
    session.close();
  });
  session.on('error', (error) => tell('error', {code: error.code || error.message}));
  session.on('close', () => {
    sessions.delete(session);
    tell('close', {});
  });
});

server.on('tlsClientError', (error) => tell('tls_error', {code: error.code || error.message}));

server.listen(0, '127.0.0.1', () => tell('listening', {port: server.address().port}));

readline.createInterface({input: process.stdin})
  .on('line', (line) => sendInbound(JSON.parse(line)))
  .on('close', () => process.exit(0));
