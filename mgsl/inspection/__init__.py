"""Looking into trained models from outside: what the memories hold, and what they are worth."""
