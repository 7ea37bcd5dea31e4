import inspect
import subprocess
import sys
from pathlib import Path
from typing import get_origin

from appliance import serving

ROOT = Path(__file__).parents[2]


def test_everything_that_is_published_is_there_and_says_what_it_is():
    for name in serving.__all__:
        published = getattr(serving, name)
        is_alias = get_origin(published) is not None
        if not is_alias and (inspect.isclass(published) or inspect.isfunction(published)):
            assert published.__doc__, name


def test_the_core_needs_nothing_but_the_standard_library():
    code = """
import sys
import appliance.serving
roots = {name.partition(".")[0] for name in sys.modules}
print(sorted(root for root in roots if root not in sys.stdlib_module_names and not root.startswith("_")))
"""
    told = subprocess.run([sys.executable, "-S", "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert told.stdout.strip() == "['appliance']"
