"""`appliance`, with the stand-in as its delivery process."""

import sys
from functools import partial

from appliance import app
from appliance.children import DeliveryChild
from appliance.cli import main

app.DeliveryChild = partial(DeliveryChild, module="stand_in_delivery")

if __name__ == "__main__":
    sys.exit(main())
