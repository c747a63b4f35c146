"""One file a rule: what it asks for, and what it says of a message. `gateway.policy.chain` has them in their order."""
