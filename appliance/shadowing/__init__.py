"""The line's frames for an examiner in another process: offered in microseconds, dropped where nobody keeps up.

`Feed` is the line's side, `Taker` the examiner's. Pixels lie in shared memory that the line made; what is said of
them crosses in small datagrams. The line waits for nothing here, and believes nothing but the number of a slot.
"""

from appliance.shadowing.feed import Feed, FeedLife
from appliance.shadowing.taker import FeedEnded, Observed, Taker

__all__ = ["Feed", "FeedEnded", "FeedLife", "Observed", "Taker"]
