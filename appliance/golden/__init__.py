"""The publisher's golden samples: inputs that travel with a model, and the scores that they have to give everywhere.

`assets.extra/golden/samples.json`: `input`, `output` (aliases; `signature`, default serving_default), `samples`, each
with `file`, `scores`, and optionally `label`, `tolerance` (default 0.001), and what the file is:

- a picture of exactly the model's size, as the model sees it: what is compared is colours, scale and the engine;
- `"crop": true`: a picture of what one row of the batch shows, as the camera gave it: with the resize, too;
- `"frame": true`: a picture of a whole frame: with roi, perspective, regions and tiles, too. Scores are a list for
  each row of the batch, in the order of the rows;
- a `.npy` array as the model takes it: the engine alone.

The scores are those of the training program: then it is proven that what it did to pictures is what boxes do.
"""

from appliance.golden.errors import GoldenError, GoldenFailed, GoldenMissing, GoldenNotFinite
from appliance.golden.proof import Compared, compare, prove
from appliance.golden.samples import GOLDEN, Golden, GoldenSet, read

__all__ = [
    "GOLDEN",
    "Compared",
    "Golden",
    "GoldenError",
    "GoldenFailed",
    "GoldenMissing",
    "GoldenNotFinite",
    "GoldenSet",
    "compare",
    "prove",
    "read",
]
