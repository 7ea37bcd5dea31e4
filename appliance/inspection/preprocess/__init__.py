r"""From a frame to the model's input, the same in training and on the box.

What is done, in this order, and in whose pixels each number is:

1. The part's picture. `roi` cuts an upright rectangle out of the frame; `perspective` takes four corners and makes
   them upright; without either it is the frame. Both are in pixels of the frame.
2. `regions` are rectangles of the part's picture; without them there is one, the whole of it.
3. `tiles` cover each region, row by row, for defects that would vanish if the region were shrunk.
4. Each region or tile is resized to the model's `width` and `height` by `resize`, brought into the order of `color`,
   and becomes one row of the batch. All this is done in uint8; only then, at that size, come `scale` and `offset`.

    frame                          part's picture                  region "left"
    +--------------------------+   +------------------------+      +---------+
    | 1 ..------------ 2       |   | 1                    2 |      |r1c1|r1c2|
    |  \    the part    \      |   | +---------+  +-------+ |      |----+----|
    |   \                \     | > | | left    |  | right | |  >   |r2c1|r2c2|  > one batch, (rows, height, width,
    |    4 -------------- 3    |   | |         |  |       | |      +---------+    channels): left/r1c1, left/r1c2, ...,
    +--------------------------+   | +---------+  +-------+ |                     right/r1c1, ...
                                   | 4                    3 |
                                   +------------------------+

x goes to the right and y goes down from the upper left corner, both from 0; a rectangle is [x, y, width, height].
Corners go around the part as it is read: upper left, upper right, lower right, lower left. Rows and columns of tiles
count from 1.
"""

from appliance.inspection.preprocess.config import InputConfig, PerspectiveConfig, TilesConfig
from appliance.inspection.preprocess.preprocessor import Preprocessor, preprocess_picture
from appliance.inspection.preprocess.spec import RESIZE, InputSpec, Window

__all__ = [
    "RESIZE",
    "InputConfig",
    "InputSpec",
    "PerspectiveConfig",
    "Preprocessor",
    "TilesConfig",
    "Window",
    "preprocess_picture",
]
