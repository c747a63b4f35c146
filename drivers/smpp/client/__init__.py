"""An account at an SMSC: config, dial, bind, driver; text and submit_rules out, deliveries in."""
