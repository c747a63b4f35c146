"""Where a stick keeps messages: `storage` knows and reads the memories, `habits` what was seen of them."""
