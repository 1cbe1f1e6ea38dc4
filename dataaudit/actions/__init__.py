"""What an audit can be asked to do."""
