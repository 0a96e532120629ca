"""Callbacks; each loads when it is first used."""

from kerasish._lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    names={
        "kerasish.callbacks.base": "Callback CallbackList History",
        "kerasish.callbacks.progress": "ProgbarLogger",
        "kerasish.callbacks.monitoring": "EarlyStopping ReduceLROnPlateau TerminateOnNaN",
        "kerasish.callbacks.simple": "CSVLogger LambdaCallback LearningRateScheduler RemoteMonitor",
        "kerasish.callbacks.checkpoints": "BackupAndRestore ModelCheckpoint SwapEMAWeights",
        "kerasish.callbacks.tensorboard": "TensorBoard",
    },
)
