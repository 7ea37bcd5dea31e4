"""Where packages lie: OCI registries, plain folders, MLflow's aliases. One client that pulls from all of them."""
