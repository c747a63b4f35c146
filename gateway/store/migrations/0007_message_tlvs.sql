-- Optional parameters for SMSCs that a message brings along: a JSON object of tags and octets, both in hex.
ALTER TABLE messages ADD COLUMN smpp_tlvs TEXT;
