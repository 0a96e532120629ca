"""Every test that touches tensors runs once for each installed backend, in this one process."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
os.environ.setdefault("JAX_PLATFORMS", "cpu")

import gc
import importlib.util
import itertools
import sys

if importlib.util.find_spec("torch"):  # torch after TensorFlow or JAX can crash on import
    import torch  # noqa: F401

import pytest

from kerasish import backends, config

ALL = ("numpy", "torch", "jax", "tensorflow")
INSTALLED = [name for name in ALL if backends.installed(name)]


def pytest_addoption(parser):
    parser.addoption("--backend", action="append", help="only these backends")
    parser.addoption(
        "--complete", action="store_true", help="what is skipped for want of a library fails"
    )


def _want_of_library(config, report):
    if config.getoption("--complete") and report.skipped and any(
        text in str(report.longrepr) for text in ("could not import", "is not installed")
    ):
        report.outcome = "failed"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    return _want_of_library(item.config, (yield))


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector):
    return _want_of_library(collector.config, (yield))


def pytest_report_header(config):
    missing = [name for name in ALL if name not in INSTALLED]
    return f"backends: {', '.join(INSTALLED)}" + (f"; not installed: {missing}" if missing else "")


def pytest_generate_tests(metafunc):
    if "backend" in metafunc.fixturenames:
        chosen = metafunc.config.getoption("--backend") or INSTALLED
        metafunc.parametrize("backend", chosen, indirect=True)


@pytest.fixture
def backend(request):
    """Makes each installed backend the active one in turn."""
    with config.backend_scope(request.param):
        yield request.param


@pytest.fixture(autouse=True)
def _settings_stay():
    """No test leaves the process with other settings than it found."""
    before = (config.floatx(), config.epsilon(), config.image_data_format(), config.backend())
    yield
    config.set_floatx(before[0])
    config.set_epsilon(before[1])
    config.set_image_data_format(before[2])
    config.set_backend(before[3])


_done = itertools.count(1)


def pytest_runtest_teardown():
    # Tens of thousands of small programs, kept compiled, are gigabytes.
    if next(_done) % 1000 == 0 and "jax" in sys.modules:
        sys.modules["jax"].clear_caches()
        gc.collect()
