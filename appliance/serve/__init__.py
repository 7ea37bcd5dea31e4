"""tensorflow_model_server's command line over our core: one process, several models, gRPC and REST."""
