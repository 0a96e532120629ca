"""Made by scripts/stubs.py from the table in __init__.py."""

from kerasish.models.cloning import clone_model as clone_model
from kerasish.models.model import Functional as Functional
from kerasish.models.model import Model as Model
from kerasish.models.model import model_from_json as model_from_json
from kerasish.models.sequential import Sequential as Sequential
from kerasish.saving.saving_api import load_model as load_model
from kerasish.saving.saving_api import save_model as save_model
