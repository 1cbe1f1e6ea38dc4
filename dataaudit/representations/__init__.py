"""Representations of examples: inputs, hidden layers, gradients of the loss."""
