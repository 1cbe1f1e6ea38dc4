"""What training shows about every example."""
