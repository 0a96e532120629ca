"""Made by scripts/stubs.py from the table in __init__.py."""

from kerasish.callbacks.progress import Progbar as Progbar
from kerasish.callbacks.progress import disable_interactive_logging as disable_interactive_logging
from kerasish.callbacks.progress import enable_interactive_logging as enable_interactive_logging
from kerasish.callbacks.progress import is_interactive_logging_enabled as is_interactive_logging_enabled
from kerasish.core.symbolic import is_keras_tensor as is_keras_tensor
from kerasish.dtypes import standardize as _standardize
from kerasish.random import set_random_seed as set_random_seed
from kerasish.saving.object_registration import CustomObjectScope as CustomObjectScope
from kerasish.saving.object_registration import custom_object_scope as custom_object_scope
from kerasish.saving.object_registration import get_custom_objects as get_custom_objects
from kerasish.saving.object_registration import get_registered_name as get_registered_name
from kerasish.saving.object_registration import get_registered_object as get_registered_object
from kerasish.saving.object_registration import register_keras_serializable as register_keras_serializable
from kerasish.saving.serialization import deserialize_keras_object as deserialize_keras_object
from kerasish.saving.serialization import serialize_keras_object as serialize_keras_object
from kerasish.utils import bounding_boxes as bounding_boxes
from kerasish.utils import legacy as legacy
from kerasish.utils.batches import pack_x_y_sample_weight as pack_x_y_sample_weight
from kerasish.utils.batches import unpack_x_y_sample_weight as unpack_x_y_sample_weight
from kerasish.utils.data_sets import audio_dataset_from_directory as audio_dataset_from_directory
from kerasish.utils.data_sets import image_dataset_from_directory as image_dataset_from_directory
from kerasish.utils.data_sets import split_dataset as split_dataset
from kerasish.utils.data_sets import text_dataset_from_directory as text_dataset_from_directory
from kerasish.utils.data_sets import timeseries_dataset_from_array as timeseries_dataset_from_array
from kerasish.utils.feature_space import FeatureSpace as FeatureSpace
from kerasish.utils.files import get_file as get_file
from kerasish.utils.images import array_to_img as array_to_img
from kerasish.utils.images import img_to_array as img_to_array
from kerasish.utils.images import load_img as load_img
from kerasish.utils.images import save_img as save_img
from kerasish.utils.numerical import normalize as normalize
from kerasish.utils.numerical import to_categorical as to_categorical
from kerasish.utils.plotting import get_source_inputs as get_source_inputs
from kerasish.utils.plotting import model_to_dot as model_to_dot
from kerasish.utils.plotting import plot_model as plot_model
from kerasish.utils.py_dataset import PyDataset as PyDataset
from kerasish.utils.py_dataset import PyDataset as _PyDataset
from kerasish.utils.sequence import pad_sequences as pad_sequences
from kerasish.utils.session import clear_session as clear_session
from kerasish.utils.settings import Config as Config
from kerasish.utils.torch_module import to_torch_module as to_torch_module

standardize_dtype = _standardize
Sequence = _PyDataset
