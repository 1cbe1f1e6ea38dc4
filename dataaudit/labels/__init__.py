"""From scores to decisions about labels."""
