"""State and tracing: variables, symbolic tensors, scopes and the `op` decorator."""
