"""An account at an SMSC: config, dial, bind, driver; submit_rules out, deliveries in."""
