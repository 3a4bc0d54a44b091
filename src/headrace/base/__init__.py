"""What everything stands on: errors, clock, randomness, redacting logs. Standard library only."""
