"""The fixtures of tests/e2e, for raw bytes."""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))

import importlib.util  # noqa: E402

_spec = importlib.util.spec_from_file_location(
    "e2e_conftest", pathlib.Path(__file__).resolve().parents[1] / "e2e" / "conftest.py")
_module = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_module)

cluster = _module.cluster
make_stack = _module.make_stack
stack = _module.stack
pytest_runtest_makereport = _module.pytest_runtest_makereport
