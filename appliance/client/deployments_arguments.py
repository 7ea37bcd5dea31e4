"""The options of `appliance deployments`. Imports nothing heavy: --help answers at once."""

import argparse


def add_deployments(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `deployments` to the commands of `appliance`."""
    commands.add_parser("deployments", help="how models come onto this box, and steering it")
