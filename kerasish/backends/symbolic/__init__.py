"""The symbolic adapter."""
