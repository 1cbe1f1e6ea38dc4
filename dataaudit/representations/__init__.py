"""Where examples lie: in the inputs, before the last layer, or by the gradient of their loss."""
