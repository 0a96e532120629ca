"""A Keras-style deep-learning API on NumPy, PyTorch, JAX and TensorFlow."""
