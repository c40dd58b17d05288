"""What whoever is on call asks of a system: audit, explain, dead letters, summary, doctor."""
