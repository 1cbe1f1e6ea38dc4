"""Evidence that scorers read: values only. What collects it is pipeline/evidence_sources/, a file a kind."""
