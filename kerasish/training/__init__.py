"""The one trainer: data in, compiled steps, logs out."""
