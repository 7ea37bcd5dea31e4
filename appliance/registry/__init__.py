"""Where model versions come from: what a signed package is, where packages lie, the store on disk, deployments.

Four packages, which do not import each other sideways: `package` (rules; reads folders, opens no socket), `remote`
(networks), `store` (the disk), `deployments` (states and rules; no I/O at all). `appliance.delivery` joins them.
"""
