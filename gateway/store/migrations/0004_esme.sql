-- What the handset is to see as sender, where the channel can choose.
ALTER TABLE messages ADD COLUMN source_address TEXT;

-- What applications submitted over SMPP. Several told ids may stand for one message (its parts, joined here), and
-- several messages for one told id (submit_multi). Addresses are as on the wire: ton, npi, address.
CREATE TABLE esme_submits (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    told_id       TEXT NOT NULL,
    account       TEXT NOT NULL,
    -- Null while it is a part that waits for the others.
    message_id    TEXT,
    source        TEXT NOT NULL,
    destination   TEXT NOT NULL,
    registered    INTEGER NOT NULL,
    data_coding   INTEGER NOT NULL,
    -- 1 until the network has it or it ended: the account's backlog.
    waiting       INTEGER NOT NULL,
    submitted_at  BIGINT NOT NULL
);
CREATE INDEX esme_submits_told ON esme_submits (told_id);
CREATE INDEX esme_submits_message ON esme_submits (message_id) WHERE message_id IS NOT NULL;
CREATE INDEX esme_submits_waiting ON esme_submits (account) WHERE waiting = 1;

-- Parts that were acknowledged and wait for the others of their message.
CREATE TABLE esme_parts (
    told_id       TEXT PRIMARY KEY,
    account       TEXT NOT NULL,
    concat_key    TEXT NOT NULL,
    part          INTEGER NOT NULL,
    total         INTEGER NOT NULL,
    content       BLOB NOT NULL,
    received_at   BIGINT NOT NULL
);
CREATE INDEX esme_parts_key ON esme_parts (concat_key, part);
CREATE INDEX esme_parts_received ON esme_parts (received_at);

-- Receipts and inbound messages that an application has not acknowledged: deliver_sm, ready for the wire.
CREATE TABLE esme_outbox (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    account       TEXT NOT NULL,
    pdu           BLOB NOT NULL,
    made_at       BIGINT NOT NULL
);
CREATE INDEX esme_outbox_account ON esme_outbox (account, id);

-- How far the timeline has been turned into the outbox.
CREATE TABLE esme_place (
    name          TEXT PRIMARY KEY,
    seq           BIGINT NOT NULL
);
