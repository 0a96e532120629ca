"""The tensorflow adapter."""
