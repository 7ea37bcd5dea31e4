"""Started by the line as `python -m appliance.gateway`."""

from appliance.gateway.process import main

raise SystemExit(main())
