"""Made by scripts/stubs.py from the table in __init__.py."""

from kerasish.preprocessing import image as image
from kerasish.preprocessing import sequence as sequence
from kerasish.utils.data_sets import image_dataset_from_directory as image_dataset_from_directory
from kerasish.utils.data_sets import text_dataset_from_directory as text_dataset_from_directory
from kerasish.utils.data_sets import timeseries_dataset_from_array as timeseries_dataset_from_array
