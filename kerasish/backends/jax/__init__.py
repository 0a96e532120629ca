"""The jax adapter."""
