"""Applications that speak SMPP to us: the same intake, queue and log as HTTP, behind another door."""
