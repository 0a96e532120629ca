"""Made by scripts/stubs.py from the table in __init__.py."""

from kerasish.callbacks.base import Callback as Callback
from kerasish.callbacks.base import CallbackList as CallbackList
from kerasish.callbacks.base import History as History
from kerasish.callbacks.checkpoints import BackupAndRestore as BackupAndRestore
from kerasish.callbacks.checkpoints import ModelCheckpoint as ModelCheckpoint
from kerasish.callbacks.checkpoints import SwapEMAWeights as SwapEMAWeights
from kerasish.callbacks.monitoring import EarlyStopping as EarlyStopping
from kerasish.callbacks.monitoring import ReduceLROnPlateau as ReduceLROnPlateau
from kerasish.callbacks.monitoring import TerminateOnNaN as TerminateOnNaN
from kerasish.callbacks.progress import ProgbarLogger as ProgbarLogger
from kerasish.callbacks.simple import CSVLogger as CSVLogger
from kerasish.callbacks.simple import LambdaCallback as LambdaCallback
from kerasish.callbacks.simple import LearningRateScheduler as LearningRateScheduler
from kerasish.callbacks.simple import RemoteMonitor as RemoteMonitor
from kerasish.callbacks.tensorboard import TensorBoard as TensorBoard
