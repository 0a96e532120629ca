"""Made by scripts/stubs.py from the table in __init__.py."""

from kerasish.saving.object_registration import CustomObjectScope as CustomObjectScope
from kerasish.saving.object_registration import custom_object_scope as custom_object_scope
from kerasish.saving.object_registration import get_custom_objects as get_custom_objects
from kerasish.saving.object_registration import get_registered_name as get_registered_name
from kerasish.saving.object_registration import get_registered_object as get_registered_object
from kerasish.saving.object_registration import register_keras_serializable as register_keras_serializable
from kerasish.saving.saving_api import load_model as load_model
from kerasish.saving.saving_api import load_weights as load_weights
from kerasish.saving.saving_api import save_model as save_model
from kerasish.saving.saving_api import save_weights as save_weights
from kerasish.saving.serialization import deserialize_keras_object as deserialize_keras_object
from kerasish.saving.serialization import serialize_keras_object as serialize_keras_object
